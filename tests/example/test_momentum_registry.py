import json
import os
import subprocess
import sys
from pathlib import Path

import empty_registry
import numpy as np
import polars as pl
import pytest
import small_study

from momentum import registry

NEEDS_RUNS = len(small_study.EVERY) + 2


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("registry")


@pytest.fixture(scope="module")
def client(study, place):
    register(study, place)
    return opened(place)


def uri(place):
    return empty_registry.uri_in(place)


def opened(place):
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri(place), registry_uri=uri(place))


def register(study, place, progress=small_study.silent):
    (place / "artifacts").mkdir(exist_ok=True)
    registry.register(study, uri(place), place / "artifacts", "0" * 40, progress)


def runs(client):
    identity = client.get_experiment_by_name(registry.MODEL).experiment_id
    return client.search_runs([identity], max_results=100)


def version(client, alias):
    return client.get_model_version_by_alias(registry.MODEL, alias)


def test_every_configuration_is_a_run_with_its_daily_returns(study, client):
    logged = {run.info.run_name: run for run in runs(client)}
    for configuration in small_study.EVERY:
        path = client.download_artifacts(logged[configuration.name].info.run_id, "returns.parquet")
        np.testing.assert_array_equal(pl.read_parquet(path)["return"], study.tracks[configuration.name].returns)


def test_the_candidate_stands_beside_the_champion(client):
    assert version(client, "champion").tags["version"] == "1.1.0"
    assert version(client, "candidate").tags["version"] == "2.0.0"


@pytest.mark.parametrize(("alias", "features"), [("champion", 50), ("candidate", 75)])
def test_a_version_carries_what_the_memo_asks_for(client, alias, features):
    run = client.get_run(version(client, alias).run_id)
    assert run.data.tags["training_end"] < "2018-12-25"
    assert {"training_start", "git_commit", "architecture"} <= set(run.data.tags)
    assert set(run.data.metrics) == {"walk_forward_sharpe"}  # what inference costs is measured, never declared
    schema = json.loads(Path(client.download_artifacts(run.info.run_id, "model/feature_schema.json")).read_text())
    assert len(schema["features"]) == features


@pytest.mark.parametrize("alias", ["champion", "candidate"])
def test_a_registered_model_still_gives_its_recorded_output(client, alias):
    folder = Path(client.download_artifacts(version(client, alias).run_id, "model"))
    predict = registry.load(folder)
    expected = pl.read_parquet(folder / "known_output.parquet")["prediction"]
    np.testing.assert_array_equal(predict(pl.read_parquet(folder / "known_input.parquet")), expected)


def test_a_second_call_finds_what_is_there(cache, client, place):
    before = [run.info.run_id for run in runs(client)]
    register(small_study.study(cache), place)
    assert [run.info.run_id for run in runs(client)] == before
    assert len(before) == NEEDS_RUNS
    assert len(client.search_model_versions(f"name = '{registry.MODEL}'")) == 2


@pytest.mark.parametrize("stopped_in", ["_log_trial", "_register_once"])
def test_a_call_that_died_half_way_is_completed_by_the_next(study, tmp_path, monkeypatch, stopped_in):
    class PowerCutError(Exception): ...

    def dies(*_):
        raise PowerCutError

    with monkeypatch.context() as patch:
        patch.setattr(registry, stopped_in, dies)
        with pytest.raises(PowerCutError):
            register(study, tmp_path)
    register(study, tmp_path)
    finished = runs(opened(tmp_path))
    assert len(finished) == NEEDS_RUNS
    assert {run.info.status for run in finished} == {"FINISHED"}
    assert version(opened(tmp_path), "candidate").tags["version"] == "2.0.0"


def test_a_promotion_is_not_undone_by_registering_again(cache, client, place):
    promoted = version(client, "candidate").version
    before = version(client, "champion").version
    client.set_registered_model_alias(registry.MODEL, "champion", promoted)
    try:
        register(small_study.study(cache), place)
        assert version(client, "champion").version == promoted
    finally:
        client.set_registered_model_alias(registry.MODEL, "champion", before)


def test_mlflow_reports_nothing_to_its_vendor_and_says_nothing(cache, tmp_path):
    code = (
        "import sys; from pathlib import Path; import small_study; small_study.shrink(setattr)\n"
        "from momentum import registry\n"
        "place = Path(sys.argv[2]); study = small_study.study(Path(sys.argv[1]))\n"
        "try: registry.register(study, f'sqlite:///{place}/m.db', place / 'artifacts', '', lambda *_: 1 / 0)\n"
        "except ZeroDivisionError: pass\n"
        "from mlflow.telemetry import get_telemetry_client\n"
        "assert get_telemetry_client() is None, 'telemetry is on'\n"
    )
    outside_of_tests = {k: v for k, v in os.environ.items() if k not in {"CI", "PYTEST_CURRENT_TEST"}}
    said = subprocess.run(
        [sys.executable, "-c", code, str(cache), str(tmp_path)],
        cwd=Path(__file__).parent,
        env=outside_of_tests,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, "")
