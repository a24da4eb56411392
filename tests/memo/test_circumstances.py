"""A figure beside a regime, a crisis, a year, or beside live trading is one of that circumstance's figures."""

from dataclasses import replace
from datetime import date

import pytest
import sample
from contradicted import contradictions
from test_summary import FACTS, WORDS

from signoff.domain.quantity import Quantity, Unit

OWN = "Energy shock"
STRESS = (
    *sample.assessment().stress,
    replace(sample.assessment().stress[0], title=OWN, start=date(2017, 3, 1), end=date(2017, 4, 28)),
)
OF_OWN = Quantity(name="stress.own_1.sharpe", value=-0.41)
STRESS = (*STRESS[:-1], replace(STRESS[-1], sharpe=OF_OWN))
REGIMES = {"bull": 1.21, "bear": -0.32, "high_volatility": 0.45, "low_volatility": 1.43}
KNOWN = [
    *(fact for fact in FACTS if not fact.name.startswith(("regimes.", "stress."))),
    *(Quantity(name=f"regimes.{name}.sharpe", value=value) for name, value in REGIMES.items()),
    *(
        Quantity(name=f"regimes.{name}.annual_return", value=value / 20, unit=Unit.PERCENT)
        for name, value in REGIMES.items()
    ),
    Quantity(name="stress.february_2018.sharpe", value=-0.66),
    Quantity(name="stress.covid_2020.sharpe", value=-1.2),
    OF_OWN,
]
TITLES = {
    **{row.title: row for row in STRESS},
    "February 2018 volatility shock": replace(
        STRESS[0],
        title="February 2018 volatility shock",
        start=date(2018, 1, 26),
        end=date(2018, 2, 8),
        sharpe=next(fact for fact in KNOWN if fact.name == "stress.february_2018.sharpe"),
    ),
}


def said(text: str) -> tuple[str, ...]:
    return contradictions(text, KNOWN, WORDS, tuple(TITLES.values()))


@pytest.mark.parametrize(
    "where",
    [
        "In bear markets",
        "In the bull market",
        "In low volatility",
        "In high-volatility sessions",
        "In calm markets",
        "In volatile times",
        "In 2018",
        "In 2008",
        "During the February 2018 volatility shock",
        "In the Energy shock",
        "Through the whole of 2017",
        "Live",
        "With real money",
        "In the forward test",
        "On the holdout",
        "On held-out sessions",
        "In a dry run",
        "In simulated trading",
    ],
)
def test_the_backtests_figure_is_no_figure_of_a_circumstance(where: str) -> None:
    (found,) = said(f"{where} the Sharpe ratio was 0.66.")

    assert "0.66" in found
    assert said(f"{where} the new version has a Sharpe ratio of 0.66.")
    assert said(f"{where} the Sharpe ratio was {{metrics.sharpe.new}}.")


@pytest.mark.parametrize(
    "text",
    [
        "In bear markets the Sharpe ratio is -0.32.",
        "In the bull market the annual return is 6.0%.",
        "In high volatility the Sharpe is 0.45, in low volatility 1.43.",
        "In the February 2018 volatility shock the model's Sharpe was -0.66.",
        "In 2018 the Sharpe ratio in the shock was -0.66.",
        "In the stress window Energy shock the Sharpe ratio was -0.41.",
        "In bear markets the Sharpe is {regimes.bear.sharpe}.",
        "The backtest's Sharpe ratio is 0.66; in bear markets it is -0.32.",
        "The Sharpe ratio is 0.66 over 2016 to 2018.",
    ],
)
def test_a_circumstance_passes_with_its_own_figure(text: str) -> None:
    assert said(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "In bear markets the hit rate is 54.0%.",
        "The model survived 2008 with a drawdown of 12.0%.",
        "Live, the model earned 9.0% a year.",
    ],
)
def test_a_circumstance_without_such_a_figure_has_none(text: str) -> None:
    assert "it has no such figure" in said(text)[0]
