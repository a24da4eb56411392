"""The journal of a long replay: finished chunks, a line of JSON each, so that a killed replay can resume.

A chunk's key covers everything that its result depends on. A last line that is incomplete is dropped; one run at a time
writes to a file.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from signoff.pit.errors import ReplayError
from signoff.pit.replay import MovedFeature, ReplayedDate


@dataclass(frozen=True, slots=True)
class Journal:
    """Finished chunks by key, and their file."""

    path: Path
    finished: dict[str, tuple[ReplayedDate, ...]]

    @classmethod
    def at(cls, path: Path) -> "Journal":
        """Read an earlier run's chunks, and drop an incomplete last line."""
        try:
            path.touch()
            content = path.read_bytes()
        except OSError as error:
            raise ReplayError(
                f"journal {path}: expected a file that can be written, found {type(error).__name__}: {error.strerror}."
            ) from error
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            with path.open("r+b") as file:
                file.truncate(len(whole))
        lines = enumerate(whole.decode(errors="replace").splitlines(), start=1)
        return cls(path, dict(_read(line, f"{path}, line {number}") for number, line in lines))

    def add(self, key: str, dates: Sequence[ReplayedDate]) -> None:
        """Record one finished chunk; it is in the file when this returns."""
        self.finished[key] = tuple(dates)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(_written(key, dates) + "\n")


def _written(key: str, dates: Sequence[ReplayedDate]) -> str:
    rows = [
        [date.is_perturbed, [[change.kind, change.feature, change.size, change.reason] for change in date.changes]]
        for date in dates
    ]
    return json.dumps({"chunk": key, "dates": rows}, separators=(",", ":"))


def _read(line: str, place: str) -> tuple[str, tuple[ReplayedDate, ...]]:
    try:
        entry = json.loads(line)
        dates = tuple(
            ReplayedDate(
                is_perturbed=bool(is_perturbed),
                changes=tuple(
                    MovedFeature(kind=str(kind), feature=str(feature), size=float(size), reason=str(reason))
                    for kind, feature, size, reason in changes
                ),
            )
            for is_perturbed, changes in entry["dates"]
        )
        return str(entry["chunk"]), dates
    except (ValueError, TypeError, KeyError) as error:
        raise ReplayError(
            f"{place}: expected a finished chunk of a replay, found {line[:40]!r}; move the file away to start anew."
        ) from error
