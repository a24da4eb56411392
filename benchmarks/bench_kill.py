"""How long until a kill is known to a thousand desks, with the database answering, locked, and the server dead.

Clients live in a process of their own and read raw sockets; both processes read the same monotonic clock. The peer is
the usual way, in the same run: a notice without state, after which every client fetches the flags again.
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
from pathlib import Path

PORT = 8497
MODEL = "momentum"


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
        measure(Path(folder), given.clients, given.kills)


def measure(folder: Path, clients: int, kills: int) -> None:
    home = folder / "home"
    signoff("people", "add", "R. Moreau", "--role", "risk_manager", home=home)
    signoff("people", "add", "C. Yamada", "--role", "cto", home=home)
    adopt = ("adopt", MODEL, "1.1.0", "--role", "risk_manager", "--role", "cto", "--reason", "live")
    signoff(*adopt, home=home)
    token = signoff("token", "issue", "R. Moreau", home=home)["token"]
    server = serve(home)
    try:
        state = round_of(home, token, clients, kills, "/api/v1/stream?nonce=1")
        told("state inside the signed event", clients, state)
        locked = round_of(home, token, clients, 1, "/api/v1/stream?nonce=1", is_locked=True)
        told("the same, database locked", clients, locked)
        refetch = round_of(home, token, clients, kills, "/ofrep/v1/events")
        told("OFREP notice, then fetch again", clients, refetch)
        print(f"  ratio at p99: {quantile(refetch, 0.99) / quantile(state, 0.99):.1f}x quicker than notice and fetch")
        died(home, token, server)
    finally:
        server.kill()
        server.wait()


def round_of(home: Path, token: str, clients: int, kills: int, path: str, *, is_locked: bool = False) -> list[float]:
    """Milliseconds from the order to each client's knowledge, over all kills."""
    listening = subprocess.Popen(
        [sys.executable, __file__, "--as-clients", path, token, str(clients), str(6 + 4 * kills)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert listening.stdout is not None
    assert listening.stdout.readline().strip() == "ready"
    began = []
    for number in range(kills):
        lock = exclusive(home) if is_locked else None
        began.append(time.monotonic())
        kill(token, f"bench {number}")
        time.sleep(3)
        if lock is not None:
            lock.rollback()
            lock.close()
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


def died(home: Path, token: str, server: subprocess.Popen[bytes]) -> None:
    """The server is killed: how long until a real desk client is closed, and what a read costs."""
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
    print(f"server killed with SIGKILL: the desk closed itself after {time.monotonic() - began:.1f} s (lease 10 s)")


def exclusive(home: Path) -> sqlite3.Connection:
    """The database locked for writing by somebody else."""
    lock = sqlite3.connect(home / "signoff.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    return lock


def kill(token: str, reason: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps({"reason": reason}).encode()
    url = f"http://127.0.0.1:{PORT}/api/v1/models/{MODEL}/kill"
    urllib.request.urlopen(urllib.request.Request(url, body, headers)).read()


def serve(home: Path) -> subprocess.Popen[bytes]:
    server = subprocess.Popen(
        [sys.executable, "-m", "signoff", "serve", "--port", str(PORT), "--home", str(home)],
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


def signoff(*command: str, home: Path) -> dict[str, str]:
    line = [sys.executable, "-m", "signoff", *command, "--home", str(home), "--json"]
    found: dict[str, str] = json.loads(subprocess.run(line, check=True, capture_output=True).stdout)
    return found


def quantile(taken: list[float], share: float) -> float:
    return sorted(taken)[min(int(share * len(taken)), len(taken) - 1)]


def told(what: str, clients: int, taken: list[float]) -> None:
    print(
        f"{what}: {clients} clients, {len(taken)} arrivals, p50 {quantile(taken, 0.5):.0f} ms, "
        f"p99 {quantile(taken, 0.99):.0f} ms, max {max(taken):.0f} ms"
    )


if __name__ == "__main__":
    main()
