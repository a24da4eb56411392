"""Files and folders that only the installation's owner may open.

An account that can open a file can also lock it, even with read permission alone. A kill waits for locks on the
database, its shared memory and the lock files, so no other account may open them.
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
    """Create a folder and its missing parents with mode 0700; existing folders keep their mode."""
    for missing in reversed([one for one in (folder, *folder.parents) if not one.exists()]):
        missing.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    folder.mkdir(exist_ok=True)  # raises FileExistsError where a file is in its place


def make_private_inside(folder: Path) -> None:
    """Create one folder of a home with mode 0700; when root creates it, the home's owner gets it."""
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
    """Give a file that root created to the folder's owner, who could not open a private file of root's."""
    if os.geteuid() == 0:
        with suppress(OSError):  # in a container, root may lack the right to change owners
            above = folder.stat()
            os.fchown(handle, above.st_uid, above.st_gid)


def close_to_others(path: Path) -> None:
    """Remove the permissions of group and others from a file of ours, if possible.

    The file is not opened for reading, since closing it would drop the locks that SQLite holds in this process.
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
    """Remove the permissions of group and others from an open file of ours, if possible."""
    with suppress(OSError):
        if _is_open_to_others(os.fstat(handle)):
            os.fchmod(handle, PRIVATE_FILE)


def _is_open_to_others(status: os.stat_result) -> bool:
    """Whether a file of ours has permissions for others; never with hard links, which another account may have made."""
    is_ours = os.geteuid() in {0, status.st_uid} and status.st_nlink == 1
    return stat.S_ISREG(status.st_mode) and is_ours and bool(status.st_mode & OTHERS)
