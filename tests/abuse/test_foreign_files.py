"""Links, FIFOs, devices and files of other accounts are refused with their path, without blocking."""

import contextlib
import os
import shutil
import socket

import forked
import httpx
import pytest
import release_folder
from http_server import Served

from signoff.adapters.archives import pack
from signoff.adapters.folder_files import read_inside
from signoff.adapters.folders import ReleaseFolders
from signoff.adapters.foreign_files import ForeignFileError
from signoff.adapters.signing_keys import KeyFile
from signoff.config.settings import settings
from signoff.domain.errors import BadInputError
from signoff.installation import Installation

PATIENCE_S = 60
STRANGER = 65533


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return release_folder.make(tmp_path_factory.mktemp("release") / "dossier", sessions=300)


@pytest.fixture
def folder(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "dossier")


def ended(*command):
    """Exit status and what was said; a command that waits for ever fails."""
    status, said = forked.ran(*command, within=PATIENCE_S)
    return status, " ".join(said.split())


def a_fifo(path, _away):
    os.mkfifo(path)


def a_socket(path, _away):
    with socket.socket(socket.AF_UNIX) as listening, contextlib.chdir(path.parent):  # a socket's address is short
        listening.bind(path.name)


def a_device(path, _away):
    path.symlink_to("/dev/zero")


def a_link_out(path, away):
    away.write_bytes(b"a secret of somebody else")
    path.symlink_to(away)


def a_circle(path, _away):
    path.symlink_to(path.name)


def a_real_device(path, _away):
    try:
        os.mknod(path, 0o600 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("only root makes devices")


ODD = [a_fifo, a_socket, a_device, a_link_out, a_circle, a_real_device]
PLACES = [
    "dossier.yaml",
    "policy.yaml",
    "backtest.parquet",
    "trials.csv.gz",
    "paper.link",
    "backtest.import.json",
    "junit/unit.xml",
    "example_features.py",
    "inputs/prices.parquet",
]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", PLACES)
def test_special_files_and_links_out_of_a_folder_are_refused_with_their_path(folder, tmp_path, place, odd):
    path = folder / place
    path.parent.mkdir(exist_ok=True)
    for other in path.parent.glob(f"{path.name.partition('.')[0]}.*"):
        if place != "backtest.import.json":
            other.unlink()
    path.unlink(missing_ok=True)
    odd(path, tmp_path / "away")
    from signoff.adapters.evidence.reader import FolderReader

    with pytest.raises(BadInputError) as caught:
        FolderReader().read(folder, None)
    assert str(path) in str(caught.value)


@pytest.mark.abuse
@pytest.mark.parametrize("odd", [a_fifo, a_device, a_link_out])
def test_the_command_names_the_path_and_does_not_wait(folder, tmp_path, odd):
    (folder / "predictions.parquet").unlink()
    odd(folder / "predictions.parquet", tmp_path / "away")
    status, said = ended("check", str(folder))
    assert (status, "predictions.parquet" in said, "Traceback" in said) == (2, True, False), said


@pytest.mark.parametrize("odd", [a_fifo, a_device, a_socket])
def test_an_import_names_the_path_and_does_not_wait(tmp_path, odd):
    odd(tmp_path / "returns.csv", tmp_path / "away")
    status, said = ended("import", "pyfolio", str(tmp_path / "returns.csv"), "--out", str(tmp_path / "out"))
    assert (status, "regular file" in said, "Traceback" in said) == (2, True, False), said


@pytest.mark.parametrize("odd", ODD)
def test_nothing_from_elsewhere_is_packed_and_sent(folder, tmp_path, odd):
    odd(folder / "notes.txt", tmp_path / "away")
    with pytest.raises(BadInputError, match=r"notes\.txt"):
        pack(folder, None)


def test_a_link_within_the_folder_is_the_file_it_leads_to(folder):
    (folder / "kept").mkdir()
    (folder / "trials.parquet").rename(folder / "kept" / "t.parquet")
    (folder / "trials.parquet").symlink_to("kept/t.parquet")
    assert ended("check", str(folder))[0] in {0, 1}
    assert read_inside(folder / "trials.parquet", folder, limit=1 << 30)


def test_a_folder_reached_through_a_link_out_is_refused(folder, tmp_path):
    shutil.move(folder / "inputs", tmp_path / "inputs")
    (folder / "inputs").symlink_to(tmp_path / "inputs")
    status, said = ended("check", str(folder))
    assert (status, "inputs" in said) == (2, True), said


def test_submitted_files_that_become_something_else_count_as_changed(folder, tmp_path):
    kept = ReleaseFolders(tmp_path / "releases")
    content = (folder / "backtest.parquet").read_bytes()
    kept.remember_origin("r", folder, {"backtest.parquet": content})
    (folder / "backtest.parquet").unlink()
    os.mkfifo(folder / "backtest.parquet")
    assert kept.origin("r") == {"backtest.parquet": b""}


def opened(home):
    """An installation that has its keys and a ledger with one model."""
    return Served(home).house


@pytest.mark.parametrize("name", ["ledger.key", "keys/rae.pem"])
@pytest.mark.parametrize("odd", [a_fifo, a_link_out, a_socket])
def test_a_private_key_that_is_no_regular_file_is_refused_with_its_path(tmp_path, name, odd):
    path = tmp_path / "home" / name
    path.parent.mkdir(parents=True)
    odd(path, tmp_path / "away")
    with pytest.raises(ForeignFileError, match=path.name):
        KeyFile.held(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
@pytest.mark.parametrize("name", ["ledger.key", "ledger.pub", "verified.json"])
def test_files_of_another_account_in_the_home_are_refused_with_their_path(tmp_path, name):
    house = opened(tmp_path / "home")
    house.ledger.verify()
    path = house.settings.home / name
    if not path.exists():
        path.write_bytes(b"signoff-keys\n")
    os.chown(path, STRANGER, STRANGER)
    status, said = ended("verify", "--home", str(house.settings.home))
    assert status == 2, said
    assert str(path) in said


@pytest.mark.abuse
@pytest.mark.parametrize("command", [["status"], ["worker"], ["serve", "--port", "1"], ["verify"]])
def test_a_world_writable_home_is_refused(tmp_path, command):
    house = opened(tmp_path / "home")
    house.settings.home.chmod(0o777)
    status, said = ended(*command, "--home", str(house.settings.home))
    assert (status, "chmod o-w" in said, str(house.settings.home) in said) == (2, True, True), said


@pytest.mark.abuse
@pytest.mark.parametrize("spoil", ["home", "keys", "ledger.key"])
def test_a_kill_goes_on_whatever_the_home_is_like(tmp_path, spoil):
    house = opened(tmp_path / "home")
    home = house.settings.home
    if spoil == "ledger.key":
        (home / spoil).rename(tmp_path / "moved.key")
        (home / spoil).symlink_to(tmp_path / "moved.key")
    else:
        (home / spoil if spoil == "keys" else home).chmod(0o777)
    status, said = ended("kill", "momentum", "--reason", "drill", "--home", str(home), "--venue", "simulated")
    assert status == 0, said
    assert str(home) in said
    assert "momentum is killed" in said


def test_a_running_server_kills_although_its_home_was_opened_meanwhile(tmp_path):
    server = Served(tmp_path / "home").start()
    try:
        server.settings.home.chmod(0o777)
        answer = httpx.post(
            f"{server.url}/api/v1/models/momentum/kill",
            headers={"authorization": f"Bearer {server.tokens['risk_manager']}"},
            json={"reason": "drill"},
            timeout=30,
        )
        assert answer.status_code == 200
    finally:
        server.stop()


def test_a_home_is_made_for_its_owner_alone_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        Installation(settings(home=str(tmp_path / "home"))).store.size()
    finally:
        os.umask(before)
    assert not (tmp_path / "home").stat().st_mode & 0o002
    Installation(settings(home=str(tmp_path / "home"))).store.size()
