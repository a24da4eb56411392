"""One figure held against a row of its own: its level, what fires, what keeps the release, and the words for it."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from live_days import SESSION, measured, predictions

from signoff.domain.events import Level, Observed, Reading, RollbackCause
from signoff.domain.live_metrics import Alert, LiveMetric, MetricGroup, RollbackTrigger
from signoff.domain.monitoring import Baseline, DailyReturns, explain, interim, observe
from signoff.domain.monitoring.judge import still_open
from signoff.domain.monitoring.readings import NOT_YET, Figure
from signoff.domain.policy import Policy, RisingAlert
from signoff.domain.profiles import Pinned
from signoff.domain.thresholds import Sign

POLICY = Policy(name="test", version="1")
UNTIL = datetime(2019, 2, 1, 21, 5, tzinfo=UTC)
ALERT = Alert(lambda _: RisingAlert(warning=10.0, critical=20.0, action="look"))
TRIGGER = RollbackTrigger("too_much", RollbackCause.ERROR, lambda _: 30.0)


def row(figure, **changes):
    made = LiveMetric("m", MetricGroup.DATA, "a measure", lambda _: figure, alert=ALERT, trigger=TRIGGER)
    return replace(made, **changes)


def read(figure, *, own=None, **changes):
    return observe(own or measured(), POLICY, {}, table=(row(figure, **changes),))


BOUNDS = row(None).bounds(POLICY)
OF = {"n": 5, "needed": 3, "as_of": SESSION}


@pytest.mark.parametrize(
    ("figure", "reading", "fired"),
    [
        (Figure(value=10.0, **OF), Reading(key="m", value=10.0, level=Level.OK, detail=BOUNDS, **OF), ()),
        (10.5, Reading(key="m", value=10.5, level=Level.WARNING, detail=BOUNDS), ()),
        (20.0, Reading(key="m", value=20.0, level=Level.WARNING, detail=BOUNDS), ()),
        (Figure(value=20.5), Reading(key="m", value=20.5, level=Level.CRITICAL, detail=BOUNDS), ()),
        (
            Figure(value=20.5, detail="so it is"),
            Reading(key="m", value=20.5, level=Level.CRITICAL, detail="so it is, critical above 20"),
            (),
        ),
        (
            Figure(value=15.0, detail="so it is"),
            Reading(key="m", value=15.0, level=Level.WARNING, detail="so it is"),
            (),
        ),
        (30.0, Reading(key="m", value=30.0, level=Level.CRITICAL, detail=BOUNDS), ()),
        (30.5, Reading(key="m", value=30.5, level=Level.CRITICAL, detail=BOUNDS), ("too_much",)),
        (
            Figure(value=5.0, detail="another limit", is_critical=True),
            Reading(key="m", value=5.0, level=Level.CRITICAL, detail="another limit, critical above 20"),
            (),
        ),
        (None, Reading(key="m", value=None, level=Level.UNKNOWN, detail="it cannot be computed from these data"), ()),
        (
            Figure(value=5.0, why="it is late", **OF),
            Reading(key="m", value=None, level=Level.UNKNOWN, detail="it is late", **OF),
            (),
        ),
        (
            Figure(value=5.0, why="it is late", is_young=True),
            Reading(key="m", value=None, level=Level.UNKNOWN, detail="it is late", is_young=True),
            (),
        ),
        (
            Figure(value=5.0, is_young=True),
            Reading(key="m", value=5.0, level=Level.OK, detail=BOUNDS),
            (),
        ),
        (
            Figure(value=5.0, why="it is late", sure=15.0),
            Reading(key="m", value=None, level=Level.UNKNOWN, detail="it is late"),
            (),
        ),
        (
            Figure(value=5.0, why="it is late", sure=25.0),
            Reading(key="m", value=25.0, level=Level.CRITICAL, detail=BOUNDS),
            (),
        ),
        (
            Figure(value=5.0, why="it is late", sure=31.0, detail="so many"),
            Reading(key="m", value=31.0, level=Level.CRITICAL, detail="so many, critical above 20"),
            ("too_much",),
        ),
        (
            Figure(value=np.nan),
            Reading(key="m", value=None, level=Level.UNKNOWN, detail="it cannot be computed from these data"),
            (),
        ),
    ],
)
def test_a_figure_is_held_against_its_row(figure, reading, fired):
    observed = read(figure)
    bad = reading.level in {Level.CRITICAL, Level.UNKNOWN}

    assert observed.readings == (reading,)
    assert observed.fired == fired
    assert observed.unmet == (
        *(f"trigger holds: {name}" for name in fired),
        *((f"m is {reading.level.value}: {reading.detail}",) if bad else ()),
    )
    assert observed.is_conclusive is (reading.level != Level.UNKNOWN)


@pytest.mark.parametrize(("value", "level"), [(0, Level.OK), (1, Level.UNKNOWN), (-1, Level.UNKNOWN)])
def test_a_count_of_faults_is_unknown_above_nothing_and_shown(value, level):
    observed = read(Figure(value=value, detail="three rows"), is_fault=True, alert=None, trigger=None)
    assert observed.readings == (Reading(key="m", value=value, level=level, detail="three rows"),)


def test_what_is_not_read_yet_or_has_no_computation_is_no_reading():
    assert read(NOT_YET).readings == ()
    assert read(None, compute=None).readings == ()
    assert read(Figure(why="not read yet")).readings[0].level == Level.UNKNOWN


def test_a_metric_that_breaks_is_unknown_and_silences_no_other():
    def broken(_session):
        raise ZeroDivisionError("by nothing")

    found = observe(measured(), POLICY, {}, table=(row(None, compute=broken), row(31.0, key="other")))

    assert found.readings[0].level == Level.UNKNOWN
    assert found.readings[0].detail.startswith("it could not be computed: ZeroDivisionError: by nothing")
    assert found.fired == ("too_much",)


def test_without_data_of_its_own_a_session_does_not_count_and_its_triggers_wait():
    empty = measured(predictions=predictions(0))
    late = read(31.0, own=empty)

    assert late == Observed(
        session=SESSION,
        counts=False,
        readings=(Reading(key="m", value=31.0, level=Level.CRITICAL, detail=BOUNDS),),
        unmet=("no data arrived for this session", f"m is critical: {BOUNDS}"),
        is_conclusive=False,
    )
    assert read(31.0, own=empty, while_open=True).fired == ("too_much",)
    no_return = measured(live=DailyReturns(), history=DailyReturns())
    assert not read(1.0, own=no_return).counts
    assert not read(1.0, own=no_return).is_conclusive


def test_a_whole_observation():
    pinned = Pinned(sha256="a" * 64, features=("x",))
    own = measured(baseline=Baseline(pinned=pinned))
    assumed = {"calm": "m < 5", "wide": "m < 20", "known": "other > 0"}
    found = observe(own, POLICY, assumed, table=(row(10.0),))

    assert found == Observed(
        session=SESSION,
        counts=True,
        readings=(Reading(key="m", value=10.0, level=Level.OK, detail=BOUNDS),),
        unmet=(
            "assumption violated or unknown: calm (m < 5)",
            "assumption violated or unknown: known (other > 0)",
        ),
        is_conclusive=True,
        reference=pinned,
    )
    unknown = observe(own, POLICY, {"wide": "m < 20"}, table=(row(Figure(value=1.0, why="late")),))
    assert unknown.unmet == ("m is unknown: late", "assumption violated or unknown: wide (m < 20)")
    assert not unknown.is_conclusive


def test_an_interim_look():
    table = (row(31.0, while_open=True), row(31.0, key="closed"))
    found = interim(measured(), POLICY, UNTIL, table)

    assert still_open(UNTIL) == "interim: the session is open until 21:05 UTC"
    assert found == Observed(
        session=SESSION,
        counts=False,
        readings=(Reading(key="m", value=31.0, level=Level.CRITICAL, detail=BOUNDS),),
        fired=("too_much",),
        unmet=(still_open(UNTIL), "trigger holds: too_much", f"m is critical: {BOUNDS}"),
        is_conclusive=False,
        open_until=UNTIL,
    )


def test_of_several_triggers_the_one_that_names_the_cause_goes_first():
    first = replace(TRIGGER, name="first", precedence=1)
    table = (row(31.0), row(31.0, key="b", trigger=first), row(1.0, key="c", trigger=replace(TRIGGER, name="calm")))
    assert observe(measured(), POLICY, {}, table=table).fired == ("first", "too_much")


def test_a_trigger_below_its_limit_and_its_reason():
    low = replace(TRIGGER, name="low", sign=Sign.BELOW, reason="{title} {reading}, limit {limit.figure}")
    table = (row(29.0, alert=None, trigger=low),)
    observed = observe(measured(), POLICY, {}, table=table)

    assert observed.fired == ("low",)
    assert observed.readings[0].level == Level.CRITICAL
    assert "a measure" in explain("low", observed, POLICY, table)
    assert "30" in explain("low", observed, POLICY, table)
