"""Running the users' own feature function for the point-in-time check."""

import importlib
import sys
from pathlib import Path
from typing import Any, Final

import polars as pl

from signoff.domain.dossier import PitDeclaration
from signoff.domain.evidence import PitEvidence, PitFinding
from signoff.pit import check

SEED: Final = 0


def replay_features(folder: Path, declaration: PitDeclaration) -> PitEvidence:
    """Recompute the features of sampled dates without the future. What goes wrong is a result: it blocks."""
    try:
        compute = _function(declaration.compute, folder)
        inputs = {name: _table(folder / path) for name, path in declaration.inputs.items()}
        report = check(compute, inputs, sample=declaration.sample_dates, seed=SEED)
    except Exception as error:  # noqa: BLE001 - the users' code may raise anything, and any of it means not verified
        text = f"{type(error).__name__}: {error}"
        return PitEvidence(findings=(), dates_checked=0, features_checked=0, seed=SEED, error=text)
    return PitEvidence(
        findings=tuple(
            PitFinding(feature=f.feature, kind=f.kind, first_date=str(f.first_date), size=float(f.size)) for f in report
        ),
        dates_checked=report.dates_checked,
        features_checked=report.features_checked,
        seed=SEED,
    )


def _function(name: str, folder: Path) -> Any:  # noqa: ANN401 - the users' own function
    module, _, attribute = name.partition(":")
    here = str(folder)
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
