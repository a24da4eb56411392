"""The auditor's own command."""

import json
import subprocess
import sys

import pytest
from small_ledger import approved_release, exported, memory_store

from signoff import verify

HEAVY = (
    "sqlalchemy",
    "alembic",
    "matplotlib",
    "numba",
    "polars",
    "typst",
    "fastapi",
    "typer",
    "rich",
    "mlflow",
    "httpx",
)


@pytest.fixture
def export(tmp_path):
    for name, content in exported(approved_release(memory_store())).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_it_says_what_the_installation_says(export, capsys):
    assert verify.main([str(export)]) == 0
    assert "intact" in capsys.readouterr().out
    assert verify.main([str(export), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []


@pytest.mark.parametrize("name", ["events.jsonl", "states.json", "checkpoint", "manifest.json"])
def test_an_altered_byte_is_found_and_named(export, capsys, name):
    content = bytearray((export / name).read_bytes())
    content[len(content) // 2] ^= 1
    (export / name).write_bytes(content)
    assert verify.main([str(export)]) == 1
    assert "TAMPERED" in capsys.readouterr().out


def test_another_ledgers_key_is_found(export, capsys):
    assert verify.main([str(export), "--key", "0" * 16]) == 1
    assert "expected 0000" in capsys.readouterr().out


def test_a_folder_that_is_none_is_said(tmp_path, capsys):
    assert verify.main([str(tmp_path / "none")]) == 2
    assert "found nothing" in capsys.readouterr().err


def test_it_needs_nothing_of_the_server(export):
    ask = f"import sys; from signoff.verify import main; main([{str(export)!r}]); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in ended.stdout.split()}
    assert loaded.isdisjoint(HEAVY)
