"""Guards of requests: a known release, unchanged since the caller read it, and a new idempotency key."""

from collections.abc import Iterable
from typing import NoReturn

from signoff.domain.deployment import Deployment
from signoff.domain.errors import ConflictError, NotFoundError, StaleRevisionError
from signoff.domain.recognition import near


def is_the_same(earlier: str, asked: str) -> None:
    """Refuse a request whose key an earlier, different request had."""
    if earlier != asked:
        raise ConflictError("This request was made before under the same name with other contents; nothing was done.")


def is_as_seen(state: Deployment, identity: str, revision: int) -> None:
    """Refuse a release that changed since the caller read it."""
    if state.id == identity and state.revision != revision:
        raise StaleRevisionError(
            f"Expected {state.id} at revision {revision}, found it at {state.revision}: another commit came first. "
            "Look at it again and repeat the request if it still makes sense."
        )


def refuse_unknown_release(identity: str, ids: Iterable[str]) -> NoReturn:
    """Refuse an unknown id, with the nearest known ids."""
    raise NotFoundError(
        f"Expected the id of a deployment, found {identity!r}; known are: {near(identity, ids)}. "
        "`signoff status` lists them."
    )


def refuse_unknown_name(name: str, known: Iterable[str]) -> None:
    """Refuse a name that is neither a model's nor a release's, where others are known."""
    names = frozenset(known)
    if names and name not in names:
        raise NotFoundError(
            f"Expected a model or the id of a deployment, found {name!r}, which nothing is on record of; known are: "
            f"{near(name, names)}. `signoff status` lists them."
        )
