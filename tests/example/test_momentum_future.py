from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import small_study

from momentum import future, registry
from momentum.walkforward import fit_before


@pytest.fixture(scope="module")
def uri(study, tmp_path_factory):
    place = tmp_path_factory.mktemp("registry")
    (place / "artifacts").mkdir()
    uri = f"sqlite:///{place / 'mlflow.db'}"
    registry.register(study, uri, place / "artifacts", "0" * 40, small_study.silent)
    return uri


@pytest.fixture(scope="module")
def folder(study, uri, tmp_path_factory):
    folder = tmp_path_factory.mktemp("live")
    future.write(study, uri, folder, small_study.silent)
    return folder


def read(folder, name):
    return pl.read_parquet(folder / f"{name}.parquet")


def test_both_versions_predict_every_symbol_on_every_session_from_2019(study, folder):
    found = read(folder, "predictions").with_columns(date=pl.col("timestamp").dt.date())
    sessions = int((study.panel.dates >= np.datetime64("2019-01-01")).sum())
    assert found["date"].min() == date(2019, 1, 2)
    assert sorted(found.group_by("version").len().rows()) == [("1.1.0", 20 * sessions), ("2.0.0", 20 * sessions)]
    assert not found["error"].any()
    assert (found["latency_ms"] > 0).all()


def test_history_ends_where_the_future_begins(folder):
    assert read(folder, "history")["date"].max() < read(folder, "returns")["date"].min()


def test_the_features_to_watch_have_a_past_to_be_compared_with(folder):
    assert read(folder, "features").columns == read(folder, "baseline_features").columns
    assert read(folder, "baseline_features")["timestamp"].max() < read(folder, "features")["timestamp"].min()


def test_the_model_that_lives_is_the_model_that_is_registered(study, folder, tmp_path):
    found = read(folder, "predictions").filter(pl.col("version") == "2.0.0")
    fit_before(study.panel, study.chosen, registry.FROM_2019).save_model(tmp_path / "model.txt")
    seen = study.panel.features[study.panel.dates >= np.datetime64("2019-01-01")]
    columns = study.panel.columns(study.chosen.features)
    frame = pl.DataFrame(seen[:, :, columns].reshape(-1, len(columns)), schema=list(study.chosen.features))
    np.testing.assert_array_equal(registry.load(Path(tmp_path))(frame), found["prediction"])


def test_a_journal_that_is_complete_is_not_written_again(cache, uri, folder):
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    future.write(small_study.study(cache), uri, folder, small_study.silent)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_journal_that_was_interrupted_is_completed(study, uri, folder, tmp_path):
    (tmp_path / "returns.parquet").write_bytes((folder / "returns.parquet").read_bytes()[:100])
    future.write(study, uri, tmp_path, small_study.silent)
    assert read(tmp_path, "returns").equals(read(folder, "returns"))
    measured = read(tmp_path, "predictions").drop("latency_ms")
    assert measured.equals(read(folder, "predictions").drop("latency_ms"))
