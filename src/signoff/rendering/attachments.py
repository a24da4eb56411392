"""The memo's attachments beside the validation report: backtest report, paper trading log, risk matrix."""

import csv
from datetime import datetime, time
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Final

import numpy as np

from signoff.domain.assessment import Assessment, PaperSummary
from signoff.domain.charts import ChartLine, EquityChart
from signoff.domain.dossier import Dossier, Grade, Risk
from signoff.domain.evidence import Evidence, PaperLog
from signoff.domain.memo.document import (
    Align,
    Cell,
    Column,
    Mark,
    Memo,
    Paragraph,
    Section,
    Table,
)
from signoff.domain.memo.risk import window_in_words, window_notes
from signoff.domain.quantity import Unit, number, signed_percent
from signoff.domain.spreadsheets import inert
from signoff.rendering import palette
from signoff.rendering.pdf import report

if TYPE_CHECKING:
    import xlsxwriter

PAPER_COLUMNS: Final = (
    "timestamp",
    "symbol",
    "prediction",
    "latency_ms",
    "error",
    "side",
    "quantity",
    "decision_price",
    "fill_price",
    "anomalies",
)
GRADES: Final = (Grade.LOW, Grade.MEDIUM, Grade.HIGH)
LEVEL_COLOUR: Final = {Grade.LOW: "#e3f0e9", Grade.MEDIUM: "#f6ecd9", Grade.HIGH: "#f7e3e3"}


def backtest_report(assessment: Assessment, evidence: Evidence, memo: Memo) -> bytes:
    """Equity, metrics, years, stress windows and regimes, as PDF."""
    start, end = assessment.period
    time = assessment.time
    sections = (
        Section(
            "1",
            f"Performance, {start} to {end}",
            (_equity(assessment, memo, evidence.costs), _metrics(assessment, memo)),
        ),
        Section("2", "Years and months", (_months(assessment, evidence.backtest.costs),)),
        Section("3", "Stress windows", (_stress(assessment), *window_notes(assessment.stress))),
        Section("4", "Regimes", (_regimes(assessment),)),
        Section(
            "5",
            "Conventions",
            (
                Paragraph(
                    f"Simple returns, {evidence.costs}: {time.words}. Sharpe ratio annualised by "
                    f"{time.rows_a_year:g} rows a year with ddof 1; "
                    "where returns are autocorrelated the ratio of the whole record is scaled by "
                    "Lo's (2002) η(q). ± is half of the 95% interval, robust to autocorrelation, heteroskedasticity, "
                    "skew and fat tails (equal-weighted cosines, Lazarus et al. 2018). Max drawdown from the highest "
                    "equity before. Hit rate and win/loss over rows with a return other "
                    "than zero."
                ),
            ),
        ),
    )
    return report("Backtest report", f"{memo.model} v{memo.version}", report_footer(memo), sections)


def paper_trading_logs(paper: PaperLog | None, summary: PaperSummary | None) -> bytes:
    """The paper log as CSV, each odd row with what is odd about it; only the header where there was no log."""
    out = StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(PAPER_COLUMNS)
    if paper is None:
        return out.getvalue().encode()
    odd: dict[int, list[str]] = {}
    for anomaly in () if summary is None else summary.anomalies:
        for row in anomaly.rows:
            odd.setdefault(row, []).append(anomaly.kind.value)
    for row in range(paper.timestamps.size):
        writer.writerow((*_paper_row(paper, row), "; ".join(odd.get(row, ()))))
    return out.getvalue().encode()


def risk_matrix(dossier: Dossier) -> bytes:
    """Likelihood by impact, and the register behind it, as XLSX."""
    import xlsxwriter  # noqa: PLC0415 - only who writes a sheet loads what writes it

    out = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties(
            {
                "title": f"Risk matrix: {dossier.model} v{dossier.version}",
                "created": datetime.combine(dossier.header.deployment_date, time()),
            }
        )
        _matrix_sheet(book, dossier)
        _register_sheet(book, dossier)
    return out.getvalue()


def level(risk: Risk) -> Grade:
    """The level of one risk: the matrix's cell."""
    score = GRADES.index(risk.likelihood) + GRADES.index(risk.impact)
    return GRADES[min(2, max(0, score - 1))]


def report_footer(memo: Memo) -> str:
    """What stands at the foot of each page of an attachment."""
    digest = memo.evidence_digest
    return f"{memo.model} v{memo.version}" + (f" · evidence {digest[:4]}…{digest[-4:]}" if digest else "")


def _equity(assessment: Assessment, memo: Memo, costs: str) -> EquityChart:
    curves, lines = assessment.curves, []
    if curves.previous is not None and curves.previous_dates is not None:
        lines.append(ChartLine(f"v{memo.previous_version}", curves.previous_dates, curves.previous, is_new=False))
    lines.append(ChartLine(f"v{memo.version}", curves.dates, curves.new, is_new=True))
    start, end = assessment.period
    caption = f"Growth of 1, {costs}; log scale, with drawdown beneath. n = {curves.dates.size:,}, {start} to {end}."
    return EquityChart("equity", caption, tuple(lines))


def _metrics(assessment: Assessment, memo: Memo) -> Table:
    right = Align.RIGHT
    columns = (
        Column("Metric"),
        Column(f"v{memo.version}", right),
        Column(f"v{memo.previous_version}" if memo.previous_version else "previous", right),
        Column("Change", right),
        Column("Target", right),
        Column("Status", right),
    )
    rows = tuple(
        (
            Cell(row.title),
            Cell(row.new.text, is_figure=True),
            Cell(row.old.text, is_figure=True),
            Cell(signed_percent(row.change), is_figure=True),
            Cell(f"{row.target_sign} {row.target.text}", is_figure=True),
            Cell("", mark=Mark(row.status.value.upper())),
        )
        for row in assessment.metrics
    )
    return Table(columns, rows)


def _months(assessment: Assessment, costs: str) -> Table:
    dates, returns = assessment.curves.dates, assessment.curves.new
    months = dates.astype("datetime64[M]")
    years = dates.astype("datetime64[Y]").astype(int) + 1970
    columns = (Column("Year"), *(Column(f"{m:02d}", Align.RIGHT) for m in range(1, 13)), Column("Year %", Align.RIGHT))
    rows = []
    for year in np.unique(years):
        cells = [Cell(str(year))]
        for month in range(1, 13):
            inside = months == np.datetime64(f"{year}-{month:02d}")
            cells.append(Cell(_compounded(returns[inside]), is_figure=True))
        cells.append(Cell(_compounded(returns[years == year]), is_figure=True, is_strong=True))
        rows.append(tuple(cells))
    return Table(columns, tuple(rows), f"Compounded simple returns in percent, {costs}.")


def _compounded(returns: np.ndarray) -> str:
    return number(float(np.prod(1.0 + returns) - 1.0), Unit.PERCENT, 1) if returns.size else ""


def _stress(assessment: Assessment) -> Table:
    titles = ("Sharpe", "Max drawdown", "Return", "Benchmark", "Portfolio today", "its drawdown")
    columns = (Column("Window"), *(Column(t, Align.RIGHT) for t in titles))
    rows = tuple(
        (
            Cell(window_in_words(row)),
            *(
                Cell(q.text, is_figure=q.is_provided)
                for q in (
                    row.sharpe,
                    row.max_drawdown,
                    row.total_return,
                    row.benchmark_return,
                    row.portfolio_return,
                    row.portfolio_drawdown,
                )
            ),
        )
        for row in assessment.stress
    )
    return Table(columns, rows)


def _regimes(assessment: Assessment) -> Table:
    titles = ("Days", "Sharpe", "Annual return", "p (mean ≤ 0)")
    columns = (Column("Regime"), *(Column(t, Align.RIGHT) for t in titles))
    rows = tuple(
        (
            Cell(row.title),
            Cell(f"{row.days:,}", is_figure=True),
            *(Cell(q.text, is_figure=True) for q in (row.sharpe, row.annual_return, row.p_value)),
        )
        for row in assessment.regimes
    )
    return Table(columns, rows)


def _paper_row(paper: PaperLog, row: int) -> tuple[object, ...]:
    def maybe(value: float) -> object:
        return "" if np.isnan(value) else repr(float(value))

    return (
        f"{np.datetime_as_string(paper.timestamps[row], unit='us')}Z",
        inert(str(paper.symbols[row])),
        maybe(paper.prediction[row]),
        maybe(paper.latency_ms[row]),
        str(bool(paper.is_error[row])).lower(),
        inert(str(paper.side[row])),
        maybe(paper.quantity[row]),
        maybe(paper.decision_price[row]),
        maybe(paper.fill_price[row]),
    )


def _matrix_sheet(book: "xlsxwriter.Workbook", dossier: Dossier) -> None:
    sheet = book.add_worksheet("Matrix")
    title = book.add_format({"bold": True, "font_size": 14, "font_color": palette.INK})
    head = book.add_format(
        {"bold": True, "align": "center", "valign": "vcenter", "border": 1, "bg_color": palette.TINT}
    )
    sheet.write_string(0, 0, f"Risk matrix: {dossier.model} v{dossier.version}", title)
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 3, 38)
    sheet.write_string(2, 0, "Likelihood \\ Impact", head)
    for column, impact in enumerate(GRADES, start=1):
        sheet.write_string(2, column, impact.value, head)
    for row, likelihood in enumerate(reversed(GRADES), start=3):
        sheet.set_row(row, 90)
        sheet.write_string(row, 0, likelihood.value, head)
        for column, impact in enumerate(GRADES, start=1):
            here = [r for r in dossier.risk.risks if (r.likelihood, r.impact) == (likelihood, impact)]
            colour = LEVEL_COLOUR[GRADES[min(2, max(0, GRADES.index(likelihood) + GRADES.index(impact) - 1))]]
            style = book.add_format({"text_wrap": True, "valign": "top", "border": 1, "bg_color": colour})
            sheet.write_string(row, column, "\n".join(f"• {r.risk}" for r in here), style)


def _register_sheet(book: "xlsxwriter.Workbook", dossier: Dossier) -> None:
    sheet = book.add_worksheet("Register")
    head = book.add_format({"bold": True, "border": 1, "bg_color": palette.TINT})
    wrap = book.add_format({"text_wrap": True, "valign": "top", "border": 1})
    titles = ("Risk", "Likelihood", "Impact", "Level", "Mitigation (declared)", "Owner")
    for column, (name, width) in enumerate(zip(titles, (44, 12, 12, 12, 60, 20), strict=True)):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, name, head)
    for row, risk in enumerate(dossier.risk.risks, start=1):
        values = (risk.risk, risk.likelihood.value, risk.impact.value, level(risk).value, risk.mitigation, risk.owner)
        for column, value in enumerate(values):
            sheet.write_string(row, column, value, wrap)
    sheet.freeze_panes(1, 0)
    sheet.autofilter(0, 0, max(1, len(dossier.risk.risks)), len(titles) - 1)
