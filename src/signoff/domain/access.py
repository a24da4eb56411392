"""Who may do what: one visible matrix of duties and verbs, and the pure question whether a principal may.

A duty says what a person may do; a role (`policy.Role`) says in whose name a signature counts. Holding a role brings
its duty. Stopping is for nearly everybody, starting for few; nobody approves by machine, and the administrator, who
decides who people are, decides nothing about models. `docs/permissions.md` shows the same table with its reasons.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from signoff.domain.errors import RefusedError, UnavailableError
from signoff.domain.policy import Role

FRESH: Final = timedelta(minutes=5)


class Duty(StrEnum):
    """What a person is there for; `MACHINE` is no person's: it is what a desk, a pipeline or a worker may do."""

    RESEARCHER = "researcher"
    VALIDATOR = "validator"
    RISK = "risk"
    COMPLIANCE = "compliance"
    HEAD_OF_TRADING = "head_of_trading"
    CTO = "cto"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"
    MACHINE = "machine"


class Verb(StrEnum):
    """Everything that can be asked of an installation."""

    READ = "read"
    READ_FLAGS = "read_flags"
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
    ATTEST_FLAT = "attest_flat"
    KILL = "kill"
    REARM = "rearm"
    REHEARSE = "rehearse"
    OBSERVE = "observe"
    NOT_HELD = "not_held"
    REVIEW = "review"
    MARK_DONE = "mark_done"
    EXPORT = "export"
    ENROL = "enrol"
    CONFIRM = "confirm"
    PROPOSE_POLICY = "propose_policy"
    CONFIRM_POLICY = "confirm_policy"
    MANAGE_TOKENS = "manage_tokens"
    MANAGE_CREDENTIALS = "manage_credentials"


DUTY_OF: Final = {
    Role.MODEL_OWNER: Duty.RESEARCHER,
    Role.LEAD_QUANT: Duty.VALIDATOR,
    Role.RISK_MANAGER: Duty.RISK,
    Role.COMPLIANCE: Duty.COMPLIANCE,
    Role.HEAD_OF_TRADING: Duty.HEAD_OF_TRADING,
    Role.CTO: Duty.CTO,
}
_LOOK: Final = frozenset({Verb.READ, Verb.READ_FLAGS})
# What people did by hand: whoever works on a release says so, and no machine.
_WORK: Final = frozenset({Verb.MARK_DONE})
_STOP: Final = frozenset({Verb.PAUSE, Verb.ROLLBACK, Verb.KILL})
# Beside the rollback, which a machine may start: a person alone vouches for what no venue says.
_LEAVE: Final = _STOP | {Verb.ATTEST_FLAT}
_SIGN: Final = _WORK | frozenset({Verb.APPROVE, Verb.REJECT, Verb.MEET, Verb.MANAGE_TOKENS, Verb.MANAGE_CREDENTIALS})
_RUN: Final = frozenset({Verb.START, Verb.ADVANCE, Verb.RESUME, Verb.NOT_HELD})
_LEAD: Final = frozenset({Verb.OVERRIDE, Verb.ADOPT, Verb.REARM})
_POLICY: Final = frozenset({Verb.PROPOSE_POLICY, Verb.CONFIRM_POLICY})
_JUDGE: Final = _LOOK | {Verb.CHECK, Verb.REVIEW} | _LEAVE | _SIGN
MATRIX: Final[dict[Duty, frozenset[Verb]]] = {
    Duty.RESEARCHER: _LOOK | {Verb.CHECK, Verb.SUBMIT, Verb.REHEARSE, Verb.OBSERVE} | _LEAVE | _SIGN,
    Duty.VALIDATOR: _JUDGE,
    Duty.RISK: _JUDGE | {Verb.EXPORT} | _LEAD | _POLICY,
    Duty.COMPLIANCE: _LOOK | {Verb.CHECK, Verb.EXPORT, Verb.CONFIRM} | _LEAVE | _SIGN | _POLICY,
    Duty.HEAD_OF_TRADING: _JUDGE | _RUN | _LEAD | _POLICY,
    Duty.CTO: _LOOK | {Verb.CHECK, Verb.REHEARSE, Verb.EXPORT} | _LEAVE | _SIGN | _LEAD | _POLICY,
    Duty.OPERATOR: _LOOK | {Verb.CHECK, Verb.REHEARSE, Verb.OBSERVE, Verb.MANAGE_TOKENS} | _RUN | _LEAVE | _WORK,
    Duty.AUDITOR: _LOOK | {Verb.EXPORT},
    Duty.ADMINISTRATOR: _LOOK | {Verb.ENROL, Verb.CONFIRM, Verb.MANAGE_TOKENS, Verb.KILL},
    Duty.MACHINE: _LOOK | {Verb.CHECK, Verb.SUBMIT, Verb.REHEARSE, Verb.OBSERVE, Verb.EXPORT} | _STOP,
}
# Done by a person, never by a machine.
PERSONAL: Final = frozenset(
    {Verb.OVERRIDE, Verb.APPROVE, Verb.REJECT, Verb.MEET, Verb.ADOPT, Verb.REARM, Verb.ENROL, Verb.CONFIRM}
    | {Verb.ATTEST_FLAT, Verb.NOT_HELD, Verb.MARK_DONE, Verb.MANAGE_TOKENS, Verb.MANAGE_CREDENTIALS}
    | _POLICY
)
# Done by a person who signed in: a token that leaked must not beget others.
NEEDS_SIGN_IN: Final = frozenset({Verb.MANAGE_TOKENS})
NEEDS_FRESH_SIGN_IN: Final = frozenset(
    {Verb.OVERRIDE, Verb.REARM, Verb.ADOPT, Verb.ENROL, Verb.CONFIRM} | {Verb.MANAGE_CREDENTIALS} | _POLICY
)
# Done on the word of people as last known, while the database is down: nothing may block a kill.
POSSIBLE_IN_OUTAGE: Final = frozenset({Verb.KILL, Verb.READ_FLAGS})
# Held to the table on the installation's own machine too, where names are not checked. Exits are open to any name
# there, signatures ask for role and key, and whoever owns the machine decides who people are.
HELD_LOCALLY: Final = frozenset(
    {Verb.SUBMIT, Verb.REHEARSE, Verb.OBSERVE, Verb.START, Verb.ADVANCE, Verb.RESUME, Verb.NOT_HELD, Verb.REVIEW}
    | _WORK
)
# Duties that suffer no other beside them: who says who people are signs nothing; who audits changes nothing.
APART: Final = frozenset({Duty.ADMINISTRATOR, Duty.AUDITOR})


class ForbiddenError(RefusedError):
    """The one who asks may not do this (exit 1)."""

    code = "forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who is asking, as the face identified them. A machine acts by a token; `scopes` narrow what it may.

    `signed_in_at` is when the identity provider saw the person, None for a token. `is_last_known` says that the
    database was down, so that duties and tokens are those of before.
    """

    name: str
    duties: frozenset[Duty]
    roles: tuple[Role, ...] = ()
    scopes: frozenset[Verb] | None = None
    is_machine: bool = False
    signed_in_at: datetime | None = None
    is_last_known: bool = False


def permitted(duties: Iterable[Duty]) -> frozenset[Verb]:
    """Every verb that these duties allow together; a duty that stands apart allows its own and no more."""
    held = frozenset(duties)
    return frozenset[Verb]().union(*(MATRIX[duty] for duty in (held & APART or held)))


def compatible(duties: Iterable[Duty]) -> None:
    """Nothing when one person may hold these duties together; RefusedError says which may not."""
    held = frozenset(duties)
    if Duty.MACHINE in held:
        raise RefusedError("machine is no duty of a person; issue a machine token instead.")
    for duty in sorted(held & APART):
        if others := held - {duty}:
            raise RefusedError(
                f"Expected {duty.value} alone, found {', '.join(sorted(others))} beside it: who administers approves "
                "nothing, and who audits changes nothing. Give the duty to another person."
            )


def may(principal: Principal, verb: Verb, now: datetime) -> None:
    """Nothing when the principal may; ForbiddenError says what is missing."""
    if verb not in permitted(principal.duties):
        held = ", ".join(sorted(principal.duties)) or "no duty"
        needed = ", ".join(duty.value for duty in Duty if verb in MATRIX[duty])
        raise ForbiddenError(f"{principal.name} holds {held}; to {verb.value} takes one of: {needed}.")
    if principal.is_machine and verb in PERSONAL:
        raise ForbiddenError(f"A machine's token cannot {verb.value}: that takes a person.")
    if principal.scopes is not None and verb not in principal.scopes:
        raise ForbiddenError(f"This token of {principal.name} is not scoped for {verb.value}.")
    if verb in NEEDS_SIGN_IN and principal.signed_in_at is None:
        raise ForbiddenError(f"To {verb.value} takes a person who signed in; a token is not enough.")
    if verb in NEEDS_FRESH_SIGN_IN and not _is_fresh(principal, now):
        raise ForbiddenError(f"To {verb.value} takes a sign-in of the last five minutes; sign in again.")
    if principal.is_last_known and verb not in POSSIBLE_IN_OUTAGE:
        raise UnavailableError(
            f"The database cannot be reached, so whether {principal.name} may still {verb.value} cannot be known. "
            "Until it is back one can kill and read flags."
        )


def may_locally(name: str, verb: Verb, enrolled: Mapping[str, frozenset[Duty]]) -> None:
    """Nothing when a name may do this on the installation's own machine; ForbiddenError says who may.

    `enrolled` are the duties of everybody who is known there. Where nobody is, anybody may, under a name that nobody
    checked. A name that is not enrolled, such as a pipeline's, may do what a machine may.
    """
    if not enrolled or verb not in HELD_LOCALLY:
        return
    duties = enrolled.get(name)
    by_machine = MATRIX[Duty.MACHINE] - PERSONAL
    if verb in (by_machine if duties is None else permitted(duties)):
        return
    held = "is not enrolled here" if duties is None else f"holds {', '.join(sorted(duties)) or 'no duty'}"
    needed = ", ".join(duty.value for duty in Duty if verb in MATRIX[duty] and duty is not Duty.MACHINE)
    able = sorted(one for one, of in enrolled.items() if verb in permitted(of))
    how = (
        f"name a person who may with --as: {', '.join(able)}"
        if able
        else ("nobody enrolled may; give somebody the duty (`signoff accounts grant NAME --duty DUTY`)")
    )
    raise ForbiddenError(f"{name} {held}; to {verb.value} takes one of: {needed}. {how[0].upper()}{how[1:]}.")


def _is_fresh(principal: Principal, now: datetime) -> bool:
    """Within five minutes, by whichever clock is ahead: a sign-in of tomorrow would be fresh until then."""
    return principal.signed_in_at is not None and abs(now - principal.signed_in_at) <= FRESH
