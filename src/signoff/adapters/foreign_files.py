"""Reading files in folders that other accounts can write to: a regular file of an expected owner, or a refusal.

Another account could put a link there, a FIFO without a writer, an endless device, or a file of its own. So a file is
opened without following links and without blocking, and its kind and owner are checked on the open descriptor: the file
that was checked is the file that is read.
"""

import errno
import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Final

from signoff.domain.errors import BadInputError

CHUNK: Final = 1 << 20
# The errors of `open` for a link, for a socket, and for a missing device.
NOT_OPENED: Final = frozenset({errno.ELOOP, errno.ENXIO, errno.ENODEV})
_KINDS: Final = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class ForeignFileError(BadInputError):
    """A file or folder of an unexpected kind, owner, mode or content; the message names the path."""

    code = "foreignfile"


def read_regular(
    path: Path, *, limit: int, owners: Collection[int] | None = None, at: tuple[int, str] | None = None
) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    `owners` are the user ids whose files are read; None means every owner. `at` is an open folder and the file's name
    in it; `path` then only names the file in messages. Raises ForeignFileError for anything else, and OSError where
    the file is missing or cannot be read.
    """
    handle = open_regular(path, owners=owners, at=at)
    try:
        if (size := os.fstat(handle).st_size) > limit:
            raise ForeignFileError(f"{path}: expected at most {limit:,} bytes, found {size:,}.")
        pieces, size_read = [], 0
        # A large file is read in one piece where it does not grow, and so held once.
        while piece := os.read(handle, min(max(CHUNK, size - size_read + 1), limit + 1 - size_read)):
            pieces.append(piece)
            size_read += len(piece)
            if size_read > limit:
                raise ForeignFileError(f"{path}: expected at most {limit:,} bytes, found more; it is being written.")
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    finally:
        os.close(handle)


def open_regular(path: Path, *, owners: Collection[int] | None = None, at: tuple[int, str] | None = None) -> int:
    """A descriptor of a regular file, opened without following links and without blocking."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        handle = os.open(path, flags) if at is None else os.open(at[1], flags, dir_fd=at[0])
    except OSError as error:
        if error.errno in NOT_OPENED:
            raise ForeignFileError(f"{path}: expected a regular file, found {kind_of(path)}. Remove it.") from error
        raise
    if (objection := _objection(os.fstat(handle), owners)) is not None:
        os.close(handle)
        raise ForeignFileError(f"{path}: {objection}")
    return handle


def _objection(status: os.stat_result, owners: Collection[int] | None) -> str | None:
    if not stat.S_ISREG(status.st_mode):
        return f"expected a regular file, found {_kind(status.st_mode)}. Remove it."
    if owners is not None and status.st_uid not in owners:
        return (
            f"expected a file of {_users(owners)}, found one of {user_name(status.st_uid)}. Remove it, and find out "
            "who put it there."
        )
    return None


def kind_of(path: Path) -> str:
    """The kind of file at a path, in words."""
    try:
        return _kind(path.lstat().st_mode)
    except OSError:
        return "nothing"


def _kind(mode: int) -> str:
    return next((name for is_one, name in _KINDS if is_one(mode)), "a regular file")


def user_name(uid: int) -> str:
    """The name of a user id; the number where the account is unknown."""
    import pwd  # noqa: PLC0415 - not on every platform

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _users(owners: Collection[int]) -> str:
    return " or ".join(user_name(uid) for uid in sorted(owners)) or "nobody"


def own_users(folder: Path) -> frozenset[int]:
    """The owners whose files count in a folder of this installation: this process's user, root, the folder's owner."""
    return frozenset({os.geteuid(), 0, folder.lstat().st_uid})


def refuse_open_folder(folder: Path) -> None:
    """Refuse a folder that is world-writable or another account's, since others could have put its files there.

    A missing folder is not refused.
    """
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISDIR(status.st_mode):
        raise ForeignFileError(f"{folder}: expected a folder, found {_kind(status.st_mode)}.")
    if status.st_mode & stat.S_IWOTH:
        raise ForeignFileError(
            f"{folder}: expected a folder that only its owner writes to, found mode "
            f"{stat.S_IMODE(status.st_mode):04o}. `chmod o-w {folder}`, and look at what it holds."
        )
    if os.geteuid() != 0 and status.st_uid not in {os.geteuid(), 0}:
        raise ForeignFileError(
            f"{folder}: expected a folder of {user_name(os.geteuid())}, found one of {user_name(status.st_uid)}."
        )


def refuse_foreign_home(home: Path) -> None:
    """Refuse, as root, an unnamed home (one taken from the current folder) that another account made."""
    try:
        owner = home.lstat().st_uid
    except FileNotFoundError:
        return
    if os.geteuid() == 0 and owner != 0:
        raise ForeignFileError(
            f"{home.absolute()}: expected a home of root, found one of {user_name(owner)} in the current folder. If it "
            f"is the installation that you mean, name it: --home {home.absolute()}."
        )


def refuse_link(folder: Path) -> None:
    """Refuse a symbolic link in place of a home's folder: files would be written outside of the home."""
    if folder.is_symlink():
        raise ForeignFileError(
            f"{folder}: expected a folder, found a symbolic link. Remove the link and move what it leads to here, or "
            "mount it here."
        )


def refuse_foreign_database(path: Path) -> None:
    """Refuse a database file that another account put into a home.

    The file is not opened, since closing it would drop the locks that SQLite holds in this process.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(status.st_mode):
        raise ForeignFileError(
            f"{path}: expected a regular file, found a symbolic link. Remove the link, and name the database that it "
            "leads to with --database."
        )
    if (objection := _objection(status, own_users(path.parent))) is not None:
        raise ForeignFileError(f"{path}: {objection}")


def refuse_library_settings() -> None:
    """Refuse a file of the current folder by which numba chooses where it keeps compiled code, which it then loads."""
    settings = Path(".numba_config.yaml").absolute()
    if os.path.lexists(settings):
        raise BadInputError(
            f"{settings}: expected no such file, since numba takes the place of its compiled code from it, and whoever "
            "writes there has their code run. Remove it, or work from another folder."
        )
