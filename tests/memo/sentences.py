"""Everything that a memo says, sentence by sentence with its place, and one release changed at one point."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from signoff.domain.charts import Chart
from signoff.domain.memo.document import (
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

PAGE_ONE = "page one"


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence, a line of a table or a box, as it stands in a place."""

    place: str
    text: str


def said(memo: Memo) -> tuple[Said, ...]:
    """Every sentence of a memo; what only introduces others, and titles of columns, say nothing."""
    return tuple(
        one for one in (*_of_page_one(memo), *(s for section in memo.sections for s in _of(section))) if one.text
    )


def _of_page_one(memo: Memo) -> Iterator[Said]:
    header = {
        "Model": memo.model,
        "Version": memo.version,
        "Previous": str(memo.previous_version),
        "Date": str(memo.deployment_date),
        "Deployed by": memo.deployed_by,
        "Type": memo.deployment_type,
        "Decision": memo.decision.value,
        "Status": memo.status.value,
        "Document version": memo.document_version,
        "Evidence": memo.evidence_digest,
        "Colophon": memo.colophon,
    }
    yield from (Said(PAGE_ONE, f"{label}: {text}") for label, text in header.items())
    yield from (Said(PAGE_ONE, f"Notice: {text}") for text in memo.notices)
    yield from (Said(PAGE_ONE, f"TL;DR: {text.rstrip('.')}") for text in memo.tldr.split(". "))
    yield from (Said(PAGE_ONE, text) for text in memo.computed)
    yield from (Said(PAGE_ONE, f"Figure: {figure.label}: {figure.text}") for figure in memo.key_figures)
    yield from (Said(PAGE_ONE, f"Attachment: {text}") for text in memo.attachments)
    yield from (Said(PAGE_ONE, text) for block in memo.worst for text in _texts(block))
    for section in memo.front:
        yield Said(PAGE_ONE, f"Heading: {section.title}")
        yield from (Said(PAGE_ONE, text) for block in section.blocks for text in _texts(block))


def _of(section: Section) -> Iterator[Said]:
    yield from (Said(section.number, text) for block in section.blocks for text in _texts(block))
    for inner in section.sections:
        yield from _of(inner)


def _texts(block: Block) -> Iterator[str]:
    match block:
        case Paragraph():
            yield block.text
        case Code():
            yield from block.text.splitlines()
        case Bullets():
            yield from block.items
        case Checklist():
            yield from (f"{'[x]' if item.is_checked else '[ ]'} {item.text} ({item.note})" for item in block.items)
        case Fields():
            yield from (_labelled(label, cell) for label, cell in block.rows)
        case Table():
            yield from (" | ".join(map(_cell, row)) for row in block.rows)
            yield block.caption
        case Chart():
            yield f"Picture: {block.caption}"


def _labelled(label: str, cell: Cell) -> str:
    """A field; a lead-in is a sentence only where it names whose word it is, or where it carries a number."""
    if cell.text or cell.mark is not None:
        return f"{label}: {_cell(cell)}"
    return label if "declared by" in label or any(character.isdigit() for character in label) else ""


def _cell(cell: Cell) -> str:
    return f"{cell.text} [{cell.mark.value}]" if cell.mark is not None else cell.text


def changed(value: Any, path: str, new: Any) -> Any:
    """The same with one part replaced, by its dotted path: `risk.risks.0.owner`."""
    head, _, rest = path.partition(".")
    if is_dataclass(value) and not isinstance(value, type):
        assert head in {item.name for item in fields(value)}, (path, value)
        return replace(value, **{head: changed(getattr(value, head), rest, new) if rest else new})
    if isinstance(value, Mapping):
        return {**value, head: changed(value[head], rest, new) if rest else new}
    at = int(head)
    return (*value[:at], changed(value[at], rest, new) if rest else new, *value[at + 1 :])
