"""The policy of a release, its origin, and the differences between two policies.

The policy belongs to the installation: two people sign it, and its versions are numbered. Until then a new installation
has the built-in policy, and an older one the policy of its last approved release; both are unconfirmed. A policy file
beside a dossier is for trial: `check` and `memo` use it, submissions do not.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from enum import Enum, StrEnum
from hashlib import sha256
from typing import Final

from signoff.domain.commitments import DeploymentType
from signoff.domain.policy import HIGHER, ChampionShare, Policy, UnknownEvent, thresholds
from signoff.domain.shortened import shortened
from signoff.domain.venue import PositionsAfter, VenueKind

BUILT_IN: Final = Policy(name="default", version="1")
# Switches that are stricter when they are true.
_STRICTER_WHEN_TRUE: Final = frozenset({"blocking", "compliance_required", "deployer_signs"})
# Lists that are stricter when they are longer: roles that must sign, and roles that must sign with an authenticator.
_STRICTER_WHEN_LONGER: Final = frozenset({"approvals.roles", "approvals.webauthn_roles"})
# Lists that are looser when they are longer: certifications accepted without evidence.
_LOOSER_WHEN_LONGER: Final = frozenset({"sign_off.accepted_not_evidenced"})
# Figures of the order gate: those for which a higher value allows more orders, and those for which a lower one does.
_LOOSER_WHEN_HIGHER: Final = frozenset({"order_gate.unknown_adv_usd", "order_gate.max_age_days"})
_LOOSER_WHEN_LOWER: Final = frozenset({"order_gate.unknown_vix"})

# Choices from the looser to the stricter.
_LADDERS: Final = {
    "phases.champion_share_while_limited": (ChampionShare.ALL, ChampionShare.REST),
    "rollback.positions": (PositionsAfter.KEPT, PositionsAfter.CLOSED),
    "rollback.rehearsal_venue": tuple(VenueKind),
}


class Origin(StrEnum):
    """Where a policy comes from."""

    BUILT_IN = "built_in"
    LAST_APPROVED = "last_approved"
    CONFIRMED = "confirmed"
    TRIAL = "trial"


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """The policy of a release, by name. `number` counts confirmed versions; 0 means unconfirmed.

    `digest` is the SHA-256 of the policy's canonical JSON. `source` is the release that an unconfirmed policy was
    taken from, or the file of a trial.
    """

    origin: Origin
    name: str
    version: str
    digest: str
    number: int = 0
    confirmed_by: tuple[str, ...] = ()
    source: str = ""

    @property
    def is_confirmed(self) -> bool:
        """Whether two people confirmed it for the installation."""
        return self.origin is Origin.CONFIRMED

    @property
    def words(self) -> str:
        """The policy in one clause, as pages and tables print it."""
        named = f"{self.name} {self.version}"
        match self.origin:
            case Origin.CONFIRMED:
                return f"policy {named}, version {self.number}, confirmed by {' and '.join(self.confirmed_by)}"
            case Origin.LAST_APPROVED:
                return f"policy {named} of the last approved release {self.source}, unconfirmed"
            case Origin.TRIAL:
                return f"trial policy {named}"
            case Origin.BUILT_IN:
                return f"built-in policy {named}, unconfirmed"


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """The policy in force. `content` is its canonical JSON, whose digest people sign.

    `revision` is the revision of the ledger's stream `policy` at the time of reading.
    """

    floor: Floor
    policy: Policy
    content: str
    revision: int = 0
    confirmed_at: datetime | None = None


class Tendency(StrEnum):
    """What a change does to a policy."""

    LOOSER = "looser"
    TIGHTER = "tighter"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDifference:
    """One key in which two policies differ."""

    path: str
    before: str
    after: str
    tendency: Tendency


def content_digest(content: str) -> str:
    """The SHA-256 of a policy's canonical JSON, in hex."""
    return sha256(content.encode()).hexdigest()


def subject_of(number: int, replaces: str, content: str) -> str:
    """The digest that both people sign: of the content, its version number, and the replaced policy's digest.

    A signature can therefore not be reused for another version.
    """
    return sha256(f"policy:{number}:{replaces}:{content_digest(content)}".encode()).hexdigest()


def differences(before: Policy, after: Policy) -> tuple[PolicyDifference, ...]:
    """Every key in which two policies differ, in the order of the file."""
    directions = {threshold.path: threshold.stricter for threshold in thresholds(before)}
    old, new = dict(_leaves(before, "")), dict(_leaves(after, ""))
    changed = []
    for path, value in old.items():
        other = new[path]
        if value == other and type(value) is type(other):
            continue
        if path in directions:
            is_tighter = (other > value) == (directions[path] is HIGHER)  # type: ignore[operator]
            tendency = Tendency.TIGHTER if is_tighter else Tendency.LOOSER
        else:
            tendency = _tendency(path, value, other)
        changed.append(PolicyDifference(path=path, before=_text(value), after=_text(other), tendency=tendency))
    return tuple(changed)


def falls_short(floor: Policy, kind: DeploymentType, held_to: Policy) -> str | None:
    """The first key in which a release's policy is looser than the floor for its type of deployment; None if none is.

    A dossier may tighten thresholds; every other key must be equal.
    """
    expected = shortened(floor, kind)
    limits = {threshold.path: threshold for threshold in thresholds(expected)}
    leaves = dict(_leaves(held_to, ""))
    for path, value in _leaves(expected, ""):
        actual = leaves[path]
        if path in limits:
            if not limits[path].allows(actual):  # type: ignore[arg-type]
                return path
        elif actual != value:
            return path
    return None


def _leaves(node: object, prefix: str) -> Iterator[tuple[str, object]]:
    assert is_dataclass(node)
    for item in fields(node):
        value, path = getattr(node, item.name), f"{prefix}{item.name}"
        if is_dataclass(value):
            yield from _leaves(value, f"{path}.")
        else:
            yield path, value


def _tendency(path: str, before: object, after: object) -> Tendency:
    name = path.rpartition(".")[2]
    if name in _STRICTER_WHEN_TRUE:
        return Tendency.TIGHTER if after else Tendency.LOOSER
    if (ladder := _LADDERS.get(path)) is not None:
        is_tighter = ladder.index(after) > ladder.index(before)
        return Tendency.TIGHTER if is_tighter else Tendency.LOOSER
    if path in _LOOSER_WHEN_LONGER and isinstance(before, tuple) and isinstance(after, tuple):
        before, after, path = after, before, "approvals.roles"
    if path in _STRICTER_WHEN_LONGER and isinstance(before, tuple) and isinstance(after, tuple):
        if set(after) < set(before):
            return Tendency.LOOSER
        if set(after) > set(before):
            return Tendency.TIGHTER
    return _of_order_gate(path, before, after) if path.startswith("order_gate.") else Tendency.CHANGED


def _of_order_gate(path: str, before: object, after: object) -> Tendency:
    """A substitute for an unknown figure is looser than a refusal; a greatest age is tighter than none."""
    refuses = {None, UnknownEvent.REFUSE}
    if before in refuses or after in refuses:
        is_looser = (after not in refuses) == (path != "order_gate.max_age_days")
    elif path in _LOOSER_WHEN_HIGHER:
        is_looser = after > before  # type: ignore[operator]
    elif path in _LOOSER_WHEN_LOWER:
        is_looser = after < before  # type: ignore[operator]
    else:
        return Tendency.CHANGED
    return Tendency.LOOSER if is_looser else Tendency.TIGHTER


def _text(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "true" if value else "false"
        case Enum():
            return str(value.value)
        case float():
            return f"{value:g}"
        case tuple():
            return f"[{', '.join(map(_text, value))}]"
        case _:
            return str(value)
