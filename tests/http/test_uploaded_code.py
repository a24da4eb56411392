"""What the feature function of an uploaded dossier is given: a process of its own, and none of the server's secrets."""

import json

import httpx
import pytest
import release_folder
from http_server import Served

from signoff.adapters.archives import pack

CURIOUS = """import json, os, pathlib, sys
pathlib.Path({where!r}).write_text(json.dumps([dict(os.environ), os.getpid(), sys.argv]))
"""


@pytest.mark.slow
def test_it_runs_apart_and_sees_no_secret_of_the_server(tmp_path, monkeypatch):
    monkeypatch.setenv("SIGNOFF_TOKEN", "signoff_0123_a-token-of-the-operator")
    monkeypatch.setenv("SIGNOFF_WEBHOOK_URL", "https://hooks.example.com/services/a-key")
    folder, seen = release_folder.make(tmp_path / "dossier"), tmp_path / "seen.json"
    module = folder / "example_features.py"
    module.write_text(CURIOUS.format(where=str(seen)) + module.read_text())
    server = Served(tmp_path / "home").start()
    try:
        headers = {"authorization": f"Bearer {server.tokens['model_owner']}", "content-type": "application/zip"}
        answer = httpx.post(f"{server.url}/api/v1/checks", content=pack(folder, None), headers=headers, timeout=120)
        assert answer.status_code == 200, answer.text
        process = server.process.pid
    finally:
        server.stop()
    environment, ran_in, line = json.loads(seen.read_text())
    assert ran_in != process
    kept = json.dumps([environment, line])
    assert "a-token-of-the-operator" not in kept
    assert "a-key" not in kept
    assert server.settings.database not in json.dumps(line)  # a URL may hold a password, and lines are for all to read
    assert list((server.settings.home / "uploads").iterdir()) == []
