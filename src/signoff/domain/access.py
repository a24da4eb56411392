"""Who may do what: one visible matrix of duties and verbs, and the pure question whether a principal may.

A duty says what a person may do; a role (`policy.Role`) says in whose name a signature counts. Holding a role brings
its duty. Stopping is for nearly everybody, starting for few; nobody approves by machine.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from signoff.domain.errors import RefusedError
from signoff.domain.policy import Role

FRESH: Final = timedelta(minutes=5)


class Duty(StrEnum):
    """What a person is there for."""

    RESEARCHER = "researcher"
    VALIDATOR = "validator"
    RISK = "risk"
    COMPLIANCE = "compliance"
    HEAD_OF_TRADING = "head_of_trading"
    CTO = "cto"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


class Verb(StrEnum):
    """Everything that can be asked of an installation."""

    READ = "read"
    CHECK = "check"
    SUBMIT = "submit"
    OVERRIDE = "override"
    APPROVE = "approve"
    REJECT = "reject"
    MEET = "meet"
    ADOPT = "adopt"
    START = "start"
    ADVANCE = "advance"
    PAUSE = "pause"
    RESUME = "resume"
    ROLLBACK = "rollback"
    KILL = "kill"
    REARM = "rearm"
    REHEARSE = "rehearse"
    OBSERVE = "observe"
    REVIEW = "review"
    EXPORT = "export"
    ENROL = "enrol"
    MANAGE_TOKENS = "manage_tokens"


DUTY_OF: Final = {
    Role.MODEL_OWNER: Duty.RESEARCHER,
    Role.LEAD_QUANT: Duty.VALIDATOR,
    Role.RISK_MANAGER: Duty.RISK,
    Role.COMPLIANCE: Duty.COMPLIANCE,
    Role.HEAD_OF_TRADING: Duty.HEAD_OF_TRADING,
    Role.CTO: Duty.CTO,
}
_STOP: Final = frozenset({Verb.PAUSE, Verb.ROLLBACK, Verb.KILL})
_SIGN: Final = frozenset({Verb.APPROVE, Verb.REJECT, Verb.MEET, Verb.MANAGE_TOKENS})
_LEAD: Final = frozenset({Verb.OVERRIDE, Verb.ADOPT, Verb.REARM})
MATRIX: Final[dict[Duty, frozenset[Verb]]] = {
    Duty.RESEARCHER: frozenset({Verb.READ, Verb.CHECK, Verb.SUBMIT, Verb.REHEARSE, Verb.OBSERVE}) | _STOP | _SIGN,
    Duty.VALIDATOR: frozenset({Verb.READ, Verb.CHECK, Verb.REVIEW}) | _STOP | _SIGN,
    Duty.RISK: frozenset({Verb.READ, Verb.CHECK, Verb.REVIEW, Verb.EXPORT}) | _STOP | _SIGN | _LEAD,
    Duty.COMPLIANCE: frozenset({Verb.READ, Verb.CHECK, Verb.EXPORT}) | _STOP | _SIGN,
    Duty.HEAD_OF_TRADING: frozenset({Verb.READ, Verb.CHECK, Verb.START, Verb.ADVANCE, Verb.RESUME, Verb.REVIEW})
    | _STOP
    | _SIGN
    | _LEAD,
    Duty.CTO: frozenset({Verb.READ, Verb.CHECK, Verb.REHEARSE, Verb.EXPORT}) | _STOP | _SIGN | _LEAD,
    Duty.OPERATOR: frozenset(
        {Verb.READ, Verb.CHECK, Verb.START, Verb.ADVANCE, Verb.RESUME, Verb.REHEARSE, Verb.OBSERVE, Verb.MANAGE_TOKENS}
    )
    | _STOP,
    Duty.AUDITOR: frozenset({Verb.READ, Verb.EXPORT}),
    Duty.ADMINISTRATOR: frozenset({Verb.READ, Verb.ENROL, Verb.MANAGE_TOKENS, Verb.KILL}),
}
PERSONAL: Final = frozenset(
    {Verb.OVERRIDE, Verb.APPROVE, Verb.REJECT, Verb.MEET, Verb.ADOPT, Verb.REARM, Verb.ENROL, Verb.MANAGE_TOKENS}
)
NEEDS_FRESH_SIGN_IN: Final = frozenset({Verb.OVERRIDE, Verb.REARM, Verb.ADOPT, Verb.ENROL})


class ForbiddenError(RefusedError):
    """The one who asks may not do this (exit 1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking, as the face identified them. A machine acts by a token; `scopes` narrow what it may."""

    name: str
    duties: frozenset[Duty]
    roles: tuple[Role, ...] = ()
    scopes: frozenset[Verb] | None = None
    is_machine: bool = False
    signed_in_at: datetime | None = None


def permitted(duties: frozenset[Duty]) -> frozenset[Verb]:
    """Every verb that these duties allow together."""
    return frozenset().union(*(MATRIX[duty] for duty in duties))


def may(principal: Principal, verb: Verb, now: datetime) -> None:
    """Nothing when the principal may; ForbiddenError says what is missing."""
    if verb not in permitted(principal.duties):
        held = ", ".join(sorted(principal.duties)) or "no duty"
        needed = ", ".join(duty.value for duty in Duty if verb in MATRIX[duty])
        raise ForbiddenError(f"{principal.name} holds {held}; to {verb.value} takes one of: {needed}.")
    if principal.is_machine and verb in PERSONAL:
        raise ForbiddenError(f"A token cannot {verb.value}: that takes a person who signed in.")
    if principal.scopes is not None and verb not in principal.scopes:
        raise ForbiddenError(f"This token of {principal.name} is not scoped for {verb.value}.")
    if verb in NEEDS_FRESH_SIGN_IN and not _is_fresh(principal, now):
        raise ForbiddenError(f"To {verb.value} takes a sign-in of the last five minutes; sign in again.")


def _is_fresh(principal: Principal, now: datetime) -> bool:
    return principal.signed_in_at is not None and now - principal.signed_in_at <= FRESH
