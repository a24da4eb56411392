"""How long until a kill is known to a thousand desks: with a database that answers or not, and with the server dead.

Clients live in a process of their own and read raw sockets; both processes read the same monotonic clock. The peer is
the usual way, in the same run: a notice without state, after which every client fetches the flags again. It ends with 1
and a sentence for each limit that did not hold.
"""

import argparse
import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests" / "support"))

PORT = 8497
MODEL = "momentum"
# What is promised, in milliseconds and for the desk's lease in seconds.
P99_MS, MOST_MS, REFETCH_P99_MS, AWAY_MS, LEASE_S = 250, 1000, 2000, 1000, 10.5
PAUSE_S = 6
Broken = Callable[[], AbstractContextManager[None]]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--clients", type=int, default=1000)
    asked.add_argument("--kills", type=int, default=5)
    asked.add_argument("--as-clients", nargs=4, metavar=("PATH", "TOKEN", "COUNT", "SECONDS"))
    given = asked.parse_args()
    if given.as_clients:
        path, token, count, seconds = given.as_clients
        asyncio.run(listen(path, token, int(count), float(seconds)))
        return
    with tempfile.TemporaryDirectory() as folder:
        missed = [*on_sqlite(Path(folder), given.clients, given.kills), *on_postgres(Path(folder), given.clients)]
    for sentence in missed:
        print(f"NOT HELD: {sentence}")
    sys.exit(bool(missed))


def on_sqlite(folder: Path, clients: int, kills: int) -> list[str]:
    """The streams side by side, the database locked, and the server dead; the limits that did not hold."""
    home = folder / "home"
    token, server = installed(home), serve(home)
    desk = "/api/v1/stream?nonce=1"
    try:
        state = told("state inside the signed event", round_of(token, clients, kills, desk))
        locked = told("the same, SQLite locked", round_of(token, clients, 1, desk, partial(exclusive, home)))
        refetch = told("OFREP notice, then fetch again", round_of(token, clients, kills, "/ofrep/v1/events"))
        print(f"  ratio at p99: {quantile(refetch, 0.99) / quantile(state, 0.99):.1f}x quicker than notice and fetch")
        lease = died(home, token, server)
    finally:
        server.kill()
        server.wait()
    return [
        *over(quantile(state, 0.99), P99_MS, "ms until 99 of 100 desks knew of a kill"),
        *over(max(state), MOST_MS, "ms until the last desk knew of a kill"),
        *over(quantile(refetch, 0.99), REFETCH_P99_MS, "ms until 99 of 100 clients of OFREP had fetched it"),
        *over(max(locked), AWAY_MS, "ms until the last desk knew of a kill while SQLite was locked"),
        *over(lease, LEASE_S, "s after its server was killed until a desk closed itself"),
    ]


def on_postgres(folder: Path, clients: int) -> list[str]:
    """The same stream over a PostgreSQL that can only be read, then over one that is stopped."""
    import postgres

    from signoff.adapters.database import initialise

    url, home, missed = postgres.fresh_database(), folder / "on-postgres", list[str]()
    initialise(url, role="signoff_app")
    url = postgres.as_role(url, "signoff_app")
    token, server = installed(home, url), serve(home, url)
    try:
        for what, broken in (("read-only", postgres.read_only), ("stopped", stopped)):
            taken = told(f"the same, PostgreSQL {what}", round_of(token, clients, 1, "/api/v1/stream?nonce=1", broken))
            missed += over(max(taken), AWAY_MS, f"ms until the last desk knew of a kill while PostgreSQL was {what}")
    finally:
        server.kill()
        server.wait()
    return missed


@contextmanager
def stopped() -> Iterator[None]:
    """PostgreSQL stopped, as by a power cut, until the block ends."""
    import postgres

    postgres.control("stop")
    try:
        yield
    finally:
        postgres.control("start")


def installed(home: Path, url: str | None = None) -> str:
    """A home with a champion; the token of somebody who may kill it."""
    run = partial(signoff, home=home, url=url)
    run("people", "add", "R. Moreau", "--role", "risk_manager", "--make-key")
    run("people", "add", "C. Yamada", "--role", "cto", "--make-key")
    run("grandfather", MODEL, "1.1.0", "--role", "risk_manager", "--role", "cto", "--reason", "live")
    return run("token", "issue", "R. Moreau")["token"]


def over(found: float, limit: float, what: str) -> list[str]:
    """A sentence when a limit did not hold."""
    return [f"expected at most {limit:g}, found {found:.1f} {what}."] if found > limit else []


def round_of(token: str, clients: int, kills: int, path: str, broken: Broken = nullcontext) -> list[float]:
    """Milliseconds from the order to each client's knowledge, over all kills."""
    listening = subprocess.Popen(
        [sys.executable, __file__, "--as-clients", path, token, str(clients), str(10 + (PAUSE_S + 4) * kills)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert listening.stdout is not None
    assert listening.stdout.readline().strip() == "ready"
    began = []
    for number in range(kills):
        with broken():
            began.append(time.monotonic())
            kill(token, f"bench {number}")
            time.sleep(PAUSE_S)
    heard = json.loads(listening.communicate()[0])
    taken = []
    for number, start in enumerate(began):
        end = began[number + 1] if number + 1 < len(began) else float("inf")
        first = [next((t for t in times if start <= t < end), None) for times in heard]
        missing = first.count(None)
        assert missing == 0, f"{missing} clients never heard of kill {number}"
        taken += [1000 * (t - start) for t in first if t is not None]
    return taken


async def listen(path: str, token: str, count: int, seconds: float) -> None:
    """Open the streams and note when each hears of a kill; for OFREP, when it has fetched the flags again."""
    heard: list[list[float]] = [[] for _ in range(count)]
    gate = asyncio.Semaphore(50)
    opened = asyncio.Event()
    left = count

    async def one(number: int) -> None:
        nonlocal left
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            await reader.readuntil(b"\n\n")
        left -= 1
        if left == 0:
            opened.set()
        while content := await reader.read(65536):
            if b'\\"enabled\\":false' in content:
                heard[number].append(time.monotonic())
            elif b"refetchEvaluation" in content:
                await fetch(token)
                heard[number].append(time.monotonic())

    tasks = [asyncio.create_task(one(number)) for number in range(count)]
    await opened.wait()
    await asyncio.sleep(1.0)
    print("ready", flush=True)
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    print(json.dumps(heard))


async def fetch(token: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", PORT)
    ask = f"POST /ofrep/v1/evaluate/flags HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
    writer.write((ask + "Content-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}").encode())
    answer = await reader.read()
    assert b"200 OK" in answer, answer[:100]
    writer.close()


def died(home: Path, token: str, server: subprocess.Popen[bytes]) -> float:
    """The server is killed: how many seconds until a real desk client is closed; what a read costs is printed."""
    from signoff.adapters.signing_keys import KeyFile
    from signoff.desk.client import FlagClient

    key = KeyFile.load(home / "ledger.key")
    client = FlagClient([f"http://127.0.0.1:{PORT}"], token=token, keys={key.key_id: key.public_key}, models=[MODEL])
    client.start().wait_for(MODEL)
    taken = []
    for _ in range(200_000):
        start = time.perf_counter_ns()
        client.flags(MODEL)
        taken.append(float(time.perf_counter_ns() - start))
    empty = []
    for _ in range(200_000):
        start = time.perf_counter_ns()
        empty.append(float(time.perf_counter_ns() - start))
    print(
        f"flag read in the hot path: p50 {quantile(taken, 0.5):.0f} ns, p99 {quantile(taken, 0.99):.0f} ns, "
        f"of which the two clock readings p50 {quantile(empty, 0.5):.0f} ns"
    )
    server.send_signal(signal.SIGKILL)
    began = time.monotonic()
    while client.flags(MODEL).state != "closed":
        time.sleep(0.01)
    took = time.monotonic() - began
    print(f"server killed with SIGKILL: the desk closed itself after {took:.1f} s (lease 10 s)")
    return took


@contextmanager
def exclusive(home: Path) -> Iterator[None]:
    """The database locked for writing by somebody else, until the block ends."""
    lock = sqlite3.connect(home / "signoff.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        lock.rollback()
        lock.close()


def kill(token: str, reason: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"reason": reason}).encode()
    url = f"http://127.0.0.1:{PORT}/api/v1/models/{MODEL}/kill"
    urllib.request.urlopen(urllib.request.Request(url, body, headers)).read()


def serve(home: Path, url: str | None = None) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "signoff",
            "serve",
            "--port",
            str(PORT),
            "--home",
            str(home),
            "--venue",
            "simulated",
            *database(url),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ},
    )
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{PORT}/healthz").read()
        except OSError:
            time.sleep(0.1)
        else:
            return server
    raise SystemExit("the server did not start")


def database(url: str | None) -> tuple[str, ...]:
    return () if url is None else ("--database", url)


def signoff(*command: str, home: Path, url: str | None) -> dict[str, str]:
    line = [sys.executable, "-m", "signoff", *command, "--home", str(home), "--json", *database(url)]
    found: dict[str, str] = json.loads(subprocess.run(line, check=True, capture_output=True).stdout)
    return found


def quantile(taken: list[float], share: float) -> float:
    return sorted(taken)[min(int(share * len(taken)), len(taken) - 1)]


def told(what: str, taken: list[float]) -> list[float]:
    print(
        f"{what}: {len(taken)} arrivals, p50 {quantile(taken, 0.5):.0f} ms, p99 {quantile(taken, 0.99):.0f} ms, "
        f"max {max(taken):.0f} ms",
        flush=True,
    )
    return taken


if __name__ == "__main__":
    main()
