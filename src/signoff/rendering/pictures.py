"""Any chart as SVG, for renderers that only sometimes meet one; a memo's three forms draw each picture once."""

import hashlib
import pickle
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

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

    # A picture holds its labels also as text, in comments.
    return escaped(charts.svg(known.chart).decode()).encode()
