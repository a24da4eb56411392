"""What a signed notice of the flags says, in both formats, for whoever writes it and whoever reads it.

The second format tells every version of a model with its own share. The first one has a single set of flags, which are
those of the only version alive, and closed where several are; it is there for desks that do not ask for the second.
Neither says why silence cut capital: that is for people.
What a format signs begins with its own words, so that no notice of one can pass for a notice of the other.
"""

from collections.abc import Mapping
from dataclasses import replace
from enum import IntEnum
from typing import Final

from signoff.domain.flags import Flags, FlagsRevision, FlagState, KillCount, Share, alone, closed


class Format(IntEnum):
    """The formats of notices, by the number that a desk asks for."""

    FIRST = 1
    SECOND = 2


DOMAINS: Final[Mapping[Format, bytes]] = {Format.FIRST: b"signoff.flags.v1\n", Format.SECOND: b"signoff.flags.v2\n"}
NEWEST: Final = Format.SECOND
MOST_PCT: Final = 100


class NoControlError(ValueError):
    """What was signed is not the control of a model."""


def control(told: Flags) -> dict[str, object]:
    """All of a model's flags at once, each version with its own."""
    return {
        "model": told.model,
        "state": told.state,
        "version": told.version,
        "candidate": told.candidate,
        "flags_revision": told.revision,
        "kill_count": told.kill_count,
        "versions": {share.version: _said(share) for share in told.versions},
    }


def control_in(form: Format, told: Flags) -> dict[str, object]:
    """The control of a model as a notice of this format says it."""
    if form is Format.SECOND:
        return control(told)
    return {
        "rev": told.revision,
        "model": told.model,
        "state": told.state,
        "version": told.version,
        "candidate": told.candidate,
        "enabled": told.enabled,
        "allocation_pct": told.allocation_pct,
        "shadow_mode": told.shadow_mode,
        "epoch": told.kill_count,
    }


def read_control(form: Format, said: object) -> Flags:
    """The flags that a control of this format tells; NoControlError where it tells none."""
    if not isinstance(said, dict):
        raise NoControlError
    return _read_second(said) if form is Format.SECOND else _read_first(said)


def _said(share: Share) -> dict[str, object]:
    return {
        "state": share.state,
        "enabled": share.enabled,
        "allocation_pct": share.allocation_pct,
        "shadow_mode": share.shadow_mode,
    }


def _read_second(said: Mapping[str, object]) -> Flags:
    versions = said.get("versions")
    if not isinstance(versions, dict):
        raise NoControlError
    told = Flags(
        model=_text(said, "model"),
        revision=FlagsRevision(_number(said, "flags_revision")),
        state=_state(said),
        version=_text_or_none(said, "version"),
        candidate=_text_or_none(said, "candidate"),
        enabled=False,
        allocation_pct=0,
        shadow_mode=False,
        kill_count=KillCount(_number(said, "kill_count")),
        versions=tuple(_share(version, share) for version, share in versions.items()),
    )
    return alone(told)


def _read_first(said: Mapping[str, object]) -> Flags:
    """One set of flags is that of the champion or of the candidate; where there are both, nobody knows whose it is."""
    told = Flags(
        model=_text(said, "model"),
        revision=FlagsRevision(_number(said, "rev")),
        state=_state(said),
        version=_text_or_none(said, "version"),
        candidate=_text_or_none(said, "candidate"),
        enabled=_truth(said, "enabled"),
        allocation_pct=_percent(said, "allocation_pct"),
        shadow_mode=_truth(said, "shadow_mode"),
        kill_count=KillCount(_number(said, "epoch")),
    )
    alive = [version for version in (told.version, told.candidate) if version is not None]
    if len(alive) != 1:
        return closed(told, told.state)
    only = Share(
        version=alive[0],
        state=told.state,
        enabled=told.enabled,
        allocation_pct=told.allocation_pct,
        shadow_mode=told.shadow_mode,
    )
    return replace(told, versions=(only,))


def _share(version: object, said: object) -> Share:
    if not isinstance(version, str) or not isinstance(said, dict):
        raise NoControlError
    return Share(
        version=version,
        state=_state(said),
        enabled=_truth(said, "enabled"),
        allocation_pct=_percent(said, "allocation_pct"),
        shadow_mode=_truth(said, "shadow_mode"),
    )


def _text(said: Mapping[str, object], name: str) -> str:
    if isinstance(value := said.get(name), str):
        return value
    raise NoControlError


def _text_or_none(said: Mapping[str, object], name: str) -> str | None:
    if name in said and said[name] is None:
        return None
    return _text(said, name)


def _truth(said: Mapping[str, object], name: str) -> bool:
    if isinstance(value := said.get(name), bool):
        return value
    raise NoControlError


def _number(said: Mapping[str, object], name: str) -> int:
    value = said.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise NoControlError


def _percent(said: Mapping[str, object], name: str) -> int:
    if (value := _number(said, name)) <= MOST_PCT:
        return value
    raise NoControlError


def _state(said: Mapping[str, object]) -> FlagState:
    """The state that is told; one that nobody here knows is no control, and so lets nothing trade."""
    try:
        return FlagState(_text(said, "state"))
    except ValueError as error:
        raise NoControlError from error
