"""Section 7: where the release runs, the flags that steer it, and the data it needs."""

import json
from collections.abc import Mapping
from typing import Final

from signoff.domain.dossier import Feed
from signoff.domain.memo.document import Align, Block, Cell, Code, Column, Fields, Paragraph, Section, Table
from signoff.domain.memo.pieces import ABSENT, lead_in, one, versioned, words
from signoff.domain.memo.release import Release
from signoff.domain.quantity import NOT_PROVIDED

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
    declared = release.dossier.infrastructure
    return (
        one("Environment", Cell(declared.environment.value.capitalize())),
        lead_in("Infrastructure"),
        Fields(
            (
                ("Platform", words(declared.platform)),
                ("Container", words(declared.container)),
                ("Resources", words(declared.resources)),
                ("Auto-scaling", words(declared.autoscaling)),
            )
        ),
        lead_in("Configuration"),
        Code(_configuration(release), "yaml"),
    )


def _configuration(release: Release) -> str:
    """The declared parameters; version and position limit come from their own sections, where they are enforced."""
    known: Mapping[str, str | int | float | bool] = {
        **release.dossier.infrastructure.configuration,
        "model_version": versioned(release.dossier.version),
        "max_position_size_percent": release.dossier.risk.position_limits.max_single_position_pct,
    }
    keys = [*_PARAMETERS, *(key for key in known if key not in _PARAMETERS)]
    lines = ("# Key configuration parameters", *(_parameter(key, known) for key in keys))
    return "\n".join(lines)


def _parameter(key: str, known: Mapping[str, str | int | float | bool]) -> str:
    if key not in known:
        return f"# {key}: {NOT_PROVIDED}"
    return f"{key}: {json.dumps(known[key], ensure_ascii=False)}"


def _flags(release: Release) -> tuple[Block, ...]:
    """Flags follow from the phase alone, so the table is what they will be, not what somebody set."""
    limited = str(release.policy.phases.limited_allocation_pct)
    prefix = f"models.{release.dossier.model}"
    rows = (
        (f"{prefix}.enabled", "true", "true", "true", "false"),
        (f"{prefix}.allocation_pct", "0", limited, "100", "0"),
        (f"{prefix}.shadow_mode", "true", "false", "false", "false"),
    )
    titles = (Column("Flag"), *(Column(t, Align.RIGHT) for t in ("Shadow", "Limited", "Full", "Rolled back")))
    body = tuple((Cell(flag), *(Cell(value, is_figure=True) for value in values)) for flag, *values in rows)
    return (
        one("Controlled via", words(release.dossier.infrastructure.flag_service)),
        lead_in("Flags"),
        Table(titles, body),
        Paragraph("Derived from the phase of the release; nobody edits a flag by hand.", is_note=True),
    )


def _data(release: Release) -> tuple[Block, ...]:
    declared = release.dossier.infrastructure
    columns = tuple(Column(t) for t in ("Feed", "Provider", "SLA", "Measured", "Fallback"))
    service = declared.feature_service
    return (
        lead_in("Critical Data Feeds"),
        Table(columns, tuple(_feed(feed) for feed in declared.feeds)),
        lead_in("Feature Service"),
        Fields(
            (
                ("Endpoint", words(service.endpoint)),
                ("SLA", words(service.sla)),
                ("Caching", words(service.caching)),
            )
        ),
    )


def _feed(feed: Feed) -> tuple[Cell, ...]:
    """What is measured of a feed begins with the rollout, so before it nothing is known."""
    return words(feed.name), words(feed.provider), words(feed.sla), ABSENT, words(feed.fallback)
