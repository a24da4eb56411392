"""The journal of kills: one small file per kill, synced to disk, in folders that only this installation writes to.

The first folder is in the home. The settings may name a second one, for a home that is full or read-only. A file counts
when the installation owns it, its name is its id, and it carries a proof by this installation. Any other file is
rejected: it stays where it is, and its path is reported.
"""

import json
import logging
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Final, Protocol

from signoff.adapters.folders import sync_folder, write_file
from signoff.adapters.foreign_files import ForeignFileError, kind_of, open_regular, own_users, user_name
from signoff.adapters.kill_drop import KillDrop
from signoff.adapters.kill_proofs import KillProofs
from signoff.adapters.own_files import make_private
from signoff.domain.errors import BadInputError
from signoff.domain.names import written_out
from signoff.ledger.canonical import canonical
from signoff.ports.kills import Kill, Reach

SUFFIX: Final = ".kill"
UNPROVEN: Final = " (unproven)"
MOST_BYTES: Final = 64 * 1024
MOST_FILES: Final = 100_000
MOST_TOLD: Final = 50
# The time in a kill without a proof counts if it is at most this long before the file was written.
SLOW: Final = timedelta(minutes=5)
_ID: Final = re.compile("[0-9a-z]{32}")
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_PLAIN: Final = frozenset({"id", "model", "reason", "actor", "at"})
_WIDER: Final = frozenset({"reach", "desk", "account"})
log = logging.getLogger("signoff.kills")


class Proofs(Protocol):
    """Signs kills and verifies the signatures; None where the keys cannot be read."""

    def sign(self, content: bytes) -> str | None:
        """The proof of a kill."""

    def holds(self, content: bytes, proof: str) -> bool | None:
        """Whether a proof is a valid signature over this content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A folder of kills, and the user ids whose files count there.

    The home's folder is created when needed; where an earlier version left it open, it is closed to other accounts. A
    folder that the settings name (`is_given`) must exist and be closed: its mode is the operator's decision.
    """

    folder: Path
    owners: frozenset[int]
    is_given: bool = False

    def objection(self) -> str | None:
        """The reason why this folder cannot be used; None where it is usable, or can be created."""
        try:
            status = self.folder.lstat()
        except FileNotFoundError:
            return self._missing() if self.is_given else None
        except OSError as error:
            return f"{self.folder}: the folder of kills cannot be looked at ({error.strerror})."
        return self._objection(status)

    def _missing(self) -> str:
        return (
            f"{self.folder}: expected the second folder of kills that SIGNOFF_KILL_FALLBACK names, found nothing. "
            f"`install -d -m 0700 -o {user_name(os.geteuid())} {self.folder}`."
        )

    def _objection(self, status: os.stat_result) -> str | None:
        if not stat.S_ISDIR(status.st_mode):
            return f"{self.folder}: expected a folder of kills, found {kind_of(self.folder)}. Remove it."
        if status.st_uid not in self.owners:
            return (
                f"{self.folder}: expected a folder of {user_name(os.geteuid())}, found one of "
                f"{user_name(status.st_uid)}; no kill in it is accepted. Remove it, and find out who put it there."
            )
        if self.is_given and status.st_mode & _OTHERS:
            return (
                f"{self.folder}: expected a folder that is closed to others, found mode "
                f"{stat.S_IMODE(status.st_mode):04o}. `chmod 0700 {self.folder}`, and look at what it holds."
            )
        return None

    def closed(self) -> str | None:
        """Close the home's folder to other accounts; the objection where they can write to it and it stays open."""
        with suppress(OSError):
            status = self.folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or not status.st_mode & _OTHERS:
                return None
            with suppress(OSError):
                self.folder.chmod(0o700)
                return None
            if status.st_mode & _OTHERS_WRITE:
                return (
                    f"{self.folder}: expected a folder that only its owner writes to, found mode "
                    f"{stat.S_IMODE(status.st_mode):04o}. `chmod 0700 {self.folder}`, and look at what it holds."
                )
        return None


class KillFolders:
    """The folders of kills, in the order in which they are tried; kills that no folder takes stay in memory."""

    def __init__(
        self, folders: Iterable[Path | Place], *, proofs: Proofs | None = None, drop: KillDrop | None = None
    ) -> None:
        self._places = tuple(f if isinstance(f, Place) else Place(folder=f, owners=_owners(f.parent)) for f in folders)
        self._proofs, self._drop = proofs, drop
        self._unwritten: dict[str, Kill] = {}
        self._read: dict[Path, tuple[tuple[int, ...], Kill]] = {}
        self._wrong: dict[str, tuple[str, ...]] = {}
        self._told: frozenset[str] = frozenset()
        self._lock = Lock()

    @classmethod
    def beside(cls, home: Path, *, fallback: Path | None = None, drop: KillDrop | None = None) -> "KillFolders":
        """The folder in the home, then the second folder that the settings name."""
        owners = _owners(home)
        places = [Place(folder=home / "kills", owners=owners)]
        if fallback is not None:
            here = owners if os.geteuid() == 0 else frozenset({os.geteuid()})
            places.append(Place(folder=fallback, owners=here, is_given=True))
        is_guest = drop is not None and drop.is_for_guests
        return cls(() if is_guest else places, proofs=KillProofs(home), drop=drop)

    def write(self, kill: Kill) -> bool:
        """Keep a kill in the first folder that takes it."""
        content = self._content(kill)
        for place in self._places:
            try:
                _write(place, f"{kill.id}{SUFFIX}", content)
            except OSError:
                continue
            with self._lock:
                self._unwritten.pop(kill.id, None)
            return True
        with self._lock:
            self._unwritten[kill.id] = kill
        return False

    def pending(self) -> tuple[Kill, ...]:
        """Every kill in the folders and in memory; rejected files stay where they are."""
        with self._lock:
            kills = dict(self._unwritten)
        for place in self._places:
            wrong: list[str] = []
            for kill in self._kills_in(place, wrong):
                kills[kill.id] = kill
            self._note(str(place.folder), wrong)
        return tuple(sorted(kills.values(), key=lambda kill: (kill.at, kill.id)))

    def settle(self, kill_id: str) -> None:
        """Forget a kill that is in the ledger; a file that cannot be removed now is removed later."""
        with self._lock:
            self._unwritten.pop(kill_id, None)
        for place in self._places:
            path = place.folder / f"{kill_id}{SUFFIX}"
            self._read.pop(path, None)
            with suppress(OSError):
                path.unlink(missing_ok=True)

    def hand_over(self, kill: Kill) -> Path | None:
        """Leave a kill in the drop folder when another account owns the home."""
        if self._drop is None or self._places:
            return None
        try:
            left = self._drop.leave(kill)
        except ForeignFileError as error:
            self._note(str(self._drop.folder), [str(error)])
            return None
        with self._lock:
            self._unwritten.pop(kill.id, None)  # the installation gives it another id when it takes it
        return left

    def collect(self) -> int:
        """Move the members' kills from the drop folder to the journal; how many were read."""
        if self._drop is None or not self._places:
            return 0
        wrong: list[str] = []
        count = 0
        for dropped in self._drop.left(wrong):
            count += 1
            if self.write(dropped.kill):  # otherwise the file stays, since it outlives this process
                self._drop.remove(dropped, wrong)
        self._note(str(self._drop.folder), wrong)
        return count

    def objections(self) -> tuple[str, ...]:
        """The objections to folders and files at the last reading."""
        with self._lock:
            return tuple(sorted(text for texts in self._wrong.values() for text in texts))

    def _note(self, where: str, wrong: Sequence[str]) -> None:
        """Remember the objections at one place, and log the new ones."""
        messages = [written_out(text) for text in wrong[:MOST_TOLD]]  # escaped: other accounts choose the file names
        if len(wrong) > MOST_TOLD:
            messages.append(f"{where}: further files are not accepted either. Look at what it holds.")
        with self._lock:
            self._wrong[where] = tuple(messages)
            every = frozenset(text for texts in self._wrong.values() for text in texts)
            new, self._told = every - self._told, every
        for text in sorted(new):
            log.warning(text)

    def _content(self, kill: Kill) -> bytes:
        fields = {"id": kill.id, "model": kill.model, "reason": kill.reason, "actor": kill.actor}
        fields["at"] = kill.at.isoformat()
        if kill.is_wide or kill.account:
            fields |= {"reach": kill.reach.value, "desk": kill.desk, "account": kill.account}
        proof = None if self._proofs is None else self._proofs.sign(canonical(fields))
        return canonical(fields if proof is None else fields | {"proof": proof})

    def _kills_in(self, place: Place, wrong: list[str]) -> Iterator[Kill]:
        if (objection := place.objection()) is not None:
            wrong.append(objection)
            return
        if not place.is_given and (open_to := place.closed()) is not None:
            wrong.append(open_to)
        try:
            with os.scandir(place.folder) as entries:
                names = [entry.name for _, entry in zip(range(MOST_FILES), entries, strict=False)]
        except FileNotFoundError:
            return
        except OSError as error:
            wrong.append(f"{place.folder}: the folder of kills cannot be read ({error.strerror}).")
            return
        for name in names:
            if not name.endswith(SUFFIX) or name.startswith("."):
                continue
            path = place.folder / name
            try:
                if (kill := self._kill(path, place)) is not None:
                    yield kill
            except ForeignFileError as error:
                wrong.append(f"{error} It is not accepted as a kill.")
            except OSError as error:
                wrong.append(f"{path}: this kill cannot be read ({error.strerror}).")

    def _kill(self, path: Path, place: Place) -> Kill | None:
        """The kill in a file, None where the file is gone; an unchanged file is not read again."""
        try:
            mark = _mark(path.lstat())
            if (earlier := self._read.get(path)) is not None and earlier[0] == mark:
                return earlier[1]
            handle = open_regular(path, owners=place.owners)
        except FileNotFoundError:
            self._read.pop(path, None)
            return None
        with os.fdopen(handle, "rb") as file:
            status, content = os.fstat(handle), file.read(MOST_BYTES + 1)
        kill = self._verified(path, content, status)
        self._read[path] = (_mark(status), kill)
        return kill

    def _verified(self, path: Path, content: bytes, status: os.stat_result) -> Kill:
        """The kill in a file, once name and proof are checked. ForeignFileError says why it is not accepted."""
        if len(content) > MOST_BYTES:
            raise ForeignFileError(f"{path}: expected at most {MOST_BYTES:,} bytes, found more. Look at it; remove it.")
        if not _ID.fullmatch(path.name.removesuffix(SUFFIX)):
            raise ForeignFileError(
                f"{path}: expected a name of 32 digits and small letters before {SUFFIX}. Remove it."
            )
        fields = _said(path, content)
        kill = _parsed(path, fields)
        if kill.id != path.name.removesuffix(SUFFIX):
            raise ForeignFileError(f"{path}: expected the kill of this name, found {kill.id!r} inside. Look at it.")
        proof = fields.pop("proof", None)
        if self._proofs is None:
            return kill
        holds = None if proof is None else self._proofs.holds(canonical(fields), proof)
        if holds:
            return kill
        if holds is False:
            raise ForeignFileError(
                f"{path}: expected a kill that a process of this installation signed, found another signature: it was "
                "altered, or made elsewhere. Find out by whom; remove it, and order the kill again if it was one."
            )
        if status.st_mode & _OTHERS_WRITE:
            raise ForeignFileError(
                f"{path}: expected a kill with a proof, or in a file that only its owner writes to; found mode "
                f"{stat.S_IMODE(status.st_mode):04o}. Order the kill again if it was one, and remove the file."
            )
        return _unproven(kill, datetime.fromtimestamp(status.st_mtime, UTC))


def _owners(home: Path) -> frozenset[int]:
    """The user ids whose files count in a home: this process's user, root, and the home's owner."""
    try:
        return own_users(home.resolve())
    except OSError:
        return frozenset({os.geteuid(), 0})


def _write(place: Place, name: str, content: bytes) -> None:
    """Write a file that only the installation can read; OSError where the folder cannot be used."""
    if place.objection() is not None:
        raise PermissionError(f"{place.folder} cannot be used for kills")
    if not place.is_given:
        make_private(place.folder)
        place.closed()
    path = place.folder / name
    write_file(path, content, mode=0o600)
    if os.geteuid() == 0:  # the server may run as another account, and must be able to read it
        folder = place.folder.lstat()
        os.chown(path, folder.st_uid, folder.st_gid, follow_symlinks=False)
    sync_folder(place.folder)


def _mark(status: os.stat_result) -> tuple[int, ...]:
    """Values that change when a file is replaced, written to, or given to another owner."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _said(path: Path, content: bytes) -> dict[str, str]:
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ForeignFileError(f"{path}: expected a kill as JSON, found something else ({error}).") from error
    if not isinstance(fields, dict) or not all(isinstance(value, str) for value in fields.values()):
        raise ForeignFileError(f"{path}: expected a kill as a JSON object of texts, found something else.")
    return fields


def _parsed(path: Path, document: dict[str, str]) -> Kill:
    fields = document.keys() - {"proof"}
    if not _PLAIN <= fields <= _PLAIN | _WIDER:
        raise ForeignFileError(
            f"{path}: expected a kill with {', '.join(sorted(_PLAIN))}, found {', '.join(sorted(fields)) or 'nothing'}."
        )
    try:
        canonical(document)
        at = datetime.fromisoformat(document["at"])
        kill = Kill(
            id=document["id"],
            model=document["model"],
            reason=document["reason"],
            actor=document["actor"],
            at=at,
            reach=Reach(document.get("reach", Reach.MODEL.value)),
            desk=document.get("desk", ""),
            account=document.get("account", ""),
        )
    except (ValueError, BadInputError) as error:
        raise ForeignFileError(f"{path}: expected a kill, found something else ({error}).") from error
    if at.tzinfo is None:
        raise ForeignFileError(f"{path}: expected a time with its zone in `at`, found {document['at']!r}.")
    return kill


def _unproven(kill: Kill, written: datetime) -> Kill:
    """A kill without a proof: marked as unproven, and dated by its file unless its own time is close to that."""
    at = kill.at if written - SLOW <= kill.at <= written else written
    return replace(kill, actor=f"{kill.actor}{UNPROVEN}", at=at)
