"""What stands beside a status: never the same words twice."""

from signoff.domain.memo.document import Cell


def words_beside(cell: Cell) -> str:
    """The text of a cell, empty where its mark says the same."""
    return "" if cell.mark is not None and cell.text.upper() == cell.mark.value else cell.text
