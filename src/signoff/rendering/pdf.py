"""A memo as PDF, set by typst from a fixed template: what people wrote goes in as data and is never evaluated.

The fonts are those that typst carries and the document has no date, so the same memo gives the same bytes anywhere.
"""

import json
from collections.abc import Sequence
from importlib.resources import files

from signoff.domain.charts import Chart
from signoff.domain.memo.document import (
    Align,
    Block,
    Bullets,
    Cell,
    Checklist,
    Code,
    Fields,
    Mark,
    Memo,
    Paragraph,
    Section,
    Table,
)
from signoff.domain.memo.markup import upper_first
from signoff.rendering import palette
from signoff.rendering.once import once
from signoff.rendering.picture_cache import svg
from signoff.rendering.words import escaped, says_its_mark, words_beside

Json = dict[str, object]


def pdf(memo: Memo) -> bytes:
    """The whole memo."""
    memo = once(memo)
    previous = (
        f"{memo.deployment_type} from v{memo.previous_version}" if memo.previous_version else memo.deployment_type
    )
    digest = memo.evidence_digest
    return typeset(
        {
            "title": f"{memo.kind}: {memo.model} v{memo.version}",
            "kind": memo.kind,
            "model": memo.model,
            "version": f"v{memo.version}",
            "decision": _mark(memo.decision),
            "byline": f"{previous} · {memo.deployment_date} · {memo.deployed_by}",
            "notices": list(memo.notices),
            "tldr": memo.tldr,
            "tldr_mark": f"{upper_first(memo.tldr_mark)}:" if memo.tldr_mark else "",
            "computed": list(memo.computed),
            "figures": [{"label": k.label, "text": k.text} for k in memo.key_figures],
            "worst": [_block(block) for block in memo.worst],
            "front": [_section(s) for s in memo.front],
            "sections": [_section(s) for s in memo.sections],
            "paged": False,
            "attachments": list(memo.attachments),
            "colophon": memo.colophon,
            "footer_left": f"{memo.model} v{memo.version}"
            + (f" · evidence {digest[:4]}…{digest[-4:]}" if digest else ""),
            "footer_middle": f"document version {memo.document_version} · {memo.status.value.lower()}",
        }
    )


def report(title: str, subtitle: str, footer: str, sections: Sequence[Section], *, is_paged: bool = False) -> bytes:
    """A plain report in the memo's style: a title, and sections; paged, each but the first two begins a page."""
    return typeset(
        {
            "title": f"{title}: {subtitle}",
            "kind": title,
            "model": subtitle,
            "version": "",
            "decision": None,
            "byline": "",
            "notices": [],
            "tldr": "",
            "tldr_mark": "",
            "computed": [],
            "figures": [],
            "worst": [],
            "front": [],
            "sections": [_section(s) for s in sections],
            "paged": is_paged,
            "attachments": [],
            "colophon": "",
            "footer_left": footer,
            "footer_middle": title,
        }
    )


def typeset(document: Json) -> bytes:
    """The PDF of a document as the template understands it."""
    import typst  # noqa: PLC0415 - only who sets a page loads a typesetter

    colours = {
        "ink": palette.INK,
        "text": palette.TEXT,
        "muted": palette.MUTED,
        "rule": palette.RULE,
        "tint": palette.TINT,
        **palette.TONE,
        **{f"{tone}_tint": colour for tone, colour in palette.TONE_TINT.items()},
    }
    template = files("signoff.rendering").joinpath("template.typ").read_bytes()
    inputs = {"memo": json.dumps(_escaped({**document, "palette": colours}), ensure_ascii=False)}
    content = typst.compile(template, format="pdf", sys_inputs=inputs, ignore_system_fonts=True)
    assert isinstance(content, bytes)
    return content


def _escaped(value: object) -> object:
    """The same, with every control character in its texts written out."""
    match value:
        case str():
            return escaped(value)
        case dict():
            return {key: _escaped(item) for key, item in value.items()}
        case list():
            return [_escaped(item) for item in value]
        case _:
            return value


def _section(section: Section) -> Json:
    return {
        "number": section.number,
        "title": section.title,
        "blocks": [_block(block) for block in section.blocks],
        "sections": [_section(inner) for inner in section.sections],
    }


def _block(block: Block) -> Json:  # noqa: PLR0911 - one visible table
    match block:
        case Paragraph():
            return {"kind": "paragraph", "text": block.text, "note": block.is_note}
        case Bullets():
            return {"kind": "bullets", "items": list(block.items), "numbered": block.is_numbered}
        case Checklist():
            items = [{"text": i.text, "checked": i.is_checked, "note": i.note} for i in block.items]
            return {"kind": "checklist", "items": items}
        case Fields():
            return {"kind": "fields", "rows": [{"label": label, "cell": _cell(cell)} for label, cell in block.rows]}
        case Table():
            return {
                "kind": "table",
                "columns": [{"title": c.title, "right": c.align is Align.RIGHT} for c in block.columns],
                "rows": [[_cell(cell) for cell in row] for row in block.rows],
                "caption": block.caption,
            }
        case Code():
            return {"kind": "code", "text": block.text}
        case Chart():
            return {"kind": "picture", "svg": svg(block).decode(), "caption": block.caption}


def _cell(cell: Cell) -> Json:
    is_said = says_its_mark(cell)
    return {
        "text": words_beside(cell),
        "mark": _mark(cell.mark) if cell.mark and not is_said else None,
        "tone": cell.mark.tone if cell.mark and is_said else None,
        "figure": cell.is_figure,
        "strong": cell.is_strong,
    }


def _mark(mark: Mark) -> Json:
    return {"word": mark.value, "tone": mark.tone}
