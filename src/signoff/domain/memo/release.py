"""Everything known about a release when its memo is composed, and what several chapters derive from it.

A decision comes from the record alone; what is not recorded is pending.
"""

import re
from dataclasses import dataclass
from typing import Final

from signoff.domain.assessment import Assessment
from signoff.domain.commitments import DeploymentType
from signoff.domain.deployment import block_words, phase_blocked
from signoff.domain.dossier import Dossier
from signoff.domain.events import NoticeSent, Phase, Signature, Vote
from signoff.domain.evidence import Evidence
from signoff.domain.memo.document import Mark
from signoff.domain.memo.standing import Standing
from signoff.domain.policy import Policy, Role
from signoff.domain.quantity import Quantity, count
from signoff.domain.rollback_drill import Rehearsal, objections
from signoff.domain.shortened import Shortening, shortenings

_DAILY_REVIEW: Final = re.compile(r"\bdaily\s+review", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Release:
    """`policy` is the floor with the dossier's stricter thresholds applied."""

    dossier: Dossier
    policy: Policy
    evidence: Evidence
    assessment: Assessment
    standing: Standing

    @property
    def is_initial(self) -> bool:
        return self.dossier.header.deployment_type is DeploymentType.INITIAL

    @property
    def author(self) -> str:
        """The author of the declarations: the person who deploys."""
        return self.dossier.header.deployed_by.name

    @property
    def shortenings(self) -> tuple[Shortening, ...]:
        """What this type of deployment leaves out, each with the rule of the policy."""
        return shortenings(self.policy, self.dossier.header.deployment_type)

    @property
    def approvals(self) -> tuple[Signature, ...]:
        """Signatures that count: approving, for a required role, and over the manifest that was approved."""
        return tuple(s for s in self.standing.approvals if self.counts(s))

    def counts(self, signature: Signature) -> bool:
        """Whether a signature approves this release as it stands."""
        manifest = self.standing.approved_manifest
        return (
            signature.verdict in {Vote.APPROVE, Vote.CONDITIONAL}
            and signature.role in self.standing.required
            and (manifest is None or signature.subject == manifest)
        )

    def approval(self, role: Role) -> Signature | None:
        """The approval that counts for a role."""
        return next((s for s in self.approvals if s.role is role), None)

    @property
    def conditions(self) -> tuple[str, ...]:
        """The conditions of the approvals, with the role that set each."""
        return tuple(self._condition(s, text) for s in self.approvals for text in s.conditions)

    @property
    def open_conditions(self) -> tuple[str, ...]:
        """Conditions that are not cleared."""
        return tuple(
            self._condition(s, text) for s in self.approvals for text in s.conditions if self._is_open(s, text)
        )

    @property
    def daily_reviews(self) -> tuple[str, ...]:
        """Conditions of the limited phase, open or met, that name a daily review."""
        return tuple(
            self._condition(s, text)
            for s in self.approvals
            for text in s.conditions
            if phase_blocked(text) is Phase.LIMITED and _DAILY_REVIEW.search(text)
        )

    def _is_open(self, signature: Signature, text: str) -> bool:
        conditions = self.standing.open_conditions
        return conditions is None or (signature.role, text) in conditions

    def _condition(self, signature: Signature, text: str) -> str:
        """A condition with who asked for it, and the phase that waits for it."""
        blocks = block_words(text) if self._is_open(signature, text) else "met"
        return f"{signature.role.title} ({signature.person}): {text} ({blocks})"

    @property
    def decision(self) -> Mark:
        if self.standing.is_rejected:
            return Mark.REJECTED
        if not self.standing.is_approved:
            return Mark.PENDING
        is_conditional = any(s.conditions or s.verdict is Vote.CONDITIONAL for s in self.approvals)
        return Mark.CONDITIONAL if is_conditional else Mark.APPROVED

    @property
    def overrides(self) -> tuple[Signature, ...]:
        """The first override of each person."""
        first = {s.person: s for s in reversed(self.standing.overrides) if s.verdict is Vote.OVERRIDE}
        return tuple(s for s in self.standing.overrides if first.get(s.person) is s)

    @property
    def is_overridden(self) -> bool:
        """Whether enough different people overrode the gates that block."""
        return len(self.overrides) >= self.policy.approvals.override_persons

    def rehearsal_objections(self) -> tuple[str, ...]:
        """Why the rehearsal does not show that the rollback works on the day of the deployment."""
        header = self.dossier.header
        return objections(self.standing.rehearsal, self.policy, header.previous_version, header.deployment_date)

    def notices(self, text: str) -> tuple[NoticeSent, ...]:
        """The notices named `text`, alone or after a moment (`T+7d: review meeting`)."""
        wanted = _slug(text)
        return tuple(
            notice
            for notice in self.standing.notices
            if wanted in {_slug(notice.notice), _slug(notice.notice.rpartition(": ")[2])}
        )

    def done(self, text: str) -> tuple[str, ...]:
        """Who says that an item of section 9 was done, how the name was proved, and when."""
        wanted = _slug(text)
        return tuple(
            f"{event.person}{proof.mark}, {at:%Y-%m-%d %H:%M} UTC" + (f": {event.note}" if event.note else "")
            for event, at, proof in self.standing.done
            if _slug(event.item) == wanted
        )


def events_lost(rehearsal: Rehearsal | None) -> Quantity:
    """How many acknowledged events were lost after their writer was killed."""
    return count("rollback.events_lost", None if rehearsal is None else rehearsal.result.events_lost)


def _slug(text: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in text.lower()).split())
