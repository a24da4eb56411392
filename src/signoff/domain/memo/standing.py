"""What the record and the world say about a release when its memo is composed, beside evidence and declarations."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from signoff.domain.events import Barred, DeployerSigned, ItemDone, NoticeSent, Signature
from signoff.domain.floor import Floor
from signoff.domain.policy import Role
from signoff.domain.rehearsal import Rehearsal


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousCheck:
    """The previous version loaded from the registry and run on a known input; `detail` says what was seen."""

    version: str
    run_id: str
    is_working: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A draft knows no signatures and is pending; the approved edition lists them all.

    `floor` is None for a release that an older Signoff opened, whose policy came with it. `done` is what people say
    that they did, `deployer` who signed for the start, `started_by` who started the rollout, signed or not.
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
    predictions_logged: bool | None = None
    trades_attributed: bool | None = None
    is_reproducible: bool | None = None
    barred: tuple[str, ...] = ()
    grounds: tuple[Barred, ...] = ()
    unread: tuple[str, ...] = ()
    floor: Floor | None = None
    done: tuple[tuple[ItemDone, datetime], ...] = ()
    deployer: DeployerSigned | None = None
    started_by: str | None = None
