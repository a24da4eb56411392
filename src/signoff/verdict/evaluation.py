"""From returns, trials and a benchmark to a verdict, by the gates of `signoff check`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from signoff.adapters.documents import load_policy
from signoff.adapters.evidence.reader import evidence_of
from signoff.adapters.evidence.sessions import refuse_low_rate, with_time
from signoff.adapters.evidence.tables import EvidenceTable
from signoff.adapters.results.extremes import declared_values, found
from signoff.adapters.results.series import DAY, Labelled
from signoff.domain.assessment import Assessment
from signoff.domain.charts import Chart, ChartLine, EquityChart, Interval, IntervalChart, ReferenceLine
from signoff.domain.dossier import Dossier, EvidenceDeclaration, ExtremeReturn
from signoff.domain.errors import BadInputError, SignoffError
from signoff.domain.evidence import Days, Evidence, Returns, Source
from signoff.domain.finding import Finding as Judged
from signoff.domain.floor import BUILT_IN
from signoff.domain.gates import assess
from signoff.domain.gates.assess import DEFINITIONS, OWN, Progress, silent
from signoff.domain.gates.definition import GateDefinition
from signoff.domain.gates.metrics import sharpe_comparison
from signoff.domain.gates.sessions import differences
from signoff.domain.outcome import Outcome
from signoff.domain.policy import Policy
from signoff.domain.quantity import Quantity
from signoff.verdict.options import Options, gate_keys
from signoff.verdict.result import Missing, Understanding, Verdict, VerdictFinding, VerdictMetric, frozen
from signoff.verdict.sources import Given, given_file, given_values
from signoff.verdict.spoken import Face, spoken
from signoff.verdict.undeclared import undeclared
from signoff.verdict.understanding import BENCHMARK, Understood, in_days, joined, many_columns, of_benchmark, one_column

HERE: Final = Path()
MOST_LOST: Final = 0.5
"""The least share of a table that must remain when two tables are cut to the same days."""


def evaluate(
    returns: Any,  # noqa: ANN401 - a table of pandas, polars or numpy, a mapping, or a path
    *,
    trials: Any = None,  # noqa: ANN401 - as above
    benchmark: Any = None,  # noqa: ANN401 - as above
    dates: Any = None,  # noqa: ANN401 - dates in any form
    column: str | None = None,
    equity: bool | None = None,
    unit: str | None = None,
    frequency: str | None = None,
    rows_a_year: float | None = None,
    calendar: str | None = None,
    zone: str | None = None,
    risk_free_pct: float = 0.0,
    benchmark_lag: int | None = None,
    never_traded: int | None = None,
    extremes: Sequence[str] = (),
    flows_complete: bool = False,
    decimal: str | None = None,
    sheet: str | None = None,
    capital: float | None = None,
    prices: str | Path | None = None,
    fills: str | Path | None = None,
    policy: Policy | str | Path | None = None,
    gates: str | Sequence[str] | None = None,
    progress: Progress = silent,
) -> Verdict:
    """Judge returns by every gate that the data allow.

    The gates, the policy and the figures are those of `signoff check`. Data that are ambiguous by a factor (percent or
    fraction, returns or equity, the rows of a year) raise BadInputError. Its message names the argument that decides.

    Parameters
    ----------
    returns : Series or DataFrame of pandas or polars, array, mapping of columns or of values by date, or a path
        Simple returns or an equity curve, a row a period. An array needs `dates`.
    trials : the same, optional
        Every configuration that was tried, a column each; the judged returns are one of them.
    benchmark : the same, optional
        Returns or prices on the days of `returns`.
    dates : sequence of dates, or {"day-first", "month-first"}, optional
        The date of each row, for arrays and tables without dates; or what comes first in dates that are texts.
    column : str, optional
        Which column of `returns` is judged.
    equity : bool, optional
        Whether values are worths (True) or returns (False).
    unit : {"fraction", "percent"}, optional
        What 1 means in returns.
    frequency, rows_a_year, calendar, zone : optional
        What the dates do not show: "daily" or "monthly", 252 or 365, "XNYS" or "24/7", "UTC".
    risk_free_pct : float
        The annual rate that Sharpe ratios are in excess of.
    benchmark_lag : int, optional
        By how many rows the benchmark is earlier than the returns.
    never_traded : int, optional
        Configurations that were tried and never traded, so that they have no column.
    extremes : sequence of str
        True returns of more than 100%, as "2021-01-27=1.35".
    flows_complete : bool
        Whether an equity curve has no deposits and withdrawals but those in its column `flow`.
    decimal, sheet : str, optional
        Of a file: its decimal mark ("point" or "comma"), and the sheet of a workbook.
    capital, prices, fills : optional
        Of a list of trades: the money before the first trade, and a file of closing prices; of NautilusTrader: fills.
    policy : Policy or path, optional
        Thresholds other than the built-in ones.
    gates : str or sequence of str, optional
        Judge by these gates alone.
    progress : callable, optional
        Called with a step, how many are done, and of how many.

    Returns
    -------
    Verdict
        Frozen; `.findings`, `.metrics`, `.missing`, and how it shows itself.

    Examples
    --------
    >>> import numpy as np, signoff
    >>> days = np.arange("2015-01-01", "2019-01-01", dtype="datetime64[D]")
    >>> days = days[np.is_busday(days)]
    >>> tried = np.random.default_rng(7).normal(0.0002, 0.01, (days.size, 20))
    >>> best = tried[:, tried.mean(axis=0).argmax()]
    >>> verdict = signoff.evaluate(best, trials=tried, dates=days)
    >>> verdict.outcome, verdict.findings["pbo"].outcome
    ('fail', 'fail')
    """
    is_order = isinstance(dates, str)
    try:
        options = Options(
            column=column,
            equity=equity,
            unit=unit,
            frequency=frequency,
            rows_a_year=rows_a_year,
            calendar=calendar,
            zone=zone,
            risk_free_pct=risk_free_pct,
            benchmark_lag=benchmark_lag,
            never_traded=never_traded,
            extremes=tuple(extremes),
            flows_complete=flows_complete,
            dates=dates if is_order else None,
            decimal=decimal,
            sheet=sheet,
            capital=capital,
            prices=None if prices is None else Path(prices),
            fills=None if fills is None else Path(fills),
        )
        asked = Asked(
            returns=returns,
            trials=trials,
            benchmark=benchmark,
            dates=None if is_order else dates,
            policy=policy,
            gates=[gates] if isinstance(gates, str) else gates,
        )
        return judge(asked, options, progress, Face.FUNCTION)
    except SignoffError as error:
        raise said_as(error, Face.FUNCTION) from None  # the cause says the same


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Asked:
    """The data, the policy, and the requested gates."""

    returns: Any
    trials: Any = None
    benchmark: Any = None
    dates: Any = None
    policy: Policy | str | Path | None = None
    gates: Sequence[str] | None = None


def said_as(error: SignoffError, face: Face) -> SignoffError:
    """The same refusal in the terms of this command or function."""
    words = spoken(str(error), face)
    refusal = type(error).__new__(type(error), words)
    refusal.args = (words,)
    return refusal


def judge(asked: Asked, options: Options, progress: Progress, face: Face) -> Verdict:
    """Read everything, then judge it."""
    chosen = None if asked.gates is None else gate_keys(asked.gates, tuple(DEFINITIONS))
    policy = policy_of(asked.policy)
    data = read(asked, options, policy, progress)
    has_trials = data.trials is not None
    judged = tuple(gate for definition, gate in OWN if _is_judged(definition, chosen, has_trials=has_trials))
    progress("judging", 2, 4)
    assessment = assess(data.evidence, data.dossier, policy, progress, gates=judged)
    progress("judged", 4, 4)
    return _verdict(assessment, data, policy, chosen, face)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ReadData:
    """The returns and the trials as understood, and their evidence for the gates."""

    own: Understood
    trials: Understood | None
    benchmark: str
    evidence: Evidence
    dossier: Dossier
    declared: EvidenceDeclaration


def read(asked: Asked, options: Options, policy: Policy, progress: Progress = silent) -> ReadData:
    """Read all inputs. Data that are ambiguous by a factor raise BadInputError, which names the deciding option."""
    progress("reading the returns", 0, 4)
    own, trials, benchmark = _understood(asked, options)
    declared = _with_exact_extremes(own, trials, options)
    dossier = undeclared(declared)
    tables = {"backtest": _table(own, declared)}
    if trials is not None:
        tables["trials"] = _table(trials, declared)
    progress("reading time from the dates", 1, 4)
    evidence = evidence_of(HERE, tables, declared)
    refuse_low_rate(HERE, declared, policy.gates)
    evidence = with_time(HERE, evidence, dossier, policy.phases)
    return ReadData(own=own, trials=trials, benchmark=benchmark, evidence=evidence, dossier=dossier, declared=declared)


def policy_of(policy: Policy | str | Path | None) -> Policy:
    """The named policy, else the built-in one."""
    if policy is None:
        return BUILT_IN
    if isinstance(policy, Policy):
        return policy
    if not isinstance(policy, str | Path):
        raise BadInputError(f"Expected a Policy or the path of a policy file, found {type(policy).__name__}.")
    return load_policy(Path(policy)).value


def _is_judged(gate: GateDefinition, chosen: Sequence[str] | None, *, has_trials: bool) -> bool:
    if gate.is_of_dossier or (gate.is_of_trials and not has_trials):
        return False
    return chosen is None or gate.key in chosen


def _source(data: Any, name: str, asked: Asked, options: Options) -> Given:  # noqa: ANN401 - any table
    if isinstance(data, str | Path):
        return given_file(Path(data), options)
    return given_values(data, name, options, asked.dates)


def _understood(asked: Asked, options: Options) -> tuple[Understood, Understood | None, str]:
    """The returns with their benchmark, the trials on the same days, and where the benchmark came from."""
    if asked.returns is None:
        raise BadInputError("Expected returns to judge, found none.")
    own = one_column(_source(asked.returns, "returns", asked, options), options)
    source = "its own column" if BENCHMARK in own.frame.columns else ""
    if asked.benchmark is not None:
        other = of_benchmark(_source(asked.benchmark, "benchmark", asked, options), options)
        own, _ = _on_same_days(own, other, "the benchmark", options.zone)
        own, source = joined(own, other, other.source, options.zone), other.source
    if asked.trials is None:
        return own, None, source
    trials = many_columns(_source(asked.trials, "trials", _with_dates(asked, own), options), options)
    own, trials = _on_same_days(own, trials, "the trials", options.zone)
    return own, trials, source


def _with_dates(asked: Asked, own: Understood) -> Asked:
    """Trials as a bare array get the dates of the returns if they have as many rows."""
    trials = asked.trials
    if asked.dates is not None or not isinstance(trials, np.ndarray) or len(trials) != own.rows_given:
        return asked
    if gone := own.rows_given - own.frame.height:
        raise BadInputError(
            f"trials: expected the date of each row, found an array beside returns of which {gone:,} rows were "
            "dropped. Pass dates=, or a DataFrame with dates."
        )
    return replace(asked, dates=own.frame[DAY])


def _on_same_days(own: Understood, other: Understood, name: str, zone: str | None) -> tuple[Understood, Understood]:
    """Both tables cut to their shared period, if that leaves most of both."""
    mine, others = (_days(one, zone) for one in (own, other))
    first, last = max(mine[0], others[0]), min(mine[-1], others[-1])
    rows = [(days >= first) & (days <= last) for days in (mine, others)]
    if any(one.sum() < MOST_LOST * one.size for one in rows):
        return own, other
    return _cut(own, rows[0], "the returns", name), _cut(other, rows[1], name, "the returns")


def _cut(one: Understood, rows: np.ndarray, name: str, beside: str) -> Understood:
    gone = int((~rows).sum())
    if not gone:
        return one
    note = f"{gone:,} row{'s' * (gone > 1)} of {name} before or after {beside}"
    return replace(one, frame=one.frame.filter(pl.Series(rows)), dropped=(*one.dropped, note))


def _days(one: Understood, zone: str | None) -> Days:
    """The day of every row in its zone."""
    days: Days = in_days(one.frame, one.source, zone)[DAY].to_numpy().astype("datetime64[D]")
    return days


def _with_exact_extremes(own: Understood, trials: Understood | None, options: Options) -> EvidenceDeclaration:
    """The declarations, with each declared true return as the tables have it to the last digit."""
    declared = options.declared
    if not options.extremes:
        return declared
    tables = []
    for one in (own, *(() if trials is None else (trials,))):
        frame = in_days(one.frame, one.source, options.zone)
        tables.append((frame, [name for name in frame.columns if name != DAY]))
    exact = found(Labelled(own.frame, own.source), tables, declared_values(options.extremes))
    returns = tuple(ExtremeReturn(date=day, value=value) for day, value in exact)
    return replace(declared, extreme_returns=returns)


def _table(one: Understood, declared: EvidenceDeclaration) -> EvidenceTable:
    """The understood table as evidence, which the reader of dossiers checks and folds to days."""
    return EvidenceTable(one.source, one.source, one.content, one.frame, declared)


def _verdict(
    assessment: Assessment,
    data: ReadData,
    policy: Policy,
    chosen: Sequence[str] | None,
    face: Face,
) -> Verdict:
    evidence = data.evidence
    findings = {one.key: _finding(one, face, is_asked=chosen is not None) for one in assessment.findings}
    metrics = tuple(_metrics(assessment, evidence))
    missing = tuple(_missing(findings, (evidence, data.dossier, policy), chosen, face))
    return Verdict(
        outcome=_outcome(findings.values(), missing),
        findings=frozen(findings),
        metrics=frozen({one.key: one for one in metrics}),
        missing=missing,
        understood=understanding(data, face),
        policy=f"{policy.name} v{policy.version}",
        time=spoken(assessment.time.words, face),
        sessions=differences(evidence),
        notes=tuple(spoken(note.removeprefix("New "), face) for row in assessment.metrics for note in row.notes),
        dates=evidence.backtest.dates,
        returns=evidence.backtest.returns,
        pictures=tuple(_pictures(assessment, evidence, metrics, data.own.source)),
    )


def _outcome(findings: Any, missing: tuple[Missing, ...]) -> str:  # noqa: ANN401 - the values of a mapping
    outcomes = [one.outcome for one in findings if one.blocks]
    if Outcome.FAIL in outcomes:
        return Outcome.FAIL.value
    if any(outcome != Outcome.PASS for outcome in outcomes) or any(
        one.is_blocking and not one.is_of_dossier for one in missing
    ):
        return Outcome.INCONCLUSIVE.value
    return Outcome.PASS.value if findings else Outcome.INCONCLUSIVE.value


def _finding(one: Judged, face: Face, *, is_asked: bool) -> VerdictFinding:
    """A gate's finding. An advisory gate counts if it was requested by name, or if trials fail it.

    A policy may leave overfitting to several gates of which one blocks; a verdict is asked whether the record is
    overfit, and noise passes the estimate of one gate half the time.
    """
    gate = DEFINITIONS.get(one.key)
    is_overfit = gate is not None and gate.is_of_trials and one.outcome is Outcome.FAIL
    return VerdictFinding(
        key=one.key,
        title=one.title,
        outcome=one.outcome.value,
        status=one.word,
        value=one.statistic.value,
        comparison=one.comparison.value,
        threshold=one.threshold.value,
        n=one.n,
        why=spoken(one.reason, face),
        turning_point=one.turning_point,
        method=one.method,
        blocks=one.is_blocking or is_asked or is_overfit,
        figures=frozen({q.name: q.value for q in (one.statistic, one.threshold, *one.figures)}),
        judged=one,
    )


def _metrics(assessment: Assessment, evidence: Evidence) -> Iterator[VerdictMetric]:
    for row in assessment.metrics:
        yield _metric(row.key, row.title, row.new)
    yield _metric("value_at_risk", "Value at Risk", assessment.value_at_risk_new)
    yield _metric("conditional_value_at_risk", "Expected Shortfall (CVaR)", assessment.conditional_value_at_risk)
    backtest = evidence.backtest
    if backtest.benchmark is not None:
        own = Source(name=BENCHMARK, sha256="", size=0, rows=backtest.dates.size)
        other = Returns(source=own, dates=backtest.dates, returns=backtest.benchmark, sampling=backtest.time)
        versions = sharpe_comparison(backtest, other)
        yield _metric("sharpe_over_benchmark", "Sharpe less benchmark's", versions.difference)
        yield _metric("sharpe_over_benchmark_p", "p of no difference", versions.p_value)


def _metric(key: str, title: str, figure: Quantity) -> VerdictMetric:
    low, high = figure.bounds or (None, None)
    return VerdictMetric(
        key=key, title=title, value=figure.value, low=low, high=high, text=figure.text, n=figure.n, quantity=figure
    )


def _missing(
    findings: Mapping[str, VerdictFinding],
    inputs: tuple[Evidence, Dossier, Policy],
    chosen: Sequence[str] | None,
    face: Face,
) -> Iterator[Missing]:
    """The gates that were not judged, each with what it lacks."""
    for definition, gate in OWN:
        key = definition.key
        if key in findings or (chosen is not None and key not in chosen):
            continue
        finding = gate(*inputs)
        yield Missing(
            key=key,
            title=finding.title,
            needs=spoken(definition.lacks, face),
            why=spoken(finding.reason, face),
            is_blocking=finding.is_blocking or chosen is not None,
            is_of_dossier=definition.is_of_dossier and chosen is None,
        )


def understanding(data: ReadData, face: Face) -> Understanding:
    """What was read, guessed and dropped, in words and in parts."""
    own, trials, source = data.own, data.trials, data.benchmark
    backtest, time = data.evidence.backtest, data.evidence.backtest.time
    start, end = backtest.period
    parts = [own] if trials is None else [own, trials]
    dropped = tuple(dict.fromkeys([*(note for one in parts for note in one.dropped), *backtest.left_out]))
    guessed = [spoken(note, face) for one in parts for note in one.guessed]
    calendar = {"": "not known", "24/7": "every day (24/7)", "24/5": "every weekday (24/5)"}.get(
        time.calendar, time.calendar
    )
    if time.rivals:
        guessed.append(
            spoken(f"the calendar {time.calendar}, of {', '.join(time.rivals)} too (--calendar decides)", face)
        )
    kind = "equity" if own.is_equity else "returns"
    what = f"{own.tool}, column {own.columns[0]}" if own.tool else f"column {own.columns[0]}"
    tried = f"; {trials.source}: {len(trials.names):,} trials" if trials is not None else ""
    beside = f"; benchmark: {source}" if source else ""
    unit = time.frequency.value
    where = time.zone or own.zone or "none, whole days"
    lines = (
        f"{own.source}: {backtest.dates.size:,} {unit} returns from {start} to {end} ({what}), read as {own.unit}"
        f"{tried}{beside}.",
        f"{time.rows_a_year:g} rows a year; calendar: {calendar}; zone: {where}; "
        f"dropped: {'; '.join(dropped) or 'nothing'}." + (f" Guessed: {'; '.join(guessed)}." if guessed else ""),
    )
    return Understanding(
        lines=tuple(spoken(line, face) for line in lines),
        start=str(start),
        end=str(end),
        rows=int(backtest.dates.size),
        frequency=unit,
        rows_a_year=float(time.rows_a_year),
        calendar=time.calendar,
        zone=time.zone or own.zone,
        kind=kind,
        unit=own.unit,
        trials=0 if trials is None else len(trials.names),
        dropped=dropped,
        guessed=tuple(guessed),
        notes=tuple(spoken(note, face) for one in parts for note in one.notes),
    )


def _pictures(
    assessment: Assessment, evidence: Evidence, metrics: tuple[VerdictMetric, ...], source: str
) -> Iterator[Chart]:
    backtest = evidence.backtest
    lines = [ChartLine(Path(source).stem[:24], backtest.dates, backtest.returns, is_new=True)]
    if backtest.benchmark is not None:
        lines.append(ChartLine(BENCHMARK, backtest.dates, backtest.benchmark, is_new=False))
    start, end = backtest.period
    if backtest.dates.size > 1:
        yield EquityChart("equity", f"Growth of 1 and drawdown, {start} to {end}.", tuple(lines))
    sharpe = next((one for one in metrics if one.key == "sharpe"), None)
    if sharpe is not None and sharpe.value is not None and sharpe.low is not None and sharpe.high is not None:
        row = Interval("Sharpe ratio", sharpe.value, sharpe.low, sharpe.high)
        caption = f"The annual Sharpe ratio with its 95% interval, n = {backtest.time.counted(backtest.dates.size)}."
        yield IntervalChart("sharpe", caption, (row,), ReferenceLine(0.0, "0"), "Sharpe ratio a year", is_percent=False)
    for finding in assessment.findings:
        yield from finding.charts
    yield from (chart for chart in assessment.charts if chart.name == "rolling_sharpe")
