"""No gate, metric, check or reading is better when a part of the evidence or of the live data is taken away."""

from dataclasses import fields, replace
from itertools import combinations

import numpy as np
import pytest
from live_days import features, measured, predictions, reading, with_today

from signoff.domain.assessment import MetricStatus, PitStatus
from signoff.domain.finding import Outcome
from signoff.domain.gates import assess
from signoff.domain.monitoring import Level, observe
from signoff.domain.policy import Policy

PARTS = ("backtest_previous", "trials", "predictions", "pit")
GOOD = {MetricStatus.PASS, MetricStatus.WARN}


def passing(assessment):
    """What reads well: gates that pass, metrics on target, a verified replay."""
    gates = {finding.key for finding in assessment.findings if finding.outcome is Outcome.PASS}
    metrics = {row.key for row in assessment.metrics if row.status in GOOD}
    pit = {"point in time"} if assessment.pit.status is PitStatus.VERIFIED else set()
    return gates | metrics | pit


def poor(evidence):
    """The same release turned round: what it earned it loses."""
    turned = replace(evidence.backtest, returns=-evidence.backtest.returns)
    return replace(evidence, backtest=turned)


@pytest.mark.parametrize("of", [lambda evidence: evidence, poor], ids=["good", "poor"])
@pytest.mark.parametrize("gone", [c for n in (1, 2, 4) for c in combinations(PARTS, n)], ids="+".join)
def test_nothing_reads_better_without_a_part_of_the_evidence(evidence, dossier, policy, of, gone):
    whole = of(evidence)
    less = replace(whole, **dict.fromkeys(gone))
    assert passing(assess(less, dossier, policy)) <= passing(assess(whole, dossier, policy))


def test_every_part_that_can_be_taken_away_is(evidence):
    given = {f.name for f in fields(evidence) if getattr(evidence, f.name) not in (None, (), {})}
    assert given - {"backtest", "suites"} == set(PARTS)


@pytest.mark.parametrize("kept", [0.9, 0.5, 0.1])
def test_nothing_reads_better_with_fewer_predictions_than_a_side_needs(evidence, dossier, policy, kept):
    rows = evidence.predictions
    n = int(kept * 40)
    fewer = replace(
        rows,
        **{f.name: getattr(rows, f.name)[:n] for f in fields(rows) if hasattr(getattr(rows, f.name), "shape")},
    )
    found = assess(replace(evidence, predictions=fewer), dossier, policy)
    assert "spa" not in {finding.key for finding in found.findings if finding.outcome is Outcome.PASS}


POLICY = Policy(name="test", version="1")


def damaged():
    """A live session in which every new rule has something to find."""
    rows = with_today(features(), "x", [1e9] * 20)
    frozen = rows.columns["y"].copy()
    frozen[-20:] = frozen[-40:-20]
    found = measured(
        features=replace(rows, columns={**rows.columns, "y": frozen}),
        predictions=predictions(values=np.zeros(20)),
        gross_exposure_pct=np.array([1e9]),
    )
    returns = found.live.returns.copy()
    returns[-1] = 3.0
    return replace(found, live=replace(found.live, returns=returns))


def fewer(table, keep):
    """A table of a measurement without some of its rows."""
    names = [f.name for f in fields(table) if getattr(getattr(table, f.name), "size", 0) == keep.size]
    kept = {name: getattr(table, name)[keep] for name in names}
    if hasattr(table, "columns"):
        kept["columns"] = {name: column[keep] for name, column in table.columns.items()}
    return replace(table, **kept)


def blank(rows, name, values):
    return replace(rows, columns={**rows.columns, name: values})


TAKEN = {
    "the feature": lambda m: {"features": replace(m.features, columns={"y": m.features.columns["y"]})},
    "its values": lambda m: {"features": blank(m.features, "x", np.full(400, np.nan))},
    "today's values of one": lambda m: {"features": with_today(m.features, "x", [np.nan] * 20)},
    "today's features": lambda m: {"features": fewer(m.features, np.arange(400) < 380)},
    "yesterday's features": lambda m: {"features": fewer(m.features, (np.arange(400) < 360) | (np.arange(400) >= 380))},
    "the frozen one": lambda m: {"features": replace(m.features, columns={"x": m.features.columns["x"]})},
    "predictions": lambda m: {"predictions": predictions(0)},
    "half of the predictions": lambda m: {"predictions": fewer(m.predictions, np.arange(20) < 10)},
    "all predictions but one": lambda m: {"predictions": fewer(m.predictions, np.arange(20) < 1)},
    "their values": lambda m: {"predictions": replace(m.predictions, values=None)},
    "the return": lambda m: {"live": fewer(m.live, np.arange(20) < 19)},
    "its number": lambda m: {"live": replace(m.live, returns=np.append(m.live.returns[:-1], np.nan))},
    "the history": lambda m: {"history": fewer(m.history, np.zeros(m.history.dates.size, dtype=bool))},
    "the exposure": lambda m: {"gross_exposure_pct": np.empty(0)},
    "training": lambda m: {"baseline": replace(m.baseline, columns={})},
}


@pytest.mark.parametrize("taken", TAKEN)
def test_no_reading_of_damaged_live_data_is_better_without_them(taken):
    whole = damaged()
    before, after = (observe(each, POLICY, {}) for each in (whole, replace(whole, **TAKEN[taken](whole))))
    bad = {Level.UNKNOWN, Level.CRITICAL}
    keys = {r.key for r in before.readings if r.level in bad}
    assert {"features_out_of_range", "features_frozen", "predictions_alike", "returns_implausible"} <= keys
    assert {key: reading(after, key).level for key in keys if reading(after, key).level not in bad} == {}
    assert not after.is_conclusive
