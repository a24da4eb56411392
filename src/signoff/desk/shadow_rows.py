"""The memory that a desk shares with its candidate's process: rows go one way, answers the other.

Rows are written by the desk alone; the child maps them read-only. Each slot carries a ticket, written last: a slot
whose ticket is the next one is complete. A slot is used again once its answer was taken. On x86 stores stay in order;
other processors were not tried.
"""

import mmap
import os
import struct
from enum import IntEnum
from typing import Final

DEPTH: Final = 4096
_TICKET: Final = struct.Struct("<Q")
_ANSWER: Final = struct.Struct("<IdQ")
"""Status, value, latency in nanoseconds; the ticket stands before it."""
_STATE: Final = struct.Struct("<II")
"""The child's state, and the bytes of the text behind it."""
_HEAD: Final = 1024
_ANSWER_BYTES: Final = 32


class ChildState(IntEnum):
    """What the child says of itself."""

    STARTING = 0
    READY = 1
    FAILED = 2


class Status(IntEnum):
    """How a row was answered."""

    ANSWERED = 0
    RAISED = 1


class SharedRows:
    """The desk's side: `put` a row, `take` the next answer."""

    def __init__(self, features: int, depth: int) -> None:
        self.depth, self._row_bytes, self._slot = depth, 8 * features, 8 + 8 * features
        made = os.memfd_create("signoff-rows", os.MFD_CLOEXEC)
        self.answers_fd = os.memfd_create("signoff-answers", os.MFD_CLOEXEC)
        os.ftruncate(made, depth * self._slot)
        os.ftruncate(self.answers_fd, _HEAD + depth * _ANSWER_BYTES)
        self._rows = mmap.mmap(made, depth * self._slot)
        self._answers = mmap.mmap(self.answers_fd, _HEAD + depth * _ANSWER_BYTES)
        self.rows_fd = os.open(f"/proc/self/fd/{made}", os.O_RDONLY | os.O_CLOEXEC)
        os.close(made)
        self.written = self.taken = 0

    def put(self, row: memoryview) -> int | None:
        """Write a row's bytes; its slot, or None where every slot waits for an answer."""
        written = self.written
        if written - self.taken >= self.depth:
            return None
        slot = written % self.depth
        at = slot * self._slot
        self._rows[at + 8 : at + self._slot] = row
        _TICKET.pack_into(self._rows, at, written + 1)
        self.written = written + 1
        return slot

    def take(self) -> tuple[int, Status, float, int, bytes] | None:
        """The next answer, if it is there: slot, status, value, latency in nanoseconds, and the row's bytes."""
        slot = self.taken % self.depth
        at = _HEAD + slot * _ANSWER_BYTES
        if _TICKET.unpack_from(self._answers, at)[0] != self.taken + 1:
            return None
        status, value, latency_ns = _ANSWER.unpack_from(self._answers, at + 8)
        begin = slot * self._slot + 8
        row = self._rows[begin : begin + self._row_bytes]
        return slot, Status(min(status, Status.RAISED)), value, latency_ns, row

    @property
    def state(self) -> ChildState:
        said = _STATE.unpack_from(self._answers)[0]
        return ChildState(said) if said in tuple(ChildState) else ChildState.FAILED

    @property
    def said(self) -> str:
        """Why the child failed."""
        size = min(_STATE.unpack_from(self._answers)[1], _HEAD - _STATE.size)
        return self._answers[_STATE.size : _STATE.size + size].decode(errors="replace")

    def close(self) -> None:
        """Give the memory back; a child that still runs keeps its own map."""
        for fd in (self.rows_fd, self.answers_fd):
            os.close(fd)
        self._rows.close()
        self._answers.close()


class ChildRows:
    """The child's side: `next` row, then `answer` it."""

    def __init__(self, rows_fd: int, answers_fd: int, *, features: int, depth: int) -> None:
        self._depth, self._slot = depth, 8 + 8 * features
        self._rows = mmap.mmap(rows_fd, depth * self._slot, access=mmap.ACCESS_READ)
        self._answers = mmap.mmap(answers_fd, _HEAD + depth * _ANSWER_BYTES)
        self._done = 0

    def say(self, state: ChildState, text: str = "") -> None:
        """Tell the desk how the child stands."""
        content = text.encode()[: _HEAD - _STATE.size]
        self._answers[_STATE.size : _STATE.size + len(content)] = content
        _STATE.pack_into(self._answers, 0, state, len(content))

    def next(self) -> bytes | None:
        """The bytes of the next row, None while there is none."""
        at = (self._done % self._depth) * self._slot
        if _TICKET.unpack_from(self._rows, at)[0] != self._done + 1:
            return None
        return self._rows[at + 8 : at + self._slot]

    def answer(self, status: Status, value: float, latency_ns: int) -> None:
        """Answer the row that `next` gave last."""
        at = _HEAD + (self._done % self._depth) * _ANSWER_BYTES
        _ANSWER.pack_into(self._answers, at + 8, status, value, latency_ns)
        self._done += 1
        _TICKET.pack_into(self._answers, at, self._done)
