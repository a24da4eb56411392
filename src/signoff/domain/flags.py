"""The flags that trading processes read, and the answer for each version and reader.

A model may have several live versions, a champion beside a candidate. Each has its own flags, and a reader names the
version that it runs. A reader that names none gets the flags of the only live version, and none if there are several.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NewType

KillCount = NewType("KillCount", int)
"""The number of kills of a model."""
NO_KILL: Final = KillCount(0)
FlagsRevision = NewType("FlagsRevision", int)
"""The revision of a model's flags, which orders carry; not the kill count."""
LEASE_S: Final = 10.0
"""The lease of flags at a desk, in seconds from their earliest possible creation."""
WHOLE_PCT: Final = 100
MOST_LISTED: Final = 5


class FlagState(StrEnum):
    """The state of a release for desks, or why no version trades."""

    VALIDATING = "validating"
    VALIDATED = "validated"
    REJECTED = "rejected"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    SHADOW = "shadow"
    LIMITED = "limited"
    FULL = "full"
    SUPERSEDED = "superseded"
    ROLLING_BACK = "rolling_back"
    ROLLBACK_STUCK = "rollback_stuck"
    ROLLED_BACK = "rolled_back"
    OFF = "off"
    KILLED = "killed"
    UNKNOWN = "unknown"
    CLOSED = "closed"


KILLED: Final = FlagState.KILLED
UNKNOWN: Final = FlagState.UNKNOWN
LIVE: Final = frozenset({FlagState.SHADOW, FlagState.LIMITED, FlagState.FULL})
"""The states of a live release, in shadow or trading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The state of one version, and its share of the model's capital in percent.

    `reason` says why silence cut that share.
    """

    version: str
    state: FlagState
    enabled: bool
    allocation_pct: int
    shadow_mode: bool
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flags:
    """The flags of one model for a desk. `versions` has every version on record, with its share.

    `version` is the champion, `candidate` the release under rollout, `revision` the flags revision and `kill_count` the
    number of kills. `enabled`, `allocation_pct` and `shadow_mode` are those of the only live version, and closed if
    there are several; `for_version` gives those of one version. `reason` says why silence cut capital; desks do not get
    it.
    """

    model: str
    revision: FlagsRevision
    state: FlagState
    version: str | None
    candidate: str | None
    enabled: bool
    allocation_pct: int
    shadow_mode: bool
    kill_count: KillCount
    versions: tuple[Share, ...] = ()
    reason: str = ""

    @property
    def is_off(self) -> bool:
        """Whether no version of the model may do anything."""
        return not (self.enabled or any(share.enabled for share in self.versions))

    def share(self, version: str) -> Share | None:
        """What this version may do, None when it is not on record.

        Flags without a list of versions are one set, that of the named version if only one is named.
        """
        if not self.versions and {self.version, self.candidate} - {None} == {version}:
            return Share(
                version=version,
                state=self.state,
                enabled=self.enabled,
                allocation_pct=self.allocation_pct,
                shadow_mode=self.shadow_mode,
                reason=self.reason,
            )
        return next((share for share in self.versions if share.version == version), None)

    def for_version(self, version: str) -> "Flags":
        """These flags with the flat ones and the state of this version; an unknown version is off."""
        share = self.share(version)
        if share is None:
            return replace(closed(self, self.state if self.is_off else UNKNOWN), reason="")
        return replace(
            self,
            state=share.state,
            enabled=share.enabled,
            allocation_pct=share.allocation_pct,
            shadow_mode=share.shadow_mode,
            reason=share.reason,
        )

    def as_keys(self) -> tuple[tuple[str, bool | int], ...]:
        """The three flat flags of the memo's section 7.2."""
        prefix = f"models.{self.model}"
        return (
            (f"{prefix}.enabled", self.enabled),
            (f"{prefix}.allocation_pct", self.allocation_pct),
            (f"{prefix}.shadow_mode", self.shadow_mode),
        )


@dataclass(frozen=True, slots=True)
class InvalidContext:
    """Why the flat flags of a model have no answer for this reader, and what to send instead."""

    details: str


def answer(flags: Flags, version: str | None, *, sent: str = "none") -> Flags | InvalidContext:
    """The flags for the version that asks. A model that is off is off for every version.

    `sent` is what was sent where it names no version.
    """
    if flags.is_off:
        return closed(flags, flags.state) if version is None else flags.for_version(version)
    if version is not None and flags.share(version) is not None:
        return flags.for_version(version)
    asked = sent if version is None else repr(version)
    alive = [f"{share.version} ({share.state})" for share in flags.versions if share.enabled]
    more = f" and {len(alive) - MOST_LISTED} more" if len(alive) > MOST_LISTED else ""
    example = next(share.version for share in flags.versions if share.enabled) if alive else "1.0.0"
    return InvalidContext(
        f"Expected the evaluation context to name the version of {flags.model} that asks, found {asked}. Send "
        f"`version` as text, such as {example!r}, or `targetingKey` {f'{flags.model}@{example}'!r}. Alive now: "
        f"{', '.join(alive[:MOST_LISTED]) or 'none'}{more}. models.{flags.model}.control lists every version."
    )


def closed(flags: Flags, state: FlagState) -> Flags:
    """These flags with the flat ones off."""
    return replace(flags, state=state, enabled=False, allocation_pct=0, shadow_mode=False)


def off(model: str) -> Flags:
    """The flags of an unknown model, or of one killed while nothing can be asked."""
    return Flags(
        model=model,
        revision=FlagsRevision(0),
        state=FlagState.OFF,
        version=None,
        candidate=None,
        enabled=False,
        allocation_pct=0,
        shadow_mode=False,
        kill_count=NO_KILL,
    )


def killed(flags: Flags, kills: int) -> Flags:
    """The flags after so many further kills that are in force and not yet in the ledger."""
    revision, count = FlagsRevision(flags.revision + kills), KillCount(flags.kill_count + kills)
    counted = replace(flags, revision=revision, kill_count=count, reason="")
    return replace(closed(counted, KILLED), versions=tuple(held_off(share, KILLED) for share in flags.versions))


def alone(flags: Flags) -> Flags:
    """The flat flags for a reader that names no version: those of the only live version, or closed."""
    alive = [share for share in flags.versions if share.state in LIVE]
    if len(alive) != 1:
        cut = "; ".join(f"v{share.version}: {share.reason}" for share in alive if share.reason)
        return replace(closed(flags, flags.state), reason=cut)
    (only,) = alive
    return replace(
        flags,
        enabled=only.enabled,
        allocation_pct=only.allocation_pct,
        shadow_mode=only.shadow_mode,
        state=flags.state,
        reason=only.reason,
    )


def held_off(share: Share, state: FlagState) -> Share:
    return replace(share, state=state, enabled=False, allocation_pct=0, shadow_mode=False, reason="")
