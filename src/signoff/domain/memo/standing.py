"""The record of a release and its surroundings when its memo is composed, beside evidence and declarations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from signoff.domain.artifacts import PreviousCheck
from signoff.domain.events import ActorProof, Barred, DeployerSigned, ItemDone, NoticeSent, Signature
from signoff.domain.floor import Floor
from signoff.domain.memo.proof import Trail
from signoff.domain.policy import Role
from signoff.domain.rollback_drill import Rehearsal


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A draft has no signatures and is pending; the approved edition lists them all.

    `floor` is None for a release that an older Signoff opened, whose policy came with it. `candidate_check` is the run
    of this version on its known input; `breach` is the previous version's last breach on record. `open_conditions` is
    None if unknown, and then every condition is open. `done` is what people say that they did, `deployer` signed for
    the start, and `started_by` started the rollout, signed or not.
    """

    required: tuple[Role, ...]
    approvals: tuple[Signature, ...] = ()
    overrides: tuple[Signature, ...] = ()
    is_approved: bool = False
    is_rejected: bool = False
    deployment_id: str | None = None
    approved_manifest: str | None = None
    rehearsal: Rehearsal | None = None
    previous_check: PreviousCheck | None = None
    links: Mapping[str, bool | None] = field(default_factory=dict)
    notices: tuple[NoticeSent, ...] = ()
    trail: Trail = field(default_factory=Trail)
    candidate_check: PreviousCheck | None = None
    breach: str = ""
    open_conditions: tuple[tuple[Role, str], ...] | None = None
    barred: tuple[str, ...] = ()
    grounds: tuple[Barred, ...] = ()
    unread: tuple[str, ...] = ()
    floor: Floor | None = None
    done: tuple[tuple[ItemDone, datetime, ActorProof], ...] = ()
    deployer: DeployerSigned | None = None
    started_by: str | None = None
