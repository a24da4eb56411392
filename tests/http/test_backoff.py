"""The worker's back-off, lanes and reports, tested without a process."""

import threading
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from several_models import Several

from signoff.domain.deployment import State
from signoff.installation import Installation
from signoff.worker import work
from signoff.worker.backoff import ALERT_AGAIN_S, LONGEST_S, STAYS_AFTER, FailureStreak, Streaks, TaskSubject
from signoff.worker.lanes import Lanes
from signoff.worker.work import Pass, Worker


@given(st.integers(1, 200))
def test_pauses_double_up_to_a_limit(failures):
    streak, now = FailureStreak(), 0.0
    for _ in range(failures):
        streak = streak.failed(now)
        assert 1 <= streak.due - now <= LONGEST_S
        now = streak.due
    assert streak.pause_s == min(LONGEST_S, 2.0 ** (failures - 1))


@given(st.lists(st.integers(0, 7200), max_size=40))
def test_people_are_told_of_a_streak_once_it_stays_and_at_most_once_an_hour(pauses):
    streaks, subject, now, told = Streaks(), TaskSubject(task="t", of="m"), 0.0, []
    for number, pause in enumerate(pauses, start=1):
        now += pause
        streak = streaks.failed(subject, now)
        assert streak.failures == number
        if streak.needs_alert(now):
            assert number >= STAYS_AFTER
            assert not told or now - told[-1] >= ALERT_AGAIN_S
            streaks.alerted(subject, now)
            told.append(now)
    assert bool(told) == (len(pauses) >= STAYS_AFTER)


def test_a_lane_that_hangs_gets_no_further_work_and_delays_no_other():
    lanes, over, did = Lanes(), threading.Event(), []
    lanes.give("slow", lambda _: over.wait(), "first")
    lanes.give("slow", did.append, "second")
    lanes.give("quick", did.append, "third")
    end = time.monotonic() + 10
    while "third" not in lanes.returned():
        assert time.monotonic() < end
    assert did == ["third"]
    assert lanes.is_busy("slow")
    over.set()
    assert lanes.finish(10) == ("first",)


class PanicException(BaseException):
    """As an extension written in Rust raises it."""


FAULTS = [RecursionError("deep"), MemoryError(), PanicException("index out of bounds"), AssertionError(), KeyError("x")]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("task", ["_reconcile", "_champions", "_observe_closed", "_governance", "_page"])
def test_whatever_a_task_raises_is_reported_and_the_others_go_on(tmp_path, monkeypatch, task, fault):
    several = Several(tmp_path / "home")
    several.kill("value")
    late = several.late("size")

    def broken(self, done):
        raise fault

    monkeypatch.setattr(Worker, task, broken)
    done = Worker(several.house).work(is_observing=True)
    assert several.is_killed("value")
    assert "deadline_breached" in several.kinds(late)
    (problem,) = (p for p in done.problems if type(fault).__name__ in p)
    assert "broken, line" in problem


@pytest.mark.parametrize("end", [KeyboardInterrupt(), SystemExit(1)])
def test_an_interrupt_or_an_exit_ends_the_worker(tmp_path, monkeypatch, end):
    def stop(self, done):
        raise end

    monkeypatch.setattr(Worker, "_page", stop)
    with pytest.raises(type(end)):
        Worker(Several(tmp_path / "home").house).work()


def test_the_order_is_kills_rollbacks_pages_deadlines_then_the_rest(tmp_path, monkeypatch):
    order = []
    first = ("_kills", "_halt", "_take_back", "_page", "_deadlines")
    rest = ("_reconcile", "_champions", "_observe_closed", "_advance_ready", "_notices", "_governance")
    for name in (*first, *rest):
        monkeypatch.setattr(Worker, name, lambda self, done, name=name: order.append(name))
    Worker(Several(tmp_path / "home").house).work(is_observing=True, is_advancing=True)
    assert tuple(order) == (*first, *rest)


def test_kills_are_tried_in_every_pass_however_often_they_failed(tmp_path, monkeypatch):
    tried = []

    def broken():
        tried.append(1)
        raise RuntimeError("no")

    monkeypatch.setattr(Installation, "kill_switch", property(lambda _: SimpleNamespace(reconcile=broken)))
    worker = Worker(Several(tmp_path / "home").house)
    for _ in range(4):
        assert any("kills: RuntimeError: no" in problem for problem in worker.work().problems)
    assert len(tried) == 4


def test_what_failed_is_not_tried_again_before_its_pause_is_over(tmp_path, monkeypatch):
    several = Several(tmp_path / "home")
    several.release("momentum", State.SHADOW)
    tried = []
    monkeypatch.setattr(work, "check_release", lambda *_: tried.append(1) or 1 / 0)
    worker = Worker(several.house)
    for _ in range(5):
        worker.work()
    assert len(tried) in {1, 2}


def test_two_workers_call_people_once(tmp_path, monkeypatch):
    several = Several(tmp_path / "home")

    def broken(self, done):
        raise RuntimeError("no")

    monkeypatch.setattr(Worker, "_champions", broken)
    monkeypatch.setattr(FailureStreak, "pause_s", 0.0)
    for worker in (Worker(several.house), Worker(several.house)):
        for _ in range(STAYS_AFTER + 1):
            worker.work()
    pages = [n for n in several.notices() if n["severity"] == "page"]
    assert len(pages) == 1
    assert "champions keeps failing" in pages[0]["subject"]


def test_a_report_on_a_pass_leaves_out_its_work_in_progress():
    assert "doing" not in Pass(doing="x").document()
