"""A worker process looks at the session that is still open, and acts on what fails in it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from several_models import Several
from standing import POLICY, way_to

from signoff.app.record import StreamChange, deployment_stream
from signoff.domain import events as e
from signoff.domain.deployment import State
from signoff.domain.policy import DayCount, PhasePolicy

NOW = datetime.now(UTC)
# The zone whose midnight is farthest, so that no session closes under the test.
ZONE = "XNYS" if NOW.hour >= 12 else "24/7"
DAILY = replace(POLICY, phases=PhasePolicy(days=DayCount.CALENDAR, calendar=ZONE, shadow_days=2, limited_days=2))
SYMBOLS = [f"S{n}" for n in range(20)]


@pytest.fixture
def several(tmp_path):
    world = Several(tmp_path / "home")
    yield world
    world.stop()


def live(world, model):
    """A release in shadow since a moment ago, whose every day is a session."""
    events = tuple(
        replace(
            event, deployment=f"{model}-2", model=model, previous_deployment=None, previous_version=None, policy=DAILY
        )
        if isinstance(event, e.Opened)
        else event
        for event in way_to(State.SHADOW)
    )
    change = StreamChange(stream=deployment_stream(f"{model}-2"), state=None, events=events)
    world.house.record.commit(change, actor="t", key=f"put {model}", at=NOW - timedelta(minutes=1))


def predicted(world, model, failed):
    """Twenty predictions of this minute, of which some failed."""
    world.journal(model)
    rows = {"timestamp": [datetime.now(UTC)] * 20, "version": ["2"] * 20, "symbol": SYMBOLS, "prediction": [0.1] * 20}
    rows |= {"latency_ms": [5.0] * 20, "error": [n < failed for n in range(20)]}
    pl.DataFrame(rows).write_parquet(world.settings.live(model) / "predictions.parquet")


def test_what_fails_in_an_open_session_is_rolled_back_by_a_running_worker_and_what_holds_is_left(several):
    for model, failed in (("failing", 10), ("sound", 0)):
        live(several, model)
        predicted(several, model, failed)
    several.start()
    several.until(lambda: several.house.record.deployment("failing-2").rollback is not None)
    reason = several.house.record.deployment("failing-2").rollback.reason
    assert reason.startswith("interim, before the close of")
    assert "error rate 50%" in reason
    several.until(lambda: "rolled_back" in several.kinds("failing-2") or several.problems())
    assert "observed" not in several.kinds("failing-2")
    assert several.house.record.deployment("sound-2").state is State.SHADOW
    predicted(several, "sound", 20)  # the same session, an hour later as it were
    several.until(lambda: several.house.record.deployment("sound-2").rollback is not None)
