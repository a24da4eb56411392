"""The statistics beside the packages that people use for them: time, memory and results, in one run.

Run by `make bench`, in an environment that holds the peers (`requirements/peers.in`). Ours and theirs take turns, each
in a process of its own: threads of one that wait busily would slow the other down. The median of the rounds counts, and
memory is what a further process grew by. Compare ratios: times are of one machine.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve()
PERIODS, PARTITIONS, BLOCK = 2520, 16, 10
TURNS = 3


@dataclass(frozen=True)
class Case:
    """One piece of work: ours, a peer's, the ratio to reach, and how far the results may lie apart."""

    name: str
    peer: str
    target: float | None
    ours: Callable[[], object]
    theirs: Callable[[], object]
    difference: Callable[[object, object], float | None]
    agrees_within: float | None
    rounds: int
    note: str = ""


def family(count, periods=PERIODS, seed=0):
    return np.random.default_rng(seed).normal(0.0002, 0.01, (periods, count))


def overfitting(count, peer, target, rounds):
    from signoff.stats import probability_of_backtest_overfitting

    trials = family(count, PERIODS - PERIODS % PARTITIONS)  # peers cut the rest elsewhere, or not at all

    def theirs():
        if peer == "phacker":
            from phacker.cscv import cscv

            return cscv(trials, S=PARTITIONS)[0]
        if peer == "holdout-backtest":
            from holdout import probability_of_backtest_overfitting as pbo

            return pbo(trials, n_blocks=PARTITIONS).pbo
        import ffn
        import pandas as pd

        return ffn.calc_prob_backtest_overfitting(pd.DataFrame(trials), n_blocks=PARTITIONS)

    return Case(
        f"PBO, S = {PARTITIONS}, T = {len(trials)}, N = {count}",
        peer,
        target,
        lambda: probability_of_backtest_overfitting(trials, partitions=PARTITIONS).pbo,
        theirs,
        lambda ours, other: abs(ours - other),
        0.0,
        rounds,
    )


def snooping(count, repetitions, target, rounds, *, studentize):
    from signoff.stats import superior_predictive_ability

    losses, benchmark = -family(count), np.zeros(PERIODS)

    def ours():
        found = superior_predictive_ability(
            benchmark,
            losses,
            block=BLOCK,
            repetitions=repetitions,
            seed=1,
            studentize=studentize,
            stream="own" if studentize else "arch",
        )
        return [found.raw.lower, found.raw.consistent, found.raw.upper]

    def theirs():
        from arch.bootstrap import SPA

        spa = SPA(benchmark, losses, block_size=BLOCK, reps=repetitions, studentize=studentize, seed=1)
        spa.compute()
        return [float(p) for p in spa.pvalues]

    form = "studentised, own stream" if studentize else "not studentised, its stream"
    return Case(
        f"SPA, {form}, K = {count}, {repetitions:,} reps",
        "arch",
        target,
        ours,
        theirs,
        lambda one, other: max(abs(a - b) for a, b in zip(one, other, strict=True)),
        None if studentize else 0.0,
        rounds,
        "arch's `studentize` does not studentise its statistic, so p-values differ"
        if studentize
        else "to the last bit",
    )


def gate_set(count, rounds):
    sys.path.insert(0, str(HERE.parents[1] / "tests" / "support"))
    import release_folder

    from signoff.adapters.evidence.reader import FolderReader
    from signoff.domain.gates import assess

    folder = Path(tempfile.mkdtemp()) / "release"
    release_folder.make(folder, sessions=PERIODS, trials=count)
    inputs = FolderReader().read(folder, None)

    def theirs():
        import pandas as pd
        import quantstats

        backtest = inputs.evidence.backtest
        series = pd.Series(backtest.returns, index=pd.DatetimeIndex(backtest.dates))
        return quantstats.reports.metrics(series, mode="full", display=False)

    return Case(
        f"every gate and figure, N = {count}, 10,000 reps",
        "quantstats",
        1.0,
        lambda: len(assess(inputs.evidence, inputs.dossier, inputs.policy).findings),
        theirs,
        lambda _ours, _other: None,
        None,
        rounds,
        "one `metrics` call; it computes other figures",
    )


def cases(*, quick):
    many, few = (1, 1) if quick else (9, 3)
    yield lambda: overfitting(100, "phacker", 4.0, many)
    yield lambda: overfitting(100, "holdout-backtest", None, few)
    if not quick:
        yield lambda: overfitting(100, "ffn", 1000.0, 1)
        yield lambda: overfitting(1000, "phacker", 6.0, many)
    size, reps = (100, 100) if quick else (1000, 1000)
    yield lambda: snooping(size, reps, 20.0, few, studentize=False)
    yield lambda: snooping(size, reps, 40.0, few, studentize=True)
    yield lambda: gate_set(100, few)


def seconds(work):
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def compare(position, case, *, quick):
    """Both sides in turns, a fresh process each, and each again alone for its memory."""
    ours, theirs, ratios = [], [], []
    for _ in range(TURNS if case.rounds > 1 else 1):
        mine, other = (timed(position, side, quick=quick) for side in ("ours", "theirs"))
        ours.append(mine["seconds"])
        theirs.append(other["seconds"])
        ratios.append(other["seconds"] / mine["seconds"])
    ratio = statistics.median(theirs) / statistics.median(ours)
    distance = case.difference(mine["result"], other["result"])
    return {
        "work": case.name,
        "peer": f"{case.peer} {metadata.version(case.peer)}",
        "ours_ms": 1000 * statistics.median(ours),
        "theirs_ms": 1000 * statistics.median(theirs),
        "spread": [min(ratios), max(ratios)],
        "ratio": ratio,
        "target": case.target,
        "reached": None if case.target is None else ratio >= case.target,
        "difference": distance,
        "agrees": None if case.agrees_within is None else distance <= case.agrees_within,
        "ours_mb": memory(position, "ours", quick=quick),
        "theirs_mb": memory(position, "theirs", quick=quick) if case.peer != "ffn" else None,
        "note": case.note,
    }


def timed(position, side, *, quick):
    """The median seconds of one side in a process of its own, everything warm, and its result."""
    command = [sys.executable, str(HERE), "--time", str(position), side, *(["--quick"] if quick else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def taken(position, side, *, quick):
    case = list(cases(quick=quick))[position]()
    work = case.ours if side == "ours" else case.theirs
    if case.rounds > 1 or side == "ours":
        work()
    rounds = [seconds(work) for _ in range(case.rounds)]
    result = rounds[-1][1]
    return {"seconds": statistics.median(took for took, _ in rounds), "result": result if numeric(result) else None}


def numeric(result):
    return isinstance(result, int | float | list)


def memory(position, side, *, quick):
    """Megabytes that a process of its own grew by, everything imported, compiled and warmed before."""
    command = [sys.executable, str(HERE), "--memory", str(position), side, *(["--quick"] if quick else [])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(done.stdout.strip().splitlines()[-1])


def grown(position, side, *, quick):
    from signoff.stats import probability_of_backtest_overfitting, superior_predictive_ability

    small = family(8, 320)
    probability_of_backtest_overfitting(small)
    superior_predictive_ability(np.zeros(320), small, block=4, repetitions=10, seed=0)
    if side == "theirs":
        import arch.bootstrap  # noqa: F401
        import ffn  # noqa: F401
        import holdout
        import phacker.cscv
        import quantstats  # noqa: F401

        holdout.probability_of_backtest_overfitting(small)
        phacker.cscv.cscv(small, S=4)
    case = list(cases(quick=quick))[position]()
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far was of imports and compilation
    before = peak()
    (case.ours if side == "ours" else case.theirs)()
    return (peak() - before) / 1024


def peak():
    """The largest resident size since the peak was cleared, in kilobytes (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM")).split()[1])


def copies():
    """Milliseconds to find copies in a family without any, as every gate over trials does, beside their targets."""
    from types import SimpleNamespace

    from signoff.domain.gates.trials import family as distinct

    for count, target in ((100, 0.5), (1000, 2.5)):
        returns = family(count)
        trials = SimpleNamespace(returns=returns, names=tuple(map(str, range(count))), source=SimpleNamespace(name="t"))
        evidence = SimpleNamespace(trials=trials)
        distinct(evidence, at_any_leverage=True)
        took = [seconds(lambda given=evidence: distinct(given, at_any_leverage=True))[0] for _ in range(9)]
        yield {"trials": count, "ms": 1000 * statistics.median(took), "target": target}


FIRST = """
import time, numpy as np
from signoff.stats import probability_of_backtest_overfitting as pbo, superior_predictive_ability as spa
x = np.random.default_rng(0).normal(0, .01, (2512, 100))
began = time.perf_counter(); pbo(x); spa(np.zeros(2512), -x, block=10, repetitions=100, seed=0)
print(time.perf_counter() - began)
"""


def first_calls():
    """Seconds of the first PBO and SPA of a process: with nothing compiled, with kernels from the cache, and warm."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        once = [
            float(
                subprocess.run(
                    [sys.executable, "-c", FIRST], env=environment, capture_output=True, text=True, check=True
                ).stdout
            )
            for _ in range(2)
        ]
    return {"compiling": once[0], "from the cache": once[1]}


def growth(*, quick):
    """How the cost grows: seconds over a range of each size, and the exponent of the best line through the logs."""
    from signoff.stats import probability_of_backtest_overfitting as pbo
    from signoff.stats import superior_predictive_ability as spa

    def overfit(periods=2520, count=100, partitions=16):
        trials = family(count, periods)
        return lambda: pbo(trials, partitions=partitions)

    def snoop(periods=2520, count=100, repetitions=1000):
        losses = -family(count, periods)
        return lambda: spa(np.zeros(periods), losses, block=BLOCK, repetitions=repetitions, seed=0)

    ranges = [
        ("PBO", "T", overfit, "periods", (2_520, 10_080, 40_320)),
        ("PBO", "N", overfit, "count", (250, 500, 1000)),
        ("PBO", "splits of S = 12, 14, 16, 18", overfit, "partitions", (12, 14, 16, 18)),
        ("SPA", "T", snoop, "periods", (2_520, 5_040, 10_080)),
        ("SPA", "K", snoop, "count", (250, 500, 1000)),
        ("SPA", "repetitions", snoop, "repetitions", (1_000, 4_000, 16_000)),
    ]
    if quick:
        ranges = [(*rest, sizes[:2]) for *rest, sizes in ranges]
    splits = {12: 924, 14: 3432, 16: 12870, 18: 48620}
    for work, said, make, argument, sizes in ranges:
        took = []
        for size in sizes:
            run = make(**{argument: size})
            run()
            took.append(min(seconds(run)[0] for _ in range(1 if quick else 3)))
        x = [splits.get(size, size) if argument == "partitions" else size for size in sizes]
        slope = float(np.polyfit(np.log(x), np.log(took), 1)[0])
        yield {"work": work, "in": said, "sizes": list(sizes), "ms": [1000 * t for t in took], "exponent": slope}


def show(row):
    target = "" if row["target"] is None else f" (target {row['target']:g}{'' if row['reached'] else ', MISSED'})"
    same = (
        ""
        if row["agrees"] is None
        else ", results equal"
        if row["agrees"]
        else f", RESULTS DIFFER {row['difference']:.2g}"
    )
    theirs = "not measured" if row["theirs_mb"] is None else f"{row['theirs_mb']:.0f} MB"
    times = f"{row['ours_ms']:.1f} ms against {row['theirs_ms']:.1f} ms"
    turns = f" ({row['spread'][0]:.1f} to {row['spread'][1]:.1f} over the turns)"
    print(f"{row['work']}\n    {row['ratio']:8.1f} times faster than {row['peer']}{turns}{target}{same}")
    note = f"; {row['note']}" if row["note"] else ""
    print(f"    {times}; memory {row['ours_mb']:.0f} MB against {theirs}{note}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, one round: shows that it runs, measures little"
    )
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--time", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.memory:
        print(grown(int(given.memory[0]), given.memory[1], quick=given.quick))
        return
    if given.time:
        print(json.dumps(taken(int(given.time[0]), given.time[1], quick=given.quick)))
        return
    rows = []
    for position, make in enumerate(cases(quick=given.quick)):
        rows.append(compare(position, make(), quick=given.quick))
        if not given.json:
            show(rows[-1])
    found = list(copies())
    first, grows = first_calls(), list(growth(quick=given.quick))
    if given.json:
        print(json.dumps({"peers": rows, "copies": found, "first_calls_s": first, "growth": grows}, indent=1))
        return
    for row in found:
        missed = "" if row["ms"] <= row["target"] else ", MISSED"
        print(f"Copies among {row['trials']:,} trials: {row['ms']:.2f} ms (target {row['target']:g}{missed})")
    print(
        f"First PBO and SPA of a process: {first['compiling']:.1f} s compiling, {first['from the cache']:.2f} s after."
    )
    print("How the cost grows (exponent over the range)")
    for row in grows:
        sizes = ", ".join(f"{size:,}: {ms:.0f} ms" for size, ms in zip(row["sizes"], row["ms"], strict=True))
        print(f"    {row['work']} in {row['in']}: {row['exponent']:.2f}  ({sizes})")


if __name__ == "__main__":
    main()
