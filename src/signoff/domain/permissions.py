"""The matrix of access roles and permissions, and the pure check whether a principal may do something.

An access role says what a person may do; a role (`policy.Role`) says in whose name a signature counts and brings its
access role. Nearly everyone may stop a model and few may start one. Machines never approve, and the administrator, who
enrols people, decides nothing about models. `docs/permissions.md` shows the same table with its reasons.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from signoff.domain.errors import RefusedError, UnavailableError
from signoff.domain.policy import Role

FRESH: Final = timedelta(minutes=5)


class AccessRole(StrEnum):
    """The access roles of people; `MACHINE` is that of a desk, a pipeline or a worker."""

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


class Permission(StrEnum):
    """Every permission of an installation."""

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
    Role.MODEL_OWNER: AccessRole.RESEARCHER,
    Role.LEAD_QUANT: AccessRole.VALIDATOR,
    Role.RISK_MANAGER: AccessRole.RISK,
    Role.COMPLIANCE: AccessRole.COMPLIANCE,
    Role.HEAD_OF_TRADING: AccessRole.HEAD_OF_TRADING,
    Role.CTO: AccessRole.CTO,
}
_LOOK: Final = frozenset({Permission.READ, Permission.READ_FLAGS})
# Acts of people: whoever works on a release records them, never a machine.
_WORK: Final = frozenset({Permission.MARK_DONE})
_STOP: Final = frozenset({Permission.PAUSE, Permission.ROLLBACK, Permission.KILL})
# A machine may start a rollback; only a person may attest what no venue says.
_LEAVE: Final = _STOP | {Permission.ATTEST_FLAT}
_SIGN: Final = _WORK | frozenset(
    {Permission.APPROVE, Permission.REJECT, Permission.MEET, Permission.MANAGE_TOKENS, Permission.MANAGE_CREDENTIALS}
)
_RUN: Final = frozenset({Permission.START, Permission.ADVANCE, Permission.RESUME, Permission.NOT_HELD})
_LEAD: Final = frozenset({Permission.OVERRIDE, Permission.ADOPT, Permission.REARM})
_POLICY: Final = frozenset({Permission.PROPOSE_POLICY, Permission.CONFIRM_POLICY})
_JUDGE: Final = _LOOK | {Permission.CHECK, Permission.REVIEW} | _LEAVE | _SIGN
MATRIX: Final[dict[AccessRole, frozenset[Permission]]] = {
    AccessRole.RESEARCHER: _LOOK
    | {Permission.CHECK, Permission.SUBMIT, Permission.REHEARSE, Permission.OBSERVE}
    | _LEAVE
    | _SIGN,
    AccessRole.VALIDATOR: _JUDGE,
    AccessRole.RISK: _JUDGE | {Permission.EXPORT} | _LEAD | _POLICY,
    AccessRole.COMPLIANCE: _LOOK | {Permission.CHECK, Permission.EXPORT, Permission.CONFIRM} | _LEAVE | _SIGN | _POLICY,
    AccessRole.HEAD_OF_TRADING: _JUDGE | _RUN | _LEAD | _POLICY,
    AccessRole.CTO: _LOOK
    | {Permission.CHECK, Permission.REHEARSE, Permission.EXPORT}
    | _LEAVE
    | _SIGN
    | _LEAD
    | _POLICY,
    AccessRole.OPERATOR: _LOOK
    | {Permission.CHECK, Permission.REHEARSE, Permission.OBSERVE, Permission.MANAGE_TOKENS}
    | _RUN
    | _LEAVE
    | _WORK,
    AccessRole.AUDITOR: _LOOK | {Permission.EXPORT},
    AccessRole.ADMINISTRATOR: _LOOK | {Permission.ENROL, Permission.CONFIRM, Permission.MANAGE_TOKENS, Permission.KILL},
    AccessRole.MACHINE: _LOOK
    | {Permission.CHECK, Permission.SUBMIT, Permission.REHEARSE, Permission.OBSERVE, Permission.EXPORT}
    | _STOP,
}
# Done by a person, never by a machine.
PERSONAL: Final = frozenset(
    {
        Permission.OVERRIDE,
        Permission.APPROVE,
        Permission.REJECT,
        Permission.MEET,
        Permission.ADOPT,
        Permission.REARM,
        Permission.ENROL,
        Permission.CONFIRM,
    }
    | {
        Permission.ATTEST_FLAT,
        Permission.NOT_HELD,
        Permission.MARK_DONE,
        Permission.MANAGE_TOKENS,
        Permission.MANAGE_CREDENTIALS,
    }
    | _POLICY
)
# Needs a signed-in person: a leaked token must not create others.
NEEDS_SIGN_IN: Final = frozenset({Permission.MANAGE_TOKENS})
NEEDS_FRESH_SIGN_IN: Final = frozenset(
    {Permission.OVERRIDE, Permission.REARM, Permission.ADOPT, Permission.ENROL, Permission.CONFIRM}
    | {Permission.MANAGE_CREDENTIALS}
    | _POLICY
)
# Allowed with cached accounts while the database is down: nothing may block a kill.
POSSIBLE_IN_OUTAGE: Final = frozenset({Permission.KILL, Permission.READ_FLAGS})
# Held to the table on the installation's own machine too, where names are not checked. Exits are open to any name
# there, signatures need role and key, and the owner of the machine decides who people are.
HELD_LOCALLY: Final = frozenset(
    {
        Permission.SUBMIT,
        Permission.REHEARSE,
        Permission.OBSERVE,
        Permission.START,
        Permission.ADVANCE,
        Permission.RESUME,
        Permission.NOT_HELD,
        Permission.REVIEW,
    }
    | _WORK
)
# Exclusive access roles: an administrator signs nothing, and an auditor changes nothing.
APART: Final = frozenset({AccessRole.ADMINISTRATOR, AccessRole.AUDITOR})


class ForbiddenError(RefusedError):
    """The principal may not do this (exit 1)."""

    code = "forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """The identified caller. A machine acts by a token; `scopes` narrow its permissions.

    `signed_in_at` is the time of the identity provider's sign-in, None for a token. `is_last_known` says that access
    roles and tokens are cached, since the database was down.
    """

    name: str
    duties: frozenset[AccessRole]
    roles: tuple[Role, ...] = ()
    scopes: frozenset[Permission] | None = None
    is_machine: bool = False
    signed_in_at: datetime | None = None
    is_last_known: bool = False


def permitted(duties: Iterable[AccessRole]) -> frozenset[Permission]:
    """Every permission of these access roles together; an exclusive one allows its own only."""
    roles = frozenset(duties)
    return frozenset[Permission]().union(*(MATRIX[duty] for duty in (roles & APART or roles)))


def compatible(duties: Iterable[AccessRole]) -> None:
    """Refuse access roles that one person may not have together."""
    roles = frozenset(duties)
    if AccessRole.MACHINE in roles:
        raise RefusedError("machine is no duty of a person; issue a machine token instead.")
    for duty in sorted(roles & APART):
        if others := roles - {duty}:
            raise RefusedError(
                f"Expected {duty.value} alone, found {', '.join(sorted(others))} beside it: who administers approves "
                "nothing, and who audits changes nothing. Give the duty to another person."
            )


def may(principal: Principal, verb: Permission, now: datetime) -> None:
    """Refuse with ForbiddenError, which says what is missing, unless the principal may do this."""
    if verb not in permitted(principal.duties):
        roles = ", ".join(sorted(principal.duties)) or "no duty"
        needed = ", ".join(duty.value for duty in AccessRole if verb in MATRIX[duty])
        raise ForbiddenError(f"{principal.name} holds {roles}; to {verb.value} takes one of: {needed}.")
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


def may_locally(name: str, verb: Permission, enrolled: Mapping[str, frozenset[AccessRole]]) -> None:
    """Refuse with ForbiddenError unless a name may do this on the installation's own machine.

    `enrolled` has the access roles of the enrolled people. If there are none, any name may, unchecked. A name that is
    not enrolled, such as a pipeline's, may do what a machine may.
    """
    if not enrolled or verb not in HELD_LOCALLY:
        return
    duties = enrolled.get(name)
    by_machine = MATRIX[AccessRole.MACHINE] - PERSONAL
    if verb in (by_machine if duties is None else permitted(duties)):
        return
    state = "is not enrolled here" if duties is None else f"holds {', '.join(sorted(duties)) or 'no duty'}"
    needed = ", ".join(duty.value for duty in AccessRole if verb in MATRIX[duty] and duty is not AccessRole.MACHINE)
    able = sorted(one for one, of in enrolled.items() if verb in permitted(of))
    how = (
        f"name a person who may with --as: {', '.join(able)}"
        if able
        else ("no enrolled person may; give one the duty (`signoff accounts grant NAME --duty DUTY`)")
    )
    raise ForbiddenError(f"{name} {state}; to {verb.value} takes one of: {needed}. {how[0].upper()}{how[1:]}.")


def _is_fresh(principal: Principal, now: datetime) -> bool:
    """Within five minutes in either direction; otherwise a sign-in dated tomorrow would stay fresh until then."""
    return principal.signed_in_at is not None and abs(now - principal.signed_in_at) <= FRESH
