"""A metric is one row of the table: what is read, alerted, printed, tripped and reviewed follows from it."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from enforced_thresholds import live_thresholds
from live_days import SESSION, measured, predictions, reading, world
from standing import way_to

from signoff.adapters.clocks import SimulatedClock
from signoff.app.record import StreamChange, deployment_stream
from signoff.app.review import review
from signoff.config.settings import settings
from signoff.domain import events as e
from signoff.domain.deployment import State
from signoff.domain.live_metrics import (
    LIVE_METRICS,
    Alert,
    Heading,
    LiveMetric,
    MetricGroup,
    RollbackTrigger,
    Target,
    targets,
    tracked,
)
from signoff.domain.memo.plan import plan
from signoff.domain.memo.success import success
from signoff.domain.monitoring import explain, interim, observe
from signoff.domain.monitoring.readings import Figure
from signoff.domain.policy import FallingAlert, Policy, RisingAlert
from signoff.domain.thresholds import Sign, ThresholdKind
from signoff.installation import Installation

POLICY = Policy(name="test", version="1")
RELEASE = "m-2"


def share_at_limit(session):
    """The percentage of the session's predictions that stand at ±1, where the model cuts them off."""
    values = session.measured.predictions.values
    return None if values is None or not values.size else 100.0 * float((np.abs(values) >= 1.0).mean())


AT_LIMIT = LiveMetric(
    key="at_limit_pct",
    group=MetricGroup.PREDICTIONS,
    title="share of predictions at the limit",
    name="At the limit",
    unit="%",
    compute=share_at_limit,
    alert=Alert(of=lambda _: RisingAlert(warning=20.0, critical=40.0, action="Widen / Retrain")),
    trigger=RollbackTrigger(
        name="at_limit",
        cause=e.RollbackCause.RISK_BREACH,
        level=lambda _: 60.0,
        reason="{reading} of the predictions stand at the limit, more than {limit.figure}",
    ),
    target=Target(heading=Heading.RISK, sign=Sign.BELOW, level=lambda *_: 20.0),
)
AGREEMENT = LiveMetric(
    key="agreement",
    group=MetricGroup.PERFORMANCE,
    title="agreement of predictions with their latencies",
    compute=lambda session: float(session.measured.predictions.latency_ms.max()) / 100.0,
    alert=Alert(of=lambda _: FallingAlert(warning=0.5, critical=0.25, action="Look")),
    trigger=RollbackTrigger(name="agreement", cause=e.RollbackCause.PERFORMANCE, level=lambda _: 0.1, sign=Sign.BELOW),
    target=Target(heading=Heading.PERFORMANCE, sign=Sign.AT_LEAST, level=lambda *_: 0.3),
)
SILENT = LiveMetric(
    key="quotes_missing",
    group=MetricGroup.DATA,
    title="missing quotes",
    compute=lambda session: Figure(value=session.measured.predictions.symbols.size - 20, n=20, needed=20),
    is_fault=True,
    while_open=True,
)
TABLE = (*LIVE_METRICS, AT_LIMIT, AGREEMENT, SILENT)


def at_limit(n, of=20):
    """So many of twenty predictions at the limit."""
    return predictions(of, values=np.where(np.arange(of) < n, 1.0, np.linspace(-0.9, 0.9, of)))


def seen(n):
    return observe(measured(predictions=at_limit(n)), POLICY, {}, table=TABLE)


@pytest.mark.parametrize(
    ("n", "level", "fired"),
    [
        (3, "ok", ()),
        (4, "ok", ()),
        (5, "warning", ()),
        (8, "warning", ()),
        (9, "critical", ()),
        (12, "critical", ()),
        (13, "critical", ("at_limit",)),
    ],
)
def test_it_is_read_with_its_levels_and_trips_its_trigger_beyond_each_level_and_not_at_it(n, level, fired):
    observed = seen(n)
    found = reading(observed, "at_limit_pct")
    assert (found.value, found.level) == (5.0 * n, level)
    assert observed.fired == fired
    assert ("at_limit_pct is critical" in " ".join(observed.unmet)) is (level == "critical")


def test_its_reason_is_in_its_own_words_with_the_figure_of_its_reading():
    assert explain("at_limit", seen(13), POLICY, TABLE) == "65% of the predictions stand at the limit, more than 60%"


def test_where_it_cannot_be_computed_it_is_unknown_blocks_and_trips_nothing():
    observed = observe(measured(predictions=predictions(values=None)), POLICY, {}, table=TABLE)
    found = reading(observed, "at_limit_pct")
    assert (found.value, found.level) == (None, "unknown")
    assert found.detail
    assert "at_limit" not in observed.fired
    assert not observed.is_conclusive
    assert explain("at_limit", observed, POLICY, TABLE).startswith("unknown of the predictions")


def broken_row(_session):
    raise ZeroDivisionError("no predictions to divide by")


@pytest.mark.parametrize("computed", [broken_row, lambda _: np.nan, lambda _: np.inf, lambda _: None])
def test_one_that_fails_is_unknown_and_silences_no_other_trigger(computed):
    table = (replace(AT_LIMIT, compute=computed), *LIVE_METRICS)
    observed = observe(measured(predictions=predictions(failed=2)), POLICY, {}, table=table)
    found = reading(observed, "at_limit_pct")
    assert (found.value, found.level) == (None, "unknown")
    assert "computed" in found.detail
    assert observed.fired == ("error_rate",)
    assert not observed.is_conclusive


def test_an_assumption_may_be_held_against_it():
    held = observe(measured(predictions=at_limit(3)), POLICY, {"wide": "at_limit_pct < 15"}, table=TABLE)
    assert any("wide" in reason for reason in held.unmet)


def test_one_that_is_bad_when_low_and_a_count_of_faults_are_rows_like_any_other():
    observed = observe(measured(), POLICY, {}, table=TABLE)  # latencies of 12 ms
    assert reading(observed, "agreement").level == "critical"
    slow = observe(measured(predictions=predictions(latency_ms=np.full(20, 9.0))), POLICY, {}, table=TABLE)
    assert slow.fired == ("agreement",)
    assert "0.09, limit 0.1" in explain("agreement", slow, POLICY, TABLE)
    assert reading(observed, "quotes_missing").level == "ok"
    fewer = observe(measured(predictions=predictions(19)), POLICY, {}, table=TABLE)
    assert (reading(fewer, "quotes_missing").level, reading(fewer, "quotes_missing").value) == ("unknown", -1.0)


def test_only_what_acts_at_once_is_read_before_the_close():
    found = interim(measured(), POLICY, datetime(2019, 2, 1, 21, tzinfo=UTC), TABLE)
    keys = {each.key for each in found.readings}
    assert "quotes_missing" in keys
    assert not keys & {"at_limit_pct", "agreement"}


@pytest.fixture
def release(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "memo")
    import sample

    return sample.release()


def test_the_memo_prints_it_where_it_prints_every_metric(release):
    parts = {part.number: repr(part) for part in plan(release, TABLE).sections}
    assert "share of predictions at the limit" in parts["4.2"]
    for text in ("'At the limit'", "> 20%", "> 40%", "Widen / Retrain"):
        assert text in parts["4.2"]
    assert f"the {len(tracked(has_champion=True, table=TABLE))} readings of 4.2" in parts["4.1"]
    assert "At the limit > 60%" in parts["4.1"]
    assert "'At the limit'" in repr(success(release, TABLE).sections[0])
    assert targets(release.policy, release.dossier.success, TABLE)["at_limit_pct"].text == "< 20%"


def test_every_threshold_of_every_row_is_printed_by_the_memo(release):
    rows = live_thresholds(release.policy, release.dossier.success, TABLE)
    chapter, end = (repr(part) for part in (plan(release, TABLE), success(release, TABLE)))
    words = {"var_exceptions_attributed", "critical_incidents"}  # "No …" in words
    for row in rows:
        if row.kind is not ThresholdKind.TARGET or row.key not in words:
            assert row.figure in (end if row.kind is ThresholdKind.TARGET else chapter), row


def test_the_table_of_the_house_knows_nothing_of_it(release):
    assert "at_limit_pct" not in {each.key for each in observe(measured(), POLICY, {}).readings}
    assert "At the limit" not in repr(plan(release))


# What a rollback's reason says is what its session read: in the ledger, of a release that is live.


@pytest.fixture
def house(tmp_path):
    found = Installation(settings(home=str(tmp_path / "home")), SimulatedClock(datetime(2019, 2, 1, 22, tzinfo=UTC)))
    events = tuple(
        replace(event, previous_deployment=None, previous_version=None) if isinstance(event, e.Opened) else event
        for event in way_to(State.SHADOW)
    )
    change = StreamChange(stream=deployment_stream(RELEASE), state=None, events=events)
    found.record.commit(change, actor="t", key="p", at=datetime(2019, 2, 1, 13, tzinfo=UTC))
    return found


class Shown:
    """A journal that holds what a test measured."""

    def __init__(self, measurement):
        self._measurement = measurement

    def measure(self, *_args, **_named):
        return self._measurement

    def sessions(self, *_args):
        return (SESSION,)


def rolled_back(house, measurement, table=LIVE_METRICS):
    """The reason of the rollback in the ledger, and the readings of the session that led to it."""
    watch = replace(house.watch("m"), feed=Shown(measurement), table=table)
    watch.observe(RELEASE, SESSION, actor="t")
    events = [recorded.event for recorded in house.record.history(deployment_stream(RELEASE))]
    started = next(event for event in events if isinstance(event, e.RollbackStarted))
    observed = next(event for event in events if isinstance(event, e.Observed))
    return started, {each.key: each for each in observed.readings}


OWN, MARKET = world()
LOSING = np.concatenate([OWN[:-45], np.tile([-0.01, -0.012, -0.008], 15)])


def lived_badly_after_a_good_past(lived=29):
    """Twenty-nine lived losses after a day of history so good that the window of thirty reads well."""
    own = np.concatenate([OWN[:-lived], np.tile([-0.001, -0.0012, -0.0008], 10)[:lived]])
    own[-lived - 1] = 0.09
    return measured(returns=own, lived=lived)


def test_the_toys_rollback_is_in_the_ledger_with_its_cause_and_its_reading(house):
    started, readings = rolled_back(house, measured(predictions=at_limit(14)), TABLE)
    assert (started.trigger, started.occasion) == ("at_limit", e.RollbackCause.RISK_BREACH)
    assert started.reason == "70% of the predictions stand at the limit, more than 60%"
    assert readings["at_limit_pct"].value == 70.0


def test_the_review_holds_its_worst_session_against_its_target(house):
    watch = replace(house.watch("m"), table=TABLE)
    for n, day in enumerate((date(2019, 2, 1), date(2019, 2, 4), date(2019, 2, 5))):
        house.clock.set(datetime(day.year, day.month, day.day, 22, tzinfo=UTC))
        rows = replace(at_limit((2, 3, 1)[n]), latency_ms=np.full(20, (40.0, 26.0, 90.0)[n]))
        shown = replace(watch, feed=Shown(replace(measured(predictions=rows), session=day)))
        shown.observe(RELEASE, day, actor="t")
    found = {each.key: each for each in review(house.record, shown, RELEASE, notes="", actor="t").readings}
    assert (found["at_limit_pct"].value, found["at_limit_pct"].level) == (15.0, "ok")
    assert (found["agreement"].value, found["agreement"].level) == (0.26, "critical")
    assert "target ≥ 0.3" in found["agreement"].detail


def test_a_sharpe_ratio_above_the_floor_is_no_reason_of_a_rollback(house):
    started, readings = rolled_back(house, lived_badly_after_a_good_past())
    above = readings["rolling_sharpe_30d"].value
    assert above > 0.5  # as "rolling Sharpe ratio 2.46, below 0.5 for 10 sessions" once read
    assert started.trigger == "sharpe"
    assert f"{above:.3g}" not in started.reason
    days = readings["sharpe_days_below"]
    assert (days.level, days.value) == ("critical", 10.0)
    assert f"below 0.5 for {days.value:g} sessions in a row (limit 10)" in started.reason


def broken(values, back):
    found = values.copy()
    found[-back] = np.nan
    return found


def test_a_streak_that_is_sure_is_told_as_at_least_so_much_and_as_unknown_beyond(house):
    started, readings = rolled_back(house, measured(returns=broken(LOSING, 12), lived=31))
    days = readings["sharpe_days_below"]
    assert days.level == "unknown"
    assert f"for at least {days.value:g} sessions in a row (limit 10); the exact figure is unknown: the return of" in (
        started.reason
    )


def test_breaches_that_are_sure_are_told_with_the_count_of_the_ledger(house):
    own = OWN.copy()
    own[-12:-1:2] = MARKET[-12:-1:2] * 0.8 - 0.08
    started, readings = rolled_back(house, measured(returns=broken(own, 40)))
    count = readings["var_exceptions_attributed"]
    assert count.level == "unknown"
    assert started.reason.startswith(f"at least {count.value:g} value-at-risk breaches attributed to the model")


@pytest.mark.parametrize(
    "rows",
    [
        predictions(latency_ms=np.where(np.arange(20) < 9, np.nan, 512.25)),
        predictions(2, latency_ms=np.array([np.nan, 200.5])),
        predictions(4, slow=1),
        predictions(slow=2),
    ],
    ids=["some are not timed", "one of two", "few", "many"],
)
def test_a_latency_that_rolls_back_is_a_figure_above_the_limit_and_never_unknown(house, rows):
    started, readings = rolled_back(house, measured(predictions=rows))
    found = readings["latency_p95_ms"]
    assert "latency p95 unknown" not in started.reason
    assert found.value > 200
    assert found.level == "critical"
    assert f"latency p95 {found.value:g} ms, limit 200 ms" in started.reason


@pytest.mark.parametrize(
    ("rows", "value"),
    [
        (predictions(failed=2), 10.0),
        (predictions(3, failed=3), 100.0),
        (predictions(3, failed=1), 20.0),
        (predictions(failed=3, errors=np.where(np.arange(20) < 3, 1.0, np.nan)), 15.0),
    ],
)
def test_an_error_rate_that_rolls_back_is_the_one_of_the_ledger(house, rows, value):
    started, readings = rolled_back(house, measured(predictions=rows))
    found = readings["error_rate_pct"]
    assert (found.value, found.level) == (value, "critical")
    assert f"error rate {value:g}%, limit 5%" in started.reason


@pytest.mark.parametrize("limit", [199.9996, 200.0, 1.0 / 3.0])
def test_a_figure_just_beyond_a_limit_never_reads_as_the_limit(limit):
    policy = replace(POLICY, triggers=replace(POLICY.triggers, latency_p95_ms=limit))
    beyond = float(np.nextafter(limit, np.inf))
    observed = observe(measured(predictions=predictions(latency_ms=np.full(20, beyond))), policy, {})
    assert observed.fired == ("latency_p95",)
    said = explain("latency_p95", observed, policy)
    assert float(said.split()[2]) > limit, said


@pytest.mark.parametrize("trigger", ["sharpe", "var", "error_rate", "latency_p95", "of_a_later_signoff"])
def test_a_trigger_whose_reading_nobody_recorded_reads_as_unknown(trigger):
    old = e.Observed(session=date(2019, 1, 2), counts=True, readings=(), fired=(trigger,), is_conclusive=True)
    said = explain(trigger, old, POLICY)
    assert "unknown" in said or "does not know" in said
