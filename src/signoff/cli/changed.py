"""The pre-commit hook: `signoff check` on every dossier that a changed file belongs to."""

import sys
from collections.abc import Iterable
from pathlib import Path

DOSSIER = "dossier.yaml"


def dossiers_of(changed: Iterable[str]) -> tuple[Path, ...]:
    """The dossiers that these files stand in: for each the nearest folder above it with a dossier."""
    found = (next((one for one in Path(name).parents if (one / DOSSIER).is_file()), None) for name in changed)
    return tuple(sorted({folder for folder in found if folder is not None}))


def main(changed: Iterable[str]) -> int:
    """Check each of them; the worst exit code counts."""
    folders = dossiers_of(changed)
    if not folders:
        return 0
    from signoff.cli.main import main as command  # noqa: PLC0415 - most commits touch no dossier

    return max(command(["check", str(folder)]) for folder in folders)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
