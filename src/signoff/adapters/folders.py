"""Files that are written atomically: the folders of releases, and the notices of a desk without a messenger."""

import fcntl
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from signoff.adapters.folder_files import read_inside
from signoff.adapters.foreign_files import ForeignFileError, own_users, read_regular
from signoff.adapters.own_files import PRIVATE_FILE, close_handle_to_others, give_to_owner_of, make_private
from signoff.domain.errors import NotFoundError, NotTakenError, SignoffError, UnavailableError
from signoff.domain.events import Delivery
from signoff.ports.notices import Receipt, Severity

log = logging.getLogger("signoff")
MAX_BYTES: Final = 4 << 30
KEPT_BYTES: Final = 64 << 20
HELD_S: Final = 5.0


def write_file(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Replace a file in one step: temporary file, fsync, rename."""
    if mode == PRIVATE_FILE:
        make_private(path.parent)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            if mode == PRIVATE_FILE:
                give_to_owner_of(path.parent, handle)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(mode)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that file names survive a power cut as their bytes do."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def held(lock: Path, *, seconds: float = HELD_S) -> Iterator[None]:
    """Hold a lock file within the context: one thread of one process; a killed process releases it.

    UnavailableError if another process holds it longer than this, so that a hung process blocks no other. Only the
    owner can open the file, since any account that can open it can hold the lock.
    """
    make_private(lock.parent)
    handle = _opened(lock)
    try:
        _lock(handle, lock, monotonic() + seconds)
        yield
    finally:
        os.close(handle)


def _opened(lock: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        handle = os.open(lock, flags | os.O_EXCL, PRIVATE_FILE)
    except FileExistsError:
        handle = os.open(lock, flags, PRIVATE_FILE)
        close_handle_to_others(handle)
    else:
        give_to_owner_of(lock.parent, handle)
    return handle


def _lock(handle: int, lock: Path, end: float) -> None:
    pause = 0.001
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() >= end:
                raise UnavailableError(
                    f"Expected the lock {lock} to be free within seconds, found another process that keeps it. Look "
                    "which one hangs."
                ) from None
            sleep(pause)
            pause = min(0.05, 2 * pause)
        else:
            return


def write_folder(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Replace a folder in one step; the same content again changes nothing."""
    if folder.is_dir() and read_folder(folder) == dict(files):
        return folder
    write_pieces(folder, ((name, (content,)) for name, content in files.items()))
    return folder


def write_pieces(folder: Path, files: Iterable[tuple[str, Iterable[bytes]]]) -> int:
    """Replace a folder in one step by files in pieces; return their number."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    count = 0
    try:
        for name, pieces in files:
            target = temporary / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                file.writelines(pieces)
            count += 1
        temporary.chmod(0o755)
        if folder.exists():
            retired = temporary.with_name(f"{temporary.name}.old")
            folder.rename(retired)
            temporary.rename(folder)
            shutil.rmtree(retired)
        else:
            temporary.rename(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        message = (
            f"Cannot write {folder}: {error.strerror}. Nothing is half-written; make room or choose another folder."
        )
        raise UnavailableError(message) from error
    except SignoffError:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return count


def read_folder(folder: Path, *, limit: int = MAX_BYTES) -> dict[str, bytes]:
    """Every file beneath a folder by its relative path, at most `limit` bytes in total.

    ForeignFileError for anything but a file or folder, and for a link to a file outside.
    """
    contents: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            continue
        content = read_inside(path, folder, limit=limit)
        contents[path.relative_to(folder).as_posix()] = content
        limit -= len(content)
    return contents


class ReleaseFolders:
    """`<home>/releases/<deployment>/<edition>/…`"""

    def __init__(self, root: Path) -> None:
        self._root = root

    def write(self, deployment: str, edition: str, files: Mapping[str, bytes]) -> Path:
        """Write an edition and return its folder."""
        return write_folder(self.folder(deployment, edition), files)

    def read(self, deployment: str, edition: str) -> Mapping[str, bytes]:
        """Every file of an edition."""
        folder = self.folder(deployment, edition)
        if not folder.is_dir():
            raise NotFoundError(f"Expected the {edition} files of {deployment} in {folder}, found no such folder.")
        return read_folder(folder)

    def folder(self, deployment: str, edition: str) -> Path:
        """The folder of an edition."""
        return self._root / deployment / edition

    def remember_origin(self, deployment: str, folder: Path, files: Mapping[str, bytes]) -> None:
        """Record the submitted folder and its files; files from elsewhere are not watched."""
        present = [name for name, content in files.items() if _now(folder, name) == content]
        content = json.dumps({"folder": str(folder.resolve()), "files": sorted(present)}, indent=1)
        write_file(self._root / deployment / "origin.json", content.encode())

    def origin(self, deployment: str) -> Mapping[str, bytes] | None:
        """The submitted files as they are now: empty bytes for a missing file, None for a missing folder."""
        note = self._root / deployment / "origin.json"
        if not note.is_file():
            return None
        noted = json.loads(note.read_bytes())
        folder = Path(noted["folder"])
        if not folder.is_dir():
            return None
        return {name: _now(folder, name) for name in noted["files"]}


def _now(folder: Path, name: str) -> bytes:
    """A submitted file as it is now; empty bytes if it is missing or no longer a file of its folder."""
    try:
        return read_inside(folder / name, folder, limit=MAX_BYTES)
    except (OSError, ForeignFileError):
        return b""


class KeptFile:
    """A private cache of one value; losing it does no harm."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> bytes | None:
        """The last value; None without one."""
        try:
            return read_regular(self._path, limit=KEPT_BYTES, owners=own_users(self._path.parent))
        except OSError:
            return None
        except ForeignFileError as error:
            log.warning("%s Nothing of it is believed.", error)
            return None

    def keep(self, content: bytes) -> None:
        """Replace the value; a failure to write is ignored."""
        with suppress(OSError):
            write_file(self._path, content, mode=PRIVATE_FILE)


class NoticeFile:
    """Delivers notices into a file of JSON lines, for desks and demonstrations without a messenger."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def place(self) -> str:
        """The receiver's name: the file."""
        return str(self._path.absolute())

    def send(self, notice_id: str, channel: str, subject: str, text: str, severity: Severity) -> Receipt:
        """Append a notice unless its id is there already; workers write one at a time."""
        notice = {"identity": notice_id, "severity": severity, "channel": channel, "subject": subject, "text": text}
        line = json.dumps(notice)
        try:
            with held(self._path.with_suffix(".lock")):
                lines = self._path.read_text().splitlines() if self._path.exists() else []
                if not any(json.loads(earlier)["identity"] == notice_id for earlier in lines):
                    write_file(self._path, "\n".join([*lines, line, ""]).encode(), mode=PRIVATE_FILE)
        except OSError as error:
            raise NotTakenError(
                f"Cannot write the notice to {self._path}: {error.strerror}. It stays due; make room.",
                is_of_receiver=True,
            ) from error
        return Receipt(Delivery.FILE, self._path.name)
