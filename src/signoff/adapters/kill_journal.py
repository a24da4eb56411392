"""The journal of kills: one small file each, synced to disk, in the home or wherever else can still be written."""

import json
import tempfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from threading import Lock
from typing import Final

from signoff.adapters.folders import sync_folder, write_file
from signoff.ledger.canonical import canonical, digest
from signoff.ports.kills import Kill

SUFFIX: Final = ".kill"


class KillFolders:
    """Folders in the order in which they are tried; what none of them could take is kept in memory, and said."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)
        self._unwritten: dict[str, Kill] = {}
        self._lock = Lock()

    @classmethod
    def beside(cls, home: Path) -> "KillFolders":
        """In the home; when its disk is full or read-only, in a folder of its own where temporary files go."""
        apart = Path(tempfile.gettempdir()) / f"signoff-kills-{digest(str(home.resolve()).encode())[:16]}"
        return cls((home / "kills", apart))

    def write(self, kill: Kill) -> bool:
        """Keep a kill in the first folder that takes it."""
        content = canonical(
            {
                "id": kill.id,
                "model": kill.model,
                "reason": kill.reason,
                "actor": kill.actor,
                "at": kill.at.isoformat(),
            }
        )
        for folder in self._folders:
            try:
                write_file(folder / f"{kill.id}{SUFFIX}", content)
                sync_folder(folder)
            except OSError:
                continue
            with self._lock:
                self._unwritten.pop(kill.id, None)
            return True
        with self._lock:
            self._unwritten[kill.id] = kill
        return False

    def pending(self) -> tuple[Kill, ...]:
        """Every kill in the folders and in memory; a file that is no kill is left for people to look at."""
        with self._lock:
            found = dict(self._unwritten)
        for folder in self._folders:
            for path in folder.glob(f"*{SUFFIX}"):
                if (kill := _read(path)) is not None:
                    found[kill.id] = kill
        return tuple(sorted(found.values(), key=lambda kill: (kill.at, kill.id)))

    def settle(self, identity: str) -> None:
        """Forget a kill that the ledger holds; a file that cannot be removed is settled again later."""
        with self._lock:
            self._unwritten.pop(identity, None)
        for folder in self._folders:
            try:
                (folder / f"{identity}{SUFFIX}").unlink(missing_ok=True)
            except OSError:
                continue


def _read(path: Path) -> Kill | None:
    try:
        said = json.loads(path.read_bytes())
        kill = Kill(**{**said, "at": datetime.fromisoformat(said["at"])})
        return kill if kill.at.tzinfo is not None and all(isinstance(part, str) for part in said.values()) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
