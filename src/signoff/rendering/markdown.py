"""The memo as GitHub Markdown, in the template's order, with its pictures as files beside it."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from signoff.domain.charts import Chart
from signoff.domain.memo.document import (
    Align,
    Block,
    Bullets,
    Cell,
    Checklist,
    Code,
    Fields,
    Memo,
    Paragraph,
    Section,
    Table,
)
from signoff.rendering.picture_cache import svg
from signoff.rendering.words import escaped, says_its_mark, words_beside

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]<>#|~])")


def markdown(memo: Memo) -> tuple[bytes, dict[str, bytes]]:
    """The document, and its pictures by file name (linked as ``assets/NAME``)."""
    pictures: dict[str, bytes] = {}
    lines = [*_header(memo), *_front(memo), *(line for s in memo.sections for line in _section(s, 2, pictures))]
    lines += [
        "---",
        "",
        "**Attachments**:",
        *(f"{n}. {escape(a)}" for n, a in enumerate(memo.attachments, start=1)),
        "",
    ]
    lines += [escape(memo.colophon), ""] if memo.colophon else []
    return ("\n".join(lines).rstrip() + "\n").encode(), pictures


def escape(text: str) -> str:
    """People's text, with every mark of Markdown made literal, and every control character."""
    return _SPECIAL.sub(r"\\\1", escaped(text)).replace("\n", " ")


def _header(memo: Memo) -> Iterator[str]:
    previous = f"v{memo.previous_version}" if memo.previous_version else "N/A - Initial Deployment"
    yield f"# {escape(memo.kind)}: {escape(memo.model)} v{escape(memo.version)}"
    yield ""
    for label, value in (
        ("Deployment Date", str(memo.deployment_date)),
        ("Model Version", f"v{memo.version}"),
        ("Previous Version", previous),
        ("Deployed By", memo.deployed_by),
        ("Deployment Type", memo.deployment_type),
        ("Decision", memo.decision.value),
    ):
        yield f"**{label}**: {escape(value)}  "
    yield ""


def _front(memo: Memo) -> Iterator[str]:
    for notice in memo.notices:
        yield f"> **{escape(notice)}**"
        yield ""
    yield "## Executive Summary"
    yield ""
    yield f"**TL;DR**{f' ({escape(memo.tldr_mark)})' if memo.tldr_mark else ''}: {escape(memo.tldr)}"
    yield ""
    for line in memo.computed:
        yield escape(line)
        yield ""
    yield "| " + " | ".join(escape(k.label) for k in memo.key_figures) + " |"
    yield "|" + "---|" * len(memo.key_figures)
    yield "| " + " | ".join(f"**{escape(k.text)}**" for k in memo.key_figures) + " |"
    yield ""
    for block in memo.worst:
        yield from _block(block, {})
        yield ""


def _section(section: Section, depth: int, pictures: dict[str, bytes]) -> Iterator[str]:
    dot = "." if depth == 2 and section.number else ""
    yield f"{'#' * depth} {section.number}{dot} {escape(section.title)}".replace("  ", " ")
    yield ""
    for block in section.blocks:
        yield from _block(block, pictures)
        yield ""
    for inner in section.sections:
        yield from _section(inner, depth + 1, pictures)


def _block(block: Block, pictures: dict[str, bytes]) -> Iterator[str]:  # noqa: C901 - one visible table
    match block:
        case Paragraph():
            yield f"*{escape(block.text)}*" if block.is_note else escape(block.text)
        case Bullets():
            for number, item in enumerate(block.items, start=1):
                yield f"{number}. {escape(item)}" if block.is_numbered else f"- {escape(item)}"
        case Checklist():
            for check in block.items:
                note = f" ({escape(check.note)})" if check.note else ""
                yield f"- [{'x' if check.is_checked else ' '}] {escape(check.text)}{note}"
        case Fields():
            for label, cell in block.rows:
                yield f"**{escape(label)}**: {_cell(cell)}  ".replace(":   ", ":")
        case Table():
            yield from _table(block)
        case Code():
            yield f"```{block.language}"
            yield from escaped(block.text).replace("```", "'''").splitlines()
            yield "```"
        case Chart():
            pictures[f"{block.name}.svg"] = svg(block)
            yield f"![{escape(block.caption)}](assets/{block.name}.svg)"
            yield ""
            yield f"*{escape(block.caption)}*"


def _table(table: Table) -> Iterator[str]:
    yield _row(escape(c.title) for c in table.columns)
    yield "|" + "".join("---:|" if c.align is Align.RIGHT else "---|" for c in table.columns)
    for row in table.rows:
        yield _row(_cell(cell) for cell in row)
    if table.caption:
        yield ""
        yield f"*{escape(table.caption)}*"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _cell(cell: Cell) -> str:
    said = escape(words_beside(cell))
    text = f"**{said}**" if cell.is_strong and said else said
    word = f"**{cell.mark.value}**" if cell.mark and not says_its_mark(cell) else ""
    return " ".join(part for part in (text, word) if part)
