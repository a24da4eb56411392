"""When notices are sent: back-off, holds on receivers, round robin over releases, dead letters."""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from small_ledger import LEDGER_KEY, opened, sqlite_url

from signoff.adapters.store_memory import MemoryStore
from signoff.adapters.store_sql import SqlStore
from signoff.adapters.ttl_store_memory import MemoryTtlStore
from signoff.adapters.ttl_store_sql import SqlTtlStore
from signoff.app.notices import (
    IN_A_ROW,
    MOST,
    OUTAGE,
    PASS_S,
    Notice,
    Terms,
    backlog,
    deliver,
    effect,
    reminder,
    retry,
    untold,
)
from signoff.app.pacing import KIND, Pacing
from signoff.app.record import Record, StreamChange, deployment_stream
from signoff.domain.errors import NotFoundError, NotTakenError
from signoff.domain.retries import BackOff
from signoff.ports.notices import Severity
from signoff.ports.store import Backlog, Effect

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BOTH = {Severity.PAGE: "chat", Severity.NOTICE: "chat"}
APART = {Severity.PAGE: "pager", Severity.NOTICE: "chat"}


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self):
        self.at = START

    def now(self):
        return self.at

    def monotonic(self):
        return self.at.timestamp()

    def pass_(self, **time):
        self.at += timedelta(**time)


class Receiver:
    """Takes a message, or answers with what `answer` makes of it; keeps when it was asked for what."""

    def __init__(self, clock, answer=lambda _identity, _notice: None):
        self.clock, self.answer = clock, answer
        self.asked, self.taken = [], []

    def send(self, identity, channel, subject, text, severity):
        self.asked.append((self.clock.now(), text, severity))
        if (wrong := self.answer(text, severity)) is not None:
            raise wrong
        self.taken.append(text)


def busy(seconds=None):
    asked = None if seconds is None else timedelta(seconds=seconds)
    return NotTakenError("answered 429", is_of_receiver=True, retry_after=asked)


def refusal():
    return NotTakenError("answered 400", is_of_receiver=False)


class Desk:
    """Releases with notices that are due, and passes of a worker over them."""

    def __init__(self, *, receivers=BOTH, attempts=20, store=None, shelf=None):
        self.clock = Clock()
        self.record = Record(store or MemoryStore(), self.clock)
        self.shelf = shelf or MemoryTtlStore()
        self.receivers, self.attempts = receivers, attempts
        self.receiver = Receiver(self.clock)

    def terms(self):
        pacing = Pacing(receivers=self.receivers, shelf=self.shelf, clock=self.clock, jitter=lambda: 1.0)
        return Terms(attempts=self.attempts, jitter=lambda: 1.0, pacing=pacing)

    def release(self, name, *texts, severity=Severity.NOTICE):
        due = (
            Notice(deployment=name, notice=text, channel="#i", subject="s", text=text, severity=severity)
            for text in texts
        )
        event = replace(opened(), deployment=name)
        self.record.commit(
            StreamChange(stream=deployment_stream(name), state=None, events=(event,)),
            actor="t",
            key=name,
            effects=tuple(map(effect, due)),
        )

    def work(self, **how):
        return deliver(self.record, self.receiver, terms=self.terms(), **how)

    def work_for(self, **time):
        """Pass after pass, one a second."""
        until = self.clock.now() + timedelta(**time)
        while self.clock.now() < until:
            self.work()
            self.clock.pass_(seconds=1)

    def times(self):
        return [int((at - START).total_seconds()) for at, _, _ in self.receiver.asked]


@pytest.fixture
def desk():
    return Desk()


def test_a_wait_doubles_up_to_its_ceiling_and_jitter_takes_at_most_a_half_away():
    back_off = BackOff(first=timedelta(seconds=2), ceiling=timedelta(seconds=60))
    whole = [back_off.after(n, 1.0).total_seconds() for n in range(1, 8)]
    assert whole == [2, 4, 8, 16, 32, 60, 60]
    assert [back_off.after(n, 0.0).total_seconds() for n in (1, 3, 9999)] == [1, 4, 30]


def test_a_notice_that_is_refused_is_tried_again_after_waits_that_grow(desk):
    desk.receiver.answer = lambda *_: refusal()
    desk.release("m-1", "bad")
    desk.work_for(minutes=2)
    assert desk.times() == [0, 2, 6, 14, 30, 62]


def test_a_receiver_that_asks_for_thirty_seconds_is_asked_once_in_that_time_whatever_is_due(desk):
    desk.receiver.answer = lambda *_: busy(30)
    for n in range(5):
        desk.release(f"m-{n}", *map(str, range(10)))
    desk.work_for(seconds=30)
    assert desk.times() == [0]


def test_another_worker_and_one_that_is_started_anew_keep_to_what_the_first_was_told(tmp_path):
    def opened_anew():
        return SqlStore(sqlite_url(tmp_path), sign=LEDGER_KEY.sign_checkpoint, blobs=tmp_path / "blobs")

    store = opened_anew()
    first = Desk(store=store, shelf=SqlTtlStore(store.database))
    first.receiver.answer = lambda *_: busy(30)
    first.release("m-1", *map(str, range(9)))
    first.work()
    again = opened_anew()
    second = Desk(store=again, shelf=SqlTtlStore(again.database))
    second.work_for(seconds=30)
    assert second.receiver.asked == []
    second.work_for(seconds=10)
    assert len(second.receiver.taken) == 9


def test_without_retry_after_back_off_grows_until_the_receiver_accepts_a_message(desk):
    desk.receiver.answer = lambda *_: busy()
    desk.release("m-1", *map(str, range(9)))
    desk.work_for(minutes=2)
    assert desk.times() == [0, 1, 3, 7, 15, 31, 63]
    desk.receiver.answer = lambda *_: None
    desk.work_for(minutes=2)
    assert len(desk.receiver.taken) == 9
    desk.receiver.answer = lambda *_: busy()
    desk.release("m-2", "later")
    before = len(desk.receiver.asked)
    desk.work_for(seconds=4)
    assert len(desk.receiver.asked) - before == 2  # from the beginning again


def test_back_off_grows_for_a_receiver_that_asks_for_short_waits_and_never_accepts(desk):
    desk.receiver.answer = lambda *_: busy(1)
    desk.release("m-1", *map(str, range(9)))
    desk.work_for(minutes=2)
    assert len(desk.receiver.asked) <= 8


def test_a_wait_that_a_receiver_asked_for_while_another_worker_was_served_stands(desk):
    pacing = desk.terms().pacing
    pacing.refused(Severity.NOTICE, busy(30))
    pacing.taken(Severity.NOTICE)
    assert pacing.hold(Severity.NOTICE) is not None
    pacing.refused(Severity.NOTICE, busy())
    assert pacing.hold(Severity.NOTICE).until[Severity.NOTICE] == START + timedelta(seconds=33)


def test_a_hold_written_by_a_clock_a_day_ahead_is_ignored(desk):
    desk.clock.pass_(days=1)
    desk.terms().pacing.refused(Severity.NOTICE, busy(300))
    desk.clock.pass_(days=-1)
    assert desk.terms().pacing.hold(Severity.NOTICE) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"failures": "x"}', b'{"said_at": 1e400}', b"\xff"])
def test_an_unreadable_hold_is_ignored(desk, content):
    desk.shelf.put(KIND, "chat", content, START + timedelta(days=1))
    assert desk.terms().pacing.hold(Severity.NOTICE) is None


def test_three_refused_notices_of_a_release_keep_nothing_from_another_on_the_same_channel(desk):
    desk.receiver.answer = lambda text, _: refusal() if text.startswith("bad") else None
    desk.release("m-1", "bad 1", "bad 2", "bad 3", "good 1")
    desk.release("m-2", "good 2")
    desk.release("m-3", "bad 4", "good 3")
    sent, problems = desk.work()
    assert (sent, len(problems)) == (3, 4)
    assert sorted(desk.receiver.taken) == ["good 1", "good 2", "good 3"]


def test_a_release_with_a_thousand_notices_lets_every_other_have_its_turn(desk):
    desk.release("m-1", *(f"many {n}" for n in range(1000)))
    desk.release("m-2", "one")
    desk.release("m-3", "two", "three")
    desk.work()
    assert desk.receiver.taken[:3] == ["many 0", "one", "two"]
    assert set(desk.receiver.taken[3:5]) == {"many 1", "three"}


def test_many_refused_notices_of_many_releases_starve_none_that_would_be_taken(desk):
    desk.receiver.answer = lambda text, _: refusal() if text.startswith("bad") else None
    for n in range(20):
        desk.release(f"m-{n}", *(f"bad {k}" for k in range(50)))
    desk.release("m-99", "good")
    desk.work_for(seconds=5)
    assert desk.receiver.taken == ["good"]
    assert max(Counter(desk.times()).values()) <= 2 * IN_A_ROW


def test_more_refused_notices_than_a_pass_takes_up_hide_no_later_one(desk):
    desk.receiver.answer = lambda text, _: refusal() if text.startswith("bad") else None
    desk.release("m-1", *(f"bad {n}" for n in range(2 * MOST)), "good")
    desk.work_for(minutes=3)
    assert desk.receiver.taken == ["good"]


def test_a_page_goes_first_and_by_its_own_receiver_whatever_the_messenger_says():
    desk = Desk(receivers=APART)
    desk.receiver.answer = lambda _, severity: busy(3600) if severity is Severity.NOTICE else None
    desk.release("m-1", "notice")
    desk.work()
    desk.release("m-2", "page", severity=Severity.PAGE)
    assert desk.work() == (1, ())
    assert desk.receiver.taken == ["page"]


def test_pages_are_sent_apart_from_notices(desk):
    desk.release("m-1", "notice")
    desk.release("m-2", "page", severity=Severity.PAGE)
    assert desk.work(severities=(Severity.PAGE,)) == (1, ())
    assert desk.receiver.taken == ["page"]


def test_a_page_waits_a_minute_at_most_for_a_receiver_that_is_away_and_a_quarter_of_an_hour_for_one_that_asks(desk):
    desk.receiver.answer = lambda *_: busy(86400)
    desk.release("m-1", "notice")
    desk.work()
    desk.release("m-2", "page", severity=Severity.PAGE)
    desk.work_for(minutes=17)
    assert [text for _, text, _ in desk.receiver.asked] == ["notice", "page"]
    assert timedelta(minutes=14) < desk.receiver.asked[1][0] - START < timedelta(minutes=17)

    away = Desk()
    away.receiver.answer = lambda *_: busy()
    away.release("m-1", "page", severity=Severity.PAGE)
    away.work_for(hours=1)
    gaps = [later - earlier for earlier, later in zip(away.times(), away.times()[1:], strict=False)]
    assert max(gaps) <= 62


def test_a_notice_becomes_a_dead_letter_after_its_last_refusal_and_is_reported(desk):
    desk.attempts = 4
    desk.receiver.answer = lambda *_: refusal()
    desk.release("m-1", "bad")
    problems = []
    for _ in range(600):
        problems += desk.work()[1]
        desk.clock.pass_(seconds=1)
    (one,) = untold(desk.record)
    assert len(desk.receiver.asked) == one.tried.attempts == 4
    assert one.standing(4, desk.clock.now()) == "dead"
    assert "answered 400" in one.tried.problem
    assert problems[-1].endswith(f"`signoff notices --retry {one.identity}`")
    assert backlog(desk.record, 4) == Backlog(dead=1)


@pytest.mark.parametrize("is_named", [True, False])
def test_a_dead_letter_is_sent_once_somebody_retries_it(desk, is_named):
    desk.attempts = 1
    desk.receiver.answer = lambda *_: refusal()
    desk.release("m-1", "bad")
    desk.work()
    (one,) = untold(desk.record)
    assert retry(desk.record, [one.identity] if is_named else []) == 1
    desk.receiver.answer = lambda *_: None
    assert desk.work()[0] == 1
    assert untold(desk.record) == ()


def test_retrying_an_unknown_notice_is_refused_and_changes_nothing(desk):
    desk.attempts = 1
    desk.receiver.answer = lambda *_: refusal()
    desk.release("m-1", "bad")
    desk.work()
    (one,) = untold(desk.record)
    with pytest.raises(NotFoundError, match="'nothing'"):
        retry(desk.record, [one.identity, "nothing"])
    assert untold(desk.record) == (one,)


def test_a_page_is_never_given_up_and_shows_as_failing(desk):
    desk.attempts = 3
    desk.receiver.answer = lambda *_: refusal()
    desk.release("m-1", "stuck", severity=Severity.PAGE)
    desk.work_for(hours=1)
    assert len(desk.receiver.asked) > 50
    assert backlog(desk.record, 3) == Backlog(waiting=1, failing=1)
    assert untold(desk.record)[0].standing(3, desk.clock.now()) == "failing"


def test_a_receiver_that_is_away_over_a_weekend_makes_no_dead_letter_and_everything_is_sent_afterwards(desk):
    desk.attempts = 3
    desk.receiver.answer = lambda *_: busy()
    desk.release("m-1", "one", "two")
    for _ in range(60 * 6):
        desk.work()
        desk.clock.pass_(minutes=10)
    assert desk.clock.now() - START < OUTAGE
    assert backlog(desk.record, 3) == Backlog(waiting=2, failing=2)
    desk.receiver.answer = lambda *_: None
    desk.work_for(minutes=16)
    assert sorted(desk.receiver.taken) == ["one", "two"]


def test_a_receiver_that_is_away_for_good_leaves_dead_letters_after_days(desk):
    desk.attempts = 3
    desk.receiver.answer = lambda *_: busy()
    desk.release("m-1", "one")
    for _ in range(24 * 4):
        desk.work()
        desk.clock.pass_(hours=1)
    assert backlog(desk.record, 3) == Backlog(dead=1)


def test_a_slow_receiver_holds_a_pass_up_for_a_while_and_loses_nothing(desk):
    def slow(*_):
        desk.clock.pass_(seconds=4)

    desk.receiver.answer = slow
    desk.release("m-1", *map(str, range(20)))
    sent, _ = desk.work()
    assert sent == PASS_S // 4 + 1
    desk.work()
    assert len(desk.receiver.taken) == 2 * sent  # what was not tried was given back at once


def test_a_notice_whose_release_is_gone_and_one_that_cannot_be_read_keep_nothing_from_going_out(desk):
    ghost = effect(Notice(deployment="gone", notice="n", channel="#i", subject="s", text="ghost"))
    broken = Effect(identity="m-0:broken", kind="notice", payload=json.dumps({"no": "notice"}).encode())
    desk.record.commit(actor="t", key="k", effects=(ghost, broken))
    desk.release("m-1", "good")
    sent, problems = desk.work()
    assert (sent, len(problems)) == (1, 2)
    assert "good" in desk.receiver.taken
    assert desk.work() == (0, ())
    assert [one.notice.notice for one in untold(desk.record)] == ["n", "cannot be read"]


def test_the_worker_reminds_of_dead_letters_now_and_then_and_at_once_when_there_are_more(desk):
    desk.attempts = 1
    desk.receiver.answer = lambda *_: refusal()
    assert reminder(desk.record, desk.shelf, 1) == ()
    desk.release("m-1", "bad")
    desk.work()
    (said,) = reminder(desk.record, desk.shelf, 1)
    assert "1 are dead letters" in said
    assert reminder(desk.record, desk.shelf, 1) == ()
    desk.release("m-2", "bad")
    desk.work()
    assert "2 are dead letters" in reminder(desk.record, desk.shelf, 1)[0]
    desk.clock.pass_(minutes=11)
    assert len(reminder(desk.record, desk.shelf, 1)) == 1


def test_asking_every_receiver_anew_spares_the_one_that_asked_for_time():
    desk = Desk(receivers=APART)
    pacing = desk.terms().pacing
    pacing.refused(Severity.PAGE, busy())
    pacing.refused(Severity.NOTICE, busy(600))
    pacing.forget()
    assert [hold.receiver for hold in pacing.holds()] == ["chat"]


@pytest.mark.parametrize("later", [timedelta(microseconds=1), timedelta(minutes=3), timedelta(days=400)])
def test_a_notice_that_was_recorded_by_a_worker_which_then_died_is_not_sent_again(monkeypatch, later):
    desk = Desk()
    desk.release("a", "desk told", "risk told")

    def dies(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(MemoryStore, "done", dies)
        with pytest.raises(KeyboardInterrupt):
            desk.work()
    recorded = [r for r in desk.record.history() if r.event.kind == "notice_sent"]
    desk.clock.at += later
    desk.work_for(hours=1)
    assert [r.event.notice for r in recorded] == desk.receiver.taken[:1]
    assert sorted(desk.receiver.taken) == ["desk told", "risk told"]
    assert untold(desk.record) == ()
    assert sum(r.event.kind == "notice_sent" for r in desk.record.history()) == 2
