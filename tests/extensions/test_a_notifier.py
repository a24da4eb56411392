"""A notifier is one file of another package: notices and pages go where it sends them."""

import json

import pytest
import toy_package

from signoff.cli.main import main


@pytest.fixture
def wall(tmp_path, monkeypatch):
    """The file that the toy writes to."""
    site = toy_package.installed(tmp_path / "site", "toy_parts", wall=("notifiers", "wall"))
    toy_package.on_path(monkeypatch, site, "toy_parts")
    monkeypatch.setenv("SIGNOFF_NOTIFIER", "wall")
    return tmp_path / "home" / "notifiers" / "wall" / "wall.jsonl"


def test_notices_and_pages_go_to_the_notifier_that_was_chosen(wall, tmp_path):
    assert main(["notices", "--test", "--home", str(tmp_path / "home")]) == 0
    assert {json.loads(line)["severity"] for line in wall.read_text().splitlines()} == {"notice", "page"}
    assert not (tmp_path / "home" / "notices.jsonl").exists()


def test_a_notifier_that_fails_takes_nothing_and_says_why(wall, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SIGNOFF_NOTIFIER_BROKEN", "the wall is wet")
    assert main(["notices", "--test", "--home", str(tmp_path / "home")]) != 0
    assert "the wall is wet" in (said := capsys.readouterr()).out + said.err
    monkeypatch.delenv("SIGNOFF_NOTIFIER_BROKEN")
    assert not wall.exists()


def test_a_notifier_of_no_package_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SIGNOFF_NOTIFIER", "pigeon")
    assert main(["status", "--home", str(tmp_path / "home")]) == 2
    assert "'pigeon'; installed are: none" in capsys.readouterr().err
