"""The events as a CSV table in which a spreadsheet finds no formulas."""

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
    event = json.loads(body)
    return _line((str(seq), event["at"], event["actor"], event["stream"], event["event"]["kind"]))


def _line(cells: tuple[str, ...]) -> bytes:
    out = StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerow([inert(cell) for cell in cells])
    return out.getvalue().encode()
