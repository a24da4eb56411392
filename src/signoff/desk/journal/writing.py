"""The writer of the journal: callers pack records into memory, one thread commits them in groups.

A caller packs its record into the active buffer under one lock and goes on. The thread swaps two buffers and writes
what was packed as one frame, durable before the next. `wait_durable` waits for that; no order may leave before it
answers True. A write that fails is never repeated in place: its descriptor is closed, and the frame is written again in
a new segment, whose header voids the part of the old one that was not acknowledged.
"""

import atexit
import errno
import fcntl
import json
import os
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

from signoff.desk.journal.records import HEAD, LONGEST, PREDICTION, Kind, Mark, name_record
from signoff.desk.journal.recovery import Recovered, recover
from signoff.desk.journal.segments import FRAME_BYTES, Frame, SegmentHeader, frame_header, path_of, write_durably
from signoff.desk.journal.watermark import acknowledge, mapped
from signoff.domain.errors import BadInputError, RefusedError, SignoffError, UnavailableError

BUFFER: Final = 4 << 20
SEGMENT: Final = 64 << 20
POLL_S: Final = 0.0003
IDLE_POLL_S: Final = 0.005
BUSY_FOR_S: Final = 0.5
FIRST_WAIT_S: Final = 0.02
LONGEST_WAIT_S: Final = 1.0
CLOCK_SLACK_NS: Final = 1_000_000
NAN: Final = float("nan")


class JournalFullError(UnavailableError):
    """Records come faster than the disk takes them, or it takes none: a desk's journal has no room (exit 2)."""

    code = "journalfull"


class State(StrEnum):
    """What the journal can do now. STALLED keeps what it accepted and tries again; the last three are final."""

    OPEN = "open"
    STALLED = "stalled"
    CLOSED = "closed"
    DEAD = "dead"
    FORKED = "forked"


class WhenFull(StrEnum):
    """What a full buffer means: refuse the record, so that no new risk is taken, or drop it and count it."""

    REFUSE = "refuse"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class _Batch:
    """Records that one frame will hold."""

    buffer: bytearray
    size: int
    first_seq: int
    count: int


class Journal:
    """An open journal; one process writes a folder at a time.

    >>> journal = Journal.open(folder)
    >>> seq = journal.predict("momentum-2", "2.0.0", "AAPL", 0.4, features=row)
    >>> journal.wait_durable(seq, timeout_s=1.0)
    True
    """

    def __init__(
        self,
        folder: Path,
        lock: BinaryIO,
        recovered: Recovered,
        *,
        when_full: WhenFull,
        segment_bytes: int,
        buffer_bytes: int,
    ) -> None:
        self.folder, self.when_full = folder, when_full
        self.state, self.reason = State.OPEN, ""
        self.dropped = self.clock_back = 0
        self._dropped_unsaid = 0
        self._lock_file, self._segment_bytes, self._capacity = lock, segment_bytes, buffer_bytes
        self._names = dict(recovered.names)
        self._seq = self._durable = recovered.last_seq
        self._last_ns = recovered.last_ns
        self._active, self._spare = bytearray(buffer_bytes), bytearray(buffer_bytes)
        self._offset = self._count = 0
        self._lock, self._woken, self._moved = threading.Lock(), threading.Event(), threading.Condition()
        self._closing = self._is_closed = False
        self._fd, self._at, self._header = -1, 0, recovered.header
        self._watermark = mapped(folder)
        self._begin_segment(recovered.header, recovered.carried)
        self._advance(recovered.last_seq)
        self._thread = threading.Thread(target=self._run, name="signoff-journal", daemon=True)
        self._thread.start()
        _OPEN.add(self)

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        when_full: WhenFull = WhenFull.REFUSE,
        segment_bytes: int = SEGMENT,
        buffer_bytes: int = BUFFER,
    ) -> Self:
        """Open the journal in this folder, or begin one. What an earlier process left torn is void from now on.

        Raises RefusedError where another process writes it, JournalDamagedError where durable bytes changed, and
        UnavailableError where the folder cannot be written.
        """
        if not 2 * LONGEST <= buffer_bytes <= segment_bytes // 2:
            raise BadInputError(
                f"Expected buffer_bytes from {2 * LONGEST} to half of segment_bytes, found {buffer_bytes} and "
                f"{segment_bytes}."
            )
        lock = _locked(folder)
        try:
            return cls(
                folder,
                lock,
                recover(folder),
                when_full=when_full,
                segment_bytes=segment_bytes,
                buffer_bytes=buffer_bytes,
            )
        except OSError as error:
            lock.close()
            raise UnavailableError(
                f"{folder}: expected a folder that the journal can write, found: {error.strerror}. Mend the disk or "
                "choose another folder."
            ) from error
        except BaseException:
            lock.close()
            raise

    def predict(
        self,
        deployment: str,
        version: str,
        symbol: str,
        value: float,
        *,
        features: bytes | bytearray | memoryview = b"",
        confidence: float = NAN,
        latency_ns: int = 0,
        marks: int = 0,
    ) -> int:
        """Record a prediction; its sequence number, or 0 where it was dropped. It is not durable yet.

        `features` are the bytes of float64 values, or with Mark.DIGEST_OF_FEATURES their SHA-256.
        """
        size = PREDICTION.size + len(features)
        if size > LONGEST:
            raise BadInputError(
                f"Expected features of at most {LONGEST - PREDICTION.size} bytes, found {len(features)}. Record their "
                "digest."
            )
        now = time.time_ns()
        with self._lock:
            offset = self._offset
            names = self._names
            try:
                deployment_id, version_id, symbol_id = names[deployment], names[version], names[symbol]
            except KeyError:
                deployment_id, version_id, symbol_id = self._named(deployment, version, symbol)
                offset = self._offset
            end = offset + size
            if end > self._capacity or self._is_closed:
                return self._not_taken()
            if now < self._last_ns:
                marks |= self._clock_mark(now)
            else:
                self._last_ns = now
            seq = self._seq + 1
            PREDICTION.pack_into(
                self._active,
                offset,
                size,
                Kind.PREDICTION,
                marks,
                deployment_id,
                seq,
                now,
                version_id,
                symbol_id,
                value,
                confidence,
                latency_ns,
            )
            if features:
                self._active[offset + PREDICTION.size : end] = features
            self._seq, self._offset, self._count = seq, end, self._count + 1
        return seq

    def event(self, kind: Kind, deployment: str, says: Mapping[str, Any] | None = None) -> int:
        """Record anything else as JSON; its sequence number, or 0 where it was dropped. It is not durable yet."""
        text = json.dumps(says, separators=(",", ":"), allow_nan=False).encode() if says else b""
        size = HEAD.size + len(text)
        if size > LONGEST:
            raise BadInputError(f"Expected an event of at most {LONGEST - HEAD.size} bytes, found {len(text)}.")
        with self._lock:
            return self._pack(kind, deployment, text, size)

    def _pack(self, kind: Kind, deployment: str, text: bytes, size: int) -> int:
        (number,) = self._named(deployment)
        end = self._offset + size
        if end > self._capacity or self._is_closed:
            return self._not_taken()
        now, marks = time.time_ns(), 0
        if now < self._last_ns:
            marks = self._clock_mark(now)
        else:
            self._last_ns = now
        seq = self._seq + 1
        HEAD.pack_into(self._active, self._offset, size, kind, marks, number, seq, now)
        self._active[self._offset + HEAD.size : end] = text
        self._seq, self._offset, self._count = seq, end, self._count + 1
        return seq

    def is_durable(self, seq: int) -> bool:
        """Whether this record, and every one before it, is on the disk."""
        return 0 < seq <= self._durable

    def wait_durable(self, seq: int, timeout_s: float = 1.0) -> bool:
        """Whether this record is on the disk, waiting until it is. An order may leave only where this is True."""
        if 0 < seq <= self._durable:
            return True
        if not 0 < seq <= self._seq:
            return False
        self._woken.set()
        with self._moved:
            return self._moved.wait_for(lambda: seq <= self._durable or self._is_closed, timeout_s) and (
                seq <= self._durable
            )

    @property
    def durable(self) -> int:
        """The sequence number up to which everything is on the disk."""
        return self._durable

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what was accepted and close. UnavailableError, with the count, where some of it is not durable."""
        if self._is_closed:
            return
        self._closing = True
        self._woken.set()
        self._thread.join(timeout_s)
        lost = self._seq - self._durable
        self._finish(State.CLOSED, "it was closed")
        if lost:
            raise UnavailableError(
                f"{self.folder}: expected every accepted record on the disk, found {lost} that are not: {self.reason}. "
                "They are lost with this process."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _named(self, *names: str) -> tuple[int, ...]:
        """The numbers of these names; a new name's record goes before the record that uses it."""
        for name in names:
            if name not in self._names:
                record = name_record(len(self._names) + 1, name)
                if len(record) > LONGEST:
                    raise BadInputError(f"Expected a name of a few words, found one of {len(name)} characters.")
                if self._offset + len(record) > self._capacity:
                    raise JournalFullError(self._full_words())
                self._active[self._offset : self._offset + len(record)] = record
                self._offset += len(record)
                self._names[name] = len(self._names) + 1
        return tuple(self._names[name] for name in names)

    def _clock_mark(self, now: int) -> int:
        """A clock that went back by more than a millisecond is marked and counted; numbers give the order."""
        if now >= self._last_ns - CLOCK_SLACK_NS:
            return 0
        self.clock_back += 1
        self._last_ns = now
        return Mark.CLOCK_WENT_BACK

    def _not_taken(self) -> int:
        if self._is_closed:
            raise UnavailableError(f"{self.folder}: expected an open journal, found it {self.state}: {self.reason}.")
        if self.when_full is WhenFull.REFUSE:
            raise JournalFullError(self._full_words())
        self.dropped += 1
        self._dropped_unsaid += 1
        return 0

    def _full_words(self) -> str:
        why = f"the disk takes nothing: {self.reason}" if self.state is State.STALLED else "the disk is slower than it"
        return f"{self.folder}: expected room for a record, found the journal's buffer full: {why}. Take no new risk."

    def _run(self) -> None:
        busy_until = 0.0
        while True:
            batch = self._swapped()
            if batch is None:
                if self._closing:
                    return
                now = time.monotonic()
                self._woken.wait(POLL_S if now < busy_until else IDLE_POLL_S)
                self._woken.clear()
                continue
            busy_until = time.monotonic() + BUSY_FOR_S
            if not self._committed(batch):
                return

    def _swapped(self) -> _Batch | None:
        with self._lock:
            if self._dropped_unsaid and self.state is State.OPEN:
                text = json.dumps({"records": self._dropped_unsaid}).encode()
                if self._offset + HEAD.size + len(text) + 64 <= self._capacity:
                    self._dropped_unsaid = 0
                    self._pack(Kind.DROPPED, "", text, HEAD.size + len(text))
            if not self._offset:
                return None
            batch = _Batch(self._active, self._offset, self._seq - self._count + 1, self._count)
            self._active, self._spare = self._spare, self._active
            self._offset = self._count = 0
        return batch

    def _committed(self, batch: _Batch) -> bool:
        """Whether the batch became durable; until then it is tried again, each time in a new segment."""
        payload = memoryview(batch.buffer)[: batch.size]
        wait_s = FIRST_WAIT_S
        while True:
            try:
                self._write(payload, batch.first_seq, batch.count)
            except OSError as error:
                self._stall(f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'no code')})")
                if self._closing and wait_s > FIRST_WAIT_S:
                    return False
                time.sleep(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                continue
            payload.release()
            self._advance(batch.first_seq + batch.count - 1)
            return True

    def _write(self, payload: memoryview, first_seq: int, count: int) -> None:
        size = FRAME_BYTES + len(payload)
        if self._fd == -1 or self._at + size > self._segment_bytes:
            self._roll(first_seq)
        header = frame_header(
            payload, first_seq=first_seq, count=count, durable_before=self._durable, segment=self._header.number
        )
        write_durably(self._fd, (header, payload), self._at)
        self._at += size

    def _roll(self, first_seq: int) -> None:
        """Begin the next segment; its header says how many bytes of this one were acknowledged."""
        header = SegmentHeader(
            journal=self._header.journal,
            number=self._header.number + 1,
            first_seq=first_seq,
            predecessor_bytes=self._at,
        )
        self._shut_descriptor()
        self._begin_segment(header, None)

    def _begin_segment(self, header: SegmentHeader, carried: Frame | None) -> None:
        """Write header, names and a carried frame with one sync; only then does the segment have its name."""
        path = path_of(self.folder, header.number)
        with self._lock:
            known = dict(self._names)
        names = b"".join(name_record(number, name) for name, number in known.items())
        parts = [header.to_bytes()]
        for payload, first_seq, count in ((names, header.first_seq, 0), *_carried_in(carried)):
            if payload:
                before = header.first_seq - 1
                parts.append(
                    frame_header(
                        payload, first_seq=first_seq, count=count, durable_before=before, segment=header.number
                    )
                )
                parts.append(payload)
        making = path.with_suffix(".tmp")
        fd = os.open(making, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, self._segment_bytes)
            write_durably(fd, parts, 0)
            os.fsync(fd)
            making.rename(path)
            _sync_folder(self.folder)
        except OSError:
            os.close(fd)
            with suppress(OSError):
                making.unlink()
            raise
        self._fd, self._at, self._header = fd, sum(map(len, parts)), header

    def _advance(self, seq: int) -> None:
        with self._moved:
            self._durable = seq
            acknowledge(self._watermark, seq)
            if self.state is State.STALLED:
                self.state, self.reason = State.OPEN, ""
            self._moved.notify_all()

    def _stall(self, reason: str) -> None:
        self._shut_descriptor()
        with self._lock:
            if not self._is_closed:
                self.state, self.reason = State.STALLED, reason

    def _shut_descriptor(self) -> None:
        fd, self._fd = self._fd, -1
        if fd != -1:
            with suppress(OSError):
                os.close(fd)

    def _finish(self, state: State, reason: str) -> None:
        with self._lock:
            self.reason = self.reason or reason
            self.state, self._is_closed = state, True
        self._shut_descriptor()
        self._lock_file.close()
        with self._moved:
            self._moved.notify_all()


_OPEN: Final[weakref.WeakSet[Journal]] = weakref.WeakSet()


def _close_all() -> None:
    for journal in tuple(_OPEN):
        with suppress(SignoffError):
            journal.close()


def _refuse_in_child() -> None:
    """A child of fork has no writer: its copy refuses, and gives up the parent's lock and descriptor."""
    for journal in tuple(_OPEN):
        journal._lock, journal._moved = threading.Lock(), threading.Condition()  # noqa: SLF001 - of this module
        journal._finish(State.FORKED, "this process is a fork of the one that opened it")  # noqa: SLF001 - as above
        _OPEN.discard(journal)


atexit.register(_close_all)
os.register_at_fork(after_in_child=_refuse_in_child)


def _carried_in(frame: Frame | None) -> tuple[tuple[bytes, int, int], ...]:
    return () if frame is None else ((frame.payload, frame.first_seq, frame.count),)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _locked(folder: Path) -> BinaryIO:
    """The folder's lock, which names the process that holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / "lock").open("a+b")
    except OSError as error:
        raise UnavailableError(
            f"{folder}: expected a folder that the journal can write, found: {error.strerror}. Choose another folder."
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        holder = lock.read(20).decode(errors="replace").strip() or "unknown"
        lock.close()
        raise RefusedError(
            f"{folder}: expected a journal that no process writes, found process {holder} writing it. Stop that "
            "process, or give this one a folder of its own."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()).encode())
    lock.flush()
    return lock
