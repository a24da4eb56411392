"""Decodes a CSV: its encoding, its line ends and its separator, each detected from the file itself.

Spreadsheets in many countries write semicolons, since the comma is their decimal mark; Windows writes UTF-16, old
Macs end lines with a carriage return. All of these are read. Anything ambiguous is refused with its place.
"""

import codecs
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from signoff.adapters.evidence.file_signatures import kind_of
from signoff.adapters.evidence.titles import LOOKED, header_below, left_out
from signoff.domain.errors import BadInputError

SEPARATORS: Final = (",", ";", "\t", "|")
NAMED: Final = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
PIECE: Final = 4 << 20
_LOOKED: Final = 64 << 10
_ROWS: Final = 50
_LONGEST: Final = 4 << 20
_UTF16: Final = ((codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_UTF32: Final = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


@dataclass(frozen=True, slots=True)
class CsvText:
    """UTF-8 with line feeds, the separator of its columns, the line number of the header, and what is above it."""

    content: bytes
    separator: str
    header_line: int = 1
    title: str = ""


def csv_text(content: bytes, where: str, *, skips_title: bool = False) -> CsvText:
    """The text of a CSV, unless it is another kind of file or its encoding is unknown.

    A title above the header is left out with `skips_title`, and refused without.
    """
    if (kind := kind_of(content)) is not None:
        raise BadInputError(f"{where}: expected a CSV, found {kind[0]}. {kind[1]}. Nothing was written.")
    content = _line_feeds(_utf8(content, where), where)
    declared = _told_separator(content)
    if declared is not None:
        content = content[content.find(b"\n") + 1 :] if b"\n" in content else b""
    first = 2 if declared is not None else 1
    title = ""
    if (found := _title(content)) is not None:
        place, lines = found
        if not skips_title:
            at = next(n for n, line in enumerate(lines) if line.strip())
            raise BadInputError(
                f"{where}: line {first + at} ({lines[at].strip()[:60]!r}) looks like a title: the header seems to be "
                f"in line {first + place}. Remove the lines above the header. Nothing was written."
            )
        title = left_out([[line] for line in lines], place, first=first, word="line")
        content, first = content.split(b"\n", place)[place], first + place
    return CsvText(content, declared or _separator(content, where), first, title)


def first_ragged(text: CsvText) -> tuple[int, int, int] | None:
    """The first line whose number of fields differs from the header's: its number, its fields, the header's."""
    rows = csv.reader(io.TextIOWrapper(io.BytesIO(text.content), "utf-8", newline=""), delimiter=text.separator)
    header = len(next(rows, []))
    for row in rows:
        if row and len(row) != header:
            return rows.line_num + text.header_line - 1, len(row), header
    return None


def _utf8(content: bytes, where: str) -> bytes:
    if content.startswith(_UTF32):
        raise BadInputError(f"{where}: expected UTF-8 text, found UTF-32. Save it as UTF-8. Nothing was written.")
    content = content.removeprefix(codecs.BOM_UTF8)
    for mark, encoding in _UTF16:
        if content.startswith(mark):
            return _from_utf16(content[len(mark) :], encoding, where)
    head = content[:_LOOKED]
    evens, odds = head[::2].count(0), head[1::2].count(0)
    if (evens + odds) * 3 > len(head) and min(evens, odds) * 20 <= max(evens, odds):
        return _from_utf16(content, "utf-16-le" if odds > evens else "utf-16-be", where)
    _refuse_other_text(content, where)
    return content


def _from_utf16(content: bytes, encoding: str, where: str) -> bytes:
    decoder, text = codecs.getincrementaldecoder(encoding)(), io.BytesIO()
    try:
        for at in range(0, len(content), PIECE):
            text.write(decoder.decode(content[at : at + PIECE]).encode())
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise BadInputError(
            f"{where}: expected whole UTF-16 text, as its beginning says, found text that breaks off. It may be "
            "truncated; save it as UTF-8. Nothing was written."
        ) from error
    return text.getvalue()


def _refuse_other_text(content: bytes, where: str) -> None:
    """Refuse other encodings than UTF-8, checking piece by piece to save memory."""
    if content.isascii():
        return
    decoder, view = codecs.getincrementaldecoder("utf-8")(), memoryview(content)
    at = 0
    try:
        for at in range(0, len(view), PIECE):
            decoder.decode(view[at : at + PIECE])
        at = len(view)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        place = at - len(decoder.getstate()[0]) + error.start
        line = content.count(b"\n", 0, place) + 1
        raise BadInputError(
            f"{where}: expected UTF-8 text, found byte {place} (line {line}) to be none; it reads like another "
            "encoding, such as Windows-1252. Save it as UTF-8. Nothing was written."
        ) from error


def _line_feeds(content: bytes, where: str) -> bytes:
    """Lines that end in LF or CRLF; a carriage return alone, or twice before a line feed, ends a line too."""
    if b"\r\r\n" in content:
        content = content.replace(b"\r\r\n", b"\n")
    returns = content.count(b"\r")
    if returns == 0 or returns == content.count(b"\r\n"):
        return content
    if b'"' in content and b"\n" in content:
        raise BadInputError(
            f"{where}: expected one kind of line end, found carriage returns alone beside line feeds. Save it with "
            "line feeds. Nothing was written."
        )
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _told_separator(content: bytes) -> str | None:
    """The separator in a first line `sep=;`, which Excel reads."""
    first = content[:16].partition(b"\n")[0].strip().strip(b'"')
    if first[:4].lower() != b"sep=" or len(first) > 5:
        return None
    declared = first[4:].decode("ascii", "replace") or "\t"
    return declared if declared in SEPARATORS else None


def _separator(content: bytes, where: str) -> str:
    """The first separator that gives every row as many fields as the header."""
    lines = _head(content)
    rows = {mark: _rows(lines, mark) for mark in SEPARATORS}
    possible = [mark for mark in SEPARATORS if rows[mark] and len(rows[mark][0]) > 1]
    possible.sort(key=lambda mark: len(rows[mark][0][0]))
    even = [mark for mark in possible if len({len(row) for row in rows[mark]}) == 1]
    if not possible and len(lines) > 1:
        _refuse_no_separator(lines, rows, where)
    return (even or possible or [","])[0]


def _title(content: bytes) -> tuple[int, list[str]] | None:
    """The place of the header below a title, and the first lines; None without a title."""
    lines = _head(content)
    for mark in SEPARATORS:
        reader, rows, begin = csv.reader(lines[:LOOKED], delimiter=mark), [], [0]
        try:
            for row in reader:
                rows.append(row)
                begin.append(reader.line_num)
        except csv.Error:
            continue
        place = header_below(rows)
        if place is not None:
            return begin[place], lines
    return None


def _head(content: bytes) -> list[str]:
    """The first whole lines, at least one."""
    lines = content[:_LOOKED].decode("utf-8", "replace").split("\n")
    if len(lines) == 1:
        return [content[:_LONGEST].partition(b"\n")[0].decode("utf-8", "replace")]
    return (lines if len(content) <= _LOOKED else lines[:-1])[:_ROWS]


def _rows(lines: Sequence[str], separator: str) -> list[list[str]]:
    try:
        return [row for row in csv.reader(lines, delimiter=separator) if row]
    except csv.Error:
        return []


def _refuse_no_separator(lines: Sequence[str], rows: Mapping[str, list[list[str]]], where: str) -> None:
    """Refuse a header of one column above rows of several."""
    for mark in SEPARATORS:
        wide = max((len(row) for row in rows[mark]), default=0)
        if wide > 1:
            raise BadInputError(
                f"{where}: expected the names of the columns on line 1, found {lines[0].strip()[:60]!r}, and {wide} "
                f"fields separated by {NAMED[mark]} below it. Remove the lines above the header, and name every "
                "column. Nothing was written."
            )
    if all(len(line.split()) > 1 for line in lines if line.strip()):
        raise BadInputError(
            f"{where}: expected columns separated by commas, semicolons or tabs, found {lines[0].strip()[:60]!r}, "
            "separated by spaces. Write it as CSV. Nothing was written."
        )


def counted_lines(content: bytes) -> tuple[int, int]:
    """The number of lines, and the length of the longest."""
    whole = np.frombuffer(content, np.uint8)
    count, longest, last = 0, 0, -1
    for at in range(0, whole.size, PIECE):
        ends = np.flatnonzero(whole[at : at + PIECE] == ord("\n")) + at
        if ends.size:
            count += ends.size
            longest = max(longest, int(ends[0]) - last - 1, int(np.diff(ends).max(initial=1)) - 1)
            last = int(ends[-1])
    return count + (last + 1 < whole.size), max(longest, whole.size - last - 1)
