"""The same marks in the terminal: words and colour, in tables that fit 100 columns.

Rows are the documents that are answered everywhere, so that a server's answer reads like one's own.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from rich import box
from rich.table import Table
from rich.text import Text

from signoff.domain.assessment import MetricStatus
from signoff.domain.quantity import signed_percent
from signoff.rendering.palette import BAD, CAUTION, GOOD, MUTED

NEEDS_EXPLAINING = " `signoff submit` asks for its explanation in the dossier, validation.near_misses.{key}."
NO_TURNING_POINT = "nothing near these data."
HANGS: Final = "verdict hangs on"
TELLING: Final = (HANGS, "many failing trials lower pbo")
"""What makes a sentence about a plain pass worth a line."""
_COLOUR = {
    "PASS": GOOD,
    "NEAR MISS": CAUTION,
    "FAIL": BAD,
    "MISSED": BAD,
    "INCONCLUSIVE": CAUTION,
    "ERROR": BAD,
    "NOT PROVIDED": CAUTION,
}

# An older server says that a metric failed; it missed its target.
_METRIC_WORD = {
    MetricStatus.PASS.value: "PASS",
    MetricStatus.WARN.value: "NEAR MISS",
    MetricStatus.MISSED.value: "MISSED",
    MetricStatus.INCONCLUSIVE.value: "INCONCLUSIVE",
    "fail": "MISSED",
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


def reasons(gates: Iterable[Mapping[str, Any]]) -> tuple[Text, ...]:
    """Beneath the table: why each gate that is not a plain pass stands where it does, and what would change it.

    Gates that wait for one cause are named together, and the cause is said once. Of a plain pass the sentences are
    shown that say what its verdict hangs on.
    """
    alike: dict[tuple[str, ...], list[Mapping[str, Any]]] = {}
    for gate in gates:
        reason = gate["reason"] if gate["status"] != "PASS" else _hanging(gate["reason"])
        if gate["status"] != "PASS" or reason:
            own = gate["key"] if gate["near_miss"] else ""
            cause = (gate["status"], reason, gate["turning_point"] or NO_TURNING_POINT, own)
            alike.setdefault(cause, []).append(gate)
    return tuple(
        Text.assemble(
            (f"{', '.join(gate['key'] for gate in waiting)}, {status.lower()}: ", "bold"),
            reason,
            f" Turning point: {turning_point}",
            NEEDS_EXPLAINING.format(key=own) if own else "",
        )
        for (status, reason, turning_point, own), waiting in alike.items()
    )


def _hanging(reason: str) -> str:
    """The sentences of a reason that say what the verdict hangs on, or that it is no sign of skill."""
    return " ".join(
        said for said in re.split(r"(?<=[.])\s+(?=[A-Z0-9])", reason) if any(each in said.lower() for each in TELLING)
    )


def metric_table(rows: Iterable[Mapping[str, Any]]) -> Table:
    """The backtest: new, old, change, target, status."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("Metric")
    for title in ("New", "Old", "Change", "Target"):
        table.add_column(title, justify="right", no_wrap=True)
    table.add_column("Status", no_wrap=True)
    for row in rows:
        word = _METRIC_WORD.get(row["status"], "NOT PROVIDED")
        change = signed_percent(row["change"])
        table.add_row(row["title"], row["new_text"], row["old_text"], change, row["target_text"], mark(word))
    return table


def metric_notes(rows: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """Beneath the table: what ± says, and whether the returns are autocorrelated; an older server says neither."""
    return tuple(note for row in rows for note in row.get("notes", ()))
