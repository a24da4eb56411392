"""Kill server and worker at random under load, again and again, then count: lost, duplicated, illegal. `make chaos`.

Clients send commands with idempotency keys until they are answered, and kills; two workers race. At the end the ledger
is exported and verified, the machine replayed, and every acknowledged command looked for: it must be there once.
"""

import argparse
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

from signoff.app.audit import verify
from signoff.app.record import replay
from signoff.config.settings import settings
from signoff.domain.errors import SignoffError
from signoff.domain.events import Killed, Paused, Resumed
from signoff.wiring import House

MODELS = ("alpha", "beta", "gamma")


class Process:
    """One of our commands, ended at random and started again."""

    def __init__(self, home: Path, database: str, *command: str) -> None:
        line = [sys.executable, "-m", "signoff", *command, "--home", str(home), "--database", database]
        self.line, self.kills = line, 0
        self.start()

    def start(self) -> None:
        self.running = subprocess.Popen(self.line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def die(self) -> None:
        self.running.send_signal(signal.SIGKILL)
        self.running.wait()
        self.kills += 1
        self.start()


class Load:
    """One client: pauses and resumes one release, and now and then kills a model."""

    def __init__(self, port: int, token: str, model: str, seed: int, over: threading.Event) -> None:
        self.url, self.token, self.model, self.over = f"http://127.0.0.1:{port}/api/v1", token, model, over
        self.random, self.number, self.seed = random.Random(seed), 0, seed
        self.acknowledged: list[str] = []
        self.kills: list[str] = []
        self.tries = 0

    def run(self) -> None:
        while not self.over.is_set():
            self.number += 1
            name = f"{self.seed}-{self.number}"
            if self.random.random() < 0.2:
                said = self.ask(f"/models/{self.model}/kill", {"reason": name}, None)
                if said is not None and "kill" in said:
                    self.kills.append(str(said["kill"]))
                continue
            verb = "pause" if self.number % 2 else "resume"
            body = {"reason": "manual", "note": name}
            if self.ask(f"/deployments/{self.model}-1-adopted/{verb}", body, name) is not None:
                self.acknowledged.append(name)

    def ask(self, path: str, body: dict[str, str], key: str | None) -> dict[str, object] | None:
        """The answer, asked for until there is one; None when it was refused, or the run is over."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        headers |= {"Idempotency-Key": key} if key else {}
        while not self.over.is_set():
            self.tries += 1
            request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
            try:
                found: dict[str, object] = json.loads(urllib.request.urlopen(request, timeout=20).read())
            except urllib.error.HTTPError as error:
                if error.code >= 500 or b"still being carried out" in error.read():
                    time.sleep(0.3)
                    continue
                return None
            except OSError:
                if key is None:
                    return None  # a kill that nobody acknowledged is ordered anew, as people would
                time.sleep(0.1)
            else:
                return found
        return None


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--kills", type=int, default=40)
    asked.add_argument("--database", help="default: SQLite in a temporary home")
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(Path(folder) / "home", given.kills, given.database, given.seed)


def run(home: Path, kills: int, database: str | None, seed: int) -> None:
    for role in ("risk_manager", "cto", "head_of_trading"):
        signoff(home, database, "people", "add", role, "--role", role)
    for model in MODELS:
        signoff(home, database, "adopt", model, "1", "--role", "risk_manager", "--role", "cto", "--reason", "live")
    token = json.loads(signoff(home, database, "token", "issue", "head_of_trading"))["token"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    known = settings(home=str(home), database=database)
    processes = [Process(home, known.database, "serve", "--port", str(port))]
    processes += [Process(home, known.database, "worker", "--watch") for _ in range(2)]
    over, chance = threading.Event(), random.Random(seed)
    loads = [Load(port, token, model, n, over) for n, model in enumerate(MODELS * 2)]
    threads = [threading.Thread(target=load.run) for load in loads]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    while sum(p.kills for p in processes) < kills:
        time.sleep(chance.uniform(0.5, 6.0))
        chance.choice(processes).die()
    time.sleep(8)
    over.set()
    for thread in threads:
        thread.join()
    for process in processes:
        process.running.send_signal(signal.SIGKILL)
        process.running.wait()
    report(House(known), loads, processes, time.monotonic() - began)


def report(house: House, loads: list[Load], processes: list[Process], seconds: float) -> None:
    """Count, and leave with 1 when anything was lost, doubled or illegal."""
    left = house.kill_switch.reconcile()
    history = house.record.history()
    noted = Counter(r.event.note for r in history if isinstance(r.event, Paused | Resumed))
    killed = Counter(r.event.kill for r in history if isinstance(r.event, Killed))
    acknowledged = [name for load in loads for name in load.acknowledged]
    ordered = [name for load in loads for name in load.kills]
    doubled = [name for name, count in (noted + killed).items() if count > 1]
    lost = [name for name in ordered if killed[name] != 1]
    try:
        is_replayed = replay(history) == {s.stream: s.state for s in house.store.streams("")}
        findings = verify(house.export()).findings
    except SignoffError as error:
        is_replayed, findings = False, (("export", str(error)),)
    print(
        f"{sum(p.kills for p in processes)} SIGKILLs in {seconds:.0f} s (server {processes[0].kills}, workers "
        f"{sum(p.kills for p in processes[1:])}); {sum(load.tries for load in loads)} requests, {len(acknowledged)} "
        f"commands and {len(ordered)} kills acknowledged, {len(history)} events"
    )
    print(
        f"lost kills {len(lost)}, not yet recorded {left}, doubled {len(doubled)}, replay equals tables {is_replayed}, "
        f"findings of verify {len(findings)}"
    )
    sys.exit(bool(lost or left or doubled or findings or not is_replayed))


def signoff(home: Path, database: str | None, *command: str) -> str:
    line = [sys.executable, "-m", "signoff", *command, "--home", str(home), "--json"]
    line += ["--database", database] if database else []
    return subprocess.run(line, check=True, capture_output=True, text=True, env={**os.environ}).stdout


if __name__ == "__main__":
    main()
