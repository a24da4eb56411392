"""A rollout as a picture: both versions' equity, the phases behind them, exceptions, and the moment of rollback."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from signoff.domain.events import Observed, Phase, PhaseEntered, Recorded, RollbackStarted
from signoff.domain.evidence import Days, Floats
from signoff.rendering.charts import dated, label_ends, number_of, sheet
from signoff.rendering.palette import BAD, GREY, INK, MUTED

PHASE_TINT: Final = {Phase.SHADOW: "#f4f1ea", Phase.LIMITED: "#f3e6cf", Phase.FULL: "#e2efe8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseSpan:
    """A phase from its first day to its last."""

    phase: Phase
    start: date
    end: date


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RolloutPicture:
    """Everything the picture shows; daily simple returns of both versions on the same dates."""

    new_label: str
    old_label: str
    dates: Days
    new: Floats
    old: Floats
    phases: tuple[PhaseSpan, ...]
    exceptions: tuple[date, ...]
    rollback: date | None
    rollback_label: str


def spans(history: tuple[Recorded, ...], last: date) -> tuple[PhaseSpan, ...]:
    """The phases of one release, from its events."""
    entries = [(r.at.date(), r.event.phase) for r in history if isinstance(r.event, PhaseEntered)]
    ended = next((r.at.date() for r in history if isinstance(r.event, RollbackStarted)), last)
    starts = [start for start, _ in entries]
    ends = [*starts[1:], ended]
    return tuple(
        PhaseSpan(phase=phase, start=start, end=end) for (start, phase), end in zip(entries, ends, strict=True)
    )


def exception_days(history: tuple[Recorded, ...]) -> tuple[date, ...]:
    """Sessions on which one more value-at-risk exception was counted than the day before."""
    found, before = [], 0.0
    for recorded in history:
        if isinstance(recorded.event, Observed):
            count = next((r.value for r in recorded.event.readings if r.key == "var_exceptions"), None) or 0.0
            if count > before:
                found.append(recorded.event.session)
            before = count
    return tuple(found)


def rollout_svg(picture: RolloutPicture) -> bytes:
    """The picture as SVG; the same input gives the same bytes."""
    with sheet(4.2, 3.0, 1.0, width=9.2) as (figure, (equity, drawdown), out):
        ends = [
            (*_draw(equity, drawdown, picture.dates, line, colour), label, colour)
            for line, label, colour in (
                (picture.old, picture.old_label, GREY),
                (picture.new, picture.new_label, INK),
            )
        ]
        _annotate(equity, picture)
        equity.set_ylabel("growth of 1")
        drawdown.set_ylabel("drawdown %")
        dated(drawdown)
        figure.draw_without_rendering()
        label_ends(equity, ends)
    return out.getvalue()


def _draw(equity: Axes, drawdown: Axes, dates: Days, returns: Floats, colour: str) -> tuple[float, float]:
    growth = np.cumprod(1.0 + returns)
    fall = 100.0 * (growth / np.maximum.accumulate(np.maximum(growth, 1.0)) - 1.0)
    x = np.asarray(number_of(dates), dtype=np.float64)
    equity.plot(x, growth, color=colour, linewidth=1.3)
    drawdown.fill_between(x, fall, 0.0, color=colour, alpha=0.45, linewidth=0)
    return float(x[-1]), float(growth[-1])


def _annotate(axes: Axes, picture: RolloutPicture) -> None:
    for span in picture.phases:
        left, right = number_of(span.start), number_of(max(span.end, span.start + timedelta(days=1)))
        axes.axvspan(left, right, color=PHASE_TINT[span.phase], linewidth=0, zorder=0)
        axes.annotate(
            span.phase.value,
            ((left + right) / 2, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, 4),
            textcoords="offset points",
            ha="center",
            rotation=30,
            color=MUTED,
            fontsize=7,
        )
    growth = np.cumprod(1.0 + picture.new)
    marked = np.isin(picture.dates, np.array(picture.exceptions, dtype="datetime64[D]"))
    axes.scatter(number_of(picture.dates[marked]), growth[marked], color=BAD, s=16, marker="v", zorder=3)
    if picture.rollback is not None:
        axes.axvline(number_of(picture.rollback), color=BAD, linewidth=1.4)
        axes.annotate(
            picture.rollback_label,
            (number_of(picture.rollback), 0.03),
            xycoords=("data", "axes fraction"),
            xytext=(5, 0),
            textcoords="offset points",
            color=BAD,
            fontsize=8,
        )
