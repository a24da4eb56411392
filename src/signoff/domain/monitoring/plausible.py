"""Whether features and predictions behave as before in size, moves and variety.

A number can be finite, on time and wrong: a changed unit, a flipped sign, last week's value, one answer for everything.
Each session is compared with sessions of training, evidence or journal, since a month hides a day. An unusual figure
makes others unknown, since their values without it are unknown.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from signoff.domain.evidence import Days, Floats
from signoff.domain.monitoring import usual as of
from signoff.domain.monitoring.measurement import Earlier, Measurement
from signoff.domain.monitoring.operational import Outcomes
from signoff.domain.monitoring.readings import NOT_YET, Figure, some, too_few
from signoff.domain.monitoring.usual import LAGS, MIN_SESSIONS, Layout, figures, unusual, usual_so_far
from signoff.domain.profiles import Range, Usual

# The level is not among them: PSI shows a drift over weeks, and a step shows a move within a day.
SIZES: Final = (of.HIGHEST, of.LOWEST, of.SPREAD)
MOVES: Final = (of.STEP, of.AGREEMENT)
# Until the usual variety is known, few values means that at most half are different.
FEW_ANSWERS: Final = 0.5
WORDS: Final = {
    of.HIGHEST: ("highest value", "{:.4g}"),
    of.LOWEST: ("lowest value", "{:.4g}"),
    of.LEVEL: ("median", "{:.4g}"),
    of.SPREAD: ("spread", "{:.4g}"),
    of.SIZE: ("largest size", "{:.4g}"),
    of.STEP: ("largest move since the session before", "{:.4g}"),
    of.AGREEMENT: ("correlation with the session before", "{:.2f}"),
    of.STILL: ("share of values as in an earlier session", "{:.0f}%"),
    of.COMMONEST: ("share of the commonest value", "{:.0f}%"),
    of.DISTINCT: ("share of different values", "{:.0f}%"),
}
_AS_SHOWN: Final[dict[str, Callable[[float], float]]] = {
    of.SPREAD: lambda value: float(np.exp(value)),
    of.SIZE: lambda value: float(np.exp(value)),
    of.AGREEMENT: lambda value: float(np.tanh(value)),
    of.STILL: lambda value: 100 * value,
    of.COMMONEST: lambda value: 100 * value,
    of.DISTINCT: lambda value: 100 * value,
}


def unusual_text(key: str, value: float, span: Range, where: str) -> str:
    """An unusual figure beside its usual range."""
    name, form = WORDS[key]
    shown = _AS_SHOWN.get(key, float)
    now, least, most = (form.format(shown(each)).replace("-", "−") for each in (value, span.least, span.most))
    return f"{name} {now}, {least} to {most} in {span.n:,} sessions of {where}"


@dataclass(frozen=True, kw_only=True, eq=False)
class FeatureValues:
    """The features of the session and the few sessions before it; `unjudged` ones have gaps or are lost."""

    measured: Measurement
    unjudged: Mapping[str, str]
    recent: NDArray[np.bool_]
    layout: Layout
    n: int

    @classmethod
    def of(cls, measured: Measurement, unjudged: Mapping[str, str]) -> "FeatureValues":
        features, today = measured.features, np.datetime64(measured.session, "D")
        days = np.unique(features.sessions)
        days = days[days <= today][-LAGS - 1 :]
        recent = np.isin(features.sessions, days)
        symbols = None if features.symbols is None else features.symbols[recent]
        layout = Layout.of(features.sessions[recent], symbols)
        n = int((features.sessions == today).sum())
        return cls(measured=measured, unjudged=unjudged, recent=recent, layout=layout, n=n)

    @cached_property
    def figures(self) -> dict[str, tuple[dict[str, Floats], int]]:
        """The figures of each feature of training, and its number of values in the session."""
        by_feature = {}
        for name, reference in self.measured.baseline.columns.items():
            if (column := self.measured.features.columns.get(name)) is not None:
                table = self.layout.table(column[self.recent])
                by_feature[name] = (figures(table, reference.usual.scale), int(np.isfinite(table[-1]).sum()))
        return by_feature

    def unusual(self, keys: tuple[str, ...], *, has_past: bool = False) -> Figure:
        """The number of features that are unusual in these figures or cannot be judged."""
        columns, why = self.measured.baseline.columns, self._why(has_past=has_past)
        faults, short = list(self.unjudged.values()), 0
        for name, (now, n) in self.figures.items() if not why else ():
            if name in self.unjudged:
                continue
            short += of.LEVEL not in columns[name].usual.ranges
            if (fault := unusual(now, columns[name].usual, keys, n)) is not None:
                faults.append(f"{name}: {unusual_text(*fault, where='training')}")
        if short and not faults:
            sessions = max(int(np.unique(reference.sessions).size) for reference in columns.values())
            why = f"training has too few sessions to say what is usual: {too_few(sessions, MIN_SESSIONS)}"
        return Figure(
            value=len(faults),
            n=self.n,
            needed=1,
            as_of=self.measured.session if self.n else None,
            why=why,
            detail=some(faults),
            is_young=bool(why) and why == self._first(),
        )

    def _why(self, *, has_past: bool) -> str:
        if not self.n:
            return f"no feature is journaled for {self.measured.session}"
        if not self.measured.baseline.columns:
            return "the training period has no feature"
        if not has_past:
            return ""
        before = _before(self.measured)[-1:]
        gone = before[~np.isin(before, self.layout.days)]
        if gone.size:
            return f"the features of {gone[0]} are missing, and an earlier session is needed to tell what moved"
        return self._first() if self.layout.days.size < 2 else ""

    def _first(self) -> str:
        """Why the first session of a release cannot be compared with one before it."""
        return f"no session before {self.measured.session} to tell what moved: {too_few(0, 1)}"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PredictionValues:
    """The predictions of the last few sessions and this one, one row a session."""

    measured: Measurement
    values: Floats
    recent: Floats
    evidence: tuple[tuple[Usual, str], ...]
    journal: tuple[tuple[Usual, str], ...]
    sessions: int
    why: str

    @classmethod
    def of(cls, measured: Measurement, outcomes: Outcomes) -> "PredictionValues":
        """The predictions, with the usual ranges by evidence and journal."""
        values, why = _values(measured, outcomes)
        past, approved = _past(measured.earlier), measured.approved
        so_far, usual = usual_so_far(past, alike=True), None if approved is None else approved.predictions
        return cls(
            measured=measured,
            values=values,
            recent=_recent(measured, values),
            evidence=() if usual is None else ((usual, "the evidence"),),
            journal=() if so_far is None else ((so_far, "the journal"),),
            sessions=past.shape[0],
            why=why,
        )

    def alike(self) -> Figure:
        """Whether the session has fewer different values than usual."""
        keys = (of.COMMONEST, of.DISTINCT)
        return self._compared(keys, self.why) or self._young(self.why, _few(self.values, self._n))

    def frozen(self) -> Figure:
        """Whether predictions repeat an earlier session more than usual."""
        why = self.why or _no_past(self.measured)
        is_daily = all(usual.is_daily for usual, _ in self.evidence)
        return self._compared((of.STILL,), why, is_daily=is_daily) or self._young(why, _frozen(self.recent))

    def out_of_range(self) -> Figure:
        """Whether predictions are of an unusual size; not judged until that is known."""
        if (ranged := self._compared((of.SIZE, of.SPREAD), self.why)) is not None:
            return ranged
        gone = _past_lost(self.measured, self.sessions)
        return replace(self._figure, why=self.why or gone) if gone else NOT_YET

    @property
    def _n(self) -> int:
        return int(np.isfinite(self.values).sum())

    @property
    def _figure(self) -> Figure:
        return Figure(n=self._n, needed=1, as_of=self.measured.session if self._n else None)

    def _compared(self, keys: tuple[str, ...], why: str, *, is_daily: bool = True) -> Figure | None:
        """The comparison with the first reference that has these figures; None without one."""
        references = (*(self.evidence if is_daily else ()), *self.journal)
        having = [(usual, where) for usual, where in references if set(keys) & set(usual.ranges)]
        if not having:
            return None
        usual, where = having[0]
        n = int(np.isfinite(self.recent[-1]).sum()) if self.recent.size else 0
        fault = None if why else unusual(figures(self.recent, usual.scale, alike=True), usual, keys, n)
        detail = "" if fault is None else f"predictions: {unusual_text(*fault, where=where)}"
        return replace(self._figure, value=int(fault is not None), why=why, detail=detail)

    def _young(self, why: str, suspect: str) -> Figure:
        """Until usual ranges are known, only absolute faults count."""
        if why or not suspect:
            return replace(self._figure, value=0, why=why)
        waits = too_few(self.sessions, MIN_SESSIONS)
        why = f"{suspect}, and nothing shows yet whether that is usual: {waits} sessions"
        return replace(self._figure, n=self.sessions, needed=MIN_SESSIONS, why=why, is_young=True)


def _values(measured: Measurement, outcomes: Outcomes) -> tuple[Floats, str]:
    """The prediction of each row that did not fail, and why some are missing."""
    rows = measured.predictions
    if not outcomes.n:
        return np.empty(0), f"no prediction is journaled for {measured.session}"
    every = np.full(rows.timestamps.size, np.nan) if rows.values is None else rows.values
    values = np.where(np.isfinite(every) & ~(np.nan_to_num(rows.errors, nan=0.0) != 0.0), every, np.nan)
    if outcomes.doubled:
        return values, f"{outcomes.doubled} rows occur more than once"
    if gone := int(outcomes.unpredicted.sum()):
        return values, f"{gone} of {outcomes.n} predictions are no number"
    if not np.isfinite(values).any():
        return values, f"none of {outcomes.n} predictions has a value"
    return values, outcomes.incomplete


def _past(earlier: Earlier) -> Floats:
    """(S, N) the predictions of each earlier session."""
    return Layout.of(earlier.sessions, earlier.symbols).table(earlier.values)


def _recent(measured: Measurement, values: Floats) -> Floats:
    """(≤ 6, N) the predictions of the last sessions, this one in the last row."""
    earlier, rows = measured.earlier, measured.predictions
    near = np.isin(earlier.sessions, np.unique(earlier.sessions)[-LAGS:])
    today = np.full(rows.symbols.size, np.datetime64(measured.session, "D"))
    layout = Layout.of(
        np.concatenate([earlier.sessions[near], today]), np.concatenate([earlier.symbols[near], rows.symbols])
    )
    return layout.table(np.concatenate([earlier.values[near], values]))


def _few(values: Floats, n: int) -> str:
    """A sentence that the session has few different values."""
    distinct = np.unique(values[np.isfinite(values)]).size
    if n < 2 or distinct > FEW_ANSWERS * n:
        return ""
    return f"{n} predictions have {distinct} value{'' if distinct == 1 else 's'}"


def _frozen(recent: Floats) -> str:
    """A sentence that every prediction repeats an earlier session."""
    if not recent.size:
        return ""
    still = figures(recent, 0.0)[of.STILL][-1]
    return "every prediction is as in an earlier session" if still >= 1 else ""


def _no_past(measured: Measurement) -> str:
    """Why the session cannot be compared with the one before; "" if it can, or is the first."""
    before = _before(measured)[-1:]
    gone = before[~np.isin(before, measured.earlier.sessions)]
    return f"the predictions of {gone[0]} are missing, and an earlier session is needed to tell" if gone.size else ""


def _past_lost(measured: Measurement, sessions: int) -> str:
    """That enough sessions were lived to show what is usual, but predictions of too many are missing."""
    before = _before(measured)
    if sessions >= MIN_SESSIONS or before.size < MIN_SESSIONS:
        return ""
    gone = before[~np.isin(before, measured.earlier.sessions)]
    shown = f"of {before.size} lived sessions {gone.size} have no predictions, the first {gone[0]}"
    return f"{shown}: {too_few(sessions, MIN_SESSIONS)} to show what is usual"


def _before(measured: Measurement) -> Days:
    """The lived sessions before this one."""
    return measured.expected[measured.expected < np.datetime64(measured.session, "D")]
