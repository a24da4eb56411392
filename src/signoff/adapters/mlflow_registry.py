"""The model registry in MLflow: it describes versions, stores documents with them, and verifies that they work.

A version is found by the tag `version` of its model version, or by the registry's number. A pin uses the number, which
no later registration can carry, and its bytes are compared. A model with `inference.json` beside it can be verified:
the file names a format of a closed list, a known input, and the output recorded at registration. Any writer to the
registry can write these files, so a child process loads them and this process does not.
"""

import hashlib
import json
import logging
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.environment_variables import (
    MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT,
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
    MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
    MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER,
)
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_USER

from signoff.adapters.artifact_places import ArtifactPlaces, local_folder
from signoff.adapters.benchmarking import measure
from signoff.adapters.foreign_files import kind_of, read_regular
from signoff.adapters.model_files import hashed, refuse_others, stamped
from signoff.adapters.outside import bare
from signoff.adapters.sandbox.child import Sandbox
from signoff.adapters.sandbox.models import FORMATS, PICKLE, UNOPENED, Floats, known, predicted
from signoff.adapters.sqlite_files import sqlite_file
from signoff.domain.artifacts import Pin, PreviousCheck, RegisteredArtifacts
from signoff.domain.benchmark import Benchmark
from signoff.domain.errors import BadInputError, NotFoundError, SignoffError, UnavailableError
from signoff.domain.evidence import RegisteredModel, RegisteredVersion
from signoff.domain.isolation import IN_PLACE, Isolation, Protection
from signoff.ports.budget import USUAL, Budget

GOVERNANCE: Final = "governance"
REQUIRED: Final = (
    "model_card.md",
    "deployment_memo.pdf",
    "backtest_report.pdf",
    "validation_results.pdf",
    "repository.txt",
)
TOLERANCE: Final = 1e-9
INFERENCE: Final = "inference.json"
MOST_INFERENCE: Final = 100_000
MOST_SCHEMA: Final = 16 << 20
MOST_SAID: Final = 400
# Errors that concern one request and not the server: another request may succeed.
REFUSALS: Final = frozenset({"INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST", "RESOURCE_ALREADY_EXISTS"})
NOT_THERE: Final = "RESOURCE_DOES_NOT_EXIST"
NOBODY: Final = "unknown"
# Model versions per request; servers of other makers allow no more.
PAGE: Final = 200


def connected(uri: str, budget: Budget = USUAL) -> MlflowClient | None:
    """A client for the tracking server or database at this URI; None if a database file does not exist yet."""
    if (path := sqlite_file(uri)) is not None:
        if not path.exists():
            return None
        if not path.is_file():
            raise UnavailableError(f"Expected the model registry's database at {path}, found {kind_of(path)}.")
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # Standard error belongs to the command that was typed.
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set("false")  # type: ignore[no-untyped-call]
    _bound_requests(budget)
    with answering(uri):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _bound_requests(budget: Budget) -> None:
    """Bound MLflow's requests: by default it retries for minutes. It has one timeout for connecting and reading."""
    seconds = max(1, round(max(budget.connect_s, budget.read_s)))
    MLFLOW_HTTP_REQUEST_TIMEOUT.set(seconds)  # type: ignore[no-untyped-call]
    MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT.set(seconds)  # type: ignore[no-untyped-call]
    MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(1)  # type: ignore[no-untyped-call]
    MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR.set(0)  # type: ignore[no-untyped-call]
    MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER.set(False)  # type: ignore[no-untyped-call]


def users_of(run: Run) -> tuple[str, ...]:
    """The users that a run names as its makers; a client without a user writes `unknown`, which is left out."""
    names = (run.data.tags.get(MLFLOW_USER), run.info.user_id)
    return tuple(dict.fromkeys(user for user in names if user and user != NOBODY))


@contextmanager
def answering(uri: str) -> Iterator[None]:
    """Translate every error of MLflow and its libraries into one of ours that names the place."""
    try:
        yield
    except SignoffError:
        raise
    except MlflowException as error:
        if error.error_code in REFUSALS:
            raise BadInputError(f"The model registry at {bare(uri)} refused: {bare(error.message)}") from error
        raise UnavailableError(f"The model registry at {bare(uri)} did not answer: {bare(error.message)}") from error
    except Exception as error:  # another kind of server, a broken file or a broken answer can raise anything
        problem = bare(" ".join(f"{type(error).__name__}: {error}".split()))[:MOST_SAID]
        raise UnavailableError(
            f"Expected an answer of MLflow from the model registry at {bare(uri)}, found something else ({problem}). "
            "Look whether it is MLflow that answers there, and restore it from its backup if it is damaged."
        ) from error


class MlflowRegistry:
    """A tracking server or database by URI; `sqlite:///` opens in-process."""

    def __init__(self, client: MlflowClient, uri: str, sandbox: Sandbox, places: ArtifactPlaces) -> None:
        self._client = client
        self._uri = uri
        self._sandbox = sandbox
        self._places = places

    @classmethod
    def open(
        cls, uri: str, sandbox: Sandbox | None = None, budget: Budget = USUAL, *, artifacts: tuple[str, ...] = ()
    ) -> "MlflowRegistry | None":
        """The registry at this URI; None if a database file does not exist yet.

        `sandbox` says how models run; `artifacts` are further places where runs may store artefacts.
        """
        client = connected(uri, budget)
        places = ArtifactPlaces(registry=uri, allowed=artifacts)
        return None if client is None else cls(client, uri, sandbox or Sandbox(), places)

    def version(self, model: str, version: str, *, number: int | None = None) -> RegisteredVersion | None:
        """The registry's description of a version."""
        with answering(self._uri):
            registered = self._find(model, version, number)
            if registered is None:
                return None
            run = self._run(registered)
            folder, where = self._model_folder(registered, run), f"{model} v{version}"
            self._places.check_links(run.info.artifact_uri, folder)
            return RegisteredVersion(
                model=model,
                version=version,
                run_id=_run_of(registered),
                experiment=self._client.get_experiment(run.info.experiment_id).name,
                parameters=dict(run.data.params),
                metrics=dict(run.data.metrics),
                features=self._features(_run_of(registered), folder, where),
                training_start=_day(run.data.tags, "training_start", where),
                training_end=_day(run.data.tags, "training_end", where),
                git_commit=run.data.tags.get("git_commit"),
                architecture=run.data.tags.get("architecture", ""),
                tags=self._tags(run, registered),
                aliases=tuple(self._client.get_model_version(model, registered.version).aliases),
                artifacts=tuple(self._artifacts(_run_of(registered))),
                model_uri=registered.source or "",
                users=users_of(run),
                number=int(registered.version),
            )

    def artifacts(self, model: str, version: str, *, number: int | None = None) -> RegisteredArtifacts | None:
        """Every present file of a version's model, hashed here."""
        with answering(self._uri):
            registered = self._find(model, version, number)
            if registered is None:
                return None
            run = self._run(registered)
            folder = self._model_folder(registered, run)
            self._places.check_links(run.info.artifact_uri, folder)
            with tempfile.TemporaryDirectory() as name:
                files, contents = hashed(self._copied(run.info.run_id, folder, name), keeps=True)
            pin = Pin(model=model, number=int(registered.version), run_id=run.info.run_id, files=files)
            return RegisteredArtifacts(pin=pin, contents=contents)

    def stamp(self, model: str, version: str, *, number: int | None = None) -> str | None:
        """A mark that changes with a version's files: their stat on this machine, else the listed sizes."""
        with answering(self._uri):
            registered = self._find(model, version, number)
            if registered is None:
                return None
            run = self._run(registered)
            folder = self._model_folder(registered, run)
            if (local := local_folder(run.info.artifact_uri)) is not None:
                self._places.check_links(run.info.artifact_uri, folder)
                return stamped(local / folder)
            listed = sorted(self._sized(run.info.run_id, folder))
            return hashlib.sha256(repr(listed).encode()).hexdigest()

    def fetch(self, pin: Pin, into: Path) -> Path:
        """Copy the folder of a pinned model to an empty one; OtherBytesError if the registry has other bytes."""
        with answering(self._uri):
            registered = self._find(pin.model, "", pin.number)
            if registered is None:
                raise NotFoundError(f"Expected {pin.words} in the registry, found no such number. Restore it.")
            run = self._run(registered)
            folder = self._model_folder(registered, run)
            self._places.check_links(run.info.artifact_uri, folder)
            copied = self._copied(run.info.run_id, folder, str(into))
            refuse_others(copied, pin)
            return copied

    def verify(self, model: str, version: str, *, pin: Pin | None = None) -> PreviousCheck:
        """Load a version, run it on its known input, and compare with the output recorded at registration.

        The pin is checked before the model runs.
        """
        with answering(self._uri):
            registered = self._find(model, version, None if pin is None else pin.number)
        if registered is None:
            gone = "not in the registry" if pin is None else f"number {pin.number} is not in the registry any more"
            return PreviousCheck(version=version, run_id="", is_working=False, detail=gone)
        try:
            is_working: bool | None
            detail, is_working = self._run_known_input(registered, pin)
        except Exception as error:  # noqa: BLE001 - any failure to load or run means that it does not work
            detail, is_working = (
                str(error) if isinstance(error, SignoffError) else f"{type(error).__name__}: {error}",
                False,
            )
        return PreviousCheck(version=version, run_id=_run_of(registered), is_working=is_working, detail=detail)

    def benchmark(self, model: str, version: str, *, calls: int, now: Callable[[], datetime]) -> Benchmark:
        """Measure a registered version in a child process of this machine."""
        with tempfile.TemporaryDirectory() as name:
            folder, pin = self._fetched(model, version, name)
            if not (folder / INFERENCE).exists():
                raise BadInputError(
                    f"Expected {INFERENCE} beside the model of {model} v{version} (registered version {pin.number}), "
                    "found none: it says how the model is loaded and run. Log it with the model and register again."
                )
            declared = declared_in(folder)
            if declared["format"] == PICKLE:
                raise BadInputError(f"{model} v{version} cannot be measured: {UNOPENED}.")
            return measure(folder, declared, pin, version, self._sandbox, calls=calls, now=now, tolerance=TOLERANCE)

    def _fetched(self, model: str, version: str, into: str) -> tuple[Path, Pin]:
        """Copy a version's present model to this folder; return the copy and the registration."""
        with answering(self._uri):
            registered = self._find(model, version)
            if registered is None:
                raise NotFoundError(
                    f"Expected {model} v{version} in the model registry at {bare(self._uri)}, found no such version; "
                    "register it."
                )
            run = self._run(registered)
            folder = self._model_folder(registered, run)
            self._places.check_links(run.info.artifact_uri, folder)
            local = self._copied(run.info.run_id, folder, into)
            files, _ = hashed(local)
            return local, Pin(model=model, number=int(registered.version), run_id=run.info.run_id, files=files)

    def attach(
        self, model: str, version: str, files: Mapping[str, bytes], *, number: int | None = None
    ) -> tuple[str, ...]:
        """Attach documents; the tag `governance_ready` is true only while every required one is there."""
        with answering(self._uri):
            registered = self._find(model, version, number)
            if registered is None:
                raise NotFoundError(f"Expected {model} v{version} in the registry, found no such version; register it.")
            self._run(registered)
            with tempfile.TemporaryDirectory() as name:
                for file, content in files.items():
                    path = Path(name) / file
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                if files:
                    self._client.log_artifacts(_run_of(registered), name, GOVERNANCE)
            return self._mark_ready(model, registered)

    def point(self, model: str, alias: str, version: str, *, number: int | None = None) -> None:
        """Point an alias at a version."""
        with answering(self._uri):
            registered = self._find(model, version, number)
            if registered is None:
                which = f"{model} v{version}" if number is None else f"number {number} of {model} (v{version})"
                raise NotFoundError(f"Expected {which} in the registry, found no such version.")
            self._client.set_registered_model_alias(model, alias, registered.version)

    def registered(self, model: str, alias: str, versions: Collection[str]) -> RegisteredModel:
        """The existing ones of these versions, and the version that an alias names."""
        with answering(self._uri):
            is_registered, aliased = self._aliased(model, alias)
            numbers = {version: self._numbers(model, version) for version in versions} if is_registered else {}
            missing = [version for version in versions if not numbers.get(version)]
            return RegisteredModel(
                is_registered=is_registered,
                numbers={version: each[-1] for version, each in numbers.items() if each},
                registrations={version: each for version, each in numbers.items() if each},
                alias_number=None if aliased is None else int(aliased.version),
                alias_version="" if aliased is None else aliased.tags.get("version", ""),
                namesakes=self._namesakes(model, missing),
            )

    def _aliased(self, model: str, alias: str) -> tuple[bool, ModelVersion | None]:
        """Whether the model is registered, and the version that an alias of it names."""
        try:
            return True, self._client.get_model_version_by_alias(model, alias)
        except MlflowException as error:
            if error.error_code not in REFUSALS:
                raise
        try:
            self._client.get_registered_model(model)
        except MlflowException as error:
            if error.error_code != NOT_THERE:
                raise
            return False, None
        return True, None

    def _namesakes(self, model: str, missing: list[str]) -> tuple[str, ...]:
        """Other models that have every missing version: a renamed model is found under its new name."""
        if not missing:
            return ()
        having = [{one.name for one in self._tagged("", version)} for version in missing]
        return tuple(sorted(set.intersection(*having) - {model}))

    def _mark_ready(self, model: str, registered: ModelVersion) -> tuple[str, ...]:
        attached = set(self._artifacts(_run_of(registered)))
        missing = tuple(name for name in REQUIRED if f"{GOVERNANCE}/{name}" not in attached)
        tags = self._client.get_model_version(model, registered.version).tags
        if not missing:
            self._client.set_model_version_tag(model, registered.version, "governance_ready", "true")
        elif "governance_ready" in tags:
            self._client.delete_model_version_tag(model, registered.version, "governance_ready")
        return missing

    def _tags(self, run: Run, registered: ModelVersion) -> dict[str, str]:
        """The tags; `governance_ready` is dropped unless every required document is attached."""
        tags = {k: v for k, v in {**run.data.tags, **registered.tags}.items() if not k.startswith("mlflow.")}
        attached = set(self._artifacts(_run_of(registered)))
        if any(f"{GOVERNANCE}/{name}" not in attached for name in REQUIRED):
            tags.pop("governance_ready", None)
        return tags

    def _find(self, model: str, version: str, number: int | None = None) -> ModelVersion | None:
        """The version with this number, whatever its tags; without a number, the latest version with the tag."""
        if number is not None:
            return self._numbered(model, number)
        return max(self._mine(model, version), key=lambda v: int(v.version), default=None)

    def _numbered(self, model: str, number: int) -> ModelVersion | None:
        try:
            return self._client.get_model_version(model, str(number))
        except MlflowException as error:
            if error.error_code != NOT_THERE:
                raise
            return None

    def _numbers(self, model: str, version: str) -> tuple[int, ...]:
        """The number of every registration that has this tag, in order."""
        return tuple(sorted(int(one.version) for one in self._mine(model, version)))

    def _mine(self, model: str, version: str) -> Iterator[ModelVersion]:
        if "'" in model:
            raise BadInputError(
                f"Expected a model's name without a quotation mark, found {model!r}; MLflow finds none."
            )
        return self._tagged(f"name = '{model}' AND ", version)

    def _tagged(self, within: str, version: str) -> Iterator[ModelVersion]:
        """Every model version with this tag, page after page.

        Tags are compared again here, since a registry may ignore case.
        """
        quote = '"' if "'" in version else "'"
        if quote in version:
            raise BadInputError(f"Expected a version without both kinds of quotation marks, found {version!r}.")
        asked, token = f"{within}tags.`version` = {quote}{version}{quote}", None
        while True:
            page = self._client.search_model_versions(asked, max_results=PAGE, page_token=token)
            yield from (one for one in page if one.tags.get("version") == version)
            if not (token := page.token):
                return

    def _run_known_input(self, registered: ModelVersion, pin: Pin | None) -> tuple[str, bool | None]:
        run = self._run(registered)
        folder = self._model_folder(registered, run)
        self._places.check_links(run.info.artifact_uri, folder)
        with tempfile.TemporaryDirectory() as name:
            local = self._copied(_run_of(registered), folder, name)
            if pin is not None:
                refuse_others(local, pin)
            declared = declared_in(local)
            if declared["format"] == PICKLE:
                return UNOPENED, None
            expected, predicted_now, ran = self._ran(local, declared)
        if expected.shape != predicted_now.shape or not expected.size:
            return f"expected {expected.size} predictions for its known rows, found {predicted_now.size}", False
        worst = float(np.max(np.abs(predicted_now - expected)))
        rows = f"{expected.size} known rows, largest difference {worst:.1e}"
        return rows + ("" if ran.is_full else f"; the model ran {ran.words}"), bool(worst <= TOLERANCE)

    def _copied(self, run_id: str, folder: str, into: str) -> Path:
        """The model's folder, copied into an empty one; a folder without a file where the registry has none."""
        if not any(True for _ in self._artifacts(run_id, folder)):
            (empty := Path(into, "model")).mkdir()
            return empty
        return Path(self._client.download_artifacts(run_id, folder, into))

    def _run(self, registered: ModelVersion) -> Run:
        """The run of a version; UnavailableError if its artefacts are stored where artefacts may not be."""
        run = self._client.get_run(_run_of(registered))
        self._places.check(run.info.artifact_uri)
        return run

    def _ran(self, folder: Path, declared: dict[str, str]) -> tuple[Floats, Floats, Protection]:
        """The recorded output, the model's present output, and the protection under which it ran."""
        if self._sandbox.isolation is Isolation.TRUSTED:
            expected, case = known(str(folder), declared)
            return expected, predicted(case), IN_PLACE
        with self._sandbox.start(folder) as child:
            recorded, predictions = child.model(declared)
            return np.frombuffer(recorded), np.frombuffer(predictions), child.protection

    def _model_folder(self, registered: ModelVersion, run: Run) -> str:
        """The model's artefact path within its run; the registered source may point out of it, and is refused then."""
        root = f"{run.info.artifact_uri.rstrip('/')}/"
        source = (registered.source or "").replace(f"runs:/{run.info.run_id}/", root, 1)
        if not source.startswith(root):
            return "model"
        beneath = source.removeprefix(root)
        if any(part in {"", ".", ".."} for part in unquote(beneath).split("/")):
            raise UnavailableError(
                f"Expected the model of {registered.name} version {registered.version} beneath the artefacts of its "
                f"run, found {bare(source)[:200]}; nothing there was read. Register the version from its own run."
            )
        return beneath

    def _features(self, run_id: str, folder: str, where: str) -> tuple[str, ...]:
        """The names in the model's `feature_schema.json`; empty without such a file."""
        path = f"{folder}/feature_schema.json"
        sizes = {item.path: item.file_size for item in self._client.list_artifacts(run_id, folder) if not item.is_dir}
        if path not in sizes:
            return ()
        if (size := sizes[path] or 0) > MOST_SCHEMA:
            raise BadInputError(
                f"{path} of {where} in the registry: expected at most {MOST_SCHEMA:,} bytes, found {size:,}."
            )
        with tempfile.TemporaryDirectory() as name:
            local = Path(self._client.download_artifacts(run_id, path, name))
            return _feature_names(read_regular(local, limit=MOST_SCHEMA), f"{path} of {where} in the registry")

    def _artifacts(self, run_id: str, folder: str | None = None) -> Iterator[str]:
        return (path for path, _ in self._sized(run_id, folder))

    def _sized(self, run_id: str, folder: str | None = None) -> Iterator[tuple[str, int]]:
        for item in self._client.list_artifacts(run_id, folder):
            if item.is_dir:
                yield from self._sized(run_id, item.path)
            else:
                yield item.path, item.file_size or 0


def declared_in(folder: Path) -> dict[str, str]:
    """The checked content of `inference.json`; a loader without a format means the Python flavour."""
    content = read_regular(folder / INFERENCE, limit=MOST_INFERENCE)
    content_of = json.loads(content)
    if not isinstance(content_of, dict):
        raise BadInputError(f"{INFERENCE}: expected a mapping of keys, found {type(content_of).__name__}.")
    content_of.setdefault("format", "python" if "loader" in content_of else "")
    wanted = ("format", "input", "output", "loader" if content_of["format"] == "python" else "model")
    declared = {key: content_of.get(key) for key in wanted}
    if missing := [key for key, value in declared.items() if not isinstance(value, str) or not value]:
        raise BadInputError(f"{INFERENCE}: expected a text for {', '.join(missing)}, found none.")
    if declared["format"] not in FORMATS:
        raise BadInputError(
            f"{INFERENCE}: expected a format among {', '.join(FORMATS)}, found {declared['format']!r}. Save the model "
            "in one of these."
        )
    for key in ("input", "output", "model"):
        if "/" in (name := str(declared.get(key, ""))) or name in {".", ".."} or "\0" in name:
            raise BadInputError(f"{INFERENCE}: expected {key} as a file's name beside it, found {name!r}.")
    return {key: str(value) for key, value in declared.items()}


def _run_of(registered: ModelVersion) -> str:
    if registered.run_id is None:
        raise NotFoundError(
            f"Expected {registered.name} version {registered.version} to name the run it came from; it names none."
        )
    return str(registered.run_id)


def _feature_names(content: bytes, where: str) -> tuple[str, ...]:
    """The names that a schema lists: `{"features": [{"name": "momentum_12m"}, …]}`."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{where}: expected JSON, found something else ({error}). Log it again.") from error
    listed = data.get("features") if isinstance(data, dict) else None
    if not isinstance(listed, list):
        raise BadInputError(f'{where}: expected an object with a list "features", found {_shape(data)}. Log it again.')
    for number, feature in enumerate(listed):
        name = feature.get("name") if isinstance(feature, dict) else None
        if not isinstance(name, str) or not name:
            raise BadInputError(
                f'{where}: expected a text "name" in features[{number}], found {_shape(feature)}. Log it again.'
            )
    return tuple(feature["name"] for feature in listed)


def _shape(value: object) -> str:
    return f"an object with the keys {sorted(map(str, value))[:8]}" if isinstance(value, dict) else repr(value)[:80]


def _day(tags: Mapping[str, str], tag: str, where: str) -> date | None:
    """The day in a tag; None without the tag."""
    if not (text := tags.get(tag)):
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError as error:
        raise BadInputError(
            f"The tag {tag} of {where} in the registry: expected a day such as 2009-01-02, found {text[:80]!r}. Set it "
            "again."
        ) from error
