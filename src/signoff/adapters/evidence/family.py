"""Builds the family of trials from tracked runs: every configuration tried, each with its logged returns.

Overfitting shows only against **all** configurations tried. So a run that failed, still runs, was deleted or logged
no returns is never silently left out: the family is refused, and each such run is listed with its fault.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import numpy as np
import polars as pl

from signoff.adapters.evidence.file_formats import MAX_BYTES, SUFFIXES
from signoff.adapters.evidence.tables import table_of
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import Days, Floats
from signoff.ledger.canonical import digest
from signoff.ports.runs import Runs, RunStatus, TrackedRun

STEM: Final = "returns"
LISTED: Final = 12
AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Member:
    """One configuration: its run, the file it logged, and the column it became."""

    run: TrackedRun
    column: str
    artifact: str
    sha256: str
    dates: Days
    returns: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FamilyTable:
    """The T by N table as Parquet, its members, and each failed run with the member that repeated it."""

    content: bytes
    members: tuple[Member, ...]
    run_again: tuple[tuple[TrackedRun, TrackedRun], ...]


def leaves(runs: Sequence[TrackedRun]) -> tuple[TrackedRun, ...]:
    """The runs without children; a parent groups configurations and is not one."""
    parents = {run.parent for run in runs}
    return tuple(run for run in runs if run.id not in parents)


def family_of(tried: Sequence[TrackedRun], runs: Runs) -> FamilyTable:
    """The whole family, or a refusal that lists every incomplete run."""
    if not tried:
        raise BadInputError("expected the runs of every configuration tried, found no run. Name the run they began in.")
    names = Counter(run.name for run in tried)
    columns = [r.name if names[r.name] == 1 and r.name != "date" else f"{r.name}-{r.id[:8]}" for r in tried]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        seen = list(pool.map(lambda run, column: _look(run, column, runs), tried, columns))
    members = [one for one in seen if isinstance(one, Member)]
    run_again, failures = _run_again([one for one in seen if isinstance(one, TrackedRun)], members)
    problems = [*_gaps(tried), *(one for one in seen if isinstance(one, str)), *failures, *_odd_dates(members)]
    if problems:
        rest = len(problems) - LISTED
        listed = "; ".join(problems[:LISTED]) + (f"; and {rest} more" if rest > 0 else "")
        raise BadInputError(
            f"of {len(tried)} runs, {len(problems)} cannot be judged: {listed}. Every configuration tried counts: run "
            f"these again to the end, each logging {STEM}.parquet (or .csv, .arrow) with date and return for the same "
            "days."
        )
    frame = pl.DataFrame({"date": members[0].dates, **{member.column: member.returns for member in members}})
    frame.write_parquet(written := BytesIO())
    return FamilyTable(content=written.getvalue(), members=tuple(members), run_again=run_again)


def _look(run: TrackedRun, column: str, runs: Runs) -> Member | TrackedRun | str:
    """A member of the family, a failed run that may have been repeated, or the fault of the run."""
    state = _unfinished(run)
    if state is not None:
        return f"{_said(run)} {state}"
    files = [path for path in runs.files(run.id) if path in {f"{STEM}{suffix}" for suffix in SUFFIXES}]
    if run.status is RunStatus.FAILED:
        return f"{_said(run)} failed after it logged {files[0]}" if files else run
    if len(files) != 1:
        return f"{_said(run)} should have logged one file of {STEM}, found {' and '.join(files) or 'none'}"
    try:
        return _member(run, column, files[0], runs)
    except BadInputError as error:
        return str(error).removesuffix(". Nothing was written.")


def _unfinished(run: TrackedRun) -> str | None:
    """The reason why a run is incomplete; None if it is complete."""
    if run.is_deleted:
        return "was deleted; restore it"
    if run.status is RunStatus.RUNNING:
        return "is still running"
    if _number_of_trial(run) is not None and (state := run.tags.get("state", "COMPLETE")) != "COMPLETE":
        return f"is a trial that Optuna calls {state}; study without pruning"
    return None


def _gaps(tried: Sequence[TrackedRun]) -> Iterator[str]:
    """The missing trial numbers: Optuna numbers each study's trials from 0."""
    numbers = [number for run in tried if (number := _number_of_trial(run)) is not None]
    if len(numbers) == len(tried) and len(set(numbers)) == len(numbers):
        missing = sorted(set(range(max(numbers) + 1)) - set(numbers))
        yield from (f"trial {number} of the Optuna study has no run" for number in missing)


def _number_of_trial(run: TrackedRun) -> int | None:
    """The trial number, as tagged by Optuna's callback (`number`) or MLflow's storage for Optuna (`numbers`)."""
    for mark, tag in (("datetime_start", "number"), ("param_directions", "numbers")):
        if mark in run.tags and (text := run.tags.get(tag, "")).isdecimal():
            return int(text)
    return None


def _run_again(
    failed: Sequence[TrackedRun], members: Sequence[Member]
) -> tuple[tuple[tuple[TrackedRun, TrackedRun], ...], list[str]]:
    """Failed runs paired with the members of the same parameters; and the problems of those without one."""
    made_good, problems = [], []
    for run in failed:
        again = next((m.run for m in members if run.parameters and m.run.parameters == run.parameters), None)
        if again is None:
            problems.append(f"{_said(run)} failed")
        else:
            made_good.append((run, again))
    return tuple(made_good), problems


def _member(run: TrackedRun, column: str, artifact: str, runs: Runs) -> Member:
    content = runs.content(run.id, artifact, limit=MAX_BYTES)
    table = table_of(content, artifact, f"{artifact} of {_said(run)}")
    table.require("date", "return")
    return Member(
        run=run,
        column=column,
        artifact=artifact,
        sha256=digest(content),
        dates=table.unique_days(),
        returns=table.numbers("return"),  # judged with the whole family, by what the dossier declares
    )


def _odd_dates(members: Sequence[Member]) -> Iterator[str]:
    """The members whose days differ from those of most members."""
    if not members:
        return
    shared = Counter(member.dates.tobytes() for member in members).most_common(1)[0][0]
    usual = next(member for member in members if member.dates.tobytes() == shared)
    for member in members:
        if not np.array_equal(member.dates, usual.dates):
            odd = np.setxor1d(member.dates, usual.dates)[0]
            holder = "has" if odd in member.dates else "lacks"
            yield (
                f"{_said(member.run)} has {member.dates.size} days from {member.dates[0]} to {member.dates[-1]} and "
                f"{_said(usual.run)} has {usual.dates.size} from {usual.dates[0]} to {usual.dates[-1]}; the first "
                f"difference is {odd}, which {member.run.name} {holder}"
            )


def _said(run: TrackedRun) -> str:
    return f"run {run.name} ({run.id[:8]})"
