"""What opens a model of each format from its approved bytes: a function from one row of features to one number.

The libraries are imported here alone, inside the functions that need them, so that a desk starts fast. A row is a
memoryview of float64 values in the registered order.
"""

import ctypes
import importlib
import importlib.util
import io
import pickle
import sys
import threading
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from signoff.desk.carried_modules import carried
from signoff.desk.models import Answer
from signoff.desk.onnx_files import locations
from signoff.domain.errors import BadInputError, SignoffError, UnavailableError

Files = Mapping[str, bytes]
_ROW_MAJOR: Final = ctypes.c_int(1)
_FLOAT64: Final = ctypes.c_int(1)
_NORMAL: Final = ctypes.c_int(0)
_ALL_TREES: Final = ctypes.c_int(-1)


def opened(declared: Mapping[str, str], files: Files, features: Sequence[str]) -> Answer:
    """The model that `inference.json` declares. BadInputError where its bytes are no such model."""
    kind = declared["format"]
    try:
        return FORMATS[kind](declared, files, features)
    except SignoffError:
        raise
    except Exception as error:
        raise BadInputError(
            f"Expected a model of the format {kind} in the approved files, found one that does not open "
            f"({type(error).__name__}: {str(error)[:300]}). Nothing was loaded."
        ) from error


def _library(name: str, install: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"Expected {name}, which this model needs, found no module of that name. Install it: pip install {install}"
        ) from error


def _main_file(declared: Mapping[str, str], files: Files) -> bytes:
    name = declared["model"]
    if name not in files:
        raise BadInputError(f"inference.json: expected the model's file {name} among the approved files, found none.")
    return files[name]


def _lightgbm(declared: Mapping[str, str], files: Files, features: Sequence[str]) -> Answer:
    lightgbm = _library("lightgbm", "'signoff[lightgbm]'")
    booster = lightgbm.Booster(model_str=_main_file(declared, files).decode())
    _refuse_several(int(booster.num_model_per_iteration()))
    order = _order(booster.feature_name(), features, booster.num_feature())
    return _single_row(lightgbm, booster, order) or _by_predict(booster, order)


def _single_row(library: ModuleType, booster: Any, order: "_Order") -> Answer | None:  # noqa: ANN401 - a Booster
    """LightGBM's fast path for one row, None where this LightGBM has none.

    The call keeps the interpreter's lock: giving it away for five microseconds can cost five milliseconds.
    """
    size = order.size
    try:
        native = ctypes.PyDLL(library.basic._LIB._name)  # noqa: SLF001 - the loaded library has no public name
        handle = booster._handle  # noqa: SLF001 - as above
        begin, call = native.LGBM_BoosterPredictForMatSingleRowFastInit, native.LGBM_BoosterPredictForMatSingleRowFast
        end = native.LGBM_FastConfigFree
    except (AttributeError, OSError):
        return None
    config = ctypes.c_void_p()
    settings = ctypes.c_char_p(b"num_threads=1")
    columns, first = ctypes.c_int32(size), ctypes.c_int(0)
    if begin(handle, _NORMAL, first, _ALL_TREES, _FLOAT64, columns, settings, ctypes.byref(config)) != 0:
        return None
    values, count, result = (ctypes.c_double * size)(), ctypes.c_int64(), ctypes.c_double()
    scratch = memoryview(values).cast("B").cast("d")
    row, out_count, out = ctypes.byref(values), ctypes.byref(count), ctypes.byref(result)
    lock, arranged = threading.Lock(), order.arranged

    def answer(view: memoryview) -> float:
        with lock:
            scratch[:] = view if arranged is None else arranged(view)
            if call(config, row, out_count, out) != 0 or count.value != 1:
                raise ValueError("LightGBM gave no prediction for the row")
            return result.value

    weakref.finalize(answer, _freed, end, config, booster)
    return answer


def _freed(end: Callable[[ctypes.c_void_p], int], config: ctypes.c_void_p, booster: object) -> None:
    """Free LightGBM's state of the fast path, while its booster still lives."""
    end(config)
    del booster


def _by_predict(booster: Any, order: "_Order") -> Answer:  # noqa: ANN401 - a Booster
    return lambda view: _one(booster.predict(order.table(view), num_threads=1))


def _xgboost(declared: Mapping[str, str], files: Files, features: Sequence[str]) -> Answer:
    xgboost = _library("xgboost", "'signoff[xgboost]'")
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(_main_file(declared, files)))
    order = _order(booster.feature_names or [], features, booster.num_features())
    return lambda view: _one(booster.inplace_predict(order.table(view), validate_features=False))


def _onnx(declared: Mapping[str, str], files: Files, features: Sequence[str]) -> Answer:
    runtime = _library("onnxruntime", "'signoff[onnx]'")
    import numpy as np  # noqa: PLC0415 - see above

    content, options = _main_file(declared, files), runtime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    if named := sorted(locations(content)):
        if missing := [name for name in named if name not in files]:
            raise BadInputError(
                f"{declared['model']}: expected the files of its weights among the approved files, found none named "
                f"{', '.join(missing[:5])}. Register them with the model."
            )
        weights = [files[name] for name in named]
        options.add_external_initializers_from_files_in_memory(named, weights, [len(one) for one in weights])
    session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    taken, *others = session.get_inputs()
    if others or taken.type not in {"tensor(float)", "tensor(double)"}:
        inputs = ", ".join(f"{one.name} {one.type}" for one in (taken, *others))
        raise BadInputError(f"expected a model with one input of numbers, rows by features; found {inputs}")
    kind = np.float32 if taken.type == "tensor(float)" else np.float64
    width = taken.shape[-1] if isinstance(taken.shape[-1], int) else len(features)
    order, first, name = _order([], features, width), session.get_outputs()[0].name, taken.name
    return lambda view: _one(session.run([first], {name: order.table(view).astype(kind)})[0])


def _python(declared: Mapping[str, str], files: Files, features: Sequence[str]) -> Answer:
    """The loader runs from the approved bytes; the folder that it is given is a copy of them, gone afterwards."""
    import tempfile  # noqa: PLC0415 - of this format alone

    polars = _library("polars", "polars")
    module, _, attribute = declared["loader"].partition(":")
    with tempfile.TemporaryDirectory(prefix="signoff-desk-") as name:
        place = Path(name)
        for path, content in files.items():
            (place / path).parent.mkdir(parents=True, exist_ok=True)
            (place / path).write_bytes(content)
        with carried(files, place) as modules:
            if module not in modules:
                raise BadInputError(
                    f"inference.json: expected the loader's module {module} among the approved files, found none. "
                    "Register its file with the model: what is installed has no approved digest."
                )
            predict = getattr(importlib.import_module(module), attribute)(place)
    names = list(features)
    return lambda view: _one(predict(polars.DataFrame({name: [x] for name, x in zip(names, view, strict=True)})))


def _pickle(declared: Mapping[str, str], files: Files, features: Sequence[str]) -> Answer:
    """Unpickled from the approved bytes; its own code is among them, or installed."""
    content = _main_file(declared, files)
    with carried(files, Path(declared["model"]).parent) as modules, warnings.catch_warnings():
        warnings.filterwarnings("error", message="Trying to unpickle estimator")
        model = _Unpickler(io.BytesIO(content), modules).load()
    width = getattr(model, "n_features_in_", len(features))
    order = _order([str(name) for name in getattr(model, "feature_names_in_", ())], features, int(width))
    predict = getattr(model, "predict", model)
    if not callable(predict):
        raise BadInputError(
            f"{declared['model']}: expected an object with predict, or a function, found {type(model)}."
        )
    return lambda view: _one(predict(order.table(view)))


class _Unpickler(pickle.Unpickler):
    """Finds classes in the approved files and in installed packages alone."""

    def __init__(self, content: io.BytesIO, modules: frozenset[str]) -> None:
        super().__init__(content)
        self._modules = modules

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - as pickle has it
        if module not in self._modules and not _is_installed(module.partition(".")[0]):
            raise BadInputError(
                f"Expected the code of a pickle among the approved files or in an installed package, found it in the "
                f"module {module}. Register that module's file with the model (Model.beside)."
            )
        try:
            return super().find_class(module, name)
        except ModuleNotFoundError as error:
            wanted = {"sklearn": "scikit-learn"}.get(str(error.name), str(error.name))
            raise UnavailableError(
                f"Expected {error.name}, which the pickle needs, found no module of that name. Install it: pip install "
                f"{wanted}"
            ) from error


def _is_installed(top: str) -> bool:
    """Whether a module comes from the standard library or an installed package, or from nowhere."""
    import sysconfig  # noqa: PLC0415 - of this format alone

    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        return True
    try:
        spec = importlib.util.find_spec(top)
    except ModuleNotFoundError:
        return True
    except ValueError:
        return False
    if spec is None:
        return True
    places = [Path(sysconfig.get_path(name)).resolve() for name in ("purelib", "platlib")]
    where = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
    return bool(where) and all(any(Path(one).resolve().is_relative_to(place) for place in places) for one in where)


class _Order:
    """How a row in the registered order becomes a row in the model's own order."""

    def __init__(self, positions: tuple[int, ...] | None, size: int) -> None:
        self.positions, self.size = positions, size
        self.arranged: Callable[[memoryview], memoryview] | None = None
        if positions is not None:
            self.arranged = partial(_arranged, positions)

    def table(self, view: memoryview) -> Any:  # noqa: ANN401 - a table of NumPy
        """A table of one row, a copy: no model can change the row that is recorded."""
        import numpy as np  # noqa: PLC0415 - see above

        row = np.array(view)
        return (row if self.positions is None else row[list(self.positions)]).reshape(1, -1)


def _arranged(positions: tuple[int, ...], view: memoryview) -> memoryview:
    from array import array  # noqa: PLC0415 - only where a model has an order of its own

    values = itemgetter(*positions)(view)
    return memoryview(array("d", values if len(positions) > 1 else (values,)))


def _order(own: Sequence[str], features: Sequence[str], width: int) -> _Order:
    """The model's order by its own names where they are registered ones; by position where it names none of them."""
    if width == len(features) and list(own) in ([], list(features)):
        return _Order(None, width)
    if own and set(own) <= set(features) and len(set(own)) == len(own) == width:
        return _Order(tuple(list(features).index(name) for name in own), width)
    if width == len(features) and not set(own) & set(features):
        return _Order(None, width)
    raise BadInputError(
        f"feature_schema.json: expected the {width} features that the model takes, found {len(features)}: "
        f"{', '.join(list(features)[:5])}… for {', '.join(list(own)[:5]) or 'inputs without names'}."
    )


def _refuse_several(count: int) -> None:
    if count != 1:
        raise BadInputError(f"Expected a model that gives one number for a row, found one that gives {count}.")


def _one(values: object) -> float:
    """The single number that a model gave; ValueError for anything else, texts and truth values included."""
    import numpy as np  # noqa: PLC0415 - see above

    found = np.asarray(values)
    if found.size != 1 or found.dtype.kind not in "fiu":
        raise ValueError(f"expected one number for a row, found {found.size} of {found.dtype}")
    return float(found.reshape(()) if found.ndim == 0 else found.ravel()[0])


FORMATS: Final[Mapping[str, Callable[[Mapping[str, str], Files, Sequence[str]], Answer]]] = {
    "lightgbm-text": _lightgbm,
    "xgboost-json": _xgboost,
    "onnx": _onnx,
    "python": _python,
    "pickle": _pickle,
}
