"""Sections 1.1 and 11.2: how long inference takes, in either version, and what it needs.

A benchmark counts where it is of the registered version. A latency is held against another one only where both were
measured alike; what was measured comes before what was declared.
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
"""The name of an old latency that is no partner of the new one."""


def benchmark_summary(evidence: Evidence, version: str) -> BenchmarkSummary | None:
    """The figures of the benchmark, without values where it is not of the registered version; None without one."""
    found = evidence.benchmark
    if found is None:
        return None
    why = _objection(found, evidence.candidate, version)
    named = {
        "median": (found.median_ms, Unit.MILLISECONDS),
        "p95": (found.p95_ms, Unit.MILLISECONDS),
        "p99": (found.p99_ms, Unit.MILLISECONDS),
        "memory": (found.memory_mb, Unit.MEGABYTES),
        "rate": (found.predictions_per_second, Unit.PER_SECOND),
    }
    figures = {
        key: absent(f"benchmark.{key}", why, unit=unit)
        if why
        else Quantity(name=f"benchmark.{key}", value=value, unit=unit, n=found.calls, source=found.words)
        for key, (value, unit) in named.items()
    }
    return BenchmarkSummary(**figures, words="" if why else found.words, refused=why)


def inference_latencies(evidence: Evidence, version: str, previous: str | None) -> tuple[Quantity, Quantity, Latencies]:
    """The p95 of both versions, what each was measured by, and why they cannot be compared."""
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
        found = latency_quantile(NEW, evidence.paper, 0.95)
        if found.is_provided:
            return found, LatencyKind.PAPER
    return _declared(NEW, evidence.candidate)


def _old(evidence: Evidence, previous: str | None) -> tuple[Quantity, LatencyKind | None]:
    measured = _measured(OLD, evidence.benchmark_previous, evidence.champion, previous or "")
    return _declared(OLD, evidence.champion) if measured is None else (measured, LatencyKind.BENCHMARK)


def _incomparable(evidence: Evidence, new: LatencyKind, old: LatencyKind) -> str:
    if new is not old:
        return "they were not measured alike"
    own, theirs = evidence.benchmark, evidence.benchmark_previous
    if new is LatencyKind.BENCHMARK and own is not None and theirs is not None and own.machine != theirs.machine:
        return "they were measured on different machines"
    return ""


def _measured(
    name: str, found: Benchmark | None, registered: RegisteredVersion | None, version: str
) -> Quantity | None:
    if found is None or _objection(found, registered, version):
        return None
    return Quantity(name=name, value=found.p95_ms, unit=Unit.MILLISECONDS, n=found.calls, source=found.words)


def _declared(name: str, registered: RegisteredVersion | None) -> tuple[Quantity, LatencyKind | None]:
    value = None if registered is None else registered.metrics.get(DECLARED)
    if registered is None or value is None or not np.isfinite(value):
        return absent(
            name, f"nobody measured it, and the registry has no metric {DECLARED}", unit=Unit.MILLISECONDS
        ), None
    source = f"declared in the registry, {registered.model} {registered.version}"
    return Quantity(name=name, value=value, unit=Unit.MILLISECONDS, source=source), LatencyKind.DECLARED


def _objection(found: Benchmark, registered: RegisteredVersion | None, version: str) -> str:
    return objection(found, None if registered is None else registered.pin, version)
