"""The model registry in MLflow: versions as runs describe them, documents attached to them, and a look that they work.

A version is found by the tag `version` of its model version. A model that carries `inference.json` next to it can be
verified: the file names a loader `package.module:function`, a known input and the output recorded at registration.
"""

import importlib
import json
import logging
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.environment_variables import MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_USER

from signoff.domain.errors import NotFoundError, UnavailableError
from signoff.domain.evidence import RegisteredVersion
from signoff.domain.memo.standing import PreviousCheck

GOVERNANCE: Final = "governance"
REQUIRED: Final = (
    "model_card.md",
    "deployment_memo.pdf",
    "backtest_report.pdf",
    "validation_results.pdf",
    "repository.txt",
)
TOLERANCE: Final = 1e-9
_LOGIN: Final = re.compile(r"://[^/\s]*@")
NOBODY: Final = "unknown"


def connected(uri: str) -> MlflowClient | None:
    """A client of the tracking server or database at this URI, None where a database file does not exist yet."""
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        return None
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Standard error belongs to the command that was typed.
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set("false")  # type: ignore[no-untyped-call]
    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def users_of(run: Run) -> tuple[str, ...]:
    """Whom a run names as its maker; a client that says nothing leaves `unknown` behind, which names nobody."""
    said = (run.data.tags.get(MLFLOW_USER), run.info.user_id)
    return tuple(dict.fromkeys(user for user in said if user and user != NOBODY))


@contextmanager
def answering(uri: str) -> Iterator[None]:
    """Turn what MLflow raises into an error of ours that names the place."""
    try:
        yield
    except MlflowException as error:
        raise UnavailableError(f"The model registry at {bare(uri)} did not answer: {bare(error.message)}") from error


def bare(text: str) -> str:
    """An address, or words about one, without the name and password in it: what is said of it is kept and sent."""
    return _LOGIN.sub("://", text)


class MlflowRegistry:
    """A tracking server or database by URI; `sqlite:///` opens in-process."""

    def __init__(self, client: MlflowClient, uri: str) -> None:
        self._client = client
        self._uri = uri

    @classmethod
    def open(cls, uri: str) -> "MlflowRegistry | None":
        """The registry at this URI, None where a database file does not exist yet."""
        client = connected(uri)
        return None if client is None else cls(client, uri)

    def version(self, model: str, version: str) -> RegisteredVersion | None:
        """What the registry knows of a version."""
        with answering(self._uri):
            found = self._find(model, version)
            if found is None:
                return None
            run = self._client.get_run(_run_of(found))
            folder = self._model_folder(found, run)
            return RegisteredVersion(
                model=model,
                version=version,
                run_id=_run_of(found),
                experiment=self._client.get_experiment(run.info.experiment_id).name,
                parameters=dict(run.data.params),
                metrics=dict(run.data.metrics),
                features=self._features(_run_of(found), folder),
                training_start=_day(run.data.tags.get("training_start")),
                training_end=_day(run.data.tags.get("training_end")),
                git_commit=run.data.tags.get("git_commit"),
                architecture=run.data.tags.get("architecture", ""),
                tags=self._tags(run, found),
                aliases=tuple(self._client.get_model_version(model, found.version).aliases),
                artifacts=tuple(self._artifacts(_run_of(found))),
                model_uri=found.source or "",
                users=users_of(run),
            )

    def verify(self, model: str, version: str) -> PreviousCheck:
        """Load a version, run it on its known input, and compare with the output recorded at registration."""
        with answering(self._uri):
            found = self._find(model, version)
        if found is None:
            return PreviousCheck(version=version, run_id="", is_working=False, detail="not in the registry")
        try:
            detail, is_working = self._run_known_input(found)
        except Exception as error:  # noqa: BLE001 - any failure to load or run means that it does not work
            detail, is_working = f"{type(error).__name__}: {error}", False
        return PreviousCheck(version=version, run_id=_run_of(found), is_working=is_working, detail=detail)

    def attach(self, model: str, version: str, files: Mapping[str, bytes]) -> tuple[str, ...]:
        """Attach documents; the tag `governance_ready` is true only while every required one is there."""
        with answering(self._uri):
            found = self._find(model, version)
            if found is None:
                raise NotFoundError(f"Expected {model} v{version} in the registry, found no such version; register it.")
            with tempfile.TemporaryDirectory() as name:
                for file, content in files.items():
                    path = Path(name) / file
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                if files:
                    self._client.log_artifacts(_run_of(found), name, GOVERNANCE)
            return self._mark_ready(model, found)

    def point(self, model: str, alias: str, version: str) -> None:
        """Let an alias name a version."""
        with answering(self._uri):
            found = self._find(model, version)
            if found is None:
                raise NotFoundError(f"Expected {model} v{version} in the registry, found no such version.")
            self._client.set_registered_model_alias(model, alias, found.version)

    def _mark_ready(self, model: str, found: ModelVersion) -> tuple[str, ...]:
        there = set(self._artifacts(_run_of(found)))
        missing = tuple(name for name in REQUIRED if f"{GOVERNANCE}/{name}" not in there)
        tags = self._client.get_model_version(model, found.version).tags
        if not missing:
            self._client.set_model_version_tag(model, found.version, "governance_ready", "true")
        elif "governance_ready" in tags:
            self._client.delete_model_version_tag(model, found.version, "governance_ready")
        return missing

    def _tags(self, run: Run, found: ModelVersion) -> dict[str, str]:
        """The tags as they are, but never a readiness that the attached documents do not bear out."""
        tags = {k: v for k, v in {**run.data.tags, **found.tags}.items() if not k.startswith("mlflow.")}
        there = set(self._artifacts(_run_of(found)))
        if any(f"{GOVERNANCE}/{name}" not in there for name in REQUIRED):
            tags.pop("governance_ready", None)
        return tags

    def _find(self, model: str, version: str) -> ModelVersion | None:
        every = self._client.search_model_versions(f"name = '{model}'")
        mine = [v for v in every if v.tags.get("version") == version]
        return max(mine, key=lambda v: int(v.version), default=None)

    def _run_known_input(self, found: ModelVersion) -> tuple[str, bool]:
        run = self._client.get_run(_run_of(found))
        folder = self._model_folder(found, run)
        with tempfile.TemporaryDirectory() as name:
            local = Path(self._client.download_artifacts(_run_of(found), folder, name))
            says: dict[str, str] = json.loads((local / "inference.json").read_bytes())
            predict = _loaded(says["loader"], local)
            expected = pl.read_parquet(local / says["output"])["prediction"].to_numpy()
            found_values = np.asarray(predict(pl.read_parquet(local / says["input"])))
        worst = float(np.max(np.abs(found_values - expected)))
        rows = f"{expected.size} known rows, largest difference {worst:.1e}"
        return rows, bool(worst <= TOLERANCE)

    def _model_folder(self, found: ModelVersion, run: Run) -> str:
        """The model's artefact path within its run."""
        return (found.source or "").removeprefix(f"{run.info.artifact_uri}/") or "model"

    def _features(self, run_id: str, folder: str) -> tuple[str, ...]:
        path = f"{folder}/feature_schema.json"
        if path not in set(self._artifacts(run_id)):
            return ()
        with tempfile.TemporaryDirectory() as name:
            local = Path(self._client.download_artifacts(run_id, path, name))
            return tuple(str(feature["name"]) for feature in json.loads(local.read_bytes())["features"])

    def _artifacts(self, run_id: str, folder: str | None = None) -> Iterator[str]:
        for item in self._client.list_artifacts(run_id, folder):
            if item.is_dir:
                yield from self._artifacts(run_id, item.path)
            else:
                yield item.path


def _loaded(name: str, folder: Path) -> Any:  # noqa: ANN401 - the users' own prediction function
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)(folder)


def _run_of(found: ModelVersion) -> str:
    if found.run_id is None:
        raise NotFoundError(
            f"Expected {found.name} version {found.version} to name the run it came from; it names none."
        )
    return str(found.run_id)


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
