"""What a dossier commits a release to: the part of a declaration that is kept, and enforced after the approval.

It is apart from the rest of the dossier, so that reading a release's state does not load what only an assessment needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Annotated

from annotated_types import Gt, Interval, MinLen

from signoff.domain.limits import PositionLimits, Restrictions
from signoff.domain.policy import Percentage, Strict

Text = Annotated[str, MinLen(1)]


class DeploymentType(StrEnum):
    INITIAL = "initial"
    UPGRADE = "upgrade"
    ROLLBACK = "rollback"
    HOTFIX = "hotfix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption(Strict):
    """Section 6.1; `monitor` is an expression over live figures that holds while the assumption does."""

    title: Text
    description: Text
    monitor: Text
    if_violated: Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Communication(Strict):
    """Section 9: who is told when, which documents and trainings there are."""

    before: Annotated[tuple[Text, ...], MinLen(1)]
    at_deployment: Annotated[tuple[Text, ...], MinLen(1)]
    after: Annotated[tuple[Text, ...], MinLen(1)]
    documents: Mapping[str, bool]
    training: Mapping[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Success(Strict):
    """Section 10: the 30-day targets and the review."""

    sharpe: float
    hit_rate_pct: Percentage
    max_drawdown_pct: Annotated[float, Interval(ge=-100.0, le=0.0)]
    latency_p95_ms: Annotated[float, Gt(0)]
    review_date: date
    attendees: Annotated[tuple[Text, ...], MinLen(1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitments(Strict):
    """What a dossier promises about the release's life: the part that is enforced after the approval."""

    communication: Communication
    assumptions: tuple[Assumption, ...]
    success: Success
    restrictions: Restrictions
    position_limits: PositionLimits
    incident_channel: str
    documents: Mapping[str, str] = field(default_factory=dict)
    deployment_date: date | None = None
    risk_free_pct: float = 0.0
