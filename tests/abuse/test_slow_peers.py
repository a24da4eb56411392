"""Peers that send too much, too slowly or endlessly are refused and closed, and do not hold up kills and flags."""

import json
import os
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from http_server import Served

PROMPT_S = 5.0
CROWD = 1200
KILL = b"POST /api/v1/models/momentum/kill HTTP/1.1\r\nhost: x\r\n"
ARCHIVE = b"POST /api/v1/checks HTTP/1.1\r\nhost: x\r\ncontent-type: application/zip\r\n"


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SIGNOFF_HEADER_SECONDS", "2")
        patched.setenv("SIGNOFF_BODY_SECONDS", "2")
        server = Served(tmp_path_factory.mktemp("slow") / "home").start()
    yield server
    server.stop()


def connected(server):
    peer = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def sent(peer, data):
    """Whether the peer could send; one that is closed cannot."""
    try:
        peer.sendall(data)
    except OSError:
        return False
    return True


def rest_of(peer, seconds=30):
    """Everything that the server still says, until it closes."""
    peer.settimeout(seconds)
    said = bytearray()
    try:
        while part := peer.recv(1 << 16):
            said += part
    except ConnectionError:
        pass
    return bytes(said)


def problem_in(said):
    """Status and detail of the last answer, which must be a problem document."""
    head, _, body = said.rpartition(b"\r\n\r\n")
    assert b"application/problem+json" in head, said[:300]
    document = json.loads(body)
    return document["status"], document["detail"]


def goes_on(server, reason="drill"):
    """A kill and a question for flags from the same address are answered at once."""
    began = time.monotonic()
    killed = httpx.post(
        f"{server.url}/api/v1/models/momentum/kill",
        headers={"authorization": f"Bearer {server.tokens['risk_manager']}"},
        json={"reason": reason},
        timeout=30,
    )
    flags = httpx.post(
        f"{server.url}/ofrep/v1/evaluate/flags",
        headers={"authorization": f"Bearer {server.tokens['machine']}"},
        timeout=30,
    )
    assert (killed.status_code, flags.status_code) == (200, 200)
    assert time.monotonic() - began < PROMPT_S


def memory_of(server):
    """Bytes that the server's process holds."""
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def open_in(server):
    """How many sockets the server's process holds open."""
    count = 0
    for handle in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with suppress(OSError):
            count += str(handle.readlink()).startswith("socket:")
    return count


@contextmanager
def repeated(work):
    """Work that is done over and over meanwhile."""
    is_over = threading.Event()

    def keep_on():
        while not is_over.is_set() and work():
            pass

    threads = [threading.Thread(target=keep_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        is_over.set()
        for thread in threads:
            thread.join(60)


def closed_soon(server, peers, most, within_s=20.0):
    """Wait until no more than so many connections are left."""
    until = time.monotonic() + within_s
    while open_in(server) > most:
        assert time.monotonic() < until, f"{open_in(server)} sockets are still open of {len(peers)}"
        time.sleep(0.2)


@pytest.mark.abuse
@pytest.mark.parametrize(
    "begun",
    [
        b"",
        b"\r\n",
        b"POST /api/v1/models/momentum/kill HTTP/1.1\r\nhost: x\r\nx-slow: ",
        KILL + b"content-length: 900\r\ncontent-type: application/json\r\n\r\n{",
        KILL + b"transfer-encoding: chunked\r\n\r\n2\r\n{",
    ],
    ids=["no byte", "a blank line", "half a header", "half a body", "half a chunk"],
)
def test_half_requests_are_closed_and_stop_neither_kills_nor_flags(served, begun):
    before = open_in(served)
    with ExitStack() as stack:
        peers = [stack.enter_context(connected(served)) for _ in range(CROWD)]
        for peer in peers:
            sent(peer, begun)
        goes_on(served)
        first = rest_of(peers[0])
        assert problem_in(first)[0] == 408
        goes_on(served)
        closed_soon(served, peers, before + 20)


def test_peers_that_send_a_byte_now_and_then_are_closed_all_the_same(served):
    before = open_in(served)
    with ExitStack() as stack:
        peers = [stack.enter_context(connected(served)) for _ in range(300)]
        for peer in peers:
            sent(peer, b"GET /healthz HTTP/1.1\r\n")
        until = time.monotonic() + 20
        while open_in(served) > before + 20:
            assert time.monotonic() < until
            for peer in peers:
                sent(peer, b"a: b\r\n")
            goes_on(served)
            time.sleep(0.3)


def test_the_oldest_half_request_of_an_address_makes_room_for_a_new_one(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNOFF_HEADER_SECONDS", "3600")
    server = Served(tmp_path / "home").start()
    try:
        with ExitStack() as stack:
            peers = []
            for _ in range(160):
                peers.append(stack.enter_context(connected(server)))
                sent(peers[-1], b"GET / HTTP/1.1\r\n")
            time.sleep(3)
            for _ in range(80):
                peers.append(stack.enter_context(connected(server)))
                goes_on(server)
            status, detail = problem_in(rest_of(peers[0]))
            assert status == 408
            assert "oldest" in detail
            assert sent(peers[-1], b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            assert b" 200 " in rest_of(peers[-1])
    finally:
        server.stop()


def test_more_connections_than_an_address_may_have_are_told_so_and_still_stop_a_model(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNOFF_CONNECTIONS_PER_ADDRESS", "20")
    server = Served(tmp_path / "home").start()
    desk = server.tokens["machine"]
    stream = f"GET /api/v1/stream?nonce=1 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {desk}\r\n\r\n".encode()
    try:
        with ExitStack() as stack:
            for _ in range(20):
                peer = stack.enter_context(connected(server))
                sent(peer, stream)
                assert b" 200 " in peer.recv(1000)
            refused = httpx.get(f"{server.url}/healthz")
            assert refused.status_code == 429
            assert "SIGNOFF_CONNECTIONS_PER_ADDRESS" in refused.json()["detail"]
            goes_on(server)
    finally:
        server.stop()


@pytest.mark.abuse
@pytest.mark.parametrize(
    "begun",
    [b"GET /healthz HTTP/1.1\r\nx-large: ", b"GET /", b"G", b"GET /healthz HTTP/1.1\r\nx-", b"\r\n"],
    ids=["in one value", "in the address", "in the method", "in a name", "in blank lines"],
)
def test_a_header_without_end_is_refused_before_it_takes_memory_or_time(served, begun):
    before, piece = memory_of(served), (b"\r\n" if begun == b"\r\n" else b"a") * (1 << 19)

    def flood():
        with connected(served) as peer:
            sent(peer, begun)
            for _ in range(1000):
                if not sent(peer, piece):
                    break
        return True

    with repeated(flood):
        for _ in range(5):
            goes_on(served)
    assert memory_of(served) - before < 200 << 20


def test_a_large_header_is_told_its_limit(served):
    with connected(served) as peer:
        sent(peer, b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-large: " + b"a" * 40_000 + b"\r\n\r\n")
        status, detail = problem_in(rest_of(peer))
    assert status == 431
    assert "32,768 bytes" in detail


@pytest.mark.parametrize("count", [101, 20_000])
def test_many_headers_are_told_their_limit(served, count):
    with connected(served) as peer:
        lines = b"".join(b"x%d: 1\r\n" % n for n in range(count))
        sent(peer, b"GET /healthz HTTP/1.1\r\nhost: x\r\n" + lines + b"\r\n")
        assert problem_in(rest_of(peer))[0] == 431
    goes_on(served)


def test_a_header_that_comes_in_pieces_is_read_like_any_other(served):
    with connected(served) as peer:
        whole = b"GET /healthz HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 20_000 + b"\r\nconnection: close\r\n\r\n"
        for start in range(0, len(whole), 1000):
            sent(peer, whole[start : start + 1000])
            time.sleep(0.01)
        assert b" 200 " in rest_of(peer)


@pytest.mark.parametrize(
    "piece",
    [b"1\r\na\r\n", b"1;" + b"x" * 5000 + b"\r\na\r\n", b"8000\r\n" + b" " * 0x8000 + b"\r\n"],
    ids=["of one byte", "with long extensions", "of 32 KiB"],
)
def test_a_body_of_chunks_without_end_is_ended(served, piece):
    began = time.monotonic()
    with connected(served) as peer:
        sent(peer, KILL + b"transfer-encoding: chunked\r\n\r\n")
        while sent(peer, piece * 20) and time.monotonic() - began < 40:
            time.sleep(0.005)
        said = rest_of(peer)
    assert time.monotonic() - began < 30
    assert said == b"" or b" 413 " in said or problem_in(said)[0] in {401, 408, 413}, said[:300]
    goes_on(served)


def test_trailers_without_end_are_ended_and_are_no_headers(served):
    before = memory_of(served)
    with connected(served) as peer:
        sent(peer, KILL + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nauthorization: Bearer x\r\nx-more: ")
        for _ in range(200):
            if not sent(peer, b"a" * (1 << 18)):
                break
        rest_of(peer)
    goes_on(served)
    assert memory_of(served) - before < 100 << 20


def test_a_body_that_trickles_is_told_how_long_it_may_take(served):
    began = time.monotonic()
    with connected(served) as peer:
        sent(peer, KILL + b"content-type: application/json\r\ncontent-length: 500\r\n\r\n")
        while sent(peer, b" ") and time.monotonic() - began < 6:
            time.sleep(0.2)
        status, detail = problem_in(rest_of(peer))
    assert (status, "within 2 s" in detail) == (408, True)


def test_a_kill_whose_body_never_ended_was_not_done(served):
    token = served.tokens["risk_manager"]
    with connected(served) as peer:
        sent(peer, KILL.replace(b"momentum", b"never-ended") + f"authorization: Bearer {token}\r\n".encode())
        sent(peer, b'transfer-encoding: chunked\r\n\r\n10\r\n{"reason":"half"}\r\n')
        assert problem_in(rest_of(peer))[0] in {400, 408}
    flags = served.client("machine").post("/ofrep/v1/evaluate/flags").text
    assert "never-ended" not in flags


def test_an_archive_that_trickles_from_nobody_is_answered_and_closed(served):
    began = time.monotonic()
    with connected(served) as peer:
        sent(peer, ARCHIVE + b"content-length: 100000000\r\n\r\n")
        assert b" 401 " in peer.recv(1 << 16)
        while sent(peer, b"P") and time.monotonic() - began < 20:
            time.sleep(0.2)
        assert time.monotonic() - began < 15
    goes_on(served)


def test_an_archive_that_trickles_from_somebody_holds_up_nothing(served):
    token = served.tokens["risk_manager"]
    with ExitStack() as stack:
        for _ in range(50):
            peer = stack.enter_context(connected(served))
            sent(peer, ARCHIVE + f"authorization: Bearer {token}\r\ncontent-length: 90000000\r\n\r\nPK".encode())
        goes_on(served)


def test_requests_asked_without_waiting_for_answers_come_to_an_end(served):
    before, ask = memory_of(served), b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    with connected(served) as peer:
        sent(peer, ask * 3000)
        said = rest_of(peer)
    assert 1 <= said.count(b" 200 OK") <= 100
    assert problem_in(said)[0] == 429

    def flood():
        with connected(served) as peer:
            while sent(peer, ask * 3000):
                pass
        return True

    with repeated(flood):
        for _ in range(5):
            goes_on(served)
    assert memory_of(served) - before < 100 << 20


def test_a_few_requests_asked_at_once_are_all_answered(served):
    ask = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
    with connected(served) as peer:
        sent(peer, ask * 9 + ask.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n"))
        assert rest_of(peer).count(b" 200 OK") == 10


def test_a_client_that_offers_another_protocol_is_answered_in_this_one(served):
    with connected(served) as peer:
        sent(peer, b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n")
        assert b" 200 " in rest_of(peer)


def test_what_is_no_http_is_told_so(served):
    with connected(served) as peer:
        sent(peer, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        status, detail = problem_in(rest_of(peer))
    assert (status, "HTTP/1.1" in detail) == (400, True)


def test_an_idle_connection_asks_again_and_is_then_closed(served):
    with connected(served) as peer:
        for _ in range(3):
            sent(peer, b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n")
            said = b""
            while not said.endswith(b"}"):
                said += peer.recv(1 << 16)
            assert b" 200 " in said
            time.sleep(0.5)
        for _ in range(40):
            if not sent(peer, b"\r\n"):
                break
            time.sleep(0.5)
        else:
            pytest.fail("blank lines kept it open")


def test_the_log_names_a_flood_in_few_lines(served):
    said = [line for line in served.logged() if line["message"] == "connections were refused"]
    assert said
    assert {line["address"] for line in said} == {"127.0.0.1"}
    assert len(said) < 500
