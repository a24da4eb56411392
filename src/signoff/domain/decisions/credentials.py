"""Tokens and authenticators of people and machines."""

from typing import Final

from signoff.domain.errors import BadInputError, NotFoundError, RefusedError
from signoff.domain.events import CredentialWithdrawn
from signoff.domain.people import People, Person, Token
from signoff.domain.permissions import MATRIX, PERSONAL, AccessRole, ForbiddenError, Permission, Principal, permitted

MOST_TOKEN_DAYS: Final = 366
MOST_AUTHENTICATORS: Final = 10


def widest(people: People, holder: str, *, by: Principal | None, is_machine: bool) -> frozenset[Permission]:
    """The widest permissions of a token for this holder, if this person asks for it."""
    if is_machine:
        if holder in people.by_name:
            raise BadInputError(f"{holder!r} is a person; a machine's token needs a name of its own, such as desk-1.")
        able = MATRIX[AccessRole.MACHINE] - PERSONAL
    else:
        able = permitted(people.named(holder).duties)
    if by is not None:
        if not is_machine and holder != by.name:
            raise ForbiddenError(f"{by.name} cannot issue a token that acts for {holder}; everybody issues their own.")
        able &= permitted(by.duties)
    return able


def issue_token(
    people: People, holder: str, *, scopes: frozenset[Permission], days: int, by: Principal | None, is_machine: bool
) -> None:
    """Refuse a token that is valid too long, or exceeds the permissions of its holder or of the person who asks."""
    if not 1 <= days <= MOST_TOKEN_DAYS:
        raise BadInputError(f"Expected between 1 and {MOST_TOKEN_DAYS} days for a token, found {days}.")
    able = widest(people, holder, by=by, is_machine=is_machine)
    if not scopes or (beyond := scopes - able):
        excess = ", ".join(sorted(beyond)) if scopes else "no scope"
        raise BadInputError(f"Expected scopes out of {', '.join(sorted(able)) or 'none'} for {holder}, found {excess}.")


def revoke_token(token: Token | None, identity: str, by: Principal | None) -> None:
    """Refuse to revoke an unknown token; over the network people revoke their own, and administrators any."""
    is_theirs = by is None or AccessRole.ADMINISTRATOR in by.duties or (token is not None and token.person == by.name)
    if token is None or not is_theirs:
        raise NotFoundError(f"Expected the id of a token, found {identity!r}; `signoff token list` lists them.")


def register_authenticator(person: Person) -> None:
    """Refuse one more authenticator of a person who has many."""
    if len(person.credentials) >= MOST_AUTHENTICATORS:
        raise RefusedError(f"{person.name} holds {MOST_AUTHENTICATORS} authenticators already; withdraw one first.")


def withdraw_authenticator(person: Person, identity: str, reason: str) -> CredentialWithdrawn:
    """Withdraw an authenticator."""
    ids = {credential.id for credential in person.credentials}
    if identity not in ids:
        raise NotFoundError(
            f"Expected the id of an authenticator of {person.name}, found {identity!r}; there are: {ids}."
        )
    if not reason.strip():
        raise BadInputError("Expected a reason for the withdrawal, found none; say what happened to it.")
    return CredentialWithdrawn(name=person.name, credential=identity, reason=reason)
