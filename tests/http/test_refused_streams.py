"""A desk that gets no flags says why: in `refused`, and in one line of its log."""

import logging
import socket
import threading
import time
from contextlib import ExitStack

import pytest

from signoff.desk import client as desk
from signoff.desk.client import FlagClient


def refused(caplog, url, *, token, keys, reason):
    with caplog.at_level(logging.WARNING, "signoff.desk"):
        client = FlagClient([url], token=token, keys=keys, models=["momentum"]).start()
        deadline = time.monotonic() + 30
        while not any(reason in why for why in client.refused) and time.monotonic() < deadline:
            time.sleep(0.02)
        client.stop()
    assert any(reason in why for why in client.refused), client.refused
    assert any(reason in record.getMessage() for record in caplog.records)
    assert client.flags("momentum").state == "closed"


def test_a_bad_token_a_wrong_key_and_no_server_show(served, caplog):
    key = served.house.ledger_key
    ours = {key.key_id: key.public_key}
    refused(caplog, served.url, token="signoff_wrong", keys=ours, reason="does not take this token (401)")
    token = served.tokens["risk_manager"]
    refused(caplog, served.url, token=token, keys={key.key_id: "00" * 32}, reason="not signed by a key of ours")
    refused(caplog, served.url, token=token, keys={}, reason="not signed by a key of ours")
    refused(caplog, "http://127.0.0.1:9", token=token, keys=ours, reason="no server listens")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "nothing came for"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n", "nothing came for"),
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>", "no stream"),
        (b"HTTP/1.1 503 Away\r\ncontent-length: 0\r\n\r\n", "answered 503"),
    ],
)
def test_a_proxy_that_holds_the_stream_back_or_answers_itself_shows(caplog, monkeypatch, answer, reason):
    monkeypatch.setattr(desk, "SILENCE_S", 0.3)
    with ExitStack() as held, socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                held.enter_context(connection)
                connection.recv(65536)
                connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        refused(caplog, f"http://127.0.0.1:{listening.getsockname()[1]}", token="t", keys={}, reason=reason)
