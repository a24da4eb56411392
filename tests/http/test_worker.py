"""The worker as an operator runs it: what it says, and how it ends."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from signoff.config.logs import JsonLines
from signoff.config.settings import settings
from signoff.installation import Installation
from signoff.ports.kills import Kill
from signoff.worker.loop import follow, one_pass
from signoff.worker.loop import log as worker_log
from signoff.worker.work import Pass


@pytest.fixture
def said():
    """What the worker logs, line by line."""
    lines = []

    class Kept(logging.Handler):
        def emit(self, record):
            lines.append(json.loads(JsonLines().format(record)))

    kept = Kept()
    worker_log.addHandler(kept)
    worker_log.setLevel(logging.INFO)
    yield lines
    worker_log.removeHandler(kept)


@pytest.fixture
def own_signals():
    """The handlers of this process, and its log, as they were before."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    root, hook = logging.getLogger(), threading.excepthook
    handlers, level = root.handlers[:], root.level
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)
    root.handlers[:], root.level, threading.excepthook = handlers, level, hook
    logging.captureWarnings(False)


class Working:
    """A worker whose pass did this."""

    def __init__(self, **done):
        self.done = done

    def work(self, *, is_observing, is_advancing, is_tidying):
        return Pass(**self.done)


def test_what_a_pass_did_to_a_release_is_a_line_with_its_id(said):
    done = {"rollbacks": ["m-2"], "late": ["m-2: verify flat"], "observed": ["m-3: 2026-03-02"], "advanced": ["m-3"]}
    worker = Working(**done, problems=["m-4: the broker is away"], notices=2)
    assert one_pass(worker, is_observing=True, is_advancing=True, is_tidying=False)
    told = [(line["message"], line.get("deployment"), line.get("detail")) for line in said]
    assert told[:4] == [
        ("rollback carried on", "m-2", None),
        ("deadline missed", "m-2", "verify flat"),
        ("session observed", "m-3", "2026-03-02"),
        ("advanced", "m-3", None),
    ]
    assert (said[4]["level"], said[4]["because"]) == ("warning", "m-4: the broker is away")
    assert (said[5]["message"], said[5]["notices"]) == ("pass", 2)


def test_a_pass_that_did_nothing_is_silent(said):
    assert one_pass(Working(), is_observing=False, is_advancing=False, is_tidying=True)
    assert said == []


def test_a_pass_during_which_the_worker_is_told_to_stop_is_finished_and_is_the_last(said, own_signals):
    done = []

    class Interrupted(Working):
        def work(self, **how):
            done.append("begun")
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("finished")
            return super().work(**how)

    follow(Interrupted(advanced=["m-3"]), is_observing=False, is_advancing=True)
    assert done == ["begun", "finished"]
    assert [line["message"] for line in said] == ["started", "advanced", "stopped"]


def test_a_worker_that_is_ended_leaves_with_nothing_wrong_and_has_said_everything_in_json(tmp_path):
    house = Installation(settings(home=str(tmp_path / "home")))
    house.kills.write(Kill(id="k" * 32, model="momentum", reason="smoke", actor="t", at=house.clock.now()))
    line = [sys.executable, "-m", "signoff", "worker", "--watch", "--home", str(tmp_path / "home")]
    with (tmp_path / "log").open("w") as out, subprocess.Popen(line, stdout=out, stderr=out) as worker:
        try:
            deadline = time.monotonic() + 60
            while house.kills.pending():
                assert worker.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            worker.terminate()
            assert worker.wait(60) == 0
        finally:
            worker.kill()
    lines = [json.loads(said) for said in (tmp_path / "log").read_text().splitlines()]
    said = [line["message"] for line in lines if line["logger"] == "signoff.worker"]
    # A pass that ends before the signal arrives has its own line.
    assert [message for message in said if message != "pass"] == ["started", "stopped"]
    assert all(line["time"] and line["level"] for line in lines)
    assert house.record.latch("momentum").is_latched
