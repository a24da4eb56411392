"""The same marks in the terminal: words and colour, in tables that fit 100 columns.

Rows are the documents that are answered everywhere, so that a server's answer reads like one's own.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from signoff.domain.assessment import MetricStatus
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


def gate_table(gates: Iterable[Mapping[str, Any]]) -> Table:
    """Every gate: threshold, result, sample, status, and whether it blocks."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("Gate", max_width=40)
    for title in ("Threshold", "Result", "n"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    table.add_column("Blocks", no_wrap=True)
    for gate in gates:
        table.add_row(
            gate["title"],
            f"{gate['comparison']} {gate['threshold_text']}",
            gate["statistic_text"],
            f"{gate['n']:,}",
            mark(gate["status"]),
            "yes" if gate["blocking"] else "advisory",
        )
    return table


def metric_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """The backtest: new, old, change, target, status."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("Metric")
    for title in ("New", "Old", "Change", "Target"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    for row in rows:
        word = {MetricStatus.PASS: "PASS", MetricStatus.WARN: "NEAR MISS", MetricStatus.FAIL: "FAIL"}.get(
            MetricStatus(row["status"]), "NOT PROVIDED"
        )
        change = signed_percent(row["change"])
        table.add_row(row["title"], row["new_text"], row["old_text"], change, row["target_text"], mark(word))
    return table
