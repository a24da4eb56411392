"""Pictures as values, each with its caption; renderers decide how it looks and never what it says.

A gate makes its pictures from the arrays that it judged, so they show the numbers of the finding.
"""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from signoff.domain.evidence import Days, Floats


class Shade(StrEnum):
    """The side of a marked value that counts against the model."""

    BELOW = "below"
    ABOVE = "above"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Band:
    """A shaded stretch of a time axis: a stress window, an incident."""

    start: date
    end: date
    label: str


@dataclass(frozen=True, slots=True, eq=False)
class ChartLine:
    """One labelled series over dates; `is_new` chooses ink over grey. `low` and `high` are its confidence band."""

    label: str
    dates: Days
    values: Floats
    is_new: bool
    low: Floats | None = None
    high: Floats | None = None


@dataclass(frozen=True, slots=True)
class ReferenceLine:
    """A value that a picture marks, with its label."""

    value: float
    label: str


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate between its confidence limits."""

    label: str
    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """Any picture: a name unique in its document, and a caption with n and period."""

    name: str
    caption: str


@dataclass(frozen=True, slots=True, eq=False)
class EquityChart(Chart):
    """Growth of one on a log scale with the drawdown beneath; lines carry daily simple returns."""

    lines: tuple[ChartLine, ...]
    bands: tuple[Band, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class UnderwaterChart(Chart):
    """The drawdown of each line; lines carry daily simple returns."""

    lines: tuple[ChartLine, ...]
    bands: tuple[Band, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class LinesChart(Chart):
    """Lines over dates, with their confidence bands and a marked level."""

    lines: tuple[ChartLine, ...]
    marked: ReferenceLine
    y_label: str


@dataclass(frozen=True, slots=True, eq=False)
class HistogramChart(Chart):
    """A distribution with a marked value, e.g. the PBO logits with 0 marked; the shaded side is bad."""

    values: Floats
    marked: ReferenceLine
    x_label: str
    shade: Shade = Shade.BELOW
    beside: tuple[ReferenceLine, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ScatterChart(Chart):
    """Many points as a density, with the least-squares line if there is one."""

    x: Floats
    y: Floats
    x_label: str
    y_label: str
    slope: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class IntervalChart(Chart):
    """Estimates with their confidence limits against a threshold, in percent or as plain numbers."""

    rows: tuple[Interval, ...]
    threshold: ReferenceLine
    x_label: str
    is_percent: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class BarChart(Chart):
    """One bar a window, at the window's last date; those not above zero are the bad ones."""

    dates: Days
    values: Floats
    y_label: str


@dataclass(frozen=True, slots=True, eq=False)
class ExceptionChart(Chart):
    """Daily returns, the VaR forecast in force each day, and the days it was exceeded."""

    dates: Days
    returns: Floats
    value_at_risk: Floats
