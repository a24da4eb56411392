"""The index of events as a table that a spreadsheet opens, and that takes nothing in it for a formula."""

import csv
import json
from io import StringIO
from typing import Final

from signoff.domain.spreadsheets import inert

COLUMNS: Final = ("seq", "time", "actor", "stream", "kind")


def header() -> bytes:
    """The names of the columns."""
    return _line(COLUMNS)


def line_of(seq: int, body: bytes) -> bytes:
    """The line of an event."""
    said = json.loads(body)
    return _line((str(seq), said["at"], said["actor"], said["stream"], said["event"]["kind"]))


def _line(cells: tuple[str, ...]) -> bytes:
    out = StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerow([inert(cell) for cell in cells])
    return out.getvalue().encode()
