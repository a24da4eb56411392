"""The wall clock a day ahead, and a day back, under running processes: what expires, what waits, what does not move.

Server and worker read their clock through a hook that adds what a file says, so that it jumps for all of them at once
while they run. Nothing in the product can do that. Monotonic clocks run on, as they do on a real machine.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import small_world
from chaos import free_port
from chaos_boundaries import PERSON, Site, closed, command, made_ready, token
from judging import judge, sent
from processes import Forge, Running, until
from signed_in import begun
from small_world import MODEL, ROLES

from signoff.adapters import clocks
from signoff.desk.client import FlagClient
from signoff.domain.events import DeadlineBreached, NoticeSent
from signoff.http import sessions

DAY: Final = 86_400.0


def follow(*, path: str) -> None:
    """Let this process's wall clock differ from the machine's by the seconds in a file."""
    ahead = Path(path)
    clocks.WallClock.now = lambda _: datetime.now(UTC) + timedelta(seconds=float(ahead.read_text()))  # type: ignore[method-assign]


class Trial:
    """One installation, its server and worker, and the clock of all of them."""

    def __init__(self, forge: Forge, site: Site, clock: Path, *, shown: str = "good", lease_s: float = 120) -> None:
        self.forge, self.site, self.clock, self.port = forge, site, clock, free_port()
        self.hooks: tuple[tuple[str, dict[str, Any]], ...] = (
            ("small_world:install", {"shown": shown, "lease_s": lease_s}),
            ("chaos_clock:follow", {"path": str(clock)}),
        )
        self.running: list[Running] = []

    def start(self, *line: str, hooks: tuple[tuple[str, dict[str, Any]], ...] = ()) -> Running:
        found = self.forge.start(
            *line,
            "--home",
            str(self.site.home),
            "--venue",
            "simulated",
            log=self.site.root / "log",
            hooks=self.hooks + hooks,
        )
        self.running.append(found)
        return found

    def serve(self) -> str:
        self.start("serve", "--port", str(self.port))
        url = f"http://127.0.0.1:{self.port}"
        assert until(lambda: _status(f"{url}/readyz") == 200, 20)
        return f"{url}/api/v1"

    def work(self, *options: str, passes: int = 2) -> None:
        for _ in range(passes):
            assert self.start("worker", *options).wait() == 0, (self.site.root / "log").read_text()

    def set(self, seconds: float) -> None:
        self.clock.write_text(str(seconds))

    def close(self) -> None:
        self.set(0)
        for running in self.running:
            running.kill()


def _status(url: str) -> int:
    try:
        return httpx.get(url, timeout=5).status_code
    except httpx.TransportError:
        return 0


def asked(url: str, site: Site, verb: str, **body: Any) -> httpx.Response:
    path, said, bearer = command(verb, **body)(site)
    time.sleep(0.3)  # the server reads people anew every 0.1 s, and this token is newer than that
    return httpx.post(f"{url}{path}", json=said, headers={"authorization": f"Bearer {bearer}"}, timeout=30)


Found = dict[str, bool]
CANDIDATE: Final = "2.0.0"


def approvals_and_sessions(trial: Trial) -> Found:
    """31 days ahead: signatures are too old; back again they are as good as before. A session stays closed."""
    house = trial.site.house()
    number, _ = begun(house, PERSON[ROLES[0]])
    closed(house)
    mine = {"authorization": f"Bearer {sessions.PREFIX}{number}"}
    url = trial.serve()
    was_in = httpx.get(f"{url}/me", headers=mine).status_code == 200
    trial.set(DAY)
    is_out = httpx.get(f"{url}/me", headers=mine).status_code == 401
    trial.work()
    trial.set(31 * DAY)
    stale = asked(url, trial.site, "start")
    trial.set(0)
    stays_out = httpx.get(f"{url}/me", headers=mine).status_code == 401
    started = asked(url, trial.site, "start")
    return {
        "a session is over once the clock says so, and stays over when the clock goes back": was_in
        and is_out
        and stays_out,
        "signatures that have expired by the clock start nothing": stale.status_code == 409 and "expired" in stale.text,
        "with the clock right again they start the release": started.status_code == 200,
    }


def phases_forward(trial: Trial) -> Found:
    """Some days ahead and nothing journaled for them: no day is counted, nothing advances."""
    trial.set(4 * DAY)
    trial.work("--observe", "--advance")
    house = trial.site.house()
    state = house.record.deployment(trial.site.identity())
    closed(house)
    return {
        "a day that only the clock saw does not count, and pauses": state.state == "shadow"
        and state.phase_days == 0
        and bool(state.pause_reasons)
    }


def phases_back(trial: Trial) -> Found:
    """A day back: nothing is observed twice, nothing advances, commands go on, revisions grow."""
    url = trial.serve()
    house, identity = trial.site.house(), trial.site.identity()
    before = house.record.deployment(identity)
    desk = FlagClient(
        [url.removesuffix("/api/v1")],
        token=token(trial.site, "desk-1", is_machine=True),
        keys={house.ledger_key.key_id: house.ledger_key.public_key},
        models=[MODEL],
    ).start()
    told = desk.wait_for(MODEL, CANDIDATE)
    trial.set(-DAY)
    trial.work("--observe", "--advance")
    paused = asked(url, trial.site, "pause", reason="manual", note="")
    resumed = asked(url, trial.site, "resume", reason="manual", note="")
    trial.set(DAY)
    time.sleep(3)
    stayed = desk.flags(MODEL, CANDIDATE)
    desk.stop()
    after = house.record.deployment(identity)
    times = [r.at for r in house.record.history()]
    closed(house)
    return {
        "commands are taken with the clock a day back": paused.status_code == resumed.status_code == 200,
        "the release is where it was": (after.state, after.phase_days) == (before.state, before.phase_days),
        "revisions grow although the times in the ledger go back": after.revision >= before.revision + 2
        and times != sorted(times),
        "a desk stays open and belongs to the same state": told.enabled and stayed.enabled and not desk.refused,
    }


def deadlines(trial: Trial) -> Found:
    """Ahead, back, and three days ahead: each breach is recorded once, and none is lost."""

    def breached() -> list[str]:
        house = trial.site.house()
        found = sorted(r.event.name for r in house.record.history() if isinstance(r.event, DeadlineBreached))
        closed(house)
        return found

    trial.set(DAY)
    trial.work()
    a_day_late = breached()
    trial.set(-DAY)
    trial.work()
    went_back = breached()
    trial.set(3 * DAY)
    trial.work()
    house = trial.site.house()
    due = [d.name for d in house.record.deployment(trial.site.identity()).rollback.deadlines]  # type: ignore[union-attr]
    closed(house)
    return {
        "a day late, every deadline but the post-mortem's is missed, once": a_day_late
        == sorted(set(due) - {"post_mortem"}),
        "back again, nothing is recorded twice or taken back": went_back == a_day_late,
        "three days late, all of them": breached() == sorted(due),
    }


def leases(trial: Trial) -> Found:
    """A worker dies with its lease while the clock is a day ahead; with the clock right the notices go out."""
    trial.set(DAY)
    trace = {"trace": str(trial.site.root / "trace"), "within": str(trial.site.root), "at": 3}
    died = trial.start("worker", hooks=(("boundaries:install", trace),)).wait() == -9
    held = trial.site.house()
    waiting = len(held.store.pending())
    trial.set(0)
    trial.work()
    left, out = len(held.store.pending()), len(sent(held))
    told = sum(isinstance(r.event, NoticeSent) for r in held.record.history())
    closed(held)
    return {"a lease from a clock that was ahead holds nothing up": died and waiting > 0 and left == 0 and out == told}


TRIALS: Final[tuple[tuple[str, str, Callable[[Trial], Found], dict[str, Any]], ...]] = (
    ("approved", "approvals and sessions", approvals_and_sessions, {}),
    ("shadow", "a phase, ahead", phases_forward, {"shown": "no data"}),
    ("limited", "a phase, back", phases_back, {}),
    ("rollback begun", "deadlines", deadlines, {}),
    ("approved", "leases", leases, {}),
)


def main() -> None:
    small_world.install()
    wrong = 0
    with tempfile.TemporaryDirectory() as name, Forge() as forge:
        folder = Path(name)
        ready = made_ready(folder)
        for number, (begin, what, play, how) in enumerate(TRIALS):
            site = ready[begin].copy(folder / f"trial-{number}")
            (folder / f"clock-{number}").write_text("0")
            trial = Trial(forge, site, folder / f"clock-{number}", **how)
            try:
                found = play(trial)
            finally:
                trial.close()
            house = site.house()
            problems = [problem for problem in judge(house).wrong if not problem.startswith("not sent")]
            closed(house)
            found["verify and replay find nothing, and nothing is there twice"] = not problems
            wrong += sum(not holds for holds in found.values())
            print(json.dumps({"trial": what, **found, "problems": problems}, indent=1), flush=True)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
