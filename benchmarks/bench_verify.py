"""How long a large ledger takes to export and to verify, in full and only what is new, and how much memory.

What is done every day, verifying what came since the last time, is repeated a hundred times, each time by an
installation that was opened for it.

Each step runs in a process of its own, whose peak memory the system reports. The peer in the same run is what cannot be
done without: reading the export and hashing each line of it with SHA-256.
"""

import argparse
import hashlib
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench_load import adopt, fill

from signoff.config.settings import settings
from signoff.installation import Installation
from signoff.verify import main as verify_export

OFTEN = {"verify nothing new": 0, "verify ten new": 10}
TIMES = 100
STEPS = ("hash", "export", "verify export", "verify in full", *OFTEN, "verify 1,000 new")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--releases", type=int, default=1_000)
    asked.add_argument("--events", type=int, default=100_000)
    asked.add_argument("--folder", type=Path, help="where the ledger is made; default: a temporary folder")
    asked.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.step:
        return step(given.step, given.folder)
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        built(folder, given.releases, given.events)
        for name in ("export", *(s for s in STEPS if s != "export")):
            line = [sys.executable, __file__, "--step", name, "--folder", str(folder)]
            subprocess.run(line, check=True)
    return None


def built(folder: Path, releases: int, events: int) -> None:
    house = opened(folder)
    began = time.perf_counter()
    for n in range(releases):
        adopt(house.record, n)
    fill(house.record, events - releases)
    house.ledger.anchor()
    size = house.store.size()
    print(f"{size:,} events of {releases:,} releases made in {time.perf_counter() - began:,.0f} s", flush=True)


def step(name: str, folder: Path) -> None:
    if name in OFTEN:
        return repeated(name, folder)
    house, out = opened(folder), folder / "export"
    if name == "verify 1,000 new":
        for n in range(10_000_000, 10_001_000):
            adopt(house.record, n)
        house.ledger.anchor()
    began, used = time.perf_counter(), time.process_time()
    match name:
        case "hash":
            with (out / "events.jsonl").open("rb") as lines:
                for line in lines:
                    hashlib.sha256(line).digest()
        case "export":
            from signoff.adapters.folders import write_pieces

            write_pieces(out, house.ledger.export_pieces())
        case "verify export":
            assert verify_export([str(out)]) == 0
        case _:
            assert house.ledger.verify(is_full=name == "verify in full").exit_code == 0
    took = time.perf_counter() - began
    spent, peak = time.process_time() - used, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{name}: {took:,.2f} s, of which {spent:,.2f} s of a processor; peak memory {peak:,.0f} MB", flush=True)
    return None


def repeated(name: str, folder: Path) -> None:
    taken, spent = [], []
    for lap in range(TIMES):
        house = opened(folder)
        for n in range(OFTEN[name]):
            adopt(house.record, 30_000_000 + lap * OFTEN[name] + n)
        house.ledger.anchor()
        began, used = time.perf_counter(), time.process_time()
        assert house.ledger.verify(is_full=False).exit_code == 0
        taken.append(time.perf_counter() - began)
        spent.append(time.process_time() - used)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{name}, {TIMES} times: {spread(taken)}; of a processor {spread(spent)}; peak memory {peak:,.0f} MB",
        flush=True,
    )


def spread(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    p50, p99 = (1000 * ordered[int(share * len(ordered))] for share in (0.5, 0.99))
    return f"p50 {p50:,.0f} ms, p99 {p99:,.0f} ms"


def opened(folder: Path) -> Installation:
    return Installation(settings(home=str(folder / "home")))


if __name__ == "__main__":
    main()
