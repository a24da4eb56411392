"""Notices are posted to the operator's webhook, and to nothing else inside the network."""

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from threading import Thread

import pytest
from small_ledger import DEPLOYMENT, opened
from standing import standing

from signoff.adapters.clocks import WallClock
from signoff.adapters.store_memory import MemoryStore
from signoff.adapters.webhook import BySeverity, Pager, Webhook, is_public
from signoff.app import notices
from signoff.app.notices import MOST, TRIED, Notice, call, deliver, effect, incident
from signoff.app.record import Record, StreamChange, deployment_stream
from signoff.cli.main import main
from signoff.config.settings import settings
from signoff.domain.deployment import State
from signoff.domain.errors import BadInputError, UnavailableError
from signoff.installation import Installation
from signoff.ledger.canonical import canonical
from signoff.ledger.codec import decode_state
from signoff.ports.notices import Severity
from signoff.ports.store import Commit


class Clock(WallClock):
    def now(self):
        return datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def messenger():
    """A receiver that keeps what it was sent and answers with `status`."""

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            self.server.received.append((self.path, dict(self.headers), body))
            self.send_response(self.server.status)
            if self.server.status == 302:
                self.send_header("location", "/elsewhere")
            self.end_headers()

        def log_message(self, *said):
            pass

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    server.received, server.status = [], 200
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def hook(messenger):
    return Webhook(
        url=f"http://chat.firm.example:{messenger.server_port}/hooks/1?a=b",
        clock=Clock(),
        secret="shared",
        allowed=frozenset({"chat.firm.example"}),
        look_up=lambda _host, _port: ["127.0.0.1"],
    )


def test_a_notice_is_posted_with_its_identity_and_a_signature_that_the_receiver_can_check(hook, messenger):
    hook.send("m-2:1", "#incidents", "m v2", "stopped", Severity.NOTICE)
    ((path, headers, body),) = messenger.received
    assert path == "/hooks/1?a=b"
    assert json.loads(body)["text"] == "[#incidents] m v2: stopped"
    assert headers["idempotency-key"] == json.loads(body)["identity"] == "m-2:1"
    assert headers["host"] == f"chat.firm.example:{messenger.server_port}"
    at, given = (part.partition("=")[2] for part in headers["signoff-signature"].split(","))
    assert int(at) == int(Clock().now().timestamp())
    assert given == hmac.new(b"shared", at.encode() + b"." + body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("status", [302, 400, 500])
def test_what_was_not_taken_stays_due_and_no_redirect_is_followed(hook, messenger, status):
    messenger.status = status
    with pytest.raises(UnavailableError, match=f"answered {status}"):
        hook.send("m-2:1", "#incidents", "m v2", "stopped", Severity.NOTICE)
    assert len(messenger.received) == 1


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "169.254.169.254",
        "192.168.0.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b:1::7f00:1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
        "fec0::1",
        "5f00::1",
        "ff02::1",
        "fe80::1%eth0",
    ],
)
def test_an_address_inside_is_refused_however_it_is_written(hook, messenger, address):
    assert not is_public(ip_address(address.partition("%")[0]))
    stranger = replace(hook, url="https://evil.example/x", look_up=lambda _host, _port: ["93.184.215.14", address])
    with pytest.raises(UnavailableError, match="not public"):
        stranger.send("m-2:1", "#incidents", "m v2", "stopped", Severity.NOTICE)
    assert messenger.received == []


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"])
def test_an_address_of_the_internet_at_large_is_public(address):
    assert is_public(ip_address(address))


def test_the_name_is_looked_up_once_so_that_it_cannot_change_after_the_check(hook, messenger):
    asked = []

    def rebinding(host, port):
        asked.append((host, port))
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    replace(hook, look_up=rebinding).send("m-2:1", "#incidents", "m v2", "stopped", Severity.NOTICE)
    assert len(asked) == len(messenger.received) == 1


def test_a_host_without_an_address_is_said(hook):
    def nothing(_host, _port):
        raise OSError("unknown name")

    for look_up in (nothing, lambda _host, _port: []):
        with pytest.raises(UnavailableError, match="no address"):
            replace(hook, look_up=look_up).send("m-2:1", "#incidents", "m v2", "stopped", Severity.NOTICE)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://chat.firm.example/x",
        "file:///etc/passwd",
        "https://",
        "https://user:secret@chat.firm.example/x",
        "http://other.example/x",
        "gopher://chat.firm.example",
    ],
)
def test_an_address_that_is_no_webhook_is_refused_before_anything_is_sent_and_not_repeated(hook, url):
    with pytest.raises(BadInputError) as refused:
        replace(hook, url=url)
    assert "secret" not in str(refused.value)


def test_the_address_never_comes_from_a_release(tmp_path, monkeypatch):
    monkeypatch.delenv("SIGNOFF_WEBHOOK_URL", raising=False)
    house = Installation(settings(home=str(tmp_path)))
    house.notifier.send(
        "m-2:1", "http://169.254.169.254/latest/meta-data", "m v2", "https://127.0.0.1/x", Severity.NOTICE
    )
    assert "169.254" in (tmp_path / "notices.jsonl").read_text()  # written down, and not asked for


def test_the_webhook_and_its_secret_do_not_show(tmp_path, monkeypatch):
    (tmp_path / "secret").write_text("shared\n")
    monkeypatch.setenv("SIGNOFF_WEBHOOK_URL", "https://hooks.example.com/services/T0/B0/key")
    monkeypatch.setenv("SIGNOFF_WEBHOOK_SECRET_FILE", str(tmp_path / "secret"))
    house = Installation(settings(home=str(tmp_path / "home")))
    assert house.notifier.secret == "shared"
    assert "B0/key" not in repr(house.settings)
    assert "shared" not in repr(house.notifier)


class Dead:
    def __init__(self):
        self.asked = 0

    def send(self, *_said):
        self.asked += 1
        raise UnavailableError("nobody answers")


def test_a_dead_channel_does_not_hold_a_worker_up_and_loses_nothing():
    record, dead = Record(MemoryStore(), WallClock()), Dead()
    notices = (Notice(deployment="m-2", notice=str(n), channel="#i", subject="s", text="t") for n in range(9))
    commit = Commit(key="k", request="r", at=record.now(), actor="t", appends=(), effects=tuple(map(effect, notices)))
    record.store.commit(commit)
    assert deliver(record, dead) == (0, ("#i: nobody answers",) * TRIED)
    assert dead.asked == TRIED
    assert len(record.store.pending()) == 9
    deliver(record, dead)
    assert dead.asked == 2 * TRIED  # given back at once, not when a lease runs out


class Picky(Dead):
    """Takes everything but e-mail."""

    def send(self, identity, channel, subject, text, severity):
        if channel == "email":
            super().send(identity, channel, subject, text, severity)


def test_what_one_channel_never_takes_keeps_no_page_from_another():
    record, picky = Record(MemoryStore(), WallClock()), Picky()
    notices = (
        Notice(deployment=DEPLOYMENT, notice=str(n), channel=channel, subject="s", text="t")
        for n, channel in enumerate(["email"] * 5 + ["#i"])
    )
    born = StreamChange(stream=deployment_stream(DEPLOYMENT), state=None, events=(opened(),))
    record.commit(born, actor="t", key="k", effects=tuple(map(effect, notices)))
    assert deliver(record, picky) == (1, ("email: nobody answers",) * TRIED)
    assert len(record.store.pending()) == 5


@pytest.fixture
def pager(messenger):
    return Pager(
        url=f"http://pager.firm.example:{messenger.server_port}/v2/enqueue",
        key="routing",
        allowed=frozenset({"pager.firm.example"}),
        look_up=lambda _host, _port: ["127.0.0.1"],
    )


def test_a_call_reaches_the_pager_as_an_event_that_is_told_apart_by_the_identity(pager, messenger):
    messenger.status = 202
    pager.send("m-2:1", "#incidents", "m v2: PAGE", "stuck at verify flat", Severity.PAGE)
    ((path, headers, body),) = messenger.received
    event = json.loads(body)
    assert path == "/v2/enqueue"
    assert headers["host"] == f"pager.firm.example:{messenger.server_port}"
    assert {name: event[name] for name in ("routing_key", "event_action", "dedup_key")} == {
        "routing_key": "routing",
        "event_action": "trigger",
        "dedup_key": "m-2:1",
    }
    said = event["payload"]
    assert (said["summary"], said["source"], said["severity"]) == (
        "m v2: PAGE: stuck at verify flat",
        "m-2",
        "critical",
    )


@pytest.mark.parametrize("status", [302, 400, 429, 500])
def test_a_call_that_was_not_taken_stays_due(pager, messenger, status):
    messenger.status = status
    with pytest.raises(UnavailableError, match=f"the pager at pager.firm.example answered {status}"):
        pager.send("m-2:1", "#incidents", "m v2", "stuck", Severity.PAGE)
    assert len(messenger.received) == 1


def test_the_pager_is_guarded_as_the_webhook_is(pager, messenger):
    stranger = replace(pager, url="https://evil.example/x", look_up=lambda _host, _port: ["169.254.169.254"])
    with pytest.raises(UnavailableError, match="SIGNOFF_PAGER_ALLOW"):
        stranger.send("m-2:1", "#incidents", "m v2", "stuck", Severity.PAGE)
    with pytest.raises(BadInputError, match="SIGNOFF_PAGER_ALLOW"):
        replace(pager, url="http://other.example/x")
    with pytest.raises(BadInputError, match="SIGNOFF_PAGER_KEY_FILE"):
        replace(pager, key="")
    assert messenger.received == []
    assert "routing" not in repr(pager)


class Kept:
    """A channel that keeps what it is sent."""

    def __init__(self):
        self.sent = []

    def send(self, identity, channel, subject, text, severity):
        self.sent.append((text, severity))


def due(*notices):
    record = Record(MemoryStore(), WallClock())
    commit = Commit(key="k", request="r", at=record.now(), actor="t", appends=(), effects=tuple(map(effect, notices)))
    record.store.commit(commit)
    return record


def about(number, severity=Severity.NOTICE):
    return Notice(deployment="m-2", notice=str(number), channel="#i", subject="s", text=f"t{number}", severity=severity)


def test_calls_go_to_the_pager_and_notices_to_the_messenger():
    calls, others = Kept(), Kept()
    apart = BySeverity(calls=calls, notices=others)
    for severity in Severity:
        apart.send("i", "#i", "s", severity.value, severity)
    assert calls.sent == [("page", Severity.PAGE)]
    assert others.sent == [("notice", Severity.NOTICE)]


def test_a_dead_messenger_keeps_no_call_from_going_out():
    calls = Kept()
    record = due(*map(about, range(9)), about("the last", Severity.PAGE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notices, "_record_sent", lambda *_: None)  # there is no such release
        sent, problems = deliver(record, BySeverity(calls=calls, notices=Dead()))
    assert (sent, calls.sent, len(problems)) == (1, [("tthe last", Severity.PAGE)], TRIED)
    assert len(record.store.pending()) == 9


def test_no_number_of_notices_that_nobody_takes_keeps_a_call_from_being_found():
    calls = Kept()
    record = due(*map(about, range(MOST + 1)), about("the last", Severity.PAGE))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(notices, "_record_sent", lambda *_: None)  # there is no such release
        sent, _ = deliver(record, BySeverity(calls=calls, notices=Dead()))
    assert (sent, calls.sent) == (1, [("tthe last", Severity.PAGE)])


def test_what_calls_people_is_a_page_and_what_tells_them_is_a_notice():
    stuck = standing(State.ROLLBACK_STUCK)
    said = {
        e.identity: json.loads(e.payload)["severity"] for e in (call(stuck, "PAGE", "x"), incident(stuck, "y", "z"))
    }
    assert list(said.values()) == ["page", "notice"]


def test_a_notice_that_was_due_before_there_were_severities_is_read_as_one():
    old = canonical({"deployment": "m-2", "notice": "1", "channel": "#i", "subject": "s", "text": "t"})
    assert decode_state(Notice, old).severity is Severity.NOTICE


def test_an_operator_tries_both_channels_and_hears_of_each_that_is_dead(tmp_path, messenger, monkeypatch, capsys):
    (tmp_path / "key").write_text("routing\n")
    for name in ("WEBHOOK", "PAGER"):
        monkeypatch.setenv(f"SIGNOFF_{name}_URL", f"http://127.0.0.1:{messenger.server_port}/{name}")
        monkeypatch.setenv(f"SIGNOFF_{name}_ALLOW", "127.0.0.1")
    monkeypatch.setenv("SIGNOFF_PAGER_KEY_FILE", str(tmp_path / "key"))
    home = ("--home", str(tmp_path / "home"))
    assert main(["notices", "--test", *home]) == 0
    assert [path for path, _, _ in messenger.received] == ["/WEBHOOK", "/PAGER"]
    assert json.loads(messenger.received[0][2])["severity"] == "notice"
    assert "calls to the pager" in " ".join(capsys.readouterr().out.split())
    messenger.status = 500
    assert main(["notices", "--test", *home]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "the webhook at 127.0.0.1 answered 500" in said
    assert "the pager at 127.0.0.1 answered 500" in said
    assert "routing" not in said


def test_an_operator_can_try_the_channel_and_see_what_waits(tmp_path, capsys):
    home = ("--home", str(tmp_path), "--json")
    assert main(["notices", "--test", *home]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "waiting": [],
        "dead": [],
        "failing": 0,
        "receivers": [],
        "retried": 0,
        "test": True,
    }
    assert "nothing is wrong" in (tmp_path / "notices.jsonl").read_text()
