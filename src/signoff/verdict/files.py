"""Writing files atomically."""

from pathlib import Path

from signoff.adapters.folders import write_file
from signoff.domain.errors import BadInputError


def write_whole(path: Path, content: bytes) -> None:
    """Replace the file in one step."""
    if path.is_dir():
        raise BadInputError(f"{path}: expected the name of a file to write, found a folder. Name a file in it.")
    try:
        write_file(path, content)
    except OSError as error:
        raise BadInputError(
            f"Expected to write {path}, and cannot: {error.strerror}. Name a file in a folder that can be written."
        ) from error
