"""A paged memo says each thing once: what page one shows is not shown again in its section."""

from dataclasses import replace
from typing import Final

from signoff.domain.charts import Chart
from signoff.domain.memo.document import Block, Memo, Paragraph, Section, Table

ON_PAGE_ONE: Final = Paragraph("Stands on page one.", is_note=True)


def once(memo: Memo) -> Memo:
    """The memo with a line in the place of each picture and table that page one shows."""
    shown = tuple(block for section in memo.front for block in section.blocks)
    return replace(memo, sections=tuple(_without(section, shown) for section in memo.sections))


def _without(section: Section, shown: tuple[Block, ...]) -> Section:
    return replace(
        section,
        blocks=tuple(ON_PAGE_ONE if _is_among(block, shown) else block for block in section.blocks),
        sections=tuple(_without(inner, shown) for inner in section.sections),
    )


def _is_among(block: Block, shown: tuple[Block, ...]) -> bool:
    """Whether page one shows it; a picture is known by its name, since its data have no order to compare."""
    match block:
        case Chart():
            return any(isinstance(other, Chart) and other.name == block.name for other in shown)
        case Table():
            return any(isinstance(other, Table) and other == block for other in shown)
        case _:
            return False
