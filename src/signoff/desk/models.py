"""The approved model and no other: loaded from the bytes that were hashed, asked with rows that are what it expects.

`load(folder, pin)` reads every file once and compares it with the pin; nothing is loaded where one differs. A row is a
buffer of float64 values in the registered order, or a mapping from every name to its value. Anything else is refused
with what was expected; no value is converted.
"""

import json
import math
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from signoff.desk.approved_bytes import approved_bytes
from signoff.domain.artifacts import Pin
from signoff.domain.errors import BadInputError

INFERENCE: Final = "inference.json"
SCHEMA: Final = "feature_schema.json"
MOST_EXACT: Final = 1 << 53
FORMATS: Final = ("lightgbm-text", "xgboost-json", "onnx", "python", "pickle")
Answer = Callable[[memoryview], float]
Features = object
"""A buffer of float64 values (array.array('d', …), a NumPy row), or a mapping of names to numbers."""


class Model:
    """A loaded version. `features` are the names of its inputs in the registered order."""

    def __init__(self, pin: Pin, model_format: str, features: tuple[str, ...], answer: Answer) -> None:
        self.pin, self.format, self.features = pin, model_format, features
        self.answer = answer
        self._count, self._known = len(features), frozenset(features)

    def predict(self, row: Features) -> float:
        """The model's number for one row; BadInputError for a row that it does not take."""
        view = self.row(row)
        if (objection := not_finite(view, self.features)) is not None:
            raise BadInputError(objection)
        return self.answer(view)

    def row(self, features: Features) -> memoryview:
        """The row as float64 values in the registered order; a buffer is not copied."""
        try:
            view = memoryview(features)  # type: ignore[arg-type]  # anything may be given
        except TypeError:
            return self._by_name(features)
        if view.format == "d" and view.ndim == 1 and view.nbytes == 8 * self._count and view.contiguous:
            return view
        if view.format != "d":
            raise BadInputError(
                f"Expected features of the type float64, found the type {view.format!r}. Convert them where they are "
                "made: row.astype('float64')."
            )
        raise BadInputError(
            f"Expected a row of {self._count} features, contiguous and of one dimension, found {_shape(view)}: "
            f"{self.pin.model} takes {', '.join(self.features[:5])}{'…' if self._count > 5 else ''} in this order."
        )

    def _by_name(self, features: object) -> memoryview:
        if not isinstance(features, Mapping):
            raise BadInputError(
                f"Expected features as a buffer of float64 values or a mapping of names, found "
                f"{type(features).__name__}. A list is given as array.array('d', values)."
            )
        if features.keys() != self._known:
            missing = [name for name in self.features if name not in features]
            unknown = [str(name) for name in features if name not in self._known]
            raise BadInputError(
                f"Expected the {self._count} features of {self.pin.model} by name, found {_said('missing', missing)}"
                f"{' and ' if missing and unknown else ''}{_said('unknown', unknown)}."
            )
        for name in self.features:
            value = features[name]
            if isinstance(value, float) or (type(value) is int and -MOST_EXACT <= value <= MOST_EXACT):
                continue
            raise BadInputError(f"Expected a float for the feature {name}, found {type(value).__name__} {value!r:.60}.")
        return memoryview(array("d", [features[name] for name in self.features]))


def load(folder: Path, pin: Pin) -> Model:
    """The pinned version from its folder.

    Raises OtherBytesError, which names each file with the expected and the found digest, where any byte differs;
    OddArtifactError for a link or a device; UnavailableError where the model's library is not installed; BadInputError
    where the approved files are no model.
    """
    from signoff.desk.formats import opened  # noqa: PLC0415 - a desk starts fast

    files = approved_bytes(folder, pin)
    declared, features = _declared(files), _features(files)
    return Model(pin, declared["format"], features, opened(declared, files, features))


def registered_features(folder: Path, pin: Pin) -> tuple[str, ...]:
    """The features of a pinned version, of which nothing is loaded; its bytes are compared as `load` compares them."""
    return _features(approved_bytes(folder, pin))


def not_finite(view: memoryview, features: Sequence[str]) -> str | None:
    """Which features of a row are NaN or infinite, in words; None where none is."""
    if math.isfinite(sum(view)):
        return None
    odd = [f"{name} is {value}" for name, value in zip(features, view, strict=True) if not math.isfinite(value)]
    if not odd:  # finite values whose sum is not
        return None
    return f"Expected finite features, found {', '.join(odd[:5])}{f' and {len(odd) - 5} more' if len(odd) > 5 else ''}."


def _declared(files: Mapping[str, bytes]) -> Mapping[str, str]:
    found = _json(files, INFERENCE)
    declared = {str(key): value for key, value in found.items() if isinstance(value, str)}
    declared.setdefault("format", "python" if "loader" in declared else "")
    kind = declared["format"]
    if kind not in FORMATS:
        raise BadInputError(f"{INFERENCE}: expected a format among {', '.join(FORMATS)}, found {kind!r}.")
    if not declared.get(key := "loader" if kind == "python" else "model"):
        raise BadInputError(f"{INFERENCE}: expected a text for {key}, found none.")
    return declared


def _features(files: Mapping[str, bytes]) -> tuple[str, ...]:
    listed = _json(files, SCHEMA).get("features")
    names = [one.get("name") if isinstance(one, dict) else None for one in listed] if isinstance(listed, list) else []
    texts = tuple(name for name in names if isinstance(name, str) and name)
    if not texts or len(texts) != len(names) or len(set(texts)) != len(texts):
        raise BadInputError(f"{SCHEMA}: expected the names of the features, each once, found {str(listed)[:200]}.")
    return texts


def _json(files: Mapping[str, bytes], name: str) -> Mapping[str, object]:
    if name not in files:
        raise BadInputError(
            f"{name}: expected it among the approved files, found none. Register the model with "
            "signoff.registry.register."
        )
    try:
        content = json.loads(files[name])
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{name}: expected JSON, found something else ({error}).") from error
    if not isinstance(content, dict):
        raise BadInputError(f"{name}: expected a mapping of keys, found {type(content).__name__}.")
    return content


def _shape(view: memoryview) -> str:
    shape = view.shape or ()
    if view.ndim == 1:
        return f"{len(view)}{'' if view.contiguous else ' that are not contiguous'}"
    return f"{view.ndim} dimensions of {' × '.join(map(str, shape))}"


def _said(what: str, names: Sequence[str]) -> str:
    if not names:
        return ""
    return f"{what} {', '.join(names[:5])}{f' and {len(names) - 5} more' if len(names) > 5 else ''}"
