"""The content of a signed notice of the flags, in both formats, for writers and readers.

The second format has every version of a model with its own share. The first has one set of flags, those of the only
live version, and closed flags if several are live; it serves desks that do not ask for the second. Neither says why
silence cut capital, which is for people. Signed bytes begin with the name of their format, so that a notice of one
format cannot pass for one of the other.
"""

from collections.abc import Mapping
from dataclasses import replace
from enum import IntEnum
from typing import Final

from signoff.domain.flags import Flags, FlagsRevision, FlagState, KillCount, Share, alone, closed


class Format(IntEnum):
    """The formats of notices, by the number in a desk's request."""

    FIRST = 1
    SECOND = 2


DOMAINS: Final[Mapping[Format, bytes]] = {Format.FIRST: b"signoff.flags.v1\n", Format.SECOND: b"signoff.flags.v2\n"}
NEWEST: Final = Format.SECOND
MOST_PCT: Final = 100


class NoControlError(ValueError):
    """The signed content is not the control of a model."""


def control(flags: Flags) -> dict[str, object]:
    """All flags of a model, by version."""
    return {
        "model": flags.model,
        "state": flags.state,
        "version": flags.version,
        "candidate": flags.candidate,
        "flags_revision": flags.revision,
        "kill_count": flags.kill_count,
        "versions": {share.version: _flags(share) for share in flags.versions},
    }


def control_in(form: Format, flags: Flags) -> dict[str, object]:
    """The control of a model in this format."""
    if form is Format.SECOND:
        return control(flags)
    return {
        "rev": flags.revision,
        "model": flags.model,
        "state": flags.state,
        "version": flags.version,
        "candidate": flags.candidate,
        "enabled": flags.enabled,
        "allocation_pct": flags.allocation_pct,
        "shadow_mode": flags.shadow_mode,
        "epoch": flags.kill_count,
    }


def read_control(form: Format, body: object) -> Flags:
    """The flags in a control of this format; NoControlError if it is not one."""
    if not isinstance(body, dict):
        raise NoControlError
    return _read_second(body) if form is Format.SECOND else _read_first(body)


def _flags(share: Share) -> dict[str, object]:
    return {
        "state": share.state,
        "enabled": share.enabled,
        "allocation_pct": share.allocation_pct,
        "shadow_mode": share.shadow_mode,
    }


def _read_second(body: Mapping[str, object]) -> Flags:
    versions = body.get("versions")
    if not isinstance(versions, dict):
        raise NoControlError
    flags = Flags(
        model=_text(body, "model"),
        revision=FlagsRevision(_number(body, "flags_revision")),
        state=_state(body),
        version=_text_or_none(body, "version"),
        candidate=_text_or_none(body, "candidate"),
        enabled=False,
        allocation_pct=0,
        shadow_mode=False,
        kill_count=KillCount(_number(body, "kill_count")),
        versions=tuple(_share(version, share) for version, share in versions.items()),
    )
    return alone(flags)


def _read_first(body: Mapping[str, object]) -> Flags:
    """One set of flags is the champion's or the candidate's; with both, its version is unknown."""
    flags = Flags(
        model=_text(body, "model"),
        revision=FlagsRevision(_number(body, "rev")),
        state=_state(body),
        version=_text_or_none(body, "version"),
        candidate=_text_or_none(body, "candidate"),
        enabled=_truth(body, "enabled"),
        allocation_pct=_percent(body, "allocation_pct"),
        shadow_mode=_truth(body, "shadow_mode"),
        kill_count=KillCount(_number(body, "epoch")),
    )
    alive = [version for version in (flags.version, flags.candidate) if version is not None]
    if len(alive) != 1:
        return closed(flags, flags.state)
    only = Share(
        version=alive[0],
        state=flags.state,
        enabled=flags.enabled,
        allocation_pct=flags.allocation_pct,
        shadow_mode=flags.shadow_mode,
    )
    return replace(flags, versions=(only,))


def _share(version: object, body: object) -> Share:
    if not isinstance(version, str) or not isinstance(body, dict):
        raise NoControlError
    return Share(
        version=version,
        state=_state(body),
        enabled=_truth(body, "enabled"),
        allocation_pct=_percent(body, "allocation_pct"),
        shadow_mode=_truth(body, "shadow_mode"),
    )


def _text(body: Mapping[str, object], name: str) -> str:
    if isinstance(value := body.get(name), str):
        return value
    raise NoControlError


def _text_or_none(body: Mapping[str, object], name: str) -> str | None:
    if name in body and body[name] is None:
        return None
    return _text(body, name)


def _truth(body: Mapping[str, object], name: str) -> bool:
    if isinstance(value := body.get(name), bool):
        return value
    raise NoControlError


def _number(body: Mapping[str, object], name: str) -> int:
    value = body.get(name)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise NoControlError


def _percent(body: Mapping[str, object], name: str) -> int:
    if (value := _number(body, name)) <= MOST_PCT:
        return value
    raise NoControlError


def _state(body: Mapping[str, object]) -> FlagState:
    """The state in the control; an unknown one is refused, so that nothing trades."""
    try:
        return FlagState(_text(body, "state"))
    except ValueError as error:
        raise NoControlError from error
