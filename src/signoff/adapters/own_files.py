"""Files and folders that an installation keeps for its owner alone.

An account that can open a file can lock it, even where it may only read. So another account must not open what a kill
waits for: the database, its shared memory, the lock files.
"""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final

PRIVATE_FOLDER: Final = 0o700
PRIVATE_FILE: Final = 0o600
OTHERS: Final = 0o077


def make_private(folder: Path) -> None:
    """Make a folder, and whatever is missing above it, for its owner alone; one that is there keeps its mode."""
    for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        missing.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    folder.mkdir(exist_ok=True)  # FileExistsError where it is no folder


def make_private_inside(folder: Path) -> None:
    """Make one folder of a home for the home's owner alone, also where root makes it."""
    try:
        folder.mkdir(mode=PRIVATE_FOLDER)
    except FileExistsError:
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        give_to_owner_of(folder.parent, handle)
    finally:
        os.close(handle)


def give_to_owner_of(folder: Path, handle: int) -> None:
    """Let the folder's owner have what root makes there: they could not read a private file of root's."""
    if os.geteuid() == 0:
        with suppress(OSError):  # root of a container may give nothing away
            above = folder.stat()
            os.fchown(handle, above.st_uid, above.st_gid)


def close_to_others(path: Path) -> None:
    """Take the rights of group and others from a file of our own; where that cannot be done, nothing happens.

    The file is not opened for reading: closing it again would drop the locks that SQLite holds in this process.
    """
    with suppress(OSError):
        if not hasattr(os, "O_PATH"):
            if _is_open_to_others(path.lstat()):
                path.chmod(PRIVATE_FILE, follow_symlinks=False)
            return
        handle = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if _is_open_to_others(os.fstat(handle)):
                Path(f"/proc/self/fd/{handle}").chmod(PRIVATE_FILE)
        finally:
            os.close(handle)


def close_handle_to_others(handle: int) -> None:
    """The same for a file that is open."""
    with suppress(OSError):
        if _is_open_to_others(os.fstat(handle)):
            os.fchmod(handle, PRIVATE_FILE)


def _is_open_to_others(found: os.stat_result) -> bool:
    """Whether others have rights to a file that is ours; a second name could be somebody's link to another file."""
    is_ours = os.geteuid() in {0, found.st_uid} and found.st_nlink == 1
    return stat.S_ISREG(found.st_mode) and is_ours and bool(found.st_mode & OTHERS)
