"""The journal of a trading process: nothing acknowledged is lost, and nothing changed is taken for whole."""

import array
import os
import signal
import struct
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress

import numpy as np
import pytest

from signoff.desk.journal import (
    Journal,
    JournalDamagedError,
    JournalFullError,
    Kind,
    State,
    WhenFull,
    check,
    read,
)
from signoff.desk.journal.records import LONGEST, Mark
from signoff.desk.journal.segments import SEGMENT_BYTES, read_segment, segment_paths
from signoff.domain.errors import BadInputError, NotFoundError, RefusedError, UnavailableError

SMALL = {"segment_bytes": 1 << 20, "buffer_bytes": 1 << 18}
ROW = struct.pack("<3d", 0.1, -2.0, 3.5)


def opened(folder, **options):
    return Journal.open(folder, **{**SMALL, **options})


def predicted(journal, value=0.5, **more):
    return journal.predict("momentum-2", "2.0.0", "AAPL", value, features=ROW, **more)


def frames_of(folder, count=3):
    """A journal of one segment with this many frames of one prediction each, as a killed process leaves it."""
    journal = opened(folder)
    for value in range(count):
        assert journal.wait_durable(predicted(journal, float(value)), 5)
    killed(journal)
    return segment_paths(folder)[-1]


def killed(journal):
    """End a journal as kill -9 would: nothing more is written, and its lock goes."""
    journal._closing = True
    journal._woken.set()
    journal._thread.join()
    journal._lock_file.close()
    journal._is_closed = True


def acknowledged_up_to(folder, seq):
    """Set the watermark back, as where the process ended before it could move it."""
    (folder / "watermark").write_bytes(struct.pack("<8sQ", b"SGNWMRK\n", seq).ljust(4096, b"\0"))


def values(folder):
    return [record.value for record in read(folder)]


def test_what_was_recorded_is_read_back(tmp_path):
    with opened(tmp_path) as journal:
        first = predicted(journal, confidence=0.9, latency_ns=1200, marks=Mark.SHADOW)
        second = journal.event(Kind.ORDER, "momentum-2", {"symbol": "AAPL", "quantity": 100})
        assert journal.wait_durable(second, 5)
        assert journal.is_durable(first)

    prediction, order = read(tmp_path)
    assert (prediction.seq, prediction.version, prediction.symbol, prediction.value) == (1, "2.0.0", "AAPL", 0.5)
    assert (prediction.confidence, prediction.latency_ns, prediction.features) == (0.9, 1200, ROW)
    assert (prediction.is_shadow, prediction.is_fallback) == (True, False)
    assert (order.kind, order.deployment, order.says) == (Kind.ORDER, "momentum-2", {"symbol": "AAPL", "quantity": 100})
    assert check(tmp_path).by_kind == {"order": 1, "prediction": 1}


def test_a_prediction_without_confidence_has_none(tmp_path):
    with opened(tmp_path) as journal:
        predicted(journal)
    assert next(read(tmp_path)).confidence is None


def test_the_next_process_goes_on_where_the_last_one_ended(tmp_path):
    for _ in range(3):
        with opened(tmp_path) as journal:
            predicted(journal)
    assert [record.seq for record in read(tmp_path)] == [1, 2, 3]
    assert (check(tmp_path).gaps, check(tmp_path).segments) == ((), 3)


def test_full_segments_are_followed_by_others(tmp_path):
    with opened(tmp_path) as journal:
        for _ in range(20):
            last = [journal.predict("m-1", "1", "A", 0.0, features=bytes(8000)) for _ in range(20)][-1]
            assert journal.wait_durable(last, 5)
    found = check(tmp_path)
    assert (found.records, found.gaps) == (400, ())
    assert found.segments >= 4
    assert [record.seq for record in read(tmp_path, after=390)] == list(range(391, 401))


def test_every_cut_and_every_fill_of_the_last_frame_leaves_the_frames_before_it(tmp_path):
    path = frames_of(tmp_path / "whole")
    content, last = path.read_bytes(), read_segment(path).frames[-1]
    end = last.offset + last.size
    for at in range(last.offset, end):
        for tail in (b"", bytes(end - at), b"\xff" * (end - at)):
            path.write_bytes(content[:at] + tail)
            is_whole = (content[:at] + tail).ljust(end, b"\0")[:end] == content[:end]
            assert len(read_segment(path).frames) == (3 if is_whole else 2)


def test_a_torn_last_frame_that_nobody_acknowledged_is_void(tmp_path):
    path = frames_of(tmp_path)
    last = read_segment(path).frames[-1]
    content = path.read_bytes()
    path.write_bytes(content[: last.offset + last.size // 2])
    acknowledged_up_to(tmp_path, 2)

    with opened(tmp_path) as journal:
        predicted(journal, 9.0)
    assert values(tmp_path) == [0.0, 1.0, 9.0]
    assert check(tmp_path).gaps == ()


def test_a_journal_with_less_than_was_acknowledged_is_not_opened(tmp_path):
    path = frames_of(tmp_path)
    last = read_segment(path).frames[-1]
    path.write_bytes(path.read_bytes()[: last.offset])

    with pytest.raises(JournalDamagedError, match="up to number 3, which were acknowledged, found them up to number 2"):
        opened(tmp_path)
    assert check(tmp_path).gaps == ((3, 3),)


def test_a_flipped_bit_before_the_last_frame_is_damage(tmp_path):
    path = frames_of(tmp_path)
    content, frame = path.read_bytes(), read_segment(path).frames[-2]
    for at in range(frame.offset, frame.offset + frame.size):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x10]) + content[at + 1 :])
        with pytest.raises(JournalDamagedError, match="whole frame follows"):
            read_segment(path)


def test_a_flipped_bit_in_a_segment_that_another_follows_is_damage(tmp_path):
    path = frames_of(tmp_path)
    opened(tmp_path).close()
    content, frame = path.read_bytes(), read_segment(path).frames[-2]
    path.write_bytes(content[: frame.offset + 50] + b"\x99" + content[frame.offset + 51 :])
    with pytest.raises(JournalDamagedError):
        check(tmp_path)


@pytest.mark.parametrize("at", [0, 9, 14, 30, 45, 63])
def test_a_changed_header_is_damage(tmp_path, at):
    path = frames_of(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    with pytest.raises(JournalDamagedError, match=path.name):
        opened(tmp_path)


def test_a_segment_that_is_gone_is_named(tmp_path):
    for _ in range(3):
        with opened(tmp_path) as journal:
            predicted(journal)
    segment_paths(tmp_path)[1].unlink()
    with pytest.raises(JournalDamagedError, match="expected segment 2 of the same journal, found segment 3"):
        check(tmp_path)


def test_all_segments_gone_is_not_an_empty_journal(tmp_path):
    frames_of(tmp_path).unlink()
    with pytest.raises(JournalDamagedError, match="found them up to number 0"):
        opened(tmp_path)


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path):
    with opened(tmp_path), pytest.raises(RefusedError, match=f"found process {os.getpid()} writing it"):
        opened(tmp_path)
    opened(tmp_path).close()


def test_a_fork_of_the_writer_refuses_and_keeps_no_lock(tmp_path):
    journal = opened(tmp_path)
    predicted(journal)
    child = os.fork()
    if child == 0:
        try:
            predicted(journal)
        except UnavailableError as error:
            os._exit(0 if "fork" in str(error) else 3)
        os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    predicted(journal)
    journal.close()
    assert check(tmp_path).records == 2
    opened(tmp_path).close()


def test_a_closed_journal_refuses(tmp_path):
    journal = opened(tmp_path)
    journal.close()
    journal.close()
    assert journal.state is State.CLOSED
    with pytest.raises(UnavailableError, match="found it closed"):
        predicted(journal)


def test_a_number_that_was_never_given_is_not_durable(tmp_path):
    with opened(tmp_path) as journal:
        assert not journal.wait_durable(7, 0.01)
        assert not journal.wait_durable(0, 0.01)
        assert not journal.is_durable(1)


@pytest.mark.parametrize("length", [LONGEST + 1, 72_000])
def test_features_that_fit_no_record_are_refused(tmp_path, length):
    with opened(tmp_path) as journal:
        with pytest.raises(BadInputError, match="Record their digest"):
            journal.predict("m-1", "1", "A", 0.0, features=bytes(length))
        assert predicted(journal) == 1


@pytest.mark.parametrize(("buffer_bytes", "segment_bytes"), [(1000, 1 << 20), (1 << 20, 1 << 20)])
def test_sizes_that_cannot_work_are_refused(tmp_path, buffer_bytes, segment_bytes):
    with pytest.raises(BadInputError, match="buffer_bytes"):
        Journal.open(tmp_path, buffer_bytes=buffer_bytes, segment_bytes=segment_bytes)


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(UnavailableError, match="expected a folder that the journal can write"):
        opened(tmp_path / "file")


def test_a_folder_without_a_journal_is_named(tmp_path):
    with pytest.raises(NotFoundError, match="found no segment"):
        check(tmp_path)


def test_a_clock_that_goes_back_is_marked_and_counted(tmp_path, monkeypatch):
    with opened(tmp_path) as journal:
        predicted(journal)
        now = time.time_ns()
        monkeypatch.setattr(time, "time_ns", lambda: now - 5_000_000_000)
        predicted(journal)
        predicted(journal)
        assert journal.clock_back == 1
    assert [record.clock_went_back for record in read(tmp_path)] == [False, True, False]
    assert check(tmp_path).clock_went_back == 1


@pytest.fixture
def stalling(monkeypatch):
    """A switch: while it is on, every write of the journal fails."""
    failing = {"on": False}
    real = os.pwritev

    def pwritev(*arguments):
        if failing["on"]:
            raise OSError(28, "No space left on device")
        return real(*arguments)

    monkeypatch.setattr(os, "pwritev", pwritev)
    return failing


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_disk_that_fails_for_a_while_loses_nothing(tmp_path, stalling):
    with opened(tmp_path) as journal:
        assert journal.wait_durable(predicted(journal, 1.0), 5)
        stalling["on"] = True
        seq = predicted(journal, 2.0)
        until(lambda: journal.state is State.STALLED)
        assert not journal.wait_durable(seq, 0.05)
        assert "ENOSPC" in journal.reason
        stalling["on"] = False
        assert journal.wait_durable(seq, 20)
        assert journal.state is State.OPEN
        predicted(journal, 3.0)
    assert values(tmp_path) == [1.0, 2.0, 3.0]
    assert check(tmp_path).gaps == ()


def test_a_full_buffer_refuses_where_risk_is_to_pause(tmp_path, stalling):
    with opened(tmp_path) as journal:
        stalling["on"] = True
        journal.predict("m-1", "1", "A", 0.0, features=bytes(60_000))
        until(lambda: journal.state is State.STALLED)
        for _ in range(4):
            journal.predict("m-1", "1", "A", 0.0, features=bytes(60_000))
        with pytest.raises(JournalFullError, match=r"the disk takes nothing.*Take no new risk"):
            journal.predict("m-1", "1", "A", 0.0, features=bytes(60_000))
        last = journal._seq
        stalling["on"] = False
    assert check(tmp_path).records == last
    assert check(tmp_path).gaps == ()


def test_a_full_buffer_drops_and_says_how_many_where_trading_goes_on(tmp_path, stalling):
    with opened(tmp_path, when_full=WhenFull.DROP) as journal:
        stalling["on"] = True
        taken = [journal.predict("m-1", "1", "A", 0.0, features=bytes(60_000)) for _ in range(40)]
        assert journal.dropped == taken.count(0) > 0
        stalling["on"] = False
        until(lambda: journal.state is State.OPEN and journal.is_durable(max(taken)))
        until(lambda: journal._dropped_unsaid == 0)
    found = check(tmp_path)
    assert (found.dropped, found.gaps) == (taken.count(0), ())
    assert found.by_kind["prediction"] == len(taken) - taken.count(0)


def test_closing_says_how_many_records_are_lost(tmp_path, stalling):
    journal = opened(tmp_path)
    stalling["on"] = True
    predicted(journal)
    predicted(journal)
    with pytest.raises(UnavailableError, match="found 2 that are not"):
        journal.close(timeout_s=2)


def test_a_limit_on_file_sizes_stalls_and_heals(tmp_path):
    code = f"""
    import resource, signal, time
    from pathlib import Path
    from signoff.desk.journal import Journal, State, check
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    journal = Journal.open(Path({str(tmp_path)!r}), segment_bytes=1 << 20, buffer_bytes=1 << 18)
    journal.wait_durable(journal.predict("m-1", "1", "A", 1.0), 5)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    seq = journal.predict("m-1", "1", "A", 2.0)
    assert not journal.wait_durable(seq, 0.3)
    assert journal.state is State.STALLED, journal.state
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert journal.wait_durable(seq, 20)
    journal.close()
    print(check(Path({str(tmp_path)!r})).records)
    """
    assert ran(code).stdout.strip() == "2"


def ran(code, **options):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_an_exit_without_close_keeps_everything(tmp_path):
    ran(f"""
    from pathlib import Path
    from signoff.desk.journal import Journal
    journal = Journal.open(Path({str(tmp_path)!r}))
    for _ in range(1000):
        journal.predict("m-1", "1", "A", 1.0)
    """)
    assert check(tmp_path).records == 1000


WRITER = """
import sys
from pathlib import Path
from signoff.desk.journal import Journal
journal = Journal.open(Path(sys.argv[1]), segment_bytes=1 << 20, buffer_bytes=1 << 18)
out = sys.stdout.buffer
while True:
    for _ in range(50):
        seq = journal.predict("m-1", "1", "A", float(journal.durable), features=bytes(80))
    if journal.wait_durable(seq, 10):
        out.write(b"%d\\n" % seq)
        out.flush()
"""


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(tmp_path):
    acknowledged = 0
    for turn in range(8):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path], stdout=subprocess.PIPE)
        for _ in range(2 + 5 * turn):
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        rest = writer.communicate()[0].split(b"\n")[:-1]
        acknowledged = int(rest[-1]) if rest else acknowledged
        found = check(tmp_path)
        assert found.gaps == ()
        assert found.last_seq >= acknowledged
    assert acknowledged > 8 * 50


def test_a_last_frame_that_was_not_acknowledged_is_written_again(tmp_path):
    path = frames_of(tmp_path)
    last = read_segment(path).frames[-1].offset
    acknowledged_up_to(tmp_path, 2)

    opened(tmp_path).close()

    before, after = segment_paths(tmp_path)
    assert read_segment(after).header.predecessor_bytes == before.stat().st_size == last
    assert [frame.count for frame in read_segment(after).frames] == [0, 1]
    assert values(tmp_path) == [0.0, 1.0, 2.0]


def test_a_journal_that_is_written_meanwhile_has_no_gaps(tmp_path):
    """The watermark moves while `check` reads."""
    import threading

    with opened(tmp_path) as journal:
        is_over = threading.Event()

        def writing():
            while not is_over.is_set():
                predicted(journal)
                time.sleep(0.0002)

        writer = threading.Thread(target=writing)
        writer.start()
        try:
            found = [check(tmp_path) for _ in range(40)]
        finally:
            is_over.set()
            writer.join()
    assert [one.gaps for one in found if one.gaps] == []
    assert found[-1].records > found[0].records


def test_features_of_any_buffer_are_kept_whole(tmp_path):
    row = array.array("d", [0.1, -2.0, 3.5])
    with opened(tmp_path) as journal:
        for features in (row.tobytes(), bytearray(row.tobytes()), memoryview(row), np.array(row).data):
            journal.predict("m-1", "1", "A", 0.0, features=features)
    assert [record.features for record in read(tmp_path)] == [row.tobytes()] * 4


@pytest.mark.parametrize(
    "features",
    [b"abc", array.array("f", [1.0, 2.0]), np.arange(4, dtype=np.int64).data, np.arange(6.0)[::2].data],
    ids=["three bytes", "float32", "whole numbers", "every other"],
)
def test_features_that_are_no_float64_values_are_refused(tmp_path, features):
    with opened(tmp_path) as journal:
        with pytest.raises(BadInputError, match="Expected features"):
            journal.predict("m-1", "1", "A", 0.0, features=memoryview(features))
        assert predicted(journal) == 1


def test_a_digest_of_another_length_is_refused(tmp_path):
    with opened(tmp_path) as journal, pytest.raises(BadInputError, match="a SHA-256 of 32 bytes"):
        journal.predict("m-1", "1", "A", 0.0, features=bytes(40), marks=Mark.DIGEST_OF_FEATURES)


def nested(depth):
    inner = {}
    for _ in range(depth):
        inner = {"a": inner}
    return inner


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (99, {}),
        (Kind.PREDICTION, {}),
        (Kind.NAME, {}),
        (Kind.DROPPED, {"records": 1}),
        (Kind.ORDER, [1, 2]),
        (Kind.ORDER, {"price": float("nan")}),
        (Kind.ORDER, {"raw": b"x"}),
        (Kind.ORDER, {"text": "\0"}),
        (Kind.ORDER, {"text": "\ud800"}),
        (Kind.ORDER, nested(60)),
        (Kind.ORDER, nested(990)),
        (Kind.ORDER, {"text": "x" * 70_000}),
    ],
    ids=[
        *("unknown", "prediction", "name", "dropped", "list", "NaN", "bytes", "NUL", "surrogate"),
        *("deep", "deeper", "long"),
    ],
)
def test_an_event_that_no_reader_could_take_is_refused(tmp_path, kind, says):
    with opened(tmp_path) as journal:
        with pytest.raises(BadInputError, match="Expected"):
            journal.event(kind, "m-1", says)
        journal.event(Kind.ORDER, "m-1", {"text": "ünï"})
    assert [record.says for record in read(tmp_path)] == [{"text": "ünï"}]


@pytest.mark.parametrize("name", ["x" * 1001, "a\0b", "\ud800"], ids=["long", "NUL", "surrogate"])
def test_a_name_that_no_reader_could_take_is_refused(tmp_path, name):
    with opened(tmp_path) as journal:
        with pytest.raises(BadInputError, match="Expected a name"):
            journal.predict("m-1", "1", name, 0.0)
        assert predicted(journal) == 1


def test_names_that_differ_every_time_are_refused_before_they_fill_segments(tmp_path):
    with opened(tmp_path) as journal:
        for number in range(120):
            journal.predict("m-1", "1", f"{number:0900d}", 0.0)
        with pytest.raises(BadInputError, match="nothing that differs every time"):
            [journal.predict("m-1", "1", f"{number:0900d}", 0.0) for number in range(120, 160)]
        assert journal.wait_durable(predicted(journal), 5)


def test_a_close_that_times_out_keeps_the_folder_to_itself(tmp_path, monkeypatch):
    hanging, real = threading.Event(), os.pwritev
    journal = opened(tmp_path)
    assert journal.wait_durable(predicted(journal, 1.0), 5)

    def pwritev(*arguments):
        if not hanging.wait(20):
            raise AssertionError
        return real(*arguments)

    monkeypatch.setattr(os, "pwritev", pwritev)
    predicted(journal, 2.0)
    with pytest.raises(UnavailableError, match="found 1 that are not"):
        journal.close(timeout_s=0.2)
    with pytest.raises(RefusedError):
        opened(tmp_path)
    hanging.set()
    journal._thread.join()

    with opened(tmp_path) as again:
        predicted(again, 3.0)
    assert values(tmp_path) == [1.0, 2.0, 3.0]


def test_a_writer_whose_lock_was_replaced_stops_and_touches_nothing_of_the_other(tmp_path):
    first = opened(tmp_path)
    assert first.wait_durable(predicted(first, 1.0), 5)
    (tmp_path / "lock").unlink()
    second = opened(tmp_path)
    for _ in range(30):
        if first.state is not State.OPEN:
            break
        with suppress(JournalFullError, UnavailableError):
            for _ in range(20):
                first.predict("m-1", "1", "A", 0.0, features=bytes(8000))
        time.sleep(0.05)
    assert first.state is State.DEAD
    assert second.wait_durable(predicted(second, 5.0), 5)
    second.close()
    with pytest.raises(UnavailableError, match="found it dead"):
        predicted(first)


def test_a_name_of_a_segment_that_was_changed_is_said(tmp_path):
    for _ in range(2):
        with opened(tmp_path) as journal:
            predicted(journal)
    first = segment_paths(tmp_path)[0]
    first.rename(first.with_name("00000099.segment"))
    for look in (check, lambda folder: list(read(folder)), opened):
        with pytest.raises(JournalDamagedError, match="expected the name of segment 1"):
            look(tmp_path)


@pytest.mark.parametrize("content", [None, b"", bytes(4096), b"another!" + bytes(4088)])
def test_segments_without_their_watermark_are_not_taken_for_whole(tmp_path, content):
    with opened(tmp_path) as journal:
        predicted(journal)
    place = tmp_path / "watermark"
    place.unlink()
    if content is not None:
        place.write_bytes(content)
    for look in (check, lambda folder: list(read(folder)), opened):
        with pytest.raises(JournalDamagedError, match="expected the watermark"):
            look(tmp_path)


def test_a_reader_is_told_where_acknowledged_records_are_missing(tmp_path):
    path = frames_of(tmp_path)
    path.write_bytes(path.read_bytes()[: read_segment(path).frames[-1].offset])
    with pytest.raises(JournalDamagedError, match="found none of numbers 3 to 3"):
        list(read(tmp_path))


def test_sealed_segments_give_back_what_was_allocated_for_them(tmp_path):
    for _ in range(5):
        opened(tmp_path).close()
    sizes = [path.stat().st_size for path in segment_paths(tmp_path)]
    assert sizes == [SEGMENT_BYTES] * 4 + [SMALL["segment_bytes"]]


def test_many_threads_record_each_number_once(tmp_path):
    with opened(tmp_path, segment_bytes=1 << 22, buffer_bytes=1 << 20) as journal:
        numbers = [[] for _ in range(6)]

        def write(own):
            for _ in range(300):
                own.append(predicted(journal))
                if len(own) % 50 == 0:
                    assert journal.wait_durable(own[-1], 20)

        threads = [threading.Thread(target=write, args=(own,)) for own in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(seq for own in numbers for seq in own) == list(range(1, 1801))
    assert (check(tmp_path).records, check(tmp_path).gaps) == (1800, ())
