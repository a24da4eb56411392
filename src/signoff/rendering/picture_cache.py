"""Charts as SVG, each drawn once for the three forms of a memo; the drawing library loads where one is first needed."""

import hashlib
import pickle
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from functools import lru_cache
from typing import Any, Final

from signoff.domain.charts import Chart
from signoff.rendering.words import escaped

MOST_KEPT: Final = 64
"""More pictures than a memo has; each takes some 100 KB."""


@dataclass(frozen=True, slots=True)
class _Known:
    """A chart known by all that it holds, arrays included: one that was changed is another."""

    digest: bytes
    chart: Chart = field(compare=False)


def svg(chart: Chart) -> bytes:
    """One picture."""
    return _drawn(_Known(hashlib.sha256(pickle.dumps(chart)).digest(), chart))


@lru_cache(maxsize=MOST_KEPT)
def _drawn(known: _Known) -> bytes:
    from signoff.rendering import charts  # noqa: PLC0415 - matplotlib loads slowly, and most commands draw nothing

    return charts.svg(_written_out(known.chart))


def _written_out(value: Any) -> Any:  # noqa: ANN401 - a chart, or any part of one
    """The same, with every control character in its labels as its escape: no font has it, and no SVG may hold it."""
    if isinstance(value, str) and not isinstance(value, Enum):
        return escaped(value)
    if isinstance(value, tuple):
        return tuple(_written_out(item) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{one.name: _written_out(getattr(value, one.name)) for one in fields(value) if one.init})
    return value
