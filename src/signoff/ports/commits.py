"""The repository of the model's code: who wrote which commits."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from signoff.domain.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Author:
    """Somebody as a commit names them."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A range of commits, by their full ids, with how many of them each author or co-author wrote."""

    since: str | None
    until: str
    commits: int
    authors: Mapping[Author, int]


class TooSlowError(UnavailableError):
    """A repository that could not be read in time: another range of it will not be either."""

    code = "tooslow"


class Commits(Protocol):
    def between(self, repository: Path, since: str | None, until: str) -> Written:
        """The commits of `until` that `since` did not have, all of them without `since`.

        Raises UnavailableError with what is wrong when they cannot all be read.
        """
