"""The code of a declared feature function, in the dossier's folder or installed; the signed bytes are run."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from signoff.adapters.folder_files import read_inside, unreadable
from signoff.domain.errors import BadInputError

MOST_CODE: Final = 4_000_000
MOST_INSTALLED: Final = 64_000_000


def feature_code(compute: str, folder: Path) -> dict[str, bytes]:
    """The module or package of `package.module:function` by path; empty if it is not in the folder."""
    top = compute.partition(":")[0].partition(".")[0]
    if not top.isidentifier():
        return {}
    candidates = (folder / f"{top}.py", *sorted((folder / top).rglob("*.py")))
    files = (path for path in candidates if os.path.lexists(path) and (path.is_symlink() or not path.is_dir()))
    return {path.relative_to(folder).as_posix(): _read(path, folder) for path in files}


def installed_code(compute: str, folders: Iterable[str]) -> dict[str, bytes]:
    """The same for installed code: the first of these folders that has it, in Python's order."""
    for folder in map(Path, folders):
        if code := feature_code(compute, folder):
            if (total := sum(map(len, code.values()))) > MOST_INSTALLED:
                raise BadInputError(
                    f"{compute} in {folder}: expected at most {MOST_INSTALLED:,} bytes of feature code, found "
                    f"{total:,}. Name the module that holds the features alone."
                )
            return code
    return {}


def _read(path: Path, folder: Path) -> bytes:
    try:
        return read_inside(path, folder, limit=MOST_CODE)
    except OSError as error:
        raise unreadable(path, error) from error
