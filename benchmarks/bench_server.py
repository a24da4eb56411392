"""The server under load, beside MLflow's: commands, flag reads, lists and streams over HTTP, on SQLite and PostgreSQL.

The real processes are started; the load comes from another process over connections that stay open. Whatever was
acknowledged is looked for in the ledger afterwards and must be there exactly once.

The peer in the same run is `mlflow server` with its default workers. Its verbs are the nearest to ours, and do less:
they change one row. Ours sign a checkpoint over a Merkle tree, keep an event for ever, check who asks and what they may
do, and refuse what a guard or an older revision forbids. Both wait until the database has the change on disk.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from load import loaded
from servers import MLFLOW, Mlflow, Ours, database, durability, postgres

from signoff.app.record import deployment_stream
from signoff.domain.events import Paused, Resumed
from signoff.wiring import House

Request = dict[str, Any]
MODELS = 200
STREAMS = 200
AT_ONCE = (1, 8)


@dataclass(frozen=True, slots=True)
class Row:
    """One verb at one concurrency, as it was measured."""

    where: str
    verb: str
    at_once: int
    ms: tuple[float, ...]
    seconds: float
    errors: int

    @property
    def rate(self) -> float:
        return len(self.ms) / self.seconds

    def quantile(self, share: float) -> float:
        return quantile(self.ms, share)


@dataclass(slots=True)
class Bench:
    """The rows so far, and how long each is measured."""

    seconds: float
    rows: list[Row]
    acknowledged: list[str]

    def measure(self, where: str, verb: str, port: int, headers: dict[str, str], cycles: list[list[Request]]) -> None:
        """One row for each concurrency; connection n goes round `cycles[n]`."""
        for at_once in AT_ONCE:
            tag = f"{where}/{verb}/{at_once}".replace(" ", "-")
            found = loaded(
                {
                    "kind": "requests",
                    "tag": tag,
                    "port": port,
                    "headers": headers,
                    "seconds": self.seconds,
                    "connections": [cycles[n % len(cycles)] for n in range(at_once)],
                }
            )
            wrong = sum(found["statuses"].values()) - len(found["acknowledged"])
            row = Row(where, verb, at_once, tuple(found["ms"]), found["seconds"], wrong)
            self.rows.append(row)
            if cycles[0][0].get("is_command"):
                self.acknowledged += found["acknowledged"]
            told(row)
            if wrong:
                print(f"    the last of {wrong} errors: {found['problem']}")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--small", action="store_true", help="half a second a row, and a large home of 500 and 20,000")
    asked.add_argument("--releases", type=int, default=10_000, help="of the large home")
    asked.add_argument("--events", type=int, default=1_000_000, help="of the large home")
    asked.add_argument("--seconds", type=float, default=2.0, help="for each row")
    asked.add_argument("--only", choices=["small", "large", "mlflow"], nargs="*", default=["small", "large", "mlflow"])
    given = asked.parse_args()
    if given.small:
        given.seconds, given.releases, given.events = 0.5, 500, 20_000
    bench = Bench(given.seconds, [], [])
    began = time.monotonic()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as somebody else where we are root
        run(bench, folder, given)
    ratios(bench.rows)
    print(f"the whole run took {time.monotonic() - began:.0f} s; {machine()}")
    assert not [row for row in bench.rows if row.errors and not row.where.startswith("MLflow")], "errors of ours"


def run(bench: Bench, folder: Path, given: argparse.Namespace) -> None:
    with postgres(folder / "postgres") as owner:
        print(durability(owner))
        if "small" in given.only:
            small(bench, folder / "sqlite", "SQLite", None)
            small(bench, folder / "home-of-postgresql", "PostgreSQL", database(owner, "signoff"))
        if "mlflow" in given.only:
            assert MLFLOW.exists(), f"Expected MLflow at {MLFLOW}, found nothing: `make bench` installs it."
            peer(bench, Mlflow(folder / "m1", f"sqlite:///{folder / 'm1' / 'mlflow.db'}", MODELS), "SQLite")
            peer(bench, Mlflow(folder / "m2", database(owner, "mlflow"), MODELS), "PostgreSQL")
        if "large" in given.only:
            large(bench, folder / "large", given.releases, given.events)


def small(bench: Bench, home: Path, where: str, url: str | None) -> None:
    """Every verb, over a home of two hundred models."""
    bench.acknowledged.clear()
    ours = Ours(home, url, MODELS, 0)
    with ours.serving() as port:
        header()
        told_to = (where, port, ours.headers)
        commands(bench, told_to, [f"m{n}-1-adopted" for n in range(max(AT_ONCE))])
        reads(bench, told_to, [f"m{100 + n}-1-adopted" for n in range(max(AT_ONCE))])
        flags(bench, told_to)
        streams(told_to, [f"m{50 + n}-1-adopted" for n in range(10)])
    recorded(bench, House(ours.settings))


def large(bench: Bench, home: Path, releases: int, events: int) -> None:
    """What has to stay quick in a ledger as large as years make it."""
    bench.acknowledged.clear()
    began = time.monotonic()
    ours = Ours(home, None, releases, events)
    print(f"{releases:,} releases and {ours.events:,} events were made in {time.monotonic() - began:.0f} s")
    where, last = f"SQLite, {ours.events:,} events", releases - 1
    with ours.serving() as port:
        header()
        told_to = (where, port, ours.headers)
        reads(bench, told_to, [f"m{n * last // 80}-1-adopted" for n in range(max(AT_ONCE))])
        commands(bench, told_to, [f"m{last - n}-1-adopted" for n in range(max(AT_ONCE))])
    recorded(bench, House(ours.settings))


def commands(bench: Bench, told_to: tuple[str, int, dict[str, str]], releases: list[str]) -> None:
    """Each connection pauses and resumes a release of its own."""

    def cycle(release: str, headers: dict[str, str]) -> list[Request]:
        about = {"headers": headers, "body": json.dumps({"reason": "manual", "note": "{n}"}), "is_command": True}
        path = f"/api/v1/deployments/{release}"
        return [{"method": "POST", "path": f"{path}/{verb}", **about} for verb in ("pause", "resume")]

    where, port, headers = told_to
    for verb, more in (("command", {}), ("command, once by key", {"Idempotency-Key": "{n}"})):
        bench.measure(where, verb, port, headers, [cycle(release, more) for release in releases])


def reads(bench: Bench, told_to: tuple[str, int, dict[str, str]], releases: list[str]) -> None:
    where, port, headers = told_to
    middle = releases[len(releases) // 2]
    every = {
        "status of one": [[get(f"/api/v1/deployments/{release}")] for release in releases],
        "list, a page of 100": [[get("/api/v1/deployments?limit=100"), get(f"/api/v1/deployments?after={middle}")]],
        "history, a page of 100": [[get(f"/api/v1/history/{release}?limit=100")] for release in releases],
    }
    for verb, cycles in every.items():
        bench.measure(where, verb, port, headers, cycles)


def flags(bench: Bench, told_to: tuple[str, int, dict[str, str]]) -> None:
    where, port, headers = told_to
    bulk = "/ofrep/v1/evaluate/flags"
    one = [[post(f"{bulk}/models.m{n}.enabled", {})] for n in range(max(AT_ONCE))]
    tag = entity_tag(port, bulk, headers)
    known = {**post(bulk, {}), "headers": {"If-None-Match": tag}, "expects": 304}
    bench.measure(where, "one flag (OFREP)", port, headers, one)
    bench.measure(where, f"all {4 * MODELS} flags", port, headers, [[post(bulk, {})]])
    bench.measure(where, "all flags, unchanged (304)", port, headers, [[known]])


def streams(told_to: tuple[str, int, dict[str, str]], releases: list[str]) -> None:
    """How long until all of many streams know what a command led to."""
    where, port, headers = told_to
    about = {"method": "POST", "body": json.dumps({"reason": "manual", "note": "{n}"})}
    cycle = [
        {**about, "path": f"/api/v1/deployments/{release}/{verb}"}
        for verb in ("pause", "resume")
        for release in releases
    ]
    plan = {"kind": "streams", "tag": f"{where}/streams", "port": port, "headers": headers, "count": STREAMS}
    followed = "".join(f"&model={release.partition('-')[0]}" for release in releases)
    plan |= {"path": f"/api/v1/stream?nonce=1{followed}", "at_once": 20, "cycle": cycle, "commands": 40, "wait_s": 0.1}
    found = loaded(plan)
    for verb, ms in (("a stream opened, 20 at once", "connect_ms"), (f"a command known to {STREAMS} streams", "ms")):
        seconds = found["connect_s"] if ms == "connect_ms" else sum(found["ms"]) / 1000
        row = Row(where, verb, 20 if ms == "connect_ms" else 1, tuple(found[ms]), seconds, 0)
        told(row, has_rate=ms == "connect_ms")
    assert found["missing"] == 0, f"{found['missing']} streams never heard of a command"


def peer(bench: Bench, theirs: Mlflow, where: str) -> None:
    """The nearest verbs of MLflow's registry server."""
    with theirs.serving() as port:
        header()
        root = "/api/2.0/mlflow"
        names = [f"m{n}" for n in range(max(AT_ONCE))]
        alias = [
            [post(f"{root}/registered-models/alias", {"name": name, "alias": "live", "version": "1"})] for name in names
        ]
        created = [[post(f"{root}/model-versions/create", {"name": n, "source": "s3://m/{n}"})] for n in names]
        every = {
            "set an alias": alias,
            "create a version": created,
            "version": [[get(f"{root}/model-versions/get?name={name}&version=1")] for name in names],
            "search, a page of 100": [[get(f"{root}/model-versions/search?max_results=100")]],
            "version by alias": [[get(f"{root}/registered-models/alias?name={n}&alias=champion")] for n in names],
        }
        for verb, cycles in every.items():
            bench.measure(f"MLflow, {where}", verb, port, theirs.headers, cycles)


# Ours, theirs: the nearest to it, and in what they differ.
ALIKE = (
    ("command", "set an alias", "both durable; ours signed, in the ledger, guarded"),
    ("command", "create a version", "the same"),
    ("command, once by key", "create a version", "ours may be sent again; theirs makes a second version"),
    ("status of one", "version", "ours with its model's flags"),
    ("list, a page of 100", "search, a page of 100", "ours with their models' flags"),
    ("one flag (OFREP)", "version by alias", "ours from memory, no older than 50 ms; theirs from the database"),
)


def ratios(rows: list[Row]) -> None:
    found = {(row.where, row.verb, row.at_once): row for row in rows}
    print(f"\n{'ours against theirs':<66} {'at once':>7} {'rate':>8} {'p50':>8} {'p99':>8}   (above 1: ours is better)")
    for where in ("SQLite", "PostgreSQL"):
        for ours, theirs, note in ALIKE:
            for at_once in AT_ONCE:
                a, b = found.get((where, ours, at_once)), found.get((f"MLflow, {where}", theirs, at_once))
                if a is None or b is None:
                    continue
                said = f"{where}: {ours} / {theirs}"
                times = [b.quantile(share) / a.quantile(share) for share in (0.5, 0.99)]
                print(f"{said:<66} {at_once:>7} {a.rate / b.rate:>7.2f}x {times[0]:>7.2f}x {times[1]:>7.2f}x   {note}")


def recorded(bench: Bench, house: House) -> None:
    """Everything acknowledged is in the ledger once; the paused are read stream by stream."""
    streams_ = [deployment_stream(d.id) for d in house.record.deployments() if d.revision != 1001]
    noted = Counter(
        r.event.note
        for stream in streams_
        for r in house.record.history(stream)
        if isinstance(r.event, Paused | Resumed)
    )
    wrong = [name for name in bench.acknowledged if noted[name] != 1]
    assert not wrong, f"{len(wrong)} acknowledged commands are not in the ledger exactly once: {wrong[:3]}"
    print(f"  {len(bench.acknowledged):,} acknowledged commands, each in the ledger exactly once")
    house.store.engine.dispose()


def get(path: str) -> Request:
    return {"method": "GET", "path": path}


def post(path: str, body: dict[str, Any]) -> Request:
    return {"method": "POST", "path": path, "body": json.dumps(body)}


def entity_tag(port: int, path: str, headers: dict[str, str]) -> str:
    import httpx

    return str(httpx.post(f"http://127.0.0.1:{port}{path}", headers=headers, json={}).headers["etag"])


def header() -> None:
    print(f"\n{'where':<26} {'verb':<32} {'at once':>7} {'n':>7} {'/s':>8} {'p50 ms':>8} {'p99':>8} {'max':>8} errors")


def told(row: Row, *, has_rate: bool = True) -> None:
    rate = f"{row.rate:>8,.0f}" if has_rate else " " * 8
    print(
        f"{row.where:<26} {row.verb:<32} {row.at_once:>7} {len(row.ms):>7} {rate} {row.quantile(0.5):>8.2f} "
        f"{row.quantile(0.99):>8.2f} {max(row.ms):>8.2f} {row.errors:>6}",
        flush=True,
    )


def quantile(taken: tuple[float, ...], share: float) -> float:
    return sorted(taken)[min(int(share * len(taken)), len(taken) - 1)]


def machine() -> str:
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, load average {load}"


if __name__ == "__main__":
    main()
