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

from signoff.desk.journal.records import DIGEST_BYTES, HEAD, LONGEST, PREDICTION, Kind, Mark, name_record
from signoff.desk.journal.recovery import Recovered, recover
from signoff.desk.journal.segments import FRAME_BYTES, Frame, SegmentHeader, frame_header, path_of, write_durably
from signoff.desk.journal.watermark import Watermark
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
LONGEST_NAME: Final = 1000
DEEPEST: Final = 50
EVENTS: Final = frozenset(Kind) - {Kind.NAME, Kind.PREDICTION, Kind.DROPPED}


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
        self._bytes_of_names = sum(HEAD.size + len(name.encode()) for name in self._names)
        self._seq = self._durable = recovered.last_seq
        self._last_ns = recovered.last_ns
        self._active, self._spare = bytearray(buffer_bytes), bytearray(buffer_bytes)
        self._offset = self._count = 0
        self._lock, self._woken, self._moved = threading.Lock(), threading.Event(), threading.Condition()
        self._closing = self._is_closed = False
        self._fd, self._at, self._header = -1, 0, recovered.header
        self._watermark = Watermark(folder)
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
        if type(features) is not bytes:
            features = _bytes_of(features)
        size = PREDICTION.size + len(features)
        if size > LONGEST or len(features) & 7 or (marks & Mark.DIGEST_OF_FEATURES and len(features) != DIGEST_BYTES):
            raise _odd_features(features, marks)
        now = time.time_ns()
        with self._lock:
            offset = self._offset
            names = self._names
            try:
                deployment_id, version_id, symbol_id = names[deployment], names[version], names[symbol]
            except KeyError:
                ids = self._named(deployment, version, symbol)
                if not ids:
                    return self._not_taken()
                deployment_id, version_id, symbol_id = ids
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
        if kind not in EVENTS:
            raise BadInputError(f"Expected the kind of an event, such as Kind.ORDER, found {kind!r}.")
        text = _as_json(says or {})
        with self._lock:
            return self._pack(kind, deployment, text)

    def _pack(self, kind: Kind, deployment: str, text: bytes) -> int:
        ids, size = self._named(deployment), HEAD.size + len(text)
        end = self._offset + size
        if not ids or end > self._capacity or self._is_closed:
            return self._not_taken()
        (number,) = ids
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
        """Write what was accepted and close. UnavailableError, with the count, where some of it is not durable.

        A disk that hangs keeps the folder locked until its last answer, so that no other process writes beside it.
        """
        if self._is_closed:
            return
        self._closing = True
        self._woken.set()
        self._thread.join(timeout_s)
        lost = self._end(State.CLOSED, "it was closed")
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
        """The numbers of these names, none where there is no room; a new name's record goes before what uses it."""
        for name in names:
            if name not in self._names:
                record = name_record(len(self._names) + 1, _name(name))
                if self._bytes_of_names + len(record) > self._segment_bytes // 8:
                    raise BadInputError(
                        f"Expected names of up to {self._segment_bytes // 8:,} bytes together, found more with "
                        f"{name[:40]!r}. Name deployments, versions and symbols, and nothing that differs every time."
                    )
                if self._offset + len(record) > self._capacity or self._is_closed:
                    return ()
                self._active[self._offset : self._offset + len(record)] = record
                self._offset += len(record)
                self._bytes_of_names += len(record)
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
        try:
            self._commit_until_closed()
        except BaseException as error:  # noqa: BLE001 - whatever ends the writer, its callers have to hear of it
            self._end(State.DEAD, f"the writer ended with {error!r}")
        finally:
            if self._closing or self._is_closed:
                self._release()

    def _commit_until_closed(self) -> None:
        busy_until = 0.0
        while not self._is_closed:
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
                    self._pack(Kind.DROPPED, "", text)
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
                if self._is_closed or (self._closing and wait_s > FIRST_WAIT_S):
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
        before, self._fd = self._fd, -1
        header = SegmentHeader(
            journal=self._header.journal,
            number=self._header.number + 1,
            first_seq=first_seq,
            predecessor_bytes=self._at,
        )
        try:
            self._begin_segment(header, None)
        finally:
            if before != -1:
                os.close(before)

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
        fd = os.open(making, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            os.posix_fallocate(fd, 0, self._segment_bytes)
            write_durably(fd, parts, 0)
            os.fsync(fd)
            self._refuse_other_writer()
            os.link(making, path)  # refused where another writer made this segment; a rename would replace it
            self._at, self._header = sum(map(len, parts)), header
            _sync_folder(self.folder)
        except BaseException:
            os.close(fd)
            raise
        finally:
            with suppress(OSError):
                making.unlink()
        self._fd = fd
        self._give_back(path_of(self.folder, header.number - 1), header.predecessor_bytes)

    def _refuse_other_writer(self) -> None:
        """Stop for good where the lock's file was replaced: another process may hold the new one."""
        try:
            is_ours = os.path.samestat(os.fstat(self._lock_file.fileno()), (self.folder / "lock").stat())
        except FileNotFoundError:
            is_ours = False
        if not is_ours:
            raise RefusedError(f"{self.folder}: expected the journal's own lock, found it replaced or removed.")

    def _give_back(self, path: Path, size: int) -> None:
        """Cut a sealed segment to the bytes that count; what was allocated behind them is given back."""
        with suppress(OSError):
            if path.stat().st_size > size:
                os.truncate(path, size)

    def _advance(self, seq: int) -> None:
        with self._moved:
            self._durable = seq
            self._watermark.move(seq)
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

    def _end(self, state: State, reason: str) -> int:
        """Take no more records, and say how many accepted ones are not durable."""
        with self._lock:
            if not self._is_closed:
                self.reason = self.reason or reason
                self.state, self._is_closed = state, True
            lost = self._seq - self._durable
        if not self._thread.is_alive():
            self._release()
        with self._moved:
            self._moved.notify_all()
        return lost

    def _release(self) -> None:
        """Give up the descriptor and the lock; only when nothing can be written any more."""
        self._shut_descriptor()
        self._lock_file.close()


_OPEN: Final[weakref.WeakSet[Journal]] = weakref.WeakSet()


def _close_all() -> None:
    for journal in tuple(_OPEN):
        with suppress(SignoffError):
            journal.close()


def _refuse_in_child() -> None:
    """A child of fork has no writer: its copy refuses, and gives up the parent's lock and descriptor."""
    for journal in tuple(_OPEN):
        journal._lock, journal._moved = threading.Lock(), threading.Condition()  # noqa: SLF001 - of this module
        journal._end(State.FORKED, "this process is a fork of the one that opened it")  # noqa: SLF001 - as above
        journal._release()  # noqa: SLF001 - as above
        _OPEN.discard(journal)


atexit.register(_close_all)
os.register_at_fork(after_in_child=_refuse_in_child)


def _bytes_of(features: bytes | bytearray | memoryview) -> memoryview:
    """The bytes of float64 values, whatever their buffer counts in; another type of number would be misread."""
    view = memoryview(features)
    if view.format.lstrip("<@=") not in {"B", "b", "c", "d"} or not view.c_contiguous:
        raise BadInputError(
            f"Expected features as float64 values in one piece, found the format {view.format!r}. Convert them first."
        )
    return view.cast("B")


def _odd_features(features: bytes | memoryview, marks: int) -> BadInputError:
    if marks & Mark.DIGEST_OF_FEATURES:
        return BadInputError(f"Expected a SHA-256 of {DIGEST_BYTES} bytes, found {len(features)} bytes.")
    if len(features) & 7:
        return BadInputError(f"Expected features as float64 values of 8 bytes each, found {len(features)} bytes.")
    return BadInputError(
        f"Expected features of at most {LONGEST - PREDICTION.size} bytes, found {len(features)}. Record their digest."
    )


def _name(name: str) -> str:
    """A name that every reader can take."""
    if len(name) > LONGEST_NAME or "\0" in name or not _is_unicode(name):
        raise BadInputError(
            f"Expected a name of at most {LONGEST_NAME} characters without NUL or lone surrogates, found "
            f"{ascii(name)[:60]}."
        )
    return name


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _as_json(says: Mapping[str, Any]) -> bytes:
    """An event's content as JSON that every reader takes: no NaN, no NUL, no lone surrogate, not deep."""
    if not isinstance(says, Mapping):
        raise BadInputError(f"Expected what an event says as a mapping, found {type(says).__name__}.")
    try:
        text = json.dumps(dict(says), separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()
        is_deep = _depth(says) > DEEPEST
    except (ValueError, TypeError, RecursionError) as error:
        raise BadInputError(f"Expected what an event says as JSON, found what is none: {error}.") from error
    if b"\\u0000" in text or is_deep:
        raise BadInputError(f"Expected what an event says without NUL and at most {DEEPEST} deep, found otherwise.")
    if len(text) > LONGEST - HEAD.size:
        raise BadInputError(f"Expected an event of at most {LONGEST - HEAD.size} bytes, found {len(text)}.")
    return text if says else b""


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else ()
    return 1 + max(map(_depth, inner), default=0)


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
        fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_APPEND, 0o600)
        lock: BinaryIO = os.fdopen(fd, "a+b")
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
