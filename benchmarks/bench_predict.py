"""One row through LightGBM's `predict`, and through a desk with champion, candidate and journal, in one run.

Also what a read of the flags costs. The desk's call is paced as a strategy paces it, so that the candidate's process
and the journal's thread work while it is measured.
"""

import tempfile
import time
from pathlib import Path

import lightgbm as lgb
import numpy as np

from signoff.desk.hosting import Host, Hosted, ShadowVersion
from signoff.desk.journal import Journal, check
from signoff.desk.leased_flags import Belief, LeasedFlags
from signoff.desk.models import load
from signoff.domain.artifacts import Artifact, Pin
from signoff.domain.flag_notices import NEWEST
from signoff.domain.flags import Flags, FlagState

FEATURES, TREES, ROWS, ROUNDS = 50, 100, 5_000, 6
PACE_S = 1 / 10_000
ASKED_RATIO, ASKED_FLAG_US = 1.0, 0.3


def quantile(values, share):
    return sorted(values)[int(share * (len(values) - 1))]


def made(folder, rows, target, seed):
    """A version in this folder: 100 trees of 31 leaves on 50 features; its pin and its booster."""
    import hashlib
    import json

    folder.mkdir()
    names = [f"f{n}" for n in range(FEATURES)]
    data = lgb.Dataset(rows, target, feature_name=names)
    booster = lgb.train({"verbose": -1, "num_threads": 1, "num_leaves": 31, "seed": seed}, data, TREES)
    booster.save_model(folder / "model.txt")
    (folder / "inference.json").write_text(json.dumps({"format": "lightgbm-text", "model": "model.txt"}))
    (folder / "feature_schema.json").write_text(json.dumps({"features": [{"name": name} for name in names]}))
    files = []
    for path in sorted(folder.iterdir()):
        content = path.read_bytes()
        files.append(Artifact(path=path.name, size=len(content), sha256=hashlib.sha256(content).hexdigest()))
    return Pin(model="m", number=seed, run_id="r", files=tuple(files)), lgb.Booster(model_file=folder / "model.txt")


def timed(call, rows):
    """Microseconds of each call, one every 100 µs."""
    costs, due = [], time.perf_counter()
    for row in rows:
        due += PACE_S
        while time.perf_counter() < due:
            time.sleep(0)
        began = time.perf_counter_ns()
        call(row)
        costs.append((time.perf_counter_ns() - began) / 1e3)
    return costs


def compared(folder):
    """Both calls in turns, so that a busy moment of the machine meets both."""
    rng = np.random.default_rng(0)
    training = rng.normal(size=(5_000, FEATURES))
    target = training[:, 0] + rng.normal(size=5_000)
    versions = {name: made(folder / name, training, target, n) for n, name in enumerate(("1", "2"), 1)}
    rows = [np.ascontiguousarray(row) for row in rng.normal(size=(ROWS, FEATURES))]
    booster = versions["1"][1]
    with Journal.open(folder / "journal") as journal:
        champion = Hosted(model=load(folder / "1", versions["1"][0]), version="1", deployment="m-1")
        second = ShadowVersion(
            folder=folder / "2", pin=versions["2"][0], features=champion.model.features, version="2", deployment="m-2"
        )
        host = Host(champion, journal, candidate=second)
        while not host.candidate.is_ready:
            time.sleep(0.01)
        peer, own = [], []
        for _ in range(ROUNDS):
            peer += timed(lambda row: booster.predict(row.reshape(1, -1), num_threads=1), rows)
            own += timed(lambda row: host.predict("AAPL", row), rows)
        time.sleep(1)
        counts = host.candidate.counted()
        host.close()
    assert check(folder / "journal").gaps == ()
    return peer, own, counts


def flag_reads():
    """Microseconds of a read of the flags: in groups of 20, one by one, and of a call that does nothing."""
    flags = Flags(
        model="m",
        revision=1,
        state=FlagState.FULL,
        version="1",
        candidate=None,
        enabled=True,
        allocation_pct=100,
        shadow_mode=False,
        kill_count=0,
    )
    leased = LeasedFlags(lambda *_: True, time.monotonic)
    leased._held["m"] = Belief(  # noqa: SLF001 - as a signed notice would
        flags=flags, views={None: flags, "1": flags}, unknown=flags, closed=flags, until=1e18, form=NEWEST
    )
    read, nothing = leased.flags, lambda *_: None
    singles = {call: [] for call in (read, nothing)}
    for _ in range(200_000):
        for call, costs in singles.items():
            began = time.perf_counter_ns()
            call("m", "1")
            costs.append((time.perf_counter_ns() - began) / 1e3)
    groups = []
    for _ in range(20_000):
        began = time.perf_counter_ns()
        for _ in range(20):
            read("m", "1")
        groups.append((time.perf_counter_ns() - began) / 20e3)
    return groups, singles[read], singles[nothing]


def main():
    with tempfile.TemporaryDirectory() as name:
        peer, own, counts = compared(Path(name))
    for what, share in (("p50", 0.5), ("p99", 0.99)):
        mine, theirs = quantile(own, share), quantile(peer, share)
        print(
            f"{what}: champion, candidate and journal {mine:.1f} µs, Booster.predict {theirs:.1f} µs: "
            f"{mine / theirs:.2f} of it (asked ≤ {ASKED_RATIO})"
        )
    print(f"the candidate answered {counts['answered']:,} of {len(own):,} rows; {counts}")
    groups, singles, empty = flag_reads()
    print(f"flag read, mean of 20: p50 {quantile(groups, 0.5):.3f} µs, p99 {quantile(groups, 0.99):.3f} µs")
    alone, clock = quantile(singles, 0.99), quantile(empty, 0.99)
    print(
        f"flag read, one: p99 {alone:.3f} µs with the clock, of which a call of nothing takes {clock:.3f} µs "
        f"(asked ≤ {ASKED_FLAG_US})"
    )


if __name__ == "__main__":
    main()
