"""Kill server, worker or command at every boundary in turn, start again, repeat the request: is the end the same?

For each act of a release's life: an installation is copied, the process is armed to die at its n-th boundary
(`boundaries.py` says what counts), the request is sent, the dead process is started again unarmed, and the request is
repeated under the same idempotency key until it is answered. A worker then finishes what is due. It must end as a run
that nobody killed: states, flags, number of events of each kind, notices, orders, registry; and `verify`, the replay
and the count of every act must find nothing. n grows until a run passes without reaching it.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import boundaries
import httpx
import small_world
from judging import judge, sent
from processes import Forge, until
from small_world import MODEL, POLICY, ROLES, UNDERTAKINGS, session_of

from signoff.adapters.kill_journal import KillFolders
from signoff.adapters.signing_keys import KeyFile
from signoff.adapters.store_memory import MemoryStore
from signoff.app.grandfather import Adoption, adopt
from signoff.app.people import enrol
from signoff.app.rollback import order_scope
from signoff.app.rollback_drill import RehearsalSandbox, rehearse
from signoff.config.settings import settings
from signoff.domain.events import RollbackCause, Vote
from signoff.domain.permissions import permitted
from signoff.http import sessions
from signoff.installation import Installation, staged_orders
from signoff.ports.calendar import LONGEST_BREAK
from signoff.ports.venue import OpenOrder

PERSON: Final = {role: role.value for role in ROLES}
WORLD: Final = "small_world:install"
LEASE_OVER: Final = {"lease_s": 0}
Body = dict[str, Any]


@dataclass
class Site:
    """One installation in a folder of its own, with its registry beside it."""

    root: Path

    @property
    def home(self) -> Path:
        return self.root / "home"

    def house(self) -> Installation:
        return Installation(settings(home=str(self.home), actor="chaos", venue="simulated"))

    def copy(self, root: Path) -> "Site":
        return Site(Path(shutil.copytree(self.root, root)))

    def identity(self) -> str:
        """The release that all of this is about."""
        house = self.house()
        found = [d.id for d in house.record.deployments(MODEL) if not d.was_adopted]
        closed(house)
        return found[0]


def closed(house: Installation) -> None:
    """Let go of the database, so that its files can be copied."""
    house.store.database.engine.dispose()  # type: ignore[attr-defined]


@dataclass
class Act:
    """One thing that somebody asks for, on an installation made ready for it.

    `ask` gives path and body of a request; without it the act is a command of its own, such as a pass of the worker.
    """

    name: str
    ready: str
    ask: Callable[[Site], tuple[str, Body, str]] | None = None
    command: tuple[str, ...] = ()
    world: dict[str, Any] = field(default_factory=dict)
    may_repeat: frozenset[str] = frozenset()


# Installations, each made from the one before.


def opened(root: Path) -> Site:
    """People, a live version with orders, a rehearsal."""
    site = Site(root)
    site.root.mkdir()
    house = site.house()
    for role, name in PERSON.items():
        key = house.key_of(name)
        enrol(house.record, name=name, roles=(role,), key_id=key.key_id, public_key=key.public_key, actor="t")
    signatories = tuple(house.signatory(role) for role in ROLES)
    house.policies.confirm(house.policies.propose(POLICY, signatories[0]).id, signatories[1])
    adopt(house.record, Adoption(model=MODEL, version="1.1.0", policy=POLICY, reason="live"), signatories)
    stage = RehearsalSandbox(
        store=MemoryStore,
        orders=staged_orders,
        journal=KillFolders(()),
        registry=house.registry,
    )
    rehearse(house.record, stage, model=MODEL, policy=POLICY, undertakings=UNDERTAKINGS, actor="t")
    assert house.registry is not None
    house.registry.point(MODEL, "champion", "1.1.0")
    scope = order_scope(MODEL)
    orders = (OpenOrder(client_order_id=f"{scope}{n}", symbol="A", side="buy", quantity=1.0) for n in range(3))
    house.simulated_venue.place(orders, flags_revision=1)
    (site.root / "dossier").mkdir()
    closed(house)
    return site


def on(site: Site, do: Callable[[Installation, str], object]) -> Site:
    """The same installation after something was done in it, everything due carried out."""
    identity = site.identity()
    house = site.house()
    do(house, identity)
    closed(house)
    return site


def submitted(site: Site) -> Site:
    house = site.house()
    house.approvals.submit(site.root / "dossier", small_world.release(), actor="Quinn")
    closed(house)
    return site


def signed(*roles: Any) -> Callable[[Installation, str], object]:
    return lambda house, identity: [house.approvals.approve(identity, house.signatory(role)) for role in roles]


def observed(house: Installation, identity: str) -> None:
    house.watch(MODEL).observe(identity, next_day(house, identity), actor="t")


def next_day(house: Installation, identity: str) -> date:
    """The first session that was not observed yet; that of the day of the start was over by then in the small world."""
    state = house.record.deployment(identity)
    before = state.last_session or state.live_since
    assert before is not None
    following = before + timedelta(days=1)
    return house.watch(MODEL).days(state).between(following, following + LONGEST_BREAK)[0]


def killed(house: Installation, _identity: str) -> None:
    house.kill_switch.kill(MODEL, reason="smoke", actor="t")


def one_armed(house: Installation, _identity: str) -> None:
    house.kill_switch.rearm(MODEL, house.signatory(ROLES[0]), reason="fixed")


def kill_unsettled(house: Installation, _identity: str) -> None:
    house.kill_switch.begin(MODEL, reason="smoke", actor="t")


def begun(house: Installation, identity: str) -> None:
    house.rollback.start(identity, RollbackCause.ERROR, "error_rate", "chaos", actor="t")


def made_ready(folder: Path, last: str | None = None) -> dict[str, Site]:
    """Every installation that an act begins with, or as many as lead to one."""
    steps: list[tuple[str, str, Callable[[Site], Site]]] = [
        ("awaiting", "opened", submitted),
        ("one signature left", "awaiting", lambda s: on(s, signed(*ROLES[:2]))),
        ("approved", "one signature left", lambda s: on(s, signed(ROLES[2]))),
        ("shadow", "approved", lambda s: on(s, lambda h, i: h.rollout.start(i, actor="t"))),
        ("shadow done", "shadow", lambda s: on(s, observed)),
        ("limited", "shadow done", lambda s: on(s, lambda h, i: h.rollout.advance(i, actor="t"))),
        ("limited done", "limited", lambda s: on(s, observed)),
        ("full", "limited done", lambda s: on(s, lambda h, i: h.rollout.advance(i, actor="t"))),
        ("paused", "limited", lambda s: on(s, lambda h, i: h.rollout.pause(i, "manual", "x", actor="t"))),
        ("killed", "full", lambda s: on(s, killed)),
        ("one armed", "killed", lambda s: on(s, one_armed)),
        ("kill unsettled", "full", lambda s: on(s, kill_unsettled)),
        ("rollback begun", "full", lambda s: on(s, begun)),
    ]
    found = {"opened": opened(folder / "opened")}
    for name, before, step in steps:
        if last in found:
            break
        found[name] = step(found[before].copy(folder / name.replace(" ", "-")))
    return found


# What is asked for.


def command(verb: str, **body: Any) -> Callable[[Site], tuple[str, Body, str]]:
    return lambda site: (f"/deployments/{site.identity()}/{verb}", dict(body), token(site, "head_of_trading"))


def approval(role: Any) -> Callable[[Site], tuple[str, Body, str]]:
    def ask(site: Site) -> tuple[str, Body, str]:
        house, identity = site.house(), site.identity()
        said = house.approvals.statement(identity, person=PERSON[role], role=role, verdict=Vote.APPROVE)
        body = {"role": role.value, "envelope": envelope(house, role, said)}
        closed(house)
        return f"/deployments/{identity}/approvals", body, token(site, PERSON[role])

    return ask


def rearming(site: Site) -> tuple[str, Body, str]:
    role, house = ROLES[2], site.house()
    said = house.kill_switch.statement(MODEL, person=PERSON[role], role=role, reason="fixed")
    number = session_of(house, PERSON[role])
    body = {"role": role.value, "reason": "fixed", "envelope": envelope(house, role, said)}
    closed(house)
    return f"/models/{MODEL}/rearm", body, f"{sessions.PREFIX}{number}"


def observation(site: Site) -> tuple[str, Body, str]:
    identity, house = site.identity(), site.house()
    day = next_day(house, identity).isoformat()
    closed(house)
    return f"/deployments/{identity}/observations", {"session": day}, token(site, "desk-1", is_machine=True)


def killing(site: Site) -> tuple[str, Body, str]:
    return f"/models/{MODEL}/kill", {"reason": "smoke"}, token(site, "risk_manager")


def envelope(house: Installation, role: Any, said: bytes) -> str:
    return KeyFile.load(house.key_path(PERSON[role])).sign_statement(said)


def token(site: Site, holder: str, *, is_machine: bool = False) -> str:
    house = site.house()
    from signoff.domain.permissions import MATRIX, PERSONAL, AccessRole

    duties = frozenset[Any]() if is_machine else house.record.people().named(holder).duties
    scopes = MATRIX[AccessRole.MACHINE] - PERSONAL if is_machine else permitted(duties)
    issued = house.accounts.issue_token(holder, scopes=scopes, actor="t", is_machine=is_machine)
    closed(house)
    return issued.secret


HOURS_LATER: Final = {"ahead_s": 3 * 3600.0}
DAYS_LATER: Final = {"ahead_s": 2 * 86_400.0}
ACTS: Final = (
    Act("approve, not the last", "awaiting", ask=approval(ROLES[0])),
    Act("approve, the last", "one signature left", ask=approval(ROLES[2])),
    Act("start", "approved", ask=command("start")),
    Act("advance to limited", "shadow done", ask=command("advance")),
    Act("advance to full, superseding", "limited done", ask=command("advance")),
    Act("pause", "limited", ask=command("pause", reason="manual", note="n")),
    Act("resume", "paused", ask=command("resume", reason="manual", note="n")),
    Act("observe, all well", "limited", ask=observation),
    Act("observe, a trigger rolls back", "full", ask=observation, world={"shown": "bad"}),
    Act("roll back", "full", ask=command("rollback", occasion="error", reason="chaos")),
    Act("kill", "full", ask=killing, may_repeat=frozenset({"killed"})),
    Act("re-arm, the second person", "one armed", ask=rearming),
    Act("submit, in its own process", "opened", command=("submit", "{root}/dossier", "--json", "--as", "Quinn")),
    Act("worker: notices", "approved", command=("worker",)),
    Act("worker: a kill to record", "kill unsettled", command=("worker",)),
    Act("worker: a rollback to finish", "rollback begun", command=("worker",)),
    Act("worker: deadlines missed", "rollback begun", command=("worker",), world=HOURS_LATER),
    Act("worker: observe and advance", "limited", command=("worker", "--observe", "--advance"), world=DAYS_LATER),
)


# One run of an act, killed at one boundary or at none.


@dataclass
class Run:
    """The processes over one installation."""

    forge: Forge
    site: Site
    act: Act

    def __post_init__(self) -> None:
        self.log, self.trace = self.site.root / "log", self.site.root / "trace"
        self.where = ("--home", str(self.site.home), "--venue", "simulated")

    def carried_out(self, at: int) -> tuple[bool, list[str]]:
        """Whether the process died at its boundary, and what the request was answered in the end."""
        armed: Body = {"trace": str(self.trace), "within": str(self.site.root), "at": at}
        hooks = ((WORLD, self.act.world | LEASE_OVER), ("boundaries:install", armed))
        said = self._asked(hooks) if self.act.ask else self._commanded(hooks)
        reached = boundaries.passed(self.trace)
        self._worked()
        return 0 < at <= len(reached), said

    def _commanded(self, hooks: Any) -> list[str]:
        line = tuple(part.format(root=self.site.root) for part in self.act.command)
        said = [str(self.forge.run(*line, *self.where, log=self.log, hooks=hooks))]
        if said == ["-9"]:
            said.append(str(self.forge.run(*line, *self.where, log=self.log, hooks=hooks[:1])))
        return said

    def _asked(self, hooks: Any) -> list[str]:
        assert self.act.ask is not None
        path, body, bearer = self.act.ask(self.site)
        headers = {"authorization": f"Bearer {bearer}", "idempotency-key": uuid.uuid4().hex}
        said: list[str] = []
        for tries in range(4):
            server, url = self._served(hooks if tries == 0 else hooks[:1])
            try:
                for _ in range(100):
                    answer = httpx.post(f"{url}/api/v1{path}", json=body, headers=headers, timeout=30)
                    if b"still being carried out" not in answer.content:
                        break
                    time.sleep(0.05)
                said.append(f"{answer.status_code} {'' if answer.is_success else answer.text}")
                if server.is_running:  # it may have died after it answered
                    return said
            except httpx.TransportError:
                said.append("died")
            finally:
                server.kill()
        return said

    def _served(self, hooks: Any) -> tuple[Any, str]:
        from chaos import free_port

        for _ in range(3):  # it may be armed to die while it starts
            port = free_port()
            server = self.forge.start("serve", "--port", str(port), *self.where, log=self.log, hooks=hooks)
            url = f"http://127.0.0.1:{port}"
            if until(lambda: not server.is_running or _answers(url), 30) and server.is_running:  # noqa: B023 - used at once
                return server, url
            hooks = hooks[:1]
        raise AssertionError(self.log.read_text())

    def _worked(self) -> None:
        """A pass of the worker that nobody kills, and a second that finds nothing left."""
        for _ in range(2):
            hooks = ((WORLD, self.act.world | LEASE_OVER),)
            line = ("worker", *(part for part in self.act.command if part.startswith("--observe")))
            status = self.forge.run(*line, *self.where, log=self.log, hooks=hooks)
            assert status == 0, self.log.read_text()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def outcome(site: Site, act: Act) -> Body:
    """The end of a run, without what differs between any two: times, keys, the numbers of kills."""
    house = site.house()
    kinds = Counter(f"{r.stream}: {r.event.kind}" for r in house.record.history())
    registry: Any = house.registry
    told = house.record.flags(MODEL)
    repeated = any(kind in name for name in kinds for kind in act.may_repeat)
    found = {
        "events": {name: 1 if name.rpartition(" ")[2] in act.may_repeat else n for name, n in sorted(kinds.items())},
        "states": [
            (d.id, d.state.value, d.allocation_pct, sorted(d.pause_reasons), sorted(e for e, _ in d.editions))
            for d in house.record.deployments()
        ],
        "flags": (told.state, [asdict(share) for share in told.versions], told.version),
        "revision": None if repeated else told.revision,
        "sent": sorted(name for name in sent(house) if not name.startswith(":")),  # a kill's id is new each time
        "orders": len(house.broker.open_orders(order_scope(MODEL))),
        "fence": None if repeated else fences(site),
        "registry": (registry.aliases(), registry.attached()),
        "folders": sorted(p.name for p in house.settings.releases.glob("*/*") if not p.name.startswith(".")),
    }
    closed(house)
    return json.loads(json.dumps(found))


def fences(site: Site) -> Body:
    """What the broker refuses."""
    return dict(json.loads((site.home / "simulated_broker.json").read_bytes())["fences"])


@dataclass
class Found:
    """One act, killed at each of its boundaries."""

    act: str
    boundaries: int = 0
    wrong: list[str] = field(default_factory=list)
    told_done: int = 0
    told_refused: Counter[str] = field(default_factory=Counter)
    left: int = 0
    names: list[str] = field(default_factory=list)


def killed_everywhere(forge: Forge, act: Act, ready: dict[str, Site], folder: Path, only: range | None) -> Found:
    """Enumerate the boundaries of one act."""
    found = Found(act.name)
    whole = ready[act.ready].copy(folder / "whole")
    Run(forge, whole, act).carried_out(0)
    expected, found.names = outcome(whole, act), boundaries.passed(whole.root / "trace")
    for at in _numbers(only):
        site = ready[act.ready].copy(folder / str(at))
        was_killed, said = Run(forge, site, act).carried_out(at)
        if not was_killed:
            break
        found.boundaries += 1
        found.wrong += [f"{act.name}, boundary {at}: {problem}" for problem in _compared(site, act, expected)]
        if said[-1][:3] in {"200", "0"} or said[-1].startswith("0"):
            found.told_done += 1
        else:
            found.told_refused[said[-1][-160:]] += 1
        house = site.house()
        found.left += judge(house).left_behind
        closed(house)
        shutil.rmtree(site.root)
    return found


def _numbers(only: range | None) -> Iterator[int]:
    if only is not None:
        yield from only
        return
    at = 0
    while True:
        yield (at := at + 1)


def _compared(site: Site, act: Act, expected: Body) -> list[str]:
    house = site.house()
    wrong = list(judge(house).wrong)
    closed(house)
    ended = outcome(site, act)
    return wrong + [
        f"{name}: {ended[name]} instead of {expected[name]}" for name in expected if ended[name] != expected[name]
    ]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--act", help="only acts whose name contains this")
    asked.add_argument("--list", action="store_true", help="show the boundaries of each act")
    given = asked.parse_args()
    small_world.install()
    total, wrong, began = 0, list[str](), time.monotonic()
    with tempfile.TemporaryDirectory() as name, Forge() as forge:
        folder = Path(name)
        ready = made_ready(folder)
        for number, act in enumerate(ACTS):
            if given.act and given.act not in act.name:
                continue
            (folder / f"act-{number}").mkdir()
            found = killed_everywhere(forge, act, ready, folder / f"act-{number}", range(0) if given.list else None)
            refused = sum(found.told_refused.values())
            print(
                f"{act.name:34} {found.boundaries or len(found.names):4} boundaries, {len(found.wrong)} wrong, "
                f"the repeat was told done {found.told_done}, otherwise {refused}, files left {found.left}",
                flush=True,
            )
            for line in (*(found.names if given.list else ()), *found.wrong[:6], *map(str, found.told_refused.items())):
                print(f"    {line}", flush=True)
            total, wrong = total + found.boundaries, wrong + found.wrong
    seconds = time.monotonic() - began
    print(f"{total} kills at {total} boundaries of {len(ACTS)} acts in {seconds:.0f} s, {len(wrong)} wrong")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
