"""The words of a document: what stands beside a status, and people's text with nothing in it that a terminal obeys."""

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from signoff.domain.memo.document import Cell

# Controls but tab and line feed, marks that turn the direction of writing, and halves of surrogate pairs.
_OBEYED: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def escaped(text: str) -> str:
    """Control characters, and those that turn the direction of writing, as their escapes."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def says_its_mark(cell: "Cell") -> bool:
    """Whether a cell begins with the words of its mark, as in "not evidenced: no live journal"."""
    return cell.mark is not None and cell.text.upper().startswith(f"{cell.mark.value}:")


def words_beside(cell: "Cell") -> str:
    """The text of a cell, empty where its mark says the same."""
    return "" if cell.mark is not None and cell.text.upper() == cell.mark.value else cell.text
