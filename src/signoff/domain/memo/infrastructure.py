"""Section 7: where the release runs, the flags that steer it, and the data it needs."""

import json
from collections.abc import Mapping
from typing import Final

from signoff.domain.dossier import Feed
from signoff.domain.environment import compared
from signoff.domain.memo.document import Align, Block, Cell, Code, Column, Fields, Paragraph, Section, Table
from signoff.domain.memo.markup import ABSENT, declared, declared_by, lead_in, one, versioned, words
from signoff.domain.memo.release import Release
from signoff.domain.policy import ChampionShare
from signoff.domain.quantity import NOT_PROVIDED

OFF: Final = ("false", "0", "false")
_PARAMETERS: Final = ("model_version", "allocation_percent", "latency_sla_ms", "max_position_size_percent")


def infrastructure(release: Release) -> Section:
    """Chapter 7."""
    return Section(
        "7",
        "Infrastructure & Operations",
        sections=(
            Section("7.1", "Deployment Environment", _environment(release)),
            Section("7.2", "Feature Flags", _flags(release)),
            Section("7.3", "Data Dependencies", _data(release)),
        ),
    )


def _environment(release: Release) -> tuple[Block, ...]:
    declaration = release.dossier.infrastructure
    return (
        one("Environment", Cell(f"{declaration.environment.value.capitalize()} ({declared(release.author)})")),
        declared_by("Infrastructure", release.author),
        Fields(
            (
                ("Platform", words(declaration.platform)),
                ("Container", words(declaration.container)),
                *((("Lock file", _lock(release)),) if declaration.lock else ()),
                ("Resources", words(declaration.resources)),
                ("Auto-scaling", words(declaration.autoscaling)),
            )
        ),
        declared_by("Configuration", release.author),
        Code(_configuration(release), "yaml"),
    )


def _lock(release: Release) -> Cell:
    """The lock file, and whether the replay ran what it pins; production is not known."""
    named, pit = release.dossier.infrastructure.lock, release.evidence.pit
    if (lock := release.evidence.lock) is None:
        return Cell(f"{named}, not compared with what runs")
    captured = None if pit is None else pit.environment
    return Cell(f"{lock.path} (sha256 {lock.sha256}), {compared(lock, captured)}; not compared with what runs")


def _configuration(release: Release) -> str:
    """The declared parameters; version and position limit come from their own sections, where they are enforced."""
    parameters: Mapping[str, str | int | float | bool] = {
        **release.dossier.infrastructure.configuration,
        "model_version": versioned(release.dossier.version),
        "max_position_size_percent": release.dossier.risk.position_limits.max_single_position_pct,
    }
    keys = [*_PARAMETERS, *(key for key in parameters if key not in _PARAMETERS)]
    lines = ("# Key configuration parameters", *(_parameter(key, parameters) for key in keys))
    return "\n".join(lines)


def _parameter(key: str, parameters: Mapping[str, str | int | float | bool]) -> str:
    if key not in parameters:
        return f"# {key}: {NOT_PROVIDED}"
    return f"{key}: {json.dumps(parameters[key], ensure_ascii=False)}"


def _flags(release: Release) -> tuple[Block, ...]:
    """The table of flags in each phase; flags follow from the phase alone."""
    header, phases = release.dossier.header, release.policy.phases
    limited = phases.limited_allocation_pct
    is_rest = phases.champion_share_while_limited is ChampionShare.REST
    candidate = (("true", "0", "true"), ("true", str(limited), "false"), ("true", "100", "false"), OFF)
    beside = ("true", str(100 - limited if is_rest else 100), "false")
    champion = (("true", "100", "false"), beside, OFF, ("true", "100", "false"))
    titles = (
        Column("Version"),
        Column("Flag"),
        *(Column(t, Align.RIGHT) for t in ("Shadow", "Limited", "Full", "Rolled back")),
    )
    rows = _rows_of(header.version, header.model, candidate)
    if header.previous_version is not None:
        rows += _rows_of(header.previous_version, header.model, champion)
    return (
        one("Controlled via", Cell(declared(release.author, release.dossier.infrastructure.flag_service))),
        lead_in("Flags"),
        Table(titles, rows),
        Paragraph(_who_trades(release), is_note=True),
    )


def _rows_of(version: str, model: str, phases: tuple[tuple[str, str, str], ...]) -> tuple[tuple[Cell, ...], ...]:
    """The three flags of one version, phase by phase."""
    return tuple(
        (
            Cell(versioned(version)),
            Cell(f"models.{model}.{flag}"),
            *(Cell(values[at], is_figure=True) for values in phases),
        )
        for at, flag in enumerate(("enabled", "allocation_pct", "shadow_mode"))
    )


def _who_trades(release: Release) -> str:
    """Where flags come from, who reads them, and what the champion trades in the limited phase."""
    text = "Derived from the phase of the release; no person edits a flag. A process reads the flags of the version "
    text += "that it runs, and names it as `version`."
    previous = release.dossier.header.previous_version
    if previous is None:
        return text
    share = release.policy.phases.champion_share_while_limited
    what = "the rest of the capital" if share is ChampionShare.REST else "all of the capital"
    return (
        f"{text} In the limited phase {versioned(previous)} trades {what} (policy: champion_share_while_limited "
        f"{share.value}). While a rollback is under way, and after a kill, every version is off."
    )


def _data(release: Release) -> tuple[Block, ...]:
    declaration = release.dossier.infrastructure
    columns = tuple(Column(t) for t in ("Feed", "Provider", "SLA", "Measured", "Fallback"))
    service = declaration.feature_service
    return (
        declared_by("Critical Data Feeds", release.author),
        Table(columns, tuple(_feed(feed) for feed in declaration.feeds)),
        declared_by("Feature Service", release.author),
        Fields(
            (
                ("Endpoint", words(service.endpoint)),
                ("SLA", words(service.sla)),
                ("Caching", words(service.caching)),
            )
        ),
    )


def _feed(feed: Feed) -> tuple[Cell, ...]:
    """Feeds are measured from the rollout on, so nothing is known before it."""
    return words(feed.name), words(feed.provider), words(feed.sla), ABSENT, words(feed.fallback)
