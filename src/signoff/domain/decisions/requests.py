"""What a request rests on: a release that is there, as its caller saw it, and contents that no earlier one had."""

from collections.abc import Iterable
from typing import NoReturn

from signoff.domain.deployment import Deployment
from signoff.domain.errors import ConflictError, NotFoundError, StaleRevisionError
from signoff.domain.recognition import near


def is_the_same(made: str, asked: str) -> None:
    """Refuse a request under the name of an earlier one that asked something else."""
    if made != asked:
        raise ConflictError("This request was made before under the same name with other contents; nothing was done.")


def is_as_seen(state: Deployment, identity: str, revision: int) -> None:
    """Refuse a release that has moved on since the caller looked at it."""
    if state.id == identity and state.revision != revision:
        raise StaleRevisionError(
            f"Expected {state.id} at revision {revision}, found it at {state.revision}: another commit came first. "
            "Look at it again and repeat the request if it still makes sense."
        )


def refuse_unknown_release(identity: str, known: Iterable[str]) -> NoReturn:
    """Refuse an id that nobody knows, with the ids that are nearest to it."""
    raise NotFoundError(
        f"Expected the id of a deployment, found {identity!r}; known are: {near(identity, known)}. "
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
