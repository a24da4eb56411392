"""Sections 1.1 and 11.2: the latency of inference in both versions, and its resources.

A benchmark counts only if it is of the registered version. Latencies are compared only if both were measured alike; a
measured one takes precedence over a declared one.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from signoff.domain.assessment import BenchmarkSummary, Latencies, LatencyKind
from signoff.domain.benchmark import Benchmark, objection
from signoff.domain.evidence import Evidence, RegisteredVersion
from signoff.domain.gates.figures import absent
from signoff.domain.gates.paper import latency_quantile
from signoff.domain.quantity import Quantity, Unit

DECLARED: Final = "latency_p95_ms"
NEW: Final = "latency_p95.new"
OLD: Final = "latency_p95.old"
NOT_COMPARED: Final = "latency_p95_previous"
"""The name of an old latency that cannot be compared with the new one."""


def benchmark_summary(evidence: Evidence, version: str) -> BenchmarkSummary | None:
    """The figures of the benchmark, without values if it is not of the registered version; None without one."""
    benchmark = evidence.benchmark
    if benchmark is None:
        return None
    why = _objection(benchmark, evidence.candidate, version)
    named = {
        "median": (benchmark.median_ms, Unit.MILLISECONDS),
        "p95": (benchmark.p95_ms, Unit.MILLISECONDS),
        "p99": (benchmark.p99_ms, Unit.MILLISECONDS),
        "memory": (benchmark.memory_mb, Unit.MEGABYTES),
        "rate": (benchmark.predictions_per_second, Unit.PER_SECOND),
    }
    figures = {
        key: absent(f"benchmark.{key}", why, unit=unit)
        if why
        else Quantity(name=f"benchmark.{key}", value=value, unit=unit, n=benchmark.calls, source=benchmark.words)
        for key, (value, unit) in named.items()
    }
    return BenchmarkSummary(**figures, words="" if why else benchmark.words, refused=why)


def inference_latencies(evidence: Evidence, version: str, previous: str | None) -> tuple[Quantity, Quantity, Latencies]:
    """The p95 of both versions, how each was measured, and why they cannot be compared."""
    new, new_kind = _new(evidence, version)
    old, old_kind = _old(evidence, previous)
    why = ""
    if new_kind is not None and old_kind is not None:
        why = _incomparable(evidence, new_kind, old_kind)
    kinds = Latencies(new=new_kind, old=old_kind, incomparable=why)
    return new, replace(old, name=NOT_COMPARED) if why else old, kinds


def _new(evidence: Evidence, version: str) -> tuple[Quantity, LatencyKind | None]:
    if (measured := _measured(NEW, evidence.benchmark, evidence.candidate, version)) is not None:
        return measured, LatencyKind.BENCHMARK
    if evidence.paper is not None:
        paper = latency_quantile(NEW, evidence.paper, 0.95)
        if paper.is_provided:
            return paper, LatencyKind.PAPER
    return _declared(NEW, evidence.candidate)


def _old(evidence: Evidence, previous: str | None) -> tuple[Quantity, LatencyKind | None]:
    measured = _measured(OLD, evidence.benchmark_previous, evidence.champion, previous or "")
    return _declared(OLD, evidence.champion) if measured is None else (measured, LatencyKind.BENCHMARK)


def _incomparable(evidence: Evidence, new: LatencyKind, old: LatencyKind) -> str:
    if new is not old:
        return "they were not measured alike"
    own, other = evidence.benchmark, evidence.benchmark_previous
    if new is LatencyKind.BENCHMARK and own is not None and other is not None and own.machine != other.machine:
        return "they were measured on different machines"
    return ""


def _measured(name: str, run: Benchmark | None, registered: RegisteredVersion | None, version: str) -> Quantity | None:
    if run is None or _objection(run, registered, version):
        return None
    return Quantity(name=name, value=run.p95_ms, unit=Unit.MILLISECONDS, n=run.calls, source=run.words)


def _declared(name: str, registered: RegisteredVersion | None) -> tuple[Quantity, LatencyKind | None]:
    value = None if registered is None else registered.metrics.get(DECLARED)
    if registered is None or value is None or not np.isfinite(value):
        return absent(
            name, f"it was not measured, and the registry has no metric {DECLARED}", unit=Unit.MILLISECONDS
        ), None
    source = f"declared in the registry, {registered.model} {registered.version}"
    return Quantity(name=name, value=value, unit=Unit.MILLISECONDS, source=source), LatencyKind.DECLARED


def _objection(benchmark: Benchmark, registered: RegisteredVersion | None, version: str) -> str:
    return objection(benchmark, None if registered is None else registered.pin, version)
