"""The model registry and its runs, with a time budget for each call.

The registry is opened by the first call, within that call's budget. So a fence or a cancel, which need no registry, do
not wait for one that hangs while it is opened.
"""

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Final, Generic, TypeVar

from signoff.adapters.outside import Outside
from signoff.domain.artifacts import Pin, PreviousCheck, RegisteredArtifacts
from signoff.domain.errors import UnavailableError
from signoff.domain.evidence import RegisteredModel, RegisteredVersion
from signoff.ports.registry import Registry
from signoff.ports.runs import Runs, TrackedRun

T = TypeVar("T")
S = TypeVar("S")
# The number of budgets for loading and running a model, and for searching hundreds of runs.
VERIFYING: Final = 6
SEARCHING: Final = 6
# Several small questions about one model.
LOOKING: Final = 2


class Guarded(Generic[S]):
    """An external service that the first call opens; `module` is the library that opening it imports."""

    def __init__(self, outside: Outside, open_it: Callable[[], S | None], module: str) -> None:
        self._outside, self._open, self._module = outside, open_it, module
        self._service: S | None = None

    def _ask(self, what: str, call: Callable[[S], T], budgets: int = 1) -> T:
        seconds = budgets * self._outside.budget.total_s
        self._load()
        return self._outside.ask(what, lambda: call(self._opened()), seconds=seconds)

    def _load(self) -> None:
        """Import the library before the budget begins: the import takes seconds and does not use the network."""
        try:
            import_module(self._module)
        except ImportError as error:
            raise UnavailableError(
                f"Expected the library that {self._outside.name} needs, found it broken ({error}). Install "
                "`signoff[mlflow]` again."
            ) from error

    def _opened(self) -> S:
        """The service, opened by the first call. No lock is held, so a thread that hangs here delays no other."""
        if self._service is None:
            service = self._open()
            if service is None:
                raise UnavailableError(f"Expected {self._outside.name}, found none there any more. Restore it.")
            self._service = service
        return self._service


class GuardedRegistry(Guarded[Registry]):
    """A registry each of whose calls has a budget."""

    def version(self, model: str, version: str, *, number: int | None = None) -> RegisteredVersion | None:
        """The registry's description of a version."""
        return self._ask(f"look up {model} v{version}", lambda r: r.version(model, version, number=number))

    def artifacts(self, model: str, version: str, *, number: int | None = None) -> RegisteredArtifacts | None:
        """Every file of a version's model."""
        what = f"read the files of {model} v{version}"
        return self._ask(what, lambda r: r.artifacts(model, version, number=number), VERIFYING)

    def stamp(self, model: str, version: str, *, number: int | None = None) -> str | None:
        """A mark of a version's files."""
        what = f"list the files of {model} v{version}"
        return self._ask(what, lambda r: r.stamp(model, version, number=number), LOOKING)

    def verify(self, model: str, version: str, *, pin: Pin | None = None) -> PreviousCheck:
        """Load a version and run it on its recorded input."""
        return self._ask(f"verify {model} v{version}", lambda r: r.verify(model, version, pin=pin), VERIFYING)

    def attach(
        self, model: str, version: str, files: Mapping[str, bytes], *, number: int | None = None
    ) -> tuple[str, ...]:
        """Attach documents."""
        return self._ask(f"attach to {model} v{version}", lambda r: r.attach(model, version, files, number=number))

    def point(self, model: str, alias: str, version: str, *, number: int | None = None) -> None:
        """Let an alias name a version."""
        what = f"point {alias} of {model} at v{version}"
        return self._ask(what, lambda r: r.point(model, alias, version, number=number))

    def registered(self, model: str, alias: str, versions: Collection[str]) -> RegisteredModel:
        """The existing ones of these versions, and the version that an alias names."""
        return self._ask(f"look at {model}", lambda r: r.registered(model, alias, versions), LOOKING)


class GuardedRuns(Guarded[Runs]):
    """Runs each of whose calls has a budget."""

    def run(self, run_id: str) -> TrackedRun:
        """One run."""
        return self._ask(f"run {run_id}", lambda runs: runs.run(run_id))

    def children(self, run_id: str) -> tuple[TrackedRun, ...]:
        """Every run whose parent is this one."""
        return self._ask(f"children of run {run_id}", lambda runs: runs.children(run_id), SEARCHING)

    def of_experiment(self, name: str) -> tuple[TrackedRun, ...]:
        """Every run of the experiment."""
        return self._ask(f"runs of {name}", lambda runs: runs.of_experiment(name), SEARCHING)

    def files(self, run_id: str) -> tuple[str, ...]:
        """The files that the run logged."""
        return self._ask(f"files of run {run_id}", lambda runs: runs.files(run_id))

    def content(self, run_id: str, path: str, *, limit: int) -> bytes:
        """A file that the run logged."""
        what = f"{path} of run {run_id}"
        return self._ask(what, lambda runs: runs.content(run_id, path, limit=limit), SEARCHING)
