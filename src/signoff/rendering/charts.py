"""The memo's pictures as SVG: equity with its drawdown, distributions, exceptions; labelled at the line's end."""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from signoff.domain.evidence import Days, Floats
from signoff.domain.memo.document import Chart, EquityChart, ExceptionChart, HistogramChart
from signoff.rendering.palette import BAD, BAND, GREY, INK, MUTED, TEXT
from signoff.stats.performance import drawdowns, equity_curve

WIDTH: Final = 7.2
MAX_POINTS: Final = 1200
RC: Final[dict[Any, Any]] = {
    "svg.hashsalt": "signoff",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.linewidth": 0.6,
    "axes.edgecolor": MUTED,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}


def svg(chart: Chart) -> bytes:
    """One picture."""
    match chart:
        case EquityChart():
            return _equity(chart)
        case HistogramChart():
            return _histogram(chart)
        case ExceptionChart():
            return _exceptions(chart)


@contextmanager
def sheet(height: float, *ratios: float, width: float = WIDTH) -> Iterator[tuple[Figure, list[Axes], BytesIO]]:
    """A figure with axes one above the other; its bytes are in the buffer when the block ends."""
    out = BytesIO()
    with mpl.rc_context(RC):
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasSVG(figure)
        rows = ratios or (1.0,)
        axes = figure.subplots(len(rows), 1, sharex=len(rows) > 1, height_ratios=rows, squeeze=False)[:, 0]
        for one in axes:
            one.spines[["top", "right"]].set_visible(False)
            one.margins(x=0.01)
        yield figure, list(axes), out
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})


def number_of(moment: object) -> Any:  # noqa: ANN401 - a number for a date, an array for dates
    """Dates as the numbers that an axis understands."""
    return date2num(moment)  # type: ignore[no-untyped-call]


def dated(axes: Axes) -> None:
    """A time axis with few, plain labels."""
    locator = AutoDateLocator(minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))  # type: ignore[no-untyped-call]


def thinned(values: Floats) -> np.ndarray:
    """Positions of at most MAX_POINTS, each stretch keeping its lowest and highest value."""
    if values.size <= MAX_POINTS:
        return np.arange(values.size)
    stretches = np.array_split(np.arange(values.size), MAX_POINTS // 2)
    kept = {0, values.size - 1}
    for stretch in stretches:
        kept |= {int(stretch[np.argmin(values[stretch])]), int(stretch[np.argmax(values[stretch])])}
    return np.array(sorted(kept))


def label_ends(axes: Axes, ends: list[tuple[float, float, str, str]]) -> None:
    """Names at the ends of lines, moved apart where they would touch."""
    placed: list[float] = []
    for x, y, label, colour in sorted(ends, key=lambda end: end[1]):
        pixel = float(axes.transData.transform((x, y))[1])
        shift = max(0.0, placed[-1] + 11.0 - pixel) if placed else 0.0
        placed.append(pixel + shift)
        axes.annotate(
            label, (x, y), xytext=(4, shift * 0.72), textcoords="offset points", color=colour, va="center", fontsize=8
        )


def _equity(chart: EquityChart) -> bytes:
    with sheet(3.1, 2.6, 1.0) as (figure, (equity, below), out):
        ends = []
        for line in sorted(chart.lines, key=lambda one: one.is_new):
            colour = INK if line.is_new else GREY
            ends.append((*_line(equity, below, line.dates, line.values, colour), line.label, colour))
        for band in chart.bands:
            for axes in (equity, below):
                axes.axvspan(number_of(band.start), number_of(band.end), color=BAND, linewidth=0, zorder=0)
            middle = (number_of(band.start) + number_of(band.end)) / 2
            place: dict[str, Any] = {
                "xycoords": ("data", "axes fraction"),
                "ha": "center",
                "color": MUTED,
                "fontsize": 6.5,
            }
            equity.annotate(band.label, (middle, 1.01), **place)
        equity.set_yscale("log")
        equity.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}×"))
        equity.yaxis.set_minor_formatter(NullFormatter())
        equity.set_yticks([y for y in (0.25, 0.5, 1, 2, 4, 8, 16) if _within(equity, y)])
        equity.set_ylabel("growth of 1")
        below.set_ylabel("drawdown %")
        dated(below)
        figure.draw_without_rendering()
        label_ends(equity, ends)
    return out.getvalue()


def _within(axes: Axes, value: float) -> bool:
    low, high = axes.get_ylim()
    return low <= value <= high


def _line(equity: Axes, below: Axes, dates: Days, returns: Floats, colour: str) -> tuple[float, float]:
    growth = np.asarray(equity_curve(returns), dtype=np.float64)[-dates.size :]
    fall = 100.0 * np.asarray(drawdowns(returns), dtype=np.float64)[-dates.size :]
    x = np.asarray(number_of(dates), dtype=np.float64)
    shown = thinned(growth)
    equity.plot(x[shown], growth[shown], color=colour, linewidth=1.1)
    shown = thinned(fall)
    below.fill_between(x[shown], fall[shown], 0.0, color=colour, alpha=0.5, linewidth=0)
    return float(x[-1]), float(growth[-1])


def _histogram(chart: HistogramChart) -> bytes:
    with sheet(2.2) as (_, (axes,), out):
        finite = chart.values[np.isfinite(chart.values)]
        counts, edges = np.histogram(finite, bins=min(60, max(10, int(np.sqrt(finite.size)))))
        colours = [BAD if right <= chart.marked else INK for right in edges[1:]]
        axes.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=colours, alpha=0.75, linewidth=0)
        axes.axvline(chart.marked, color=BAD, linewidth=1.2)
        place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "fontsize": 7.5}
        axes.annotate(chart.marked_label, (chart.marked, 0.97), xytext=(4, 0), va="top", color=BAD, **place)
        axes.set_xlabel(chart.x_label)
        axes.set_ylabel("count")
    return out.getvalue()


def _exceptions(chart: ExceptionChart) -> bytes:
    with sheet(2.3) as (_, (axes,), out):
        x = np.asarray(number_of(chart.dates), dtype=np.float64)
        shown = thinned(chart.returns)
        axes.vlines(x[shown], 0.0, 100.0 * chart.returns[shown], color=GREY, linewidth=0.35, alpha=0.8)
        shown = thinned(chart.value_at_risk)
        axes.plot(x[shown], 100.0 * chart.value_at_risk[shown], color=INK, linewidth=1.0)
        beyond = chart.returns < chart.value_at_risk
        axes.scatter(x[beyond], 100.0 * chart.returns[beyond], color=BAD, s=5, marker="v", zorder=3)
        axes.set_ylabel("daily return %")
        dated(axes)
    return out.getvalue()
