"""Two workers over one installation, one of them killed while it holds leases; and desks that stop reading.

A thousand notices fall due while two workers race and one dies now and then: each goes out once. Then a thousand
connections follow the flags, one of them stops reading its socket and another sits behind a line that swallows every
packet: a kill reaches the other 998, and a desk behind the dead line closes by itself within its lease.
"""

import argparse
import json
import resource
import select
import socket
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from chaos import Load, Process, free_port, furnish
from judging import judge, sent
from processes import Forge, until

from signoff.app.notices import Notice, effect
from signoff.config.settings import settings
from signoff.desk.client import FlagClient
from signoff.domain.events import NoticeSent
from signoff.installation import Installation
from signoff.ports.store import Commit

MODELS: Final = ("alpha", "beta")


def racing(forge: Forge, folder: Path, notices: int, database: str | None) -> dict[str, Any]:
    """Notices that fall due in lots, two workers, one of them killed five times with its leases."""
    house = Installation(settings(home=str(folder / "home"), database=database, venue="simulated"))
    furnish(house, MODELS)
    hooks = (("small_world:leases", {"lease_s": 5.0}),)
    workers = [Process(forge, house, "worker", "--watch", hooks=hooks) for _ in range(2)]
    for lot in range(10):
        due = tuple(
            effect(Notice(deployment="alpha-1-adopted", notice=f"{lot}-{n}", channel="email", subject="s", text="t"))
            for n in range(notices // 10)
        )
        key = f"lot-{lot}"
        house.store.commit(Commit(key=key, request=key, at=datetime.now(UTC), actor="t", appends=(), effects=due))
        time.sleep(1.2)
        if lot % 2:
            workers[0].die()
    assert until(lambda: not house.store.pending(), 120), len(house.store.pending())
    for worker in workers:
        worker.running.kill()
    told = sum(isinstance(r.event, NoticeSent) for r in house.record.history())
    return {
        "notices_due": notices,
        "sent": len(sent(house)),
        "sent_twice": len(sent(house)) - len(set(sent(house))),
        "recorded_as_sent": told,
        "workers_killed": workers[0].kills,
        "wrong": list(judge(house).wrong),
    }


@dataclass
class Swallowing:
    """A line to the server that can be made to swallow everything, while both ends believe it to be up."""

    port: int
    is_dead: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.own: int = self.listener.getsockname()[1]
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while True:
            near, _ = self.listener.accept()
            far = socket.create_connection(("127.0.0.1", self.port))
            threading.Thread(target=self._carry, args=(near, far), daemon=True).start()

    def _carry(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError):
            while True:
                ready, _, _ = select.select([near, far], [], [], 0.2)
                for one in () if self.is_dead.is_set() else ready:
                    if not (content := one.recv(65536)):
                        return
                    (far if one is near else near).sendall(content)
                if self.is_dead.is_set():
                    time.sleep(0.2)


class Crowd:
    """Connections that follow the flags and note when each first hears of a kill."""

    def __init__(self, port: int, token: str, many: int) -> None:
        asked = "GET /api/v1/stream?nonce=n&model=beta HTTP/1.1"
        request = f"{asked}\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        self.sockets, self.heard = list[socket.socket](), dict[int, float]()
        for _ in range(many):
            made = socket.create_connection(("127.0.0.1", port))
            made.sendall(request)
            self.sockets.append(made)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self) -> None:
        poll, by_number = select.epoll(), {s.fileno(): s for s in self.sockets}
        for number in by_number:
            poll.register(number, select.EPOLLIN)
        while len(self.heard) < len(self.sockets):
            for number, _ in poll.poll(1):
                try:
                    content = by_number[number].recv(65536)
                except OSError:
                    content = b""
                if not content:
                    poll.unregister(number)
                elif b'\\"state\\":\\"killed\\"' in content:
                    self.heard.setdefault(number, time.monotonic())


def half_open(forge: Forge, folder: Path, many: int) -> dict[str, Any]:
    """A kill among desks that read, one that does not, and one that nothing reaches."""
    house = Installation(settings(home=str(folder / "home"), venue="simulated"))
    token, port = furnish(house, MODELS), free_port()
    server = Process(forge, house, "serve", "--port", str(port))
    client = Load(port, token, "beta", 1, threading.Event())
    assert until(lambda: client.ask("/models/zeta/kill", {"reason": "is it up"}, None)[0] == 200, 30)
    stuck = socket.socket()
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    stuck.connect(("127.0.0.1", port))
    stuck.sendall(f"GET /api/v1/stream HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    line = Swallowing(port)
    key = house.ledger_key
    desk = FlagClient(
        [f"http://127.0.0.1:{line.own}"], token=token, keys={key.key_id: key.public_key}, models=["alpha"]
    ).start()
    crowd = Crowd(port, token, many - 2)
    assert desk.wait_for("alpha").enabled
    time.sleep(3)
    for number in range(100):  # for the one that follows every model, and reads none of it
        client.ask(f"/models/noise-{number % 40}/kill", {"reason": "noise"}, None)
    quiet = _until_heard(client, crowd)
    line.is_dead.set()
    began = time.monotonic()
    assert until(lambda: not desk.flags("alpha").enabled, 20, every=0.01)
    closed_s = time.monotonic() - began
    desk.stop()
    server.running.kill()
    return {
        "connections": many,
        "heard_of_the_kill": len(crowd.heard),
        "last_ms": round(1000 * quiet),
        "desk_behind_the_dead_line_closed_after_s": round(closed_s, 1),
        "wrong": [] if len(crowd.heard) == many - 2 and closed_s <= 10.5 else ["a desk did not hear, or stayed open"],
    }


def _until_heard(client: Load, crowd: Crowd) -> float:
    """Seconds from a kill to the last of those who read."""
    crowd.heard.clear()
    time.sleep(0.5)
    crowd.heard.clear()
    began = time.monotonic()
    client.ask("/models/beta/kill", {"reason": "now"}, None)
    until(lambda: len(crowd.heard) == len(crowd.sockets), 20)
    return max(crowd.heard.values(), default=began + 99) - began


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--notices", type=int, default=1000)
    asked.add_argument("--connections", type=int, default=1000)
    asked.add_argument("--database", help="of the race; default: SQLite")
    asked.add_argument("--trial", choices=("racing", "half open"))
    given = asked.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    wrong: list[object] = []
    for what in ("racing", "half open") if given.trial is None else (given.trial,):
        with tempfile.TemporaryDirectory() as folder, Forge() as forge:
            if what == "racing":
                found = racing(forge, Path(folder), given.notices, given.database)
            else:
                found = half_open(forge, Path(folder), given.connections)
        print(json.dumps({"trial": what} | found, indent=1), flush=True)
        wrong += found["wrong"]
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
