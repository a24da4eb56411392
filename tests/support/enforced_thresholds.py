"""Every threshold that a policy and a dossier set for a live release."""

from signoff.domain.dossier import Success
from signoff.domain.live_metrics import LIVE_METRICS, Table, targets
from signoff.domain.policy import Policy
from signoff.domain.thresholds import LiveThreshold


def live_thresholds(policy: Policy, success: Success, table: Table = LIVE_METRICS) -> tuple[LiveThreshold, ...]:
    """The alerts, triggers and floors of all rows, then the targets."""
    return (*(each for row in table for each in row.thresholds(policy)), *targets(policy, success, table).values())
