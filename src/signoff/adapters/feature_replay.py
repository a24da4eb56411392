"""Running the users' own feature function for the point-in-time check, and the audits of what a replay cannot see."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl

from signoff.domain.dossier import PitDeclaration
from signoff.domain.errors import BadInputError, SignoffError
from signoff.domain.evidence import PitAudit, PitEvidence, PitFinding, Predictions
from signoff.pit import Finding, PitReport, check, purge, replay_versions, restatements, skew, survivorship
from signoff.pit.errors import ReplayError

SEED: Final = 0


def replay_features(folder: Path, declaration: PitDeclaration, predictions: Predictions | None) -> PitEvidence:
    """Recompute the features of sampled dates without the future. What goes wrong is a result: it blocks."""
    try:
        compute = _function(declaration.compute, folder)
        inputs = {name: _table(folder / path) for name, path in declaration.inputs.items()}
        report = check(compute, inputs, sample=declaration.sample_dates, seed=SEED)
        audits = tuple(_audits(folder, declaration, compute, inputs, predictions))
    except Exception as error:  # noqa: BLE001 - the users' code may raise anything, and any of it means not verified
        text = f"{type(error).__name__}: {error}"
        return PitEvidence(findings=(), dates_checked=0, features_checked=0, seed=SEED, error=text)
    return PitEvidence(
        findings=tuple(_finding(f) for found in (report, *(audit for _, audit in audits)) for f in found),
        dates_checked=report.dates_checked,
        features_checked=report.features_checked,
        seed=SEED,
        audits=tuple(
            PitAudit(
                name=name,
                dates_checked=found.dates_checked,
                features_checked=found.features_checked,
                rows_checked=found.rows_checked,
                findings=len(found),
            )
            for name, found in audits
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FullReplay:
    """How much of the history to replay, where, and which file remembers what is done."""

    dates: int
    dates_per_chunk: int = 8
    symbols_per_chunk: int | None = None
    cluster: str | None = None
    journal: Path | None = None


def replay_folders(
    folders: Mapping[str, tuple[Path, PitDeclaration]], how: FullReplay, progress: Callable[[int, int], None]
) -> dict[str, PitReport]:
    """The features of one or several versions over long histories; folders with the same inputs share their work.

    Raises BadInputError for what cannot be replayed: here somebody asked for it, and no verdict depends on it.
    """
    try:
        versions = {name: _function(declared.compute, folder) for name, (folder, declared) in folders.items()}
        tables = [
            {name: _table(folder / path) for name, path in declared.inputs.items()}
            for folder, declared in folders.values()
        ]
        return replay_versions(
            versions,
            _the_same(tables),
            sample=how.dates,
            seed=SEED,
            dates_per_chunk=how.dates_per_chunk,
            symbols_per_chunk=how.symbols_per_chunk,
            cluster=how.cluster,
            journal=how.journal,
            progress=progress,
        )
    except SignoffError:
        raise
    except Exception as error:
        raise BadInputError(f"The features could not be replayed: {type(error).__name__}: {error}") from error


def _the_same(tables: Sequence[dict[str, pl.DataFrame]]) -> dict[str, pl.DataFrame]:
    first, *others = tables
    for other in others:
        if first.keys() != other.keys() or any(not table.equals(other[name]) for name, table in first.items()):
            raise ReplayError("the folders have different inputs; replay each of them by itself.")
    return first


def _audits(
    folder: Path,
    declaration: PitDeclaration,
    compute: Any,  # noqa: ANN401 - the users' own function
    inputs: dict[str, pl.DataFrame],
    predictions: Predictions | None,
) -> Iterator[tuple[str, PitReport]]:
    """Each audit whose files the dossier names."""
    audits = declaration.audits
    if audits.first_prints:
        first_prints = {name: _table(folder / path) for name, path in audits.first_prints.items()}
        yield "restatements", restatements(first_prints, inputs, compute=compute)
    if audits.membership is not None:
        members = _table(folder / audits.membership)
        yield "survivorship", survivorship(members, _traded(predictions), warm_up=audits.warm_up_dates)
    if audits.training_labels is not None and audits.test_windows is not None:
        yield "purge and embargo", purge(_table(folder / audits.training_labels), _table(folder / audits.test_windows))
    if audits.live_features is not None:
        live = _table(folder / audits.live_features)
        first, last = live["timestamp"].min(), live["timestamp"].max()
        recomputed = compute(inputs).filter(pl.col("timestamp").is_between(first, last))
        yield "train/serve skew", skew(live, recomputed)


def _traded(predictions: Predictions | None) -> pl.DataFrame:
    if predictions is None:
        raise ReplayError("validation.pit.audits.membership is held against the file `predictions`, which is missing.")
    when = pl.Series(predictions.timestamps).dt.replace_time_zone("UTC")
    return pl.DataFrame({"timestamp": when, "symbol": predictions.symbols.tolist()})


def _finding(found: Finding) -> PitFinding:
    return PitFinding(
        feature=found.feature,
        kind=found.kind,
        first_date=str(found.first_date),
        size=float(found.size),
        detail=found.detail,
        n=found.n,
        of=found.of,
    )


def _function(name: str, folder: Path) -> Any:  # noqa: ANN401 - the users' own function
    """`package.module:function`, from the folder where it lies there: two folders may use one name for two modules."""
    module, _, attribute = name.partition(":")
    here, top = str(folder), module.partition(".")[0]
    if (folder / f"{top}.py").exists() or (folder / top).is_dir():
        for known in [loaded for loaded in sys.modules if loaded == top or loaded.startswith(f"{top}.")]:
            del sys.modules[known]
        importlib.invalidate_caches()
    sys.path.insert(0, here)
    try:
        return getattr(importlib.import_module(module), attribute)
    finally:
        sys.path.remove(here)


def _table(path: Path) -> pl.DataFrame:
    match path.suffix:
        case ".parquet":
            return pl.read_parquet(path)
        case ".arrow":
            return pl.read_ipc(path)
        case _:
            return pl.read_csv(path, try_parse_dates=True)
