"""The authors of commits, read from a local clone.

A clone comes from whoever submits, so nothing in it is trusted to configure git: no transport, no replaced or grafted
history, no other programs. A commit's id covers its authors, and where the model registry knows the commit that a
version was made from, that commit is what is read.
"""

import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from signoff.domain.errors import UnavailableError
from signoff.ports.commits import Author, Written

SECONDS: Final = 30.0
MOST_COMMITS: Final = 20_000
_FORMAT: Final = "%x00%an%x00%ae%x00%B%x00"
_TOGETHER: Final = re.compile(
    r"^co-authored-by:[ \t]*(?P<name>[^<\n]*?)[ \t]*<(?P<email>[^>\n]*)>", re.IGNORECASE | re.MULTILINE
)
_ALONE: Final = {
    "LC_ALL": "C",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
}


class GitCommits:
    """Reads with the `git` command, and writes nothing."""

    def between(self, repository: Path, since: str | None, until: str) -> Written:
        """The authors and co-authors of a range."""
        if not repository.is_dir():
            raise UnavailableError(f"expected a local clone at {repository}, found no folder there")
        if self._git(repository, "rev-parse", "--is-shallow-repository").strip() != "false":
            raise UnavailableError(f"{repository} is a shallow clone, which lacks part of its history; fetch the rest")
        last = self._commit(repository, until)
        first = None if since is None else self._commit(repository, since)
        span = (last,) if first is None else (last, f"^{first}")
        most = f"--max-count={MOST_COMMITS + 1}"
        said = self._git(repository, "rev-list", most, "--encoding=UTF-8", f"--format={_FORMAT}", *span, "--")
        authors: Counter[Author] = Counter()
        commits = 0
        for people in _people(said):
            commits += 1
            authors.update(people)
        if commits > MOST_COMMITS:
            raise UnavailableError(f"the range holds more than {MOST_COMMITS:,} commits; say since which one")
        return Written(since=first, until=last, commits=commits, authors=dict(authors))

    def _commit(self, repository: Path, named: str) -> str:
        """The full id of a commit."""
        if named.startswith("-"):
            raise UnavailableError(f"expected a commit, branch or tag, found {named!r}")
        try:
            return self._git(repository, "rev-parse", "--verify", "--quiet", f"{named}^{{commit}}").strip()
        except UnavailableError as error:
            raise UnavailableError(f"{repository} has no commit {named!r}; fetch it, or correct the range") from error

    def _git(self, repository: Path, *line: str) -> str:
        git = shutil.which("git")
        if git is None:
            raise UnavailableError("expected the `git` command to read commits with, found none; install it")
        inside = repository / ".git"
        where = f"--git-dir={inside if inside.exists() else repository}"
        command = (git, where, "-c", "core.commitGraph=false", "-c", "core.fsmonitor=false", *line)
        try:
            ended = subprocess.run(command, capture_output=True, check=False, timeout=SECONDS, env=_ALONE)  # noqa: S603 - a fixed program
        except (OSError, ValueError, subprocess.TimeoutExpired) as error:
            raise UnavailableError(f"git could not read {repository}: {error}") from error
        if ended.returncode != 0:
            said = ended.stderr.decode(errors="replace").strip()
            raise UnavailableError(f"git could not read {repository}: {said or 'no reason given'}")
        return ended.stdout.decode(errors="replace")


def _people(said: str) -> Iterator[frozenset[Author]]:
    """The author and co-authors of each commit."""
    parts = said.split("\0")
    for name, email, message in zip(parts[1::4], parts[2::4], parts[3::4], strict=True):
        others = (Author(match["name"], match["email"]) for match in _TOGETHER.finditer(message))
        yield frozenset((Author(name.strip(), email.strip()), *others))
