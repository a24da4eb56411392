"""What people and machines come in by and sign with: tokens and authenticators."""

from typing import Final

from signoff.domain.errors import BadInputError, NotFoundError, RefusedError
from signoff.domain.events import CredentialWithdrawn
from signoff.domain.people import People, Person, Token
from signoff.domain.permissions import MATRIX, PERSONAL, AccessRole, ForbiddenError, Permission, Principal, permitted

MOST_TOKEN_DAYS: Final = 366
MOST_AUTHENTICATORS: Final = 10


def widest(people: People, holder: str, *, by: Principal | None, is_machine: bool) -> frozenset[Permission]:
    """What a token of this holder could do at most, when this person asks for it."""
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
    """Refuse a token that holds too long, or could do what its holder, or the person who asks for it, may not."""
    if not 1 <= days <= MOST_TOKEN_DAYS:
        raise BadInputError(f"Expected between 1 and {MOST_TOKEN_DAYS} days for a token, found {days}.")
    able = widest(people, holder, by=by, is_machine=is_machine)
    if not scopes or (beyond := scopes - able):
        found = ", ".join(sorted(beyond)) if scopes else "no scope"
        raise BadInputError(f"Expected scopes out of {', '.join(sorted(able)) or 'none'} for {holder}, found {found}.")


def revoke_token(token: Token | None, identity: str, by: Principal | None) -> None:
    """Refuse to end a token that is not there; over the network one ends one's own, an administrator any."""
    is_theirs = by is None or AccessRole.ADMINISTRATOR in by.duties or (token is not None and token.person == by.name)
    if token is None or not is_theirs:
        raise NotFoundError(f"Expected the id of a token, found {identity!r}; `signoff token list` lists them.")


def register_authenticator(person: Person) -> None:
    """Refuse one more authenticator of a person who holds many."""
    if len(person.credentials) >= MOST_AUTHENTICATORS:
        raise RefusedError(f"{person.name} holds {MOST_AUTHENTICATORS} authenticators already; withdraw one first.")


def withdraw_authenticator(person: Person, identity: str, reason: str) -> CredentialWithdrawn:
    """Let an authenticator sign no more."""
    held = {credential.id for credential in person.credentials}
    if identity not in held:
        raise NotFoundError(
            f"Expected the id of an authenticator of {person.name}, found {identity!r}; there are: {held}."
        )
    if not reason.strip():
        raise BadInputError("Expected a reason for the withdrawal, found none; say what happened to it.")
    return CredentialWithdrawn(name=person.name, credential=identity, reason=reason)
