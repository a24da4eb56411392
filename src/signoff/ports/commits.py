"""The repository of the model's code, and the authors of its commits."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from signoff.domain.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Author:
    """An author as a commit names them."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A range of commits by their full ids, with the number that each author or co-author wrote."""

    since: str | None
    until: str
    commits: int
    authors: Mapping[Author, int]


class TooSlowError(UnavailableError):
    """A repository could not be read in time; another range of it would be slow too."""

    code = "tooslow"


class Commits(Protocol):
    def between(self, repository: Path, since: str | None, until: str) -> Written:
        """The commits of `until` that `since` lacks; all commits without `since`.

        Raises UnavailableError with the cause if they cannot all be read.
        """
