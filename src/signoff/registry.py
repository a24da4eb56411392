"""Register a model so that Signoff can bind, verify and restore it, and fetch exactly the approved bytes.

A version consists of one folder in the artefacts of an MLflow run: the model, `feature_schema.json` with the names of
its features in order, `inference.json` with its format, and a known input with the output that the model gave for it.
`register` writes this layout. `fetch` copies a pinned version into your folder and refuses any other bytes; a trading
process loads its model with it.

This module needs the extra `signoff[mlflow]`.
"""

import json
import math
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.environment_variables import MLFLOW_DISABLE_TELEMETRY, MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_USER

from signoff.adapters.mlflow_registry import (
    INFERENCE,
    TOLERANCE,
    MlflowRegistry,
    answering,
    connected,
    declared_in,
)
from signoff.adapters.model_files import hashed
from signoff.adapters.sandbox.child import Sandbox
from signoff.adapters.sandbox.models import FORMATS, PICKLE, UNOPENED
from signoff.adapters.sqlite_files import sqlite_file
from signoff.domain.artifacts import Artifact, OtherBytesError, Pin, pin_of
from signoff.domain.errors import BadInputError, RefusedError, SignoffError, UnavailableError
from signoff.domain.names import name_objection

__all__ = ["Model", "OtherBytesError", "Registered", "fetch", "pin_of", "register"]

FOLDER: Final = "model"
SCHEMA: Final = "feature_schema.json"
KNOWN_INPUT: Final = "known_input.parquet"
KNOWN_OUTPUT: Final = "known_output.parquet"
OWN: Final = frozenset({INFERENCE, SCHEMA, KNOWN_INPUT, KNOWN_OUTPUT})
NOT_THERE: Final = "RESOURCE_DOES_NOT_EXIST"
CHECK_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A trained model, with a known input and its output.

    `file` is the saved model, in one of the formats `lightgbm-text`, `xgboost-json`, `onnx` and `pickle` (such as one
    of scikit-learn); for the format `python` it is the module, and `loader` names `module:function` in it. `beside` are
    further files that it needs. Signoff unpickles nothing: the trading process alone opens a pickle, after its digest
    was checked, and the known output of a pickle is not checked at registration. `features` are the names of its inputs
    in order. `known_input` is a table with one column a feature and at least one row; `known_output` holds one finite
    prediction for each of these rows, as the model gave it.
    """

    file: Path
    format: str
    features: Sequence[str]
    known_input: pl.DataFrame
    known_output: Sequence[float]
    loader: str | None = None
    beside: Sequence[Path] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """A registered version: `pin` names its number, its run and every file with its SHA-256.

    `known_output` says whether the model reproduced it: "checked" with the rows and the model's isolation, else "not
    checked" and why.
    """

    version: str
    pin: Pin
    known_output: str = field(default="not checked", compare=False)

    @property
    def number(self) -> int:
        """The registry's own number."""
        return self.pin.number

    @property
    def run_id(self) -> str:
        return self.pin.run_id

    @property
    def digest(self) -> str:
        """The digest over all files, which the memo of a release prints."""
        return self.pin.digest


def register(
    model: Model,
    *,
    uri: str,
    name: str,
    version: str,
    run_id: str | None = None,
    experiment: str | None = None,
    artifacts: Path | None = None,
    parameters: Mapping[str, object] | None = None,
    metrics: Mapping[str, float] | None = None,
    architecture: str = "",
    training: tuple[date, date] | None = None,
    git_commit: str | None = None,
    user: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Registered:
    """Register a model under a new version, with all files that Signoff reads; returns its number and digest.

    `uri` names the tracking server or database. The files go to the run `run_id`, or to a new run of `experiment`
    (default: the model's name), which is made on first use with its artefacts in `artifacts` (default: beside the
    database, or where the server keeps them). `parameters`, `metrics`, `architecture`, the first and last day of the
    training data and the commit are what the memo compares with the version before; `user` names who trained it.

    The model is first run on its known input, in a child process as `signoff benchmark` runs it, and refused where it
    gives another output than `known_output`: a wrong order of the features shows there. `known_output` of the answer
    says so, or why it was not checked. Such a child loads nothing on a machine where it cannot be confined.

    The same model under the same run again changes nothing. Raises RefusedError where the version is registered
    already with other bytes or from another run, BadInputError for a model that is not as described above, and
    UnavailableError where the registry does not answer.
    """
    for named in (name, version):
        if (objection := name_objection(named)) is not None:
            raise BadInputError(f"{named[:40]!r} cannot be registered under this name: {objection}.")
    _refuse_odd_release(uri, training)
    client = _client(uri)
    with answering(uri), tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _lay_out(model, folder)
        files, _ = hashed(folder)
        checked = _known_output(model, folder)
        if (existing := _known(client, uri, name, version)) is not None:
            return replace(_the_same(version, existing, run_id, files), known_output=checked)
        described = {
            "version": version,
            "architecture": architecture,
            **({} if training is None else {"training_start": str(training[0]), "training_end": str(training[1])}),
            **({} if git_commit is None else {"git_commit": git_commit}),
            **({} if user is None else {MLFLOW_USER: user}),
            **(tags or {}),
        }
        is_own = run_id is None
        if run_id is None:
            where = _experiment(client, uri, experiment or name, artifacts)
            run_id = str(client.create_run(where, run_name=f"{name}-{version}").info.run_id)
        for key, value in described.items():
            client.set_tag(run_id, key, value)
        for key, parameter in (parameters or {}).items():
            client.log_param(run_id, key, parameter)
        for key, metric in (metrics or {}).items():
            client.log_metric(run_id, key, metric)
        client.log_artifacts(run_id, place, FOLDER)
        if is_own:
            client.set_terminated(run_id)
        created = _made(client, name, version, run_id)
    pin = Pin(model=name, number=int(created.version), run_id=run_id, files=files)
    return Registered(version=version, pin=pin, known_output=checked)


def fetch(pin: Pin, into: Path, *, uri: str, artifacts: tuple[str, ...] = ()) -> Path:
    """Copy the files of a pinned version into an empty folder; returns the model's path.

    Raises OtherBytesError if the registry holds other bytes than the pinned ones; it names each file with the expected
    and the found digest. No copied file is left then.
    """
    registry = MlflowRegistry.open(uri, artifacts=artifacts)
    if registry is None:
        raise UnavailableError(f"Expected a model registry at {uri}, found none. Name it by its URI.")
    into.mkdir(parents=True, exist_ok=True)
    if any(into.iterdir()):
        raise BadInputError(f"Expected an empty folder at {into}, found files in it. Name another.")
    try:
        return registry.fetch(pin, into)
    except BaseException:
        shutil.rmtree(into, ignore_errors=True)
        raise


def _client(uri: str) -> MlflowClient:
    """A client that may create a database file, unlike clients for reading."""
    MLFLOW_DISABLE_TELEMETRY.set(True)  # type: ignore[no-untyped-call]
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.set(True)  # type: ignore[no-untyped-call]
    if (client := connected(uri)) is not None:
        return client
    with answering(uri):
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _lay_out(model: Model, folder: Path) -> None:
    """Write the folder of a version and check each part."""
    _refuse_odd(model)
    for path in (model.file, *model.beside):
        if path.name in OWN or (folder / path.name).exists():
            raise BadInputError(f"{path}: expected a name of its own, found one that is taken. Rename the file.")
        if not path.is_file() or path.is_symlink():
            raise BadInputError(f"{path}: expected a file of the model, found none. Save the model there first.")
        shutil.copyfile(path, folder / path.name)
    model.known_input.select(list(model.features)).write_parquet(folder / KNOWN_INPUT)
    pl.DataFrame({"prediction": [float(one) for one in model.known_output]}).write_parquet(folder / KNOWN_OUTPUT)
    kinds = model.known_input.schema
    names = [{"name": feature, "type": str(kinds[feature]).lower()} for feature in model.features]
    (folder / SCHEMA).write_text(json.dumps({"features": names}, indent=1))
    says = {"format": model.format, "input": KNOWN_INPUT, "output": KNOWN_OUTPUT}
    says |= {"loader": model.loader} if model.loader is not None else {"model": model.file.name}
    (folder / INFERENCE).write_text(json.dumps(says, indent=1))
    declared_in(folder)


def _known_output(model: Model, folder: Path) -> str:
    """Whether the known output was checked; BadInputError if the model gives another one."""
    if model.format == PICKLE:
        return f"not checked: {UNOPENED}"
    try:
        with Sandbox(seconds=CHECK_S).start(folder) as child:
            recorded, predicted = (np.frombuffer(part) for part in child.model(declared_in(folder)))
            ran = child.protection
    except SignoffError as error:
        return f"not checked: {error}"
    if recorded.shape != predicted.shape:
        raise BadInputError(
            f"{model.file}: expected {recorded.size} predictions for the known input, the model gave {predicted.size}. "
            "One row gives one prediction."
        )
    off = np.flatnonzero(~(np.abs(predicted - recorded) <= TOLERANCE))
    if off.size:
        row = int(off[0])
        raise BadInputError(
            f"{model.file}: expected known_output as the model gives it for known_input, found a difference in "
            f"{off.size} of {recorded.size} rows, the first row {row}: known_output {recorded[row]:.9g}, the model "
            f"{predicted[row]:.9g}. Give what the model gave, with the features in the model's order."
        )
    return f"checked: {recorded.size} known rows; the model ran {ran.words}"


def _refuse_odd_release(uri: str, training: tuple[date, date] | None) -> None:
    if "://" not in uri:
        raise BadInputError(
            f"Expected the address of a tracking server or of a database, found {uri!r}. A database file is named as "
            f"sqlite:///{uri}."
        )
    if training is not None and training[1] < training[0]:
        raise BadInputError(f"Expected the first and the last day of training, found {training[0]} to {training[1]}.")


def _refuse_odd(model: Model) -> None:
    if model.format not in FORMATS:
        raise BadInputError(f"Expected a format among {', '.join(FORMATS)}, found {model.format!r}.")
    if (model.format == "python") != (model.loader is not None):
        raise BadInputError(
            f"Expected a loader for the format python alone, found {model.loader!r} for {model.format}."
        )
    names = list(model.features)
    if not names or len(set(names)) != len(names):
        raise BadInputError(f"Expected the names of the features, each once, found {names[:8]}.")
    if set(model.known_input.columns) != set(names):
        odd = sorted(set(model.known_input.columns) ^ set(names))
        raise BadInputError(f"Expected a known input with one column a feature, found a difference in {odd[:8]}.")
    for name in names:
        values = model.known_input[name]
        if values.null_count() or (values.dtype.is_float() and not values.is_finite().all()):
            raise BadInputError(f"Expected finite values in the known input, found others in the column {name}.")
    rows, outputs = model.known_input.height, [float(one) for one in model.known_output]
    if rows == 0 or len(outputs) != rows or not all(map(math.isfinite, outputs)):
        raise BadInputError(
            f"Expected one finite prediction for each row of the known input, found {len(outputs)} for {rows} rows, "
            f"{sum(not math.isfinite(one) for one in outputs)} of them not finite."
        )


def _known(client: MlflowClient, uri: str, name: str, version: str) -> Pin | None:
    """The pin that is already registered under this version, if any."""
    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != NOT_THERE:
            raise
        return None
    database = sqlite_file(uri)
    registry = MlflowRegistry.open(uri, artifacts=() if database is None else (str(database.parent),))
    artifacts = None if registry is None else registry.artifacts(name, version)
    return None if artifacts is None else artifacts.pin


def _the_same(version: str, existing: Pin, run_id: str | None, files: tuple[Artifact, ...]) -> Registered:
    """The existing version if it has the same files and run, else RefusedError."""
    differences = existing.differences(files)
    if not differences and run_id in {None, existing.run_id}:
        return Registered(version=version, pin=existing)
    because = "; ".join(differences[:3]) if differences else f"expected its run {existing.run_id}, found {run_id}"
    raise RefusedError(
        f"{existing.model} v{version} is registered already, as number {existing.number}: {because}. A second "
        "registration under one version is an alarm. Give this model a version of its own."
    )


def _experiment(client: MlflowClient, uri: str, name: str, artifacts: Path | None) -> str:
    if (experiment := client.get_experiment_by_name(name)) is not None:
        return str(experiment.experiment_id)
    database = sqlite_file(uri)
    if artifacts is None and database is not None:
        artifacts = database.resolve().parent / "artifacts"
    if artifacts is None:
        return str(client.create_experiment(name))
    artifacts.mkdir(parents=True, exist_ok=True)
    return str(client.create_experiment(name, artifact_location=artifacts.resolve().as_uri()))


def _made(client: MlflowClient, name: str, version: str, run_id: str) -> ModelVersion:
    try:
        client.get_registered_model(name)
    except MlflowException as error:
        if error.error_code != NOT_THERE:
            raise
        client.create_registered_model(name)
    source = f"{client.get_run(run_id).info.artifact_uri}/{FOLDER}"
    return client.create_model_version(name, source, run_id, tags={"version": version})
