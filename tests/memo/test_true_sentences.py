"""Sentences that are true are accepted: intervals, what a gate has and needs, years and dates, several outcomes."""

from dataclasses import replace

import pytest
from test_figures_by_name import PBO_FAILS, parts

from signoff.domain.gates.facts import facts
from signoff.domain.memo.computed_lines import figures_line
from signoff.domain.memo.summary import summary_contradictions, summary_figures
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import count

SHORT = tuple(
    replace(
        finding,
        outcome=Outcome.INCONCLUSIVE,
        figures=(count("gates.var.forecasts", 100), count("gates.var.forecasts_needed", 250)),
    )
    if finding.key == "var"
    else finding
    for finding in PBO_FAILS
)


def held(text: str, findings=SHORT) -> tuple[str, ...]:
    given = parts(text, findings=findings)
    return summary_contradictions(*given, facts(given[3]))


INTERVALS = (
    "The Sharpe ratio's 95% interval is {metrics.sharpe.new.low} to {metrics.sharpe.new.high}.",
    "The Sharpe ratio's 95% interval is {metrics.sharpe.new}.",
    "Sharpe {metrics.sharpe.new}, a 95% confidence interval; the lower bound is {metrics.sharpe.new.low}.",
    "The Sharpe ratio's 95% interval is 0.25 to 1.07.",
    "Sharpe 0.66 (95% interval 0.25 to 1.07).",
    "Sharpe 0.66, 95% CI [0.25, 1.07].",
    "The 95% confidence interval of the Sharpe runs from 0.25 to 1.07.",
    "The Sharpe lies between 0.25 and 1.07.",
    "The Sharpe difference between 0.66 and 0.61 is 0.05.",
)
GATES = (
    "VaR has 100 of the 250 forecasts it needs, and is inconclusive.",
    "VaR is inconclusive: it has 100 forecasts and needs 250.",
    "VaR is inconclusive with {gates.var.forecasts} of the {gates.var.forecasts_needed} forecasts it needs.",
    "VaR is undecided; of 250 forecasts there are 100.",
)
OUTCOMES = (
    "PBO fails by a hair.",
    "PBO, by a hair, fails.",
    "PBO misses its limit by a whisker.",
    "PBO only just fails.",
    "DSR passes, PBO fails.",
    "DSR passes - PBO fails.",
    "DSR passes – PBO fails.",
    "DSR passes—PBO fails.",
    "PBO fails; DSR and SPA pass; VaR is inconclusive.",
    "PBO fails and VaR is inconclusive — every other gate passes.",
    "PBO fails and VaR is inconclusive - all others pass.",
    "PBO fails, DSR passes, VaR is inconclusive.",
)
HALVES = (
    "Half of the trials have a PBO above the limit, which fails.",
    "Half of the trials are worse than the median; PBO fails at {gates.pbo.statistic}.",
    "Half of the splits decide; PBO fails at {gates.pbo.statistic}.",
    "Half of the family earns the market; Sharpe {metrics.sharpe.new}.",
)
TIMES = (
    "Trained on 2010-2019, tested on 2020-2023.",
    "Trained on 2010–2019, tested on 2020–2023; Sharpe {metrics.sharpe.new}.",
    "Trained from 2010 to 2019; Sharpe {metrics.sharpe.new}.",
    "Data known at 2018-12-31T16:00: Sharpe {metrics.sharpe.new}.",
    "Data as of 2018-12-31 16:00Z: Sharpe {metrics.sharpe.new}.",
    "Constituents of 2018Q4; Sharpe {metrics.sharpe.new}.",
    "Fundamentals from 10-K filings of FY2018; Sharpe {metrics.sharpe.new}.",
    "Data up to 12/2018, first prints of 31/12/2018; Sharpe {metrics.sharpe.new}.",
    "The regime of the 2010s; Sharpe {metrics.sharpe.new}.",
)


@pytest.mark.parametrize("text", [*INTERVALS, *GATES, *OUTCOMES, *HALVES, *TIMES])
def test_a_true_sentence_is_accepted(text: str) -> None:
    assert held(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "The Sharpe ratio's 95% interval is 0.25 to 0.9.",
        "The Sharpe ratio's 95% interval is 0.61 to 1.07.",
        "The Sharpe ratio's 90% interval is 0.25 to 1.07.",
        "Sharpe 1.07, with a 95% interval.",
        "Sharpe 1.07.",
        "Sharpe {metrics.sharpe.new.high}.",
        "The hit rate is 95%: great.",
        "VaR has 200 of the 250 forecasts it needs, and is inconclusive.",
        "VaR has 100 of the 120 forecasts it needs, and is inconclusive.",
        "VaR has 250 forecasts.",
        "PBO passes by a hair.",
        "PBO fails - every gate passes.",
        "PBO fails — all others pass.",
        "DSR fails — PBO fails.",
        "Half of the capital; Sharpe {metrics.sharpe.new}.",
        "The 2010s Sharpe was 0.9; Sharpe {metrics.sharpe.new}.",
        "Tested on 12/2018 with a Sharpe of 12.",
    ],
)
def test_its_untrue_neighbour_is_not(text: str) -> None:
    assert held(text)


def test_the_key_says_which_end_of_the_interval_a_figure_is() -> None:
    given = parts("The interval begins at {metrics.sharpe.new.low}.")
    (line,) = figures_line(given[0].header.summary, summary_figures(*given, facts(given[3])), given[0].header, given[3])

    assert "0.25 is the lower end of the 95% interval of the Sharpe of the new version v2.0.0" in line
