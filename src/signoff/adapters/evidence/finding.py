"""Finds the files of evidence in a dossier folder; a nearly matching name is refused and never ignored."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from signoff.adapters.evidence.file_formats import SUFFIXES
from signoff.adapters.evidence.pointers import FETCHED, LINK, fetch, kept
from signoff.adapters.evidence.tables import EvidenceTable, read, read_bytes
from signoff.domain.costs import BEFORE_FEES, Costs
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import TrackedTable
from signoff.ports.runs import Runs

NOTE: Final = ".import.json"
TABLES: Final = (
    "backtest",
    "backtest_previous",
    "trials",
    "predictions",
    "predictions_previous",
    "paper",
    "paper_returns",
    "positions",
    "stress",
    "asset_returns",
)
_WORKBOOKS: Final = frozenset({".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"})
_ALIKE: Final = _WORKBOOKS | {".ipc", ".pq", ".tsv", ".txt", ".parquet.gz", ".csv.zip", ".pkl", ".pickle", ".json"}


@dataclass(frozen=True, slots=True)
class FoundTable:
    """A table of evidence, and every file that it rests on, by its name in the manifest."""

    table: EvidenceTable
    files: Mapping[str, bytes]
    tracked: TrackedTable | None = None


def find_tables(folder: Path, runs: Runs | None, *, is_kept: bool = False) -> dict[str, FoundTable]:
    """Every table of evidence by its name; in a stored submission, pointers are read as they were fetched."""
    _refuse_almost(folder)
    if not is_kept and (folder / FETCHED).exists():
        raise BadInputError(
            f"{folder / FETCHED}: expected no such folder, since Signoff alone writes it where it keeps a submission. "
            "Move it away, or point at the run with a .link file."
        )
    paths = {name: path for name in TABLES if (path := _find(folder, name)) is not None}
    return {name: _read(path, folder, runs, is_kept=is_kept) for name, path in paths.items()}


def _find(folder: Path, name: str) -> Path | None:
    """The file of this name with a known suffix; two are refused."""
    named = [folder / f"{name}{suffix}" for suffix in (*SUFFIXES, LINK)]
    present = [path for path in named if path.exists() or path.is_symlink()]
    if len(present) > 1:
        names = " and ".join(path.name for path in present)
        raise BadInputError(f"{folder}: expected one file of evidence named {name}, found {names}. Remove one.")
    return present[0] if present else None


def _refuse_almost(folder: Path) -> None:
    """Refuse names such as `Trials.parquet` or `trials.ipc`, which would be ignored as "not provided"."""
    for path in sorted(folder.iterdir()):
        stem, dot, suffix = path.name.lower().partition(".")
        if stem not in TABLES or not dot:
            continue
        is_known = f".{suffix}" in {*SUFFIXES, LINK}
        if (is_known and path.name != path.name.lower()) or f".{suffix}" in _ALIKE:
            wanted = " or ".join(f"{stem}{ending}" for ending in SUFFIXES)
            if f".{suffix}" in _WORKBOOKS:
                raise BadInputError(
                    f"{path}: expected {wanted}, found a workbook. Convert returns and trials with `signoff import "
                    "table FILE --out DIR`, and save other tables as CSV."
                )
            raise BadInputError(
                f"{path}: expected {wanted}, found this name. Rename it, convert it (`signoff import` reads "
                "the results of other tools), or move it away."
            )


def _read(path: Path, folder: Path, runs: Runs | None, *, is_kept: bool) -> FoundTable:
    if path.suffix != LINK:
        table = read(path, folder)
        note, costs = _note_of(path, table)
        return FoundTable(replace(table, imported_costs=costs), {path.name: table.content, **note})
    text = read_bytes(path, folder)
    fetched = kept(path) if is_kept else fetch(path, text, runs)
    return FoundTable(fetched.table, {path.name: text, **fetched.files}, fetched.tracked)


def _note_of(path: Path, table: EvidenceTable) -> tuple[dict[str, bytes], Costs | None]:
    """The note of `signoff import` beside a table; refused if the table changed since.

    The second value is its statement about costs; None without one.
    """
    note = path.with_name(f"{path.name.partition('.')[0]}{NOTE}")
    if not (note.exists() or note.is_symlink()):
        return {}, None
    content = read_bytes(note, note.parent)
    try:
        read = json.loads(content)
        noted, costs = read["table_sha256"], _costs(read, table)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInputError(
            f"{note}: expected the note of `signoff import`, found another text. Import again."
        ) from error
    if noted != table.source.sha256:
        raise BadInputError(
            f"{path}: expected the table that {note.name} was written for, found one that was changed since. Import it "
            "again, or remove the note if the table is no longer the imported one."
        )
    return {note.name: content}, costs


def _costs(note: Mapping[str, object], table: EvidenceTable) -> Costs | None:
    """The costs that an import of trades recorded: fees or no fees. Fees of 0 show neither."""
    notes = note.get("notes")
    if note.get("format") != "trades" or not isinstance(notes, list):
        return None
    if BEFORE_FEES in notes:
        return Costs.BEFORE
    fees = table.numbers("cost") if "cost" in table.frame.columns else np.zeros(1)
    return Costs.IMPORTED if fees.any() else None
