"""The model registry and its runs behind a budget: nobody waits for them longer than was set.

The registry is opened on the first call and within its budget: what waits for nothing of it, a fence or a cancel, is
not kept by a registry that cannot even be opened.
"""

from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from typing import Final, Generic, TypeVar

from signoff.adapters.outside import Outside
from signoff.domain.errors import UnavailableError
from signoff.domain.evidence import RegisteredModel, RegisteredVersion
from signoff.domain.memo.standing import PreviousCheck
from signoff.ports.registry import Registry
from signoff.ports.runs import Runs, TrackedRun

T = TypeVar("T")
S = TypeVar("S")
# What a model's files may take to come and the model to run, and a search through hundreds of runs, in budgets.
VERIFYING: Final = 6
SEARCHING: Final = 6
# Several small questions about one model.
LOOKING: Final = 2


class Guarded(Generic[S]):
    """Something outside that is opened by the first call to it; `module` is what opening it imports."""

    def __init__(self, outside: Outside, open_it: Callable[[], S | None], module: str) -> None:
        self._outside, self._open, self._module = outside, open_it, module
        self._held: list[S] = []

    def _ask(self, what: str, call: Callable[[S], T], budgets: int = 1) -> T:
        seconds = budgets * self._outside.budget.total_s
        self._load()
        return self._outside.ask(what, lambda: call(self._opened()), seconds=seconds)

    def _load(self) -> None:
        """Import the library first, which asks nobody and takes seconds: that is not the place's fault."""
        try:
            import_module(self._module)
        except ImportError as error:
            raise UnavailableError(
                f"Expected the library that {self._outside.name} needs, found it broken ({error}). Install "
                "`signoff[mlflow]` again."
            ) from error

    def _opened(self) -> S:
        """What was opened first, by whomever; no lock is held meanwhile, so that one that hangs keeps nobody."""
        if not self._held:
            found = self._open()
            if found is None:
                raise UnavailableError(f"Expected {self._outside.name}, found none there any more. Restore it.")
            self._held.append(found)
        return self._held[0]


class GuardedRegistry(Guarded[Registry]):
    """A registry each of whose calls has a budget."""

    def version(self, model: str, version: str) -> RegisteredVersion | None:
        """What the registry knows of a version."""
        return self._ask(f"look up {model} v{version}", lambda registry: registry.version(model, version))

    def verify(self, model: str, version: str) -> PreviousCheck:
        """Load a version and run it on its recorded input."""
        return self._ask(f"verify {model} v{version}", lambda registry: registry.verify(model, version), VERIFYING)

    def attach(self, model: str, version: str, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """Attach documents."""
        return self._ask(f"attach to {model} v{version}", lambda registry: registry.attach(model, version, files))

    def point(self, model: str, alias: str, version: str) -> None:
        """Let an alias name a version."""
        return self._ask(f"point {alias} of {model} at v{version}", lambda r: r.point(model, alias, version))

    def registered(self, model: str, alias: str, versions: Collection[str]) -> RegisteredModel:
        """Which of these versions are there, and which version an alias names."""
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
        """What the run logged."""
        return self._ask(f"files of run {run_id}", lambda runs: runs.files(run_id))

    def content(self, run_id: str, path: str, *, limit: int) -> bytes:
        """A file that the run logged."""
        what = f"{path} of run {run_id}"
        return self._ask(what, lambda runs: runs.content(run_id, path, limit=limit), SEARCHING)
