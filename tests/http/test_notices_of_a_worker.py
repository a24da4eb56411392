"""A real worker over a home with several releases, and real receivers that refuse, ask for time, hang and recover."""

import json
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx
import pytest
from cast_of_six import PEOPLE
from forked import Command
from http_server import Served
from signed_in import begun
from small_ledger import opened

from signoff.app.notices import Notice, backlog, effect
from signoff.app.record import StreamChange, deployment_stream
from signoff.config.settings import settings
from signoff.installation import Installation
from signoff.ports.notices import Severity
from signoff.ports.store import Backlog

LONG_S = 60


class Receiver(BaseHTTPRequestHandler):
    """Answers as the server's `answer` says for a text: a status, and headers."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = body["text"].rpartition(": ")[2] if "text" in body else body["payload"]["custom_details"]["text"]
        status, headers = self.server.answer(text)
        self.server.posts.append((time.monotonic(), text, status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *said):
        pass


@contextmanager
def receiver(answer):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.daemon_threads = True
    server.posts, server.answer = [], answer
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def messenger():
    with receiver(lambda _: (200, {})) as server:
        yield server


@pytest.fixture
def pager():
    with receiver(lambda _: (202, {})) as server:
        yield server


@pytest.fixture
def home(tmp_path, messenger, pager, monkeypatch):
    (tmp_path / "key").write_text("routing\n")
    for name, server in (("WEBHOOK", messenger), ("PAGER", pager)):
        monkeypatch.setenv(f"SIGNOFF_{name}_URL", f"http://127.0.0.1:{server.server_port}/{name}")
        monkeypatch.setenv(f"SIGNOFF_{name}_ALLOW", "127.0.0.1")
    monkeypatch.setenv("SIGNOFF_PAGER_KEY_FILE", str(tmp_path / "key"))
    return tmp_path / "home"


def release(home, name, *texts, severity=Severity.NOTICE):
    house = Installation(settings(home=str(home)))
    due = (
        Notice(deployment=name, notice=text, channel="#i", subject="s", text=text, severity=severity) for text in texts
    )
    change = StreamChange(stream=deployment_stream(name), state=None, events=(replace(opened(), deployment=name),))
    house.record.commit(change, actor="t", key=name, effects=tuple(map(effect, due)))
    return house


@contextmanager
def worker(home, log):
    process = Command("worker", "--watch", "--home", str(home), log=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(LONG_S)
        except TimeoutError:
            process.kill()


def until(is_so):
    ends = time.monotonic() + LONG_S
    while not is_so():
        assert time.monotonic() < ends
        time.sleep(0.05)


def listed(home):
    line = [sys.executable, "-m", "signoff", "notices", "--home", str(home), "--json"]
    return json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)


def taken(server):
    return [text for _, text, status in server.posts if status < 300]


@pytest.mark.abuse
def test_a_receiver_that_said_thirty_seconds_is_left_alone_also_by_a_second_worker_and_by_one_started_anew(
    home, tmp_path, messenger
):
    messenger.answer = lambda _: (429, {"retry-after": "30"})
    for n in range(3):
        release(home, f"m-{n}", *map(str, range(25)))
    for _ in range(2):
        with worker(home, tmp_path / "one"), worker(home, tmp_path / "two"):
            until(lambda: messenger.posts)
            time.sleep(4)
    assert len(messenger.posts) <= 2  # one a worker at most, when both asked in the same moment
    (held,) = listed(home)["receivers"]
    assert held["receiver"] == f"127.0.0.1:{messenger.server_port}"
    assert "asked to be left alone for 30 s" in held["problem"]


@pytest.mark.abuse
@pytest.mark.parametrize("status", [400, 404, 413, 422, 500])
def test_refused_notices_of_one_release_keep_none_from_others_nor_a_page(home, tmp_path, messenger, pager, status):
    messenger.answer = lambda text: (status if text.startswith("bad") else 200, {})
    release(home, "m-1", *(f"bad {n}" for n in range(8)))
    release(home, "m-2", "good", "better")
    release(home, "m-3", "stuck", severity=Severity.PAGE)
    with worker(home, tmp_path / "log"):
        until(lambda: len(taken(messenger)) == 2)
    assert taken(pager) == ["stuck"]


def test_a_refused_notice_is_tried_less_and_less(home, tmp_path, messenger):
    messenger.answer = lambda _: (400, {})
    release(home, "m-1", "bad")
    with worker(home, tmp_path / "log"):
        until(lambda: len(messenger.posts) >= 4)
    times = [at for at, _, _ in messenger.posts]
    assert times[3] - times[0] >= 1 + 2 + 4  # the least that jitter leaves of 2, 4 and 8 s


def test_an_unreachable_messenger_is_asked_seldom_and_keeps_no_page_from_the_pager(home, tmp_path, messenger, pager):
    messenger.answer = lambda _: (503, {})
    for n in range(3):
        release(home, f"m-{n}", *map(str, range(10)))
    with worker(home, tmp_path / "log"):
        until(lambda: messenger.posts)
        release(home, "m-9", "stuck", severity=Severity.PAGE)
        until(lambda: taken(pager))
        time.sleep(5)
        assert len(messenger.posts) <= 6
        messenger.answer = lambda _: (200, {})
        until(lambda: len(taken(messenger)) == 30)
    assert max(Counter(taken(messenger)).values()) == 3  # each once, of three releases


def test_a_receiver_that_hangs_holds_up_neither_the_pager_nor_the_end_of_the_worker(home, tmp_path, messenger, pager):
    def hang(_):
        time.sleep(30)
        return 200, {}

    messenger.answer = hang
    release(home, "m-1", *map(str, range(5)))
    release(home, "m-2", "stuck", severity=Severity.PAGE)
    with worker(home, tmp_path / "log"):
        until(lambda: taken(pager))
        until(lambda: "cannot be reached (ReadTimeout" in (tmp_path / "log").read_text())
    assert taken(pager) == ["stuck"]


def test_a_dead_letter_shows_in_every_place_and_goes_out_once_it_is_retried(home, tmp_path, messenger, monkeypatch):
    monkeypatch.setenv("SIGNOFF_NOTICE_ATTEMPTS", "2")
    messenger.answer = lambda _: (400, {})
    house = release(home, "m-1", "bad")
    with worker(home, tmp_path / "log"):
        until(lambda: backlog(house.record, 2) == Backlog(dead=1))
        until(lambda: "are dead letters" in (tmp_path / "log").read_text())
    (dead,) = listed(home)["dead"]
    assert (dead["attempts"], dead["deployment"]) == (2, "m-1")
    assert "answered 400" in dead["problem"]
    assert f"signoff notices --retry {dead['id']}" in (tmp_path / "log").read_text()
    shown = subprocess.run(
        [sys.executable, "-m", "signoff", "notices", "--home", str(home)], check=True, capture_output=True, text=True
    ).stdout
    assert "dead" in shown

    server = Served(home).start()
    try:
        assert httpx.get(f"{server.url}/readyz").json()["notices"] == {"waiting": 0, "failing": 0, "dead": 1}
        number, _ = begun(server.house, PEOPLE["risk_manager"])
        with httpx.Client(base_url=server.url, cookies={"signoff": number}, timeout=30) as visitor:
            until(lambda: "1 were given up" in visitor.get("/").text)
        assert "given up" not in httpx.get(server.url).text
    finally:
        server.stop()

    messenger.answer = lambda _: (200, {})
    line = [sys.executable, "-m", "signoff", "notices", "--retry", dead["id"], "--home", str(home), "--json"]
    assert json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)["retried"] == 1
    with worker(home, tmp_path / "log"):
        until(lambda: taken(messenger))
    assert listed(home)["dead"] == listed(home)["waiting"] == []


@pytest.mark.abuse
def test_a_host_whose_first_address_refuses_is_reached_at_its_next(home, tmp_path, messenger, monkeypatch):
    monkeypatch.setenv("SIGNOFF_WEBHOOK_URL", f"http://localhost:{messenger.server_port}/hook")
    monkeypatch.setenv("SIGNOFF_WEBHOOK_ALLOW", "localhost")
    release(home, "m-1", "one", "two")
    with worker(home, tmp_path / "log"):  # nobody listens at ::1, where the system has it
        until(lambda: sorted(taken(messenger)) == ["one", "two"])


def test_a_setting_that_is_no_number_is_said_and_stops_no_kill(home, monkeypatch):
    house = release(home, "m-1", "one")
    monkeypatch.setenv("SIGNOFF_NOTICE_ATTEMPTS", "many")
    line = [sys.executable, "-m", "signoff", "worker", "--home", str(home)]
    ended = subprocess.run(line, check=False, capture_output=True)
    assert ended.returncode == 2
    assert b"SIGNOFF_NOTICE_ATTEMPTS, found 'many'" in ended.stderr
    line = [sys.executable, "-m", "signoff", "kill", "m", "--reason", "r", "--home", str(home), "--venue", "simulated"]
    assert subprocess.run(line, check=False, capture_output=True).returncode == 0
    assert house.record.latch("m").is_latched
