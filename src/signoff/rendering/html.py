"""The memo as one self-contained page: no script, nothing loaded from anywhere, readable on a phone and on paper."""

import re
from collections.abc import Iterable, Iterator
from html import escape as quoted
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

STYLE: Final = f"""
:root {{ color-scheme: light; }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: #fff; color: {palette.TEXT};
  font: 16px/1.5 "Libertinus Serif", "Iowan Old Style", Palatino, Georgia, serif; }}
main {{ max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }}
h1 {{ font-size: 2.1rem; line-height: 1.15; margin: .1rem 0 .4rem; }}
h1 .version, h2, h3, a {{ color: {palette.INK}; }}
h2 {{ margin: 2.6rem 0 .6rem; font-size: 1.45rem; border-bottom: 2px solid {palette.INK}; padding-bottom: .2rem; }}
h3 {{ margin: 1.8rem 0 .4rem; font-size: 1.15rem; }}
p, li {{ max-width: 75ch; }}
h1, h2, h3, p, li, pre, figcaption {{ overflow-wrap: anywhere; }}
.label {{ font-variant-caps: all-small-caps; letter-spacing: .08em; color: {palette.MUTED}; }}
.muted, .note, figcaption {{ color: {palette.MUTED}; font-size: .92rem; }}
.tldr {{ background: {palette.TINT}; padding: .9rem 1.1rem; border-radius: 4px; margin: 1rem 0; }}
.tldr p {{ margin: 0; max-width: none; }}
.notice {{ border-left: 5px solid {palette.CAUTION}; background: {palette.TONE_TINT["caution"]}; padding: .7rem 1rem;
  margin: 1rem 0; font-weight: 600; }}
.figures {{ display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1rem; margin: 1.2rem 0; }}
.figures div {{ border-top: 2px solid {palette.INK}; padding-top: .25rem; }}
.figures b {{ display: block; font-size: 1.3rem; }}
.worst {{ border-left: 5px solid {palette.BAD}; padding: .1rem 1rem; margin: 1rem 0; font-size: .92rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; margin: .8rem 0; border-top: 2px solid {palette.INK}; }}
th, td {{ text-align: left; padding: .35rem .6rem .35rem .2rem; vertical-align: top;
  border-bottom: 1px solid {palette.RULE}; }}
th {{ font-size: .92rem; }}
.right {{ text-align: right; }}
.figure {{ font: .86rem/1.6 "DejaVu Sans Mono", ui-monospace, Menlo, Consolas, monospace;
  font-variant-numeric: tabular-nums; }}
td .figure {{ white-space: nowrap; }}
.mark {{ display: inline-block; font-size: .74rem; font-weight: 700; letter-spacing: .05em; padding: 0 .45em;
  border: 1px solid; border-radius: 3px; white-space: nowrap; }}
.good {{ color: {palette.GOOD}; background: {palette.TONE_TINT["good"]}; }}
.caution {{ color: {palette.CAUTION}; background: {palette.TONE_TINT["caution"]}; }}
.bad {{ color: {palette.BAD}; background: {palette.TONE_TINT["bad"]}; }}
ul.checks {{ list-style: none; padding-left: 0; }}
ul.checks li::before {{ content: "☐ "; color: {palette.MUTED}; }}
ul.checks li.done::before {{ content: "☑ "; color: {palette.GOOD}; }}
dl {{ display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; gap: .15rem 1rem; margin: .6rem 0; }}
dt {{ color: {palette.MUTED}; }} dd {{ margin: 0; max-width: 75ch; overflow-wrap: anywhere; }}
dt.lead {{ grid-column: 1 / -1; color: {palette.TEXT}; font-weight: 600; margin-top: .6rem; }}
pre {{ background: {palette.TINT}; padding: .8rem 1rem; overflow-x: auto; font-size: .86rem; }}
figure {{ margin: 1rem 0; }} figure svg, figure img {{ width: 100%; height: auto; }}
nav {{ font-size: .92rem; columns: 2; margin: 1rem 0; }} nav a {{ display: block; text-decoration: none; }}
footer {{ margin-top: 3rem; border-top: 1px solid {palette.RULE}; padding-top: .6rem; color: {palette.MUTED};
  font-size: .88rem; overflow-wrap: anywhere; }}
@media (max-width: 40rem) {{ body {{ font-size: 15px; }} nav {{ columns: 1; }} dl {{ display: block; }}
  dd {{ margin-bottom: .4rem; }} h1 {{ font-size: 1.6rem; }} main {{ padding: 1rem .9rem 3rem; }} }}
@media print {{ main {{ max-width: none; padding: 0; }} nav {{ display: none; }}
  table, figure {{ break-inside: avoid; }} }}
"""
_ID: Final = re.compile(r'(id="|url\(#|href="#)')


def escape(text: str) -> str:
    """People's text, with every mark of HTML made literal, and every control character."""
    return quoted(escaped(text))


def html(memo: Memo) -> bytes:
    """The whole memo."""
    title = f"{memo.kind}: {memo.model} v{memo.version}"
    return page(title, "".join(_memo(once(memo))))


def page(title: str, body: str, style: str = "") -> bytes:
    """A page in the house's style around trusted markup, `style` added to it; the title is escaped here."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style></head><body><main>{body}</main></body></html>\n"
    ).encode()


def sections_as_html(sections: Iterable[Section]) -> str:
    """Sections with their anchors, for a page."""
    return "".join(part for section in sections for part in _section(section, 2, "s-", is_linked=True))


def picture(content: bytes, caption: str, name: str) -> str:
    """An SVG inline; its inner names are made unique, so that two pictures do not mix."""
    text = content.decode()
    text = text[text.index("<svg") :]
    text = _ID.sub(lambda m: f"{m[1]}{name}-", text)
    return (
        f'<figure role="img" aria-label="{escape(caption)}">{text}<figcaption>{escape(caption)}</figcaption></figure>'
    )


def marked(mark: Mark) -> str:
    """A status as a coloured word."""
    return f'<span class="mark {mark.tone}">{escape(mark.value)}</span>'


def _memo(memo: Memo) -> Iterator[str]:
    previous = f"from v{memo.previous_version}" if memo.previous_version else "no previous version"
    yield f'<div class="label">{escape(memo.kind)}</div><h1>{escape(memo.model)} '
    yield f'<span class="version">v{escape(memo.version)}</span> {marked(memo.decision)}</h1>'
    yield f'<p class="muted">{escape(memo.deployment_type)}, {escape(previous)} · {memo.deployment_date} · '
    yield f"{escape(memo.deployed_by)}</p>"
    yield from (f'<p class="notice">{escape(notice)}</p>' for notice in memo.notices)
    mark = f'<p class="muted">{escape(upper_first(memo.tldr_mark))}:</p>' if memo.tldr_mark else ""
    computed = "".join(f'<p class="muted">{escape(line)}</p>' for line in memo.computed)
    yield f'<div class="tldr">{mark}<p>{escape(memo.tldr)}</p>{computed}</div><div class="figures">'
    yield from (f"<div>{escape(k.label)}<b>{escape(k.text)}</b></div>" for k in memo.key_figures)
    yield "</div>"
    if memo.worst:
        yield '<div class="worst">'
        for block in memo.worst:
            yield from _block(block, "w-")
        yield "</div>"
    yield "<nav>"
    yield from (f'<a href="#s{escape(s.number)}">{escape(s.number)} {escape(s.title)}</a>' for s in memo.sections)
    yield "</nav>"
    for n, section in enumerate(memo.front):
        yield from _section(section, 3, f"f{n}-", is_linked=False)
    for section in memo.sections:
        yield from _section(section, 2, "s-", is_linked=True)
    if memo.attachments:
        yield "<h2>Attachments</h2><ol>"
        yield from (f"<li>{escape(a)}</li>" for a in memo.attachments)
        yield "</ol>"
    yield f"<footer>document version {escape(memo.document_version)}"
    yield f" · evidence {escape(memo.evidence_digest)}" if memo.evidence_digest else ""
    yield f" · {escape(memo.colophon)}</footer>" if memo.colophon else "</footer>"


def _section(section: Section, depth: int, prefix: str, *, is_linked: bool) -> Iterator[str]:
    anchor = f' id="s{escape(section.number)}"' if is_linked else ""
    level = min(depth, 4)
    yield f"<h{level}{anchor}>{escape(f'{section.number} {section.title}'.strip())}</h{level}>"
    for block in section.blocks:
        yield from _block(block, prefix)
    for inner in section.sections:
        yield from _section(inner, depth + 1, prefix, is_linked=is_linked)


def _block(block: Block, prefix: str) -> Iterator[str]:
    match block:
        case Paragraph():
            yield f'<p class="note">{escape(block.text)}</p>' if block.is_note else f"<p>{escape(block.text)}</p>"
        case Bullets():
            tag = "ol" if block.is_numbered else "ul"
            yield f"<{tag}>" + "".join(f"<li>{escape(item)}</li>" for item in block.items) + f"</{tag}>"
        case Checklist():
            yield '<ul class="checks">'
            for check in block.items:
                note = f' <span class="muted">({escape(check.note)})</span>' if check.note else ""
                state = "done" if check.is_checked else "open"
                yield f'<li class="{state}">{escape(check.text)}{note}</li>'
            yield "</ul>"
        case Fields():
            yield "<dl>"
            for label, cell in block.rows:
                is_lead = not cell.text and cell.mark is None
                yield f'<dt class="lead">{escape(label)}</dt>' if is_lead else f"<dt>{escape(label)}</dt>"
                yield "" if is_lead else f"<dd>{_cell(cell)}</dd>"
            yield "</dl>"
        case Table():
            yield from _table(block)
        case Code():
            yield f"<pre>{escape(block.text)}</pre>"
        case Chart():
            yield picture(svg(block), block.caption, f"{prefix}{block.name}")


def _table(table: Table) -> Iterator[str]:
    sides = [' class="right"' if c.align is Align.RIGHT else "" for c in table.columns]
    yield '<div class="scroll"><table><thead><tr>'
    yield from (f"<th{side}>{escape(c.title)}</th>" for c, side in zip(table.columns, sides, strict=True))
    yield "</tr></thead><tbody>"
    for row in table.rows:
        cells = (f"<td{side}>{_cell(cell)}</td>" for cell, side in zip(row, sides, strict=True))
        yield "<tr>" + "".join(cells) + "</tr>"
    yield "</tbody></table></div>"
    if table.caption:
        yield f'<p class="note">{escape(table.caption)}</p>'


def _cell(cell: Cell) -> str:
    text = escape(words_beside(cell))
    if cell.mark is not None and says_its_mark(cell):
        return f'<span class="said {cell.mark.tone}">{text}</span>'
    if cell.is_figure and text:
        text = f'<span class="figure">{text}</span>'
    if cell.is_strong and text:
        text = f"<strong>{text}</strong>"
    return " ".join(part for part in (text, marked(cell.mark) if cell.mark else "") if part)
