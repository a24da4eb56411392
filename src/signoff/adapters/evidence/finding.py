"""Which file of a dossier folder holds which part of the evidence; a file that almost does is never passed over."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signoff.adapters.evidence.tables import EvidenceTable, read, read_bytes
from signoff.domain.errors import BadInputError, SignoffError
from signoff.ledger.canonical import digest

Resolve = Callable[[str], Path]
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
SUFFIXES: Final = (".parquet", ".csv", ".arrow")
LINK: Final = ".link"
_ALIKE: Final = frozenset({".feather", ".ipc", ".pq", ".tsv", ".xlsx", ".csv.gz", ".parquet.gz", ".csv.zip"})
_POINTER: Final = re.compile(r"mlflow:(?P<run>[\w-]+)/(?P<path>[^\s]+)(?:\s+sha256:(?P<sha>[0-9a-f]{64}))?")


@dataclass(frozen=True, slots=True)
class Found:
    """A table of evidence, and the file of the folder that gave or named it."""

    table: EvidenceTable
    name: str
    content: bytes


def find_tables(folder: Path, resolve: Resolve | None) -> dict[str, Found]:
    """Every table of evidence by its name."""
    _refuse_almost(folder)
    paths = {name: path for name in TABLES if (path := _find(folder, name)) is not None}
    return {name: _read(path, folder, resolve) for name, path in paths.items()}


def _find(folder: Path, name: str) -> Path | None:
    """The file of this name with one of the known suffixes; two of them are refused."""
    named = [folder / f"{name}{suffix}" for suffix in (*SUFFIXES, LINK)]
    found = [path for path in named if path.exists() or path.is_symlink()]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise BadInputError(f"{folder}: expected one file of evidence named {name}, found {names}. Remove one.")
    return found[0] if found else None


def _refuse_almost(folder: Path) -> None:
    """`Trials.parquet` or `trials.feather` would read as "not provided", which nobody meant."""
    for path in sorted(folder.iterdir()):
        stem, dot, suffix = path.name.lower().partition(".")
        if stem not in TABLES or not dot:
            continue
        is_known = f".{suffix}" in {*SUFFIXES, LINK}
        if (is_known and path.name != path.name.lower()) or f".{suffix}" in _ALIKE:
            wanted = " or ".join(f"{stem}{known}" for known in SUFFIXES)
            raise BadInputError(f"{path}: expected {wanted}, found this name. Rename or convert it, or move it away.")


def _read(path: Path, folder: Path, resolve: Resolve | None) -> Found:
    if path.suffix != LINK:
        table = read(path, folder)
        return Found(table, path.name, table.content)
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadInputError(f"{path} points outside of {folder}; evidence lies inside the dossier's folder.")
    content = read_bytes(path)
    target = _resolved(path, content, resolve)
    return Found(read(target, target.parent), path.name, content)


def _resolved(path: Path, content: bytes, resolve: Resolve | None) -> Path:
    """The local copy of what a pointer names; its digest is checked where the pointer gives one."""
    text = content[:2000].decode(errors="replace").strip()
    match = _POINTER.fullmatch(text)
    if match is None or ".." in match["path"].split("/") or Path(match["path"]).suffix not in SUFFIXES:
        raise BadInputError(
            f"{path}: expected one line mlflow:RUN_ID/path to a {', '.join(SUFFIXES)} file, found {text[:60]!r}. "
            "Correct the pointer, or put the table itself into the folder."
        )
    pointer = f"mlflow:{match['run']}/{match['path']}"
    if resolve is None:
        raise BadInputError(
            f"{path}: expected a model registry to fetch {pointer} from, found none connected. Connect it, or put the "
            "table itself into the folder."
        )
    try:
        target = resolve(pointer)
        found = digest(read_bytes(target))
    except (OSError, SignoffError) as error:
        raise BadInputError(f"{path}: expected to fetch {pointer}, and cannot: {error}") from error
    if match["sha"] is not None and match["sha"] != found:
        raise BadInputError(
            f"{path}: expected {pointer} to have the sha256 {match['sha']}, found {found}. It is no longer what was "
            "pointed at."
        )
    return target
