"""The registry, on a real MLflow in a real database."""

import json
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("mlflow")

from signoff.adapters.mlflow_registry import REQUIRED, MlflowRegistry, answering
from signoff.domain.errors import NotFoundError, UnavailableError

DOUBLING = """
def load(folder):
    return lambda frame: 2.0 * frame["x"].to_numpy()
"""


@pytest.fixture
def place(tmp_path):
    return tmp_path


@pytest.fixture
def client(place):
    from mlflow import MlflowClient

    uri = f"sqlite:///{place / 'mlflow.db'}"
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest.fixture
def registry(place, client):
    experiment = client.create_experiment("m", artifact_location=(place / "artifacts").as_uri())
    client.create_registered_model("m")
    for version, output in (("1.0.0", 2.0), ("2.0.0", 3.0)):
        tags = {
            "training_start": "2009-01-01",
            "training_end": "2018-12-31",
            "architecture": "doubling",
            "git_commit": "abc",
            **({"mlflow.user": "kim"} if version == "2.0.0" else {}),
        }
        run = client.create_run(experiment, tags=tags).info.run_id
        folder = place / version
        folder.mkdir()
        (folder / "doubling_model.py").write_text(DOUBLING)
        pl.DataFrame({"x": [1.0, 2.0]}).write_parquet(folder / "in.parquet")
        pl.DataFrame({"prediction": [output, 2 * output]}).write_parquet(folder / "out.parquet")
        says = {"loader": "doubling_model:load", "input": "in.parquet", "output": "out.parquet"}
        (folder / "inference.json").write_text(json.dumps(says))
        (folder / "feature_schema.json").write_text(json.dumps({"features": [{"name": "x"}]}))
        client.log_artifacts(run, str(folder), "model")
        source = f"{client.get_run(run).info.artifact_uri}/model"
        client.create_model_version("m", source, run, tags={"version": version})
    return MlflowRegistry.open(f"sqlite:///{place / 'mlflow.db'}")


def test_a_version_is_described_as_it_was_logged(registry):
    found = registry.version("m", "1.0.0")
    assert (found.features, found.architecture, found.git_commit) == (("x",), "doubling", "abc")
    assert str(found.training_end) == "2018-12-31"
    assert registry.version("m", "9.9.9") is None


def test_a_version_names_the_user_of_its_run_and_nobody_where_the_run_does_not(registry):
    assert registry.version("m", "2.0.0").users == ("kim",)
    assert registry.version("m", "1.0.0").users == ()


def test_a_version_works_only_when_it_gives_what_it_gave(registry):
    assert registry.verify("m", "1.0.0").is_working
    wrong = registry.verify("m", "2.0.0")
    assert not wrong.is_working
    assert "difference" in wrong.detail


def test_a_version_that_cannot_be_loaded_does_not_work(registry, place):
    (place / "artifacts").rename(place / "gone")
    assert not registry.verify("m", "1.0.0").is_working


def test_readiness_follows_from_what_is_attached_and_goes_with_it(registry, place):
    assert registry.attach("m", "1.0.0", {"model_card.md": b"card"}) == REQUIRED[1:]
    assert "governance_ready" not in registry.version("m", "1.0.0").tags
    assert registry.attach("m", "1.0.0", dict.fromkeys(REQUIRED, b"x")) == ()
    assert registry.version("m", "1.0.0").tags["governance_ready"] == "true"
    (gone,) = place.rglob("governance/model_card.md")
    gone.unlink()
    assert "governance_ready" not in registry.version("m", "1.0.0").tags
    assert registry.attach("m", "1.0.0", {}) == ("model_card.md",)


def test_an_alias_names_a_version(registry):
    registry.point("m", "champion", "2.0.0")
    assert registry.version("m", "2.0.0").aliases == ("champion",)
    with pytest.raises(NotFoundError):
        registry.point("m", "champion", "9.9.9")


def test_a_registry_that_does_not_exist_is_none_and_is_not_made(tmp_path):
    assert MlflowRegistry.open(f"sqlite:///{tmp_path / 'none.db'}") is None
    assert not Path(tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    "uri", ["https://user:secret@mlflow.example", "https://secret@mlflow.example/x", "postgresql://u:sec@secret@db/m"]
)
def test_the_password_in_an_address_is_in_no_error(uri):
    """What went wrong is told to whoever asked the server, and logged."""
    from mlflow.exceptions import MlflowException

    with pytest.raises(UnavailableError) as told, answering(uri):
        raise MlflowException(f"API request to {uri}/api/2.0/mlflow/runs/get failed")
    assert "secret" not in str(told.value)
    assert "did not answer: API request to " in str(told.value)
