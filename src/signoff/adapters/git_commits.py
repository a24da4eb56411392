"""The authors of commits, read from a local clone.

A submitter supplies the clone, so its configuration is not trusted: no transport, no replaced or grafted history, no
other programs, no history from outside of the clone. Output is limited in bytes and seconds, since a small clone can
unpack to very much. A commit's id covers its authors. If the model registry knows the commit of a version, that
commit is read.
"""

import os
import selectors
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signoff.adapters import child_processes
from signoff.adapters.foreign_files import read_regular
from signoff.domain.errors import BadInputError, UnavailableError
from signoff.ports.commits import Author, TooSlowError, Written

SECONDS: Final = 30.0
MOST_COMMITS: Final = 20_000
MOST_BYTES: Final = 64 << 20
MOST_MEMORY: Final = 512 << 20
MOST_LETTERS: Final = 1000
"""Letters in a line that names a co-author."""
_FORMAT: Final = "%x00%an%x00%ae%x00%B%x00"
_TOGETHER: Final = "co-authored-by:"
_POINTER: Final = 65_536
_SAID: Final = 2000
# git frees no memory before it ends, so it runs under a limit that a shell sets; its arguments are not shell text.
_LIMITED: Final = 'ulimit -d "$1" && shift && exec "$@"'
_ALONE: Final = {
    "LC_ALL": "C",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_ALLOC_LIMIT": str(MOST_BYTES),
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_TERMINAL_PROMPT": "0",
}


class GitCommits:
    """Reads with the `git` command and writes nothing. With `folders`, it reads only clones in them."""

    def __init__(self, folders: tuple[Path, ...] | None = None) -> None:
        self._folders = folders

    def between(self, repository: Path, since: str | None, until: str) -> Written:
        """The authors and co-authors of a range."""
        if not self._is_allowed(repository):  # checked first: callers must not learn whether it exists
            raise UnavailableError(
                "expected a repository that this server may read, found another path in governance.commits.repository; "
                "let an operator name the folder of its clones in SIGNOFF_REPOSITORIES, or submit at the command line"
            )
        if not repository.is_dir():
            raise UnavailableError(f"expected a local clone at {repository}, found no folder there")
        git = _Git(repository, _git_folder(repository), time.monotonic() + SECONDS)
        if git.said("rev-parse", "--is-shallow-repository").strip() != "false":
            raise UnavailableError(f"{repository} is a shallow clone, which lacks part of its history; fetch the rest")
        last = _commit(git, until)
        first = None if since is None else _commit(git, since)
        span = (last,) if first is None else (last, f"^{first}")
        most = f"--max-count={MOST_COMMITS + 1}"
        log = git.said("rev-list", most, "--encoding=UTF-8", f"--format={_FORMAT}", *span, "--")
        authors: Counter[Author] = Counter()
        commits = 0
        for people in _people(log):
            commits += 1
            authors.update(people)
        if commits > MOST_COMMITS:
            raise UnavailableError(f"the range holds more than {MOST_COMMITS:,} commits; say since which one")
        return Written(since=first, until=last, commits=commits, authors=dict(authors))

    def _is_allowed(self, repository: Path) -> bool:
        if self._folders is None:
            return True
        try:
            place = repository.resolve()
            return any(place.is_relative_to(folder.resolve()) for folder in self._folders)
        except (OSError, RuntimeError, ValueError):
            return False


def _commit(git: "_Git", named: str) -> str:
    if named.startswith("-"):
        raise UnavailableError(f"expected a commit, branch or tag, found {named!r}")
    try:
        return git.said("rev-parse", "--verify", "--quiet", f"{named}^{{commit}}").strip()
    except TooSlowError:
        raise
    except UnavailableError as error:
        if "over limit" in str(error) or "emory" in str(error):
            raise
        raise UnavailableError(f"{git.repository} has no commit {named!r}; fetch it, or correct the range") from error


def _git_folder(repository: Path) -> Path:
    """The folder of a clone's history; UnavailableError if it is outside of the clone."""
    inside = repository / ".git"
    try:
        folder = inside
        if not os.path.lexists(inside):
            folder = repository
        elif not inside.is_dir():
            folder = repository / _pointer(inside).removeprefix("gitdir:").strip()
        _refuse_outside(folder, repository)
        for name in ("objects", "refs", "config"):
            _refuse_outside(folder / name, repository)
        if os.path.lexists(common := folder / "commondir"):
            _refuse_outside(folder / _pointer(common).strip(), repository)
        if os.path.lexists(others := folder / "objects" / "info" / "alternates"):
            for line in _pointer(others).splitlines():
                _refuse_outside(folder / "objects" / line, repository)
    except (OSError, ValueError, RuntimeError, BadInputError) as error:
        raise UnavailableError(f"git could not read {repository}: {error}") from error
    return folder


def _pointer(path: Path) -> str:
    return read_regular(path, limit=_POINTER).decode(errors="replace")


def _refuse_outside(path: Path, repository: Path) -> None:
    if not path.resolve().is_relative_to(repository.resolve()):
        raise UnavailableError(
            f"{repository} keeps its history in {path.resolve()}, outside of the clone. Give a clone that holds its "
            "own history; `git clone --no-local` makes one"
        )


@dataclass(frozen=True, slots=True)
class _Git:
    """One reading of a clone; its commands share one time limit."""

    repository: Path
    folder: Path
    deadline: float

    def said(self, *line: str) -> str:
        """The output of a command."""
        git, shell = shutil.which("git"), shutil.which("sh")
        if git is None or shell is None:
            raise UnavailableError("expected the `git` command to read commits with, found none; install it")
        settings = ("core.commitGraph=false", "core.fsmonitor=false", "core.deltaBaseCacheLimit=32m")
        arguments = (f"--git-dir={self.folder}", *(part for one in settings for part in ("-c", one)), *line)
        limited = (shell, "-c", _LIMITED, "sh", str(MOST_MEMORY >> 10), git, *arguments)
        try:
            process = child_processes.start(limited, _ALONE)
        except (OSError, ValueError) as error:
            raise UnavailableError(f"git could not read {self.repository}: {error}") from error
        try:
            out, err = self._read(process)
            status = process.wait(max(0.0, self.deadline - time.monotonic()))
        except subprocess.TimeoutExpired as error:
            raise self._too_slow() from error
        finally:
            child_processes.end(process)
        if status != 0:
            reason = err.decode(errors="replace").strip()
            raise UnavailableError(f"git could not read {self.repository}: {reason or 'no reason given'}")
        return out.decode(errors="replace")

    def _read(self, process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
        """Its output and its errors, within the limits."""
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        with suppress(OSError):
            process.stdin.close()
        out, err = bytearray(), bytearray()
        with selectors.DefaultSelector() as ready:
            ready.register(process.stdout, selectors.EVENT_READ, out)
            ready.register(process.stderr, selectors.EVENT_READ, err)
            while ready.get_map():
                events = ready.select(max(0.0, self.deadline - time.monotonic()))
                if not events or time.monotonic() > self.deadline:
                    raise self._too_slow()
                for key, _ in events:
                    if not (chunk := os.read(key.fd, 1 << 16)):
                        ready.unregister(key.fileobj)
                    key.data.extend(chunk if key.data is out else chunk[: _SAID - len(err)])
                if len(out) > MOST_BYTES:
                    raise UnavailableError(
                        f"git could not read {self.repository}: expected at most {MOST_BYTES:,} bytes of authors and "
                        "messages, found more; say since which commit"
                    )
        return bytes(out), bytes(err)

    def _too_slow(self) -> TooSlowError:
        return TooSlowError(
            f"git could not read {self.repository} within {SECONDS:g} s; look at what its config includes"
        )


def _people(log: str) -> Iterator[frozenset[Author]]:
    """The author and co-authors of each commit."""
    parts = log.split("\0")
    for name, email, message in zip(parts[1::4], parts[2::4], parts[3::4], strict=True):
        yield frozenset((Author(name.strip(), email.strip()), *_co_authors(message)))


def _co_authors(message: str) -> Iterator[Author]:
    """The co-authors in a commit message, one a line."""
    for line in message.split("\n"):
        if line[: len(_TOGETHER)].lower() != _TOGETHER:
            continue
        if len(line) > MOST_LETTERS:
            raise UnavailableError(
                f"expected a co-author in at most {MOST_LETTERS:,} letters, found a line of {len(line):,}; correct it"
            )
        name, opening, rest = line[len(_TOGETHER) :].partition("<")
        email, closing, _ = rest.partition(">")
        if opening and closing:
            yield Author(name.strip(" \t"), email)
