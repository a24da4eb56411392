"""A session is judged after its close; until then errors and latencies are looked at, and act. Files are real."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from standing import way_to

from signoff.adapters.clocks import SimulatedClock
from signoff.app.record import StreamChange, deployment_stream
from signoff.app.review import review
from signoff.cli.main import main
from signoff.config.settings import settings
from signoff.domain import events as e
from signoff.domain.deployment import State
from signoff.domain.errors import NotFoundError, RefusedError
from signoff.domain.policy import PhasePolicy
from signoff.installation import Installation
from signoff.verbs.local import Local
from signoff.worker.work import Worker

RELEASE = "m-2"
NOON = datetime(2019, 1, 3, 17, tzinfo=UTC)
TODAY = NOON.date()
SYMBOLS = [f"S{n:02}" for n in range(20)]


def world(tmp_path, now=NOON, *, since=datetime(2019, 1, 3, 13, tzinfo=UTC), phases=None):
    """A release in shadow since the morning, at an instant."""
    house = Installation(settings(home=str(tmp_path / "home")), SimulatedClock(now))
    events = [
        replace(event, deployment=RELEASE, model="m", previous_deployment=None, previous_version=None)
        if isinstance(event, e.Opened)
        else event
        for event in way_to(State.SHADOW)
    ]
    if phases is not None:
        events = [
            replace(event, policy=replace(event.policy, phases=phases)) if isinstance(event, e.Opened) else event
            for event in events
        ]
    house.record.commit(
        StreamChange(stream=deployment_stream(RELEASE), state=None, events=tuple(events)), actor="t", key="p", at=since
    )
    return house


def journal(house, predictions, days=(TODAY,)):
    """A journal with these predictions, (instant, symbol, failed), and a return a day."""
    folder = house.settings.live("m")
    folder.mkdir(parents=True, exist_ok=True)
    of = {"version": "2"}
    features = {"timestamp": [at for at, _, _ in predictions], "symbol": [s for _, s, _ in predictions], "x": 1.0}
    tables = {
        "returns": {"date": list(days), **of, "return": 0.001, "benchmark": 0.001},
        "history": {"date": [days[0] - timedelta(days=9)], **of, "return": 0.001, "benchmark": 0.0},
        "exposure": {"date": list(days), **of, "gross_exposure_pct": 50.0},
        "features": features,
        "baseline_features": {**features, "timestamp": [at - timedelta(days=99) for at, _, _ in predictions]},
        "predictions": {
            "timestamp": features["timestamp"],
            **of,
            "symbol": features["symbol"],
            "prediction": 0.1,
            "latency_ms": 5.0,
            "error": [failed for _, _, failed in predictions],
        },
    }
    for name, columns in tables.items():
        pl.DataFrame(columns).write_parquet(folder / f"{name}.parquet")


def at(hour, failed=0, day=TODAY, symbols=SYMBOLS):
    stamp = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    return [(stamp, symbol, n < failed) for n, symbol in enumerate(symbols)]


def kinds(house):
    return [r.event.kind for r in house.record.history(deployment_stream(RELEASE))]


def test_half_of_an_afternoon_that_fails_is_seen_though_noon_was_looked_at(tmp_path):
    house = world(tmp_path)
    journal(house, at(15))
    found = Local(house, "t").observe(RELEASE)
    assert found["interim"] == "interim: the session is open until 21:00 UTC"
    assert "observed" not in kinds(house)
    journal(house, at(15) + at(20, failed=20))
    house.clock.set(datetime(2019, 1, 3, 21, 1, tzinfo=UTC))
    found = Local(house, "t").observe(RELEASE)
    assert found["interim"] is None
    assert found["fired"] == ["error_rate"]
    assert found["readings"]["error_rate_pct"]["value"] == 50.0


@pytest.mark.parametrize(
    "predictions",
    [
        at(15, failed=10),
        at(15, failed=4, symbols=SYMBOLS[:4]),
        at(14) + at(16, failed=3),
        at(14, failed=1, symbols=["A"]),
    ],
)
def test_failures_before_the_close_roll_back_at_once_and_the_reason_says_interim(tmp_path, predictions):
    house = world(tmp_path)
    journal(house, predictions)
    Worker(house).work(is_observing=True)
    state = house.record.deployment(RELEASE)
    assert state.rollback is not None
    assert state.rollback.reason.startswith("interim, before the close of 2019-01-03: error rate")
    assert "observed" not in kinds(house)


def test_nothing_is_rolled_back_in_the_interim_where_nothing_fails(tmp_path):
    house = world(tmp_path)
    journal(house, at(15))
    done = Worker(house).work(is_observing=True)
    assert done.problems == []
    assert house.record.deployment(RELEASE).state is State.SHADOW


def test_a_release_that_has_not_predicted_yet_is_no_trouble(tmp_path):
    house = world(tmp_path)
    assert Worker(house).work(is_observing=True).problems == []


@pytest.mark.parametrize(
    ("session", "said"),
    [
        (TODAY, "closes at 2019-01-03 21:00 UTC"),
        (date(2019, 1, 4), "closes at 2019-01-04 21:00 UTC"),
        (date(2019, 1, 5), "Saturday"),
    ],
)
def test_a_session_that_has_not_closed_is_not_recorded_by_its_date(tmp_path, session, said):
    house = world(tmp_path)
    journal(house, at(15))
    with pytest.raises(RefusedError, match=said):
        Local(house, "t").observe(RELEASE, session)
    assert "observed" not in kinds(house)


def test_after_the_close_of_the_last_session_there_is_nothing_to_look_at(tmp_path):
    house = world(tmp_path, datetime(2019, 1, 3, 22, tzinfo=UTC))
    journal(house, at(15))
    Local(house, "t").observe(RELEASE)
    with pytest.raises(NotFoundError, match="none that has closed"):
        Local(house, "t").observe(RELEASE)


def test_a_release_of_sydney_begins_with_the_session_that_its_morning_is_in(tmp_path):
    begun = datetime(2019, 1, 3, 23, 30, tzinfo=UTC)
    house = world(tmp_path, datetime(2019, 1, 4, 4, tzinfo=UTC), since=begun, phases=PhasePolicy(calendar="XASX"))
    watch = house.watch("m")
    assert watch.next_session(house.record.deployment(RELEASE)) is None
    assert watch.open_session(house.record.deployment(RELEASE)) == date(2019, 1, 4)
    house.clock.set(datetime(2019, 1, 4, 5, 1, tzinfo=UTC))
    assert watch.next_session(house.record.deployment(RELEASE)) == date(2019, 1, 4)


@pytest.mark.parametrize(
    ("calendar", "begun", "first"),
    [
        ("XNYS", datetime(2019, 1, 3, 20, 59, tzinfo=UTC), date(2019, 1, 3)),
        ("XNYS", datetime(2019, 1, 3, 21, 0, tzinfo=UTC), date(2019, 1, 4)),
        ("XNYS", datetime(2019, 1, 4, 0, 24, tzinfo=UTC), date(2019, 1, 4)),
        ("XNYS", datetime(2019, 1, 5, 4, 59, tzinfo=UTC), date(2019, 1, 7)),
        ("XASX", datetime(2019, 1, 3, 6, 0, tzinfo=UTC), date(2019, 1, 4)),
        ("XLON", datetime(2019, 6, 3, 23, 30, tzinfo=UTC), date(2019, 6, 4)),
        ("24/7", datetime(2019, 1, 5, 23, 59, tzinfo=UTC), date(2019, 1, 5)),
    ],
)
def test_a_session_that_was_over_when_the_release_began_is_none_of_it(tmp_path, calendar, begun, first):
    house = world(tmp_path, begun + timedelta(days=4), since=begun, phases=PhasePolicy(calendar=calendar))
    assert house.watch("m").next_session(house.record.deployment(RELEASE)) == first


def test_the_command_line_prints_what_every_reading_rests_on_and_never_none(tmp_path, capsys):
    house = world(tmp_path)
    journal(house, at(15))
    line = ["observe", RELEASE, "--home", str(house.settings.home)]
    main(line)
    said = capsys.readouterr().out
    assert "None" not in said
    assert "too few" in said
    assert "n 20 of 200" in said
    assert "age 0 d" in said
    main([*line, "--json"])
    found = json.loads(capsys.readouterr().out)
    assert {"value", "level", "detail", "n", "needed", "as_of", "age_days"} <= set(found["readings"]["psi_max"])


def sessions(house, n, without=()):
    """Observations of so many sessions, inconclusive ones, with no data on some."""
    days = house.watch("m").calendar.days("XNYS", TODAY, TODAY + timedelta(days=60))[:n]
    for day in days:
        seen = e.Observed(session=day, counts=day not in without, readings=(), is_conclusive=False)
        state = house.record.deployment(RELEASE)
        change = StreamChange(stream=deployment_stream(RELEASE), state=state, events=(seen,))
        house.record.commit(change, actor="t", key=f"o{day}", at=datetime(day.year, day.month, day.day, 22, tzinfo=UTC))
    house.clock.set(datetime(days[-1].year, days[-1].month, days[-1].day, 22, tzinfo=UTC))
    return days


def uptime(house):
    found = review(house.record, house.watch("m"), RELEASE, notes="n", actor="t")
    return next(r for r in found.readings if r.key == "uptime_pct")


class TestUptime:
    def test_a_model_that_ran_every_session_was_up_whatever_could_be_concluded(self, tmp_path):
        house = world(tmp_path)
        journal(house, at(15))
        sessions(house, 10)
        found = uptime(house)
        assert (found.value, found.level, found.n) == (100.0, "ok", 10)

    def test_a_session_without_data_was_none_of_uptime(self, tmp_path):
        house = world(tmp_path)
        journal(house, at(15))
        sessions(house, 10, without=(date(2019, 1, 8),))
        found = uptime(house)
        assert (found.value, found.level) == (90.0, "critical")
        assert "9 of 10 sessions were served, the first that was not is 2019-01-08" in found.detail

    def test_sessions_that_nobody_observed_are_none_either(self, tmp_path):
        house = world(tmp_path)
        journal(house, at(15))
        sessions(house, 5)
        house.clock.set(house.clock.now() + timedelta(days=7))
        assert uptime(house).value == pytest.approx(100 * 5 / 9)

    def test_a_holiday_and_the_day_of_the_start_after_its_close_are_no_sessions_of_it(self, tmp_path):
        house = world(tmp_path, since=datetime(2019, 1, 2, 22, tzinfo=UTC))
        journal(house, at(15))
        sessions(house, 14)
        found = uptime(house)
        assert (found.value, found.n) == (100.0, 14)


@pytest.mark.parametrize("day", [date(2019, 1, 2), date(2018, 12, 31), date(2018, 6, 1)])
def test_a_session_before_the_release_was_live_is_refused_and_counts_for_nothing(tmp_path, day):
    house = world(tmp_path)
    journal(house, at(17, day=day), days=(day,))
    with pytest.raises(RefusedError, match=r"from 2019-01-03 on, the day on which m-2 became live"):
        house.watch("m").observe(RELEASE, day, actor="t")
    assert house.record.deployment(RELEASE).last_session is None
    assert house.record.deployment(RELEASE).phase_days == 0


def test_an_observation_between_two_sessions_says_when_the_next_one_closes(tmp_path):
    house = world(tmp_path, datetime(2019, 1, 6, 17, tzinfo=UTC), since=datetime(2019, 1, 5, 13, tzinfo=UTC))
    with pytest.raises(
        NotFoundError, match=r"next session is 2019-01-07; observe again after its close at 2019-01-07 21:00"
    ):
        house.watch("m").observe(RELEASE, actor="t")
