"""Every picture as SVG: no frame, no legend box, lines labelled at their ends, colours with a meaning."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from signoff.domain.charts import (
    Band,
    BarChart,
    Chart,
    EquityChart,
    ExceptionChart,
    HistogramChart,
    IntervalChart,
    LinesChart,
    ReferenceLine,
    ScatterChart,
    Shade,
    UnderwaterChart,
)
from signoff.domain.evidence import Days, Floats
from signoff.rendering.palette import BAD, BAND, GREY, INK, MUTED, TEXT, TINT
from signoff.stats.performance import drawdowns, equity_curve
from signoff.stats.returns import as_lived

WIDTH: Final = 7.2
MAX_POINTS: Final = 1200
# matplotlib's own settings: a `matplotlibrc` in the current folder or a home says nothing about a memo's pictures. The
# backend is left out, since a figure here has its canvas, and so is what it would only load.
DEFAULTS: Final[dict[Any, Any]] = {
    key: value for key, value in mpl.rcParamsDefault.items() if key not in {"backend", "backend_fallback"}
}
RC: Final[dict[Any, Any]] = {
    "svg.hashsalt": "signoff",
    "svg.fonttype": "path",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    # What people wrote is no formula: a title with two dollar signs is shown, and keeps no memo from being written.
    "text.parse_math": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": MUTED,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
}


def svg(chart: Chart) -> bytes:
    """One picture."""
    draw = _DRAWN[type(chart)]
    return draw(chart)


@contextmanager
def sheet(height: float, *ratios: float, width: float = WIDTH) -> Iterator[tuple[Figure, list[Axes], BytesIO]]:
    """A figure with axes one above the other; its bytes are in the buffer when the block ends."""
    out = BytesIO()
    with mpl.rc_context({**DEFAULTS, **RC}):
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
        _shade(equity, chart.bands)
        _shade(below, chart.bands, is_named=False)
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


def _shade(axes: Axes, bands: tuple[Band, ...], *, is_named: bool = True) -> None:
    for band in bands:
        axes.axvspan(number_of(band.start), number_of(band.end), color=BAND, linewidth=0, zorder=0)
        if is_named:
            axes.annotate(
                band.label,
                ((number_of(band.start) + number_of(band.end)) / 2, 1.01),
                xycoords=("data", "axes fraction"),
                ha="center",
                color=MUTED,
                fontsize=6.5,
            )


def _within(axes: Axes, value: float) -> bool:
    low, high = axes.get_ylim()
    return low <= value <= high


def _line(equity: Axes, below: Axes, dates: Days, returns: Floats, colour: str) -> tuple[float, float]:
    with as_lived():  # a gate judged them; what is drawn may hold a declared gain
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
        colours = [_bar_colour(chart, left, right) for left, right in itertools.pairwise(edges)]
        axes.bar(edges[:-1], counts, width=np.diff(edges), align="edge", color=colours, alpha=0.75, linewidth=0)
        axes.margins(y=0.22)
        for place, (reference, colour) in enumerate(((chart.marked, BAD), *((r, INK) for r in chart.beside))):
            axes.axvline(reference.value, color=colour, linewidth=1.2)
            _beside_line(axes, reference, colour, 0.98 - 0.11 * place)
        axes.set_xlabel(chart.x_label)
        axes.set_ylabel("count")
    return out.getvalue()


def _bar_colour(chart: HistogramChart, left: float, right: float) -> str:
    is_bad = (chart.shade is Shade.BELOW and right <= chart.marked.value) or (
        chart.shade is Shade.ABOVE and left >= chart.marked.value
    )
    return BAD if is_bad else INK


def _beside_line(axes: Axes, reference: ReferenceLine, colour: str, height: float) -> None:
    """A label on the side of its line where there is room."""
    low, high = axes.get_xlim()
    is_left = reference.value > (low + high) / 2
    axes.annotate(
        reference.label,
        (reference.value, height),
        xycoords=("data", "axes fraction"),
        xytext=(-4 if is_left else 4, 0),
        textcoords="offset points",
        ha="right" if is_left else "left",
        va="top",
        color=colour,
        fontsize=7.5,
    )


def _scatter(chart: ScatterChart) -> bytes:
    with sheet(2.6) as (figure, (axes,), out):
        shades = LinearSegmentedColormap.from_list("density", [TINT, INK])
        cells = axes.hexbin(chart.x, chart.y, gridsize=(60, 22), mincnt=1, cmap=shades, linewidths=0.1, bins="log")
        axes.axhline(0.0, color=BAD, linewidth=1.0)
        if chart.slope is not None:
            ends = np.array([chart.x.min(), chart.x.max()])
            line = chart.y.mean() + chart.slope * (ends - chart.x.mean())
            axes.plot(ends, line, color=TEXT, linewidth=1.2, linestyle=(0, (4, 2)))
        axes.set_xlabel(chart.x_label)
        axes.set_ylabel(chart.y_label)
        bar = figure.colorbar(cells, ax=axes, pad=0.01, aspect=14)
        bar.outline.set_visible(False)
        bar.ax.yaxis.set_minor_formatter(NullFormatter())
        bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        bar.set_label("splits")
    return out.getvalue()


def _intervals(chart: IntervalChart) -> bytes:
    with sheet(0.75 + 0.3 * len(chart.rows)) as (_, (axes,), out):
        scale = 100 if chart.is_percent else 1
        for place, row in enumerate(reversed(chart.rows)):
            is_short = row.low < chart.threshold.value
            axes.plot(
                [scale * row.low, scale * row.high], [place, place], color=BAD if is_short else INK, linewidth=2.2
            )
            axes.plot([scale * row.value], [place], marker="o", markersize=5, color=BAD if is_short else INK)
        axes.axvline(scale * chart.threshold.value, color=BAD, linewidth=1.2)
        axes.margins(x=0.08)
        axes.set_yticks(range(len(chart.rows)), [row.label for row in reversed(chart.rows)])
        axes.set_ylim(-0.6, len(chart.rows) - 0.1)
        _beside_line(axes, ReferenceLine(scale * chart.threshold.value, chart.threshold.label), BAD, 1.0)
        axes.set_xlabel(chart.x_label)
    return out.getvalue()


def _bars(chart: BarChart) -> bytes:
    with sheet(2.0) as (_, (axes,), out):
        x = np.asarray(number_of(chart.dates), dtype=np.float64)
        width = 0.8 * float(np.diff(x).min()) if x.size > 1 else 1.0
        axes.bar(x, chart.values, width=width, color=[INK if v > 0 else BAD for v in chart.values], linewidth=0)
        axes.axhline(0.0, color=MUTED, linewidth=0.6)
        axes.set_ylabel(chart.y_label)
        dated(axes)
    return out.getvalue()


def _lines(chart: LinesChart) -> bytes:
    with sheet(2.4) as (figure, (axes,), out):
        ends = []
        for line in sorted(chart.lines, key=lambda line: line.is_new):
            colour = INK if line.is_new else GREY
            x = np.asarray(number_of(line.dates), dtype=np.float64)
            shown = thinned(line.values)
            axes.plot(x[shown], line.values[shown], color=colour, linewidth=1.1)
            if line.low is not None and line.high is not None:
                axes.fill_between(x[shown], line.low[shown], line.high[shown], color=colour, alpha=0.14, linewidth=0)
            ends.append((float(x[-1]), float(line.values[-1]), line.label, colour))
        axes.axhline(chart.marked.value, color=BAD, linewidth=0.9)
        axes.annotate(
            chart.marked.label,
            (0.0, chart.marked.value),
            xycoords=("axes fraction", "data"),
            xytext=(2, 2),
            textcoords="offset points",
            color=BAD,
            fontsize=7.5,
        )
        axes.set_ylabel(chart.y_label)
        dated(axes)
        figure.draw_without_rendering()
        label_ends(axes, ends)
    return out.getvalue()


def _underwater(chart: UnderwaterChart) -> bytes:
    with sheet(1.9) as (figure, (axes,), out):
        ends = []
        _shade(axes, chart.bands)
        for line in sorted(chart.lines, key=lambda line: line.is_new):
            colour = INK if line.is_new else GREY
            x = np.asarray(number_of(line.dates), dtype=np.float64)
            with as_lived():
                fall = 100.0 * np.asarray(drawdowns(line.values), dtype=np.float64)
            shown = thinned(fall)
            axes.fill_between(x[shown], fall[shown], 0.0, color=colour, alpha=0.35, linewidth=0)
            axes.plot(x[shown], fall[shown], color=colour, linewidth=0.8)
            ends.append((float(x[-1]), float(fall[-1]), line.label, colour))
        axes.set_ylabel("drawdown %")
        dated(axes)
        figure.draw_without_rendering()
        label_ends(axes, ends)
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


_DRAWN: Final[Mapping[type[Chart], Callable[[Any], bytes]]] = {
    EquityChart: _equity,
    UnderwaterChart: _underwater,
    LinesChart: _lines,
    HistogramChart: _histogram,
    ScatterChart: _scatter,
    IntervalChart: _intervals,
    BarChart: _bars,
    ExceptionChart: _exceptions,
}
