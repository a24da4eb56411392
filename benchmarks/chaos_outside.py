"""Everything outside hangs: registry, pager, messenger, venue and database, and the "immediate" five minutes hold.

A real server and two workers. First registry, pager and messenger take every connection and never answer: a rollback
must be fenced, cancelled and flat within seconds, then stuck at the registry, and every kill on record meanwhile. Then
the venue's book is locked by somebody else, and the database too (SQLite's file is locked for good, PostgreSQL's
processes are stopped): a kill must close the desk at once and be answered. What hung is let go in the end: fence,
cancel and record must follow by themselves. Prints the times; ends with 1 when a limit does not hold.
"""

import argparse
import fcntl
import json
import os
import signal
import socket
import sqlite3
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

from chaos import Load, Process, answered, free_port, furnish, least_privileged
from processes import Forge, tail, until
from servers import postgres
from standing import way_to

from signoff.app.record import StreamChange, deployment_stream
from signoff.app.rollback import order_scope
from signoff.config.settings import settings
from signoff.desk.client import FlagClient
from signoff.domain import events as e
from signoff.domain.deployment import State
from signoff.installation import Installation
from signoff.ports.venue import OpenOrder

LEAVING, LATER = "leaving-2", "later-2"
VICTIMS: Final = ("alpha", "beta", "gamma")
IMMEDIATE_S: Final = 300.0
# What must hold, in seconds; the five minutes of the policy are the last line and not the aim.
LIMITS: Final = {
    "fence": 5.0,
    "cancel": 5.0,
    "flat": 10.0,
    "stuck": 120.0,
    "kill recorded meanwhile": 10.0,
    "kill at the desk": 2.0,
    "kill answered": 30.0,
    "fenced after the venue is back": 30.0,
    "kill recorded after the database is back": 60.0,
}


class BlackHole:
    """Takes every connection, reads what comes, and never answers."""

    def __init__(self) -> None:
        self.asked = 0
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._kept: list[socket.socket] = []
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            line, _ = self._listener.accept()
            self.asked += 1
            self._kept.append(line)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--database", choices=("sqlite", "postgresql"), default="sqlite")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder, Forge() as forge, ExitStack() as stack:
        url, server = None, None
        if given.database == "postgresql":
            server = Path(folder) / "postgresql"
            url = least_privileged(stack.enter_context(postgres(server)))
        trial = Trial(forge, Path(folder) / "home", url, server)
        found = trial.run()
    found["wrong"] = [
        f"{name}: {found[name]} s, limit {limit:g} s" for name, limit in LIMITS.items() if found[name] > limit
    ]
    found["wrong"] += trial.wrong
    print(json.dumps(found, indent=1))
    sys.exit(bool(found["wrong"]))


class Trial:
    """One installation, and everything outside of it."""

    def __init__(self, forge: Forge, home: Path, database: str | None, server: Path | None) -> None:
        self.registry, self.pager, self.messenger = BlackHole(), BlackHole(), BlackHole()
        self.house, self.server = Installation(settings(home=str(home), database=database, venue="simulated")), server
        self.token, self.port = furnish(self.house, VICTIMS), free_port()
        for identity in (LEAVING, LATER):
            self.released(identity)
        key = home / "pager.key"
        key.write_text("k" * 32)
        outside = {
            "SIGNOFF_PAGER_KEY_FILE": str(key),
            "SIGNOFF_REGISTRY": self.registry.url,
            "SIGNOFF_PAGER_URL": self.pager.url,
            "SIGNOFF_PAGER_ALLOW": "127.0.0.1",
            "SIGNOFF_WEBHOOK_URL": self.messenger.url,
            "SIGNOFF_WEBHOOK_ALLOW": "127.0.0.1",
        }
        self.processes = [Process(forge, self.house, "serve", "--port", str(self.port), environment=outside)]
        self.processes += [Process(forge, self.house, "worker", "--watch", environment=outside) for _ in range(2)]
        self.wrong: list[str] = []

    def run(self) -> dict[str, Any]:
        desk = self.desk()
        found = self.rolled_back() | self.killed_meanwhile()
        places = {"registry": self.registry, "pager": self.pager, "messenger": self.messenger}
        until(lambda: all(place.asked for place in places.values()), 60)
        self.wrong += [f"the {name} was never asked" for name, place in places.items() if not place.asked]
        found |= self.everything_hangs(desk)
        desk.stop()
        for process in self.processes:
            if not process.running.is_running:
                self.wrong.append(f"a process died: {tail(process.log)}")
            process.running.kill()
        return {name: round(value, 2) for name, value in found.items()}

    def released(self, identity: str) -> None:
        """A live release of its own, with orders and a version before it that only the registry knows."""
        model = identity.partition("-")[0]
        events = tuple(
            replace(event, deployment=identity, model=model, previous_deployment=None)
            if isinstance(event, e.Opened)
            else event
            for event in way_to(State.LIMITED)
        )
        change = StreamChange(stream=deployment_stream(identity), state=None, events=events)
        self.house.record.commit(change, actor="chaos", key=f"put {identity}")
        self.order(model)

    def order(self, model: str) -> None:
        orders = (
            OpenOrder(client_order_id=f"{order_scope(model)}{n}", symbol="X", side="buy", quantity=1) for n in "123"
        )
        self.house.simulated_venue.place(orders, flags_revision=self.house.record.flags(model).revision)

    def rolled_back(self) -> dict[str, float]:
        """A rollback while registry, pager and messenger hang."""
        threading.Thread(target=self.leave, args=(LEAVING,), daemon=True).start()
        assert until(lambda: self.state(LEAVING) is State.ROLLBACK_STUCK, IMMEDIATE_S), self.told()
        rollback = self.house.record.deployment(LEAVING).rollback
        assert rollback is not None
        assert rollback.stuck_since is not None
        took = {step.value: (at - rollback.started_at).total_seconds() for step, at in rollback.done}
        if self.house.broker.open_orders(order_scope("leaving")):
            self.wrong.append("orders are open after the cancel")
        return {
            "fence": took["fence"],
            "cancel": took["cancel"],
            "flat": took["verify_flat"],
            "stuck": (rollback.stuck_since - rollback.started_at).total_seconds(),
        }

    def killed_meanwhile(self) -> dict[str, float]:
        """A kill while a second rollback waits for the registry, and the workers for pager and messenger."""
        threading.Thread(target=self.leave, args=(LATER,), daemon=True).start()
        began = time.monotonic()
        assert self.kill(VICTIMS[0])[0] == 200
        assert until(lambda: self.is_recorded(VICTIMS[0]), IMMEDIATE_S), self.told()
        return {"kill recorded meanwhile": time.monotonic() - began}

    def everything_hangs(self, desk: FlagClient) -> dict[str, float]:
        """A kill while venue and database hang as well, and what follows once they are back."""
        victim = VICTIMS[1]
        assert desk.flags(victim).enabled
        with self.venue_hangs() as free_venue, self.database_hangs() as free_database:
            began, answers = time.monotonic(), list[tuple[int, bytes]]()
            killing = threading.Thread(target=lambda: answers.append(self.kill(victim)))
            killing.start()
            assert until(lambda: desk.flags(victim).state == "killed", IMMEDIATE_S, every=0.002), self.told()
            at_desk = time.monotonic() - began
            killing.join(IMMEDIATE_S)
            answered_after = time.monotonic() - began
            if not answers or answers[0][0] != 200:
                self.wrong.append(f"the kill was answered {answers}")
            free_venue()
            back = time.monotonic()
            assert until(lambda: not self.house.broker.open_orders(order_scope(victim)), IMMEDIATE_S), self.told()
            fenced = time.monotonic() - back
            free_database()
            back = time.monotonic()
            assert until(lambda: self.is_recorded(victim), IMMEDIATE_S), self.told()
            recorded = time.monotonic() - back
        return {
            "kill at the desk": at_desk,
            "kill answered": answered_after,
            "fenced after the venue is back": fenced,
            "kill recorded after the database is back": recorded,
        }

    @contextmanager
    def venue_hangs(self) -> Iterator[Callable[[], None]]:
        """The broker's book, locked by somebody who does not let go."""
        with (self.house.settings.home / "simulated_broker.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file.close

    @contextmanager
    def database_hangs(self) -> Iterator[Callable[[], None]]:
        """SQLite's file locked by somebody who does not let go; every process of PostgreSQL stopped."""
        if self.server is None:
            locked = sqlite3.connect(self.house.settings.home / "signoff.db", isolation_level=None)
            locked.execute("BEGIN IMMEDIATE")
            try:
                yield locked.close
            finally:
                locked.close()
            return
        first = int(next(self.server.rglob("postmaster.pid")).read_text().splitlines()[0])
        family = (first, *children(first))

        def free() -> None:
            for pid in family:
                with suppress(ProcessLookupError):  # one that was given up meanwhile has ended
                    os.kill(pid, signal.SIGCONT)

        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield free
        finally:
            free()

    def leave(self, identity: str) -> None:
        self.ask(f"/deployments/{identity}/rollback", {"occasion": "error", "reason": "chaos"})

    def kill(self, model: str) -> tuple[int, bytes]:
        return self.ask(f"/models/{model}/kill", {"reason": "chaos"})

    def ask(self, path: str, body: dict[str, str]) -> tuple[int, bytes]:
        return Load(self.port, self.token, "", 1, threading.Event()).ask(path, body, None)

    def state(self, identity: str) -> State:
        return self.house.record.deployment(identity).state

    def is_recorded(self, model: str) -> bool:
        latch = self.house.record.latch(model)
        return latch is not None and latch.is_latched

    def desk(self) -> FlagClient:
        """A trading process, connected once the server answers."""
        assert until(self._is_up, 60), self.told()
        key = self.house.ledger_key
        desk = FlagClient(
            [f"http://127.0.0.1:{self.port}"], token=self.token, keys={key.key_id: key.public_key}, models=list(VICTIMS)
        ).start()
        assert desk.wait_for(VICTIMS[1]).enabled
        return desk

    def _is_up(self) -> bool:
        try:
            return answered(urllib.request.Request(f"http://127.0.0.1:{self.port}/readyz"))[0] == 200
        except OSError:
            return False

    def told(self) -> str:
        """The ends of the logs, for people."""
        return "\n".join(tail(process.log, 25) for process in self.processes)


def children(pid: int) -> tuple[int, ...]:
    """The processes that a process has started."""
    return tuple(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


if __name__ == "__main__":
    main()
