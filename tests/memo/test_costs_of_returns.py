"""Whether returns are net of costs: known by an import of trades or by the dossier, else not stated."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
import sample
from small_dossier import returns, small, weekdays

from signoff.adapters.evidence.reader import FolderReader
from signoff.adapters.results.conversion import ConversionRequest, convert
from signoff.domain.costs import CostBasis, Costs, costs_in_words, costs_of
from signoff.domain.errors import BadInputError
from signoff.domain.gates.facts import facts
from signoff.domain.memo.summary import summary_contradictions

SESSIONS = [
    date(2018, 1, 2) + timedelta(days=n) for n in range(300) if (date(2018, 1, 2) + timedelta(days=n)).weekday() < 5
]


def trades(folder, fee):
    """A backtest imported from a list of trades with this fee each, or with no column of fees."""
    folder.mkdir()
    rows = [
        {
            "date": day,
            "symbol": "AAA",
            "side": side,
            "quantity": 5,
            "price": price,
            **({} if fee is None else {"fees": fee}),
        }
        for n, day in enumerate(SESSIONS)
        for side, price in (("buy", 100.0), ("sell", 100.0 + np.sin(n) / 2))
    ]
    pl.DataFrame(rows).write_csv(folder / "trades.csv")
    days = [{"date": day, "symbol": "AAA", "close": 100.0} for day in SESSIONS]
    pl.DataFrame(days).write_csv(folder / "closes.csv")
    done = convert(
        ConversionRequest(format="trades", source=folder / "trades.csv", prices=folder / "closes.csv", capital=10_000.0)
    )
    small(folder, {})
    for name, content in done.files.items():
        (folder / name).write_bytes(content)
    for name in ("trades.csv", "closes.csv"):
        (folder / name).unlink()
    return folder


def declare(folder, costs):
    path = folder / "dossier.yaml"
    path.write_text(path.read_text() + f"\nevidence: {{costs: {costs}}}\n")


def costs_read(folder):
    return FolderReader().read(folder, None).evidence.backtest.costs


@pytest.mark.parametrize(
    ("fee", "declared", "found"),
    [
        (None, None, Costs.BEFORE),
        (None, "gross", Costs.BEFORE),
        (0.5, None, Costs.IMPORTED),
        (0.5, "net", Costs.IMPORTED),
        (0.0, None, Costs.NOT_STATED),
        (0.0, "net", Costs.DECLARED),
    ],
)
def test_an_import_of_trades_says_whether_its_returns_are_net(tmp_path, fee, declared, found):
    folder = trades(tmp_path / "d", fee)
    if declared:
        declare(folder, declared)

    assert costs_read(folder) is found


@pytest.mark.parametrize(
    ("fee", "declared", "said"), [(None, "net", "before costs"), (0.5, "gross", "net of the fees")]
)
def test_a_dossier_that_disagrees_with_the_import_is_refused_by_its_key(tmp_path, fee, declared, said):
    folder = trades(tmp_path / "d", fee)
    declare(folder, declared)

    with pytest.raises(BadInputError, match=rf"backtest.parquet.*evidence\.costs.*\({declared}\).*{said}"):
        costs_read(folder)


@pytest.mark.parametrize("columns", [(), ("cost",), ("cost", "turnover")])
@pytest.mark.parametrize(
    ("evidence", "found"),
    [({}, Costs.NOT_STATED), ({"costs": "net"}, Costs.DECLARED), ({"costs": "gross"}, Costs.BEFORE)],
)
def test_a_column_of_costs_does_not_show_that_returns_are_net(tmp_path, columns, evidence, found):
    days = weekdays(300)
    table = returns(days, np.sin(np.arange(300)) / 100, **{name: np.full(300, 1e-4) for name in columns})

    assert costs_read(small(tmp_path / "d", {"backtest.parquet": table}, evidence=evidence)) is found


def test_another_word_is_refused_with_the_words_there_are(tmp_path):
    table = returns(weekdays(300), np.sin(np.arange(300)) / 100)
    with pytest.raises(BadInputError, match=r"evidence\.costs.*net"):
        costs_read(small(tmp_path / "d", {"backtest.parquet": table}, evidence={"costs": "after"}))


def test_two_tables_of_different_costs_are_told_apart():
    assert costs_in_words(Costs.DECLARED, Costs.DECLARED) == "net of costs (declared)"
    assert costs_in_words(Costs.BEFORE, Costs.NOT_STATED) == "before costs; previous version: costs not stated"


def test_only_an_import_and_a_dossier_disagree():
    disagree = {(a, b) for a in (*Costs, None) for b in (*CostBasis, None) if costs_of(a, b) is None}

    assert disagree == {
        (Costs.BEFORE, CostBasis.NET),
        (Costs.IMPORTED, CostBasis.GROSS),
        (Costs.DECLARED, CostBasis.GROSS),
    }


def said_of(text, costs):
    r = sample.release()
    dossier = sample.dossier()
    header = sample.replace(dossier.header, summary=text)
    evidence = sample.replace(r.evidence, backtest=sample.replace(r.evidence.backtest, costs=costs))
    given = (sample.replace(dossier, header=header), r.policy, evidence, r.assessment)
    return [said for said in summary_contradictions(*given, facts(r.assessment)) if "costs" in said]


NET = (
    "Net Sharpe {metrics.sharpe.new}.",
    "Sharpe {metrics.sharpe.new} net of costs.",
    "After all trading costs the Sharpe is {metrics.sharpe.new}.",
    "Net returns are better.",
    "A Sharpe of {metrics.sharpe.new} after fees.",
)


@pytest.mark.parametrize("text", NET)
def test_a_summary_calls_nothing_net_that_is_before_costs(text):
    assert said_of(text, Costs.BEFORE)
    assert not said_of(text, Costs.DECLARED)


OTHER_WORDS_FOR_NET = (
    "Sharpe {metrics.sharpe.new}, costs deducted.",
    "Sharpe {metrics.sharpe.new}, all costs included.",
    "Sharpe {metrics.sharpe.new}, post-cost.",
    "Sharpe {metrics.sharpe.new} after brokerage.",
    "Sharpe {metrics.sharpe.new} after spread and commissions.",
    "The returns include commissions and slippage.",
    "Sharpe {metrics.sharpe.new}, fully costed.",
    "Sharpe {metrics.sharpe.new} once costs are paid.",
    "Costs are already in the Sharpe of {metrics.sharpe.new}.",
)


@pytest.mark.parametrize("text", [*NET, *OTHER_WORDS_FOR_NET])
@pytest.mark.parametrize("costs", [Costs.BEFORE, Costs.NOT_STATED])
def test_what_nobody_stated_is_not_called_net_in_other_words(text, costs):
    (said,) = said_of(text, costs)

    assert f"the backtest returns: {costs}" in said
    assert not said_of(text, Costs.IMPORTED)


def test_a_cost_beside_a_return_is_refused_where_returns_are_before_costs():
    text = "Sharpe {metrics.sharpe.new} at costs of 1 bp a trade."

    assert said_of(text, Costs.BEFORE)
    assert not any("is not so" in one for one in said_of(text.replace("at costs", "before costs"), Costs.BEFORE))


@pytest.mark.parametrize(
    "text",
    [
        "Sharpe {metrics.sharpe.new}, gross.",
        "Sharpe {metrics.sharpe.new} before commissions and slippage.",
        "Sharpe {metrics.sharpe.new}; whether costs are in these returns is not stated.",
        "A neural net of three layers lifts the Sharpe ratio.",
        "Net exposure is low and returns are steady.",
        "Paper trading lost money, with a slippage of {paper.slippage}.",
    ],
)
def test_a_sentence_that_takes_no_costs_off_is_accepted(text):
    assert not said_of(text, Costs.BEFORE)


@pytest.mark.parametrize(
    "text",
    ["Before costs the Sharpe is {metrics.sharpe.new}.", "Costs are not in these returns.", "A net of features."],
)
def test_a_summary_may_say_that_returns_are_before_costs(text):
    assert not said_of(text, Costs.BEFORE)
