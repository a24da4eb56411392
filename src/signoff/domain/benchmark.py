"""The result of `signoff benchmark` for one registered version, and whether it belongs to a release.

A benchmark names its bytes, and counts for a release only if the registry has exactly those.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from annotated_types import Ge, Gt, Interval, Len, MinLen

from signoff.domain.artifacts import Pin
from signoff.domain.policy import Strict

Text = Annotated[str, MinLen(1)]
Positive = Annotated[float, Gt(0)]
SHORT: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark(Strict):
    """Latencies are of single rows, observed values by nearest rank; `predictions_per_second` is of one large table.

    `memory_mb` is the peak of the process that loads and runs the model, None if the system does not report it.
    `digest` names every file of the registered version.
    """

    model: Text
    version: Text
    registry_version: Annotated[int, Ge(1)]
    run_id: Text
    digest: Annotated[str, Len(64, 64)]
    format: Text
    measured_at: datetime
    machine: Text
    runtime: Text
    isolation: Text
    calls: Annotated[int, Ge(1)]
    known_rows: Annotated[int, Ge(1)]
    median_ms: Positive
    p95_ms: Positive
    p99_ms: Positive
    memory_mb: Positive | None
    batch_rows: Annotated[int, Ge(1)]
    predictions_per_second: Positive
    largest_difference: Annotated[float, Interval(ge=0.0, lt=1.0)]

    def __post_init__(self) -> None:
        if not self.median_ms <= self.p95_ms <= self.p99_ms:
            raise ValueError(
                f"median {self.median_ms:g}, p95 {self.p95_ms:g} and p99 {self.p99_ms:g} ms are not in order"
            )
        if self.measured_at.utcoffset() is None:
            raise ValueError("measured_at has no zone")

    @property
    def words(self) -> str:
        """The source of its figures, for the memo."""
        return (
            f"measured by signoff benchmark on registered version {self.registry_version}, "
            f"{self.measured_at:%Y-%m-%d}, {self.machine}"
        )


def objection(benchmark: Benchmark, registered: Pin | None, version: str) -> str:
    """Why a benchmark is not of the registered version; "" if it is."""
    if benchmark.version != version:
        return f"it is of v{benchmark.version}, and the release needs one of v{version}"
    if registered is None:
        return f"no registry says which bytes v{version} has"
    pairs = (
        ("model", benchmark.model, registered.model),
        ("registered version", benchmark.registry_version, registered.number),
        ("run", benchmark.run_id, registered.run_id),
        ("digest", benchmark.digest[:SHORT], registered.digest[:SHORT]),
    )
    if benchmark.digest == registered.digest and all(own == its for _, own, its in pairs):
        return ""
    what, own, its = next((pair for pair in pairs if pair[1] != pair[2]), pairs[-1])
    return f"it is of {what} {own}, and the registry has {what} {its}"
