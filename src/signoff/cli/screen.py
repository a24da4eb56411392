"""Prints text for people: unchanged words, without any control sequence that a terminal would obey."""

from typing import Any, Final

from rich.console import Console
from rich.text import Text

from signoff.rendering.words import escaped

PIPED: Final = 10_000
"""Columns where no terminal breaks the lines: what is piped is read by line."""


class Screen(Console):
    """A console without mark-up, since it prints people's own words."""

    def __init__(self, *, is_error: bool = False) -> None:
        super().__init__(stderr=is_error, highlight=False, markup=False, emoji=False)

    def render_str(self, text: str, **how: Any) -> Text:  # noqa: ANN401 - rich's own options
        """Text for a line or a cell."""
        return super().render_str(escaped(text), **how)

    def tell(self, line: object) -> None:
        """A line or a table, broken only where a terminal would do it."""
        if not self.is_terminal:
            self.width = PIPED
        self.print(line)
