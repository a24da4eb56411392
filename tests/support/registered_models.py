"""Small models of every supported format, registered in a real MLflow: what `signoff benchmark` is tried on."""

import json

import empty_registry
import numpy as np
import polars as pl

FEATURES = ("a", "b", "c")
ROWS = pl.DataFrame({name: np.linspace(-1, 1, 40) * (n + 1) for n, name in enumerate(FEATURES)})
DOUBLING = """
def load(folder):
    return lambda frame: 2.0 * frame["a"].to_numpy()
"""


def lightgbm(folder):
    import lightgbm as library

    values = ROWS.to_numpy()
    data = library.Dataset(values, values.sum(axis=1), feature_name=list(FEATURES), params={"verbose": -1})
    model = library.train({"verbose": -1, "min_data_in_leaf": 2, "num_threads": 1}, data, 20)
    model.save_model(folder / "model.txt")
    return {"format": "lightgbm-text", "model": "model.txt"}, model.predict(values)


def xgboost(folder):
    import xgboost as library

    values = ROWS.to_numpy()
    data = library.DMatrix(values, values.sum(axis=1), feature_names=list(FEATURES), nthread=1)
    model = library.train({"nthread": 1, "max_depth": 3}, data, 10)
    model.save_model(folder / "model.json")
    return {"format": "xgboost-json", "model": "model.json"}, model.predict(data)


def onnx(folder):
    from onnx import TensorProto, checker, helper, save

    rows = helper.make_tensor_value_info("rows", TensorProto.DOUBLE, [None, len(FEATURES)])
    out = helper.make_tensor_value_info("out", TensorProto.DOUBLE, [None, 1])
    weights = helper.make_tensor("weights", TensorProto.DOUBLE, [len(FEATURES), 1], [1.0, 2.0, 3.0])
    node = helper.make_node("MatMul", ["rows", "weights"], ["out"])
    graph = helper.make_graph([node], "linear", [rows], [out], [weights])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    checker.check_model(model)
    save(model, folder / "model.onnx")
    return {"format": "onnx", "model": "model.onnx"}, ROWS.to_numpy() @ np.array([1.0, 2.0, 3.0])


def python(folder, code=DOUBLING):
    (folder / "my_model.py").write_text(code)
    return {"format": "python", "loader": "my_model:load"}, 2.0 * ROWS["a"].to_numpy()


FORMATS = {"lightgbm-text": lightgbm, "xgboost-json": xgboost, "onnx": onnx, "python": python}


class Models:
    """A registry in a folder, and models registered in it."""

    def __init__(self, place, name="m"):
        from mlflow import MlflowClient

        self.name, self.place, self.uri = name, place, empty_registry.uri_in(place)
        self.client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
        self.experiment = self.client.create_experiment("m", artifact_location=(place / "artifacts").as_uri())
        self.client.create_registered_model(name)

    def register(self, version, make=python, *, says=None, metrics=None):
        """The number that the registry gives to another registration under this version."""
        folder = self.place / f"made-{version}-{len(list(self.place.iterdir()))}"
        folder.mkdir()
        declared, output = make(folder)
        ROWS.write_parquet(folder / "known_input.parquet")
        pl.DataFrame({"prediction": np.asarray(output, dtype=np.float64)}).write_parquet(
            folder / "known_output.parquet"
        )
        known = {"input": "known_input.parquet", "output": "known_output.parquet"}
        if says is None or says:
            (folder / "inference.json").write_text(json.dumps({**declared, **known, **(says or {})}))
        run = self.client.create_run(self.experiment).info.run_id
        for key, value in (metrics or {}).items():
            self.client.log_metric(run, key, value)
        self.client.log_artifacts(run, str(folder), "model")
        source = f"{self.client.get_run(run).info.artifact_uri}/model"
        made = self.client.create_model_version(self.name, source, run, tags={"version": version})
        return int(made.version)
