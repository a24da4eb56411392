"""The first block of page one: everything in the memo that is red or missing, by section.

It is derived from the composed sections, so that no red line can be absent from page one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from signoff.domain.assessment import PaperSummary
from signoff.domain.memo.document import Block, Bullets, Cell, CheckItem, Checklist, Fields, Mark, Section, Table
from signoff.domain.memo.markup import joined
from signoff.domain.memo.release import Release
from signoff.domain.quantity import NOT_PROVIDED, Quantity, number

# In this order; any other status is neither red nor missing.
_TOLD: Final = (
    Mark.FAIL.value,
    Mark.ERROR.value,
    Mark.REJECTED.value,
    Mark.MISSED.value,
    Mark.INCONCLUSIVE.value,
    Mark.NOT_PROVIDED.value,
    Mark.NOT_EVIDENCED.value,
    Mark.NOT_COMPARABLE.value,
    "NOT MEASURED",
    "NOT CERTIFIED",
    "STALE",
    "UNKNOWN",
)
# "unknown since Monday" is a status; "unknown ADV is taken as $5" is a rule.
_SAID: Final = re.compile(
    r"(?:^|: )(not provided|not evidenced|not comparable|not measured|stale|unknown)(?=$|[:;,(]| since\b)",
    re.IGNORECASE,
)
_IN_BULLET: Final = re.compile(r"^(?P<subject>[^:]+): (?P<word>not measured|not evidenced)\b")
# Rows belong to the numbered row above them: two assumptions that fail are two lines.
_NUMBERED: Final = re.compile(r"(\d+)\. ")
CERTIFICATIONS: Final = "12"
# In a table whose first column groups the rows, the second names them.
KIND: Final = "Kind"


@dataclass(frozen=True, slots=True)
class WorstLine:
    """One line of the memo that is red or missing."""

    word: str
    section: str
    subject: str


def worst(sections: Iterable[Section]) -> tuple[WorstLine, ...]:
    """Every line that is red or missing, once, in the memo's order."""
    lines = (line for section in sections for line in _of_section(section))
    return tuple(dict.fromkeys(lines))


def red_or_missing(release: Release, sections: Iterable[Section]) -> tuple[Block, ...]:
    """The block of page one: the count, the lines by status, and what else a reader must see at once."""
    lines = worst(sections)
    rows = [(word, Cell(_listed(word, lines))) for word in _TOLD if any(line.word == word for line in lines)]
    rows += [
        ("Sharpe Ratio", Cell(_sharpe(release))),
        ("Overrides", Cell(_overrides(release))),
        ("Open conditions", Cell("; ".join(release.open_conditions) or "none")),
    ]
    count = f"{len(lines)} line{'' if len(lines) == 1 else 's'} red or missing"
    return (Fields(((count if lines else "Nothing red or missing", Cell("")), *rows)),)


def _listed(word: str, lines: tuple[WorstLine, ...]) -> str:
    """The lines of one status: `3.3 2020 COVID crash, Flash crash; 7.3 Closes`."""
    by_section: dict[str, list[str]] = {}
    for line in lines:
        if line.word == word:
            by_section.setdefault(line.section, []).append(line.subject)
    return "; ".join(f"{section} {', '.join(subjects)}" for section, subjects in by_section.items())


def _of_section(section: Section) -> Iterator[WorstLine]:
    for block in section.blocks:
        for word, subject in _of_block(block, section.number):
            yield WorstLine(word, section.number, _short(subject))
    for inner in section.sections:
        yield from _of_section(inner)


def _of_block(block: Block, section: str) -> Iterator[tuple[str, str]]:
    match block:
        case Fields():
            number = _NUMBERED.match(block.rows[0][0]) if block.rows else None
            before = f"{number[1]}. " if number else ""
            for label, cell in block.rows:
                if word := _word(cell):
                    yield word, label if label.startswith(before) else f"{before}{label}"
        case Table():
            named = 1 if block.columns[0].title == KIND else 0
            for row in block.rows:
                yield from ((word, row[named].text) for cell in row if (word := _word(cell)))
        case Checklist():
            yield from ((word, item.text) for item in block.items if (word := _of_box(item, section)))
        case Bullets():
            for text in block.items:
                if bullet := _IN_BULLET.match(text):
                    yield bullet["word"].upper(), bullet["subject"]
        case _:
            return


def _of_box(item: CheckItem, section: str) -> str:
    """The status of a box that is not ticked, by its mark or note; an open certification always has one."""
    if item.is_checked:
        return ""
    if section == CERTIFICATIONS:
        return "NOT CERTIFIED"
    word = _status(item.note) if item.mark is None else item.mark.value
    return word if word in _TOLD else ""


def _word(cell: Cell) -> str:
    """The status of a cell that is red or missing, by its mark or by its first words."""
    word = cell.mark.value if cell.mark is not None else _status(cell.text)
    return word if word in _TOLD else ""


def _status(text: str) -> str:
    match = _SAID.search(text)
    return match[1].upper() if match else ""


def _short(subject: str) -> str:
    """A line's short name: `SEC Rule 15c3-5: Pre-trade risk checks enabled` becomes "SEC Rule 15c3-5"."""
    return re.split(r": | \(|, (?=\d{4}-)", subject, maxsplit=1)[0].rstrip(":")


def _sharpe(release: Release) -> str:
    row = next((row for row in release.assessment.metrics if row.key == "sharpe"), None)
    backtest = f"backtest {NOT_PROVIDED if row is None else _interval(row.new)}"
    return f"{backtest}; paper trading {_paper(release.assessment.paper)}"


def _paper(paper: PaperSummary | None) -> str:
    if paper is None or not paper.sharpe.is_provided:
        return NOT_PROVIDED
    return f"{_interval(paper.sharpe)} over {paper.days} days"


def _interval(figure: Quantity) -> str:
    """A figure with its 95% interval, which is unknown without a standard error."""
    if figure.value is None or not figure.is_provided:
        return NOT_PROVIDED
    value = number(figure.value, figure.unit, figure.digits)
    if figure.bounds is None:
        return f"{value} (95% interval {NOT_PROVIDED})"
    low, high = (number(bound, figure.unit, figure.digits) for bound in figure.bounds)
    return f"{value} (95%: {low} to {high})"


def _overrides(release: Release) -> str:
    if not release.overrides:
        return "none"
    return joined(f"{s.person} ({s.role.title}): {s.reason or NOT_PROVIDED}" for s in release.overrides)
