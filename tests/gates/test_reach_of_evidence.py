"""A backtest that ends before the model's other measurements do is no whole record."""

from dataclasses import replace

import numpy as np
import pytest
from releases import weekdays

from signoff.domain.gates import assess
from signoff.domain.gates.assess import DEFINITIONS
from signoff.domain.gates.deflated_sharpe import deflated_sharpe
from signoff.domain.gates.dsr import downside_sensitivity
from signoff.domain.gates.reach import outside
from signoff.domain.outcome import Outcome

GATES = (downside_sensitivity, deflated_sharpe)


def cut(table, keep):
    """The table with some of its rows."""
    named = {"dates", "timestamps", "symbols", "returns", "benchmark", "prediction", "realized", "confidence"}
    arrays = {name: getattr(table, name)[keep] for name in named if getattr(table, name, None) is not None}
    return replace(table, **arrays)


def judged(evidence, dossier, policy):
    return {one.key: one for one in assess(evidence, dossier, policy, gates=GATES).findings}


@pytest.fixture(scope="module")
def daily(evidence):
    """One prediction a session of the backtest, by its own dates."""
    said = evidence.predictions
    count = evidence.backtest.dates.size
    return replace(
        evidence,
        predictions=replace(
            said,
            timestamps=evidence.backtest.dates.astype("datetime64[us]"),
            symbols=np.full(count, "AAA"),
            prediction=np.resize(said.prediction, count),
            realized=np.resize(said.realized, count),
        ),
    )


def test_a_record_that_all_measurements_share_leaves_nothing_out(daily, dossier, policy):
    assert outside(daily) == ()
    assert {one.outcome for one in judged(daily, dossier, policy).values()} == {Outcome.PASS}


def short(daily, keep, *names):
    """The release with the backtest and these tables cut; the others go on."""
    cuts = {name: cut(getattr(daily, name), keep) for name in ("backtest", "backtest_previous", *names)}
    return replace(daily, **cuts)


@pytest.mark.parametrize(
    ("cut_too", "rows", "said"),
    [
        (("trials",), slice(0, 1200), "predictions run to {last}: 400 sessions are not in any gate"),
        (("predictions",), slice(0, 1300), "trials run to {last}: 300 sessions are not in any gate"),
        (("trials",), slice(300, 1600), "predictions begin {first}: 300 sessions are not in any gate"),
        (("trials", "predictions"), slice(0, 1200), ""),
    ],
)
def test_what_lies_outside_the_backtest_is_said_and_no_gate_of_the_record_passes(
    cut_too, rows, said, daily, dossier, policy
):
    found = judged(short(daily, rows, *cut_too), dossier, policy)
    dates = daily.backtest.dates
    said = said.format(first=dates[0], last=dates[-1])

    for finding in found.values():
        assert said in finding.reason
        assert (finding.outcome is Outcome.PASS) == (not said)
        assert finding.key in {key for key, gate in DEFINITIONS.items() if gate.is_of_record}
    if said:
        kept = short(daily, rows, *cut_too).backtest.dates
        end = f"ends {kept[-1]}" if rows.start == 0 else f"begins {kept[0]}"
        assert f"The backtest {end}; {said}" in found["dsr"].reason
        assert "evidence.outside_the_backtest" in found["dsr"].reason


def test_a_previous_version_that_runs_on_is_outside_and_one_that_is_older_is_not(daily):
    old = daily.backtest_previous
    later = replace(short(daily, slice(0, 1200), "trials", "predictions"), backtest_previous=old)
    older = replace(short(daily, slice(400, 1600), "trials", "predictions"), backtest_previous=old)

    assert [(one.table, one.sessions) for one in outside(later)] == [("the previous version's returns", 400)]
    assert outside(older) == ()


@pytest.mark.parametrize(
    ("days", "horizon", "is_outside"),
    [(1, 1, False), (5, 1, False), (6, 1, True), (21, 1, True), (21, 21, False), (22, 21, True), (24, 3, True)],
)
def test_sessions_beyond_five_and_beyond_the_horizon_are_outside(days, horizon, is_outside, daily):
    assert bool(outside(short(daily, slice(0, 1600 - days), "trials"), horizon)) is is_outside
    assert bool(outside(short(daily, slice(days, 1600), "predictions"), horizon)) is is_outside


def test_a_few_rows_far_apart_are_outside_by_the_calendar(daily):
    cut_short = short(daily, slice(0, 1560), "trials")
    rare = cut(daily.predictions, [*range(1560), 1579, 1599])

    assert [one.sessions for one in outside(replace(cut_short, predictions=rare))] == [2]


@pytest.mark.parametrize("days", [6, 21])
def test_no_gate_passes_on_a_record_cut_by_less_than_a_month(days, daily, dossier, policy):
    cut_short = replace(short(daily, slice(0, 1600 - days), "trials"), backtest_previous=daily.backtest_previous)

    for finding in judged(cut_short, dossier, policy).values():
        assert finding.outcome is Outcome.INCONCLUSIVE
        assert f"predictions run to {daily.backtest.dates[-1]}: {days} sessions are not in any gate" in finding.reason
        assert f"the previous version's returns run to {daily.backtest.dates[-1]}: {days} sessions" in finding.reason


def test_paper_trading_after_the_backtest_is_normal(daily):
    after = replace(daily.backtest, dates=weekdays("2019-01-01", daily.backtest.dates.size))

    assert outside(replace(daily, paper_returns=after)) == ()


def test_a_declaration_is_printed_and_the_gates_judge(daily, dossier, policy):
    words = "The desk keeps 2017 and 2018 for a test of its own."
    declared = replace(dossier, evidence=replace(dossier.evidence, outside_the_backtest=words))

    found = judged(short(daily, slice(0, 1200), "trials"), declared, policy)["dsr"]

    assert found.outcome is Outcome.PASS
    assert f"Declared (evidence.outside_the_backtest): {words}" in found.reason


def test_a_failure_stays_a_failure(daily, dossier, with_gate):
    losing = short(daily, slice(0, 1200), "trials")

    found = judged(losing, dossier, with_gate("deflated_sharpe", threshold=1.0))["deflated_sharpe"]

    assert found.outcome is Outcome.FAIL
    assert "400 sessions are not in any gate" in found.reason
