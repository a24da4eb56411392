"""Time and memory of `signoff check` on large evidence, beside a plain Polars read of the same file.

Three dossiers: five million predictions, three thousand trials over ten years, and a CSV of 400,000 predictions.
Each command runs in a process of its own. The plain read is a process of its own too, in the same run, so the ratio
holds on another machine. Run by `make bench`.
"""

import json
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "support"))
import release_folder  # noqa: E402 - the tests' own folder of evidence

SESSIONS = 2500
# A process in between: a child starts with its parent's peak of memory, and this process's would be counted.
MEASURED = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
said = process.stderr.read().decode()
_, status, usage = os.wait4(process.pid, 0)
took = [time.perf_counter() - began, usage.ru_utime]
print(json.dumps([os.waitstatus_to_exitcode(status), said, *took, usage.ru_maxrss * 1024]))
"""
PLAIN = "import sys, polars as pl; path = sys.argv[1]; (pl.read_csv if path.endswith('csv') else pl.read_parquet)(path)"


def measured(*command):
    """Seconds, those of its processor, and the most memory in bytes of one command in a process of its own."""
    done = subprocess.run([sys.executable, "-c", MEASURED, *command], capture_output=True, check=True)
    status, said, *figures = json.loads(done.stdout)
    assert status in {0, 1}, said
    return tuple(figures)


def predictions(rows):
    """Predictions of as many symbols as give these rows over ten years of sessions."""
    rng = np.random.default_rng(7)
    days = release_folder.weekdays(SESSIONS)
    symbols = [f"S{n:05d}" for n in range(rows // SESSIONS)]
    stamps = pl.Series([datetime.combine(day, datetime.min.time()) + timedelta(hours=21) for day in days])
    count = len(symbols) * SESSIONS
    return pl.DataFrame(
        {
            "timestamp": stamps.cast(pl.Datetime("us")).dt.replace_time_zone("UTC").gather(
                np.repeat(np.arange(SESSIONS), len(symbols))
            ),
            "symbol": np.tile(symbols, SESSIONS),
            "prediction": rng.normal(0, 1, count),
            "realized": rng.normal(0, 0.02, count),
        }
    )  # fmt: skip


def folder(place, **sizes):
    """A dossier without paper, whose symbols are others."""
    made = release_folder.make(place, sessions=SESSIONS, **sizes)
    for name in ("paper", "paper_returns"):
        (made / f"{name}.parquet").unlink()
    return made


def report(what, path, made, home):
    began = time.perf_counter()
    plain, *_ = min(measured(sys.executable, "-c", PLAIN, str(path)) for _ in range(2))
    seconds, busy, memory = min(
        measured(sys.executable, "-m", "signoff", "check", str(made), "--home", str(home), "--json") for _ in range(2)
    )
    print(
        f"{what}: {seconds:.1f} s ({busy:.1f} s of the processor), {memory / 2**30:.2f} GiB; "
        f"{seconds / plain:.0f} times a plain Polars read "
        f"({plain:.2f} s)",
        flush=True,
    )
    return time.perf_counter() - began


def main(wanted):
    with tempfile.TemporaryDirectory() as name:
        base, home = Path(name), Path(name) / "home"
        if "usual" in wanted:
            made = folder(base / "usual")
            report("the same dossier with 7,500 predictions", made / "predictions.parquet", made, home)
        if "predictions" in wanted:
            made = folder(base / "predictions")
            predictions(5_000_000).write_parquet(made / "predictions.parquet")
            report("5,000,000 predictions", made / "predictions.parquet", made, home)
        if "trials" in wanted:
            made = folder(base / "trials", trials=3000)
            report("3,000 trials", made / "trials.parquet", made, home)
        if "csv" in wanted:
            made = folder(base / "csv")
            (made / "predictions.parquet").unlink()
            frame = predictions(400_000).with_columns(pl.col("timestamp").dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
            frame.write_csv(made / "predictions.csv")
            report("a CSV of 400,000 predictions", made / "predictions.csv", made, home)


if __name__ == "__main__":
    main(sys.argv[1:] or ["usual", "predictions", "trials", "csv"])
