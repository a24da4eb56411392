"""One model's broken journal, or a broken registry, stops nothing of any other model. Each worker is a real process."""

import os
import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path

import empty_registry
import pytest
from several_models import Several

from signoff.domain.deployment import State


def truncated(path):
    path.write_bytes(path.read_bytes()[:200])


def fifo(path):
    path.unlink()
    os.mkfifo(path)


def link(path):
    kept = path.with_name("kept")
    path.rename(kept)
    path.symlink_to(kept)


def folder(path):
    path.unlink()
    path.mkdir()


POISONS = {
    "a file without a column": ({"returns": {"return": None}}, "expected a column 'return'"),
    "a date as text": ({"returns": {"date": ["2009/01/02"]}}, "column 'date': expected dates, found String"),
    "an error flag as text": ({"predictions": {"error": ["no"]}}, "predictions.parquet"),
    "a feature as text": ({"features": {"x": ["high"]}}, "column 'x': expected numbers"),
    "a baseline without a feature": ({"baseline_features": {"x": None}}, "expected a column 'x'"),
    "a version as a number": ({"exposure": {"version": [2]}}, "column 'version': expected texts"),
    "a truncated file": ({"predictions": truncated}, "predictions.parquet"),
    "a FIFO": ({"features": fifo}, "expected a regular file, found a FIFO"),
    "a link": ({"history": link}, "found a symbolic link"),
    "a folder": ({"exposure": folder}, "exposure.parquet"),
}


@pytest.fixture
def several(tmp_path):
    world = Several(tmp_path / "home")
    yield world
    world.stop()


def furnish(world):
    """Beside the poisoned model, one with a kill to record, one on its way back, one with a missed deadline."""
    world.release("value", State.SHADOW)
    world.kill("value")
    world.release("healthy", State.SHADOW)
    world.journal("healthy")
    return world.late("size")


def everything_else_is_done(world, late):
    world.until(lambda: world.is_killed("value"))
    world.until(lambda: "deadline_breached" in world.kinds(late))
    world.until(lambda: "observed" in world.kinds("healthy-2"))


@pytest.mark.abuse
def test_each_poisoned_journal_is_reported_under_its_name_and_everything_else_is_done(several):
    late = furnish(several)
    said = {}
    for number, (changes, expected) in enumerate(POISONS.values()):
        several.release(f"poisoned{number}", State.SHADOW)
        several.journal(f"poisoned{number}", **changes)
        said[f"poisoned{number}-2"] = expected
    several.start()
    everything_else_is_done(several, late)
    for name, expected in said.items():
        several.until(lambda name=name, expected=expected: any(name in p and expected in p for p in several.problems()))
    assert not any("Traceback" in line.get("exception", "") for line in several.logged())


def test_after_a_restart_the_poison_stops_nothing_either(several):
    late = furnish(several)
    several.release("momentum", State.SHADOW)
    several.journal("momentum", returns={"return": None})
    several.start()
    everything_else_is_done(several, late)
    several.stop()
    before = len(several.problems())
    several.kill("momentum")
    several.start()
    several.until(lambda: several.is_killed("momentum"))
    several.until(lambda: any("momentum-2" in problem for problem in several.problems()[before:]))


def test_what_stays_broken_is_tried_after_growing_pauses_and_paged_once(several):
    several.release("momentum", State.SHADOW)
    several.journal("momentum", returns={"return": None})
    several.start()
    several.until(lambda: any(n["severity"] == "page" for n in several.notices()), 90)
    (page,) = [n for n in several.notices() if n["severity"] == "page"]
    assert "observation of momentum-2" in page["subject"]
    assert "expected a column 'return'" in page["text"]
    assert len([p for p in several.problems() if "momentum-2" in p]) < 8
    several.journal("momentum")
    several.until(lambda: "observed" in several.kinds("momentum-2"), 90)
    several.until(lambda: any(line["message"] == "works again" for line in several.logged()))


def garbage(path):
    path.write_bytes(b"this is no database" * 999)


def half(path):
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE experiments (x)")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.abuse
@pytest.mark.parametrize("broken", [garbage, half, Path.mkdir, os.mkfifo])
def test_a_broken_registry_makes_a_rollback_stuck_and_paged_and_nothing_else(tmp_path, broken):
    pytest.importorskip("mlflow")
    file = tmp_path / "mlflow.db"
    broken(file)
    world = Several(tmp_path / "home", registry=f"sqlite:///{file}")
    late = furnish(world)
    leaving = world.leaving("momentum")
    world.start()
    try:
        everything_else_is_done(world, late)
        world.until(lambda: world.house.record.deployment(leaving).state is State.ROLLBACK_STUCK, 90)
        assert [step for step, _ in world.house.record.deployment(leaving).rollback.done][:3] == [
            "fence",
            "cancel",
            "verify_flat",
        ]
        world.until(lambda: any("rollback stuck at revert" in n["subject"] for n in world.notices()))
        assert not any("Traceback" in line.get("because", "") for line in world.logged())
    finally:
        world.stop()


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """A registry in which version 2 of momentum carries what nobody can read."""
    pytest.importorskip("mlflow")
    from mlflow import MlflowClient

    place = tmp_path_factory.mktemp("registry")
    uri = empty_registry.uri_in(place)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    experiment = client.create_experiment("m", artifact_location=(place / "artifacts").as_uri())
    client.create_registered_model("momentum")
    run = client.create_run(experiment, tags={"training_start": "2009/01/02"}).info.run_id
    source = f"{client.get_run(run).info.artifact_uri}/model"
    client.create_model_version("momentum", source, run, tags={"version": "2"})
    return place


def test_a_tag_that_is_no_day_is_a_problem_of_its_version_alone(registered, tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNOFF_ARTIFACTS", str(registered))
    shutil.copy(registered / "mlflow.db", tmp_path / "mlflow.db")
    world = Several(tmp_path / "home", registry=f"sqlite:///{tmp_path / 'mlflow.db'}")
    late = furnish(world)
    world.release("momentum")
    world.journal("momentum")
    world.start()
    try:
        everything_else_is_done(world, late)
        tag = "The tag training_start of momentum v2 in the registry: expected a day"
        world.until(lambda: any("momentum-2" in p and tag in p for p in world.problems()), 90)
    finally:
        world.stop()


def test_a_release_that_cannot_be_read_keeps_no_other_from_its_rollback(several):
    several.release("momentum", State.SHADOW)
    leaving = several.leaving("value", ago=timedelta(0))
    with sqlite3.connect(several.settings.home / "signoff.db") as database:
        database.execute("UPDATE streams SET state = '{}' WHERE stream = 'deployment/momentum-2'")
    several.start()
    several.until(lambda: several.house.record.deployment(leaving).rollback.done)
    several.until(lambda: any("momentum-2" in problem for problem in several.problems()))
