"""Checks that the files of one release cover the same time and the same symbols.

Trials have exactly the backtest's dates, since they are compared row by row. Two files of the same kind share at
least half of their days; positions and paper returns may not lie outside of the period of their source.
"""

from pathlib import Path
from typing import Final

import numpy as np

from signoff.domain.dossier import PredictionKind
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import CodedSymbols, Days, Evidence, Floats, Instants, Source
from signoff.domain.sampling import Sampling, inferred

SHARED: Final = 0.5
SIDE: Final = 0.1
UNLIKE: Final = 50.0
"""The largest ratio of the typical returns of two tables; percentages are a hundred times fractions."""


def refuse_disagreement(folder: Path, evidence: Evidence) -> None:
    """Refuse files of different runs, and name both periods."""
    backtest = evidence.backtest
    first, last = backtest.period
    period = f"the period of the backtest ({first} to {last})"
    if evidence.trials is not None and not np.array_equal(evidence.trials.dates, backtest.dates):
        other = evidence.trials.dates
        raise BadInputError(
            f"{folder}: expected trials to have the dates of the backtest ({first} to {last}, "
            f"{backtest.dates.size} rows), found {other[0]} to {other[-1]}, {other.size} rows"
            f"{_first(other, backtest.dates)}{_of_two_frequencies(other, backtest.dates)}. Export both for the same "
            "period."
        )
    if evidence.backtest_previous is not None:
        _share(folder, evidence.backtest_previous.source, evidence.backtest_previous.dates, backtest.dates, period)
    if evidence.positions is not None:
        _share(folder, evidence.positions.source, evidence.positions.dates, backtest.dates, period, of_own=True)
    _refuse_two_units(folder, evidence)
    _refuse_predictions(folder, evidence, period)
    if evidence.paper is not None and evidence.paper_returns is not None:
        traded = _days(evidence.paper.timestamps)
        trading_period = f"the period of {evidence.paper.source.name} ({traded[0]} to {traded[-1]})"
        _overlap(folder, evidence.paper_returns.source, evidence.paper_returns.dates, traded, trading_period)


def _refuse_two_units(folder: Path, evidence: Evidence) -> None:
    """Refuse returns of two units: one declaration holds for every table."""
    own = _typical(evidence.backtest.returns)
    others = (evidence.backtest_previous, evidence.trials, evidence.paper_returns, evidence.stress)
    for other in others:
        size = 0.0 if other is None else _typical(other.returns)
        if other is None or not size or not own or 1 / UNLIKE < size / own < UNLIKE:
            continue
        raise BadInputError(
            f"{folder / other.source.name}: expected returns in the unit of {evidence.backtest.source.name}, found a "
            f"typical size of {size:.2g} beside {own:.2g}; one of them looks like percent. Write both as fractions, or "
            "both as percentages with evidence.return_unit: percent in dossier.yaml."
        )


def _typical(returns: Floats) -> float:
    """The median size of the returns that are not zero."""
    moved = np.abs(returns[returns != 0])
    return float(np.median(moved)) if moved.size else 0.0


def refuse_no_probabilities(folder: Path, evidence: Evidence, kind: PredictionKind) -> None:
    """Refuse predictions outside 0 to 1 where the dossier calls them probabilities."""
    if kind is not PredictionKind.PROBABILITY:
        return
    parts: list[tuple[Source, Floats]] = [
        (part.source, part.prediction)
        for part in (evidence.predictions, evidence.predictions_previous, evidence.paper)
        if part is not None
    ]
    for source, values in parts:
        wrong = np.flatnonzero((values < 0.0) | (values > 1.0))
        if wrong.size:
            row = int(wrong[0])
            raise BadInputError(
                f"{folder / source.name}: row {row + 1}, column prediction: expected a probability from 0 to 1, as "
                f"validation.prediction of the dossier says, found {values[row]:g}. Correct the file, or declare "
                "'score'."
            )


def refuse_probable_probabilities(
    folder: Path, evidence: Evidence, kind: PredictionKind, neutral: float | None
) -> None:
    """Ask whether scores that are never negative and centre on a half are probabilities, whose sign means nothing."""
    if kind is PredictionKind.PROBABILITY or neutral is not None:
        return
    for part in (evidence.predictions, evidence.predictions_previous):
        if part is None or not part.prediction.size:
            continue
        low, high = float(part.prediction.min()), float(part.prediction.max())
        for whole, unit in ((1.0, "from 0 to 1"), (100.0, "from 0 to 100")):
            if not (low >= 0 and whole / 2 < high <= whole and _is_about_half(part.prediction, whole / 2)):
                continue
            repair = "" if whole == 1 else "divide them by 100 and "
            raise BadInputError(
                f"{folder / part.source.name}: column prediction: expected scores whose sign is the direction, as "
                f"validation.prediction: score says, found {low:g} to {high:g}, none negative. Are they probabilities "
                f"{unit}, where {whole / 2:g} is no view? Then {repair}declare validation.prediction: probability. If "
                "0 is no view and every prediction is long, declare validation.score_neutral: 0. Nothing was written."
            )


def _is_about_half(values: Floats, half: float) -> bool:
    """Whether at least a tenth of the values lies on either side of the middle."""
    return float(np.mean(values < half)) >= SIDE and float(np.mean(values > half)) >= SIDE


def _refuse_predictions(folder: Path, evidence: Evidence, period: str) -> None:
    if evidence.predictions is None:
        return
    days = _days(evidence.predictions.timestamps)
    _overlap(folder, evidence.predictions.source, days, evidence.backtest.dates, period)
    if evidence.predictions_previous is not None:
        previous = evidence.predictions_previous
        predicted_period = f"the period of {evidence.predictions.source.name} ({days[0]} to {days[-1]})"
        _share(folder, previous.source, _days(previous.timestamps), days, predicted_period)
    symbols = evidence.predictions.symbols
    predicted = set((symbols.distinct if isinstance(symbols, CodedSymbols) else np.unique(symbols)).tolist())
    for part in (evidence.paper, evidence.positions):
        strangers = [] if part is None else sorted(set(np.unique(part.symbols).tolist()) - predicted)
        if part is not None and strangers:
            raise BadInputError(
                f"{folder}: {part.source.name} names {', '.join(strangers)}, which predictions never does. Every "
                "symbol traded must have been predicted; add its predictions or remove its rows."
            )


def _share(folder: Path, source: Source, own: Days, other: Days, period: str, *, of_own: bool = False) -> None:
    """Refuse days that share too few with the others' days (with `of_own`, too few of their own)."""
    mine, others = np.unique(own), np.unique(other)
    shared = np.intersect1d(mine, others).size
    if shared < SHARED * (mine.size if of_own else others.size):
        raise BadInputError(
            f"{folder / source.name}: expected days from {period}, found {mine[0]} to {mine[-1]}; {shared} dates are "
            "shared. Run it again over the same period."
        )


def _overlap(folder: Path, source: Source, own: Days, other: Days, period: str) -> None:
    if own.max() < other.min() or own.min() > other.max():
        raise BadInputError(
            f"{folder / source.name}: expected days from {period}, found {own.min()} to {own.max()}. It belongs to "
            "another run; export both for the same one."
        )


def _first(own: Days, other: Days) -> str:
    """The first date that one has and the other lacks."""
    odd = np.setxor1d(own, other)
    return f", the first difference at {odd[0]}" if odd.size else ""


def _of_two_frequencies(own: Days, other: Days) -> str:
    """The remark that two tables have different frequencies, which cannot be compared row by row."""
    read = [inferred(dates) for dates in (own, other)]
    names = [one.frequency.value for one in read if isinstance(one, Sampling)]
    if len(set(names)) < 2:
        return ""
    return f"; not comparable: the trials have {names[0]} rows and the backtest {names[1]} ones"


def _days(times: Instants) -> Days:
    """The distinct days of times in order."""
    days: Days = times.astype("datetime64[D]")
    return days[np.flatnonzero(np.concatenate([days[:1] == days[:1], days[1:] != days[:-1]]))]
