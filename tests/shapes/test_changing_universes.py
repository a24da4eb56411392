"""Predictions of universes that change: a re-entry, a holiday of one market, two markets with closes of their own."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
import release_folder
from evidence_folder import load_evidence

from signoff.adapters.documents import load_dossier, load_policy
from signoff.domain.errors import BadInputError
from signoff.domain.gates.spa import symmetric_accuracy
from signoff.domain.outcome import Outcome

DAYS = release_folder.weekdays(60)


def at(day, hour):
    return datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(hours=hour)


def lines(*pairs):
    rng = np.random.default_rng(5)
    frame = pl.DataFrame(pairs, schema={"timestamp": pl.Datetime("us", "UTC"), "symbol": pl.String}, orient="row")
    return frame.with_columns(
        prediction=pl.Series(rng.normal(size=len(pairs))), realized=pl.Series(0.01 * rng.normal(size=len(pairs)))
    )


def everyday(symbols, skipped=lambda n, symbol: False):
    return lines(*[(at(day, 21), s) for n, day in enumerate(DAYS) for s in symbols if not skipped(n, s)])


# what is missing, expected rows, absent rows, symbols with absences
UNIVERSES = {
    "every symbol every day": (everyday("AB"), None),
    "left the index, came back": (everyday("AB", lambda n, s: s == "B" and 20 <= n < 40), (120, 20, 1)),
    "a holiday in one market": (everyday(["7203.T", "AAPL"], lambda n, s: s == "7203.T" and n == 30), (120, 1, 1)),
    "a holiday in a market of two": (everyday("ABC", lambda n, s: s in "AB" and n == 30), (180, 2, 2)),
    "two markets, own closes": (lines(*[(at(d, h), s) for d in DAYS for h, s in ((6, "7203.T"), (21, "AAPL"))]), None),
    "two markets of two, and a holiday of one": (
        lines(*[(at(d, h), s) for n, d in enumerate(DAYS) for h, s in ((6, "A.T"), (6, "B.T"), (21, "C")) if s != "A.T"
                or n != 9]),
        (180, 1, 1),
    ),
    "a close that summer time moves": (
        lines(*[(at(d, h), s) for n, d in enumerate(DAYS) for h, s in ((6, "7203.T"), (20 + n // 30, "AAPL"))]),
        None,
    ),
    "listed late and gone early": (everyday("AB", lambda n, s: s == "B" and not 10 <= n < 50), None),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    made = release_folder.make(tmp_path / "dossier", sessions=60)
    for name in ("paper", "paper_returns"):
        (made / f"{name}.parquet").unlink()
    return made


@pytest.mark.parametrize("name", UNIVERSES)
def test_a_universe_that_changes_is_read_and_its_absences_are_counted(folder, name):
    table, counted = UNIVERSES[name]
    table.write_parquet(folder / "predictions.parquet")
    predictions = load_evidence(folder).predictions
    assert predictions.symbols.tolist() == table["symbol"].to_list()
    np.testing.assert_array_equal(np.asarray(predictions.symbols), table["symbol"].to_numpy().astype(str))
    found = predictions.absences
    assert (None if found is None else (found.expected, found.absent, found.symbols)) == counted


def gate(folder, table):
    table.write_parquet(folder / "predictions.parquet")
    policy = load_policy(folder / "policy.yaml", folder).value
    return symmetric_accuracy(load_evidence(folder), load_dossier(folder).value, policy)


def judged(folder, share_absent):
    """Predictions that are right 60 times of 100, of which some wrong ones were left out."""
    symbols = [f"S{n}" for n in range(40)]
    whole = everyday(symbols)
    rng = np.random.default_rng(2)
    is_right = rng.random(whole.height) < 0.52
    realized = pl.Series(0.01 * np.sign(whole["prediction"].to_numpy()) * np.where(is_right, 1, -1))
    is_inside = np.repeat((np.arange(60) > 0) & (np.arange(60) < 59), 40)
    lost = ~is_right & is_inside & (rng.random(whole.height) < share_absent)
    return gate(folder, whole.with_columns(realized=realized).filter(~lost)), int(lost.sum())


def test_the_accuracy_gate_says_what_is_absent_and_whether_its_verdict_hangs_on_it(folder):
    finding, lost = judged(folder, 0.5)
    assert finding.outcome is Outcome.PASS
    assert f"{lost:,} of 2,400 predictions between the first and last of their symbol are absent" in finding.reason
    assert "could fail if all of them had been wrong" in finding.reason
    assert "absent" not in judged(folder, 0.0)[0].reason


@pytest.mark.parametrize("swap", [lambda t: pl.concat([t.head(5), t.slice(4, 1), t.slice(5)]),
                                  lambda t: pl.concat([t.head(6), t.slice(4, 2).reverse(), t.slice(6)])])  # fmt: skip
def test_a_prediction_twice_is_still_refused(folder, swap):
    swap(everyday("AB")).write_parquet(folder / "predictions.parquet")
    with pytest.raises(BadInputError, match=r"repeats|in order"):
        load_evidence(folder)


@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [1, 0, 3, 2], [0, 1, 3, 2]])
def test_symbols_may_stand_in_any_order_within_a_time(folder, rows):
    table = everyday("AB")
    pl.concat([table[rows], table[4:]]).write_parquet(folder / "predictions.parquet")
    assert load_evidence(folder).predictions.absences is None


def guesses(days, share=0.55):
    """Predictions of twenty symbols on each day, of which every day has its own luck."""
    rng = np.random.default_rng(7)
    table = lines(*[(at(day, 21), f"S{n:02d}") for day in days for n in range(20)])
    luck = np.repeat(rng.normal(share, 0.15, len(days)), 20)
    is_right = rng.random(table.height) < luck
    return table.with_columns(realized=pl.Series(0.01 * np.sign(table["prediction"].to_numpy()) * (2 * is_right - 1)))


RIGHT = pl.col("prediction") * pl.col("realized") > 0
OF_A_DAY = RIGHT.mean().over("timestamp")
INNER = pl.col("timestamp").is_between(at(DAYS[0], 22), at(DAYS[-1], 20))
NUMBER = pl.col("timestamp").rank("dense") - 1
OMISSIONS = {
    "every day that was mostly wrong": lambda t: t.filter(~INNER | (OF_A_DAY >= 0.5)),
    "all but the best days": lambda t: t.filter(~INNER | (OF_A_DAY >= 0.6)),
    "half of what was wrong made flat": lambda t: t.with_columns(
        prediction=pl.when(~RIGHT & (pl.int_range(pl.len()) % 2 == 0)).then(0.0).otherwise("prediction")
    ),
    "bad days made flat": lambda t: t.with_columns(
        prediction=pl.when(OF_A_DAY < 0.5).then(0.0).otherwise("prediction")
    ),
}


@pytest.mark.parametrize("name", OMISSIONS)
def test_a_pass_that_hangs_on_what_was_left_out_is_none(folder, name):
    finding = gate(folder, OMISSIONS[name](guesses(DAYS)))
    assert finding.statistic.value >= finding.threshold.value
    assert finding.outcome is Outcome.FAIL
    assert "It could fail if all of these had been wrong" in finding.reason
    assert "gates.sessions.limit_pct" in finding.reason


@pytest.mark.parametrize(
    ("rows", "absent"),
    [
        (guesses(DAYS), 0),
        (guesses(DAYS[::5]), 0),
        (guesses(DAYS[:20] + DAYS[21:]), 1),
        (guesses([*DAYS[:20:5], *DAYS[25::5]]), 1),
        (guesses([day - timedelta(days=1) for day in DAYS[1:]]), 0),
    ],
    ids=["daily", "weekly", "a day less", "a week less", "on the evening before"],
)
def test_dates_are_expected_in_the_rhythm_of_the_predictions(folder, rows, absent):
    figures = {one.name: one.value for one in gate(folder, rows).figures}
    assert figures["gates.spa.dates_absent"] == absent


def test_what_is_left_out_and_turns_nothing_is_printed_and_no_objection(folder):
    finding = gate(folder, guesses(DAYS, 0.9).filter(NUMBER != 20))
    assert finding.outcome is Outcome.PASS
    assert f"1 of 60 dates of the backtest between the first and the last prediction have none, first {DAYS[20]}" in (
        finding.reason
    )
