"""What a person signs: a decision, and its statement with signer, role and time."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from signoff.domain.events import Vote
from signoff.domain.policy import Policy, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """The signed statement."""

    subject: str
    deployment: str
    model: str
    version: str
    person: str
    role: Role
    verdict: Vote
    conditions: tuple[str, ...]
    reason: str
    signed_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision, whoever signs it. The policy says how long a signature is valid."""

    verdict: Vote
    subject: str
    model: str
    version: str
    deployment: str
    policy: Policy
    conditions: tuple[str, ...] = ()
    reason: str = ""

    def stated_by(self, person: str, role: Role, at: datetime) -> Statement:
        """The statement of this person in this role at this time."""
        return Statement(
            subject=self.subject,
            deployment=self.deployment,
            model=self.model,
            version=self.version,
            person=person,
            role=role,
            verdict=self.verdict,
            conditions=self.conditions,
            reason=self.reason,
            signed_at=at,
            expires_at=at + timedelta(days=self.policy.approvals.expires_days),
        )
