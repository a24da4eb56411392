"""No gate, metric, check or reading is better when a part of the evidence or of the live data is taken away."""

from dataclasses import fields, replace
from datetime import date
from itertools import combinations

import numpy as np
import pytest
from live_days import SYMBOLS, days, earlier, features, measured, predictions, reading, with_today

from signoff.domain.assessment import MetricStatus, PitStatus
from signoff.domain.gates import assess
from signoff.domain.monitoring import DailyReturns, Level, observe
from signoff.domain.monitoring.measurement import Ahead, Earlier, Measurement
from signoff.domain.monitoring.usual import Layout, usual
from signoff.domain.outcome import Outcome
from signoff.domain.policy import Policy
from signoff.domain.profiles import ApprovedProfile, Pinned

PARTS = ("backtest_previous", "trials", "predictions", "pit")
# What is false where it is taken away, and not None.
EMPTY = {"has_registry": False}
GONE = [*(gone for n in (1, 2, 4) for gone in combinations(PARTS, n)), ("has_registry",)]
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
@pytest.mark.parametrize("gone", GONE, ids="+".join)
def test_nothing_reads_better_without_a_part_of_the_evidence(evidence, dossier, policy, of, gone):
    """The sample's predictions run on after its backtest, for a reason that its author gives."""
    told = replace(dossier.evidence, outside_the_backtest="the backtest was fixed before the last quarter")
    dossier = replace(dossier, evidence=told)
    whole = of(replace(evidence, has_registry=True))
    less = replace(whole, **{name: EMPTY.get(name) for name in gone})
    assert passing(assess(less, dossier, policy)) <= passing(assess(whole, dossier, policy))


def test_every_part_that_can_be_taken_away_is(evidence):
    given = {f.name for f in fields(evidence) if getattr(evidence, f.name) not in (None, (), {}, False)}
    assert given - {"backtest", "suites"} == set(PARTS)
    assert {name for gone in GONE for name in gone} == {*PARTS, *EMPTY}
    assert EMPTY.keys() == {f.name for f in fields(evidence) if isinstance(getattr(evidence, f.name), bool)}


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
PAST = earlier(200)
EVIDENCE = usual(Layout.of(PAST.sessions, PAST.symbols).table(PAST.values), alike=True)
PINNED = Pinned(sha256="a" * 64, features=("x", "y", "z"))


def damaged():
    """A live session in which every new rule has something to find."""
    rows = with_today(features(), "x", [1e9] * 20)
    frozen = rows.columns["y"].copy()
    frozen[-20:] = frozen[-40:-20]
    found = measured(
        features=replace(rows, columns={**rows.columns, "y": frozen}),
        predictions=predictions(values=np.zeros(20)),
        gross_exposure_pct=np.array([1e9]),
        lived=30,
        champion=DailyReturns(name="champion's returns", dates=days(30), returns=np.full(30, 0.05)),
        backtest=DailyReturns(name="backtest", dates=days(30), returns=np.zeros(30)),
        ahead=(Ahead(table="returns", rows=1, newest=date(2119, 2, 1)),),
        approved=ApprovedProfile(features=("x", "y"), predictions=EVIDENCE, pinned=PINNED, greatest_exposure_pct=100.0),
        seen=frozenset(SYMBOLS[1:]),
        previous_symbols=frozenset((*SYMBOLS, "GONE")),
        earlier_exposures=np.linspace(90, 100, 30),
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
    "earlier exposures": lambda _: {"earlier_exposures": np.empty(0)},
    "training": lambda m: {"baseline": replace(m.baseline, columns={})},
    "the champion's returns": lambda m: {"champion": fewer(m.champion, np.zeros(30, dtype=bool))},
    "the champion's lived returns": lambda m: {"champion": replace(m.champion, dates=m.champion.dates - 400)},
    "some of the champion's returns": lambda m: {"champion": fewer(m.champion, np.arange(30) % 3 > 0)},
    "the backtest": lambda _: {"backtest": None},
    "earlier predictions": lambda _: {"earlier": Earlier()},
    "most of the earlier predictions": lambda m: {"earlier": fewer(m.earlier, np.arange(1200) >= 1100)},
    "yesterday's predictions": lambda m: {"earlier": fewer(m.earlier, np.arange(1200) < 1180)},
    "every known symbol": lambda _: {"seen": frozenset()},
    "everything before": lambda _: {"seen": frozenset(), "earlier": Earlier(), "earlier_exposures": np.empty(0)},
}
# The session and what the record has say what is judged; rows dated ahead are the fault themselves. Lived sessions are
# those of the exchange, and a release's last symbols go with its earlier predictions.
NOT_TAKEN = {"session", "live_since", "approved", "ahead", "expected", "previous_symbols"}


def test_every_part_of_live_data_that_can_be_taken_away_is():
    whole = damaged()
    taken = {name for change in TAKEN.values() for name in change(whole)}
    assert taken | NOT_TAKEN == {f.name for f in fields(Measurement)}


@pytest.mark.parametrize("is_approved", [True, False])
@pytest.mark.parametrize("factor", [100.0, 1e-4])
@pytest.mark.parametrize("taken", ["earlier predictions", "most of the earlier predictions", "yesterday's predictions"])
def test_predictions_of_another_size_read_no_better_without_the_past(taken, factor, is_approved):
    whole = replace(damaged(), predictions=predictions(values=factor * np.linspace(-1, 1, 20)))
    whole = whole if is_approved else replace(whole, approved=None)
    less = replace(whole, **TAKEN[taken](whole))
    for each in (whole, less):
        assert reading(observe(each, POLICY, {}), "predictions_out_of_range").level == Level.UNKNOWN


@pytest.mark.parametrize("is_approved", [True, False])
@pytest.mark.parametrize("taken", TAKEN)
def test_no_reading_of_damaged_live_data_is_better_without_them(taken, is_approved):
    whole = damaged() if is_approved else replace(damaged(), approved=None)
    before, after = (observe(each, POLICY, {}) for each in (whole, replace(whole, **TAKEN[taken](whole))))
    bad = {Level.UNKNOWN, Level.CRITICAL}
    keys = {r.key for r in before.readings if r.level in bad}
    assert {"features_out_of_range", "features_frozen", "predictions_alike", "returns_implausible"} <= keys
    assert {"symbols_new", "symbols_lost", "future_rows", "gross_exposure_pct", "less_champion_bps"} <= keys
    levels = {r.key: r.level for r in after.readings}
    assert {key: levels.get(key) for key in keys if levels.get(key) not in bad} == {}
    assert not after.is_conclusive
