"""What the feature function of an uploaded dossier is given: a process of its own, and none of the server's secrets."""

import os
import signal
import time

import httpx
import pytest
import release_folder
from http_server import Served

from signoff.adapters.archives import pack

CURIOUS = """import os, sys
raise ValueError(f"pid {os.getpid()} of {os.getppid()}, saw {dict(os.environ)} and {sys.argv}")
"""
ENDLESS = """import re
re.match("(a+)+$", "a" * 64 + "b")
"""


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNOFF_TOKEN", "signoff_0123_a-token-of-the-operator")
    monkeypatch.setenv("SIGNOFF_WEBHOOK_URL", "https://hooks.example.com/services/a-key")
    server = Served(tmp_path / "home").start()
    yield server
    server.stop()


def dossier(tmp_path, code):
    folder = release_folder.make(tmp_path / "dossier")
    (folder / "policy.yaml").unlink()  # the installation's own is in force
    module = folder / "example_features.py"
    module.write_text(code + module.read_text())
    return pack(folder, None)


def posted(server, path, role, **content):
    headers = {"authorization": f"Bearer {server.tokens[role]}"}
    if "content" in content:
        headers["content-type"] = "application/zip"
    return httpx.post(f"{server.url}/api/v1/{path}", headers=headers, timeout=120, **content)


@pytest.mark.slow
def test_it_runs_apart_and_sees_no_secret_of_the_server(server, tmp_path):
    answer = posted(server, "checks", "model_owner", content=dossier(tmp_path, CURIOUS))
    assert answer.status_code == 200, answer.text
    saw = answer.json()["point_in_time_reason"]
    assert "ValueError: pid " in saw
    assert f"pid {server.process.pid} " not in saw
    assert f"of {server.process.pid}," not in saw  # what asks for it is no part of the server either
    for secret in ("a-token-of-the-operator", "a-key", server.settings.database, "SIGNOFF_"):
        assert secret not in saw
    assert "out of reach of the network" in answer.json()["feature_code_ran"]
    assert any("out of reach of the network" in line.get("runs", "") for line in server.logged())  # when it started
    assert list((server.settings.home / "uploads").iterdir()) == []


def overridden(server, identity):
    """A release's code runs again before an override is signed; the envelope is wrong, and is looked at later."""
    headers = {**server.signed_in("risk_manager")}
    body = {"role": "risk_manager", "envelope": "{}", "reason": "r"}
    return httpx.post(f"{server.url}/api/v1/deployments/{identity}/overrides", headers=headers, json=body, timeout=120)


@pytest.mark.abuse
@pytest.mark.slow
def test_a_release_that_is_assessed_again_runs_its_code_outside_of_the_server(server, tmp_path):
    sent = posted(server, "deployments", "model_owner", content=dossier(tmp_path, CURIOUS))
    assert sent.status_code == 201, sent.text
    answer = overridden(server, sent.json()["deployment"])
    assert answer.status_code == 409, answer.text
    assert "do not give what was validated" in answer.json()["detail"]
    assert "a-token-of-the-operator" not in answer.text


@pytest.mark.abuse
@pytest.mark.slow
def test_an_expression_without_end_delays_no_kill_and_no_stop_of_the_server(server, tmp_path, monkeypatch):
    from concurrent.futures import ThreadPoolExecutor

    server.stop()
    monkeypatch.setenv("SIGNOFF_FOREIGN_CODE_SECONDS", "3")
    sent = posted(server.start(), "deployments", "model_owner", content=dossier(tmp_path, ENDLESS))
    assert sent.status_code == 201, sent.text
    server.stop()
    monkeypatch.setenv("SIGNOFF_FOREIGN_CODE_SECONDS", "600")
    server.start()
    with ThreadPoolExecutor(1) as elsewhere:
        overriding = elsewhere.submit(overridden, server, sent.json()["deployment"])
        time.sleep(1.5)
        assert not overriding.done()
        began = time.monotonic()
        assert posted(server, "models/momentum/kill", "risk_manager", json={"reason": "now"}).status_code == 200
        assert httpx.get(f"{server.url}/healthz", timeout=10).status_code == 200
        assert time.monotonic() - began < 5  # it took as long as the expression, which is for ever
        os.kill(server.process.pid, signal.SIGTERM)
        server.process.wait(30)  # the expression would have had ten minutes
        overriding.exception()
