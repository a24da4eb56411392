"""A verdict for people: as lines for a terminal, as one screen of text, as a page with its pictures.

It reads the document that programs read, so every face says the same.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from typing import Any, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from signoff.domain.charts import Chart
from signoff.domain.gates.assess import DEFINITIONS
from signoff.domain.memo.document import Align, Block, Cell, Column, Mark, Paragraph, Section
from signoff.domain.memo.document import Table as Rows
from signoff.rendering import palette
from signoff.rendering.html import escape, marked, page, sections_as_html
from signoff.rendering.terminal import NO_TURNING_POINT, gate_table
from signoff.rendering.words import escaped

Document = Mapping[str, Any]
TITLE: Final = "Verdict"
OF_OVERFITTING: Final = tuple(key for key, gate in DEFINITIONS.items() if gate.is_of_trials)
OF_RECORD: Final = ("equity", "sharpe")
LEFT_OUT: Final = ("dsr", "pbo_scatter", "rolling_sharpe")
"""Pictures that a page can do without: each takes a fifth of a second, and `plot` still draws them."""
MOST_WHY: Final = 170
_COLOURS: Final = {"pass": palette.GOOD, "fail": palette.BAD, "inconclusive": palette.CAUTION}
NEEDS_DOSSIER: Final = "these gates need a dossier and are not judged here"
DARK: Final = """
@media (prefers-color-scheme: dark) {
  :root { color-scheme: dark; }
  body { background: #14171c; color: #e4e6ea; }
  h1 .version, h2, h3, a { color: #9cc3ea; }
  h2, .figures div, table { border-color: #9cc3ea; }
  .label, .muted, .note, figcaption, dt, footer { color: #a7adb8; }
  .tldr, pre { background: #1f242c; }
  th, td { border-color: #363c46; }
  .good { color: #7fd6a8; background: #16301f; } .caution { color: #f0c173; background: #33270f; }
  .bad { color: #f59a9d; background: #3a1518; }
  figure svg { filter: invert(.92) hue-rotate(180deg); }
}
"""


def headline(document: Document) -> str:
    """The verdict in one sentence."""
    gates = {gate["key"]: gate for gate in document["gates"]}
    stopped = [key for key in document["blocking"] if key in gates]
    absent = [one["key"] for one in document["missing"] if one["key"] in document["blocking"]]
    failed = [key for key in stopped if gates[key]["outcome"] == "fail"]
    unsettled = [key for key in stopped if key not in failed]
    said = []
    if failed:
        said.append(f"Fails: {', '.join(failed)}.")
    if unsettled:
        said.append(f"Could not be judged: {', '.join(unsettled)}.")
    if absent:
        said.append(f"Not judged, the data are missing: {', '.join(absent)}.")
    if not said:
        said.append("Passes every gate that counts.")
    said.extend(_of_overfitting(document, gates))
    return " ".join(said)


def _of_overfitting(document: Document, gates: Mapping[str, Document]) -> Iterator[str]:
    """What the gates of trials say together; unknown where none could be measured, and nothing where none was asked."""
    told = [gates[key] for key in OF_OVERFITTING if key in gates]
    measured = [gate for gate in told if gate["statistic"] is not None]
    if measured:
        seen = "; ".join(f"{gate['title']} {gate['statistic_text']}, {gate['status']}" for gate in measured)
        yield f"Overfitting: {seen}."
    elif told or any(one["key"] in OF_OVERFITTING for one in document["missing"]):
        yield "Overfitting: unknown."


def lines(document: Document) -> tuple[object, ...]:
    """What `signoff verdict` prints: what was understood, metrics, gates, what would change them, what is missing."""
    understood = document["understood"]
    return (
        *understood["lines"],
        *_noted(understood),
        f"Held to the policy {document['policy']}.",
        metric_table(document["metrics"]),
        *document["notes"],
        gate_table(document["gates"]),
        *(_reason(gate) for gate in document["gates"]),
        *_missing(document),
        _verdict(document),
    )


def _noted(understood: Document) -> Iterator[str]:
    """What was assumed or left out in reading the files."""
    return (f"Note: {note}." for note in understood["notes"])


def screen(document: Document, *, width: int) -> str:
    """The verdict as one screen of plain text."""
    out = StringIO()
    console = Console(file=out, width=width, color_system=None, highlight=False, markup=False, emoji=False)
    shown = [gate for gate in document["gates"] if gate["status"] != "PASS"]
    waiting = ", ".join(one["key"] for one in document["missing"])
    parts: tuple[object, ...] = (
        *document["understood"]["lines"],
        metric_table(document["metrics"]),
        gate_table(document["gates"]),
        *(f"{gate['key']}, {gate['status'].lower()}: {_short(gate['reason'])}" for gate in shown),
        *((f"Missing: {waiting}.",) if waiting else ()),
        _verdict(document),
    )
    for part in parts:
        console.print(escaped(part) if isinstance(part, str) else part)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines() if line.strip())


def metric_table(metrics: Iterable[Document]) -> Table:
    """Every metric with its 95% interval."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=False)
    table.add_column("Metric")
    for title in ("Value", "95% interval", "n"):
        table.add_column(title, justify="right", no_wrap=True)
    for one in metrics:
        table.add_row(
            one["title"], one["text"].partition(" ±")[0], interval(one), "" if one["n"] is None else f"{one['n']:,}"
        )
    return table


def interval(metric: Document) -> str:
    """The limits of a metric's interval as people read them."""
    found = metric["interval"]
    return "" if found is None else f"{found['low']:.2f} to {found['high']:.2f}".replace("-", "−")


def verdict_page(document: Document, charts: Sequence[Chart]) -> bytes:
    """The verdict as one self-contained page, light and dark."""
    return page(f"{TITLE}: {document['understood']['lines'][0]}", _body(document, charts), DARK)


def verdict_fragment(document: Document, charts: Sequence[Chart]) -> str:
    """The verdict for a notebook, in a box of its own, so that its style stays with it."""
    text = verdict_page(document, charts).decode()
    return f'<iframe title="{TITLE}" srcdoc="{escape(text)}" style="width:100%;height:40rem;border:0"></iframe>'


def explained(document: Document, definition: Mapping[str, str], thresholds: Sequence[str]) -> tuple[object, ...]:
    """A gate's definition, formula, paper, thresholds and needs, and the numbers of these data."""
    return (
        Text(definition["title"], "bold"),
        definition["asks"],
        f"Formula: {definition['formula']}",
        f"Paper: {definition['paper']}",
        f"Needs: {definition['needs']}",
        "Thresholds of the policy: " + "; ".join(thresholds),
        *_numbers(document),
    )


def _numbers(document: Document) -> Iterable[object]:
    for gate in document["gates"]:
        yield gate_table([gate])
        yield _reason(gate)
        yield f"Method: {gate['method']}."
    yield from (
        f"{name.rpartition('.')[2].replace('_', ' ')}: {_plain(value)}" for name, value in document["figures"].items()
    )
    yield from (f"Not judged on these data: needs {one['needs']}." for one in document["missing"])


def _plain(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.6g}"


def _reason(gate: Document) -> Text:
    turning = gate["turning_point"] or NO_TURNING_POINT
    return Text.assemble(
        (f"{gate['key']}, {gate['status'].lower()}: ", "bold"), gate["reason"], f" Turning point: {turning}"
    )


def _verdict(document: Document) -> Text:
    of_dossier = [one["key"] for one in document["missing"] if one["of_dossier"]]
    rest = f" ({', '.join(of_dossier)}: {NEEDS_DOSSIER}.)" if of_dossier else ""
    colour = _COLOURS[document["outcome"]]
    return Text.assemble(
        (f"{document['outcome'].upper()}. ", f"bold {colour}"), (headline(document), f"bold {colour}"), rest
    )


def _missing(document: Document) -> Iterator[Text]:
    """The gates that the data do not allow, by what each needs."""
    waiting: dict[str, list[str]] = {}
    for one in document["missing"]:
        waiting.setdefault(one["needs"], []).append(one["key"])
    for needs, keys in waiting.items():
        yield Text.assemble((f"{', '.join(keys)}, missing: ", "bold"), f"needs {needs}.")


def _short(text: str) -> str:
    first = text.partition(". ")[0].removesuffix(".") + "."
    return first if len(first) <= MOST_WHY else f"{first[:MOST_WHY]}…"


def _body(document: Document, charts: Sequence[Chart]) -> str:
    understood = document["understood"]
    word = "PASS" if document["outcome"] == "pass" else document["outcome"].upper()
    head = (
        f'<div class="label">{TITLE}</div><h1>{escape(understood["start"])} to {escape(understood["end"])} '
        f"{mark_of(word)}</h1>"
        f'<div class="tldr"><p>{escape(headline(document))}</p></div>'
        f"{''.join(f'<p class=muted>{escape(line)}</p>' for line in (*understood['lines'], *_noted(understood)))}"
    )
    foot = f"<footer>Held to the policy {escape(document['policy'])} · {escape(document['time'])}</footer>"
    return head + sections_as_html(_sections(document, charts)) + foot


def mark_of(word: str) -> str:
    """The outcome as a coloured word."""
    return marked(Mark(word))


def _sections(document: Document, charts: Sequence[Chart]) -> tuple[Section, ...]:
    of_record = tuple(chart for chart in charts if chart.name in OF_RECORD)
    of_gates = tuple(chart for chart in charts if chart.name not in {*OF_RECORD, *LEFT_OUT})
    parts: list[tuple[str, tuple[Block, ...]]] = [
        (
            "The record",
            (*of_record, _metrics(document["metrics"]), *(Paragraph(n, is_note=True) for n in document["notes"])),
        ),
        ("The gates", (_gates(document["gates"]),)),
    ]
    if of_gates:
        parts.append(("What the gates saw", of_gates))
    parts += [(gate["title"], tuple(_gate(gate))) for gate in document["gates"]]
    if document["missing"]:
        rows = tuple((Cell(one["title"]), Cell(one["needs"])) for one in document["missing"])
        parts.append(("What is missing", (Rows((Column("Gate"), Column("Needs")), rows),)))
    return tuple(Section(str(n), title, blocks) for n, (title, blocks) in enumerate(parts, start=1))


def _gate(gate: Document) -> Iterator[Block]:
    yield Paragraph(gate["reason"])
    yield Paragraph(f"What would change it: {gate['turning_point'] or NO_TURNING_POINT}")
    yield Paragraph(f"Conventions: {gate['method']}.", is_note=True)


def _metrics(metrics: Iterable[Document]) -> Rows:
    right = Align.RIGHT
    columns = (Column("Metric"), Column("Value", right), Column("95% interval", right))
    rows = tuple(
        (Cell(one["title"]), Cell(one["text"].partition(" ±")[0], is_figure=True), Cell(interval(one), is_figure=True))
        for one in metrics
    )
    return Rows(columns, rows)


def _gates(gates: Iterable[Document]) -> Rows:
    right = Align.RIGHT
    columns = (
        Column("Gate"),
        Column("Status"),
        Column("Result", right),
        Column("Threshold", right),
        Column("Blocks"),
    )
    rows = tuple(
        (
            Cell(gate["title"]),
            Cell("", mark=Mark(gate["status"])),
            Cell(gate["statistic_text"], is_figure=gate["statistic"] is not None),
            Cell(f"{gate['comparison']} {gate['threshold_text']}", is_figure=True),
            Cell("yes" if gate["blocking"] else "advisory"),
        )
        for gate in gates
    )
    return Rows(columns, rows)
