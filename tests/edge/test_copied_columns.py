"""Columns that repeat another, and costs and turnovers that can be none, are refused with their true cause."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from releases_of_copies import evidence_of

from signoff.adapters.evidence.agreement import refuse_probable_probabilities
from signoff.adapters.evidence.copies import refuse_copies
from signoff.adapters.evidence.tables import EvidenceTable
from signoff.domain.dossier import PredictionKind
from signoff.domain.errors import BadInputError

RNG = np.random.default_rng(1)
SAID = RNG.normal(0, 0.01, 300)
EARNED = RNG.normal(0, 0.01, 300)


@pytest.mark.parametrize("multiple", [1.0, 100.0, -1.0, 0.37])
def test_realised_returns_that_are_the_predictions_are_refused(multiple):
    with pytest.raises(BadInputError, match="column realized what happened after each prediction, found column pred"):
        refuse_copies(Path("release"), evidence_of(EARNED, prediction=SAID, realized=multiple * SAID))


@pytest.mark.parametrize("realized", [np.abs(SAID), np.roll(SAID, 1), SAID + 0.001 * EARNED, np.zeros(300)])
def test_realised_returns_of_their_own_are_read(realized):
    refuse_copies(Path("release"), evidence_of(EARNED, prediction=SAID, realized=realized))


def test_a_benchmark_that_is_the_backtest_is_refused():
    with pytest.raises(BadInputError, match="found column benchmark equal to column return"):
        refuse_copies(Path("release"), evidence_of(EARNED, benchmark=EARNED.copy()))


@pytest.mark.parametrize("days", [300, 200, 250])
def test_a_previous_version_that_is_the_new_one_is_refused(days):
    with pytest.raises(BadInputError, match="expected the returns of the previous version, found those of backtest"):
        refuse_copies(Path("release"), evidence_of(EARNED, previous=EARNED[:days].copy()))


def test_others_are_read():
    refuse_copies(Path("release"), evidence_of(EARNED, benchmark=SAID, previous=0.5 * EARNED))


def table(**columns):
    return EvidenceTable("backtest.csv", "backtest.csv", b"", pl.DataFrame(columns))


@pytest.mark.parametrize("cost", [0.5, -0.5, 12.0, 0.11])
def test_a_cost_that_eats_the_capital_is_refused(cost):
    with pytest.raises(BadInputError, match=r"row 2, column cost: expected a share of capital such as 0.0002"):
        table(cost=[0.0002, cost]).costs("cost")


def test_a_cost_of_a_market_is_read():
    assert table(cost=[0.0002, 0.03, -0.0001]).costs("cost").tolist() == [0.0002, 0.03, -0.0001]


SCORES = {
    "probabilities": RNG.uniform(0.2, 0.8, 300),
    "sure ones": RNG.beta(0.5, 0.5, 300),
    "labels": RNG.integers(0, 2, 300).astype(float),
    "percentages": RNG.uniform(30, 70, 300),
}


@pytest.mark.parametrize("scores", SCORES.values(), ids=SCORES)
def test_scores_that_read_as_probabilities_are_asked_for(scores):
    given = evidence_of(EARNED, prediction=scores, realized=EARNED)

    with pytest.raises(BadInputError, match=r"declare validation\.prediction: probability"):
        refuse_probable_probabilities(Path("release"), given, PredictionKind.SCORE, None)
    refuse_probable_probabilities(Path("release"), given, PredictionKind.SCORE, 0.0)
    refuse_probable_probabilities(Path("release"), given, PredictionKind.PROBABILITY, None)


@pytest.mark.parametrize("scores", [SAID, np.abs(SAID), np.full(300, 1.0), RNG.uniform(0.6, 1, 300)])
def test_scores_that_read_as_scores_are_taken(scores):
    given = evidence_of(EARNED, prediction=scores, realized=EARNED)

    refuse_probable_probabilities(Path("release"), given, PredictionKind.SCORE, None)
