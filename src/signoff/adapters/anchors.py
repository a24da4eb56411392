"""Keeps checkpoints outside of the database: in files, on a branch of a git repository, with a time stamp.

Each place refuses a checkpoint that contradicts a stored one: two trees of one size mean a rewritten ledger.
"""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Final
from urllib.parse import urlsplit

from signoff.adapters.folders import read_folder, write_file
from signoff.domain.errors import BadInputError, TamperedError, UnavailableError
from signoff.ledger.timestamps import MEDIA_TYPE, Roots, request_for
from signoff.ledger.verification import STAMP
from signoff.ports.anchor import Anchor

BRANCH: Final = "signoff-checkpoints"
SECONDS: Final = 10.0
LONGEST_ANSWER: Final = 1 << 20
KINDS: Final = "file:DIR, git:REPOSITORY or git:REPOSITORY#BRANCH, or rfc3161:URL"


def anchor_at(target: str, *, beside: Path, tsa_root: Path | None) -> Anchor:
    """The anchor of a target; time stamps are stored `beside` the ledger, with the checkpoints that they cover."""
    kind, _, rest = target.partition(":")
    match kind:
        case "file" if rest:
            return FileAnchor(Path(rest))
        case "git" if rest:
            repository, _, branch = (rest, "", "") if Path(rest).is_dir() else rest.rpartition("#")
            return GitAnchor(Path(repository or rest), branch or BRANCH)
        case "rfc3161" if rest:
            if tsa_root is None:
                raise BadInputError(
                    "Expected --tsa-root FILE with the authority's root certificates (PEM): without them its "
                    "answer cannot be verified, and an unverified answer is not kept."
                )
            return StampAnchor(beside, _web(rest), tsa_root)
        case _:
            raise BadInputError(f"Expected --to {KINDS}, found {target!r}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeAnchors:
    """The anchors of an installation, whose own ones lie in a folder of its home."""

    folder: Path
    root_certificates: Path

    def kept(self) -> Mapping[str, bytes]:
        """The files of the folder."""
        return read_folder(self.folder) if self.folder.is_dir() else {}

    def beside(self) -> Anchor:
        """The folder of the home."""
        return FileAnchor(self.folder)

    def at(self, target: str, tsa_root: Path | None) -> Anchor:
        """file:DIR, git:REPOSITORY[#BRANCH] or rfc3161:URL."""
        return anchor_at(target, beside=self.folder, tsa_root=tsa_root)

    def trust(self, tsa_root: Path) -> None:
        """Copy root certificates into the home."""
        write_file(self.root_certificates, tsa_root.read_bytes())


@dataclass(frozen=True, slots=True)
class FileAnchor:
    """Checkpoints in one file each, named by the number of events that they cover."""

    folder: Path

    def add(self, note: bytes, size: int) -> str:
        """Keep a checkpoint. A different one of the same size is an alarm: the ledger was rewritten."""
        path = self.folder / _name(size)
        try:
            if path.exists():
                _must_agree(path.read_bytes(), note, str(path), size)
            else:
                write_file(path, note)
        except OSError as error:
            raise UnavailableError(
                f"Cannot keep the anchor {path}: {error.strerror}. The ledger is whole; anchor it again later."
            ) from error
        return str(path)


@dataclass(frozen=True, slots=True)
class GitAnchor:
    """Checkpoints as commits on a branch of a repository; its work tree and index are not touched."""

    repository: Path
    branch: str = BRANCH

    def add(self, note: bytes, size: int) -> str:
        """Keep a checkpoint as one commit on the branch."""
        ref, name = self._ref(), _name(size)
        parent = self._git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", may_fail=True).strip()
        entries = self._git("ls-tree", "-z", parent) if parent else ""
        if f"\t{name}\0" in entries:
            earlier = self._git("cat-file", "blob", f"{parent}:{name}").encode()
            _must_agree(earlier, note, f"{self.repository}, branch {self.branch}, {name}", size)
            return f"{self.repository}#{self.branch} at {parent}"
        blob = self._git("hash-object", "-w", "--stdin", content=note).strip()
        tree = self._git("mktree", "-z", content=f"{entries}100644 blob {blob}\t{name}\0".encode()).strip()
        author = ("-c", "user.name=signoff", "-c", "user.email=signoff@localhost")
        message = f"Checkpoint over {size} events"
        parents = ("-p", parent) if parent else ()
        commit = self._git(*author, "commit-tree", tree, *parents, "-m", message).strip()
        self._git("update-ref", "-m", message, ref, commit, parent)
        return f"{self.repository}#{self.branch} at {commit}"

    def _ref(self) -> str:
        """The ref of the branch, which must not be checked out."""
        if not self.repository.is_dir():
            raise BadInputError(f"Expected a git repository at {self.repository}, found no folder there.")
        ref = f"refs/heads/{self.branch}"
        if not self._is_branch(ref):
            raise BadInputError(f"Expected a branch after #, found {self.branch!r}, which git does not take for one.")
        is_bare = self._git("rev-parse", "--is-bare-repository").strip() == "true"
        if not is_bare and self._git("symbolic-ref", "--quiet", "HEAD", may_fail=True).strip() == ref:
            raise BadInputError(
                f"The branch {self.branch} is the one that is checked out in {self.repository}; name another after #, "
                "so that no work tree changes."
            )
        return ref

    def _is_branch(self, ref: str) -> bool:
        return not self.branch.startswith("-") and self._ended("check-ref-format", ref).returncode == 0

    def _git(self, *line: str, content: bytes = b"", may_fail: bool = False) -> str:
        """Git's output; empty if it fails and `may_fail`."""
        ended = self._ended(*line, content=content)
        if ended.returncode == 0:
            return ended.stdout.decode()
        if may_fail:
            return ""
        problem = ended.stderr.decode(errors="replace").strip()
        raise UnavailableError(
            f"git did not keep the checkpoint in {self.repository} ({problem}). The ledger is whole; mend the "
            "repository and anchor it again."
        )

    def _ended(self, *line: str, content: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        git = shutil.which("git")
        if git is None:
            raise UnavailableError("Expected the `git` command for a git anchor, found none; install it.")
        inside = self.repository / ".git"
        command = (git, f"--git-dir={inside if inside.exists() else self.repository}", *line)
        return subprocess.run(command, input=content, capture_output=True, check=False)  # noqa: S603 - a fixed program


@dataclass(frozen=True, slots=True)
class StampAnchor:
    """Checkpoints in files, each with an authority's time stamp (RFC 3161) that they existed by then."""

    folder: Path
    url: str
    roots: Path

    def add(self, note: bytes, size: int) -> str:
        """Keep a checkpoint and an authority's stamp on it; an answer that fails verification is not kept."""
        where = Path(FileAnchor(self.folder).add(note, size))
        checkpoint, stamp = where.read_bytes(), where.with_name(f"{where.name}{STAMP}")
        roots = self._roots()
        if not stamp.exists():
            question, nonce = request_for(checkpoint)
            answer = self._answer(question)
            try:
                roots.stamped_at(checkpoint, answer, nonce=nonce)
            except TamperedError as error:
                raise UnavailableError(
                    f"The time-stamping authority at {self.url} gave no stamp that holds: {error} Nothing of it was "
                    "kept; the checkpoint is, without a stamp. Check --tsa-root, or ask another authority."
                ) from error
            write_file(stamp, answer)
        return f"{stamp}, stamped {roots.stamped_at(checkpoint, stamp.read_bytes())}"

    def _roots(self) -> Roots:
        try:
            return Roots(self.roots.read_bytes())
        except OSError as error:
            raise BadInputError(f"Cannot read the root certificates {self.roots}: {error.strerror}.") from error

    def _answer(self, question: bytes) -> bytes:
        httpx = _httpx()
        headers = {"content-type": MEDIA_TYPE, "user-agent": "signoff"}
        try:
            with httpx.stream("POST", self.url, content=question, headers=headers, timeout=SECONDS) as answered:
                if answered.status_code != httpx.codes.OK:
                    raise UnavailableError(
                        f"The time-stamping authority at {self.url} answered {answered.status_code}, no stamp. The "
                        "checkpoint is kept without one; anchor it again later."
                    )
                content = b""
                for piece in answered.iter_bytes():
                    content += piece
                    if len(content) > LONGEST_ANSWER:
                        raise UnavailableError(
                            f"The answer of {self.url} is longer than any time stamp; nothing of it was kept."
                        )
                return content
        except httpx.HTTPError as error:
            raise UnavailableError(
                f"Cannot reach the time-stamping authority at {self.url} ({type(error).__name__}). The checkpoint is "
                "kept without a stamp; anchor it again later."
            ) from error


def _name(size: int) -> str:
    return f"{size:012d}"


def _must_agree(earlier: bytes, note: bytes, where: str, size: int) -> None:
    if earlier.partition(b"\n\n")[0] != note.partition(b"\n\n")[0]:
        raise TamperedError(
            f"The anchor {where} holds another tree of {size} events than the ledger does now: one of the two "
            "was rewritten. Keep both, stop changes, and run `signoff verify`."
        )


def _web(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.username is not None:
        raise BadInputError(f"Expected rfc3161:https://HOST/PATH without a name or password in it, found {url!r}.")
    return url


def _httpx() -> ModuleType:
    try:
        import httpx  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise UnavailableError("A time-stamping authority is asked by httpx: pip install 'signoff[server]'.") from error
    return httpx
