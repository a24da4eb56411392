"""Whose files of a shared folder are read next: every owner gets a turn, and a file that was refused is not read again.

Whoever may write to the folder can fill it. What they put there then costs their own files time, and nobody else's: a
pass looks at so many names, goes on where the pass before it stopped, and takes one file of each owner after another.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path
from threading import Lock
from typing import Final, TypeVar

MOST_NAMES: Final = 100_000
MOST_READ: Final = 200
MOST_LOOKED_AT: Final = 5_000
MOST_REMEMBERED: Final = 100_000
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A name in the folder, whose it is, and what changes when it is another file or was written to."""

    name: str
    owner: int
    inode: int
    mark: tuple[int, ...]
    changed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A file that was read and refused, and in which words."""

    entry: Entry
    text: str


class Turns:
    """The files of one folder that one process has yet to read."""

    def __init__(self, folder: Path, is_one: Callable[[str], bool]) -> None:
        self._folder, self._is_one = folder, is_one
        self._names: Iterator[os.DirEntry[str]] | None = None
        self._refused: dict[str, Refused] = {}
        self._met: set[str] = set()
        self._counting, self._counted = Counter[int](), Counter[int]()
        self._passes = 0
        self._lock = Lock()

    def due(self) -> list[Entry]:
        """What to read in this pass: of each owner so many, the newest first, and the owners in turn."""
        owned: defaultdict[int, list[Entry]] = defaultdict(list)
        with self._lock:
            self._passes += 1
            for entry in self._unread():
                owned[entry.owner].append(entry)
        for entries in owned.values():
            entries.sort(key=lambda entry: (-entry.changed, entry.name))
        return [*in_turn(entries[:MOST_READ] for entries in owned.values())]

    def refuse(self, entry: Entry, text: str) -> None:
        """Remember that this file, as it is, was refused."""
        with self._lock:
            if len(self._refused) < MOST_REMEMBERED:
                self._refused[entry.name] = Refused(entry=entry, text=text)

    def refused(self) -> list[str]:
        """In which words files are refused that still lie here, the owners in turn."""
        owned: defaultdict[int, list[str]] = defaultdict(list)
        with self._lock:
            for one in self._refused.values():
                if len(owned[one.entry.owner]) < MOST_READ:
                    owned[one.entry.owner].append(one.text)
        return [*in_turn(owned.values())]

    def counted(self) -> dict[int, int]:
        """How many files lay here of each owner when every name had been looked at last."""
        with self._lock:
            return dict(self._counted)

    def _unread(self) -> Iterator[Entry]:
        if self._names is None:
            self._names = os.scandir(self._folder)
        turns = 1 + len(self._refused) // MOST_LOOKED_AT
        try:
            found = [*islice(self._names, MOST_NAMES)]
        except OSError:
            self._names = None
            raise
        for name in found:
            if not self._is_one(name.name):
                continue
            known = self._refused.get(name.name)
            if known is not None and known.entry.inode == name.inode() and (name.inode() + self._passes) % turns:
                self._meet(known.entry)
                continue
            try:
                entry = _entry(name)
            except OSError:
                continue
            self._meet(entry)
            if known is None or known.entry != entry:
                self._refused.pop(name.name, None)
                yield entry
        if len(found) < MOST_NAMES:
            self._end_round()

    def _meet(self, entry: Entry) -> None:
        self._counting[entry.owner] += 1
        if entry.name in self._refused:
            self._met.add(entry.name)

    def _end_round(self) -> None:
        """Every name was looked at: forget the files that are gone."""
        self._refused = {name: one for name, one in self._refused.items() if name in self._met}
        self._counted, self._counting = self._counting, Counter()
        self._met, self._names = set(), None


def in_turn(lists: Iterable[list[T]]) -> Iterator[T]:
    """The first of each list, then the second of each."""
    nothing = object()
    for row in zip_longest(*lists, fillvalue=nothing):
        yield from (one for one in row if one is not nothing)  # type: ignore[misc]


def _entry(name: os.DirEntry[str]) -> Entry:
    found = name.stat(follow_symlinks=False)
    return Entry(
        name=name.name,
        owner=found.st_uid,
        inode=name.inode(),
        mark=(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns),
        changed=found.st_ctime_ns,
    )
