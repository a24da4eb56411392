"""The journal inside the trading process: predictions, orders and flags, on the disk before an order leaves.

`Journal.open(folder)` writes; `read` and `check` look at a folder from any process. The format is in `docs/journal.md`.
"""

from signoff.desk.journal.reading import Check, check, identity, read
from signoff.desk.journal.records import Entry, Kind, Prediction
from signoff.desk.journal.segments import JournalDamagedError
from signoff.desk.journal.writing import Journal, JournalFullError, State, WhenFull

__all__ = [
    "Check",
    "Entry",
    "Journal",
    "JournalDamagedError",
    "JournalFullError",
    "Kind",
    "Prediction",
    "State",
    "WhenFull",
    "check",
    "identity",
    "read",
]
