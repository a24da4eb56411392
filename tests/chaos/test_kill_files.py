"""Files that other accounts put among the kills stop no model, name no other actor, and block nothing."""

import json
import os
import socket
import tempfile
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from http_server import Served
from other_account import NOBODY, needs_root, put

from signoff.adapters.kill_journal import KillFolders
from signoff.adapters.ledger_keys import LedgerKeys
from signoff.cli.main import main
from signoff.config.settings import settings
from signoff.domain.events import Killed
from signoff.installation import Installation
from signoff.ledger.canonical import canonical
from signoff.ports.kills import Kill

pytestmark = pytest.mark.abuse

LONG_AGO = datetime(2019, 1, 2, tzinfo=UTC)


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "home"
    assert main(["people", "add", "C. Yamada", "--make-key", "--role", "cto", "--home", str(home)]) == 0
    return home


def forged(identity=None, **changes):
    """A kill as an earlier version wrote it, in the name of the CTO and of long ago."""
    said = {"id": identity or uuid4().hex, "model": "momentum", "reason": "r", "actor": "C. Yamada"}
    return said | {"at": LONG_AGO.isoformat()} | changes


def planted(folder, said, name=None):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name or said['id']}.kill"
    path.write_bytes(canonical(said))
    return path


def old_temporary_folder(home):
    """Where an earlier version also looked for kills, which anybody could compute and create first."""
    return Path(tempfile.gettempdir()) / f"signoff-kills-{sha256(str(home.resolve()).encode()).hexdigest()[:16]}"


def killed(home):
    return [r for r in Installation(settings(home=str(home))).record.history() if isinstance(r.event, Killed)]


def worked(home, capsys):
    """One pass of the worker; what it had to say."""
    capsys.readouterr()
    assert main(["worker", "--home", str(home)]) == 0
    told = capsys.readouterr()
    return told.out + told.err


def awkward(folder):
    """One of everything that can lie in a folder instead of a kill, by its path."""
    folder.mkdir(mode=0o700, exist_ok=True)
    made = {}

    def named(kind):
        made[kind] = folder / f"{uuid4().hex}.kill"
        return made[kind]

    os.mkfifo(named("FIFO"))
    named("link to a FIFO").symlink_to(made["FIFO"])
    named("link to a device without end").symlink_to("/dev/zero")
    named("link to a kill").symlink_to(planted(folder.parent / "apart", forged()))
    named("folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(folder, os.O_RDONLY)
        listening.bind(f"/proc/self/fd/{here}/{named('socket').name}")
        os.close(here)
    with named("huge file").open("wb") as file:
        file.truncate(1 << 32)
    named("text").write_text("no kill")
    named("nothing").write_bytes(b"")
    named("list").write_text("[1]")
    named("deep").write_text("[" * 60_000)
    named("number for a name").write_bytes(canonical(forged(made["number for a name"].stem) | {"model": 7}))
    named("time without zone").write_bytes(canonical(forged(made["time without zone"].stem, at="2019-01-02T00:00:00")))
    named("field that no kill has").write_bytes(canonical(forged(made["field that no kill has"].stem, by="me")))
    made["name that differs from its id"] = planted(folder, forged(), name=uuid4().hex)
    made["name that is no id"] = planted(folder, forged("momentum"))
    return made


@pytest.mark.slow
def test_whatever_lies_among_the_kills_server_and_worker_answer_and_name_it(tmp_path, monkeypatch, capsys):
    served = Served(tmp_path / "home")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    old = old_temporary_folder(served.settings.home)
    old.mkdir()
    os.mkfifo(old / f"{uuid4().hex}.kill")
    planted(old, forged())
    made = awkward(served.settings.home / "kills")
    served.start()
    try:
        awkward(served.settings.home / "kills")  # and more of it under the running server
        client = served.client()
        assert httpx.get(f"{served.url}/healthz", timeout=10).status_code == 200
        assert httpx.get(f"{served.url}/readyz", timeout=10).json()["kills_to_record"] == 0
        address, context = "/ofrep/v1/evaluate/flags/models.momentum.enabled", {"context": {"version": "1.1.0"}}
        flags = served.client("machine").post(address, json=context, timeout=10)
        assert flags.json()["value"] is True
        answer = client.post("/api/v1/models/momentum/kill", json={"reason": "smoke"}, timeout=10)
        assert (answer.status_code, answer.json()["journaled"]) == (200, True)
        assert client.get("/", timeout=10).status_code == 200
        logged = " ".join(line["message"] for line in served.logged())
        assert [kind for kind, path in made.items() if str(path) not in logged] == []
        told = worked(served.settings.home, capsys)
        assert [kind for kind, path in made.items() if str(path) not in told] == []
        assert [(r.event.model, r.actor) for r in killed(served.settings.home)] == [("momentum", "R. Moreau")]
    finally:
        served.stop()


def test_a_kill_in_the_temporary_folder_of_an_earlier_version_is_not_read(home, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    planted(old_temporary_folder(home), forged())
    assert KillFolders.beside(home).pending() == ()
    worked(home, capsys)
    assert killed(home) == []


@needs_root
@pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770])
def test_a_file_of_another_account_in_an_open_folder_kills_nobody_and_is_named(home, capsys, mode):
    folder = home / "kills"
    said = forged()
    path = planted(folder, said)
    put(path, canonical(said), NOBODY, 0o644)
    folder.chmod(mode)
    told = worked(home, capsys)
    assert killed(home) == []
    assert f"{path}: expected a file of root, found one of nobody." in told
    assert folder.stat().st_mode & 0o777 == 0o700
    assert path.exists()


@needs_root
def test_a_folder_that_another_account_made_first_is_neither_read_nor_written(home, capsys):
    folder = home / "kills"
    path = planted(folder, forged())
    os.chown(folder, NOBODY, NOBODY)
    journal = KillFolders.beside(home)
    kill = Kill(id=uuid4().hex, model="momentum", reason="r", actor="t", at=LONG_AGO)
    assert not journal.write(kill)
    assert journal.pending() == (kill,)  # in memory
    assert list(folder.iterdir()) == [path]
    assert f"{folder}: expected a folder of root, found one of nobody" in worked(home, capsys)
    assert killed(home) == []


def test_a_folder_that_is_a_link_is_not_followed(home, tmp_path, capsys):
    planted(tmp_path / "elsewhere", forged())
    (home / "kills").symlink_to(tmp_path / "elsewhere")
    assert "expected a folder of kills, found a symbolic link" in worked(home, capsys)
    assert killed(home) == []


def test_a_kill_of_an_earlier_version_is_recorded_as_unproven_and_dated_by_its_file(home, capsys):
    """An account that can write this file could also write the ledger."""
    began = datetime.now(UTC) - timedelta(seconds=5)
    folder = home / "kills"
    planted(folder, forged()).chmod(0o644)
    folder.chmod(0o755)
    worked(home, capsys)
    (recorded,) = killed(home)
    assert recorded.actor == "C. Yamada (unproven)"
    assert began < recorded.at <= datetime.now(UTC)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert main(["verify", "--home", str(home)]) == 0


def test_an_unproven_kill_dated_tomorrow_is_dated_by_its_file(home, capsys):
    planted(home / "kills", forged(at=(datetime.now(UTC) + timedelta(days=1)).isoformat()))
    worked(home, capsys)
    assert killed(home)[0].at <= datetime.now(UTC)


def test_an_unproven_kill_in_a_file_that_others_may_write_to_is_not_believed(home, capsys):
    path = planted(home / "kills", forged())
    path.chmod(0o666)
    assert f"{path}: expected a kill with a proof" in worked(home, capsys)
    assert killed(home) == []


def journaled(home, **changes):
    """A kill that a process of this installation took, and that the ledger does not hold; its file."""
    asked = {"model": "momentum", "reason": "r", "actor": "R. Moreau", "at": datetime.now(UTC)} | changes
    kill = Kill(id=uuid4().hex, **asked)
    assert Installation(settings(home=str(home))).kills.write(kill)
    return kill, home / "kills" / f"{kill.id}.kill"


def test_a_kill_carries_a_proof_and_is_readable_by_its_owner_only(home, capsys):
    kill, path = journaled(home)
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert KillFolders.beside(home).pending() == (kill,)
    worked(home, capsys)
    assert [(r.actor, r.at) for r in killed(home)] == [("R. Moreau", kill.at)]


@pytest.mark.parametrize(
    "change", [{"actor": "C. Yamada"}, {"model": "carry"}, {"at": LONG_AGO.isoformat()}, {"reason": "other"}]
)
def test_a_kill_that_was_altered_is_not_believed_and_named(home, capsys, change):
    _, path = journaled(home)
    path.write_bytes(canonical(json.loads(path.read_bytes()) | change))
    told = worked(home, capsys)
    assert f"{path}: expected a kill that a process of this installation signed" in told
    assert killed(home) == []


@pytest.mark.parametrize("proof", ["", "AAAA", "no base64", "A" * 88])
def test_an_invalid_proof_does_not_count_as_a_missing_one(home, capsys, proof):
    _, path = journaled(home)
    path.write_bytes(canonical(json.loads(path.read_bytes()) | {"proof": proof}))
    worked(home, capsys)
    assert killed(home) == []


def test_a_proof_of_another_installation_is_refused(home, tmp_path, capsys):
    other = tmp_path / "other"
    assert main(["people", "add", "C. Yamada", "--make-key", "--role", "cto", "--home", str(other)]) == 0
    _, path = journaled(other)
    planted(home / "kills", json.loads(path.read_bytes()))
    worked(home, capsys)
    assert killed(home) == []


def test_a_kill_signed_before_the_ledgers_key_was_rotated_is_believed_afterwards(home, capsys):
    kill, _ = journaled(home)
    assert main(["ledger", "rotate-key", "--home", str(home)]) == 0
    assert KillFolders.beside(home).pending() == (kill,)
    later, _ = journaled(home)
    assert set(KillFolders.beside(home).pending()) == {kill, later}
    assert len(LedgerKeys(home).chain.handovers) == 1


def test_without_a_readable_key_a_kill_is_taken_and_marked_unproven(home):
    for key in home.glob("ledger.*"):
        key.unlink()
    journal = KillFolders.beside(home)
    kill = Kill(id=uuid4().hex, model="momentum", reason="r", actor="Rae", at=datetime.now(UTC))
    assert journal.write(kill)
    assert [(k.model, k.actor) for k in journal.pending()] == [("momentum", "Rae (unproven)")]


def test_a_late_kill_is_dated_no_earlier_than_what_its_model_was_told_before(home, capsys):
    Installation(settings(home=str(home))).kill_switch.kill("momentum", reason="the first", actor="Rae")
    journaled(home, at=datetime.now(UTC) - timedelta(days=400))
    worked(home, capsys)
    first, second = killed(home)
    assert second.at == first.at


def test_a_kill_that_is_on_record_and_put_there_again_fences_no_orders(home, capsys):
    _, path = journaled(home)
    content = path.read_bytes()
    worked(home, capsys)
    house = Installation(settings(home=str(home), venue="simulated"))
    house.broker.fence("momentum:", 5)
    house.broker.lift("momentum:", 1)
    path.write_bytes(content)
    assert house.kill_switch.reconcile() == 0
    assert not path.exists()
    assert house.broker._fences["momentum:"] == 0
    assert len(killed(home)) == 1


@needs_root
def test_a_kill_by_root_is_left_to_the_account_whose_home_it_is(home):
    os.chown(home, NOBODY, NOBODY)
    (home / "kills").mkdir(mode=0o700)
    os.chown(home / "kills", NOBODY, NOBODY)
    _, path = journaled(home)
    assert path.stat().st_uid == NOBODY
    assert len(KillFolders.beside(home).pending()) == 1


@pytest.mark.parametrize("name", [b"\xff\xfe", b"a\nb", b"\x1b[31mred"])
def test_control_characters_in_the_name_of_a_file_are_escaped(home, capsys, name):
    folder = home / "kills"
    folder.mkdir(mode=0o700)
    (folder / f"{os.fsdecode(name)}.kill").touch()
    told = worked(home, capsys)
    assert "kill: expected a name of 32 digits" in told
    assert "\x1b" not in told


def blocked(home):
    """A home that takes no kill: something is in the way of its folder."""
    (home / "kills").write_text("in the way")


def fallback(tmp_path, monkeypatch, mode=0o700):
    folder = tmp_path / "second"
    folder.mkdir()
    folder.chmod(mode)
    monkeypatch.setenv("SIGNOFF_KILL_FALLBACK", str(folder))
    return folder


def test_a_home_that_cannot_be_written_leaves_its_kills_in_the_second_folder(home, tmp_path, monkeypatch, capsys):
    folder = fallback(tmp_path, monkeypatch)
    blocked(home)
    assert main(["kill", "momentum", "--reason", "r", "--home", str(home)]) == 1
    assert killed(home)[0].event.model == "momentum"
    journal = Installation(settings(home=str(home))).kills
    kill = Kill(id=uuid4().hex, model="carry", reason="r", actor="t", at=datetime.now(UTC))
    assert journal.write(kill)
    assert [path.stat().st_mode & 0o777 for path in folder.iterdir()] == [0o600]
    worked(home, capsys)
    assert [r.event.model for r in killed(home)] == ["momentum", "carry"]
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o1777, 0o710])
def test_a_second_folder_that_is_open_to_others_is_refused_and_prevents_no_kill(
    home, tmp_path, monkeypatch, capsys, mode
):
    folder = fallback(tmp_path, monkeypatch, mode)
    planted(folder, forged())
    told = worked(home, capsys)
    assert f"`chmod 0700 {folder}`" in told
    assert killed(home) == []
    assert main(["kill", "momentum", "--reason", "r", "--home", str(home)]) == 1
    assert len(killed(home)) == 1
    assert folder.stat().st_mode & 0o7777 == mode


@pytest.mark.parametrize("kind", ["nothing", "a file", "a link"])
def test_a_second_folder_that_is_no_folder_is_named(home, tmp_path, monkeypatch, capsys, kind):
    folder = fallback(tmp_path, monkeypatch)
    folder.rmdir()
    if kind == "a file":
        folder.write_text("")
    if kind == "a link":
        folder.symlink_to(home)
    assert str(folder) in worked(home, capsys)
    assert main(["kill", "momentum", "--reason", "r", "--home", str(home)]) == 1
    assert len(killed(home)) == 1


@needs_root
def test_a_second_folder_of_another_account_is_refused(home, tmp_path, monkeypatch, capsys):
    folder = fallback(tmp_path, monkeypatch)
    planted(folder, forged())
    os.chown(folder, NOBODY, NOBODY)
    assert f"{folder}: expected a folder of root, found one of nobody" in worked(home, capsys)
    assert killed(home) == []


def test_a_kill_that_nothing_took_is_said_to_be_lost_with_its_command(home, capsys):
    blocked(home)
    for beside in home.glob("signoff.db*"):
        beside.unlink()
    (home / "signoff.db").write_bytes(b"no database" * 1000)
    assert main(["kill", "momentum", "--reason", "r", "--home", str(home)]) == 2
    assert "NO DISK AND NO LEDGER took this kill" in capsys.readouterr().out


def test_what_is_wrong_is_logged_once_and_again_when_it_comes_back(home, caplog):
    journal = KillFolders.beside(home)
    path = planted(home / "kills", {"no": "kill"}, name=uuid4().hex)
    for _ in range(3):
        journal.pending()
    path.unlink()
    journal.pending()
    assert journal.objections() == ()
    path.write_text("again no kill")
    journal.pending()
    assert sum(str(path) in record.getMessage() for record in caplog.records) == 2
