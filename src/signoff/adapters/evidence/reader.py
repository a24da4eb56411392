"""A dossier folder as one reading: declarations, measurements, and the exact bytes behind them."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar
from xml.etree import ElementTree as ET

import numpy as np
import polars as pl
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from signoff.adapters.documents import Located, effective_policy, load_dossier, load_policy
from signoff.adapters.evidence.tables import EvidenceTable, find, read
from signoff.domain.dossier import Dossier
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import (
    Evidence,
    PaperLog,
    Positions,
    Predictions,
    Returns,
    Source,
    SuiteName,
    SuiteResult,
    Trials,
)
from signoff.domain.policy import Policy
from signoff.ledger.canonical import digest
from signoff.ports.releases import Inputs

T = TypeVar("T")
DEFAULT_POLICY: Final = b"name: default\nversion: '1'\n"
POLICY: Final = "policy.yaml"


class FolderReader:
    """Reads folders as `INTERFACES` and the how-to describe them."""

    def read(self, folder: Path, policy: Path | None) -> Inputs:
        """Parse and check everything; nothing is kept when anything is wrong."""
        if not folder.is_dir():
            raise BadInputError(
                f"Expected a dossier folder, found nothing at {folder}. "
                f"`signoff init MODEL VERSION --dir {folder}` writes one."
            )
        dossier = load_dossier(folder)
        floor = _policy(folder, policy)
        effective = effective_policy(floor, dossier)
        files: dict[str, bytes] = {"dossier.yaml": dossier.content, POLICY: floor.content}
        evidence = _evidence(folder, files)
        _take_inputs(folder, dossier.value, files)
        return Inputs(
            dossier=dossier.value,
            policy=effective,
            evidence=evidence,
            files=files,
            links=_links(folder, dossier.value, files),
        )


def _policy(folder: Path, given: Path | None) -> Located[Policy]:
    path = given or folder / POLICY
    if given is None and not path.exists():
        return Located(Policy(name="default", version="1"), path, DEFAULT_POLICY, {})
    return load_policy(path)


def _evidence(folder: Path, files: dict[str, bytes]) -> Evidence:
    tables = {name: _table(folder, name, files) for name in (
        "backtest", "backtest_previous", "trials", "predictions", "predictions_previous", "paper", "paper_returns",
        "positions",
    )}  # fmt: skip
    backtest = tables["backtest"]
    if backtest is None:
        raise BadInputError(
            f"{folder}: expected backtest.parquet, .csv or .arrow with the columns date and return, found none. "
            "Every figure of the memo begins with it."
        )
    predictions = _optional(tables["predictions"], _predictions)
    evidence = Evidence(
        backtest=_returns(backtest),
        backtest_previous=_optional(tables["backtest_previous"], _returns),
        trials=_optional(tables["trials"], _trials),
        predictions=predictions,
        predictions_previous=_optional(tables["predictions_previous"], _predictions),
        paper=_optional(tables["paper"], _paper),
        paper_returns=_optional(tables["paper_returns"], _returns),
        positions=_optional(tables["positions"], _positions),
        suites=_suites(folder, files),
        sources=tuple(table.source for table in tables.values() if table is not None),
    )
    _agree(folder, evidence)
    return evidence


def _table(folder: Path, name: str, files: dict[str, bytes]) -> EvidenceTable | None:
    path = find(folder, name)
    if path is None:
        return None
    table = read(path, folder)
    files[path.name] = table.content
    return table


def _optional(table: EvidenceTable | None, parse: Callable[[EvidenceTable], T]) -> T | None:
    return None if table is None else parse(table)


def _returns(table: EvidenceTable) -> Returns:
    table.require("date", "return")
    present = set(table.frame.columns)
    return Returns(
        source=table.source,
        dates=table.unique_days(),
        returns=table.returns("return"),
        benchmark=table.returns("benchmark") if "benchmark" in present else None,
        turnover=table.numbers("turnover") if "turnover" in present else None,
        cost=table.numbers("cost") if "cost" in present else None,
    )


def _trials(table: EvidenceTable) -> Trials:
    table.require("date")
    names = tuple(c for c in table.frame.columns if c != "date")
    if not names:
        table.refuse("expected one column of returns for every configuration tried, found none")
    return Trials(
        source=table.source,
        dates=table.unique_days(),
        names=names,
        returns=np.column_stack([table.returns(name) for name in names]),
    )


def _predictions(table: EvidenceTable) -> Predictions:
    table.require("timestamp", "symbol", "prediction", "realized")
    times, symbols = table.instants(), table.symbols()
    table.unique_pairs(times, symbols, "timestamp")
    _every_symbol(table, times)
    return Predictions(
        source=table.source,
        timestamps=times,
        symbols=symbols,
        prediction=table.numbers("prediction"),
        realized=table.numbers("realized"),
        confidence=table.numbers("confidence") if "confidence" in table.frame.columns else None,
    )


def _every_symbol(table: EvidenceTable, times: np.ndarray) -> None:
    """A symbol that is missing between its first and its last prediction was lost, not unlisted."""
    lines = pl.DataFrame({"time": times, "symbol": table.symbols()})
    order = {time: n for n, time in enumerate(np.unique(times).tolist())}
    spans = lines.group_by("symbol").agg(pl.len(), first=pl.col("time").min(), last=pl.col("time").max()).sort("symbol")
    for symbol, rows, first, last in spans.iter_rows():
        expected = order[last] - order[first] + 1
        if rows != expected:
            mine = set(lines.filter(pl.col("symbol") == symbol)["time"].to_list())
            gap = next(t for t in order if first <= t <= last and t not in mine)
            table.refuse(
                f"symbol {symbol} is missing at {gap} between its first and last prediction "
                f"({rows} rows of {expected}). Predict it there, or end it for good"
            )


def _paper(table: EvidenceTable) -> PaperLog:
    table.require(
        "timestamp", "symbol", "prediction", "latency_ms", "error", "side", "quantity", "decision_price", "fill_price"
    )
    quantity = table.numbers("quantity")
    ordered = quantity != 0
    latency = table.numbers("latency_ms")
    if (latency < 0).any():
        table.refuse(f"row {int(np.flatnonzero(latency < 0)[0]) + 1}, column latency_ms: expected milliseconds ≥ 0")
    side = table.frame["side"].cast(pl.String).fill_null("").to_numpy().astype(np.str_)
    wrong = np.flatnonzero(ordered & ~np.isin(side, ("buy", "sell")))
    if wrong.size:
        table.refuse(f"row {int(wrong[0]) + 1}, column side: expected buy or sell, found {side[wrong[0]]!r}")
    return PaperLog(
        source=table.source,
        timestamps=table.instants(),
        symbols=table.symbols(),
        prediction=table.numbers_where("prediction", ~table.truths("error")),
        latency_ms=latency,
        is_error=table.truths("error"),
        side=side,
        quantity=quantity,
        decision_price=table.numbers_where("decision_price", ordered),
        fill_price=table.numbers_where("fill_price", ordered),
    )


def _positions(table: EvidenceTable) -> Positions:
    table.require("date", "symbol", "weight")
    days, symbols = table.days(), table.symbols()
    table.unique_pairs(days, symbols, "date")
    present = set(table.frame.columns)
    return Positions(
        source=table.source,
        dates=days,
        symbols=symbols,
        weight=table.numbers("weight"),
        sector=table.symbols("sector") if "sector" in present else None,
        adv=table.numbers_where("adv", np.zeros(days.size, dtype=bool)) if "adv" in present else None,
    )


def _agree(folder: Path, evidence: Evidence) -> None:
    """Files that speak of the same thing must speak of the same time."""
    backtest = evidence.backtest
    first, last = backtest.period
    if evidence.trials is not None and not np.array_equal(evidence.trials.dates, backtest.dates):
        other = evidence.trials.dates
        raise BadInputError(
            f"{folder}: expected trials to have the dates of the backtest ({first} to {last}, "
            f"{backtest.dates.size} rows), found {other[0]} to {other[-1]}, {other.size} rows. "
            "Export both for the same period."
        )
    if evidence.backtest_previous is not None:
        shared = np.intersect1d(evidence.backtest_previous.dates, backtest.dates)
        if shared.size < 0.5 * backtest.dates.size:
            start, end = evidence.backtest_previous.period
            raise BadInputError(
                f"{folder}: expected backtest_previous to cover the period of the backtest ({first} to {last}), found "
                f"{start} to {end}; {shared.size} dates are shared. Run the previous version over the same period."
            )
    if evidence.predictions is not None:
        days = evidence.predictions.timestamps.astype("datetime64[D]")
        if days.max() < backtest.dates[0] or days.min() > backtest.dates[-1]:
            raise BadInputError(
                f"{folder}: expected predictions from the period of the backtest ({first} to {last}), found "
                f"{days.min()} to {days.max()}. They belong to another run."
            )
        known = set(np.unique(evidence.predictions.symbols).tolist())
        for part in (evidence.paper, evidence.positions):
            strangers = [] if part is None else sorted(set(np.unique(part.symbols).tolist()) - known)
            if part is not None and strangers:
                raise BadInputError(
                    f"{folder}: {part.source.name} names {', '.join(strangers)}, which predictions never does. Every "
                    "symbol traded must have been predicted; add its predictions or remove its rows."
                )


def _suites(folder: Path, files: dict[str, bytes]) -> dict[SuiteName, SuiteResult]:
    found: dict[SuiteName, SuiteResult] = {}
    for path in sorted((folder / "junit").glob("*.xml")):
        content = path.read_bytes()
        try:
            root = fromstring(content)
        except (ET.ParseError, DefusedXmlException) as error:
            raise BadInputError(
                f"{path}: expected a JUnit report, found no such XML ({error}). Run the tests again."
            ) from error
        cases = list(root.iter("testcase"))
        failed = [c for c in cases if any(c.find(tag) is not None for tag in ("failure", "error", "skipped"))]
        said = {path.stem.lower(), *(suite.get("name", "").lower() for suite in root.iter("testsuite"))}
        name = next((n for n in SuiteName if any(n.value in text for text in said)), None)
        if name is None:
            known = ", ".join(n.value for n in SuiteName)
            raise BadInputError(
                f"{path}: expected a suite named {known}, found {', '.join(sorted(said))}. Rename the file."
            )
        relative = path.relative_to(folder).as_posix()
        files[relative] = content
        source = Source(name=relative, sha256=digest(content), size=len(content), rows=len(cases))
        found[name] = SuiteResult(passed=len(cases) - len(failed), total=len(cases), source=source)
    return found


def _take_inputs(folder: Path, dossier: Dossier, files: dict[str, bytes]) -> None:
    """The tables of the feature replay belong to what is signed."""
    for name, relative in dossier.validation.pit.inputs.items():
        path = folder / relative
        if not path.resolve().is_relative_to(folder.resolve()):
            raise BadInputError(f"{folder}: validation.pit.inputs.{name} points outside of the folder: {relative}.")
        if path.is_file():
            files[relative] = path.read_bytes()


def _links(folder: Path, dossier: Dossier, files: dict[str, bytes]) -> dict[str, bool | None]:
    """Whether each file that is referred to exists; a URL is not looked up here and stays unknown."""
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
    found: dict[str, bool | None] = {}
    for link in wanted:
        if "://" in link or " " in link or ":" in link:
            found[link] = None
            continue
        path = folder / link
        inside = path.resolve().is_relative_to(folder.resolve())
        found[link] = inside and path.is_file()
        if inside and path.is_file() and path.stat().st_size < 1_000_000:
            files.setdefault(link, path.read_bytes())
    return found
