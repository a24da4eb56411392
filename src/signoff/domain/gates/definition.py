"""The record beside each gate's function that everything which names, explains or prints the gate reads."""

from dataclasses import dataclass
from typing import Final

Shown = tuple[tuple[str, str], ...]
OF_TRIALS: Final = "the returns, and those of every configuration that was tried (--trials)"
OF_RETURNS: Final = "the returns: a year of rows at least, and never fewer than 24"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateDefinition:
    """A gate in words.

    `names` is a pattern of further names in texts. `shown` are the figures that page one prints beside the outcome: the
    name of a figure of the finding, and the words around it. `parts` are statistics of the gate over a part of its
    family; page one prints one whose verdict differs from the whole.
    `is_of_record` gates judge the backtest's own record, `is_of_trials` gates need every trial, and `is_of_dossier`
    gates need what only a dossier can give.
    """

    key: str
    title: str
    asks: str
    formula: str
    paper: str
    needs: str
    names: str
    shown: Shown = ()
    parts: Shown = ()
    is_of_record: bool = False
    is_of_trials: bool = False
    is_of_dossier: bool = False

    @property
    def words(self) -> dict[str, str]:
        """Its question, formula and paper, and what it needs."""
        return {name: getattr(self, name) for name in ("title", "asks", "formula", "paper", "needs")}

    @property
    def lacks(self) -> str:
        """What the gate needs in addition to returns."""
        if self.is_of_trials:
            return "--trials, the returns of every configuration that was tried, a column each"
        return f"{self.needs} (`signoff init`)" if self.is_of_dossier else self.needs
