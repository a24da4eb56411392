"""Point-in-time replay: whether the features of a date are the same without the future.

The features are computed once from everything, and again for each sampled date from what was known by then. A feature
that differs used the future. A second pass scrambles the unknown values instead of removing them.

It judges a function and its inputs, not the source files: values that were revised earlier look as if they had always
been known. A leak on few dates may be missed by the sample.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain
from math import inf

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.pit.coverage import Decisions, ReplayCoverage, coverage
from signoff.pit.errors import ReplayError
from signoff.pit.features import Compute, at, computed, computed_at, gaps, has_value, names, scales
from signoff.pit.knowledge import (
    DAY_US,
    Inputs,
    check_inputs,
    happened_by,
    instants,
    known_by,
    last_instant,
    latest_knowledge,
    scrambled_after,
)
from signoff.pit.report import PitReport, ReplayFinding
from signoff.pit.unmoved import unmoved_by

Progress = Callable[[int, int], None]


def check(
    compute: Compute,
    inputs: Inputs,
    *,
    sample: int = 50,
    seed: int = 0,
    tolerance: float = 1e-9,
    progress: Progress | None = None,
    replay: Compute | None = None,
    from_times: Collection[str] = (),
    decisions: Decisions | None = None,
) -> PitReport:
    """Replay sampled dates without the future, and report one finding for each feature that changes.

    Parameters
    ----------
    compute : takes the inputs by name and returns timestamp, symbol and one column per feature, at most one row for a
        timestamp and symbol. It runs four times and then two or three times per date.
    inputs : tables with `timestamp`, and `available_at` where rows became known later than they happened.
    sample : how many dates to replay, drawn without replacement from those that have a feature and a future.
    seed : of the draw and of the scrambling.
    tolerance : relative difference that is rounding, against the value or the feature's median size.
    progress : called after each date with the number done and the number of all.
    replay : the same function where it never saw the full inputs, as in a process of its own; `compute` where absent.
        It is called for one date after the other, so what it remembers of earlier dates has nothing of later ones.
    from_times : features that are declared to be made of times and symbols alone, such as those of the calendar, and so
        do not move when values are scrambled. The report lists them as `declared`.
    decisions : when the record decided, None if unknown. Dates before the first of these days or after the last
        are drawn only where there are too few between them. The report says how many decisions are `covered`.

    Returns
    -------
    A `PitReport`, empty when nothing was found. A date on which the truncated computation fails, or gives no row where
    the full one did, is a truncation leak of infinite size for each feature that had a value; a date on which the
    scrambled computation fails shows nothing and is not counted in `dates_perturbed`. A feature that stays the same
    when all values of the inputs are scrambled, those of the past too, or keeps its order, does not come from them:
    "unmoved".

    Raises
    ------
    ReplayError
        Inputs or features that cannot be placed in time, duplicate rows, impossible parameters. What `compute` raises
        on the full inputs passes through.
    """
    plan = ReplayPlan.of(
        compute, inputs, sample=sample, seed=seed, tolerance=tolerance, from_times=from_times, decisions=decisions
    )
    replayed: list[ReplayedDate] = []
    for chunk in plan.chunks(dates_per_chunk=1):
        replayed += replay_chunk(replay or compute, inputs, chunk)
        if progress is not None:
            progress(len(replayed), len(plan.dates))
    return plan.report(replayed)


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedFeature:
    """A feature that changed on one date, and how; `reason` says what failed, if anything."""

    kind: str
    feature: str
    size: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayedDate:
    """The result of one date; `is_perturbed` is false if the computation refused scrambled values."""

    changes: tuple[MovedFeature, ...]
    is_perturbed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some dates to replay, with their features from the full inputs. Chunks are independent."""

    dates: pl.Series
    used: pl.DataFrame
    scales: dict[str, float]
    seed: int
    tolerance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """The dates of one feature function to replay, with its features from the full inputs, computed twice."""

    dates: pl.Series
    used: pl.DataFrame
    again: pl.DataFrame
    scales: dict[str, float]
    seed: int
    tolerance: float
    unmoved: dict[str, ReplayFinding] = field(default_factory=dict)
    from_times: frozenset[str] = frozenset()
    covered: ReplayCoverage | None = None

    @classmethod
    def of(
        cls,
        compute: Compute,
        inputs: Inputs,
        *,
        sample: int,
        seed: int,
        tolerance: float,
        from_times: Collection[str] = (),
        decisions: Decisions | None = None,
    ) -> "ReplayPlan":
        """Compute the features twice, and once of scrambled inputs; and draw the dates."""
        if sample < 1 or seed < 0 or not tolerance >= 0:
            raise ReplayError(
                f"expected sample ≥ 1, seed ≥ 0 and tolerance ≥ 0, found {sample}, {seed} and {tolerance}."
            )
        check_inputs(inputs)
        full = computed(compute, dict(inputs))
        if not names(full):
            raise ReplayError(f"features: expected at least one beside timestamp and symbol; found {full.columns}.")
        last = last_instant(inputs)
        dates = _draw(_checkable_dates(full, last), sample, np.random.default_rng([seed, 0]), decisions)
        again = computed(compute, dict(inputs))
        used, repeated = (rows_of(frame, dates) for frame in (full, again))
        sizes = scales(full)
        unmoved = unmoved_by(compute, inputs, full, dates, sizes, seed=seed, tolerance=tolerance)
        return cls(
            dates=dates,
            used=used,
            again=repeated,
            scales=sizes,
            seed=seed,
            tolerance=tolerance,
            unmoved={name: finding for name, finding in unmoved.items() if name not in from_times},
            from_times=frozenset(from_times),
            covered=None if decisions is None else coverage(decisions, _carried(full, last), inputs),
        )

    def chunks(self, *, dates_per_chunk: int) -> Iterator[Chunk]:
        """The dates in order, some at a time."""
        if self.dates.is_empty():
            return
        when, rows = latest_knowledge(self.dates).to_numpy(), latest_knowledge(self.used["timestamp"]).to_numpy()
        ordered, rows = self.used[np.argsort(rows, kind="stable")], np.sort(rows)
        for start in range(0, when.size, dates_per_chunk):
            dates = self.dates[start : start + dates_per_chunk]
            last = start + dates.len() - 1
            used = ordered[np.searchsorted(rows, when[start]) : np.searchsorted(rows, when[last], side="right")]
            yield Chunk(dates=dates, used=used, scales=self.scales, seed=self.seed, tolerance=self.tolerance)

    def report(self, *parts: Sequence[ReplayedDate]) -> PitReport:
        """The report on the dates. Each part has one entry for each date in order; parts are groups of symbols."""
        leaks: dict[str, _Leak] = {}
        for part in parts:
            for when, shown in zip(self.dates, part, strict=True):
                for change in shown.changes:
                    leaks.setdefault(change.feature, _Leak()).add(when, change)
        total = self.dates.len()
        leaked = {feature: leak.finding(feature, total) for feature, leak in leaks.items()}
        findings = self.unmoved | leaked | self._unstable()
        seen = {feature for feature in self.scales if has_value(self.used[feature]).any()}
        return PitReport(
            (findings[feature] for feature in self.scales if feature in findings),
            dates_checked=total,
            features_checked=len(seen),
            dates_perturbed=sum(all(shown.is_perturbed for shown in date) for date in zip(*parts, strict=True)),
            unchecked_features=tuple(feature for feature in self.scales if feature not in seen),
            seed=self.seed,
            tolerance=self.tolerance,
            declared=tuple(feature for feature in self.scales if feature in seen & self.from_times),
            covered=self.covered,
        )

    def _unstable(self) -> dict[str, ReplayFinding]:
        """Features that differ between two runs on the same inputs."""
        if self.used.equals(self.again):
            return {}
        sizes: dict[str, list[tuple[date | datetime, float]]] = {}
        for when in self.dates:
            instant = instant_of(when, self.dates.dtype)
            moved = gaps(at(self.used, instant), at(self.again, instant), self.scales, self.tolerance)
            for feature, size in moved.items():
                sizes.setdefault(feature, []).append((when, size))
        return {
            feature: ReplayFinding(
                feature=feature,
                kind="nondeterminism",
                first_date=shown[0][0],
                size=max(size for _, size in shown),
                detail=f"two runs on the same inputs disagree on {len(shown)} of {len(self.dates)} dates; fix the seed",
                n=len(shown),
                of=len(self.dates),
            )
            for feature, shown in sizes.items()
        }


def replay_chunk(compute: Compute, inputs: Inputs, chunk: Chunk) -> list[ReplayedDate]:
    """Replay each date of a chunk; the result depends on these arguments alone."""
    return [_Date.of(compute, inputs, chunk, when).replayed() for when in chunk.dates]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Date:
    """One date to be replayed."""

    compute: Compute
    inputs: Inputs
    chunk: Chunk
    when: date | datetime
    instant: int
    used: pl.DataFrame

    @classmethod
    def of(cls, compute: Compute, inputs: Inputs, chunk: Chunk, when: date | datetime) -> "_Date":
        instant = instant_of(when, chunk.dates.dtype)
        used = at(chunk.used, instant)
        return cls(compute=compute, inputs=inputs, chunk=chunk, when=when, instant=instant, used=used)

    def replayed(self) -> ReplayedDate:
        """The features that change if the future is removed or scrambled."""
        moved = self._perturbed()
        perturbations = (
            MovedFeature(kind="perturbation", feature=name, size=size) for name, size in (moved or {}).items()
        )
        return ReplayedDate(changes=tuple(chain(self._truncated(), perturbations)), is_perturbed=moved is not None)

    def _truncated(self) -> Iterator[MovedFeature]:
        published, happened = known_by(self.inputs, self.instant), happened_by(self.inputs, self.instant)
        changed, reason = self._changed(published)
        if not changed:
            return
        has_late_rows = any(published[name].height != happened[name].height for name in published)
        still_changed = self._changed(happened)[0] if has_late_rows else changed
        for feature, size in changed.items():
            kind = "truncation" if feature in still_changed else "knowledge_time"
            yield MovedFeature(kind=kind, feature=feature, size=size, reason=reason)

    def _perturbed(self) -> dict[str, float] | None:
        """The features that change if unknown values are scrambled; None if that cannot be computed."""
        rng = np.random.default_rng([self.chunk.seed, 1, self.instant % 2**64])
        try:
            replayed = computed_at(self.compute, scrambled_after(self.inputs, self.instant, rng), self.instant)
        except Exception:  # noqa: BLE001 - a user's function may refuse values that no market ever gave
            return None
        return self._gaps(replayed)

    def _changed(self, inputs: dict[str, pl.DataFrame]) -> tuple[dict[str, float], str]:
        """The features that differ when computed from `inputs`, and the error if that failed."""
        try:
            replayed = computed_at(self.compute, inputs, self.instant)
        except Exception as error:  # noqa: BLE001 - a user's function may raise anything; not reproducible is a leak
            carried = {feature: inf for feature in self.chunk.scales if has_value(self.used[feature]).any()}
            return carried, f"Replaying {self.when} failed with {type(error).__name__}: {error}"
        return self._gaps(replayed), ""

    def _gaps(self, replayed: pl.DataFrame) -> dict[str, float]:
        return gaps(self.used, replayed, self.chunk.scales, self.chunk.tolerance)


@dataclass(slots=True)
class _Leak:
    """The changes of one feature so far: by kind, the largest size on each date."""

    sizes: dict[str, dict[date | datetime, float]] = field(default_factory=dict)
    reasons: dict[date | datetime, str] = field(default_factory=dict)

    def add(self, when: date | datetime, change: MovedFeature) -> None:
        of_kind = self.sizes.setdefault(change.kind, {})
        of_kind[when] = max(of_kind.get(when, 0.0), change.size)
        if change.reason:
            self.reasons.setdefault(when, change.reason)

    def finding(self, feature: str, dates: int) -> ReplayFinding:
        """One finding, of the kind that explains most: removal before scrambling, late knowledge if it explains all."""
        kinds = [kind for kind in _SHOWN if kind in self.sizes]
        counts = "; ".join(f"{_SHOWN[kind]} on {len(self.sizes[kind])} of {dates} dates" for kind in kinds)
        sizes = list(self.sizes[kinds[0]].values())
        finite = [size for size in sizes if size < inf]
        if 0 < len(finite) < len(sizes):
            counts += f"; the largest change from one number to another is {max(finite):.3g}"
        reason = self.reasons[min(self.reasons)] if self.reasons else ""
        shown = set[date | datetime]().union(*self.sizes.values())
        return ReplayFinding(
            feature=feature,
            kind=kinds[0],
            first_date=min(shown),
            size=max(sizes),
            detail=f"{counts}. {reason}".strip(),
            n=len(shown),
            of=dates,
        )


_SHOWN = {
    "truncation": "changes when later rows are removed",
    "knowledge_time": "uses rows that had happened and were not yet available",
    "perturbation": "moves when what was not yet known is scrambled",
}


def instant_of(when: date | datetime, dtype: pl.DataType) -> int:
    """The latest knowledge of features of a date, in microseconds since 1970."""
    return int(latest_knowledge(pl.Series([when], dtype=dtype))[0])


def _checkable_dates(full: pl.DataFrame, last: int) -> pl.Series:
    """Distinct timestamps, sorted, that have a feature and later rows to remove."""
    if not full.height:
        return pl.Series("timestamp", [], dtype=pl.Date)
    has_future = latest_knowledge(full["timestamp"]) < last
    return full["timestamp"].filter(has_future & _carries(full)).unique().sort()


def _carried(full: pl.DataFrame, last: int) -> pl.DataFrame:
    """Timestamp and symbol of the rows with a feature, up to the last day of the inputs.

    That day has no future to remove, so it cannot leak. Features of later days repeat what was known by then.
    """
    if not full.height:
        return pl.DataFrame(schema={"timestamp": pl.Date, "symbol": pl.String})
    by_the_end = instants(full["timestamp"]) < (last // DAY_US + 1) * DAY_US
    return full.select("timestamp", "symbol").filter(by_the_end & _carries(full))


def _carries(full: pl.DataFrame) -> pl.Series:
    return pl.Series(np.column_stack([has_value(full[feature]) for feature in names(full)]).any(axis=1))


def _draw(dates: pl.Series, sample: int, rng: np.random.Generator, decisions: Decisions | None) -> pl.Series:
    """A sorted sample without replacement, one date from each equal part, from the record's dates first."""
    if decisions is None or not decisions.days.size or not dates.len():
        return dates[_one_of_each(dates.len(), sample, rng)]
    is_inside = (instants(dates) // DAY_US).is_between(int(decisions.days[0]), int(decisions.days[-1]))
    inside, outside = dates.filter(is_inside), dates.filter(~is_inside)
    chosen = inside[_one_of_each(inside.len(), sample, rng)]
    return chosen.append(outside[_one_of_each(outside.len(), sample - chosen.len(), rng)]).sort()


def _one_of_each(dates: int, sample: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Places of one date in each of `sample` parts, so that no long stretch is missed."""
    ends = np.linspace(0, dates, min(sample, dates) + 1).astype(np.intp)
    return rng.integers(ends[:-1], ends[1:])


def rows_of(frame: pl.DataFrame, dates: pl.Series) -> pl.DataFrame:
    """The rows of some dates."""
    if not frame.height:
        return frame
    is_chosen = np.isin(latest_knowledge(frame["timestamp"]).to_numpy(), latest_knowledge(dates).to_numpy())
    return frame.filter(pl.Series(is_chosen))
