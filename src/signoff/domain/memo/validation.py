"""Section 2, and what page one shows of it: the backtest, the gates, the point-in-time replay and paper trading.

This module computes nothing; a gate is printed as the assessment found it, overridden or not.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from signoff.domain.assessment import CORRELATION_INTERVAL, MetricRow, MetricStatus, PaperSummary, PitStatus
from signoff.domain.charts import Band, Chart, ChartLine, EquityChart
from signoff.domain.costs import Costs
from signoff.domain.evidence import SuiteName
from signoff.domain.finding import Finding
from signoff.domain.gates.assess import DEFINITIONS
from signoff.domain.gates.point_in_time import range_words
from signoff.domain.memo.document import (
    Align,
    Block,
    Cell,
    CheckItem,
    Checklist,
    Column,
    Fields,
    Mark,
    Paragraph,
    Section,
    Table,
)
from signoff.domain.memo.governance import reported
from signoff.domain.memo.markup import (
    ABSENT,
    MEMO_GATES,
    NO_PREVIOUS,
    declared,
    declared_words,
    figure,
    gates_in_words,
    joined,
    lead_in,
    one,
    short_title,
    status,
    strong,
    versioned,
    words,
)
from signoff.domain.memo.release import Release
from signoff.domain.memo.shared_causes import BELOW, SharedCause, shared_causes
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import NOT_PROVIDED, PLUS_MINUS, Quantity, signed_percent

BACKTEST_REPORT: Final = "attachments/backtest_report.pdf"
VALIDATION_RESULTS: Final = "attachments/validation_results.pdf"
PAPER_LOGS: Final = "attachments/paper_trading_logs.csv"

_METRIC_MARK: Final = {
    MetricStatus.PASS: Mark.PASS,
    MetricStatus.WARN: Mark.NEAR_MISS,
    MetricStatus.MISSED: Mark.MISSED,
    MetricStatus.INCONCLUSIVE: Mark.INCONCLUSIVE,
    MetricStatus.NOT_PROVIDED: Mark.NOT_PROVIDED,
}
_PIT_MARK: Final = {
    PitStatus.VERIFIED: Mark.PASS,
    PitStatus.CONDITIONAL: Mark.CONDITIONAL,
    PitStatus.FAILED: Mark.FAIL,
    PitStatus.NOT_PROVIDED: Mark.NOT_PROVIDED,
}
IN_THE_MEMO: Final = frozenset({"pbo_logits", "var_exceptions"})


def front(release: Release) -> tuple[Section, ...]:
    """The blocks of page one beneath the five figures."""
    start, end = release.assessment.period
    return (
        Section(
            "2.1", f"Backtest, {start} to {end}", (_equity(release), _metrics_table(release), *_plus_minus(release))
        ),
        Section("2.2", "Risk validation gates", tuple(_gates_tables(release))),
    )


def validation(release: Release) -> Section:
    """Chapter 2."""
    return Section(
        "2",
        "Validation & Testing",
        sections=(
            Section("2.1", "Backtest Performance", tuple(_backtest(release))),
            Section("2.2", "Risk Validation Gates", tuple(_gates(release))),
            Section("2.3", "Point-In-Time (PIT) Validation", _point_in_time(release)),
            Section("2.4", "Paper Trading Results", _paper_trading(release)),
        ),
    )


def _backtest(release: Release) -> Iterator[Block]:
    start, end = release.assessment.period
    source = release.evidence.backtest.source
    time = release.assessment.time
    length = time.counted(release.evidence.backtest.returns.size)
    yield one("Test Period", Cell(f"{start} to {end} ({length})"))
    yield one("Time", Cell(time.words))
    yield _costs(release)
    for note in release.evidence.backtest.left_out:
        yield one("Left Out", Cell(note))
    yield _equity(release)
    yield lead_in("Performance Metrics")
    yield _metrics_table(release)
    yield from (Paragraph(note, is_note=True) for row in release.assessment.metrics for note in row.notes)
    difference, p_value = release.assessment.sharpe_difference, release.assessment.sharpe_difference_p
    rows = (("Sharpe difference, new − old", difference), ("p for no difference", p_value))
    yield Fields(tuple((label, _compared(quantity, release)) for label, quantity in rows))
    yield one("Backtest Artifacts", Cell(f"{BACKTEST_REPORT}; {source.name} (sha256 {source.sha256[:12]}…)"))


def _costs(release: Release) -> Block:
    """Whether returns are net of costs; gross returns flatter every figure of performance."""
    match release.evidence.backtest.costs:
        case Costs.BEFORE:
            return one(
                "Backtest returns are before costs", Cell("every return is too high by its costs", mark=Mark.FAIL)
            )
        case Costs.NOT_STATED:
            return one("Costs of the backtest", Cell(Costs.NOT_STATED, mark=Mark.NOT_PROVIDED))
        case _:
            return one("Costs of the backtest", Cell(release.evidence.costs))


def _plus_minus(release: Release) -> Iterator[Block]:
    """The meaning of ± in a line; section 2.1 has the method and the autocorrelation."""
    if any(row.notes for row in release.assessment.metrics):
        yield Paragraph(f"{PLUS_MINUS}, HAC; the method and the autocorrelation are in section 2.1.", is_note=True)


def _compared(quantity: Quantity, release: Release) -> Cell:
    """A figure beside the previous version's; a first deployment has none to compare with."""
    return Cell(NO_PREVIOUS) if release.is_initial and not quantity.is_provided else figure(quantity)


def _metrics_table(release: Release) -> Table:
    header = release.dossier.header
    columns = (
        Column("Metric"),
        Column(versioned(header.version), Align.RIGHT),
        Column(_previous(release), Align.RIGHT),
        Column("Change", Align.RIGHT),
        Column("Target", Align.RIGHT),
        Column("Status", Align.RIGHT),
    )
    return Table(columns, tuple(_metric(row, is_initial=release.is_initial) for row in release.assessment.metrics))


def _metric(row: MetricRow, *, is_initial: bool) -> tuple[Cell, ...]:
    nothing_before = is_initial and not row.old.is_provided
    no_change = Cell("N/A") if nothing_before else ABSENT
    return (
        Cell(row.title),
        figure(row.new),
        Cell("N/A") if nothing_before else figure(row.old),
        no_change if row.change is None else Cell(signed_percent(row.change), is_figure=True),
        Cell(f"{row.target_sign} {row.target.text}", is_figure=True),
        status(_METRIC_MARK[row.status]),
    )


def _equity(release: Release) -> EquityChart:
    curves, header = release.assessment.curves, release.dossier.header
    start, end = release.assessment.period
    lines = [ChartLine(versioned(header.version), curves.dates, curves.new, is_new=True)]
    if curves.previous is not None and curves.previous_dates is not None:
        old = ChartLine(_previous(release), curves.previous_dates, curves.previous, is_new=False)
        lines.append(old)
    length = release.assessment.time.counted(curves.new.size)
    caption = f"Growth of 1, {release.evidence.costs}; with drawdown; n = {length}, {start} to {end}."
    return EquityChart("equity", caption, tuple(lines), _stress_bands(release))


def _stress_bands(release: Release) -> tuple[Band, ...]:
    """The named windows that the backtest covers and that are long enough for its axis."""
    return tuple(
        Band(row.start, row.end, row.title)
        for row in release.assessment.stress
        if row.total_return.is_provided and (row.end - row.start).days > 100
    )


def _previous(release: Release) -> str:
    previous = release.dossier.header.previous_version
    return "previous" if previous is None else versioned(previous)


def _gates_tables(release: Release) -> Iterator[Table]:
    """The gates, and beneath them each cause that several of them share."""
    causes = shared_causes(release.assessment.findings)
    yield _gates_table(release, causes)
    if causes:
        columns = (Column("Gates that wait for one cause"), Column("Cause"))
        yield Table(columns, tuple((Cell(gates_in_words(one.findings)), Cell(one.words)) for one in causes))


def _gates_table(release: Release, causes: tuple[SharedCause, ...]) -> Table:
    columns = (
        Column("Gate"),
        Column("Threshold", Align.RIGHT),
        Column("Result", Align.RIGHT),
        Column("How"),
        Column("Status", Align.RIGHT),
    )
    own = {finding.key for finding in release.assessment.memo_gates}
    rows = tuple(
        (
            Cell(_titled(finding), is_strong=finding.key in own),
            _threshold(finding),
            figure(finding.statistic),
            Cell(_how(finding, causes)),
            status(Mark(finding.word)),
        )
        for finding in release.assessment.findings
    )
    return Table(columns, rows)


def _titled(finding: Finding) -> str:
    return finding.title if finding.is_blocking else f"{finding.title} (policy: advisory)"


def _threshold(finding: Finding) -> Cell:
    return Cell(f"{finding.comparison.value} {finding.threshold.text}", is_figure=True)


def _how(finding: Finding, causes: tuple[SharedCause, ...]) -> str:
    """A gate's sample in a few words; if nothing was measured, its reason, or what it adds to a shared one."""
    if finding.outcome in {Outcome.INCONCLUSIVE, Outcome.ERROR}:
        own = next((one.own[finding.key] for one in causes if finding.key in one.own), None)
        return finding.reason if own is None else f"{BELOW} {own}".rstrip()
    by_name = {quantity.name.rpartition(".")[2]: quantity for quantity in finding.figures}
    definition = DEFINITIONS.get(finding.key)
    patterns, others = (definition.shown, definition.parts) if definition else ((), ())
    parts = [pattern.format(by_name[name].text) for name, pattern in patterns if name in by_name]
    turned = [text.format(by_name[name].text) for name, text in others if _turns(finding, by_name, name)]
    hangs = [f"the verdict hangs on the trials counted: {', '.join(turned)}"] if turned else []
    return ", ".join([*(parts or [f"n = {finding.n:,}"]), *hangs])


def _turns(finding: Finding, by_name: Mapping[str, Quantity], name: str) -> bool:
    """Whether the figure of this name and the statistic are on different sides of the threshold."""
    other = by_name[name].value if name in by_name else None
    value, threshold = finding.statistic.value, finding.threshold.value
    if other is None or value is None or threshold is None:
        return False
    return finding.comparison.holds(value, threshold) != finding.comparison.holds(other, threshold)


def _gates(release: Release) -> Iterator[Block]:
    assessment = release.assessment
    yield Paragraph(_must_pass(release))
    yield from _gates_tables(release)
    if assessment.blocking and release.overrides:
        who = joined(f"{s.person} ({s.role.title})" for s in release.overrides)
        word = Mark.OVERRIDDEN if release.is_overridden else Mark.PENDING
        yield one("Override", Cell(f"{who}: {release.overrides[0].reason}", mark=word))
    yield lead_in("Details")
    yield _details(release)
    if explanations := tuple(_explanations(release)):
        yield lead_in("Near misses and failures explained")
        yield Fields(explanations)
    yield from _pictures(release)
    yield one("Validation report", Cell(f"{VALIDATION_RESULTS}: every figure behind the gates"))


def _must_pass(release: Release) -> str:
    """Which gates block the release, by the findings."""
    own, findings = release.assessment.memo_gates, release.assessment.findings
    advisory = [finding for finding in findings if not finding.is_blocking]
    besides = f" Advisory by policy: {gates_in_words(advisory)}." if advisory else ""
    if len(own) == MEMO_GATES and all(finding.is_blocking for finding in own):
        return f"All gates must PASS for production deployment.{besides}"
    blocking = [finding for finding in findings if finding.is_blocking]
    return f"Must PASS for production deployment: {gates_in_words(blocking) or 'none'}.{besides}"


def _details(release: Release) -> Table:
    """How each gate is computed, and its reason in a sentence."""
    columns = (Column("Gate"), Column("n", Align.RIGHT), Column("How"), Column("Why"))
    rows = tuple(
        (
            strong(short_title(finding)),
            Cell(f"{finding.n:,}", is_figure=True),
            Cell(finding.method),
            Cell(finding.reason),
        )
        for finding in release.assessment.findings
    )
    return Table(columns, rows)


def _explanations(release: Release) -> Iterator[tuple[str, Cell]]:
    """The declared explanation of each gate that was near its threshold or did not pass."""
    explanations = release.dossier.validation.near_misses
    for finding in release.assessment.findings:
        if finding.is_near_miss or finding.outcome is not Outcome.PASS:
            text = explanations.get(finding.key)
            yield short_title(finding), declared_words(release.author, text)


def _pictures(release: Release) -> Iterator[Chart]:
    """The two most important pictures; the validation report has the others."""
    for finding in release.assessment.findings:
        yield from (chart for chart in finding.charts if chart.name in IN_THE_MEMO)


def _point_in_time(release: Release) -> tuple[Block, ...]:
    summary = release.assessment.pit
    compliance = (
        ABSENT
        if summary.status is PitStatus.NOT_PROVIDED
        else Cell(summary.status.value.capitalize(), mark=_PIT_MARK[summary.status])
    )
    issues = _pit_issues(release)
    return (
        one("PIT Compliance", compliance),
        Paragraph(summary.reason, is_note=True),
        lead_in("Verification Method"),
        Checklist((_code_review(release), _pit_tests(release), _audit(release), _replay(release), *_audits(release))),
        one(
            "PIT Issues Identified",
            words("None found by the replay, none declared" if issues == () else "; ".join(issues or ())),
        ),
    )


def _code_review(release: Release) -> CheckItem:
    reviewer = release.dossier.validation.pit.code_review_by
    note = declared(release.author, f"reviewed by {reviewer}") if reviewer else NOT_PROVIDED
    return CheckItem("Manual code review", is_checked=False, note=note)


def _audit(release: Release) -> CheckItem:
    audit = release.dossier.validation.pit.third_party_audit
    note = declared(release.author, audit) if audit else NOT_PROVIDED
    return CheckItem("Third-party audit", is_checked=False, note=note)


def _pit_tests(release: Release) -> CheckItem:
    return reported("Automated PIT validation tests", SuiteName.PIT, release)


def _replay(release: Release) -> CheckItem:
    title, replay = "Historical replay verification", release.evidence.pit
    if replay is None:
        return CheckItem(title, is_checked=False, note=NOT_PROVIDED)
    if replay.error is not None:
        return CheckItem(title, is_checked=False, note=f"could not run: {replay.error}", mark=Mark.ERROR)
    has_looked = replay.dates_checked > 0 and replay.features_checked > 0
    features = f"{replay.features_checked} features"
    if replay.declared:
        checked = replay.features_checked - len(replay.declared)
        names = ", ".join(replay.declared)
        features = f"{checked} of {features} verified; {len(replay.declared)} declared ({names}),"
    note = f"{features} on {replay.dates_checked} dates, seed {replay.seed}: {len(replay.findings)} moved"
    note += f"; {range_words(replay)}"
    if replay.declared or replay.declared_decisions:
        note += "; what is declared is not checked against memory"
    if replay.protection is not None:
        note += f"; the feature code ran {replay.protection.words}"
    is_clean = has_looked and not replay.findings
    return CheckItem(title, is_clean, note, None if is_clean else Mark.FAIL)


def _audits(release: Release) -> Iterator[CheckItem]:
    """The audits beyond the replay, for which the dossier brings files."""
    for audit in () if release.evidence.pit is None else release.evidence.pit.audits:
        note = f"{audit.rows_checked:,} rows on {audit.dates_checked:,} dates: {audit.findings} findings"
        is_clean = audit.has_looked and not audit.findings
        note += "" if audit.has_looked else "; it looked at nothing that could tell"
        yield CheckItem(f"Audit of {audit.name}", is_clean, note, None if is_clean else Mark.FAIL)


def _pit_issues(release: Release) -> tuple[str, ...] | None:
    """Declared issues and those that the replay found; None if there are neither."""
    issues = tuple(declared(release.author, issue) for issue in release.dossier.validation.pit.issues)
    replay = release.evidence.pit
    if replay is None or replay.error is not None:
        return issues or None
    leaks = tuple(
        f"{finding.feature}: {finding.kind.replace('_', ' ')}, first {finding.first_date}, size {finding.size:.3g}"
        + (f", {finding.detail}" if finding.detail else "")
        for finding in replay.findings
    )
    return (*leaks, *issues)


def _paper_time(release: Release) -> str:
    """The frequency of paper returns, if it differs from the backtest's."""
    returns = release.evidence.paper_returns
    if returns is None or returns.time.frequency is release.assessment.time.frequency:
        return ""
    return f"; paper returns: {returns.time.words}"


def _paper_trading(release: Release) -> tuple[Block, ...]:
    paper, declaration = release.assessment.paper, release.dossier.validation.paper
    if paper is None:
        period, results, anomalies, log = ABSENT, (ABSENT,) * 5, ABSENT, ABSENT
    else:
        period = Cell(f"{paper.start} to {paper.end} ({paper.days} days)")
        results = (
            figure(paper.sharpe),
            _correlated(paper),
            _shortfall(paper),
            _latencies(paper),
            figure(paper.error_rate),
        )
        anomalies = Cell(paper.anomalies_text)
        log = Cell(f"{PAPER_LOGS}; {paper.predictions:,} predictions, {paper.orders:,} orders{_paper_time(release)}")
    titles = ("Sharpe Ratio", "Correlation with backtest", "Execution slippage", "Model latency", "Error rate")
    explained = "; ".join(declaration.explanations)
    return (
        one("Paper Trading Period", period),
        one("Method", Cell(declared(release.author, declaration.method))),
        lead_in("Results"),
        Fields(tuple(zip(titles, results, strict=True))),
        *_paper_intervals(paper),
        Fields(
            (
                ("Anomalies / Issues", anomalies),
                ("Explanations", Cell(declared(release.author, explained) if explained else "none declared")),
            )
        ),
        one("Paper Trading Artifacts", log),
    )


def _paper_intervals(paper: PaperSummary | None) -> Iterator[Block]:
    """How the intervals of the paper period were found."""
    if paper is None:
        return
    shown = (("Sharpe ratio", paper.sharpe), ("slippage per trade", paper.slippage_per_trade))
    parts = [f"{title}: {quantity.interval}" for title, quantity in shown if quantity.interval]
    if paper.correlation_low.is_provided:
        parts.append(f"correlation: {CORRELATION_INTERVAL}")
    if parts:
        yield Paragraph(f"{PLUS_MINUS}. {'; '.join(parts)}.".replace("..", "."), is_note=True)


def _correlated(paper: PaperSummary) -> Cell:
    if paper.correlation_refused:
        return Cell(f"not evidenced: {paper.correlation_refused}", mark=Mark.NOT_PROVIDED)
    if not paper.correlation_low.is_provided:
        return figure(paper.correlation)
    interval = f"{paper.correlation_low.text} to {paper.correlation_high.text}"
    return Cell(f"{paper.correlation.text} (95%: {interval}, n = {paper.correlation.n})", is_figure=True)


def _shortfall(paper: PaperSummary) -> Cell:
    """Slippage by quantity, per trade, and by side."""
    if not paper.slippage.is_provided:
        return figure(paper.slippage)
    parts = (
        ("per trade", paper.slippage_per_trade),
        ("buys", paper.slippage_buys),
        ("sells", paper.slippage_sells),
    )
    beside = ", ".join(f"{title} {quantity.text}" for title, quantity in parts if quantity.is_provided)
    return Cell(f"{paper.slippage.text} by quantity" + (f"; {beside}" if beside else ""), is_figure=True)


def _latencies(paper: PaperSummary) -> Cell:
    quantiles = (("p50", paper.latency_p50), ("p95", paper.latency_p95), ("p99", paper.latency_p99))
    if not any(quantity.is_provided for _, quantity in quantiles):
        return ABSENT
    return Cell(", ".join(f"{title} {quantity.text}" for title, quantity in quantiles), is_figure=True)
