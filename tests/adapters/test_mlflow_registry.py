"""The registry, on a real MLflow in a real database."""

import json
from pathlib import Path

import empty_registry
import polars as pl
import pytest

pytest.importorskip("mlflow")

from signoff.adapters.mlflow_registry import REQUIRED, MlflowRegistry, answering
from signoff.domain.errors import BadInputError, NotFoundError, UnavailableError

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

    uri = empty_registry.uri_in(place)
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


SCHEMAS = {
    "no features": (b'{"columns": []}', r"a list \"features\", found an object with the keys \['columns'\]"),
    "a list": (b'["x"]', 'an object with a list "features"'),
    "not JSON": (b"features: [x]", "expected JSON"),
    "not even text": (b"\xff\xfe\x00", "expected JSON"),
    "a feature without a name": (b'{"features": [{"name": "x"}, {"dtype": "float"}]}', r'"name" in features\[1\]'),
    "a name that is a number": (b'{"features": [{"name": 7}]}', r'"name" in features\[0\]'),
    "features as an object": (b'{"features": {"x": 1}}', 'a list "features"'),
    "nested without end": (b"[" * 200_000, "expected JSON"),
}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_schema_that_names_no_features_is_refused_by_file_and_version(registry, client, place, schema):
    content, said = SCHEMAS[schema]
    _logged(client, place, "1.0.0").write_bytes(content)
    with pytest.raises(BadInputError, match=rf"feature_schema.json of m v1.0.0 in the registry.*{said}"):
        registry.version("m", "1.0.0")
    assert registry.version("m", "2.0.0").features == ("x",)


def test_a_schema_larger_than_any_is_refused_before_it_is_fetched(registry, client, place):
    with _logged(client, place, "1.0.0").open("ab") as file:
        file.truncate(1 << 30)
    with pytest.raises(BadInputError, match=r"expected at most 16,777,216 bytes, found 1,073,741,824"):
        registry.version("m", "1.0.0")


@pytest.mark.parametrize("day", ["2009/01/02", "02.01.2009", "soon", "2009-13-01", "1230768000"])
def test_a_tag_that_is_no_day_is_refused_by_tag_and_version(registry, client, day):
    for found in client.search_model_versions("name = 'm'"):
        if found.tags["version"] == "1.0.0":
            client.set_tag(found.run_id, "training_start", day)
    with pytest.raises(BadInputError, match=f"tag training_start of m v1.0.0 .* such as 2009-01-02, found '{day}'"):
        registry.version("m", "1.0.0")
    assert registry.version("m", "2.0.0").training_start is not None


@pytest.mark.parametrize("error", [ValueError("x"), OSError(5, "I/O error"), KeyError("y"), RecursionError("deep")])
def test_whatever_a_registry_raises_is_said_with_its_place_and_type(error):
    said = f"the model registry at http://r, found something else .{type(error).__name__}"
    with pytest.raises(UnavailableError, match=said):
        _raise(error)


def _raise(error):
    with answering("http://r"):
        raise error


def _logged(client, place, version):
    """The schema as the registry keeps it."""
    (found,) = (v for v in client.search_model_versions("name = 'm'") if v.tags["version"] == version)
    return place / "artifacts" / found.run_id / "artifacts" / "model" / "feature_schema.json"
