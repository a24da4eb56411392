"""The unpacked size of an Arrow or Feather file, computed from the messages of its batches before any is decompressed.

A batch lists the length of each column and the position of each buffer; a compressed buffer begins with its unpacked
size. The messages are FlatBuffers; only the needed fields are read.
"""

import struct
from collections.abc import Iterator
from typing import Final

import numpy as np

from signoff.adapters.evidence.extents import MAX_COLUMNS, MAX_DEPTH, Extent, refuse_vast
from signoff.domain.errors import BadInputError

MARK: Final = b"ARROW1"
MAX_BATCHES: Final = 100_000
CONTINUED: Final = 0xFFFFFFFF
SCHEMA, DICTIONARY, BATCH = 1, 2, 3


def extent_of_arrow(content: bytes, where: str) -> Extent:
    """The columns, values and unpacked bytes of an Arrow file or stream. ValueError where it is malformed."""
    walk = _ArrowWalk(content, where)
    try:
        if content.startswith(MARK):
            walk.file()
        else:
            walk.stream()
    except (struct.error, RecursionError) as error:
        raise ValueError("one of its messages breaks off") from error
    return Extent(columns=walk.columns, values=walk.values, unpacked=walk.unpacked)


class _Table:
    """A FlatBuffers table in the bytes."""

    __slots__ = ("_at", "_data", "_fields")

    def __init__(self, data: bytes, at: int) -> None:
        (back,) = struct.unpack_from("<i", data, at)
        vtable = at - back
        if not 0 <= at < len(data) or not 0 <= vtable <= len(data) - 4:
            raise ValueError("one of its messages points outside of the file")
        (size,) = struct.unpack_from("<H", data, vtable)
        self._data, self._at = data, at
        self._fields = struct.unpack_from(f"<{max(size // 2 - 2, 0)}H", data, vtable + 4)

    def number(self, field: int, kind: str) -> int:
        """A scalar field; 0 where it is absent."""
        place = self._place(field)
        return int(struct.unpack_from(f"<{kind}", self._data, place)[0]) if place else 0

    def table(self, field: int) -> "_Table | None":
        place = self._target(field)
        return _Table(self._data, place) if place else None

    def vector(self, field: int, width: int) -> tuple[int, int]:
        """The position of a vector's first item, and the number of items."""
        place = self._target(field)
        if not place:
            return 0, 0
        (count,) = struct.unpack_from("<I", self._data, place)
        if place + 4 + count * width > len(self._data):
            raise ValueError("one of its messages breaks off")
        return place + 4, count

    def tables(self, field: int) -> "Iterator[_Table]":
        start, count = self.vector(field, 4)
        for place in range(start, start + 4 * count, 4):
            yield _Table(self._data, place + struct.unpack_from("<I", self._data, place)[0])

    def _place(self, field: int) -> int:
        offset = self._fields[field] if field < len(self._fields) else 0
        return self._at + offset if offset else 0

    def _target(self, field: int) -> int:
        place = self._place(field)
        return place + int(struct.unpack_from("<I", self._data, place)[0]) if place else 0


class _ArrowWalk:
    """A walk over the batches of one file, and the totals so far."""

    def __init__(self, content: bytes, where: str) -> None:
        self._content, self._where = content, where
        self.columns = self.values = self.unpacked = 0
        self._batches = self._described = self._schemas = 0

    def file(self) -> None:
        """Count every batch that the footer names, as often as it names it."""
        end = len(self._content) - len(MARK) - 4
        (length,) = struct.unpack_from("<i", self._content, end)
        if not 0 < length <= end:
            raise ValueError("its footer is larger than the file")
        start = end - length
        footer = _Table(self._content, start + struct.unpack_from("<I", self._content, start)[0])
        self._schema(footer.table(1))
        for field in (2, 3):
            at, count = footer.vector(field, 24)
            for place in range(at, at + 24 * count, 24):
                self._message(struct.unpack_from("<q", self._content, place)[0])

    def stream(self) -> None:
        """Count every message of a stream."""
        at = 0
        while at < len(self._content) and (at := self._message(at)):
            pass

    def _message(self, at: int) -> int:
        """Count one message, and return the position of the next; 0 at the end."""
        if at < 0:
            raise ValueError("one of its messages points outside of the file")
        (first,) = struct.unpack_from("<I", self._content, at)
        at += 4 if first == CONTINUED else 0
        size = int(struct.unpack_from("<i", self._content, at)[0])
        if size <= 0:
            return 0
        message = _Table(self._content, at + 4 + struct.unpack_from("<I", self._content, at + 4)[0])
        body = at + 4 + size
        kind, header = message.number(1, "B"), message.table(2)
        if kind == SCHEMA:
            self._schema(header)
        elif kind in {DICTIONARY, BATCH}:
            batch = header.table(1) if header is not None and kind == DICTIONARY else header
            if batch is not None:
                self._batch(batch, body)
        return body + max(message.number(3, "q"), 0)

    def _schema(self, schema: _Table | None) -> None:
        if schema is None:
            return
        self._schemas += 1
        if self._schemas > 1:
            raise ValueError("it has more than one schema")
        self.columns = schema.vector(1, 4)[1]
        refuse_vast(Extent(columns=self.columns), self._where)
        self._go_down(schema, 1, 0, [0])

    def _go_down(self, holder: _Table, field: int, depth: int, seen: list[int]) -> None:
        if depth > MAX_DEPTH or seen[0] > 2 * MAX_COLUMNS:
            raise BadInputError(
                f"{self._where}: expected plain columns, found some nested more than {MAX_DEPTH} deep. Remove them."
            )
        for child in holder.tables(field):
            seen[0] += 1
            self._go_down(child, 5, depth + 1, seen)

    def _batch(self, batch: _Table, body: int) -> None:
        self._batches += 1
        if self._batches > MAX_BATCHES:
            raise BadInputError(
                f"{self._where}: expected at most {MAX_BATCHES:,} batches, found more. Write it in fewer."
            )
        at, count = batch.vector(1, 16)
        self._describe(count)
        lengths = np.frombuffer(self._content, "<i8", 2 * count, at)[::2] if count else np.empty(0, "<i8")
        if (lengths < 0).any():
            raise ValueError("one of its columns has a negative length")
        self.values += max(int(lengths.astype(np.float64).sum()), batch.number(0, "q"))
        refuse_vast(Extent(values=self.values), self._where)
        at, count = batch.vector(2, 16)
        self._describe(count)
        is_packed = batch.table(3) is not None
        for place in range(at, at + 16 * count, 16):
            start, length = struct.unpack_from("<qq", self._content, place)
            self.unpacked += self._buffer(body + start, length, is_packed=is_packed)

    def _describe(self, count: int) -> None:
        """Count descriptions of 16 bytes; batches that share them would take time out of proportion to the file."""
        self._described += 16 * count
        if self._described > len(self._content):
            raise ValueError("its batches overlap")

    def _buffer(self, start: int, length: int, *, is_packed: bool) -> int:
        if length < 0 or start < 0 or start + length > len(self._content):
            raise ValueError("one of its buffers lies outside of the file")
        if not is_packed or length < 8:
            return length
        (size,) = struct.unpack_from("<q", self._content, start)
        return length if size < 0 else int(size)
