"""Both versions and every configuration tried, in MLflow: parameters, metrics, features, model, training range.

`signoff.registry.register` writes what Signoff reads beside each model: its format, a known input and the output that
it gave when it was registered. That is how a rollback checks that the version it returns to still works. What inference
costs is measured by `signoff benchmark` and not declared here.
"""

import logging
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import lightgbm as lgb
import numpy as np
import polars as pl

from momentum.models import PREVIOUS, TRIED, Configuration, Floats, predict
from momentum.research import Progress, Research, sharpe
from momentum.walkforward import COST_BPS, EMBARGO, HORIZON, LAST_YEAR, fit_before, training_rows

if TYPE_CHECKING:
    from mlflow import MlflowClient

MODEL: Final = "momentum"
FROM_2019: Final = date(LAST_YEAR + 1, 1, 1)
RESEARCHER: Final = "Q. Ferrari"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version to register: what it is made from, and the aliases that name it."""

    version: str
    configuration: Configuration
    alias: str


def load(folder: Path) -> Callable[[pl.DataFrame], Floats]:
    """The prediction function of a registered model, from its downloaded artefacts."""
    model = lgb.Booster(model_file=str(folder / "model.txt"))
    names = model.feature_name()
    return lambda frame: predict(model, frame.select(names).to_numpy().astype(np.float64))


def registered(uri: str, version: str) -> lgb.Booster:
    """The model of a registered version, from the registry's own artefacts."""
    from mlflow import MlflowClient as Client  # noqa: PLC0415 - the import takes two seconds

    client = Client(tracking_uri=uri, registry_uri=uri)
    every = client.search_model_versions(f"name = '{MODEL}'")
    found, *again = (v for v in every if v.tags.get("version") == version)
    if again:
        numbers = ", ".join(str(v.version) for v in (found, *again))
        raise RuntimeError(f"Expected one registration of {MODEL} v{version}, found the numbers {numbers}.")
    with tempfile.TemporaryDirectory() as folder:
        return lgb.Booster(model_file=client.download_artifacts(str(found.run_id), "model/model.txt", folder))


def versions(research: Research) -> tuple[Version, Version]:
    """What trades, and what is to replace it."""
    return (
        Version(version="1.1.0", configuration=PREVIOUS, alias="champion"),
        Version(version="2.0.0", configuration=research.chosen, alias="candidate"),
    )


def register(research: Research, uri: str, artifacts: Path, git_commit: str, progress: Progress) -> None:
    """Log every configuration and both versions; what is there already is not logged again."""
    from mlflow import MlflowClient as Client  # noqa: PLC0415 - the import takes two seconds; only this step pays
    from mlflow.environment_variables import MLFLOW_DISABLE_TELEMETRY  # noqa: PLC0415
    from mlflow.telemetry import set_telemetry_client  # noqa: PLC0415

    MLFLOW_DISABLE_TELEMETRY.set(True)  # type: ignore[no-untyped-call]
    set_telemetry_client()  # type: ignore[no-untyped-call]
    for noisy in ("mlflow", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)

    client = Client(tracking_uri=uri, registry_uri=uri)
    experiment = client.get_experiment_by_name(MODEL)
    identity = (
        experiment.experiment_id
        if experiment
        else client.create_experiment(MODEL, artifact_location=artifacts.resolve().as_uri())
    )
    every = (PREVIOUS, *TRIED)
    for done, configuration in enumerate(every):
        progress(f"logging {configuration.name}", done, len(every) + 2)
        _log_once(
            client, identity, configuration.name, research.key, partial(_log_trial, client, research, configuration)
        )
    for done, version in enumerate(versions(research)):
        progress(f"registering v{version.version}", len(every) + done, len(every) + 2)
        name = f"{MODEL}-{version.version}"
        run = _log_once(client, identity, name, research.key, partial(_log_version, client, research, version))
        _register_once(client, research, version, run, uri, git_commit)


def _log_once(client: "MlflowClient", experiment: str, name: str, key: str, log: Callable[[str], None]) -> str:
    """A finished run of this name and study, or a new one; a run that was interrupted is deleted."""
    found = client.search_runs([experiment], f"attributes.run_name = '{name}' and tags.study = '{key}'", max_results=10)
    for run in found:
        if run.info.status == "FINISHED":
            return str(run.info.run_id)
        client.delete_run(run.info.run_id)
    run = client.create_run(experiment, run_name=name, tags={"study": key, "mlflow.user": RESEARCHER}).info.run_id
    log(run)
    client.set_terminated(run)
    return str(run)


def _log_trial(client: "MlflowClient", research: Research, configuration: Configuration, run: str) -> None:
    track = research.tracks[configuration.name]
    _parameters(client, run, research, configuration)
    client.log_metric(run, "walk_forward_sharpe", sharpe(track.returns))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "returns.parquet"
        pl.DataFrame({"date": research.panel.dates[track.rows], "return": track.returns}).write_parquet(path)
        client.log_artifact(run, str(path))


def _log_version(client: "MlflowClient", research: Research, version: Version, run: str) -> None:
    _parameters(client, run, research, version.configuration)
    client.log_metric(run, "walk_forward_sharpe", sharpe(research.tracks[version.configuration.name].returns))


def _register(research: Research, version: Version, run: str, uri: str, git_commit: str) -> None:
    """Train the version and register it with what it gave for the newest rows of its training."""
    from signoff.registry import Model  # noqa: PLC0415 - it imports MLflow, which takes two seconds
    from signoff.registry import register as register_model  # noqa: PLC0415

    configuration, data = version.configuration, research.panel
    model = fit_before(data, configuration, FROM_2019)
    rows = training_rows(data, configuration, FROM_2019)
    known = data.features[rows[-1]][:, data.columns(configuration.features)]
    frame = pl.DataFrame(known, schema=list(configuration.features))
    with tempfile.TemporaryDirectory() as name:
        file = Path(name) / "model.txt"
        model.save_model(file)
        register_model(
            Model(
                file=file,
                format="lightgbm-text",
                features=configuration.features,
                known_input=frame,
                known_output=predict(model, known).tolist(),
            ),
            uri=uri,
            name=MODEL,
            version=version.version,
            run_id=run,
            architecture=configuration.kind.value,
            training=(data.dates[rows[0]].item(), data.dates[rows[-1]].item()),
            git_commit=git_commit,
            tags={"runtime": f"python {platform.python_version()}, lightgbm {lgb.__version__}"},
        )


def _parameters(client: "MlflowClient", run: str, research: Research, configuration: Configuration) -> None:
    said = configuration.hyperparameters | {
        "rounds": configuration.rounds,
        "training_years": configuration.training_years,
        "feature_set": configuration.feature_set,
        "book": configuration.book.value,
        "holding_sessions": configuration.holding_sessions,
        "horizon_sessions": HORIZON,
        "embargo_sessions": EMBARGO,
        "cost_bps": COST_BPS,
        "symbols": len(research.panel.symbols),
    }
    for key, value in said.items():
        client.log_param(run, key, value)


def _register_once(
    client: "MlflowClient", research: Research, version: Version, run: str, uri: str, git_commit: str
) -> None:
    """Register the version unless its run is registered already, and let its alias name it."""
    if not _known(client, run):
        _register(research, version, run, uri, git_commit)
    (made,) = _known(client, run)
    if version.alias not in client.get_registered_model(MODEL).aliases:
        client.set_registered_model_alias(MODEL, version.alias, made)


def _known(client: "MlflowClient", run: str) -> list[str]:
    """The registry's numbers of what came from this run."""
    return [str(v.version) for v in client.search_model_versions(f"name = '{MODEL}'") if v.run_id == run]
