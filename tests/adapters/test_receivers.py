"""A post ends before its deadline whatever the receiver does, and tries the next address where one fails."""

import socket
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from threading import Thread

import pytest

from signoff.adapters import bounded_post, webhook
from signoff.adapters.webhook import Pager, Webhook, look_up, retry_after, within
from signoff.domain.errors import NotTakenError
from signoff.ports.notices import Severity

LOOPBACK = ["127.0.0.1", "::1", *(f"127.0.0.{n}" for n in range(2, 10))]
pytestmark = pytest.mark.allow_hosts(LOOPBACK)
NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
TAKEN = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
HANGS = 15.0


@contextmanager
def receiver(answer, *, address="127.0.0.1", port=0):
    """A server of one address; `answer` gets each connection once its request was read."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.create_server((address, port), family=family)
    asked = []

    def serve():
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection):
        with closing(connection), suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                if not (more := connection.recv(65536)):
                    return
                head += more
            asked.append(head)
            answer(connection)

    Thread(target=serve, daemon=True).start()
    try:
        yield listening.getsockname()[1], asked
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def says(content):
    return lambda connection: connection.sendall(content)


def hook(port, *addresses):
    return Webhook(
        url=f"http://chat.firm.example:{port}/hook",
        allowed=frozenset({"chat.firm.example"}),
        look_up=lambda _host, _port: addresses or ("127.0.0.1",),
    )


def send(place):
    place.send("m-2:1", "#i", "s", "t", Severity.NOTICE)


@pytest.mark.parametrize(
    "refused",
    [("127.0.0.9",), ("::1",), ("127.0.0.9", "::1", "127.0.0.8"), ("127.0.0.2", "127.0.0.2")],
)
def test_an_address_that_refuses_is_passed_over_for_the_next(refused):
    with receiver(says(TAKEN)) as (port, asked):
        send(hook(port, *refused, "127.0.0.1"))
    assert len(asked) == 1


def test_an_address_where_tls_fails_is_passed_over():
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        socket.create_server(("127.0.0.2", silent.getsockname()[1])),
    ):
        port = silent.getsockname()[1]
        place = replace(hook(port, "127.0.0.1", "127.0.0.2"), url=f"https://chat.firm.example:{port}/hook")
        with pytest.raises(NotTakenError, match=r"ConnectTimeout at 127\.0\.0\.1, ConnectTimeout at 127\.0\.0\.2"):
            send(place)


def test_an_address_that_never_takes_a_connection_leaves_time_for_the_next():
    with socket.socket() as full, receiver(says(TAKEN)) as (port, asked):
        full.bind(("127.0.0.7", port))
        full.listen(0)
        waiting = [socket.socket() for _ in range(8)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.7", port))
        began = time.monotonic()
        send(hook(port, "127.0.0.7", "127.0.0.1"))
        for one in waiting:
            one.close()
    assert len(asked) == 1
    assert time.monotonic() - began < HANGS


def test_addresses_are_tried_in_the_order_that_the_system_gives(monkeypatch):
    given = ["2001:db8::9", "2001:db8::1", "192.0.2.200", "192.0.2.7"]
    found = [(0, 0, 0, "", (address, 443)) for address in given]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert list(look_up("chat.firm.example", 443)) == given


def test_a_post_that_may_have_been_received_goes_to_no_other_address_and_next_time_another_is_first(monkeypatch):
    monkeypatch.setattr(bounded_post, "TOTAL_S", 1.0)
    with (
        receiver(lambda _: time.sleep(HANGS)) as (port, hanging),
        receiver(says(TAKEN), address="127.0.0.2", port=port) as (_, fine),
    ):
        place = hook(port, "127.0.0.1", "127.0.0.2")
        with pytest.raises(NotTakenError, match=r"ReadTimeout at 127\.0\.0\.1"):
            send(place)
        assert (len(hanging), len(fine)) == (1, 0)
        send(place)
        assert (len(hanging), len(fine)) == (1, 1)


def test_when_every_address_refuses_each_is_named_and_the_receiver_is_at_fault():
    with receiver(says(TAKEN)) as (port, _):
        pass
    with pytest.raises(NotTakenError, match=r"at 127\.0\.0\.9, ConnectError at 127\.0\.0\.1") as refused:
        send(hook(port, "127.0.0.9", "127.0.0.1"))
    assert refused.value.is_of_receiver


def slowly(connection):
    for byte in TAKEN * 100:
        connection.sendall(bytes([byte]))
        time.sleep(0.2)


def without_end(piece, first=b""):
    def answer(connection):
        connection.sendall(first)
        while True:
            connection.sendall(piece)

    return answer


@pytest.mark.parametrize(
    "answer",
    [
        slowly,
        lambda _: time.sleep(HANGS),
        without_end(b"x: " + b"y" * 1000 + b"\r\n", b"HTTP/1.1 200 OK\r\n"),
        without_end(b"HTTP/1.1 100 Continue\r\n\r\n"),
        without_end(b"y" * 1000),
        says(b"SSH-2.0-OpenSSH\r\n"),
        says(b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n"),
        says(b""),
    ],
    ids=["a byte at a time", "nothing", "endless head", "endless 1xx", "no HTTP", "SSH", "bad header", "hangs up"],
)
def test_a_post_ends_in_time_whatever_the_receiver_does(monkeypatch, answer):
    monkeypatch.setattr(bounded_post, "TOTAL_S", 1.5)
    began = time.monotonic()
    with receiver(answer) as (port, asked), pytest.raises(NotTakenError, match="cannot be reached") as refused:
        send(hook(port))
    assert time.monotonic() - began < HANGS
    assert refused.value.is_of_receiver
    assert len(asked) == 1


def test_an_endless_body_is_not_read():
    began = time.monotonic()
    with receiver(without_end(b"y" * 65536, b"HTTP/1.1 200 OK\r\n\r\n")) as (port, _):
        send(hook(port))
    assert time.monotonic() - began < HANGS


def test_a_receiver_that_reads_nothing_does_not_hold_a_post_up(monkeypatch):
    monkeypatch.setattr(bounded_post, "TOTAL_S", 1.5)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        place = hook(deaf.getsockname()[1])
        with pytest.raises(NotTakenError, match="WriteTimeout"):
            place.send("m-2:1", "#i", "s", "t" * 50_000_000, Severity.NOTICE)


def test_a_look_up_that_hangs_ends_too(monkeypatch):
    monkeypatch.setattr(webhook, "LOOK_UP_S", 0.2)
    place = replace(hook(1), look_up=lambda _host, _port: time.sleep(HANGS))
    with pytest.raises(NotTakenError, match=r"no address \(no answer came"):
        send(place)
    with pytest.raises(ZeroDivisionError):
        within(1, lambda: 1 / 0)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("30", 30),
        (" 7 ", 7),
        ("0", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("\u0663\u0660", None),
        ("9" * 5000, 86400),
        ("100000000", 86400),
        (format_datetime(NOW + timedelta(seconds=45), usegmt=True), 45),
        ("Mon, 02 Mar 2026 09:02:00 -0000", 120),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), None),
        (format_datetime(NOW + timedelta(days=400), usegmt=True), 86400),
        ("Mon, 99 Zzz 99999 99:99:99 GMT", None),
    ],
)
def test_what_a_receiver_asks_for_is_read_in_seconds_or_as_a_date_and_nonsense_is_nothing(said, seconds):
    expected = None if seconds is None else timedelta(seconds=seconds)
    assert retry_after({"retry-after": said}, NOW) == expected


def test_a_date_is_held_against_the_receivers_own_clock():
    said = {"retry-after": "Mon, 02 Mar 2026 12:00:30 GMT", "date": "Mon, 02 Mar 2026 12:00:00 GMT"}
    assert retry_after(said, NOW) == timedelta(seconds=30)


@pytest.mark.parametrize(
    ("head", "is_of_receiver", "asked"),
    [
        ("429 Too Many Requests\r\nRetry-After: 30", True, 30),
        ("503 Unavailable\r\nretry-after: 5", True, 5),
        ("400 Bad Request\r\nRetry-After: 9", True, 9),
        ("503 Unavailable", True, None),
        ("502 Bad Gateway", True, None),
        ("400 Bad Request", False, None),
        ("404 Not Found", False, None),
        ("413 Too Large", False, None),
        ("422 Unprocessable", False, None),
        ("500 Internal Server Error", False, None),
    ],
)
@pytest.mark.parametrize("kind", [Webhook, Pager])
def test_a_refusal_says_whether_the_receiver_or_the_message_is_at_fault_and_for_how_long(
    kind, head, is_of_receiver, asked
):
    with receiver(says(f"HTTP/1.1 {head}\r\ncontent-length: 0\r\n\r\n".encode())) as (port, _):
        place = hook(port)
        if kind is Pager:
            place = Pager(url=place.url, key="k", allowed=place.allowed, look_up=place.look_up)
        with pytest.raises(NotTakenError, match=f"answered {head[:3]}") as refused:
            send(place)
    assert refused.value.is_of_receiver == is_of_receiver
    assert refused.value.retry_after == (None if asked is None else timedelta(seconds=asked))


def test_an_identity_that_no_header_can_hold_is_posted_all_the_same():
    with receiver(says(TAKEN)) as (port, asked):
        hook(port).send("モデル\r\nx: y:1", "#i", "s", "t", Severity.NOTICE)
    assert b"idempotency-key: %E3%83%A2" in asked[0]
    assert b"\r\nx: y" not in asked[0]


def test_an_address_in_the_url_itself_is_named_as_a_host_should_be():
    with receiver(says(TAKEN), address="::1") as (port, asked):
        place = Webhook(url=f"http://[::1]:{port}/hook", allowed=frozenset({"::1"}))
        send(place)
    assert f"host: [::1]:{port}".encode() in asked[0]
