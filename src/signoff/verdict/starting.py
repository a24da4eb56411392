"""From people's files to the tables of a dossier, read as `verdict` reads them, each with a note.

The options become the dossier's declarations, so that `check` judges the same figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl
import yaml

from signoff.adapters.evidence.file_formats import SUFFIXES
from signoff.adapters.evidence.finding import NOTE
from signoff.adapters.evidence.tables import read_bytes
from signoff.adapters.results.conversion import with_note
from signoff.adapters.results.named_columns import AMOUNTS, plain
from signoff.adapters.results.series import DAY
from signoff.domain.dossier import EvidenceDeclaration
from signoff.domain.errors import BadInputError, SignoffError
from signoff.domain.floor import BUILT_IN
from signoff.verdict.evaluation import Asked, ReadData, read, said_as, understanding
from signoff.verdict.options import Options
from signoff.verdict.result import Understanding
from signoff.verdict.sources import given_file
from signoff.verdict.spoken import Face
from signoff.verdict.understanding import Understood, reads_as_trials

BACKTEST: Final = "backtest"
TRIALS: Final = "trials"
BENCHMARK: Final = "benchmark"
NAMES: Final = (BACKTEST, TRIALS, BENCHMARK)
SAY: Final = f"Say which each is: --from {BACKTEST}=FILE, --from {TRIALS}=FILE, --from {BENCHMARK}=FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """The files to write beside a dossier, their understanding, and their declarations."""

    files: Mapping[str, bytes]
    understood: Understanding
    declared: Mapping[str, str]
    notes: tuple[str, ...]


def started(texts: Sequence[str], options: Options) -> Start:
    """Read the files as `verdict` reads them. Ambiguous data raise BadInputError; nothing is written."""
    try:
        paths = recognised(texts, options)
        asked = Asked(returns=paths[BACKTEST], trials=paths.get(TRIALS), benchmark=paths.get(BENCHMARK))
        data = read(asked, options, BUILT_IN)
    except SignoffError as error:
        raise said_as(error, Face.COMMAND) from error
    own, left = _with_amounts(data.own, options)
    files = _written(BACKTEST, own, paths, data)
    if data.trials is not None:
        files |= _written(TRIALS, data.trials.frame, paths, data)
    words = understanding(data, Face.COMMAND)
    return Start(files=files, understood=words, declared=_declared(data.declared), notes=(*words.notes, *left))


def recognised(texts: Sequence[str], options: Options) -> dict[str, Path]:
    """The kind of each file: as named (`trials=FILE`), else by its columns."""
    paths: dict[str, Path] = {}
    for text in texts:
        name, _, rest = text.partition("=")
        path = Path(rest) if name in NAMES and rest else Path(text)
        if name not in NAMES or not rest:
            name = TRIALS if reads_as_trials(given_file(path, options)) else BACKTEST
        if name in paths:
            raise BadInputError(f"Expected one file of the {name}, found {paths[name]} and {path}. {SAY}.")
        paths[name] = path
    if BACKTEST not in paths:
        kind, one = next(iter(paths.items()))
        raise BadInputError(
            f"Expected the returns to judge, found {one} alone, which reads as {kind}. Give the returns too; where "
            f"they are one of its columns say --from {BACKTEST}={one} --from {TRIALS}={one} --column NAME."
        )
    return paths


def refuse_present(folder: Path, start: Start) -> None:
    """Refuse to write a table into a folder that has one of its name."""
    for name in {name.partition(".")[0] for name in start.files}:
        for other in (*(f"{name}{suffix}" for suffix in SUFFIXES), f"{name}.link", f"{name}{NOTE}"):
            if (folder / other).exists():
                raise BadInputError(
                    f"{folder / other} is there already; nothing was written. Choose another --dir, or remove it."
                )


def _with_amounts(own: Understood, options: Options) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The returns with turnover and cost if the file has them on the same days; else a note that they were not read."""
    table = given_file(Path(own.source), options).table
    named = {plain(name): name for name in table.columns if plain(name) in AMOUNTS}
    if not named:
        return own.frame, ()
    listed = ", ".join(named)
    unread = f"left unread: {listed}; `signoff import table` reads them"
    if table.frame[DAY].dtype != own.frame[DAY].dtype or table.frame[DAY].is_duplicated().any():
        return own.frame, (unread,)
    beside = table.frame.select(
        DAY, *(pl.col(name).cast(pl.Float64, strict=False).alias(key) for key, name in named.items())
    )
    joined = own.frame.join(beside, on=DAY, how="left", maintain_order="left")
    whole = not any(joined[key].is_null().any() for key in named)
    return (joined, ()) if whole else (own.frame, (unread,))


def _written(name: str, frame: pl.DataFrame, paths: Mapping[str, Path], data: ReadData) -> dict[str, bytes]:
    """The table, and the note of its source."""
    one = data.own if name == BACKTEST else data.trials
    assert one is not None
    of_table = (BACKTEST, BENCHMARK) if name == BACKTEST else (TRIALS,)
    sources = {path: read_bytes(path) for key in of_table if (path := paths.get(key)) is not None}
    note = {
        "format": "trades" if one.tool == "a list of trades" else "table",
        "tool": one.tool,
        "zone": one.zone,
        "unit": one.unit,
        "notes": [*one.notes, *one.dropped, *one.guessed],
    }
    return with_note(name, frame, sources, note)


def _declared(answers: EvidenceDeclaration) -> dict[str, str]:
    """The declarations as values of the dossier's section `evidence`."""
    values: dict[str, object] = {
        "return_unit": None if answers.return_unit is None else answers.return_unit.value,
        "frequency": None if answers.frequency is None else answers.frequency.value,
        "rows_a_year": answers.rows_a_year,
        "calendar": answers.calendar,
        "zone": answers.zone,
        "risk_free_pct": answers.risk_free_pct or None,
        "benchmark_lag": answers.benchmark_lag,
        "never_traded": None if answers.never_traded is None else {"trials": answers.never_traded.trials},
        "extreme_returns": [{"date": one.date, "value": one.value} for one in answers.extreme_returns] or None,
    }
    return {key: _flow(value) for key, value in values.items() if value is not None}


def _flow(value: object) -> str:
    """A value in one line of YAML."""
    text: str = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.removesuffix("\n").removesuffix("...").strip()
