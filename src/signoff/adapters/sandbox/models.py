"""Loading a registered model, running it on its known input and timing it, in the child only.

`inference.json` beside the model names `format`, `model`, `input` and `output`; the list of formats is closed. A pickle
is registered and bound, and never loaded here: only the trading process opens it. The recorded output is read before
the model is loaded, so the model's code cannot change the values it is compared with.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.domain.errors import BadInputError

Floats = NDArray[np.float64]
Predict = Callable[[pl.DataFrame], Any]
WARM_UP = 20
FEWEST_CALLS = 20
BATCHES = 5


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
    return _numbers(_loaded(case)(case.frame))


def timed(case: KnownInput, asked: Mapping[str, Any], clock: Callable[[], float]) -> Iterator[Floats]:
    """Yield nothing when the model is ready, then the seconds of each one-row call, then of each large-table call.

    A call ends when its prediction exists. The calls stop early after `seconds` of the clock.
    """
    predict = _loaded(case)
    rows = [case.frame.slice(n, 1) for n in range(case.frame.height)]
    table = pl.concat([case.frame] * -(-int(asked["batch_rows"]) // case.frame.height))
    for n in range(WARM_UP):
        _numbers(predict(rows[n % len(rows)]))
    yield np.empty(0)
    calls, until = int(asked["calls"]), clock() + float(asked["seconds"])
    singles = []
    for n in range(calls):
        row = rows[n % len(rows)]
        began = clock()
        _numbers(predict(row))
        ended = clock()
        singles.append(ended - began)
        if ended > until and n + 1 >= FEWEST_CALLS:
            break
    yield np.asarray(singles)
    batches = []
    for _ in range(BATCHES):
        began = clock()
        _numbers(predict(table))
        batches.append(clock() - began)
        if clock() > until:
            break
    yield np.asarray([float(table.height), *batches])


def _loaded(case: KnownInput) -> Predict:
    return LOADERS[case.declared["format"]](case)


def _numbers(values: object) -> Floats:
    return np.ascontiguousarray(np.asarray(values, dtype=np.float64).ravel())


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
        inputs = ", ".join(f"{one.name} {one.type}" for one in (taken, *others))
        raise BadInputError(f"expected a model with one input of numbers, rows by features; found {inputs}")
    kind = np.float32 if taken.type == "tensor(float)" else np.float64
    first = session.get_outputs()[0].name
    return lambda frame: session.run([first], {taken.name: _values(frame, []).astype(kind)})[0]


def _python(case: KnownInput) -> Predict:
    from signoff.adapters.sandbox.child_main import function  # noqa: PLC0415 - `child_main` imports this module

    loaded: Predict = function(case.declared["loader"], str(case.folder))(case.folder)
    return loaded


# The formats that the child runs. None of them unpickles; "python" runs code that comes with the model.
LOADERS: dict[str, Callable[[KnownInput], Predict]] = {
    "lightgbm-text": _lightgbm,
    "xgboost-json": _xgboost,
    "onnx": _onnx,
    "python": _python,
}
PICKLE: Final = "pickle"
FORMATS: Final = (*LOADERS, PICKLE)
UNOPENED: Final = (
    "not run by Signoff, which unpickles nothing; the trading process alone opens a pickle, after its digest was "
    "checked"
)


def _values(frame: pl.DataFrame, names: list[str]) -> Floats:
    """The rows as numbers, ordered by the model's feature names where the table has all of them."""
    chosen = frame.select(names) if names and set(names) <= set(frame.columns) else frame
    return chosen.to_numpy().astype(np.float64)
