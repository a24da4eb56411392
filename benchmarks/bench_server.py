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
from servers import MLFLOW, Mlflow, Ours, Target, database, durability, postgres

from signoff.app.record import deployment_stream
from signoff.domain.events import Paused, Resumed
from signoff.installation import Installation

Request = dict[str, Any]
MODELS = 200
STREAMS = 200
AT_ONCE = (1, 8)
BULK = "/ofrep/v1/evaluate/flags"


@dataclass(frozen=True, slots=True)
class Row:
    """One verb at one concurrency, as it was measured; `cpu_ms` is the server's processor time for each request."""

    where: str
    verb: str
    at_once: int
    ms: tuple[float, ...]
    seconds: float
    cpu_ms: float
    errors: int

    @property
    def rate(self) -> float:
        return len(self.ms) / self.seconds

    def quantile(self, share: float) -> float:
        return sorted(self.ms)[min(int(share * len(self.ms)), len(self.ms) - 1)]


@dataclass(frozen=True, slots=True)
class Verb:
    """What is asked: connection n goes round `cycles[n]`."""

    name: str
    cycles: list[list[Request]]
    is_command: bool = False


@dataclass(slots=True)
class Bench:
    """The rows so far, and how long each is measured."""

    seconds: float
    rows: list[Row]
    acknowledged: list[str]

    def measure(self, where: str, target: Target, verb: Verb) -> None:
        """One row for each concurrency."""
        for at_once in AT_ONCE:
            self.one(where, target, verb, at_once)

    def in_turn(self, where: str, sides: tuple[tuple[Target, Verb], tuple[Target, Verb]]) -> None:
        """Ours and theirs one after the other, so that what else the machine does disturbs both alike."""
        for at_once in AT_ONCE:
            for (target, verb), name in zip(sides, (where, f"MLflow, {where}"), strict=True):
                self.one(name, target, verb, at_once)

    def one(self, where: str, target: Target, verb: Verb, at_once: int) -> None:
        plan = {"kind": "requests", "port": target.port, "headers": target.headers, "seconds": self.seconds}
        plan["tag"] = f"{where}/{verb.name}/{at_once}/{len(self.rows)}".replace(" ", "-")
        plan["connections"] = [verb.cycles[n % len(verb.cycles)] for n in range(at_once)]
        before = target.cpu_s()
        found = loaded(plan)
        asked = sum(found["statuses"].values())
        cpu_ms = 1000 * (target.cpu_s() - before) / asked
        wrong = asked - len(found["acknowledged"])
        row = Row(where, verb.name, at_once, tuple(found["ms"]), found["seconds"], cpu_ms, wrong)
        self.rows.append(row)
        if verb.is_command:
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
    asked.add_argument("--only", choices=["small", "large"], nargs="*", default=["small", "large"])
    asked.add_argument("--keep", type=Path, metavar="DIR", help="make the large home here, and use it the next time")
    given = asked.parse_args()
    if given.small:
        given.seconds, given.releases, given.events = 0.5, 500, 20_000
    assert MLFLOW.exists(), f"Expected MLflow at {MLFLOW}, found nothing; `make bench` installs it."
    bench = Bench(given.seconds, [], [])
    began = time.monotonic()
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL runs as somebody else where we are root
        if "small" in given.only:
            small(bench, folder / "sqlite", "SQLite", None, f"sqlite:///{folder / 'sqlite' / 'mlflow' / 'mlflow.db'}")
            with postgres(folder / "postgres") as owner:
                print(f"\n{durability(owner)}")
                urls = (database(owner, "signoff"), database(owner, "mlflow"))
                small(bench, folder / "on-postgresql", "PostgreSQL", *urls)
        if "large" in given.only:
            large(bench, given.keep or folder / "large", given.releases, given.events)
    ratios(bench.rows)
    print(f"the whole run took {time.monotonic() - began:.0f} s; {machine()}")
    assert not [row for row in bench.rows if row.errors and not row.where.startswith("MLflow")], "errors of ours"


def small(bench: Bench, home: Path, where: str, url: str | None, peers: str) -> None:
    """Every verb, over a home of two hundred models; the nearest of MLflow's in turn."""
    bench.acknowledged.clear()
    ours, theirs = Ours(home, url, MODELS, 0), Mlflow(home / "mlflow", peers, MODELS)
    names = [f"m{n}-1-adopted" for n in range(max(AT_ONCE))]
    with ours.serving() as target:
        with theirs.serving() as peer:
            target.settle()
            peer.settle()
            header()
            for mine, nearest in zip((*commands(names), *reads(names), one_flag()), nearest_verbs(), strict=True):
                if nearest is None:
                    bench.measure(where, target, mine)
                else:
                    bench.in_turn(where, ((target, mine), (peer, nearest)))
        for verb in all_flags(target):
            bench.measure(where, target, verb)
        streams(where, target, [f"m{50 + n}-1-adopted" for n in range(10)])
    recorded(bench, Installation(ours.settings))


def large(bench: Bench, home: Path, releases: int, events: int) -> None:
    """What has to stay quick in a ledger as large as years make it."""
    bench.acknowledged.clear()
    began = time.monotonic()
    ours = Ours(home, None, releases, events)
    print(f"\n{releases:,} releases and {ours.events:,} events, ready after {time.monotonic() - began:.0f} s")
    last = releases - 1
    with ours.serving() as target:
        header()
        filled = [f"m{n * last // 80}-1-adopted" for n in range(max(AT_ONCE))]
        for verb in (*reads(filled), *commands([f"m{last - n}-1-adopted" for n in range(max(AT_ONCE))])):
            bench.measure(f"SQLite, {ours.events:,}", target, verb)
    recorded(bench, Installation(ours.settings))


def commands(releases: list[str]) -> tuple[Verb, ...]:
    """Each connection pauses and resumes a release of its own."""

    def cycle(release: str, headers: dict[str, str]) -> list[Request]:
        about = {"headers": headers, "body": json.dumps({"reason": "manual", "note": "{n}"})}
        path = f"/api/v1/deployments/{release}"
        return [{"method": "POST", "path": f"{path}/{verb}", **about} for verb in ("pause", "resume")]

    once = {"Idempotency-Key": "{n}"}
    return (
        Verb("command", [cycle(release, {}) for release in releases], is_command=True),
        Verb("command, once by its key", [cycle(release, once) for release in releases], is_command=True),
    )


def reads(releases: list[str]) -> tuple[Verb, ...]:
    listed = [get("/api/v1/deployments?limit=100"), get(f"/api/v1/deployments?after={releases[len(releases) // 2]}")]
    return (
        Verb("status of one", [[get(f"/api/v1/deployments/{release}")] for release in releases]),
        Verb("list, a page of 100", [listed]),
        Verb("history, a page of 100", [[get(f"/api/v1/history/{release}?limit=100")] for release in releases]),
    )


def one_flag() -> Verb:
    return Verb(
        "one flag (OFREP)",
        [[post(f"{BULK}/models.m{n}.enabled", {"context": {"targetingKey": f"m{n}@1"}})] for n in range(max(AT_ONCE))],
    )


def all_flags(target: Target) -> tuple[Verb, ...]:
    import httpx

    tag = httpx.post(f"http://127.0.0.1:{target.port}{BULK}", headers=target.headers, json={}).headers["etag"]
    known = {**post(BULK, {}), "headers": {"If-None-Match": str(tag)}, "expects": 304}
    return Verb(f"all {4 * MODELS} flags", [[post(BULK, {})]]), Verb("all flags, unchanged (304)", [[known]])


def nearest_verbs() -> tuple[Verb | None, ...]:
    """MLflow's nearest to each of our verbs, in the same order; it has no history."""
    root = "/api/2.0/mlflow"
    names = [f"m{n}" for n in range(max(AT_ONCE))]
    alias = f"{root}/registered-models/alias"
    create = f"{root}/model-versions/create"
    return (
        Verb("set an alias", [[post(alias, {"name": n, "alias": "live", "version": "1"})] for n in names]),
        Verb("create a version", [[post(create, {"name": n, "source": "s3://models/{n}"})] for n in names]),
        Verb("version", [[get(f"{root}/model-versions/get?name={name}&version=1")] for name in names]),
        Verb("search, a page of 100", [[get(f"{root}/model-versions/search?max_results=100")]]),
        None,
        Verb("version by alias", [[get(f"{alias}?name={name}&alias=champion")] for name in names]),
    )


def streams(where: str, target: Target, releases: list[str]) -> None:
    """How long until all of many streams, each of ten models, know what a command led to."""
    about = {"method": "POST", "body": json.dumps({"reason": "manual", "note": "{n}"})}
    cycle = [
        {**about, "path": f"/api/v1/deployments/{release}/{verb}"}
        for verb in ("pause", "resume")
        for release in releases
    ]
    followed = "".join(f"&model={release.partition('-')[0]}" for release in releases)
    plan = {"kind": "streams", "tag": f"{where}/streams", "port": target.port, "headers": target.headers}
    plan |= {"path": f"/api/v1/stream?nonce=1{followed}", "count": STREAMS, "at_once": 20}
    found = loaded(plan | {"cycle": cycle, "commands": 40, "wait_s": 0.1})
    told(Row(where, "a stream opened", 20, tuple(found["connect_ms"]), found["connect_s"], 0.0, 0))
    known = Row(where, f"a command known to {STREAMS} streams", 1, tuple(found["ms"]), 0.0, 0.0, found["missing"])
    told(known)
    assert found["missing"] == 0, f"{found['missing']} streams never heard of a command"


# Ours, theirs, and in what they differ.
ALIKE = (
    ("command", "set an alias", "both durable; ours guarded, signed, and an event that stays"),
    ("command, once by its key", "create a version", "sent again, ours is done once and theirs makes a second version"),
    ("status of one", "version", "ours with its model's flags"),
    ("list, a page of 100", "search, a page of 100", "ours with their models' flags"),
    ("one flag (OFREP)", "version by alias", "ours from memory, 50 ms behind at most; theirs from the database"),
)


def ratios(rows: list[Row]) -> None:
    found = {(row.where, row.verb, row.at_once): row for row in rows}
    print(
        f"\n{'ours against theirs; above 1 ours is better':<62} {'at once':>7} "
        f"{'rate':>7} {'p50':>7} {'p99':>7} {'cpu':>7}"
    )
    for where in ("SQLite", "PostgreSQL"):
        for ours, theirs, note in ALIKE:
            for at_once in AT_ONCE:
                a, b = found.get((where, ours, at_once)), found.get((f"MLflow, {where}", theirs, at_once))
                if a is None or b is None:
                    continue
                better = [a.rate / b.rate, *(b.quantile(share) / a.quantile(share) for share in (0.5, 0.99))]
                better.append(b.cpu_ms / a.cpu_ms if a.cpu_ms else float("nan"))
                said = " ".join(f"{ratio:>6.2f}x" for ratio in better)
                print(f"{where + ': ' + ours + ' / ' + theirs:<62} {at_once:>7} {said}   {note}")


def recorded(bench: Bench, house: Installation) -> None:
    """Everything acknowledged is in the ledger once; the releases that were filled and not touched are left out."""
    touched = [deployment_stream(d.id) for d in house.record.deployments() if d.revision not in {1, 1001}]
    noted = Counter(
        r.event.note
        for stream in touched
        for r in house.record.history(stream)
        if isinstance(r.event, Paused | Resumed)
    )
    wrong = [name for name in bench.acknowledged if noted[name] != 1]
    assert not wrong, f"{len(wrong)} acknowledged commands are not in the ledger exactly once: {wrong[:3]}"
    print(f"  {len(bench.acknowledged):,} acknowledged commands, each in the ledger exactly once")
    house.store.database.engine.dispose()


def get(path: str) -> Request:
    return {"method": "GET", "path": path}


def post(path: str, body: dict[str, Any]) -> Request:
    return {"method": "POST", "path": path, "body": json.dumps(body)}


def header() -> None:
    print(
        f"\n{'where':<19} {'verb':<31} {'at once':>7} {'n':>6} {'/s':>7} {'p50 ms':>8} {'p99':>8} {'max':>8} "
        f"{'cpu ms':>7} errors"
    )


def told(row: Row) -> None:
    rate = f"{row.rate:>7,.0f}" if row.seconds else " " * 7
    cpu = f"{row.cpu_ms:>7.2f}" if row.cpu_ms else " " * 7
    print(
        f"{row.where:<19} {row.verb:<31} {row.at_once:>7} {len(row.ms):>6} {rate} {row.quantile(0.5):>8.2f} "
        f"{row.quantile(0.99):>8.2f} {max(row.ms):>8.2f} {cpu} {row.errors:>6}",
        flush=True,
    )


def machine() -> str:
    load = ", ".join(f"{x:.1f}" for x in os.getloadavg())
    return f"Python {platform.python_version()}, {os.cpu_count()} cores, load average {load}"


if __name__ == "__main__":
    main()
