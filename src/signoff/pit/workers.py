"""Workers that replay the chunks: this process, or a Dask cluster, with the same results."""

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from signoff.pit.digests import package_of
from signoff.pit.errors import ReplayError
from signoff.pit.features import Compute
from signoff.pit.knowledge import Inputs
from signoff.pit.replay import Chunk, ReplayedDate, replay_chunk

_ADDRESS: Final = re.compile(r"(tcp|tls|ucx|wss?)://.+:\d+")

Result = tuple[int, list[ReplayedDate]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One chunk with its function and inputs, which tasks share."""

    compute: Compute
    inputs: Inputs
    chunk: Chunk


class Workers(Protocol):
    """Runners of tasks. A task may run more than once; its result depends on itself alone."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """The position and result of each task, as tasks finish."""
        ...


class InProcess:
    """Runs one task after the other in this process."""

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """The tasks in order."""
        for position, task in enumerate(tasks):
            yield position, replay_chunk(task.compute, task.inputs, task.chunk)


@dataclass(frozen=True, slots=True)
class DaskCluster:
    """The workers of a Dask scheduler, such as tcp://10.0.0.7:8786. Functions and inputs are sent to each once.

    Workers need Signoff and the libraries that a function uses. The function's own package is sent with it.
    """

    address: str
    timeout_seconds: float = 30.0

    def __post_init__(self) -> None:
        if not _ADDRESS.fullmatch(self.address):
            raise ReplayError(
                f"cluster: expected a Dask scheduler's address, such as tcp://10.0.0.7:8786, found {self.address!r}."
            )

    def run(self, tasks: Sequence[Task]) -> Iterator[Result]:
        """The tasks as the cluster finishes them; a task whose worker died is retried elsewhere."""
        distributed = _distributed()
        try:
            client = distributed.Client(self.address, timeout=self.timeout_seconds, set_as_default=False)
            client.wait_for_workers(1, timeout=self.timeout_seconds)
        except (OSError, ValueError) as error:
            raise ReplayError(
                f"cluster: expected a Dask scheduler with workers at {self.address}, found "
                f"{type(error).__name__}: {error}. Start one with `dask scheduler` and `dask worker`, or leave cluster "
                "out to replay in this process."
            ) from error
        with client:
            yield from self._results(distributed, client, tasks)

    def _results(self, distributed: Any, client: Any, tasks: Sequence[Task]) -> Iterator[Result]:  # noqa: ANN401
        sent: dict[int, Any] = {}
        for task in tasks:
            if id(task.compute) not in sent:
                sent[id(task.compute)] = _sent(client, _packed(task.compute))
            if id(task.inputs) not in sent:
                sent[id(task.inputs)] = _sent(client, task.inputs)
        positions = {
            client.submit(
                _replay_packed, sent[id(task.compute)], sent[id(task.inputs)], task.chunk, pure=False
            ): position
            for position, task in enumerate(tasks)
        }
        for future in distributed.as_completed(positions, loop=client.loop):
            try:
                yield positions[future], future.result()
            except distributed.KilledWorker as error:
                raise ReplayError(
                    f"cluster {self.address}: workers died replaying the same dates again and again ({error}); "
                    "give them more memory, or replay fewer dates or symbols per chunk."
                ) from error


def workers_at(cluster: str | None) -> Workers:
    """The workers of this process, or of the cluster at an address."""
    return InProcess() if cluster is None else DaskCluster(cluster)


def _sent(client: Any, value: object) -> Any:  # noqa: ANN401 - a future of Dask's
    (future,) = client.scatter([value], broadcast=True, hash=False)
    return future


def _packed(compute: Compute) -> bytes:
    """A function with the code of its own package, which workers need not have."""
    import cloudpickle  # noqa: PLC0415 - Dask brings it

    package = sys.modules.get(package_of(compute))
    if package is None or package.__name__ == "__main__":  # a script's code is sent by itself
        return bytes(cloudpickle.dumps(compute))
    is_new = package.__name__ not in cloudpickle.list_registry_pickle_by_value()
    cloudpickle.register_pickle_by_value(package)
    try:
        return bytes(cloudpickle.dumps(compute))
    finally:
        if is_new:
            cloudpickle.unregister_pickle_by_value(package)


def _replay_packed(packed: bytes, inputs: Inputs, chunk: Chunk) -> list[ReplayedDate]:
    """What a worker runs."""
    import cloudpickle  # noqa: PLC0415 - Dask brings it

    return replay_chunk(cloudpickle.loads(packed), inputs, chunk)


def _distributed() -> Any:  # noqa: ANN401 - an optional part
    try:
        import distributed  # noqa: PLC0415 - replays in this process do without
    except ImportError as error:
        raise ReplayError(
            "cluster: expected dask.distributed, which is not installed; install signoff[dask], or leave cluster out."
        ) from error
    return distributed
