"""The order in which files of a shared folder are read: round robin by owner, and a refused file only once.

Every account that may write to the folder can flood it. A flood delays only the files of its own account: a pass looks
at a bounded number of names, resumes where the last pass stopped, and takes one file of each owner in turn.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

MOST_NAMES: Final = 100_000
MOST_READ: Final = 200
MOST_LOOKED_AT: Final = 5_000
MOST_REMEMBERED: Final = 100_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DroppedFile:
    """A name in the folder and its owner; `mark` changes when the file is replaced or written to."""

    name: str
    owner: int
    inode: int
    mark: tuple[int, ...]
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file that was read and refused, and the message."""

    entry: DroppedFile
    text: str


class Turns:
    """The unread files of one folder, for one process; `is_wanted` says which names count."""

    def __init__(self, folder: Path, is_wanted: Callable[[str], bool]) -> None:
        self._folder, self._is_wanted = folder, is_wanted
        self._names: Iterator[os.DirEntry[str]] | None = None
        self._refused: dict[str, Refused] = {}
        self._met: set[str] = set()
        self._counting, self._counted = Counter[int](), Counter[int]()
        self._passes = 0
        self._lock = Lock()

    def due(self) -> list[DroppedFile]:
        """The files to read in this pass: up to MOST_READ of each owner, newest first, owners round robin."""
        owned: defaultdict[int, list[DroppedFile]] = defaultdict(list)
        with self._lock:
            self._passes += 1
            for entry in self._unread():
                owned[entry.owner].append(entry)
        for entries in owned.values():
            entries.sort(key=lambda entry: (-entry.changed, entry.name))
        return [*round_robin([entries[:MOST_READ] for entries in owned.values()])]

    def refuse(self, entry: DroppedFile, text: str) -> None:
        """Remember the refusal of this file; it is read again only after it changes."""
        with self._lock:
            if len(self._refused) < MOST_REMEMBERED:
                self._refused[entry.name] = Refused(entry=entry, text=text)
                if self._names is not None:
                    self._met.add(entry.name)

    def refused(self) -> list[str]:
        """The messages of the refused files that are still here, owners round robin."""
        owned: defaultdict[int, list[str]] = defaultdict(list)
        with self._lock:
            for refused in self._refused.values():
                if len(owned[refused.entry.owner]) < MOST_READ:
                    owned[refused.entry.owner].append(refused.text)
        return [*round_robin([*owned.values()])]

    def counted(self) -> dict[int, int]:
        """The number of files of each owner, as of the last complete round over all names."""
        with self._lock:
            return dict(self._counted)

    def _unread(self) -> Iterator[DroppedFile]:
        if self._names is None:
            self._names = os.scandir(self._folder)
        # Refused files are looked at again in every `period`-th pass, so that a flood of them costs little.
        period = 1 + len(self._refused) // MOST_LOOKED_AT
        try:
            names = [*islice(self._names, MOST_NAMES)]
        except OSError:
            self._names = None
            raise
        for name in names:
            if not self._is_wanted(name.name):
                continue
            refusal = self._refused.get(name.name)
            if refusal is not None and refusal.entry.inode == name.inode() and (name.inode() + self._passes) % period:
                self._meet(refusal.entry)
                continue
            try:
                entry = _entry(name)
            except OSError:
                continue
            self._meet(entry)
            if refusal is None or refusal.entry != entry:
                self._refused.pop(name.name, None)
                yield entry
        if len(names) < MOST_NAMES:
            self._end_round()

    def _meet(self, entry: DroppedFile) -> None:
        self._counting[entry.owner] += 1
        if entry.name in self._refused:
            self._met.add(entry.name)

    def _end_round(self) -> None:
        """Forget the refused files that are gone, now that every name was looked at."""
        self._refused = {name: refused for name, refused in self._refused.items() if name in self._met}
        self._counted, self._counting = self._counting, Counter()
        self._met, self._names = set(), None


def round_robin(lists: list[list[T]]) -> Iterator[T]:
    """The first item of each list, then the second of each."""
    for place in range(max(map(len, lists), default=0)):
        yield from (items[place] for items in lists if place < len(items))


def _entry(name: os.DirEntry[str]) -> DroppedFile:
    status = name.stat(follow_symlinks=False)
    return DroppedFile(
        name=name.name,
        owner=status.st_uid,
        inode=name.inode(),
        mark=(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns),
        changed=status.st_ctime_ns,
    )
