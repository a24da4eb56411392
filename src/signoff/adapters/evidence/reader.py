"""Reads a dossier folder: its declarations, its measurements, and their exact bytes."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Final, TypeVar

import numpy as np
import polars as pl

from signoff.adapters.documents import Located, effective_policy, load_dossier, load_policy, policy_text
from signoff.adapters.evidence.absences import absences_of
from signoff.adapters.evidence.agreement import (
    refuse_disagreement,
    refuse_no_probabilities,
    refuse_probable_probabilities,
)
from signoff.adapters.evidence.bar_clocks import bars_of
from signoff.adapters.evidence.benchmark_file import NAMES as BENCHMARKS
from signoff.adapters.evidence.benchmark_file import read_benchmark
from signoff.adapters.evidence.clock import known_zone
from signoff.adapters.evidence.copies import refuse_copies
from signoff.adapters.evidence.extremes import unmatched
from signoff.adapters.evidence.filling import left_out
from signoff.adapters.evidence.finding import FoundTable, find_tables
from signoff.adapters.evidence.renames import under_new_names
from signoff.adapters.evidence.sessions import refuse_low_rate, with_time
from signoff.adapters.evidence.tables import EvidenceTable, read_bytes
from signoff.adapters.feature_code import feature_code
from signoff.adapters.folder_files import one_reading, read_inside, resolved, unreadable
from signoff.adapters.junit import Reports, read_reports
from signoff.adapters.lock_files import pinned
from signoff.domain.costs import Costs, costs_of
from signoff.domain.dossier import Dossier, EvidenceDeclaration, ReturnUnit
from signoff.domain.environment import Lock
from signoff.domain.errors import BadInputError, RefusedError
from signoff.domain.evidence import AssetReturns, Evidence, PaperLog, Positions, Predictions, Returns, Trials
from signoff.domain.floor import Floor, InForce, Origin, content_digest, differences
from signoff.domain.policy import Policy
from signoff.domain.sampling import Sampling
from signoff.ledger.floor import built_in, content_of
from signoff.ports.releases import Inputs
from signoff.ports.runs import Runs
from signoff.stats.returns import LARGEST

T = TypeVar("T")
POLICY: Final = "policy.yaml"
IN_FORCE: Final = Path("policy in force")
MOST_NAMED: Final = 5
HOLDING_RETURNS: Final = ("backtest", "backtest_previous", "trials", "paper_returns", "stress", "asset_returns")
MOST_TRIALS: Final = 25_000_000
"""The most returns of a family: several copies of 8 bytes each take about a gigabyte."""
POLICY_BESIDE: Final = f"{POLICY} beside the dossier"
LINKED_BYTES: Final = 1_000_000
_NOTHING_DECLARED: Final = EvidenceDeclaration()
BAR: Final = ("bar_low", "bar_high")
MODEL_OF: Final = ("version", "run_id")
"""Columns of a paper log that name the model that predicted."""


class FolderReader:
    """Reads folders as the how-to describes them.

    `runs` fetches what a pointer names. Folders beneath `keep` are stored submissions: their pointers are read as they
    were fetched at submission, whatever the tracker has today.
    """

    def __init__(self, runs: Runs | None = None, *, keep: Path | None = None) -> None:
        self._runs = runs
        self._keep = keep

    def read(
        self,
        folder: Path,
        policy: Path | None,
        in_force: Callable[[], InForce] = built_in,
        *,
        is_submission: bool = False,
        may_be_unfinished: bool = False,
    ) -> Inputs:
        """Parse and check everything; one fault refuses the whole folder."""
        with one_reading():
            return self._read(
                folder, policy, in_force, is_submission=is_submission, may_be_unfinished=may_be_unfinished
            )

    def _read(
        self,
        folder: Path,
        policy: Path | None,
        in_force: Callable[[], InForce],
        *,
        is_submission: bool,
        may_be_unfinished: bool,
    ) -> Inputs:
        if not folder.is_dir():
            raise BadInputError(
                f"Expected a dossier folder, found nothing at {folder}. "
                f"`signoff init MODEL VERSION --dir {folder}` writes one."
            )
        is_kept = self._keep is not None and folder.resolve().is_relative_to(self._keep.resolve())
        dossier = load_dossier(folder, is_kept=is_kept, may_be_unfinished=may_be_unfinished)
        policy_file = _given(folder, policy)
        if is_submission or policy_file is None:
            installed = in_force()
            for other in (policy_file, _given(folder, None) if is_submission else None):
                if other is not None:
                    _refuse_another(folder, other, installed)
            policy_file, floor = _located(installed), installed.floor
        else:
            floor = _trial(policy_file, POLICY_BESIDE if policy is None else str(policy))
        effective = effective_policy(policy_file, dossier)
        files: dict[str, bytes] = {"dossier.yaml": dossier.content, POLICY: policy_file.content}
        tables, reports = find_tables(folder, self._runs, is_kept=is_kept), read_reports(folder)
        evidence = _evidence(folder, tables, reports, dossier.value.evidence)
        refuse_low_rate(folder, dossier.value.evidence, effective.gates)
        evidence = with_time(folder, evidence, dossier.value, effective.phases)
        evidence, benchmarks = _with_benchmarks(folder, evidence)
        files |= benchmarks
        validation = dossier.value.validation
        refuse_no_probabilities(folder, evidence, validation.prediction)
        refuse_probable_probabilities(folder, evidence, validation.prediction, validation.score_neutral)
        for table in tables.values():
            files |= table.files
        files |= reports.files
        _take_inputs(folder, dossier.value, files)
        if (lock := dossier.value.infrastructure.lock) is not None:
            pins = pinned(lock, files[lock])
            evidence = replace(evidence, lock=Lock(path=lock, sha256=sha256(files[lock]).hexdigest(), pins=pins))
        return Inputs(
            dossier=dossier.value,
            policy=effective,
            evidence=evidence,
            files=files,
            links=_links(folder, dossier.value, files),
            floor=floor,
            placeholders=dossier.placeholders,
        )


def _given(folder: Path, named: Path | None) -> Located[Policy] | None:
    """The policy file of the folder or the command; None without one."""
    path = named or folder / POLICY
    if named is None and not (path.exists() or path.is_symlink()):
        return None
    return load_policy(path, folder if named is None else None)


def _trial(located: Located[Policy], source: str) -> Floor:
    policy = located.value
    digest = content_digest(content_of(policy))
    return Floor(origin=Origin.TRIAL, name=policy.name, version=policy.version, digest=digest, source=source)


def _located(in_force: InForce) -> Located[Policy]:
    return Located(in_force.policy, IN_FORCE, policy_text(in_force.content), {}, is_in_force=True)


def _refuse_another(folder: Path, brought: Located[Policy], in_force: InForce) -> None:
    """Refuse a submission that brings another policy than the one in force."""
    changes = differences(in_force.policy, brought.value)
    if not changes:
        return
    named = "; ".join(f"{d.path}: expected {d.before}, found {d.after}" for d in changes[:MOST_NAMED])
    further = f"; and {len(changes) - MOST_NAMED} further keys" if len(changes) > MOST_NAMED else ""
    where = "the dossier's policy.yaml" if brought.path == folder / POLICY else brought.path
    raise RefusedError(
        f"Expected no policy but the installation's ({in_force.floor.words}), found another one in {where}: "
        f"{named}{further}. Nothing was done. Remove the file, or let two people change the policy: `signoff "
        "policy propose FILE`, then `signoff policy confirm`."
    )


def _evidence(
    folder: Path, tables: Mapping[str, FoundTable], reports: Reports, declared: EvidenceDeclaration = _NOTHING_DECLARED
) -> Evidence:
    if "backtest" not in tables:
        raise BadInputError(
            f"{folder}: expected backtest.parquet, .csv or .arrow with the columns date and return, found none. "
            "Every figure of the memo begins with it."
        )
    evidence_tables = {name: replace(table.table, declared=declared) for name, table in tables.items()}
    evidence = evidence_of(folder, evidence_tables, declared)
    suites = {suite.source.name: suite.source for suite in reports.suites.values()}
    return replace(
        evidence,
        suites=reports.suites,
        sources=(*evidence.sources, *suites.values()),
        tracked=tuple(table.tracked for table in tables.values() if table.tracked is not None),
    )


def evidence_of(folder: Path, tables: Mapping[str, EvidenceTable], declared: EvidenceDeclaration) -> Evidence:
    """The measurements in parsed tables, by their dossier names; `backtest` is required.

    `folder` names their place in messages.
    """
    zone = declared.zone
    if zone is not None:
        known_zone(zone, f"{folder / 'dossier.yaml'}: evidence.zone")
    returns, positions = partial(_returns, zone=zone), partial(_positions, zone=zone)
    trials, asset_returns = partial(_trials, zone=zone), partial(_asset_returns, zone=zone)
    evidence = Evidence(
        backtest=returns(tables["backtest"]),
        backtest_previous=_optional(tables.get("backtest_previous"), returns),
        trials=_optional(tables.get("trials"), trials),
        predictions=_optional(tables.get("predictions"), _predictions),
        predictions_previous=_optional(tables.get("predictions_previous"), _predictions),
        paper=_optional(tables.get("paper"), _paper),
        paper_returns=_optional(tables.get("paper_returns"), returns),
        positions=_optional(tables.get("positions"), positions),
        stress=_optional(tables.get("stress"), returns),
        asset_returns=_optional(tables.get("asset_returns"), asset_returns),
        sources=tuple(table.source for table in tables.values()),
        largest_return=_largest(declared),
    )
    _refuse_unmatched(folder, tables, declared)
    refuse_disagreement(folder, evidence)
    refuse_copies(folder, evidence)
    return left_out(evidence)


def _refuse_unmatched(folder: Path, tables: Mapping[str, EvidenceTable], declared: EvidenceDeclaration) -> None:
    """Refuse a declared true return that no table has."""
    if not declared.extreme_returns:
        return
    rows = [
        (
            table.name,
            table.days(declared.zone),
            table.frame if name == "trials" else table.frame.select(pl.col("^(date|symbol|return|benchmark)$")),
        )
        for name, table in tables.items()
        if name in HOLDING_RETURNS
    ]
    if (problem := unmatched(rows, declared)) is not None:
        raise BadInputError(f"{folder / 'dossier.yaml'}: {problem}. Nothing was written.")


def _with_benchmarks(folder: Path, evidence: Evidence) -> tuple[Evidence, dict[str, bytes]]:
    """The evidence with the benchmarks of the version and the previous one, and their files' bytes."""
    benchmarks = {name: read for name in BENCHMARKS if (read := read_benchmark(folder / name, folder)) is not None}
    own, previous = (benchmarks[name][0] if name in benchmarks else None for name in BENCHMARKS)
    sources = (*evidence.sources, *(source for _, _, source in benchmarks.values()))
    measured = replace(evidence, benchmark=own, benchmark_previous=previous, sources=sources)
    return measured, {name: content for name, (_, content, _) in benchmarks.items()}


def _optional(table: EvidenceTable | None, parse: Callable[[EvidenceTable], T]) -> T | None:
    return None if table is None else parse(table)


def _returns(table: EvidenceTable, zone: str | None = None) -> Returns:
    table.require("date", "return", optional=("benchmark", "turnover", "cost"))
    present, by_day = set(table.frame.columns), table.by_day(zone)
    return Returns(
        source=table.source,
        dates=by_day.days,
        returns=by_day.compounded(table.returns("return")),
        benchmark=by_day.compounded(table.returns("benchmark")) if "benchmark" in present else None,
        turnover=by_day.summed(table.at_least_zero("turnover")) if "turnover" in present else None,
        cost=by_day.summed(table.costs("cost")) if "cost" in present else None,
        sampling=Sampling(zone=by_day.of.zone, folded=0 if by_day.starts is None else table.frame.height),
        bars=bars_of(by_day.of),
        costs=_costs(table),
    )


def _costs(table: EvidenceTable) -> Costs:
    """Whether the returns are net of costs; import and dossier must agree."""
    declared = table.declared.costs
    costs = costs_of(table.imported_costs, declared)
    if costs is None:
        table.refuse(
            f"expected returns as evidence.costs of dossier.yaml says ({declared}), found by the note of the import "
            f"that they are {table.imported_costs}. Correct evidence.costs, or import the trades again with their fees"
        )
    return costs


NO_TRIALS: Final = frozenset({"benchmark", "turnover", "cost"})


def _trials(table: EvidenceTable, zone: str | None = None) -> Trials:
    table.require("date")
    names = tuple(c for c in table.frame.columns if c != "date")
    if not names:
        table.refuse("expected one column of returns for every configuration tried, found none")
    if odd := sorted(NO_TRIALS & {name.strip().lower() for name in names}):
        table.refuse(
            f"expected columns of returns alone, found {', '.join(odd)}: the backtest has columns of these names, "
            "which are no configuration that was tried. Remove them, or name a configuration otherwise"
        )
    if (values := len(names) * table.frame.height) > MOST_TRIALS:
        table.refuse(
            f"expected at most {MOST_TRIALS:,} returns, as of ten thousand configurations on 2,500 days, found "
            f"{values:,} ({len(names):,} columns of {table.frame.height:,} rows). Judge them over fewer days"
        )
    by_day = table.by_day(zone)
    return Trials(
        source=table.source,
        dates=by_day.days,
        names=names,
        returns=np.column_stack([by_day.compounded(table.returns(name, may_rest=True)) for name in names]),
    )


def _predictions(table: EvidenceTable) -> Predictions:
    table.require("timestamp", "symbol", "prediction", "realized", optional=("confidence",))
    times, symbols = table.instants(), table.coded()
    table.unique_pairs(times, symbols, "timestamp")
    return Predictions(
        source=table.source,
        timestamps=times,
        symbols=symbols,
        prediction=table.numbers("prediction"),
        realized=table.numbers("realized"),
        confidence=table.numbers("confidence") if "confidence" in table.frame.columns else None,
        absences=absences_of(times, symbols),
    )


def _paper(table: EvidenceTable) -> PaperLog:
    table.require(
        *("timestamp", "symbol", "prediction", "latency_ms", "error", "side", "quantity"),
        *("decision_price", "fill_price"),
        optional=(*BAR, *MODEL_OF),
    )
    bars = [column for column in BAR if column in table.frame.columns]
    if len(bars) == 1:
        table.refuse(f"expected the columns {' and '.join(BAR)} or neither, found {bars[0]} alone")
    times, symbols = table.instants(), table.symbols()
    table.unique_pairs(times, symbols, "timestamp")
    quantity, is_error = table.at_least_zero("quantity"), table.truths("error")
    ordered = quantity != 0
    side = table.texts("side")
    wrong = np.flatnonzero(ordered & ~np.isin(side, ("buy", "sell")))
    if wrong.size:
        table.refuse(f"{table.row(int(wrong[0]))}, column side: expected buy or sell, found {side[wrong[0]]!r}")
    return PaperLog(
        source=table.source,
        timestamps=times,
        symbols=symbols,
        prediction=table.numbers_where("prediction", ~is_error),
        latency_ms=table.at_least_zero("latency_ms"),
        is_error=is_error,
        side=side,
        quantity=quantity,
        decision_price=table.prices("decision_price", ordered),
        fill_price=table.prices("fill_price", ordered),
        bar_low=table.numbers_where("bar_low", np.zeros_like(ordered)) if bars else None,
        bar_high=table.numbers_where("bar_high", np.zeros_like(ordered)) if bars else None,
        versions=_named(table, "version"),
        runs=_named(table, "run_id"),
    )


def _named(table: EvidenceTable, column: str) -> tuple[str, ...]:
    """The distinct texts of a column; empty if the table lacks it."""
    if column not in table.frame.columns:
        return ()
    return tuple(sorted(set(table.texts(column).tolist())))


def _positions(table: EvidenceTable, zone: str | None = None) -> Positions:
    table.require("date", "symbol", "weight", optional=("sector", "adv"))
    days, symbols = table.days(zone), table.symbols()
    table.unique_pairs(days, symbols, "date")
    present = set(table.frame.columns)
    positions = Positions(
        source=table.source,
        dates=days,
        symbols=symbols,
        weight=table.weights("weight"),
        sector=table.symbols("sector") if "sector" in present else None,
        adv=table.numbers_where("adv", np.zeros(days.size, dtype=bool)) if "adv" in present else None,
    )
    return under_new_names(table, positions, table.declared.renames)


def _asset_returns(table: EvidenceTable, zone: str | None = None) -> AssetReturns:
    table.require("date", "symbol", "return")
    days, symbols = table.days(zone), table.symbols()
    table.unique_pairs(days, symbols, "date")
    return AssetReturns(
        source=table.source, dates=days, symbols=symbols, returns=table.asset_returns("return", symbols)
    )


def _largest(declared: EvidenceDeclaration) -> float | None:
    """The dossier's largest declared gain of one period, as a fraction."""
    scale = 100 if declared.return_unit is ReturnUnit.PERCENT else 1
    largest = max((one.value / scale for one in declared.extreme_returns), default=0.0)
    return largest if largest > LARGEST else None


def _take_inputs(folder: Path, dossier: Dossier, files: dict[str, bytes]) -> None:
    """Add the replay's tables, and its code if it is in the folder, to the signed files."""
    declared = dossier.validation.pit
    files |= feature_code(declared.compute, folder)
    if declared.strategy is not None:
        files |= feature_code(declared.strategy, folder)
    named = {f"inputs.{name}": path for name, path in declared.inputs.items()}
    named |= {f"audits.{name}": path for name, path in declared.audits.files.items()}
    if (lock := dossier.infrastructure.lock) is not None:
        files[lock] = _lock(folder, lock)
    for name, relative in named.items():
        if not _is_inside(folder, relative):
            raise BadInputError(
                f"{folder / relative}: validation.pit.{name} points outside of {folder}. Copy the file into it."
            )
        if _is_there(folder / relative):
            files[relative] = read_bytes(folder / relative, folder)


def _lock(folder: Path, relative: str) -> bytes:
    path = folder / relative
    if not _is_inside(folder, relative) or not _is_file(path):
        raise BadInputError(
            f"{path}: infrastructure.lock names it, expected a lock file in {folder}, found none. Copy the file there."
        )
    content = _read_linked(path, folder)
    pinned(relative, content)
    return content


def _links(folder: Path, dossier: Dossier, files: dict[str, bytes]) -> dict[str, bool | None]:
    """Whether each linked file exists; URLs are not fetched and stay unknown."""
    wanted = [
        dossier.governance.model_card,
        dossier.plan.monitoring.dashboard,
        dossier.rollback.deployment_package,
        dossier.appendix.model_file,
        dossier.appendix.feature_schema,
        dossier.appendix.inference_script,
        *(reference.link for reference in dossier.appendix.references),
        *(requirement.evidence for requirement in dossier.governance.requirements),
    ]
    exists: dict[str, bool | None] = {}
    for link in wanted:
        if " " in link or ":" in link:
            exists[link] = None
            continue
        path = folder / link
        exists[link] = _is_inside(folder, link) and _is_file(path)
        if exists[link] and path.stat().st_size < LINKED_BYTES and link not in files:
            files[link] = _read_linked(path, folder)
    return exists


def _read_linked(path: Path, folder: Path) -> bytes:
    """The content of a linked file, which may be empty."""
    try:
        return read_inside(path, folder, limit=LINKED_BYTES)
    except OSError as error:
        raise unreadable(path, error) from error


def _is_inside(folder: Path, relative: str) -> bool:
    return resolved(folder / relative).is_relative_to(resolved(folder))


def _is_there(path: Path) -> bool:
    """Whether anything exists at the path; reading refuses anything but a file."""
    try:
        return path.is_symlink() or (path.exists() and not path.is_dir())
    except OSError:
        return False


def _is_file(path: Path) -> bool:
    """Whether the file exists; an impossible name counts as missing."""
    try:
        return path.is_file()
    except OSError:
        return False
