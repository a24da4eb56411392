"""Loading a registered model and running it on its known input, in the child only.

`inference.json` beside the model names `format`, `model`, `input` and `output`; the list of formats is closed. The
recorded output is read before the model is loaded, so the model's code cannot change the values it is compared with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.domain.errors import BadInputError

Floats = NDArray[np.float64]
Predict = Callable[[pl.DataFrame], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownInput:
    """A model's folder, the content of its `inference.json`, and the rows of the recorded input."""

    folder: Path
    declared: dict[str, str]
    frame: pl.DataFrame


def known(folder: str, declared: dict[str, str]) -> tuple[Floats, KnownInput]:
    """The output recorded at registration, and the input from which to compute it again."""
    place = Path(folder)
    expected = pl.read_parquet(place / declared["output"])["prediction"].cast(pl.Float64).to_numpy()
    frame = pl.read_parquet(place / declared["input"])
    return np.ascontiguousarray(expected), KnownInput(folder=place, declared=declared, frame=frame)


def predicted(case: KnownInput) -> Floats:
    """The model's present predictions for its known input."""
    loaded = LOADERS[case.declared["format"]](case)
    return np.ascontiguousarray(np.asarray(loaded(case.frame), dtype=np.float64).ravel())


def _lightgbm(case: KnownInput) -> Predict:
    import lightgbm  # noqa: PLC0415 - an optional dependency

    model = lightgbm.Booster(model_file=str(case.folder / case.declared["model"]))
    return lambda frame: model.predict(_values(frame, model.feature_name()), num_threads=1)


def _xgboost(case: KnownInput) -> Predict:
    import xgboost  # noqa: PLC0415

    model = xgboost.Booster({"nthread": 1})
    model.load_model(case.folder / case.declared["model"])
    names = model.feature_names

    def predict(frame: pl.DataFrame) -> object:
        return model.predict(xgboost.DMatrix(_values(frame, names or []), feature_names=names, nthread=1))

    return predict


def _onnx(case: KnownInput) -> Predict:
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    place = str(case.folder / case.declared["model"])
    session = onnxruntime.InferenceSession(place, options, providers=["CPUExecutionProvider"])
    taken, *others = session.get_inputs()
    if others or taken.type not in {"tensor(float)", "tensor(double)"}:
        found = ", ".join(f"{one.name} {one.type}" for one in (taken, *others))
        raise BadInputError(f"expected a model with one input of numbers, rows by features; found {found}")
    kind = np.float32 if taken.type == "tensor(float)" else np.float64
    first = session.get_outputs()[0].name
    return lambda frame: session.run([first], {taken.name: _values(frame, []).astype(kind)})[0]


def _python(case: KnownInput) -> Predict:
    from signoff.adapters.sandbox.inside import function  # noqa: PLC0415 - `inside` imports this module

    loaded: Predict = function(case.declared["loader"], str(case.folder))(case.folder)
    return loaded


# The closed list of formats. None of them unpickles; "python" runs code that comes with the model.
LOADERS: dict[str, Callable[[KnownInput], Predict]] = {
    "lightgbm-text": _lightgbm,
    "xgboost-json": _xgboost,
    "onnx": _onnx,
    "python": _python,
}


def _values(frame: pl.DataFrame, names: list[str]) -> Floats:
    """The rows as numbers, ordered by the model's feature names where the table has all of them."""
    chosen = frame.select(names) if names and set(names) <= set(frame.columns) else frame
    return chosen.to_numpy().astype(np.float64)
