"""The experiment tracker: runs, their status, and their files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


class RunStatus(StrEnum):
    """The status of a run; only a finished run is complete."""

    FINISHED = "finished"
    RUNNING = "running"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedRun:
    """One run in the tracker; `parent` is the run it was started under, empty without one.

    `users` are the authors that it names, empty if it names none.
    """

    id: str
    name: str
    status: RunStatus
    is_deleted: bool = False
    parent: str = ""
    users: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


class Runs(Protocol):
    """Every call only reads, and may be repeated. Raises UnavailableError if the tracker does not answer."""

    def run(self, run_id: str) -> TrackedRun:
        """One run, deleted ones included. Raises NotFoundError."""

    def children(self, run_id: str) -> tuple[TrackedRun, ...]:
        """Every run started under this one, deleted ones included, oldest first. Raises NotFoundError."""

    def of_experiment(self, name: str) -> tuple[TrackedRun, ...]:
        """Every run of an experiment by its name, deleted ones included, oldest first. Raises NotFoundError."""

    def files(self, run_id: str) -> tuple[str, ...]:
        """The paths of the files at the root of a run's artefacts."""

    def content(self, run_id: str, path: str, *, limit: int) -> bytes:
        """One file of a run. Raises NotFoundError, and BadInputError for more than `limit` bytes."""
