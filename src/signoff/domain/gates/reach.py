"""Measurements of the model outside its backtest, which no gate on the backtest judges.

A backtest that ends before a bad stretch passes although the whole record would not. Predictions, trials, positions or
a previous version's record that go on show that there was more to judge. Paper trading follows a backtest and does not
count as left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np

from signoff.domain.dossier import Dossier
from signoff.domain.evidence import Days, Evidence
from signoff.domain.finding import Finding
from signoff.domain.outcome import Outcome

FEWEST_SESSIONS: Final = 5
"""Tables of one model may end a few sessions apart; so may predictions whose horizon the returns do not reach."""
MONTH_DAYS: Final = 31


@dataclass(frozen=True, slots=True, kw_only=True)
class BeyondBacktest:
    """One table that reaches beyond the backtest, and how many of its days do."""

    table: str
    is_later: bool
    backtest: date
    table_end: date
    sessions: int

    @property
    def words(self) -> str:
        ends, run = ("ends", "run to") if self.is_later else ("begins", "begin")
        return (
            f"The backtest {ends} {self.backtest}; {self.table} {run} {self.table_end}: {self.sessions:,} sessions are "
            "not in any gate"
        )


def outside(evidence: Evidence, horizon: int = 1) -> tuple[BeyondBacktest, ...]:
    """The tables that reach beyond the backtest by more than five sessions and more than the `horizon`."""
    return tuple(_outside(evidence, max(horizon, FEWEST_SESSIONS)))


def with_reach(finding: Finding, beyond: tuple[BeyondBacktest, ...], dossier: Dossier) -> Finding:
    """A finding with the tables that reach beyond the backtest: it cannot pass unless the dossier declares why."""
    if not beyond:
        return finding
    text = f"{'. '.join(one.words for one in beyond)}."
    declared = dossier.evidence.outside_the_backtest
    if declared is not None:
        text = f"{text} Declared (evidence.outside_the_backtest): {declared.rstrip('.')}."
    elif finding.outcome is Outcome.PASS:
        text = (
            f"{text} Whether the whole record passes is unknown. Give the backtest of these sessions too, or declare "
            "in evidence.outside_the_backtest why it leaves them out."
        )
        return replace(finding, outcome=Outcome.INCONCLUSIVE, is_near_miss=False, reason=f"{text} {finding.reason}")
    return replace(finding, reason=f"{finding.reason} {text}")


def _outside(evidence: Evidence, most: int) -> Iterator[BeyondBacktest]:
    """Sessions are days in the table; for a table with few days a month is enough, or the time of its horizon."""
    first, last = evidence.backtest.dates[0], evidence.backtest.dates[-1]
    longest = max(MONTH_DAYS, 2 * most)
    for table, days, may_be_earlier in _tables(evidence):
        later, earlier = days[days > last], days[days < first]
        if later.size > most or (later.size and later[-1] - last > longest):
            yield _of(table, later, later[-1], last, is_later=True)
        is_early = earlier.size > most or (earlier.size and first - earlier[0] > longest)
        if is_early and not may_be_earlier:
            yield _of(table, earlier, earlier[0], first, is_later=False)


def _of(table: str, days: Days, end: np.datetime64, backtest: np.datetime64, *, is_later: bool) -> BeyondBacktest:
    begin, reached = (moment.astype(object) for moment in (backtest, end))
    return BeyondBacktest(table=table, is_later=is_later, backtest=begin, table_end=reached, sessions=int(days.size))


def _tables(evidence: Evidence) -> Iterator[tuple[str, Days, bool]]:
    """Each table of the model with its days, and whether these may begin earlier, as a previous version's may."""
    parts = (
        ("predictions", None if (one := evidence.predictions) is None else one.timestamps, False),
        ("trials", None if (of := evidence.trials) is None else of.dates, False),
        ("positions", None if (book := evidence.positions) is None else book.dates, False),
        ("the previous version's returns", None if (old := evidence.backtest_previous) is None else old.dates, True),
    )
    for table, times, may_be_earlier in parts:
        if times is not None and times.size:
            yield table, np.unique(times.astype("datetime64[D]")), may_be_earlier
