"""Deposits that come back with the calendar are asked about, and a strategy that earns on such days has a way in."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from signoff.adapters.results.conversion import ConversionRequest, convert
from signoff.adapters.results.regular_flows import regular
from signoff.cli.main import main
from signoff.domain.errors import BadInputError

FIRST = np.datetime64("2021-12-31")


def weekdays(years=2.0, first=FIRST):
    days = np.arange(first, first + round(365.25 * years) + 1)
    return days[np.is_busday(days)]


def every_day(years=2.0):
    return np.arange(FIRST, FIRST + round(365.25 * years) + 1)


def month_ends(years):
    return np.arange("2010-01", 12 * years + 1, dtype="datetime64[M]").astype("datetime64[D]") - 1


def noise(days, scale=0.008, seed=5):
    return np.random.default_rng(seed).normal(0.0004, scale, days.size)


def months_of(days):
    return days.astype("datetime64[M]").astype(np.int64)


def first_of_month(days):
    return np.flatnonzero(np.diff(months_of(days), prepend=months_of(days)[0]))


def last_of_month(days):
    return np.flatnonzero(np.diff(months_of(days), append=months_of(days)[-1]))


def on_or_after(days, day):
    """The first row of each month that is not before this day of it."""
    is_due = (days - days.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64) >= day - 1
    _, first = np.unique(months_of(days)[is_due], return_index=True)
    rows = np.flatnonzero(is_due)[first]
    return rows[rows > 0]


def account(days, returns, paid, share=0.03, fixed=None):
    """Values at the end of each day; `share` of the account, or a fixed amount, is paid in on the days `paid`."""
    values = [100_000.0]
    due = set(paid.tolist())
    for row in range(1, days.size):
        grown = values[-1] * (1 + returns[row])
        values.append(grown + ((fixed or share * grown) if row in due else 0.0))
    return pl.DataFrame({"date": days, "equity": values})


def imported(tmp_path, frame, **options):
    frame.write_csv(tmp_path / "equity.csv")
    return convert(ConversionRequest(format="table", source=tmp_path / "equity.csv", is_values=True, **options))


W, E = weekdays(), every_day()
TURN = "the first session of each month"
QUARTERLY = weekdays(3)
PAID = {
    "3% on the first session of each month": (account(W, noise(W), first_of_month(W)), TURN),
    "3% on the last session of each month": (account(W, noise(W), last_of_month(W)), "the last session of each month"),
    "a fixed amount": (account(W, noise(W), first_of_month(W), fixed=2_500.0), TURN),
    "wages on the 25th": (account(W, noise(W), on_or_after(W, 25)), "day 25"),
    "the third session": (account(W, noise(W), first_of_month(W) + 2), "the session 2 after the first of each month"),
    "twice a month": (
        account(W, noise(W), np.union1d(on_or_after(W, 1), on_or_after(W, 15))),
        "of each month",
    ),
    "a pension of 2% is taken out": (account(W, noise(W), first_of_month(W), share=-0.02), "below the other days'"),
    "every Friday": (account(W, noise(W), np.flatnonzero((W.astype(int) + 3) % 7 == 4), share=0.015), "every Friday"),
    "every two weeks": (account(W, noise(W), np.arange(7, W.size, 10)), "every 14th day"),
    "every quarter": (account(QUARTERLY, noise(QUARTERLY), first_of_month(QUARTERLY)[::3]), "every third month"),
    "a wild account of coins": (account(E, noise(E, 0.015), first_of_month(E), share=0.06), TURN),
    "an account that holds cash alone": (account(W, 0 * noise(W), first_of_month(W)), TURN),
    "every thirty days": (account(E, noise(E), np.arange(12, E.size, 30)), "every 30th"),
    "half a year alone": (
        account(W[:160], noise(W)[:160], first_of_month(W[:160])),
        TURN,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAID)
def test_money_that_is_paid_regularly_is_asked_about(tmp_path, name):
    frame, on = PAID[name]
    with pytest.raises(BadInputError) as caught:
        imported(tmp_path, frame)
    said = str(caught.value)
    assert [word for word in (on, "column equity", "column flow", "--flows-complete") if word not in said] == [], said


def test_a_column_that_lacks_the_regular_flows_does_not_settle_them(tmp_path):
    frame = PAID["3% on the first session of each month"][0].with_columns(pl.lit(0.0).alias("flow"))
    with pytest.raises(BadInputError, match="no other money was paid in or out"):
        imported(tmp_path, frame)


def test_regular_flows_in_the_column_are_taken_out_and_asked_no_more(tmp_path):
    returns, due = noise(W), set(first_of_month(W).tolist())
    values, flows = [100_000.0], [0.0]
    for row in range(1, W.size):
        grown = values[-1] * (1 + returns[row])
        flows.append(0.03 * grown if row in due else 0.0)
        values.append(grown + flows[-1])
    found = imported(tmp_path, pl.DataFrame({"date": W, "equity": values, "flow": flows}))
    np.testing.assert_allclose(found.frame["return"], returns[1:], rtol=0, atol=1e-12)


@pytest.mark.parametrize("many", [2, 90])
def test_trials_that_are_all_paid_into_are_asked_about_too(tmp_path, many):
    columns = [
        account(W, noise(W, 0.012, seed), first_of_month(W))["equity"].alias(f"try{seed}") for seed in range(many)
    ]
    with pytest.raises(BadInputError, match="the first session of each month"):
        imported(tmp_path, pl.DataFrame({"date": W}).with_columns(columns), table="trials")


def test_the_equity_of_lean_is_asked_about_and_declared_alike(tmp_path):
    frame = account(W, noise(W), first_of_month(W))
    closes = (W.astype("datetime64[s]").astype(int) + 21 * 3600).tolist()
    equity = {"Equity": {"values": [list(point) for point in zip(closes, frame["equity"].to_list(), strict=True)]}}
    (tmp_path / "live.json").write_text(json.dumps({"charts": {"Strategy Equity": {"series": equity}}}))
    asked = ConversionRequest(format="lean", source=tmp_path / "live.json")

    with pytest.raises(BadInputError, match=r"the first session of each month.*--flows-complete"):
        convert(asked)
    found = convert(replace(asked, flows_complete=True))
    assert any("--flows-complete declares" in note for note in found.notes)


@pytest.mark.parametrize("name", ["3% on the first session of each month", "every Friday", "every quarter"])
def test_a_strategy_that_truly_earns_so_is_declared_and_the_note_says_it(tmp_path, name):
    frame, on = PAID[name]
    found = imported(tmp_path, frame, flows_complete=True)
    values = frame["equity"].to_numpy()
    np.testing.assert_allclose(found.frame["return"], values[1:] / values[:-1] - 1)
    (said,) = [note for note in found.notes if "--flows-complete declares" in note]
    assert on in said
    assert said.encode() in found.files["backtest.import.json"]


def test_the_command_writes_nothing_until_somebody_settles_it(tmp_path, capsys):
    account(W, noise(W), first_of_month(W)).write_csv(tmp_path / "equity.csv")
    out = tmp_path / "release"
    asked = ["import", "table", str(tmp_path / "equity.csv"), "--values", "--out", str(out)]

    assert main(asked) == 2
    assert "--flows-complete" in " ".join(capsys.readouterr().err.split())
    assert not (out / "backtest.parquet").exists()
    assert main([*asked, "--flows-complete"]) == 0
    assert "--flows-complete declares" in " ".join(capsys.readouterr().out.split())


def options_seller(days):
    """Gains on most days, and a large loss on days that no calendar names."""
    returns = np.full(days.size, 0.0012) + noise(days, 0.001)
    returns[np.random.default_rng(9).choice(days.size, days.size // 40, replace=False)] -= 0.02
    return returns


MONTHLY = month_ends(9)
INNOCENT = {
    "noise": (W, noise(W)),
    "fat tails": (W, 0.006 * np.random.default_rng(2).standard_t(2, W.size)),
    "a high Sharpe ratio": (W, noise(W) + 0.004),
    "a seller of options": (W, options_seller(W)),
    "interest of weekends on Mondays": (W, 0.0001 * np.diff(W.astype(int), prepend=W.astype(int)[0]) + noise(W, 1e-6)),
    "half a day's return more at the turn of the month": (
        W,
        noise(W) + 0.004 * np.isin(np.arange(W.size), first_of_month(W)),
    ),
    "coins": (E, noise(E, 0.04)),
    "months": (MONTHLY, noise(MONTHLY, 0.04)),
    "sometimes idle": (W, noise(W) * (np.arange(W.size) // 40 % 2)),
    "nothing at all": (W, 0 * noise(W)),
}


@pytest.mark.parametrize("name", INNOCENT)
def test_returns_that_follow_no_calendar_are_not_asked_about(name):
    days, returns = INNOCENT[name]
    assert regular(days, returns[1:]) is None


def test_chance_is_asked_about_in_fewer_than_one_of_a_hundred_tables():
    rng = np.random.default_rng(11)
    asked = [regular(W[:size], 0.01 * rng.standard_t(3, size - 1)) for size in (127, 253, 505) for _ in range(25)]
    assert [one for one in asked if one is not None] == []
