"""What a reason adds when another gate, a declaration that had no use, or the length of a row bears on it."""

from dataclasses import replace

import numpy as np
import pytest
from releases import backtest, trials

from signoff.domain.dossier import HighSharpe
from signoff.domain.evidence import Evidence
from signoff.domain.frequency import Frequency
from signoff.domain.gates import assess
from signoff.domain.gates.value_at_risk import value_at_risk_compliance
from signoff.domain.outcome import Outcome
from signoff.domain.sampling import Sampling
from signoff.rendering.terminal import reasons
from signoff.verbs.documents import gate_document


def by_key(assessment):
    return {finding.key: finding for finding in assessment.findings}


def family(junk, best=0.06, seed=6):
    """A backtest of some skill among `junk` trials that lost money; not enough to be sure of."""
    rng = np.random.default_rng(seed)
    poor = rng.normal(-0.0006, 0.01, (1200, junk))
    own = rng.normal(0, 0.01, 1200)
    own = own - own.mean() + best * own.std()
    return np.column_stack([poor, own])


@pytest.mark.parametrize("junk", [8, 12, 20])
def test_a_pass_of_pbo_beside_a_failed_deflated_ratio_names_it(dossier, policy, junk):
    tried = family(junk)
    found = by_key(assess(Evidence(backtest=backtest(tried[:, -1]), trials=trials(tried)), dossier, policy))

    assert found["deflated_sharpe"].outcome is Outcome.FAIL
    assert found["pbo"].outcome is Outcome.PASS, found["pbo"].reason
    assert "many failing trials lower PBO" in found["pbo"].reason
    (shown,) = [line.plain for line in reasons([gate_document(found["pbo"])])]
    assert "many failing trials lower PBO" in shown
    assert f"The Deflated Sharpe Ratio of {found['deflated_sharpe'].statistic.text} fails" in found["pbo"].reason


def test_pbo_names_nothing_else_where_both_pass(evidence, dossier, policy):
    found = by_key(assess(replace(evidence, predictions=None), dossier, policy))  # these run on beyond the backtest

    assert (found["pbo"].outcome, found["deflated_sharpe"].outcome) == (Outcome.PASS, Outcome.PASS)
    assert "many failing trials lower PBO" not in found["pbo"].reason


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_pbo_names_nothing_else_where_it_does_not_pass(dossier, policy, seed):
    noise = np.random.default_rng(seed).normal(0, 0.01, (1200, 12))
    tried = noise - noise.mean(axis=0)
    found = by_key(assess(Evidence(backtest=backtest(tried[:, -1]), trials=trials(tried)), dossier, policy))

    assert found["deflated_sharpe"].outcome is Outcome.FAIL
    assert found["pbo"].outcome is not Outcome.PASS
    assert "many failing trials lower PBO" not in found["pbo"].reason


@pytest.mark.parametrize(("limit", "has_use"), [(10.0, False), (3.0, False), (0.2, True)])
def test_a_declared_ratio_that_nothing_asked_for_is_said_to_have_no_use(evidence, dossier, policy, limit, has_use):
    declared = replace(dossier.evidence, high_sharpe=HighSharpe(up_to=14, reason="Market making, flat each night."))
    gates = replace(policy.gates, largest_sharpe=limit)
    rows = assess(evidence, replace(dossier, evidence=declared), replace(policy, gates=gates)).metrics

    notes = " ".join(note for row in rows for note in row.notes)
    assert ("evidence.high_sharpe of dossier.yaml had no use" in notes) is not has_use
    assert f"{limit:.2f} (gates.largest_sharpe)" in notes


def test_nothing_is_said_of_a_ratio_that_was_not_declared(evidence, dossier, policy):
    rows = assess(evidence, dossier, policy).metrics
    assert not [note for row in rows for note in row.notes if "high_sharpe" in note]


MONTHS = Sampling(frequency=Frequency.MONTHLY, rows_a_year=12.0)
WEEKS = Sampling(frequency=Frequency.WEEKLY, rows_a_year=52.0)
QUARTERS = Sampling(frequency=Frequency.QUARTERLY, rows_a_year=4.0)


@pytest.mark.parametrize(
    ("rows", "sampling", "window", "words"),
    [
        (120, MONTHS, 500, ("350 months in all", "daily returns of the same book", "29.2 years")),
        (349, WEEKS, 500, ("353 weeks in all", "daily returns of the same book", "6.8 years")),
        (60, QUARTERS, 500, ("350 quarters in all", "daily returns of the same book", "87.5 years")),
        (600, Sampling(), 500, ("750 sessions in all", "3.0 years", "gates.var.window_sessions: 500, at least 100")),
        (300, Sampling(), 100, ("350 sessions in all", "Hand in 50 sessions more (a record of 1.4 years)")),
    ],
)
def test_a_record_too_short_for_var_names_every_way_out(dossier, with_gate, rows, sampling, window, words):
    returns = np.random.default_rng(1).normal(0, 0.01, rows)
    evidence = Evidence(backtest=replace(backtest(returns), sampling=sampling))
    found = value_at_risk_compliance(evidence, dossier, with_gate("var", window_sessions=window))

    assert found.outcome is Outcome.INCONCLUSIVE
    assert [word for word in (*words, "gates.var.blocking: false") if word not in found.reason] == [], found.reason
    assert ("window_sessions" in found.reason) == (sampling.frequency is Frequency.DAILY and window > 100)
