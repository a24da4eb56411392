"""The memo as a value: sections of blocks, ready for any renderer, with every number already in words.

Renderers decide how a block looks, never what it says.
"""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

from signoff.domain.charts import Chart
from signoff.domain.events import Certified


class Mark(StrEnum):
    """A status: the word that is printed, and the meaning that chooses its colour."""

    PASS = "PASS"
    NEAR_MISS = "NEAR MISS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    ERROR = "ERROR"
    NOT_PROVIDED = "NOT PROVIDED"
    APPROVED = "APPROVED"
    CONDITIONAL = "CONDITIONAL"
    REJECTED = "REJECTED"
    PENDING = "PENDING"
    OVERRIDDEN = "OVERRIDDEN"
    MISSED = "MISSED"
    NOT_EVIDENCED = "NOT EVIDENCED"
    NOT_COMPARABLE = "NOT COMPARABLE"
    KILLED = "KILLED"
    ROLLING_BACK = "ROLLING BACK"
    ROLLBACK_STUCK = "ROLLBACK STUCK"
    ROLLED_BACK = "ROLLED BACK"
    SUPERSEDED = "SUPERSEDED"

    @property
    def tone(self) -> str:
        """One of good, caution, bad."""
        if self in {Mark.PASS, Mark.APPROVED}:
            return "good"
        if self in _BAD:
            return "bad"
        return "caution"


_BAD: Final = frozenset(
    {
        Mark.FAIL,
        Mark.ERROR,
        Mark.REJECTED,
        Mark.MISSED,
        Mark.KILLED,
        Mark.ROLLING_BACK,
        Mark.ROLLBACK_STUCK,
        Mark.ROLLED_BACK,
    }
)


class Align(StrEnum):
    LEFT = "left"
    RIGHT = "right"


@dataclass(frozen=True, slots=True)
class Cell:
    """Text of a table cell, or a status. A figure is set in the figures' typeface."""

    text: str
    mark: Mark | None = None
    is_figure: bool = False
    is_strong: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    title: str
    align: Align = Align.LEFT


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: str
    is_note: bool = False


@dataclass(frozen=True, slots=True)
class Bullets:
    items: tuple[str, ...]
    is_numbered: bool = False


@dataclass(frozen=True, slots=True)
class CheckItem:
    """A box, ticked only if a check ran and confirmed it. The note has what people declare.

    `mark` is the status of a box that is not ticked, for page one.
    """

    text: str
    is_checked: bool
    note: str = ""
    mark: Mark | None = None


@dataclass(frozen=True, slots=True)
class Checklist:
    items: tuple[CheckItem, ...]


@dataclass(frozen=True, slots=True)
class Fields:
    """Label and value, one a line; the mark follows the value."""

    rows: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True, slots=True)
class Table:
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    text: str
    language: str = ""


Block = Paragraph | Bullets | Checklist | Fields | Table | Code | Chart


@dataclass(frozen=True, slots=True)
class Section:
    """A numbered part of the template: "2" holds "2.1", "2.2" …"""

    number: str
    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple["Section", ...] = ()


@dataclass(frozen=True, slots=True)
class KeyFigure:
    """One of the five figures of page one."""

    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Memo:
    """The whole document. `worst` and then `front` are what page one shows beneath the TL;DR and the key figures.

    `tldr_mark` names the author of a TL;DR that people wrote; it is empty for a computed one. `computed` follows the
    TL;DR in either case.
    """

    model: str
    version: str
    previous_version: str | None
    deployment_date: date
    deployed_by: str
    deployment_type: str
    decision: Mark
    notices: tuple[str, ...]
    tldr: str
    key_figures: tuple[KeyFigure, ...]
    front: tuple[Section, ...]
    sections: tuple[Section, ...]
    attachments: tuple[str, ...]
    document_version: str
    status: Mark
    evidence_digest: str
    worst: tuple[Block, ...] = ()
    kind: str = "Deployment memo"
    colophon: str = field(default="")
    certified: tuple[Certified, ...] = ()
    tldr_mark: str = ""
    computed: tuple[str, ...] = ()
