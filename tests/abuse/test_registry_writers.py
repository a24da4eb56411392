"""A writer to the model registry cannot make the installation run, read or trust anything it should not."""

import json
import pickle
import shutil
from pathlib import Path
from uuid import uuid4

import empty_registry
import numpy as np
import polars as pl
import pytest

pytest.importorskip("mlflow")

from mlflow import MlflowClient

from signoff.adapters.artifact_places import ArtifactPlaces
from signoff.adapters.mlflow_registry import MlflowRegistry
from signoff.adapters.sandbox.child import Sandbox
from signoff.domain.errors import UnavailableError
from signoff.domain.isolation import Isolation

ROWS = pl.DataFrame({"x": [1.0, 2.0, 3.0, 4.0], "y": [0.5, 0.0, 1.0, 2.0]})
TWICE = "def load(folder):\n    return lambda frame: 2.0 * frame['x'].to_numpy()\n"


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    (home / "keys").mkdir(parents=True)
    (home / "ledger.key").write_text("the ledger's key")
    return home


class Registry:
    """A registry in a folder."""

    def __init__(self, place):
        self.place, self.uri = place, empty_registry.uri_in(place)
        self.client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        self.experiment = self.client.create_experiment("m", artifact_location=(place / "artifacts").as_uri())


class Writer:
    """Somebody with every right in the registry, and none on this machine."""

    def __init__(self, registry, home, model="m"):
        self.place, self.uri, self.client = registry.place, registry.uri, registry.client
        self.experiment, self.model = registry.experiment, model
        self.client.create_registered_model(model)
        self.sandbox = Sandbox(
            hidden=(Path("/etc/passwd"), home / "ledger.key", home / "keys"), folders=(home,), seconds=20.0
        )

    def registered(self, declared, *, expected=(2.0, 4.0, 6.0, 8.0), **files):
        """A version with these files beside its `inference.json`."""
        run = self.client.create_run(self.experiment).info.run_id
        folder = self.place / "staged"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        ROWS.write_parquet(folder / "in.parquet")
        pl.DataFrame({"prediction": list(expected)}).write_parquet(folder / "out.parquet")
        said = (
            declared
            if isinstance(declared, str)
            else json.dumps({"input": "in.parquet", "output": "out.parquet"} | declared)
        )
        (folder / "inference.json").write_text(said)
        for name, content in files.items():
            path = folder / name.replace("__", ".")
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        self.client.log_artifacts(run, str(folder), "model")
        source = f"{self.client.get_run(run).info.artifact_uri}/model"
        self.client.create_model_version(self.model, source, run, tags={"version": "1.0.0"})
        return self

    def verified(self, isolation=Isolation.FULL):
        from dataclasses import replace

        return MlflowRegistry.open(self.uri, replace(self.sandbox, isolation=isolation)).verify(self.model, "1.0.0")


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    return Registry(tmp_path_factory.mktemp("registry"))


@pytest.fixture
def writer(registry, home):
    """A writer of a model of their own in a registry that holds those of other tests."""
    return Writer(registry, home, f"m-{uuid4().hex}")


@pytest.fixture
def own_writer(tmp_path, home):
    """A writer of the only model of a registry beside the home."""
    place = tmp_path / "registry"
    place.mkdir()
    return Writer(Registry(place), home)


def boosted():
    import lightgbm

    data = lightgbm.Dataset(ROWS.to_numpy(), label=[0.0, 1.0, 2.0, 3.0], feature_name=["x", "y"])
    settings = {"verbose": -1, "min_data_in_leaf": 1, "min_data_in_bin": 1, "num_threads": 1}
    model = lightgbm.train(settings, data, num_boost_round=5)
    return model.model_to_string(), model.predict(ROWS.to_numpy())


def gradients():
    import xgboost

    data = xgboost.DMatrix(ROWS.to_numpy(), label=[0.0, 1.0, 2.0, 3.0], feature_names=["x", "y"])
    model = xgboost.train({"nthread": 1, "max_depth": 2}, data, num_boost_round=5)
    return bytes(model.save_raw("json")), model.predict(data).astype(float)


def graph():
    from onnx import TensorProto, helper

    weights = helper.make_tensor("w", TensorProto.FLOAT, [2, 1], [2.0, -1.0])
    node = helper.make_node("MatMul", ["rows", "w"], ["prediction"])
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, 2])
    answer = helper.make_tensor_value_info("prediction", TensorProto.FLOAT, [None, 1])
    made = helper.make_model(helper.make_graph([node], "g", [rows], [answer], [weights]))
    made.ir_version = 9
    made.opset_import[0].version = 13
    return made.SerializeToString(), 2.0 * ROWS["x"].to_numpy() - ROWS["y"].to_numpy()


FORMATS = {"lightgbm-text": boosted, "xgboost-json": gradients, "onnx": graph}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_model_of_a_known_format_is_loaded_and_run(writer, kind):
    content, expected = FORMATS[kind]()
    writer.registered(
        {"format": kind, "model": "model__json".replace("__", ".")}, expected=expected, model__json=content
    )
    found = writer.verified()
    assert found.is_working, found.detail
    assert found.detail.startswith("4 known rows, largest difference")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_malformed_model_of_a_known_format_does_not_work(writer, kind):
    writer.registered({"format": kind, "model": "model.bin"}, model__bin=b"\x00" * 64)
    assert not writer.verified().is_working


def test_code_that_is_declared_runs_in_the_child_alone(writer):
    writer.registered({"format": "python", "loader": "twice:load"}, twice__py=TWICE)
    assert writer.verified().is_working
    in_place = writer.verified(Isolation.TRUSTED)
    assert in_place.is_working
    assert "in the command's own process" in in_place.detail


def test_a_model_registered_before_there_were_formats_works_still(writer):
    writer.registered({"loader": "twice:load"}, twice__py=TWICE)
    assert writer.verified().is_working


READS_THE_KEY = "import pathlib; pathlib.Path({out!r}).write_text(pathlib.Path({key!r}).read_text())\n"
LOADERS = {
    "a folder of .pth files": "site:addsitedir",
    "a shell": "os:system",
    "a process": "subprocess:Popen",
    "an evaluation": "builtins:eval",
    "an import": "importlib:import_module",
    "a pickle": "pickle:loads",
    "our own sandbox": "signoff.adapters.sandbox.child_main:main",
    "a module that does its work when it is imported": "hostile:load",
    "an archive": "shutil:unpack_archive",
}


@pytest.mark.abuse
@pytest.mark.parametrize("what", LOADERS)
def test_a_loader_reads_no_key_and_leaves_nothing_behind(writer, home, tmp_path, what):
    out = tmp_path / "stolen"
    act = READS_THE_KEY.format(out=str(out), key=str(home / "ledger.key"))
    writer.registered({"format": "python", "loader": LOADERS[what]}, hostile__pth=act, hostile__py=act)
    found = writer.verified()
    assert not found.is_working
    assert not out.exists()
    assert "the ledger's key" not in found.detail
    assert sorted(path.name for path in home.iterdir()) == ["keys", "ledger.key"]


PICKLES = (
    "joblib",
    "cloudpickle",
    "torch",
    "sklearn",
    "skops",
    "keras",
    "Python",
    "lightgbm",
    "__import__('os')",
)


@pytest.mark.abuse
@pytest.mark.parametrize("kind", PICKLES)
def test_other_formats_and_pickles_are_refused(writer, kind):
    class Hostile:
        def __reduce__(self):
            return exec, ("raise SystemExit(0)",)

    writer.registered({"format": kind, "model": "model.pkl"}, model__pkl=pickle.dumps(Hostile()))
    found = writer.verified()
    assert not found.is_working
    assert "expected a format among" in found.detail


@pytest.mark.abuse
def test_a_pickle_is_not_opened_and_its_verification_says_so(writer, tmp_path):
    class Hostile:
        def __reduce__(self):
            return open, (str(tmp_path / "opened"), "w")

    writer.registered({"format": "pickle", "model": "model.pkl"}, model__pkl=pickle.dumps(Hostile()))
    found = writer.verified()
    assert found.is_working is None
    assert found.detail.startswith("not run by Signoff, which unpickles nothing")
    assert not (tmp_path / "opened").exists()


BROKEN = {
    "another kind of document": '["lightgbm-text"]',
    "no document": "{",
    "nested without end": "[" * 90_000,
    "no model": '{"format": "onnx", "input": "in.parquet", "output": "out.parquet"}',
    "a number for a name": '{"format": "onnx", "model": 7, "input": "in.parquet", "output": "out.parquet"}',
    "a path to somewhere else": '{"format": "onnx", "model": "../../ledger.key", "input": "a", "output": "b"}',
    "an absolute path": '{"format": "onnx", "model": "m", "input": "/etc/passwd", "output": "b"}',
    "larger than any": " " * 200_000,
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_declaration_is_a_reason_and_no_traceback(writer, what):
    writer.registered(BROKEN[what])
    found = writer.verified()
    assert not found.is_working
    assert found.detail


FORGED = {
    "writes the output that is compared": "(folder / 'out.parquet').write_bytes((folder / 'in.parquet').read_bytes())",
    "answers with too few": "return lambda frame: np.array([2.0])",
    "answers with not a number": "return lambda frame: np.full(4, np.nan)",
    "answers with texts": "return lambda frame: ['2', 'x', '6', '8']",
    "exits with success": "import os; os._exit(0)",
    "answers through the pipe": "import os; [os.write(n, b'N' + bytes(8)) for n in range(3, 9)]",
}


@pytest.mark.parametrize("how", FORGED)
def test_a_model_cannot_make_itself_work(writer, how):
    code = f"import numpy as np\ndef load(folder):\n    {FORGED[how]}\n    return lambda frame: np.zeros(4)\n"
    writer.registered({"format": "python", "loader": "forged:load"}, forged__py=code)
    assert not writer.verified().is_working


def test_the_recorded_output_is_read_before_the_model_is(writer):
    """Code that replaces the reader of tables comes too late to choose what it is compared with."""
    code = "import numpy as np\nimport polars as pl\npl.read_parquet = None\n" + TWICE
    writer.registered({"format": "python", "loader": "late:load"}, expected=np.arange(4.0), late__py=code)
    found = writer.verified()
    assert not found.is_working
    assert "largest difference" in found.detail


@pytest.mark.parametrize(
    "way", ["../../../../home", "model/../../../../../home", "%2e%2e/%2e%2e/%2e%2e/%2e%2e/home", "."]
)
@pytest.mark.abuse
def test_a_source_that_leads_out_of_its_run_is_not_followed(own_writer, home, way):
    from sqlalchemy import create_engine, text

    own_writer.registered({"format": "python", "loader": "twice:load"}, twice__py=TWICE)
    with create_engine(own_writer.uri).begin() as database:
        database.execute(text("UPDATE model_versions SET source = replace(source, '/model', :way)"), {"way": f"/{way}"})
    found = own_writer.verified()
    assert not found.is_working
    assert "beneath the artefacts of its run" in found.detail


ELSEWHERE = {
    "the home of the installation": "file://{home}",
    "a folder around both": "file://{above}",
    "the machine's own files": "file:///etc",
    "a bare path": "/etc",
    "a way back out of the registry's folder": "file://{place}/artifacts/../../home",
    "an address of the firm's network": "http://127.0.0.1:9/latest/meta-data",
    "another server's artefacts": "mlflow-artifacts://127.0.0.1:9/x",
    "a file server": "ftp://127.0.0.1:9/x",
    "a store at a host of its own": "r2://bucket@127.0.0.1:9/x",
    "a bucket that is a host": "s3://user@127.0.0.1:9/x",
}


@pytest.mark.parametrize("what", ELSEWHERE)
def test_a_run_that_keeps_its_artefacts_elsewhere_is_neither_read_nor_written(own_writer, home, tmp_path, what):
    from signoff.adapters.mlflow_runs import MlflowRuns

    where = ELSEWHERE[what].format(home=home, above=tmp_path, place=own_writer.place)
    before = sorted(str(path) for path in home.rglob("*"))
    experiment = own_writer.client.create_experiment("elsewhere", artifact_location=where)
    run = own_writer.client.create_run(experiment).info.run_id
    own_writer.client.create_model_version("m", f"{where}/{run}/artifacts/model", run, tags={"version": "1.0.0"})
    registry = MlflowRegistry.open(own_writer.uri, own_writer.sandbox)
    with pytest.raises(UnavailableError, match="SIGNOFF_ARTIFACTS"):
        registry.version("m", "1.0.0")
    with pytest.raises(UnavailableError, match="SIGNOFF_ARTIFACTS"):
        registry.attach("m", "1.0.0", {"model_card.md": b"card"})
    assert not registry.verify("m", "1.0.0").is_working
    with pytest.raises(UnavailableError, match="SIGNOFF_ARTIFACTS"):
        MlflowRuns.open(own_writer.uri).content(run, "ledger.key", limit=1000)
    assert sorted(str(path) for path in home.rglob("*")) == before


def test_a_place_that_the_operator_named_counts(own_writer, tmp_path):
    elsewhere = tmp_path / "artefacts"
    elsewhere.mkdir()
    experiment = own_writer.client.create_experiment("named", artifact_location=elsewhere.as_uri())
    run = own_writer.client.create_run(experiment).info.run_id
    own_writer.client.create_model_version(
        "m", f"{elsewhere.as_uri()}/{run}/artifacts/model", run, tags={"version": "1.0.0"}
    )
    registry = MlflowRegistry.open(own_writer.uri, own_writer.sandbox, artifacts=(str(elsewhere),))
    assert registry.version("m", "1.0.0").run_id == run


@pytest.mark.parametrize(
    "way", ["../keys", "%2e%2e/keys", "%2E%2e/keys", ".%2e/keys", "%252e%252e/keys", "x/..%2fkeys"]
)
def test_an_encoded_way_out_of_an_allowed_address_is_refused(way):
    """HTTP clients decode `%2e` and then remove `..`, so the request would leave the allowed address."""
    places = ArtifactPlaces(registry="sqlite:///runs.db", allowed=("http://store:9/artefacts",))
    places.check("http://store:9/artefacts/run/model")
    with pytest.raises(UnavailableError, match="SIGNOFF_ARTIFACTS"):
        places.check(f"http://store:9/artefacts/{way}")


def test_a_link_among_artefacts_is_not_followed(own_writer, home):
    own_writer.registered({"format": "python", "loader": "twice:load"}, twice__py=TWICE)
    (found,) = own_writer.place.rglob("artifacts/model/in.parquet")
    (found.parent / "key.txt").symlink_to(home / "ledger.key")
    seen = own_writer.verified()
    assert not seen.is_working
    assert "symbolic link" in seen.detail
