"""Section 3: model, operational and market risk.

The model performs well in a regime only if its Sharpe ratio there is above zero beyond chance. It depends on regimes
only if their difference is.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from signoff.domain.assessment import Assessment, RegimeContrast, RegimeRow, StressRow
from signoff.domain.dossier import Dependency, Grade, Risk
from signoff.domain.memo.boundaries import BY_THE_GATE
from signoff.domain.memo.document import (
    Align,
    Block,
    Bullets,
    Cell,
    CheckItem,
    Checklist,
    Column,
    Fields,
    Mark,
    Paragraph,
    Section,
    Table,
)
from signoff.domain.memo.markup import ABSENT, declared, declared_by, figure, joined, lead_in, one, plain, words
from signoff.domain.memo.promises import promised
from signoff.domain.memo.release import Release, events_lost
from signoff.domain.memo.significance import SIGNIFICANCE
from signoff.domain.quantity import NOT_PROVIDED, PLUS_MINUS
from signoff.domain.rollback_drill import Rehearsal, recovery_time, recovery_time_in_words
from signoff.domain.sampling import Sampling
from signoff.domain.venue import NOT_REHEARSED, VenueKind

_WEIGHT: Final = {Grade.LOW: 1, Grade.MEDIUM: 2, Grade.HIGH: 3}
_BY_SCORE: Final = {
    1: Grade.LOW,
    2: Grade.LOW,
    3: Grade.MEDIUM,
    4: Grade.MEDIUM,
    6: Grade.HIGH,
    9: Grade.HIGH,
}
_TEMPLATE_WINDOWS: Final = (
    ("2008 Financial Crisis", ("2008",)),
    ("2020 COVID Crash", ("2020", "covid")),
    ("Flash Crash Scenarios", ("flash",)),
)


def risk(release: Release) -> Section:
    """Chapter 3."""
    return Section(
        "3",
        "Risk Assessment",
        sections=(
            Section("3.1", "Model Risk", _model_risk(release)),
            Section("3.2", "Operational Risk", _operational_risk(release)),
            Section("3.3", "Market Risk", _market_risk(release)),
        ),
    )


def grade(one_risk: Risk) -> Grade:
    """Likelihood times impact, each from 1 to 3; up to 2 is low, 3 and 4 medium, 6 and 9 high."""
    return _BY_SCORE[_score(one_risk)]


def risk_level(risks: Iterable[Risk]) -> Grade | None:
    """The grade of the worst risk; None where no risk is declared."""
    worst = max(risks, key=_score, default=None)
    return None if worst is None else grade(worst)


def _score(one_risk: Risk) -> int:
    return _WEIGHT[one_risk.likelihood] * _WEIGHT[one_risk.impact]


def _model_risk(release: Release) -> tuple[Block, ...]:
    risks = release.dossier.risk.risks
    level = risk_level(risks)
    worst = max(risks, key=_score, default=None)
    cell = (
        ABSENT
        if level is None or worst is None
        else Cell(f"{level.value.capitalize()}, from the worst risk {declared(release.author, worst.risk)}")
    )
    columns = tuple(Column(t) for t in ("Risk", "Likelihood", "Impact", "Mitigation", "Owner", "Level"))
    rows = tuple(
        (
            Cell(r.risk),
            Cell(r.likelihood.value.capitalize()),
            Cell(r.impact.value.capitalize()),
            promised(r.mitigation, release.dossier, release.policy),
            Cell(r.owner),
            Cell(grade(r).value.capitalize()),
        )
        for r in risks
    )
    caption = (
        "Level: likelihood × impact, each 1 to 3; up to 2 low, 3 and 4 medium, 6 and 9 high. The worst one counts."
    )
    return (
        one("Risk Level", cell),
        declared_by("Identified Risks", release.author),
        Table(columns, rows, caption),
    )


def _operational_risk(release: Release) -> tuple[Block, ...]:
    declaration = release.dossier.risk
    rows = (
        *_dependencies("External services", declaration.external_services, release),
        *_dependencies("Data feeds", declaration.data_feeds, release),
        *_dependencies("Infrastructure", declaration.infrastructure, release),
    )
    points = tuple(
        (point.name, promised(point.mitigation, release.dossier, release.policy))
        for point in declaration.single_points_of_failure
    )
    return (
        declared_by("Dependencies", release.author),
        Table(tuple(Column(t) for t in ("Kind", "Dependency", "SLA", "Fallback")), rows),
        declared_by("Single Points of Failure", release.author),
        Fields(points) if points else Paragraph("None declared.", is_note=True),
        lead_in("Disaster Recovery"),
        *_recovery(release),
    )


def _dependencies(kind: str, dependencies: tuple[Dependency, ...], release: Release) -> Iterator[tuple[Cell, ...]]:
    if not dependencies:
        yield Cell(kind), Cell("none declared"), Cell(""), Cell("")
    for dependency in dependencies:
        yield (
            Cell(kind),
            Cell(dependency.name),
            words(dependency.sla),
            promised(dependency.fallback, release.dossier, release.policy),
        )


def _recovery(release: Release) -> tuple[Block, ...]:
    """A rehearsal measures the time to the verified revert. Only a restore drill would show what a lost disk costs."""
    rehearsal = release.standing.rehearsal
    fields = Fields(
        (
            ("RTO (Recovery Time Objective)", _recovery_time(rehearsal)),
            ("RPO (Recovery Point Objective)", _lost(rehearsal)),
        )
    )
    if rehearsal is None:
        return fields, Paragraph("Measured only in a rollback rehearsal; none is recorded.", is_note=True)
    note = _measured(rehearsal)
    if rehearsal.result.events_lost is None:
        return fields, Paragraph(f"{note} RPO: no restore drill is on record.", is_note=True)
    killed = "RPO of the record, by killing a process that writes it; the loss of a disk or a site was not rehearsed."
    return fields, Paragraph(f"{note} {killed}", is_note=True)


def _recovery_time(rehearsal: Rehearsal | None) -> Cell:
    if rehearsal is None or (rehearsal.result.venue is not VenueKind.NONE and not _is_timed(rehearsal)):
        return ABSENT
    words = recovery_time_in_words(rehearsal.result)
    return Cell(words, is_figure=_is_timed(rehearsal))


def _is_timed(rehearsal: Rehearsal) -> bool:
    return recovery_time(rehearsal.result).is_provided


def _measured(rehearsal: Rehearsal) -> str:
    """How the RTO was measured."""
    day = rehearsal.at.date()
    match rehearsal.result.venue:
        case VenueKind.NONE:
            return (
                f"The RTO was not measured on {day}, {NOT_REHEARSED}: only a venue can say when orders and positions "
                "are gone."
            )
        case VenueKind.SIMULATED:
            how = "from the decision until the verified revert, at the simulated venue"
        case VenueKind.CONNECTED:
            how = "from the decision until the verified revert"
    return f"RTO as measured in the rehearsal of {day}, {how}."


def _lost(rehearsal: Rehearsal | None) -> Cell:
    """The acknowledged events that were lost; without a loss the time lost is zero."""
    lost = events_lost(rehearsal)
    if rehearsal is None:
        return ABSENT
    if not lost.is_provided:
        return Cell("not measured", mark=Mark.NOT_PROVIDED)
    seconds = "0 s: " if lost.value == 0 else ""
    return Cell(
        f"{seconds}{lost.text} of {rehearsal.result.events_acknowledged} acknowledged events lost", is_figure=True
    )


def _market_risk(release: Release) -> tuple[Block, ...]:
    limits = release.dossier.risk.position_limits
    return (
        lead_in("Market Conditions Sensitivity"),
        _sensitivity(release.assessment),
        _regimes(release.assessment.regimes, release.assessment.time),
        *_plus_minus(release.assessment.regimes),
        lead_in("Stress Testing"),
        *_stress(release.assessment.stress),
        lead_in("Position Limits"),
        Fields(
            (
                ("Maximum portfolio weight", Cell(f"{plain(limits.max_portfolio_weight_pct)}%", is_figure=True)),
                ("Maximum single position", Cell(f"{plain(limits.max_single_position_pct)}%", is_figure=True)),
                ("Maximum sector exposure", Cell(f"{plain(limits.max_sector_pct)}%", is_figure=True)),
            )
        ),
        Paragraph(f"{BY_THE_GATE} Unknown figures: {release.policy.order_gate.words}.", is_note=True),
    )


def _plus_minus(rows: tuple[RegimeRow, ...]) -> Iterator[Block]:
    """How the intervals of the table were found."""
    if interval := next((row.sharpe.interval for row in rows if row.sharpe.interval), ""):
        method = re.sub(r"\d+ equal", "equal", interval)
        yield Paragraph(f"{PLUS_MINUS}: {method}. Ratios by the square root of time.", is_note=True)


def _sensitivity(assessment: Assessment) -> Checklist:
    rows = assessment.regimes
    everywhere = bool(rows) and all(_performs_well(row) for row in rows)
    trend, volatility = assessment.trend_contrast, assessment.volatility_contrast
    return Checklist(
        (
            CheckItem("Performs well in all regimes", everywhere, _everywhere(rows)),
            CheckItem("Regime-specific", _differs(trend), _tested(trend)),
            CheckItem("Volatility-dependent", _differs(volatility), _tested(volatility)),
        )
    )


def _performs_well(row: RegimeRow) -> bool | None:
    """Whether the Sharpe ratio in a regime is above zero beyond chance; None where it is unknown."""
    if not row.p_value.is_provided or row.p_value.value is None:
        return None
    return row.p_value.value < SIGNIFICANCE


def _everywhere(rows: tuple[RegimeRow, ...]) -> str:
    judged = [row for row in rows if _performs_well(row) is not None]
    if not rows or len(judged) < len(rows):
        return NOT_PROVIDED
    figures = "; ".join(f"{row.title} Sharpe {row.sharpe.text}, p {row.p_value.text}" for row in rows)
    above = joined(row.title.lower() for row in rows if _performs_well(row)) or "none"
    return f"{figures}. Above zero beyond chance (one-sided p < {SIGNIFICANCE:g}): {above}."


def _differs(contrast: RegimeContrast) -> bool:
    """Whether the two regimes differ beyond chance, by a test of the difference."""
    return contrast.p_value.value is not None and contrast.p_value.value < SIGNIFICANCE


def _tested(contrast: RegimeContrast) -> str:
    if not contrast.difference.is_provided or not contrast.p_value.is_provided:
        return NOT_PROVIDED
    return (
        f"{contrast.title}: Sharpe {contrast.difference.text}, p {contrast.p_value.text} (two-sided; ticked where "
        f"p < {SIGNIFICANCE:g})."
    )


def _regimes(rows: tuple[RegimeRow, ...], time: Sampling) -> Table:
    columns = (
        Column("Regime"),
        Column(f"{time.of_one_row.title()}s", Align.RIGHT),
        Column("Sharpe", Align.RIGHT),
        Column("Ann. return", Align.RIGHT),
        Column("p (Sharpe ≤ 0)", Align.RIGHT),
    )
    body = tuple(
        (
            Cell(row.title),
            Cell(f"{row.days:,}", is_figure=True),
            figure(row.sharpe),
            figure(row.annual_return),
            figure(row.p_value),
        )
        for row in rows
    )
    return Table(columns, body or ((Cell("All regimes"), ABSENT, ABSENT, ABSENT, ABSENT),))


def _stress(rows: tuple[StressRow, ...]) -> Iterator[Block]:
    """The figures of each window, with notes beneath the table."""
    columns = (
        Column("Window"),
        Column("Sharpe", Align.RIGHT),
        Column("Max DD", Align.RIGHT),
        Column("Return", Align.RIGHT),
        Column("Benchmark", Align.RIGHT),
        Column("Portfolio today", Align.RIGHT),
    )
    body = [
        (
            Cell(window_in_words(row)),
            figure(row.sharpe),
            figure(row.max_drawdown),
            figure(row.total_return),
            figure(row.benchmark_return),
            figure(row.portfolio_return),
        )
        for row in rows
    ]
    titles = " ".join(row.title.lower() for row in rows)
    body += [
        (Cell(title), *(ABSENT,) * 5)
        for title, known_by in _TEMPLATE_WINDOWS
        if not any(word in titles for word in known_by)
    ]
    caption = (
        "The model's own figures over the window. Portfolio today: the weights last held, bought before the window and "
        "held through it."
    )
    yield Table(columns, tuple(body), caption)
    yield from window_notes(rows)


def window_in_words(row: StressRow) -> str:
    """A window with its first and last day."""
    return f"{row.title}, {row.start} to {row.end}"


def window_notes(rows: Iterable[StressRow]) -> Iterator[Bullets]:
    """The notes on the windows, each once."""
    notes: dict[str, list[str]] = {}
    for row in rows:
        if row.note:
            notes.setdefault(row.note, []).append(row.title)
    if notes:
        yield Bullets(tuple(f"{'; '.join(named)}: {note}" for note, named in notes.items()))
