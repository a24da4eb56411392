"""The unpacked size of a Parquet file, from its footer and the header of every page, before any page is decompressed.

The footer may lie: a reader unpacks what the page headers say. So the page headers are added up, along the same bytes
that a reader follows. Footer and headers use Thrift's compact protocol; only the needed fields are read.
"""

import struct
from collections.abc import Iterator
from typing import Final

from signoff.adapters.evidence.extents import MAX_COLUMNS, MAX_DEPTH, Extent, refuse_vast
from signoff.domain.errors import BadInputError

MAX_FOOTER: Final = 64 << 20
MAX_PAGES: Final = 1_000_000
MAX_WIDTH: Final = 256
TAIL: Final = 8
# DELTA_BYTE_ARRAY: each value may repeat the whole previous one, so the page header does not bound the unpacked size.
FRONT_CODED: Final = 7
_LIST, _STRUCT = 9, 12


def extent_of_parquet(content: bytes, where: str) -> Extent:
    """The columns, values and unpacked bytes of a Parquet file. ValueError where it is malformed."""
    (length,) = struct.unpack_from("<I", content, len(content) - TAIL)
    start = len(content) - TAIL - length
    if start < 0:
        raise ValueError("its footer is larger than the file")
    if length > MAX_FOOTER:
        raise BadInputError(
            f"{where}: expected a footer of at most {MAX_FOOTER:,} bytes, found {length:,}. Thin it out."
        )
    try:
        return _ParquetWalk(content, where).footer(start, len(content) - TAIL)
    except IndexError as error:
        raise ValueError("its footer or a page breaks off") from error


class _Thrift:
    """A reader of values in the compact protocol, at a position in the bytes."""

    __slots__ = ("at", "data", "end")

    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end

    def number(self) -> int:
        """A signed number, as a zigzag varint."""
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def varint(self) -> int:
        value = shift = 0
        while True:
            if self.at >= self.end or shift > 63:
                raise ValueError("a number in it breaks off")
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def fields(self) -> Iterator[tuple[int, int]]:
        """The number and kind of every field of a structure; the caller must read or skip each value."""
        field = 0
        while True:
            if self.at >= self.end:
                raise ValueError("a structure in it breaks off")
            head = self.data[self.at]
            self.at += 1
            if head == 0:
                return
            field = field + (head >> 4) if head >> 4 else self.number()
            yield field, head & 0x0F

    def items(self) -> tuple[int, int]:
        """The number of items in a list, and their kind."""
        head = self.data[self.at]
        self.at += 1
        count = head >> 4 if head >> 4 != 15 else self.varint()
        if count > self.end - self.at:
            raise ValueError("a list in it breaks off")
        return count, head & 0x0F

    def skip(self, kind: int, depth: int = 0) -> None:  # noqa: C901 - the kinds of the protocol
        """Skip a value."""
        if depth > MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        match kind:
            case 1 | 2:
                pass  # the kind is the value of a Boolean
            case 3:
                self.at += 1
            case 4 | 5 | 6:
                self.varint()
            case 7:
                self.at += 8
            case 8:
                size = self.varint()
                self.at += size
            case 9 | 10:
                count, of = self.items()
                for _ in range(count):
                    self.skip(3 if of in {1, 2} else of, depth + 1)
            case 12:
                for _, of in self.fields():
                    self.skip(of, depth + 1)
            case _:
                raise ValueError("it holds a value of an unknown kind")


class _ParquetWalk:
    """A walk over footer and pages of one file, and the totals so far."""

    def __init__(self, content: bytes, where: str) -> None:
        self._content, self._where = content, where
        self._columns = self._rows = self._values = self._unpacked = self._pages = self._followed = 0

    def footer(self, start: int, end: int) -> Extent:
        thrift = _Thrift(self._content, start, end)
        for field, kind in thrift.fields():
            if field == 2 and kind == _LIST:
                self._schema(thrift)
            elif field == 3 and kind in {5, 6}:
                self._count_rows(thrift.number())
            elif field == 4 and kind == _LIST:
                groups, _ = thrift.items()
                for _ in range(groups):
                    self._row_group(thrift)
            else:
                thrift.skip(kind)
        values = max(self._values, self._rows * max(self._columns, 1))
        return Extent(columns=self._columns, values=values, unpacked=self._unpacked)

    def _schema(self, thrift: _Thrift) -> None:
        """Count the columns and check their nesting; `open_groups` holds the missing children of each open group.

        The first element of the schema is the table itself.
        """
        count, _ = thrift.items()
        refuse_vast(Extent(columns=count - 1), self._where)
        self._columns, open_groups = count - 1, list[int]()
        for _ in range(count):
            width = children = 0
            for field, kind in thrift.fields():
                if field == 2:
                    width = thrift.number()
                elif field == 5:
                    children = thrift.number()
                else:
                    thrift.skip(kind)
            if not 0 <= width <= MAX_WIDTH or not 0 <= children <= MAX_COLUMNS:
                raise BadInputError(f"{self._where}: expected columns of dates, names and numbers, found wider ones.")
            while open_groups and open_groups[-1] == 0:
                open_groups.pop()
            if open_groups:
                open_groups[-1] -= 1
            open_groups.append(children)
            if len(open_groups) > MAX_DEPTH:
                raise BadInputError(
                    f"{self._where}: expected plain columns, found some nested more than {MAX_DEPTH} deep. Remove them."
                )

    def _row_group(self, thrift: _Thrift) -> None:
        for field, kind in thrift.fields():
            if field == 1 and kind == _LIST:
                count, _ = thrift.items()
                for _ in range(count):
                    self._chunk(thrift)
            elif field == 3:
                self._count_rows(thrift.number())
            else:
                thrift.skip(kind)

    def _count_rows(self, rows: int) -> None:
        self._rows = max(self._rows, rows)
        refuse_vast(Extent(values=self._rows * max(self._columns, 1)), self._where)

    def _chunk(self, thrift: _Thrift) -> None:
        """Count the pages of one column in one row group."""
        size = data = dictionary = -1
        for field, kind in thrift.fields():
            if field != 3 or kind != _STRUCT:
                thrift.skip(kind)
                continue
            for name, of in thrift.fields():
                if name == 7:
                    size = thrift.number()
                elif name == 9:
                    data = thrift.number()
                elif name == 11:
                    dictionary = thrift.number()
                else:
                    thrift.skip(of)
        start = dictionary if dictionary > 0 else data
        if start < 0 or size < 0 or start + size > len(self._content):
            raise ValueError("a column lies outside of the file")
        # Chunks that share their bytes would take time out of proportion to the file.
        self._followed += size
        if self._followed > len(self._content):
            raise ValueError("its columns overlap")
        self._follow(start, start + size)

    def _follow(self, at: int, end: int) -> None:
        thrift = _Thrift(self._content, at, end)
        while thrift.at < end:
            packed = self._page(thrift)
            thrift.at += packed
            self._pages += 1
            if packed < 0 or thrift.at > end or self._pages > MAX_PAGES:
                raise ValueError("its pages break off, or are too many")

    def _page(self, thrift: _Thrift) -> int:
        """Count one page, and return the number of bytes after its header."""
        packed = -1
        for field, kind in thrift.fields():
            if field == 2:
                unpacked = thrift.number()
                if unpacked < 0:
                    raise ValueError("one of its pages has a negative size")
                self._unpacked += unpacked
            elif field == 3:
                packed = thrift.number()
            elif field in {5, 8} and kind == _STRUCT:
                self._data_page(thrift, of_encoding=2 if field == 5 else 4)
            else:
                thrift.skip(kind)
        refuse_vast(Extent(values=self._values), self._where)
        return packed

    def _data_page(self, thrift: _Thrift, *, of_encoding: int) -> None:
        for field, kind in thrift.fields():
            if field == 1:
                self._values += max(thrift.number(), 0)
            elif field == of_encoding and thrift.number() == FRONT_CODED:
                raise BadInputError(
                    f"{self._where}: expected plain or dictionary-encoded columns, found one in DELTA_BYTE_ARRAY, "
                    "whose size shows only once it is unpacked. Write the table again without that encoding."
                )
            elif field != of_encoding:
                thrift.skip(kind)
