"""The family of trials from tracked runs: every configuration that was tried, each with the returns that it logged.

Overfitting shows only against **all** that was tried. So a run that failed, still runs, was deleted or logged no
returns is never left out in silence: the family is refused, and every such run is listed with what is wrong.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

import numpy as np
import polars as pl

from signoff.adapters.evidence.frames import MAX_BYTES, SUFFIXES
from signoff.adapters.evidence.tables import table_of
from signoff.domain.errors import BadInputError, UnavailableError
from signoff.domain.evidence import Days, Floats
from signoff.ledger.canonical import digest
from signoff.ports.runs import Runs, RunStatus, TrackedRun

STEM: Final = "returns"
LISTED: Final = 12


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
class Family:
    """The T by N table as Parquet, who is in it, and which failed run was run again as which member."""

    content: bytes
    members: tuple[Member, ...]
    run_again: tuple[tuple[TrackedRun, TrackedRun], ...]


@dataclass(slots=True)
class _Gathering:
    members: list[Member] = field(default_factory=list)
    failed: list[TrackedRun] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def leaves(runs: Sequence[TrackedRun]) -> tuple[TrackedRun, ...]:
    """The runs that no other was started under: a parent groups configurations, and is none itself."""
    parents = {run.parent for run in runs}
    return tuple(run for run in runs if run.id not in parents)


def family_of(tried: Sequence[TrackedRun], runs: Runs) -> Family:
    """The whole family, or a refusal that lists every run that is not whole."""
    if not tried:
        raise BadInputError("expected the runs of every configuration tried, found no run. Name the run they began in.")
    gathering = _Gathering(problems=list(_gaps(tried)))
    names = Counter(run.name for run in tried)
    for run in tried:
        column = run.name if names[run.name] == 1 and run.name != "date" else f"{run.name}-{run.id[:8]}"
        _gather(gathering, run, column, runs)
    run_again = tuple(_run_again(gathering))
    gathering.problems += _odd_dates(gathering.members)
    if gathering.problems:
        count, rest = len(gathering.problems), len(gathering.problems) - LISTED
        listed = "; ".join(gathering.problems[:LISTED]) + (f"; and {rest} more" if rest > 0 else "")
        raise BadInputError(
            f"of {len(tried)} runs, {count} cannot be judged: {listed}. Every configuration tried counts: run these "
            f"again to the end, each logging {STEM}.parquet (or .csv, .arrow) with date and return for the same days."
        )
    first = gathering.members[0]
    frame = pl.DataFrame({"date": first.dates, **{member.column: member.returns for member in gathering.members}})
    frame.write_parquet(written := BytesIO())
    return Family(content=written.getvalue(), members=tuple(gathering.members), run_again=run_again)


def _gather(gathering: _Gathering, run: TrackedRun, column: str, runs: Runs) -> None:
    """Sort one run: a member of the family, a failure that may have been run again, or a problem."""
    state = _unfinished(run)
    if state is not None:
        gathering.problems.append(f"{_said(run)} {state}")
        return
    files = [path for path in runs.files(run.id) if path in {f"{STEM}{suffix}" for suffix in SUFFIXES}]
    if run.status is RunStatus.FAILED and not files:
        gathering.failed.append(run)
    elif run.status is RunStatus.FAILED:
        gathering.problems.append(f"{_said(run)} failed after it logged {files[0]}")
    elif len(files) != 1:
        found = " and ".join(files) or "none"
        gathering.problems.append(f"{_said(run)} should have logged one file of {STEM}, found {found}")
    else:
        try:
            gathering.members.append(_member(run, column, files[0], runs))
        except UnavailableError:
            raise
        except BadInputError as error:
            gathering.problems.append(str(error).removesuffix(". Nothing was written."))


def _unfinished(run: TrackedRun) -> str | None:
    """Why a run cannot have said all that it had to say."""
    if run.is_deleted:
        return "was deleted; restore it"
    if run.status is RunStatus.RUNNING:
        return "is still running"
    if _number_of_trial(run) is not None and (state := run.tags.get("state", "COMPLETE")) != "COMPLETE":
        return f"is a trial that Optuna calls {state}; study without pruning"
    return None


def _gaps(tried: Sequence[TrackedRun]) -> Iterator[str]:
    """Optuna numbers its trials from 0, each study for itself: a number without a run is a trial that is missing."""
    numbers = [number for run in tried if (number := _number_of_trial(run)) is not None]
    if len(numbers) == len(tried) and len(set(numbers)) == len(numbers):
        missing = sorted(set(range(max(numbers) + 1)) - set(numbers))
        yield from (f"trial {number} of the Optuna study has no run" for number in missing)


def _number_of_trial(run: TrackedRun) -> int | None:
    """The number that Optuna's callback (`number`) or MLflow's storage for Optuna (`numbers`) tagged a trial with."""
    for mark, tag in (("datetime_start", "number"), ("param_directions", "numbers")):
        if mark in run.tags and (text := run.tags.get(tag, "")).isdecimal():
            return int(text)
    return None


def _run_again(gathering: _Gathering) -> Iterator[tuple[TrackedRun, TrackedRun]]:
    """A failure that left no returns is made good by a member with the very same parameters."""
    for failed in gathering.failed:
        again = next((m.run for m in gathering.members if m.run.parameters == failed.parameters), None)
        if again is None or not failed.parameters:
            gathering.problems.append(f"{_said(failed)} failed")
        else:
            yield failed, again


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
        returns=table.returns("return"),
    )


def _odd_dates(members: Sequence[Member]) -> Iterator[str]:
    """The members whose days are not those that most of the family has."""
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
