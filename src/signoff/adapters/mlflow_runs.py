"""MLflow's runs as evidence: their users, their parameters, their end, and their logged files."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mlflow import MlflowClient
from mlflow.entities import Run, ViewType
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repo import ArtifactRepository
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

from signoff.adapters.artifact_places import ArtifactPlaces
from signoff.adapters.folder_files import read_inside
from signoff.adapters.mlflow_registry import answering, connected, users_of
from signoff.adapters.outside import bare
from signoff.domain.errors import BadInputError, NotFoundError
from signoff.ports.budget import USUAL, Budget
from signoff.ports.runs import RunStatus, TrackedRun

PARENT: Final = "mlflow.parentRunId"
PAGE: Final = 1000
_STATUS: Final = {"FINISHED": RunStatus.FINISHED, "FAILED": RunStatus.FAILED, "KILLED": RunStatus.FAILED}


class MlflowRuns:
    """The runs of a tracking server or database by URI."""

    def __init__(self, client: MlflowClient, uri: str, places: ArtifactPlaces) -> None:
        self._client = client
        self._uri = uri
        self._places = places
        self._locations: dict[str, str] = {}
        self._stores: dict[str, ArtifactRepository] = {}

    @classmethod
    def open(cls, uri: str, budget: Budget = USUAL, *, artifacts: tuple[str, ...] = ()) -> "MlflowRuns | None":
        """The runs at this URI; None if a database file does not exist yet; `artifacts` as for the registry."""
        client = connected(uri, budget)
        return None if client is None else cls(client, uri, ArtifactPlaces(registry=uri, allowed=artifacts))

    def run(self, run_id: str) -> TrackedRun:
        """One run."""
        with answering(self._uri):
            return _tracked(self._run(run_id))

    def children(self, run_id: str) -> tuple[TrackedRun, ...]:
        """Every run whose parent is this one, in any experiment."""
        with answering(self._uri):
            self._run(run_id)
            every = [e.experiment_id for e in self._client.search_experiments(view_type=ViewType.ALL)]
            return _in_order(self._search(every, f"tags.`{PARENT}` = '{run_id}'"))

    def of_experiment(self, name: str) -> tuple[TrackedRun, ...]:
        """Every run of the experiment."""
        with answering(self._uri):
            experiment = self._client.get_experiment_by_name(name)
            if experiment is None:
                raise NotFoundError(f"Expected an experiment {name!r} at {bare(self._uri)}, found none of this name.")
            return _in_order(self._search([experiment.experiment_id], ""))

    def files(self, run_id: str) -> tuple[str, ...]:
        """The files that the run logged outside of folders."""
        with answering(self._uri):
            return tuple(item.path for item in self._store(run_id).list_artifacts() if not item.is_dir)

    def content(self, run_id: str, path: str, *, limit: int) -> bytes:
        """The file's present content in the tracker's storage."""
        with answering(self._uri):
            store = self._store(run_id)
            folder = path.rpartition("/")[0] or None
            item = next((i for i in store.list_artifacts(folder) if i.path == path), None)
            if item is None or item.is_dir:
                raise NotFoundError(f"Expected the file {path} in run {run_id} at {bare(self._uri)}, found none.")
            if (item.file_size or 0) > limit:
                raise BadInputError(
                    f"{path} of run {run_id}: expected at most {limit:,} bytes, found {item.file_size:,}."
                )
            self._places.check_links(self._locations[run_id], path)
            with tempfile.TemporaryDirectory() as name:
                store.download_artifacts(path, name)  # type: ignore[no-untyped-call]
                return read_inside(Path(name) / path, Path(name), limit=limit)

    def _store(self, run_id: str) -> ArtifactRepository:
        """The storage of a run's files, looked up once: a family has hundreds of runs, and a look-up takes time."""
        if run_id not in self._stores:
            if run_id not in self._locations:
                self._remember(self._run(run_id))
            self._places.check(self._locations[run_id])
            self._stores[run_id] = get_artifact_repository(self._locations[run_id], tracking_uri=self._uri)
        return self._stores[run_id]

    def _remember(self, run: Run) -> Run:
        self._locations[run.info.run_id] = run.info.artifact_uri
        return run

    def _run(self, run_id: str) -> Run:
        try:
            return self._client.get_run(run_id)
        except MlflowException as error:
            if error.error_code not in {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}:
                raise
            raise NotFoundError(f"Expected a run {run_id} at {bare(self._uri)}, found none of this id.") from error

    def _search(self, experiments: list[str], condition: str) -> Iterator[Run]:
        token: str | None = None
        while True:
            page = self._client.search_runs(experiments, condition, ViewType.ALL, PAGE, page_token=token)
            yield from (self._remember(run) for run in page)
            token = page.token
            if not token:
                return


def _in_order(runs: Iterator[Run]) -> tuple[TrackedRun, ...]:
    return tuple(_tracked(run) for run in sorted(runs, key=lambda run: (run.info.start_time or 0, run.info.run_id)))


def _tracked(run: Run) -> TrackedRun:
    return TrackedRun(
        id=run.info.run_id,
        name=run.info.run_name or run.info.run_id,
        status=_STATUS.get(run.info.status, RunStatus.RUNNING),
        is_deleted=run.info.lifecycle_stage != "active",
        users=users_of(run),
        parent=run.data.tags.get(PARENT, ""),
        parameters=dict(run.data.params),
        tags={key: value for key, value in run.data.tags.items() if not key.startswith("mlflow.")},
    )
