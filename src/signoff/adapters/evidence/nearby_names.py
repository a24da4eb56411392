"""Says that a named file does not exist, and which files of its folder have a similar name."""

from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import Final

from signoff.domain.errors import BadInputError

MOST_LISTED: Final = 2_000
MOST_NAMED: Final = 3
LIKENESS: Final = 0.6


def no_such_file(path: Path) -> BadInputError:
    """The refusal of a path without a file, to be raised; it names what is near."""
    if path.is_symlink():
        return BadInputError(f"{path}: expected a file, found a link to a file that does not exist. Correct the link.")
    if not path.parent.is_dir():
        return BadInputError(
            f"{path}: expected a file, and the folder {path.parent} does not exist. Correct the path."
            f"{_near_folder(path)}"
        )
    near = _near(path.name, path.parent)
    folder = f" in {path.parent}" if str(path.parent) != "." else ""
    hint = (
        f"Is it {' or '.join(near)}{folder}?" if near else f"No file{folder or ' in this folder'} has a similar name."
    )
    return BadInputError(f"{path}: expected a file, and it does not exist. {hint}")


def _near_folder(path: Path) -> str:
    above = path.parent.parent
    near = _near(path.parent.name, above) if above.is_dir() else []
    return f" Is the folder {' or '.join(near)}?" if near else ""


def _near(name: str, folder: Path) -> list[str]:
    """The names of a folder that are most like this one; another suffix of the same name counts as near."""
    try:
        names = sorted(one.name for one in islice(folder.iterdir(), MOST_LISTED))
    except OSError:
        return []
    stem = Path(name).stem.lower()
    same = [one for one in names if Path(one).stem.lower() == stem]
    lowered = {one.lower(): one for one in reversed(names)}
    close = [lowered[one] for one in get_close_matches(name.lower(), lowered, n=MOST_NAMED, cutoff=LIKENESS)]
    return list(dict.fromkeys((*same, *close)))[:MOST_NAMED]
