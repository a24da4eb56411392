"""The `repr` of results: every field, no line over 100 characters, arrays by their size and range."""

from dataclasses import fields
from textwrap import wrap
from typing import Any, Final

import numpy as np

WIDTH: Final = 100
_LONGEST: Final = 240


class Shown:
    """A base of results whose `repr` fits a screen; a dataclass takes it with `repr=False`."""

    __slots__ = ()

    def __repr__(self) -> str:
        record: Any = self
        items = ", ".join(f"{field.name}={_text(getattr(record, field.name))}" for field in fields(record))
        name = type(self).__name__
        if len(name) + len(items) + 2 <= WIDTH:
            return f"{name}({items})"
        lines = wrap(items, WIDTH - 4, break_long_words=True, break_on_hyphens=False)
        return f"{name}(\n" + "\n".join(f"    {line}" for line in lines) + "\n)"


def _text(value: object) -> str:
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple) and value and isinstance(value[0], tuple):
        return str(value)
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _array(array: np.ndarray) -> str:
    shape = " × ".join(f"{size:,}" for size in array.shape)
    if array.size == 0:
        return f"<{shape}>"
    if array.dtype == np.bool_:
        return f"<{shape} flags, {int(array.sum()):,} true>"
    with np.errstate(invalid="ignore"):
        low, high = np.nanmin(array), np.nanmax(array)
    return f"<{shape} values, {low:.4g} to {high:.4g}>"
