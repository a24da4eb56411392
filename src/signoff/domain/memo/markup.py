"""How a figure, a text, a link and a lead-in of the memo are set.

Missing data always become the same cell, so that no chapter omits a line or fills it in.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from signoff.domain.artifacts import PreviousCheck
from signoff.domain.finding import Finding
from signoff.domain.memo.document import Block, Bullets, Cell, Fields, Mark, Paragraph
from signoff.domain.quantity import NOT_PROVIDED, Quantity

ABSENT = Cell(NOT_PROVIDED, mark=Mark.NOT_PROVIDED)
MEMO_GATES = 5
NO_PREVIOUS = "N/A - Initial Deployment"


def figure(quantity: Quantity) -> Cell:
    """A number with its unit and half of its 95% interval, in the figures' typeface."""
    return Cell(quantity.text, is_figure=True) if quantity.is_provided else ABSENT


def words(text: str | None) -> Cell:
    """What people wrote, or "not provided"."""
    return Cell(text) if text and text.strip() else ABSENT


def status(mark: Mark) -> Cell:
    """A status alone."""
    return Cell("", mark=mark)


def strong(text: str) -> Cell:
    return Cell(text, is_strong=True)


def lead_in(label: str) -> Fields:
    """A label that the blocks after it belong to."""
    return Fields(((label, Cell("")),))


def one(label: str, cell: Cell) -> Fields:
    """A single labelled line."""
    return Fields(((label, cell),))


def listed(items: Sequence[str], nothing: str) -> Block:
    """The items, or a line that says that there are no items."""
    return Bullets(tuple(items)) if items else Paragraph(nothing, is_note=True)


def linked(link: str | None, links: Mapping[str, bool | None]) -> Cell:
    """A link with the result of its check, which shows that the page exists and not what it says."""
    if not link or not link.strip():
        return ABSENT
    match links.get(link):
        case True:
            return Cell(f"{link} (exists)")
        case False:
            return Cell(f"{link} (does not exist)", mark=Mark.FAIL)
        case None:
            return Cell(f"{link} (not checked)")


def checked_version(check: PreviousCheck | None) -> Cell:
    """The result of running a registered version on its known input."""
    if check is None:
        return ABSENT
    marks = {True: Mark.PASS, False: Mark.FAIL, None: Mark.INCONCLUSIVE}
    return Cell(check.detail, mark=marks[check.is_working])


def declared(author: str, what: str = "") -> str:
    """A statement marked as a person's declaration, which nothing checked."""
    return f"declared by {author}" + (f": {what}" if what else "")


def declared_words(author: str, text: str | None) -> Cell:
    """What people wrote, marked with its author, or "not provided"."""
    return words(text and text.strip() and declared(author, text))


def plain(value: float) -> str:
    """A threshold as its owner wrote it: 5, 0.5, 99.9."""
    return f"{value:,g}".replace("-", "−")


def upper_first(text: str) -> str:
    """A clause as the beginning of a sentence; names keep their case."""
    return text[:1].upper() + text[1:]


def versioned(version: str) -> str:
    """A version as people print it: 2.0.0 is v2.0.0; a name such as "candidate" stays as it is."""
    return f"v{version}" if version[:1].isdigit() else version


def joined(items: Iterable[str]) -> str:
    """A, B and C."""
    *head, last = list(items) or [""]
    return f"{', '.join(head)} and {last}" if head else last


def short_title(finding: Finding) -> str:
    """A gate as people call it: `SPA (Symmetric Prediction Accuracy)` is "SPA"."""
    return finding.title.partition(" (")[0]


def gates_in_words(findings: Iterable[Finding]) -> str:
    return joined(short_title(finding) for finding in findings)


def declared_by(label: str, author: str) -> Fields:
    """A lead-in of declarations, with the person who makes them."""
    return lead_in(f"{label} ({declared(author)})")


@dataclass(frozen=True, slots=True)
class TemplateLine:
    """A line that the template always has, and the word in a declaration that fills it."""

    title: str
    word: str


def placed(lines: Sequence[TemplateLine], declared: Iterable[str]) -> tuple[tuple[str, str | None], ...]:
    """Every line of the template with the declaration that fills it or None, then the other declarations."""
    left = list(declared)
    rows: list[tuple[str, str | None]] = []
    for line in lines:
        filling = next((text for text in left if line.word in _plainly(text)), None)
        rows.append((line.title, filling))
        if filling is not None:
            left.remove(filling)
    return (*rows, *((text, text) for text in left))


def _plainly(text: str) -> str:
    return text.lower().replace("_", " ").replace("-", " ")
