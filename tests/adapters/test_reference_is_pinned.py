"""A release is held to the reference that it began with, whatever others write into its live folder."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from standing import way_to

from signoff.adapters.clocks import SimulatedClock
from signoff.app.held import approved, profile_of
from signoff.app.record import StreamChange, deployment_stream
from signoff.config.settings import settings
from signoff.domain import events as e
from signoff.domain.deployment import State
from signoff.domain.evidence import Evidence, Predictions, Returns, Source
from signoff.domain.monitoring import Level
from signoff.installation import Installation
from signoff.ledger.codec import decode_state, encode_state

SYMBOLS = [f"S{n:02}" for n in range(8)]
TRAINING = [date(2018, 1, 1) + timedelta(days=n) for n in range(60)]
SESSIONS = [date(2019, 1, 3), date(2019, 1, 4), date(2019, 1, 7)]


def rows(days, seed, **columns):
    at = [datetime(day.year, day.month, day.day, 21, tzinfo=UTC) for day in days for _ in SYMBOLS]
    rng = np.random.default_rng(seed)
    drawn = columns or {name: rng.normal(size=len(at)) for name in ("x", "y")}
    return pl.DataFrame({"timestamp": at, "symbol": SYMBOLS * len(days), **drawn})


@pytest.fixture
def house(tmp_path):
    """A release in shadow since the morning of 3 January, and its journal."""
    made = Installation(settings(home=str(tmp_path / "home")), SimulatedClock(datetime(2019, 1, 3, 22, tzinfo=UTC)))
    events = tuple(
        replace(event, previous_deployment=None, previous_version=None) if isinstance(event, e.Opened) else event
        for event in way_to(State.SHADOW)
    )
    change = StreamChange(stream=deployment_stream("m-2"), state=None, events=events)
    made.record.commit(change, actor="t", key="p", at=datetime(2019, 1, 3, 13, tzinfo=UTC))
    folder = made.settings.live("m")
    folder.mkdir(parents=True)
    rng, of = np.random.default_rng(1), {"version": "2"}
    values = rng.normal(0, 0.01, len(SYMBOLS) * len(SESSIONS))
    tables = {
        "returns": pl.DataFrame({"date": SESSIONS, **of, "return": 0.001, "benchmark": 0.001}),
        "history": pl.DataFrame({"date": TRAINING, **of, "return": 0.001, "benchmark": 0.0}),
        "exposure": pl.DataFrame({"date": SESSIONS, **of, "gross_exposure_pct": 50.0}),
        "features": rows(SESSIONS, 2),
        "baseline_features": rows(TRAINING, 3),
        "predictions": rows(SESSIONS, 4, prediction=values).with_columns(
            version=pl.lit("2"), latency_ms=pl.lit(5.0), error=pl.lit(value=False)
        ),
    }
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
    return made


def observed(house, n):
    house.clock.set(datetime.combine(SESSIONS[n], datetime.min.time(), UTC) + timedelta(hours=23))
    return {r.key: r for r in house.watch("m").observe("m-2", SESSIONS[n], actor="t")[1].readings}


def alter(house, change, *names):
    for name in names:
        path = house.settings.live("m") / f"{name}.parquet"
        change(pl.read_parquet(path)).write_parquet(path)


ALTERED = {
    "a feature dropped from both": (("features", "baseline_features"), lambda t: t.drop("y"), "without y"),
    "other values": (("baseline_features",), lambda t: t.with_columns(x=pl.col("x") * 3), "other values"),
    "a row fewer": (("baseline_features",), lambda t: t.head(-1), "other values"),
    "a feature renamed": (("features", "baseline_features"), lambda t: t.rename({"y": "z"}), "without y and with z"),
}


@pytest.mark.parametrize("kind", ALTERED)
def test_what_others_write_over_the_reference_is_told_from_the_next_session_on(house, kind):
    names, change, words = ALTERED[kind]
    assert observed(house, 0)["reference_changed"].level == Level.OK
    alter(house, change, *names)
    found = observed(house, 1)
    assert found["reference_changed"].level == Level.UNKNOWN
    assert words in found["reference_changed"].detail
    assert found["psi_max"].level == Level.UNKNOWN
    assert ("y" in found["missing_features"].detail) is ("y" in words)
    assert observed(house, 2)["reference_changed"].level == Level.UNKNOWN  # what was found does not become the pin


def test_the_file_put_back_is_accepted(house):
    observed(house, 0)
    path = house.settings.live("m") / "baseline_features.parquet"
    kept = path.read_bytes()
    alter(house, lambda t: t.head(-1), "baseline_features")
    assert observed(house, 1)["reference_changed"].level == Level.UNKNOWN
    path.write_bytes(kept)
    assert observed(house, 2)["reference_changed"].level == Level.OK


def test_an_exposure_is_held_against_the_limit_of_the_dossier(house):
    alter(house, lambda t: t.with_columns(gross_exposure_pct=1e9), "exposure")
    assert observed(house, 0)["gross_exposure_pct"].level == Level.CRITICAL


def test_rows_ahead_of_the_clock_of_the_house_are_told(house):
    alter(house, lambda t: pl.concat([t, t.tail(1).with_columns(date=date(2024, 1, 3))]), "returns")
    assert "returns: 1 row(s), up to 2024-01-03" in observed(house, 2)["future_rows"].detail


def test_the_start_of_a_rollout_pins_the_reference_that_stands_there(house):
    found = house.rollout.reference("m")
    assert found.features == ("x", "y")
    entered = e.PhaseEntered(phase=e.Phase.SHADOW, allocation_pct=0, reference=found)
    assert decode_state(e.PhaseEntered, encode_state(entered)) == entered
    (house.settings.live("m") / "baseline_features.parquet").unlink()
    assert house.rollout.reference("m") is None


def test_events_of_an_older_signoff_have_no_reference_and_no_profile():
    for kind, event in (
        (e.PhaseEntered, e.PhaseEntered(phase=e.Phase.SHADOW, allocation_pct=0)),
        (e.Validated, e.Validated(results=(), package="a" * 64)),
        (e.Observed, e.Observed(session=SESSIONS[0], counts=True, readings=(), is_conclusive=True)),
    ):
        old = {
            key: value for key, value in json.loads(encode_state(event)).items() if key not in ("reference", "profile")
        }
        assert decode_state(kind, json.dumps(old).encode()) == event


def test_the_profile_of_a_validation_holds_the_predictions_of_its_evidence(house):
    n, days = 40, 60
    source = Source(name="s", sha256="0" * 64, size=1, rows=1)
    at = np.repeat(np.datetime64("2018-01-01T21:00", "us") + np.arange(days) * np.timedelta64(1, "D"), n)
    said = np.random.default_rng(0).normal(size=n * days)
    symbols = np.tile(np.array([f"S{k}" for k in range(n)]), days)
    predictions = Predictions(source=source, timestamps=at, symbols=symbols, prediction=said, realized=said)
    dates = np.arange("2018-01-01", "2018-03-02", dtype="datetime64[D]")
    backtest = Returns(source=source, dates=dates, returns=np.zeros(dates.size))
    found = profile_of(Evidence(backtest=backtest, predictions=predictions))
    assert found.cadence_s == 86400
    assert found.predictions.ranges["commonest"].n == days
    validated = e.Validated(results=(), package="a" * 64, profile=found)
    assert decode_state(e.Validated, encode_state(validated)) == validated
    assert approved(house.record, "m", "2").greatest_exposure_pct is not None
    assert approved(house.record, "m", "9") is None
