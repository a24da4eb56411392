"""The same marks in the terminal: words and colour, in tables that fit 100 columns."""

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from signoff.domain.assessment import MetricRow, MetricStatus
from signoff.domain.finding import Finding
from signoff.domain.quantity import signed_percent
from signoff.rendering.palette import BAD, CAUTION, GOOD, MUTED

_COLOUR = {
    "PASS": GOOD,
    "NEAR MISS": CAUTION,
    "FAIL": BAD,
    "INCONCLUSIVE": CAUTION,
    "ERROR": BAD,
    "NOT PROVIDED": CAUTION,
}


def mark(word: str) -> Text:
    """A status as a coloured word."""
    return Text(word, style=f"bold {_COLOUR.get(word, MUTED)}")


def gate_table(findings: Sequence[Finding]) -> Table:
    """Every gate: threshold, result, sample, status, and whether it blocks."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("Gate", max_width=40)
    for title in ("Threshold", "Result", "n"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    table.add_column("Blocks", no_wrap=True)
    for f in findings:
        table.add_row(
            f.title,
            f"{f.comparison.value} {f.threshold.text}",
            f.statistic.text,
            f"{f.n:,}",
            mark(f.word),
            "yes" if f.is_blocking else "advisory",
        )
    return table


def metric_table(rows: Sequence[MetricRow]) -> Table:
    """The backtest: new, old, change, target, status."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("Metric")
    for title in ("New", "Old", "Change", "Target"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    for row in rows:
        word = {MetricStatus.PASS: "PASS", MetricStatus.WARN: "NEAR MISS", MetricStatus.FAIL: "FAIL"}.get(
            row.status, "NOT PROVIDED"
        )
        table.add_row(
            row.title,
            row.new.text,
            row.old.text,
            signed_percent(row.change),
            f"{row.target_sign} {row.target.text}",
            mark(word),
        )
    return table
