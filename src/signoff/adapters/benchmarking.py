"""Measures a registered version: its bytes are copied from the registry, hashed, and run in a child process.

The child is the sandbox of all foreign code. A measurement in the process of a server or command would include that
process's memory and threads.
"""

import hashlib
import os
import platform
from collections.abc import Callable, Iterator
from datetime import datetime
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Final

import numpy as np

from signoff.adapters.foreign_files import kind_of, open_regular
from signoff.adapters.sandbox.child import Sandbox, Timings
from signoff.domain.artifacts import Pin
from signoff.domain.benchmark import Benchmark
from signoff.domain.errors import BadInputError, UnavailableError

BATCH_ROWS: Final = 10_000
SECONDS: Final = 60.0
BELIEVED: Final = 0.5
"""The share of the time seen here that a child must account for; less would mean another clock."""
TRIFLE_S: Final = 0.25
CHUNK: Final = 1 << 20
LIBRARIES: Final = {"lightgbm-text": "lightgbm", "xgboost-json": "xgboost", "onnx": "onnxruntime"}


def measure(
    folder: Path,
    declared: dict[str, str],
    registered: Pin,
    version: str,
    sandbox: Sandbox,
    *,
    calls: int,
    now: Callable[[], datetime],
    tolerance: float,
) -> Benchmark:
    """Run this folder's model in a child. Refused if its output differs from the registered one."""
    with sandbox.start(folder) as child:
        seen = child.benchmark(declared, calls=calls, batch_rows=BATCH_ROWS, seconds=min(SECONDS, sandbox.seconds / 3))
        ran = child.protection
    where = f"{registered.model} v{version} (registered version {registered.number})"
    difference, rows = _difference(seen, where, tolerance)
    singles, batches = np.frombuffer(seen.singles), np.frombuffer(seen.batches)
    _refuse_other_clock(seen, where)
    ordered = np.sort(singles) * 1000.0
    return Benchmark(
        model=registered.model,
        version=version,
        registry_version=registered.number,
        run_id=registered.run_id,
        digest=registered.digest,
        format=declared["format"],
        measured_at=now(),
        machine=machine(),
        runtime=_runtime(declared["format"]),
        isolation=ran.words,
        calls=singles.size,
        known_rows=rows,
        median_ms=_rank(ordered, 0.5),
        p95_ms=_rank(ordered, 0.95),
        p99_ms=_rank(ordered, 0.99),
        memory_mb=None if seen.memory is None else round(seen.memory / 1e6, 1),
        batch_rows=int(batches[0]),
        predictions_per_second=float(f"{batches[0] / float(np.median(batches[1:])):.4g}"),
        largest_difference=difference,
    )


def machine() -> str:
    """The processor, the number of usable cores, and the system."""
    try:
        allowed = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        allowed = os.cpu_count() or 1
    cores = f"{allowed} core" if allowed == 1 else f"{allowed} cores"
    return f"{_processor()}, {cores}, {platform.system()} {platform.machine()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next((" ".join(name.split()) for name in named if name), platform.processor() or "unnamed processor")


def _runtime(of: str) -> str:
    parts = [f"Python {platform.python_version()}"]
    if (library := LIBRARIES.get(of)) is not None:
        try:
            parts.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            parts.append(_provided(library))
    return ", ".join(parts)


def _provided(library: str) -> str:
    """The version of a library that a distribution of another name provides."""
    for name in packages_distributions().get(library, ()):
        return f"{library} {version(name)}"
    return f"{library}, whose version is unknown"


def _rank(ordered: np.ndarray, share: float) -> float:
    """The observed value within which this share of the calls stayed, to four significant digits."""
    return float(f"{float(np.quantile(ordered, share, method='inverted_cdf')):.4g}")


def _difference(seen: Timings, where: str, tolerance: float) -> tuple[float, int]:
    expected, predictions = np.frombuffer(seen.expected), np.frombuffer(seen.predicted)
    if expected.shape != predictions.shape or not expected.size:
        raise BadInputError(
            f"Expected {expected.size} predictions of {where} for its known input, found {predictions.size}. Register "
            "the version again with its known input and output."
        )
    worst = float(np.max(np.abs(predictions - expected)))
    if not worst <= tolerance:
        raise BadInputError(
            f"Expected {where} to give what it gave when it was registered, found a difference of {worst:.1e} on its "
            "known input. A benchmark of a model that does not work says nothing; register a version that does."
        )
    return worst, int(expected.size)


def _refuse_other_clock(seen: Timings, where: str) -> None:
    """Refuse timings that do not account for the time seen here: foreign code measured itself."""
    singles, batches = np.frombuffer(seen.singles), np.frombuffer(seen.batches)
    if not (singles.size and batches.size > 1 and np.isfinite(singles).all() and np.isfinite(batches).all()):
        raise BadInputError(f"Expected timings of {where}, found none that are numbers. Measure again.")
    if not ((singles > 0).all() and (batches > 0).all()):
        raise BadInputError(f"Expected timings of {where} above zero, found others. Measure again.")
    reported_s = float(singles.sum() + batches[1:].sum())
    if reported_s < BELIEVED * seen.took - TRIFLE_S:
        raise BadInputError(
            f"Expected the calls of {where} to account for the {seen.took:.2f} s that they took, found "
            f"{reported_s:.2f} s: the model's code, or another load on this machine, disturbed the measurement. "
            "Measure again on a quiet machine."
        )


def _hashed(folder: Path) -> Iterator[tuple[str, str]]:
    for place, folders, names in os.walk(folder, followlinks=False):
        for name in (*names, *folders):
            path = Path(place, name)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise UnavailableError(f"{path}: expected an artefact, found {kind_of(path)}. Log the file itself.")
            if path.is_file():
                yield path.relative_to(folder).as_posix(), _sha256(path)


def _sha256(path: Path) -> str:
    handle, digest = open_regular(path), hashlib.sha256()
    try:
        while chunk := os.read(handle, CHUNK):
            digest.update(chunk)
    finally:
        os.close(handle)
    return digest.hexdigest()
