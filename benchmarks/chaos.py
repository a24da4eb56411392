"""Kill server and workers at random under load, again and again, then count: lost, doubled, illegal. `make chaos`.

Clients send commands with idempotency keys until they are answered, and kills; two workers race. After each batch of
kills the ledger is verified, the machine replayed, and every acknowledged command looked for: it must be there once.
Batches are told to `--results` as they end, so that a count that was interrupted goes on where it stopped.
"""

import argparse
import json
import os
import random
import socket
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from http.client import HTTPException
from pathlib import Path
from typing import Any

from judging import judge
from processes import Forge, Running, until
from servers import database, postgres
from sqlalchemy import make_url

from signoff.adapters.database import initialise
from signoff.app.grandfather import Adoption, adopt
from signoff.app.people import enrol
from signoff.app.rollback import order_scope
from signoff.config.settings import settings
from signoff.domain.deployment import State
from signoff.domain.events import Killed, Paused, PauseReason, Resumed
from signoff.domain.permissions import permitted
from signoff.domain.policy import Policy, Role
from signoff.installation import Installation
from signoff.ports.venue import OpenOrder

MODELS = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta")
ROLES = (Role.RISK_MANAGER, Role.CTO, Role.HEAD_OF_TRADING)


class Process:
    """One of our commands, ended at random and started again."""

    def __init__(self, forge: Forge, house: Installation, *command: str, **how: Any) -> None:
        known = house.settings
        self.how = how
        self.forge, self.kills, self.log = forge, 0, known.home / f"{command[0]}.log"
        self.command = (*command, "--home", str(known.home), "--database", known.database)
        self.command += ("--venue", known.venue.name)
        self.running: Running
        self.start()

    def start(self) -> None:
        self.running = self.forge.start(*self.command, log=self.log, **self.how)

    def die(self) -> None:
        self.running.kill()
        self.kills += 1
        self.start()


# A person pauses for any of these; capital is cut for silence by the worker alone.
BY_PEOPLE = tuple(reason for reason in PauseReason if reason is not PauseReason.SILENCE)


class Load:
    """One client of one release: toggles its six pause reasons, and now and then kills the model.

    A request that was cut off keeps its name and is repeated now and then until it is answered; its reason is left
    alone meanwhile, so that every acknowledged command must have left exactly one event.
    """

    def __init__(self, port: int, token: str, model: str, seed: int, over: threading.Event) -> None:
        self.url, self.token, self.model, self.over = f"http://127.0.0.1:{port}/api/v1", token, model, over
        self.random, self.number = random.Random(f"{model}{seed}"), 0
        self.is_paused = dict.fromkeys(BY_PEOPLE, False)
        self.cut_off: dict[PauseReason, tuple[str, str, float]] = {}
        self.acknowledged: list[str] = []
        self.kills: list[str] = []
        self.tries = self.denied = self.ended = 0
        self.refused: list[str] = []
        self.said: Counter[str] = Counter()

    def run(self) -> None:
        while not self.over.is_set():
            free = [reason for reason in BY_PEOPLE if reason not in self.cut_off]
            late = [(r, c) for r, c in self.cut_off.items() if c[2] < time.monotonic()]
            if late:
                reason, (name, verb, _) = self.random.choice(late)
                self.toggle(reason, name, verb)
            elif not free or self.random.random() < 0.2:
                self.kill()
            else:
                self.number += 1
                reason = self.random.choice(free)
                self.toggle(reason, f"{self.model}-{self.number}", "resume" if self.is_paused[reason] else "pause")

    def toggle(self, reason: PauseReason, name: str, verb: str) -> None:
        body = {"reason": reason.value, "note": name}
        status, said = self.ask(f"/deployments/{self.model}-1-adopted/{verb}", body, name)
        self.said[f"{status} {detail(said)}"] += 1
        if status == 200:
            self.acknowledged.append(name)
        elif status == 0 or status >= 500 or b"still being carried out" in said:
            self.cut_off[reason] = (name, verb, time.monotonic() + 2)
            return
        elif b"only a live one" in said:
            self.ended += 1
        elif reason in self.cut_off and b"not paused for" in said:
            self.denied += 1
        else:
            self.refused.append(f"{status} {said[:200]!r}")
        self.is_paused[reason] = verb == "pause"
        self.cut_off.pop(reason, None)

    def kill(self) -> None:
        status, said = self.ask(f"/models/{self.model}/kill", {"reason": "chaos"}, None)
        if status == 200:
            self.kills.append(str(json.loads(said)["kill"]))

    def ask(self, path: str, body: dict[str, str], key: str | None) -> tuple[int, bytes]:
        """Status and answer; 0 when nobody answered."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        self.tries += 1
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        try:
            return answered(request)
        except (OSError, HTTPException):
            time.sleep(0.05)
            return 0, b""


def answered(request: urllib.request.Request) -> tuple[int, bytes]:
    """Status and body of an answer that came whole; a server that dies in the middle has not answered."""
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return 200, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def detail(said: bytes) -> str:
    """What a problem document says to people."""
    try:
        return str(json.loads(said).get("detail", ""))
    except ValueError:
        return said[:80].decode(errors="replace")


def furnish(house: Installation, models: Iterable[str] = MODELS) -> str:
    """People, live versions with open orders, and a token of the head of trading."""
    for role in ROLES:
        key, name = house.key_of(role.value), role.value
        enrol(house.record, name=name, roles=(role,), key_id=key.key_id, public_key=key.public_key, actor="chaos")
    signatories = tuple(house.signatory(role) for role in ROLES[:2])
    for model in models:
        adoption = Adoption(model=model, version="1", policy=Policy(name="p", version="1"), reason="live")
        adopt(house.record, adoption, signatories)
        house.simulated_venue.place(
            (OpenOrder(client_order_id=f"{order_scope(model)}{n}", symbol="X", side="buy", quantity=1) for n in "123"),
            flags_revision=1,
        )
    who = "head_of_trading"
    scopes = permitted(house.record.people().named(who).duties)
    return house.accounts.issue_token(who, scopes=scopes, actor="chaos").secret


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--kills", type=int, default=40)
    asked.add_argument("--batch", type=int, default=100, help="kills in one installation before it is judged")
    asked.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    asked.add_argument("--results", type=Path, help="append each batch here, and count what is there already")
    given = asked.parse_args()
    told = [json.loads(line) for line in given.results.read_text().splitlines()] if _is_file(given.results) else []
    while (done := sum(batch["kills"] for batch in told)) < given.kills:
        with tempfile.TemporaryDirectory() as folder, Forge() as forge, ExitStack() as stack:
            url = None
            if given.database == "postgresql":
                url = least_privileged(stack.enter_context(postgres(Path(folder) / "postgresql")))
            known = settings(home=str(Path(folder) / "home"), database=url, venue="simulated")
            told.append(run(forge, Installation(known), min(given.batch, given.kills - done), seed=len(told)))
        print(json.dumps(told[-1]), flush=True)
        if given.results is not None:
            with given.results.open("a") as file:
                file.write(json.dumps(told[-1]) + "\n")
    total = Counter[str]()
    for batch in told:
        total.update({name: value for name, value in batch.items() if isinstance(value, int)})
    print(json.dumps(total))
    sys.exit(any(batch["wrong"] for batch in told))


def least_privileged(owner: str) -> str:
    """A database of its own on this PostgreSQL, as a server uses it: under a role that can add, and change nothing."""
    url = database(owner, "chaos")
    initialise(url, role="signoff_app")
    return make_url(url).set(username="signoff_app").render_as_string(hide_password=False)


def _is_file(path: Path | None) -> bool:
    return path is not None and path.is_file()


def run(forge: Forge, house: Installation, kills: int, *, seed: int) -> dict[str, object]:
    """One batch: load, random kills, one rollback in the middle, and what was found afterwards."""
    token, port = furnish(house), free_port()
    processes = [Process(forge, house, "serve", "--port", str(port))]
    processes += [Process(forge, house, "worker", "--watch") for _ in range(2)]
    over, chance = threading.Event(), random.Random(seed)
    loads = [Load(port, token, model, seed, over) for model in MODELS]
    threads = [threading.Thread(target=load.run) for load in loads]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    way_back = threading.Thread(target=roll_back, args=(Load(port, token, MODELS[-1], seed, over),))
    while sum(p.kills for p in processes) < kills:
        if chance.random() < 0.8:  # mostly under load, and now and then while it starts
            until(lambda: answers(port), 20)
        time.sleep(chance.uniform(0.0, 1.2))
        chance.choice((processes[0], *processes)).die()
        if not way_back.ident and sum(p.kills for p in processes) > kills / 2:
            way_back.start()
    over.set()
    for thread in (*threads, *([way_back] if way_back.ident else [])):
        thread.join()
    settle(house)
    for process in processes:
        process.running.kill()
    seconds = time.monotonic() - began
    return report(house, loads, processes) | {"seconds": round(seconds)}


def answers(port: int) -> bool:
    """Whether a server is there."""
    try:
        return answered(urllib.request.Request(f"http://127.0.0.1:{port}/healthz"))[0] == 200
    except (OSError, HTTPException):
        return False


def roll_back(client: Load) -> None:
    """Roll one release back while everything dies around it, repeated until it is answered."""
    path, body = f"/deployments/{client.model}-1-adopted/rollback", {"occasion": "error", "reason": "chaos"}
    while not client.over.is_set() and client.ask(path, body, "the way back")[0] != 200:
        time.sleep(0.2)


def settle(house: Installation, seconds: float = 150) -> None:
    """Let the workers finish: leases of the dead run out, what is due is sent."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and (house.store.pending() or house.kills.pending() or _on_the_way(house)):
        time.sleep(0.5)
    time.sleep(1)


def _on_the_way(house: Installation) -> bool:
    return any(d.state is State.ROLLING_BACK for d in house.record.deployments())


def report(house: Installation, loads: list[Load], processes: list[Process]) -> dict[str, object]:
    """What there is to count, and everything that should not be."""
    found = judge(house)
    history = house.record.history()
    noted = Counter(r.event.note for r in history if isinstance(r.event, Paused | Resumed))
    killed = Counter(r.event.kill for r in history if isinstance(r.event, Killed))
    commands = [name for load in loads for name in load.acknowledged]
    ordered = [name for load in loads for name in load.kills]
    lost = [f"command {name}: {noted[name]} events" for name in commands if noted[name] != 1]
    lost += [f"kill {name}: {killed[name]} events" for name in ordered if killed[name] != 1]
    return {
        "kills": sum(p.kills for p in processes),
        "of_server": processes[0].kills,
        "requests": sum(load.tries for load in loads),
        "commands_acknowledged": len(commands),
        "kills_acknowledged": len(ordered),
        "refused_though_done": sum(load.denied for load in loads),
        "events": found.events,
        "lost": len(lost),
        "doubled": len(found.doubled),
        "illegal": len(found.illegal),
        "temporary_files_left": found.left_behind,
        "refused_after_rollback": sum(load.ended for load in loads),
        "wrong": [*lost, *found.wrong, *(r for load in loads for r in load.refused)][:20],
        "rolled_back": [d.state.value for d in house.record.deployments(MODELS[-1])],
    }


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    main()
