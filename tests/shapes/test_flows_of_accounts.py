"""Money that is paid into an account is no return: flows are taken out, and a jump without one is asked about."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from signoff.adapters.results.conversion import ConversionRequest, convert
from signoff.domain.errors import BadInputError

DAYS = [date(2024, 1, 1) + timedelta(days=n) for n in range(60)]
TRUE = np.random.default_rng(3).normal(0.0004, 0.006, 60)
PAID = {20: 40_000.0, 41: -25_000.0}


def account(paid=PAID, returns=TRUE):
    """Values at the end of each day: grown by the day's return, then paid into."""
    values = [100_000.0]
    for row in range(1, returns.size):
        values.append(values[-1] * (1 + returns[row]) + paid.get(row, 0.0))
    return values


def table(columns, paid=PAID, returns=TRUE):
    return pl.DataFrame({"date": DAYS[: returns.size], "equity": account(paid, returns)} | columns)


def column(of=PAID, empty=0.0):
    return [of.get(row, empty) for row in range(60)]


def imported(tmp_path, frame, **options):
    frame.write_csv(tmp_path / "equity.csv")
    return convert(ConversionRequest(format="table", source=tmp_path / "equity.csv", is_values=True, **options))


IN, OUT = {20: 40_000.0}, {41: 25_000.0}
DECLARED = {
    "flow, out below 0": {"flow": column()},
    "Flows, empty on other days": {"Flows": column(empty=None)},
    "deposits and withdrawals": {"deposits": column(IN), "withdrawals": column(OUT)},
    "withdrawals below 0": {"Deposits": column(IN), "Withdrawals": column({41: -25_000.0})},
    "net cash flow": {"Cash_Flow": column()},
    "contributions below 0 too": {"contributions": column()},
}


@pytest.mark.parametrize("name", DECLARED)
def test_a_declared_flow_is_no_return(tmp_path, name):
    found = imported(tmp_path, table(DECLARED[name]))
    np.testing.assert_allclose(found.frame["return"], TRUE[1:], rtol=0, atol=1e-9)
    assert any("flows of 2 days were taken out" in note and "/ value of the day before" in note for note in found.notes)


def test_flows_within_a_day_add_up(tmp_path):
    rows = [("2024-01-01T16:00Z", 100.0, 0.0), ("2024-01-02T10:00Z", 150.0, 50.0), ("2024-01-02T16:00Z", 171.0, 20.0),
            ("2024-01-03T16:00Z", 171.0, 0.0)]  # fmt: skip
    frame = imported(tmp_path, pl.DataFrame(rows, schema=["date", "equity", "flow"], orient="row")).frame
    np.testing.assert_allclose(frame["return"], [(171 - 70) / 100 - 1, 0.0], rtol=0, atol=1e-12)


UNDECLARED = {
    "a deposit": ({}, {20: 40_000.0}, "2024-01-21"),
    "a withdrawal": ({}, {30: -30_000.0}, "2024-01-31"),
    "two deposits of one size": ({}, {20: 40_000.0, 33: 56_000.0}, "2024-01-21"),
    "a small one": ({}, {50: 9_000.0}, "2024-02-20"),
    "one that the column lacks": ({"flow": column(IN)}, PAID, "2024-02-11"),
    "one that stands a day late": ({"flow": column({21: 40_000.0})}, {20: 40_000.0}, "2024-01-21"),
}


@pytest.mark.parametrize("name", UNDECLARED)
def test_a_jump_without_a_flow_is_asked_about(tmp_path, name):
    columns, paid, day = UNDECLARED[name]
    with pytest.raises(BadInputError) as caught:
        imported(tmp_path, table(columns, paid))
    said = str(caught.value)
    assert [word for word in (day, "column equity", f"--extreme {day}=", "--flows-complete", "column flow",
                              "no return") if word not in said] == [], said  # fmt: skip


def test_a_jump_that_is_true_is_read_where_somebody_says_so(tmp_path):
    crash = TRUE.copy()
    crash[20] = -0.3
    with pytest.raises(BadInputError, match=r"--extreme 2024-01-21=-0\.3"):
        imported(tmp_path, table({}, {}, crash))
    for said in ({"extremes": ("2024-01-21=-0.3",)}, {"flows_complete": True}):
        np.testing.assert_allclose(imported(tmp_path, table({}, {}, crash), **said).frame["return"], crash[1:])
    assert b'"flows_complete":true' in imported(tmp_path, table({}, {}, crash), flows_complete=True).files[
        "backtest.import.json"
    ]  # fmt: skip


@pytest.mark.parametrize("size", [40_000.0, 60_000.0, 90_000.0])
def test_flows_with_the_opposite_sign_are_refused(tmp_path, size):
    paid = {10: size, 30: -size / 2, 45: size, 55: size}
    columns = {"flow": column({at: -amount for at, amount in paid.items()})}
    with pytest.raises(BadInputError, match="found the opposite"):
        imported(tmp_path, table(columns, paid), flows_complete=True)


@pytest.mark.parametrize("scale", [1, 8], ids=["calm", "wild for weeks"])
def test_what_is_like_the_days_around_it_is_no_jump(tmp_path, scale):
    returns = np.concatenate([TRUE[:30], scale * TRUE[30:50], TRUE[50:]])
    np.testing.assert_allclose(imported(tmp_path, table({}, {}, returns)).frame["return"], returns[1:])


REFUSED = {
    "two accounts": ({"other": account(), "flow": column()}, ("expected one column of values", "equity, other")),
    "more than there is": ({"flow": column({20: 4e6})}, ("2024-01-21", "Correct the flow")),
    "a text": ({"flow": ["x", *map(str, column()[1:])]}, ("row 1", "column flow", "found x")),
    "a deposit below 0": ({"deposits": column({20: -1.0}), "withdrawals": column(OUT)}, ("row 21", "column deposits")),
    "withdrawals of both signs": ({"withdrawals": column()}, ("column withdrawals", "both")),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_flow_that_cannot_be_is_refused(tmp_path, name):
    columns, words = REFUSED[name]
    with pytest.raises(BadInputError) as caught:
        imported(tmp_path, table(columns))
    assert [word for word in words if word not in str(caught.value)] == [], caught.value


def test_flows_complete_belongs_to_values(tmp_path):
    with pytest.raises(BadInputError, match="--flows-complete"):
        convert(ConversionRequest(format="table", source=tmp_path / "x.csv", flows_complete=True))
