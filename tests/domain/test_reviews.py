"""The 30-day review holds what the memo prints, and calls no release a success that was killed or rolled back."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from enforced_thresholds import live_thresholds
from standing import POLICY, way_to
from undertakings import UNDERTAKINGS

from signoff.adapters.clocks import SimulatedClock
from signoff.app.record import StreamChange, deployment_stream, model_stream
from signoff.app.review import review
from signoff.cli.main import main
from signoff.config.settings import settings
from signoff.domain import events as e
from signoff.domain.deployment import State
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.live_metrics import targets, threshold
from signoff.domain.policy import Policy, tighten
from signoff.domain.thresholds import ThresholdKind
from signoff.installation import Installation
from signoff.ledger.codec import decode, encode

RELEASE = "m-2"
SINCE = datetime(2019, 1, 3, 13, tzinfo=UTC)
SESSIONS = [date(2019, 1, day) for day in (3, 4, 7, 8, 9, 10, 11, 14, 15, 16, 17, 18)]
SYMBOLS = [f"S{n}" for n in range(20)]
RNG = np.random.default_rng(3)
BACKTEST = RNG.normal(0.002, 0.004, len(SESSIONS))
LIVE = BACKTEST + RNG.normal(0.0, 0.001, len(SESSIONS))


def reading(key, value, level="ok"):
    return e.Reading(key=key, value=value, level=level)


def day(session, *, is_conclusive=True, counts=True, **values):
    """One observed session with these readings beside healthy ones."""
    healthy = {"predictions": 20.0, "error_rate_pct": 0.0, "latency_p95_ms": 5.0, "psi_max": 0.0}
    figures = {**healthy, "var_exceptions_attributed": 0.0, **values}
    return e.Observed(
        session=session,
        counts=counts,
        readings=tuple(reading(k, v, "unknown" if v is None else "ok") for k, v in figures.items()),
        is_conclusive=is_conclusive,
    )


def world(tmp_path, days=None, *, policy=None, more=(), live=LIVE, backtest=BACKTEST):
    """A release in shadow since the third, observed on these days, then what else happened to it."""
    house = Installation(settings(home=str(tmp_path / "home")), SimulatedClock(datetime(2019, 1, 18, 22, tzinfo=UTC)))
    events = [
        replace(event, previous_deployment=None, previous_version=None, policy=policy or event.policy)
        if isinstance(event, e.Opened)
        else event
        for event in way_to(State.SHADOW)
    ]
    put(house, events, SINCE)
    for observed in [day(session) for session in SESSIONS] if days is None else days:
        put(house, [observed], datetime.combine(observed.session, datetime.min.time(), UTC) + timedelta(hours=22))
    put(house, list(more), house.clock.now())
    journal(house, live, backtest)
    return house


def put(house, events, at):
    state = house.record.store.load(deployment_stream(RELEASE)) and house.record.deployment(RELEASE)
    if events:
        change = StreamChange(stream=deployment_stream(RELEASE), state=state, events=tuple(events))
        house.record.commit(change, actor="t", key=f"{at}{events[0].kind}{len(events)}", at=at)


def journal(house, live, backtest):
    folder = house.settings.live("m")
    folder.mkdir(parents=True)
    of = {"version": "2"}
    stamps = [datetime.combine(s, datetime.min.time(), UTC) + timedelta(hours=20) for s in SESSIONS]
    rows = {"timestamp": [at for at in stamps for _ in SYMBOLS], "symbol": SYMBOLS * len(stamps)}
    before = {**rows, "timestamp": [at - timedelta(days=99) for at in rows["timestamp"]]}
    tables = {
        "returns": {"date": SESSIONS, **of, "return": live, "benchmark": 0.001},
        "history": {"date": [date(2018, 12, 3)], **of, "return": 0.001, "benchmark": 0.0},
        "exposure": {"date": SESSIONS, **of, "gross_exposure_pct": 50.0},
        "features": {**rows, "x": 1.0},
        "baseline_features": {**before, "x": 1.0},
        "predictions": {**rows, **of, "prediction": 0.1, "latency_ms": 5.0, "error": False},
        **({} if backtest is None else {"backtest": {"date": SESSIONS[: len(backtest)], **of, "return": backtest}}),
    }
    for name, columns in tables.items():
        pl.DataFrame(columns).write_parquet(folder / f"{name}.parquet")


def reviewed(house):
    return review(house.record, house.watch("m"), RELEASE, notes="", actor="t")


def of(found, key):
    return next(r for r in found.readings if r.key == key)


BEGUN = e.RollbackStarted(
    occasion=e.RollbackCause.ERROR, trigger="error_rate", reason="r", from_phase=None, deadlines=()
)


class TestTheOneTable:
    def test_a_release_that_met_every_target_is_told_so(self, tmp_path):
        found = reviewed(world(tmp_path))
        assert [(r.key, r.detail) for r in found.readings if r.level != "ok"] == []
        assert (found.targets_met, found.ended) == (True, "")

    def test_the_review_reads_every_target_that_the_memo_prints_at_its_figure(self, tmp_path):
        found = reviewed(world(tmp_path))
        printed = targets(Policy(name="p", version="1"), UNDERTAKINGS.success)
        assert {r.key: r.detail.partition(";")[0] for r in found.readings} == {
            key: f"target {row.text}" for key, row in printed.items()
        }

    @pytest.mark.parametrize(
        ("key", "value", "level"),
        [
            ("psi_max", 0.1, "ok"),
            ("psi_max", 0.11, "critical"),
            ("psi_max", 0.25, "critical"),
            ("latency_p95_ms", 99.0, "ok"),
            ("latency_p95_ms", 100.0, "critical"),
            ("error_rate_pct", 0.9, "ok"),
            ("error_rate_pct", 1.0, "critical"),
            ("var_exceptions_attributed", 1.0, "critical"),
        ],
    )
    def test_a_target_is_missed_where_the_memos_sign_says(self, tmp_path, key, value, level):
        found = reviewed(world(tmp_path, [*(day(s) for s in SESSIONS[:-1]), day(SESSIONS[-1], **{key: value})]))
        assert (of(found, key).level, found.targets_met) == (level, level == "ok")

    def test_a_target_that_a_dossier_tightened_is_the_one_enforced(self, tmp_path):
        policy, _ = tighten(POLICY, {"alerts.psi.warning": 0.05})
        days = [*(day(s) for s in SESSIONS[:-1]), day(SESSIONS[-1], psi_max=0.08)]
        found = of(reviewed(world(tmp_path, days, policy=policy)), "psi_max")
        assert (found.level, found.detail) == ("critical", "target ≤ 0.05")

    def test_what_rolls_back_is_critical_at_the_same_figure(self):
        policy, _ = tighten(
            Policy(name="p", version="1"), {"triggers.latency_p95_ms": 80, "triggers.error_rate_pct": 2}
        )
        for key, figure in (("latency_p95_ms", "80 ms"), ("error_rate_pct", "2%")):
            rows = [threshold(policy, key, kind) for kind in (ThresholdKind.CRITICAL, ThresholdKind.TRIGGER)]
            assert [row.figure for row in rows] == [figure, figure]
        assert threshold(policy, "latency_p95_ms", ThresholdKind.WARNING).value == 80

    def test_each_row_stands_once_and_uptime_of_all_sessions_can_be_met(self):
        policy, _ = tighten(Policy(name="p", version="1"), {"success.uptime_pct": 100})
        rows = live_thresholds(policy, UNDERTAKINGS.success)
        assert len({(row.key, row.kind) for row in rows}) == len(rows)
        assert targets(policy, UNDERTAKINGS.success)["uptime_pct"].holds(100.0)


class TestUptimeIsSessionsServed:
    def test_sessions_of_which_nothing_could_be_concluded_were_served(self, tmp_path):
        days = [day(s, is_conclusive=False, counts=False, psi_max=None) for s in SESSIONS]
        assert of(reviewed(world(tmp_path, days)), "uptime_pct").value == 100.0

    @pytest.mark.parametrize(
        "outage",
        [
            {"predictions": 0.0},
            {"predictions": None},
            {"error_rate_pct": 100.0},
            {"predictions": 0.0, "is_conclusive": True},
        ],
    )
    def test_a_session_without_a_prediction_that_did_not_fail_was_not(self, tmp_path, outage):
        days = [*(day(s) for s in SESSIONS[:-1]), day(SESSIONS[-1], **outage)]
        found = of(reviewed(world(tmp_path, days)), "uptime_pct")
        assert (found.n, found.level) == (12, "critical")
        assert "11 of 12 sessions were served, the first that was not is 2019-01-18" in found.detail

    def test_a_session_that_nobody_observed_was_not(self, tmp_path):
        days = [day(s) for s in SESSIONS if s.day != 9]
        assert "11 of 12 sessions were served" in of(reviewed(world(tmp_path, days)), "uptime_pct").detail


class TestCorrelationWithTheBacktest:
    def test_it_is_of_the_registered_version_run_over_the_lived_sessions(self, tmp_path):
        found = of(reviewed(world(tmp_path)), "correlation_with_backtest")
        assert found.value == pytest.approx(np.corrcoef(LIVE, BACKTEST)[0, 1])
        assert found.level == "ok"

    @pytest.mark.parametrize(
        ("backtest", "words"),
        [
            (None, "not measured: backtest.parquet"),
            (LIVE + 0.0001, "not evidenced: the live returns are the backtest's own"),
            (BACKTEST[:-1], "1 of 12 lived sessions are not in backtest.parquet"),
            (np.where(np.arange(12) == 4, np.nan, BACKTEST), "not a number"),
        ],
    )
    def test_without_one_that_says_something_the_target_is_not_met(self, tmp_path, backtest, words):
        found = reviewed(world(tmp_path, backtest=backtest))
        assert (of(found, "correlation_with_backtest").value, found.targets_met) == (None, False)
        assert words in of(found, "correlation_with_backtest").detail


class TestAReleaseThatCameToItsEnd:
    def test_one_that_was_rolled_back_is_no_success_whatever_it_earned(self, tmp_path):
        found = reviewed(world(tmp_path, more=(BEGUN,)))
        assert found.ended.startswith("ROLLED BACK: rolled back on 2019-01-18 22:00 UTC, error_rate: r")
        assert not found.targets_met
        assert (of(found, "critical_incidents").value, of(found, "critical_incidents").level) == (1.0, "critical")

    def test_one_that_was_killed_is_none_though_no_rollback_was_begun(self, tmp_path):
        house = world(tmp_path)
        kill(house)
        found = reviewed(house)
        assert found.ended.startswith("ROLLED BACK: killed on 2019-01-18 22:00 UTC by Rae: fat finger")
        assert (found.targets_met, of(found, "critical_incidents").value) == (False, 1.0)

    def test_one_that_was_killed_before_its_first_session_was_over_is_reviewed(self, tmp_path):
        house = world(tmp_path, [])
        kill(house)
        found = reviewed(house)
        assert found.ended.startswith("ROLLED BACK")
        assert of(found, "sharpe").level == "unknown"

    def test_a_kill_before_the_release_was_live_is_none_of_its_incidents(self, tmp_path):
        house = world(tmp_path)
        kill(house, SINCE - timedelta(days=1))
        assert reviewed(house).targets_met

    def test_a_missed_deadline_is_an_incident_and_the_rollback_another(self, tmp_path):
        missed = e.DeadlineBreached(name="immediate", due=SINCE)
        found = of(reviewed(world(tmp_path, more=(BEGUN, missed))), "critical_incidents")
        assert found.value == 2.0
        assert "the deadline immediate was missed" in found.detail

    def test_the_command_and_the_history_say_it_in_their_first_words(self, tmp_path, capsys):
        house = world(tmp_path, more=(BEGUN,))
        line = ["review", RELEASE, "--home", str(house.settings.home)]
        assert main([*line, "--json"]) == 1
        said = json.loads(capsys.readouterr().out)
        assert said["result"].startswith("ROLLED BACK: rolled back on")
        assert said["readings"]["critical_incidents"]["level"] == "critical"
        main(["history", RELEASE, "--home", str(house.settings.home)])
        assert "reviewed: ROLLED BACK" in " ".join(capsys.readouterr().out.split())

    def test_the_command_names_what_was_missed_and_what_was_not_measured(self, tmp_path, capsys):
        house = world(tmp_path, [day(s, psi_max=0.2) for s in SESSIONS], backtest=None)
        assert main(["review", RELEASE, "--home", str(house.settings.home)]) == 1
        said = " ".join(capsys.readouterr().out.split())
        assert "targets missed: uptime_pct, psi_max; not measured: correlation_with_backtest" in said


def test_a_review_of_an_older_signoff_still_reads():
    old = e.Reviewed(readings=(reading("sharpe", 1.0),), targets_met=True)
    recorded = e.Recorded(stream="deployment/m-2", revision=1, at=SINCE, actor="t", event=old)
    body = encode(recorded)
    assert b'"ended"' not in body.replace(b'"ended":"",', b"")
    assert decode(body.replace(b'"ended":"",', b"")).event == old


def kill(house, at=None):
    event = e.Killed(model="m", reason="fat finger", epoch=1)
    change = StreamChange(stream=model_stream("m"), state=None, events=(event,))
    house.record.commit(change, actor="Rae", key="kill", at=at or house.clock.now())
    assert isinstance(house.record.latch("m"), KillSwitchState)
