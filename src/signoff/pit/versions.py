"""Replays over many versions, dates and symbols: cut into chunks, run here or on a cluster, and resumable.

The report of a version does not depend on the chunks, the workers, or the resumptions. Each run computes the features
of the full inputs anew, twice for each version, to show that a journal is still of the same function.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import polars as pl

from signoff.pit.digests import digest_of
from signoff.pit.errors import ReplayError
from signoff.pit.features import Compute, computed, gaps
from signoff.pit.journal import Journal
from signoff.pit.knowledge import Inputs, latest_knowledge
from signoff.pit.replay import Chunk, Progress, ReplayedDate, ReplayPlan, rows_of
from signoff.pit.report import PitReport
from signoff.pit.workers import Task, Workers, workers_at

_FORMAT: Final = "signoff replay 1"


def replay_versions(
    versions: Mapping[str, Compute],
    inputs: Inputs,
    *,
    sample: int = 50,
    seed: int = 0,
    tolerance: float = 1e-9,
    from_times: Collection[str] = (),
    dates_per_chunk: int = 8,
    symbols_per_chunk: int | None = None,
    cluster: str | None = None,
    journal: Path | None = None,
    progress: Progress | None = None,
) -> dict[str, PitReport]:
    """Check several versions of a feature function, as `check` does one, on as many dates and symbols as there are.

    Parameters
    ----------
    versions : feature functions by name.
    inputs, sample, seed, tolerance, from_times : as for `check`, and the same for each version.
    dates_per_chunk : how many dates are replayed together; a worker takes a chunk at a time, the journal keeps whole
        chunks.
    symbols_per_chunk : replay groups of so many symbols apart, each from its own rows alone. Only functions that look
        at one symbol at a time allow it, and others are refused. Inputs without `symbol` go to every group.
    cluster : the address of a Dask scheduler; in this process where absent.
    journal : a file that remembers finished chunks. A run with the same inputs, functions and settings takes them from
        there, and replays the rest.
    progress : called with the number of dates done and the number of all, over all versions and groups; finished ones
        are counted at once.

    Returns
    -------
    A `PitReport` for each version.

    Raises
    ------
    ReplayError
        As for `check`; also a function that looks across symbols though these are to be replayed apart, a cluster that
        is not there, a journal that is something else.
    """
    if not versions:
        raise ReplayError("versions: none were given; name at least one feature function.")
    if dates_per_chunk < 1 or (symbols_per_chunk is not None and symbols_per_chunk < 1):
        raise ReplayError(
            f"expected dates_per_chunk ≥ 1 and symbols_per_chunk ≥ 1, found {dates_per_chunk} and {symbols_per_chunk}."
        )
    workers, remembered = workers_at(cluster), None if journal is None else Journal.at(journal)
    plans = {
        name: ReplayPlan.of(compute, inputs, sample=sample, seed=seed, tolerance=tolerance, from_times=from_times)
        for name, compute in versions.items()
    }
    groups = _groups(inputs, symbols_per_chunk)
    pieces = [
        piece
        for name, compute in versions.items()
        for piece in _pieces(name, compute, plans[name], groups, dates_per_chunk)
    ]
    done = _run(pieces, remembered, workers, progress)
    return {name: plan.report(*_parts(name, pieces, done, len(groups))) for name, plan in plans.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Group:
    """Some symbols, None for all, with their rows of the inputs and the digest of these."""

    position: int
    symbols: tuple[str, ...] | None
    inputs: Inputs
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """One chunk of one version and group, with the key of its result."""

    version: str
    group: int
    task: Task
    key: str


def _groups(inputs: Inputs, symbols_per_chunk: int | None) -> list[_Group]:
    if symbols_per_chunk is None:
        return [_Group(position=0, symbols=None, inputs=inputs, digest=digest_of(dict(inputs)))]
    named = [table["symbol"].cast(pl.String) for table in inputs.values() if "symbol" in table.columns]
    if not named:
        raise ReplayError("symbols_per_chunk: no input has a column symbol to replay apart by; leave it out.")
    symbols = pl.concat([column.alias("symbol") for column in named]).drop_nulls().unique().sort().to_list()
    groups = []
    for position, start in enumerate(range(0, len(symbols), symbols_per_chunk)):
        chosen = tuple(symbols[start : start + symbols_per_chunk])
        own = {name: _of_symbols(table, chosen) for name, table in inputs.items()}
        groups.append(_Group(position=position, symbols=chosen, inputs=own, digest=digest_of(own)))
    return groups


def _pieces(
    name: str, compute: Compute, plan: ReplayPlan, groups: Sequence[_Group], dates_per_chunk: int
) -> Iterator[_Piece]:
    function = digest_of(compute)
    grouped = {symbol for group in groups for symbol in group.symbols or ()}
    if groups[0].symbols is not None and (others := set(plan.used["symbol"]) - grouped):
        raise ReplayError(
            f"version {name!r}: found features of {min(others)}, which no input has rows of, so that it belongs to no "
            "group; leave symbols_per_chunk out."
        )
    for group in groups:
        _refuse_looks_across_symbols(name, compute, plan, group)
        for chunk in plan.chunks(dates_per_chunk=dates_per_chunk):
            own = Chunk(
                dates=chunk.dates,
                used=chunk.used if group.symbols is None else _of_symbols(chunk.used, group.symbols),
                scales=chunk.scales,
                seed=chunk.seed,
                tolerance=chunk.tolerance,
            )
            settings = (own.dates.to_frame(), own.used, own.scales, own.seed, own.tolerance)
            yield _Piece(
                version=name,
                group=group.position,
                task=Task(compute=compute, inputs=group.inputs, chunk=own),
                key=digest_of(_FORMAT, function, group.digest, settings),
            )


def _refuse_looks_across_symbols(name: str, compute: Compute, plan: ReplayPlan, group: _Group) -> None:
    """Refuse to replay by groups a function that gives other features for a group alone."""
    if group.symbols is None:
        return
    alone, wanted = rows_of(computed(compute, dict(group.inputs)), plan.dates), _of_symbols(plan.used, group.symbols)
    moved = gaps(_one_symbol_a_row(wanted), _one_symbol_a_row(alone), plan.scales, plan.tolerance)
    if moved:
        raise ReplayError(
            f"version {name!r}: {', '.join(moved)} of {group.symbols[0]} and its group differ when computed from their "
            "own rows alone, so the function looks across symbols; leave symbols_per_chunk out."
        )


def _one_symbol_a_row(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of many dates as those of one, to compare them at once."""
    return frame.with_columns(symbol=pl.format("{} {}", latest_knowledge(frame["timestamp"]), "symbol"))


def _run(
    pieces: Sequence[_Piece], journal: Journal | None, workers: Workers, progress: Progress | None
) -> dict[str, Sequence[ReplayedDate]]:
    """The result of each piece by its key, from the journal or replayed."""
    past = {} if journal is None else journal.finished
    done: dict[str, Sequence[ReplayedDate]] = {piece.key: past[piece.key] for piece in pieces if piece.key in past}
    left = list({piece.key: piece for piece in pieces if piece.key not in done}.values())
    total = sum(piece.task.chunk.dates.len() for piece in pieces)
    finished = total - sum(piece.task.chunk.dates.len() for piece in left)
    if progress is not None and finished:
        progress(finished, total)
    for position, dates in workers.run([piece.task for piece in left]) if left else ():
        piece = left[position]
        done[piece.key] = dates
        if journal is not None:
            journal.add(piece.key, dates)
        finished += len(dates)
        if progress is not None:
            progress(finished, total)
    return done


def _parts(
    version: str, pieces: Sequence[_Piece], done: Mapping[str, Sequence[ReplayedDate]], groups: int
) -> list[list[ReplayedDate]]:
    """The dates of a version in order, by group of symbols."""
    parts: list[list[ReplayedDate]] = [[] for _ in range(groups)]
    for piece in pieces:
        if piece.version == version:
            parts[piece.group] += done[piece.key]
    return parts


def _of_symbols(table: pl.DataFrame, symbols: Sequence[str]) -> pl.DataFrame:
    if "symbol" not in table.columns:
        return table
    return table.filter(pl.col("symbol").cast(pl.String).is_in(list(symbols)))
