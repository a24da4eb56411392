"""Point-in-time replay: would the features of a date have been the same, had the future not yet happened?

The features are computed once from everything, and again for each sampled date from what was known by then. Whatever
differs used something that nobody knew. A second pass scrambles what was not yet known instead of removing it.

It judges a function and its inputs, not the files that the inputs came from: values that were revised before they got
here look as if they had always been known. A leak that shows on few dates may fall between the sampled ones.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from math import inf

import numpy as np
import polars as pl

from signoff.pit.errors import ReplayError
from signoff.pit.features import Compute, at, computed, gaps, has_value, names, scales
from signoff.pit.knowledge import (
    Inputs,
    check_inputs,
    happened_by,
    known_by,
    last_instant,
    latest_knowledge,
    scrambled_after,
)
from signoff.pit.report import Finding, PitReport

Progress = Callable[[int, int], None]


def check(
    compute: Compute,
    inputs: Inputs,
    *,
    sample: int = 50,
    seed: int = 0,
    tolerance: float = 1e-9,
    progress: Progress | None = None,
) -> PitReport:
    """Replay sampled dates without the future, and report one finding for each feature that changes.

    Parameters
    ----------
    compute : takes the inputs by name and returns timestamp, symbol and one column per feature, at most one row for a
        timestamp and symbol. It runs two times and then two or three times per date.
    inputs : tables with `timestamp`, and `available_at` where rows became known later than they happened.
    sample : how many dates to replay, drawn without replacement from those that have a feature and a future.
    seed : of the draw and of the scrambling.
    tolerance : relative difference that is rounding, against the value or the feature's median size.
    progress : called after each date with the number done and the number of all.

    Returns
    -------
    A `PitReport`, empty when nothing was found. A date on which the truncated computation fails, or gives no row where
    the full one did, is a truncation leak of infinite size for each feature that had a value; a date on which the
    scrambled computation fails shows nothing and is not counted in `dates_perturbed`.

    Raises
    ------
    ReplayError
        Inputs or features that cannot be placed in time, duplicate rows, impossible parameters. What `compute` raises
        on the full inputs passes through.
    """
    if sample < 1 or not tolerance >= 0:
        raise ReplayError(f"expected sample ≥ 1 and tolerance ≥ 0, found {sample} and {tolerance}.")
    check_inputs(inputs)
    replay = _Replay.of(compute, inputs, tolerance)
    dates_rng, scramble_rng = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    chosen = _draw(replay.checkable_dates(), sample, dates_rng)
    seen: set[str] = set()
    leaks: dict[str, _Leak] = {}
    perturbed = 0
    for done, when in enumerate(chosen, start=1):
        used = replay.used(when)
        seen.update(feature for feature in replay.scales if has_value(used[feature]).any())
        for kind, feature, size, reason in replay.truncated(when, used):
            leaks.setdefault(feature, _Leak()).add(kind, when, size, reason)
        moved = replay.perturbed(when, used, scramble_rng)
        perturbed += moved is not None
        for feature, size in (moved or {}).items():
            leaks.setdefault(feature, _Leak()).add("perturbation", when, size)
        if progress is not None:
            progress(done, len(chosen))
    unstable = replay.unstable(chosen)
    findings = {feature: leak.finding(feature, len(chosen)) for feature, leak in leaks.items()} | unstable
    return PitReport(
        (findings[feature] for feature in replay.scales if feature in findings),
        dates_checked=len(chosen),
        features_checked=len(seen),
        dates_perturbed=perturbed,
        unchecked_features=tuple(feature for feature in replay.scales if feature not in seen),
        seed=seed,
        tolerance=tolerance,
    )


@dataclass(slots=True)
class _Leak:
    """What one feature did on the dates seen so far."""

    sizes: dict[str, list[float]] = field(default_factory=dict)
    first_date: date | datetime | None = None
    last_date: date | datetime | None = None
    dates: int = 0
    reason: str = ""

    def add(self, kind: str, when: date | datetime, size: float, reason: str = "") -> None:
        self.sizes.setdefault(kind, []).append(size)
        self.first_date = self.first_date or when
        self.dates += when != self.last_date
        self.last_date = when
        self.reason = self.reason or reason

    def finding(self, feature: str, dates: int) -> Finding:
        """One finding, named by what explains most: removal before scrambling, late knowledge where it explains all."""
        assert self.first_date is not None
        kind = next(kind for kind in _KINDS if kind in self.sizes)
        counts = "; ".join(f"{_SHOWN[kind]} on {len(self.sizes[kind])} of {dates} dates" for kind in self.sizes)
        return Finding(
            feature=feature,
            kind=kind,
            first_date=self.first_date,
            size=max(self.sizes[kind]),
            detail=f"{counts}. {self.reason}".strip(),
            n=self.dates,
            of=dates,
        )


_KINDS = ("truncation", "knowledge_time", "perturbation")
_SHOWN = {
    "truncation": "changes when later rows are removed",
    "knowledge_time": "uses rows that had happened and were not yet available",
    "perturbation": "moves when what was not yet known is scrambled",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Replay:
    """One feature function on one set of inputs, with what it made of all of them, twice."""

    compute: Compute
    inputs: Inputs
    tolerance: float
    full: pl.DataFrame
    again: pl.DataFrame
    scales: dict[str, float]

    @classmethod
    def of(cls, compute: Compute, inputs: Inputs, tolerance: float) -> "_Replay":
        full = computed(compute, dict(inputs))
        if not names(full):
            raise ReplayError(f"features: expected at least one beside timestamp and symbol; found {full.columns}.")
        again = computed(compute, dict(inputs))
        return cls(compute=compute, inputs=inputs, tolerance=tolerance, full=full, again=again, scales=scales(full))

    def checkable_dates(self) -> pl.Series:
        """Distinct timestamps, sorted, that carry a feature and have something after them to remove."""
        if not self.full.height:
            return pl.Series("timestamp", [], dtype=pl.Date)
        carries = np.column_stack([has_value(self.full[feature]) for feature in self.scales]).any(axis=1)
        has_future = latest_knowledge(self.full["timestamp"]) < last_instant(self.inputs)
        return self.full["timestamp"].filter(has_future & pl.Series(carries)).unique().sort()

    def used(self, when: date | datetime) -> pl.DataFrame:
        """The features of one date as the full inputs give them."""
        return self._at(self.full, when)

    def truncated(self, when: date | datetime, used: pl.DataFrame) -> Iterator[tuple[str, str, float, str]]:
        """Kind, feature, size and reason of what changes on one date when what was not yet known is removed."""
        instant = self._instant(when)
        known, happened = known_by(self.inputs, instant), happened_by(self.inputs, instant)
        changed, reason = self._changed(known, when, used)
        if not changed:
            return
        has_late_rows = any(known[name].height != happened[name].height for name in known)
        still_changed = self._changed(happened, when, used)[0] if has_late_rows else changed
        for feature, size in changed.items():
            yield ("truncation" if feature in still_changed else "knowledge_time"), feature, size, reason

    def perturbed(self, when: date | datetime, used: pl.DataFrame, rng: np.random.Generator) -> dict[str, float] | None:
        """What moves on one date when what was not yet known is scrambled; None where that cannot be computed."""
        scrambled = scrambled_after(self.inputs, self._instant(when), rng)
        try:
            replayed = computed(self.compute, scrambled)
        except Exception:  # noqa: BLE001 - a user's function may refuse values that no market ever gave
            return None
        return gaps(used, self._at(replayed, when), self.scales, self.tolerance)

    def unstable(self, dates: list[date | datetime]) -> dict[str, Finding]:
        """Features that two runs on the same inputs do not agree on."""
        sizes: dict[str, list[tuple[date | datetime, float]]] = {}
        for when in dates:
            for feature, size in gaps(self.used(when), self._at(self.again, when), self.scales, self.tolerance).items():
                sizes.setdefault(feature, []).append((when, size))
        return {
            feature: Finding(
                feature=feature,
                kind="nondeterminism",
                first_date=shown[0][0],
                size=max(size for _, size in shown),
                detail=f"two runs on the same inputs disagree on {len(shown)} of {len(dates)} dates; fix the seed",
                n=len(shown),
                of=len(dates),
            )
            for feature, shown in sizes.items()
        }

    def _changed(
        self, inputs: dict[str, pl.DataFrame], when: date | datetime, used: pl.DataFrame
    ) -> tuple[dict[str, float], str]:
        """What differs on one date when computed from `inputs`, and what went wrong if that failed."""
        try:
            replayed = computed(self.compute, inputs)
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything; not reproducible is a leak
            carried = {feature: inf for feature in self.scales if has_value(used[feature]).any()}
            return carried, f"Replaying {when} failed with {type(error).__name__}: {error}"
        return gaps(used, self._at(replayed, when), self.scales, self.tolerance), ""

    def _at(self, frame: pl.DataFrame, when: date | datetime) -> pl.DataFrame:
        return at(frame, self._instant(when))

    def _instant(self, when: date | datetime) -> int:
        return int(latest_knowledge(pl.Series([when], dtype=self.full.schema["timestamp"]))[0])


def _draw(dates: pl.Series, sample: int, rng: np.random.Generator) -> list[date | datetime]:
    """A sorted sample without replacement."""
    chosen = np.sort(rng.choice(dates.len(), size=min(sample, dates.len()), replace=False))
    drawn: list[date | datetime] = dates[chosen].to_list()
    return drawn
