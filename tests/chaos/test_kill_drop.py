"""Members of a group stop models through the drop folder, each as themselves; other accounts cannot."""

import json
import os
import socket
import time
from datetime import UTC, datetime
from uuid import uuid4

import httpx
import pytest
from forked import Command
from http_server import Served
from other_account import DAEMON, GROUP, NOBODY, needs_root, put, ran_as, reachable_folder

from signoff.adapters import drop_turns
from signoff.adapters.kill_drop import KillDrop
from signoff.adapters.kill_journal import KillFolders
from signoff.cli.main import main
from signoff.config.settings import settings
from signoff.domain.events import Killed
from signoff.installation import Installation
from signoff.ports.kills import Kill, Reach

pytestmark = needs_root


@pytest.fixture
def place():
    with reachable_folder() as folder:
        yield folder


@pytest.fixture
def drop(place, monkeypatch):
    folder = place / "drop"
    folder.mkdir()
    os.chown(folder, 0, NOBODY)
    folder.chmod(0o3770)
    monkeypatch.setenv("SIGNOFF_KILL_DROP", str(folder))
    monkeypatch.setenv("SIGNOFF_KILL_GROUP", GROUP)
    return folder


@pytest.fixture
def home(place, drop):
    home = place / "home"
    assert main(["people", "add", "C. Yamada", "--make-key", "--role", "cto", "--home", str(home)]) == 0
    assert (
        main(["people", "add", "Rae", "--make-key", "--role", "risk_manager", "--login", "nobody", "--home", str(home)])
        == 0
    )
    home.chmod(0o700)
    return home


def killed(home):
    return [r for r in Installation(settings(home=str(home))).record.history() if isinstance(r.event, Killed)]


def worked(home, capsys):
    capsys.readouterr()
    assert main(["worker", "--home", str(home)]) == 0
    told = capsys.readouterr()
    return told.out + told.err


def left(drop, user=NOBODY, name=None, mode=0o644, **said):
    path = drop / f"{name or uuid4().hex}.kill"
    said = {"file": path.name} | (said or {"model": "momentum", "reason": "smoke"})
    return put(path, json.dumps(said), user, mode)


def until(holds, seconds=30):
    end = time.monotonic() + seconds
    while time.monotonic() < end and not holds():
        time.sleep(0.05)
    assert holds()


def test_a_member_who_reaches_neither_home_nor_database_kills_with_the_server_down(place, drop, monkeypatch):
    served = Served(place / "home")
    served.settings.home.chmod(0o700)
    done = ran_as(NOBODY, "kill", "momentum", "--reason", "smoke", "--home", str(served.settings.home))
    assert done.returncode == 1, done.stderr
    assert "since this account cannot write to the installation's home" in done.stdout
    (path,) = drop.glob("*.kill")
    assert (path.stat().st_uid, str(path) in done.stdout) == (NOBODY, True)
    assert killed(served.settings.home) == []
    served.start()
    try:
        flags = "/ofrep/v1/evaluate/flags/models.momentum.enabled"
        until(lambda: served.client("machine").post(flags).json().get("value") is False)
        assert list(drop.iterdir()) == []
        assert main(["worker", "--home", str(served.settings.home)]) == 0
        assert [(r.event.model, r.actor, r.event.reason) for r in killed(served.settings.home)] == [
            ("momentum", "local account nobody", "smoke")
        ]
    finally:
        served.stop()
    assert main(["verify", "--home", str(served.settings.home)]) == 0


def test_a_member_without_a_home_of_their_own_makes_none(place, drop):
    done = ran_as(NOBODY, "kill", "momentum", "--reason", "smoke", "--home", str(place / "nowhere"))
    assert done.returncode == 1, done.stderr
    assert len(list(drop.iterdir())) == 1
    assert not (place / "nowhere").exists()


@pytest.mark.parametrize(("said", "reach"), [(["--all"], Reach.ALL), (["--desk", "equities"], Reach.DESK)])
def test_a_member_stops_a_desk_and_everything(place, drop, home, said, reach):
    done = ran_as(NOBODY, "--json", "kill", *said, "--reason", "smoke", "--home", str(home))
    document = json.loads(done.stdout)
    assert (document["models"], document["handed_over"]) == ([], str(next(drop.glob("*.kill"))))
    assert Installation(settings(home=str(home))).kills.collect() == 1
    (kill,) = Installation(settings(home=str(home))).kills.pending()
    assert (kill.reach, kill.desk) == (reach, "equities" if reach is Reach.DESK else "")


def test_an_account_that_is_no_member_is_told_that_nothing_took_its_kill(place, drop, home):
    done = ran_as(DAEMON, "kill", "momentum", "--reason", "smoke", "--home", str(home))
    assert done.returncode == 2
    assert "NO DISK AND NO LEDGER" in done.stdout
    assert "Traceback" not in done.stderr


def test_the_actor_is_the_enrolled_person_whose_login_the_owner_is(home, drop, capsys):
    began = datetime.now(UTC)
    left(drop)
    worked(home, capsys)
    (recorded,) = killed(home)
    assert recorded.actor == "Rae"
    assert began < recorded.at < datetime.now(UTC)
    assert list(drop.iterdir()) == []


@pytest.mark.abuse
@pytest.mark.parametrize(
    "said",
    [
        {"actor": "C. Yamada"},
        {"at": "2019-01-02T00:00:00+00:00"},
        {"id": "0" * 32, "account": "root", "proof": "A" * 88},
        {"actor": "C. Yamada", "at": "2019-01-02T00:00:00+00:00", "id": "1" * 32, "epoch": 9},
    ],
)
def test_a_member_speaks_for_nobody_else_and_of_no_other_time(home, drop, capsys, said):
    began = datetime.now(UTC)
    path = left(drop, model="momentum", reason="smoke", **said)
    os.utime(path, (1, 1))
    worked(home, capsys)
    (recorded,) = killed(home)
    assert (recorded.actor, recorded.event.model) == ("Rae", "momentum")
    assert recorded.at > began


@pytest.mark.abuse
@pytest.mark.parametrize("user", [0, DAEMON, 4_000_000])
def test_a_file_of_somebody_who_is_no_member_stops_nobody_and_is_named(home, drop, capsys, user):
    path = left(drop, user)
    assert f"{path}: expected a file of a member of {GROUP}, found one of" in worked(home, capsys)
    assert killed(home) == []
    assert path.exists()


def test_a_supplementary_group_makes_a_member(home, drop, capsys, monkeypatch):
    monkeypatch.setattr(os, "getgrouplist", lambda name, first: [first, NOBODY] if name == "daemon" else [first])
    left(drop, DAEMON)
    worked(home, capsys)
    assert [r.actor for r in killed(home)] == ["local account daemon"]


def test_many_invalid_files_hide_no_kill_and_do_not_fill_the_log(home, drop, capsys):
    for n in range(300):
        put(drop / f"{n}.kill", "no kill", NOBODY)
    left(drop)
    assert worked(home, capsys).count(".kill: expected") == 50
    assert len(killed(home)) == 1


def test_a_file_that_others_could_have_written_names_the_group_as_its_actor(home, drop, capsys):
    left(drop, mode=0o664)
    second = left(drop, model="carry", reason="smoke")
    os.link(second, drop.parent / "second name")
    worked(home, capsys)
    assert sorted((r.event.model, r.actor) for r in killed(home)) == [
        ("carry", f"a member of {GROUP}"),
        ("momentum", f"a member of {GROUP}"),
    ]


def test_a_login_that_no_person_holds_is_named_as_the_account(home, drop, capsys):
    arguments = ["people", "add", "Rae", "--make-key", "--role", "risk_manager", "--login", "rae", "--home", str(home)]
    assert main(arguments) == 0
    left(drop)
    worked(home, capsys)
    assert killed(home)[0].actor == "local account nobody"


def test_a_file_with_the_name_of_a_pending_kill_does_not_replace_it(home, drop):
    journal = Installation(settings(home=str(home))).kills
    kill = Kill(id=uuid4().hex, model="momentum", reason="r", actor="t", at=datetime.now(UTC))
    assert journal.write(kill)
    left(drop, name=kill.id, model="harmless", reason="r")
    assert journal.collect() == 1
    assert [k.model for k in journal.pending()] == ["momentum", "harmless"]


def test_the_same_name_may_be_used_again(home, drop, capsys):
    for _ in range(2):
        left(drop, name="now")
        worked(home, capsys)
    assert len(killed(home)) == 2


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no json",
        "[]",
        "{}",
        '{"model": 7}',
        '{"model": ""}',
        '{"all": "yes"}',
        '{"all": true, "model": "m"}',
        "[" * 60_000,
        '{"model": "' + "m" * 70_000 + '"}',
        '{"model": "a\\u0000b"}',
        '{"desk": "' + "d" * 300 + '"}',
    ],
)
def test_an_invalid_file_is_refused_and_named(home, drop, capsys, text):
    path = put(drop / "x.kill", text, NOBODY)
    assert str(path) in worked(home, capsys)
    assert killed(home) == []
    assert path.exists()


def test_an_invalid_reason_does_not_prevent_a_kill(home, drop, capsys):
    put(drop / "x.kill", '{"model": "momentum", "reason": "\\ud800' + "x" * 5000 + '"}', NOBODY)
    put(drop / "y.kill", '{"model": "carry", "reason": 7}', NOBODY)
    put(drop / "z.kill", '{"model": "value"}', NOBODY)
    worked(home, capsys)
    assert sorted((r.event.model, r.event.reason[:4]) for r in killed(home)) == [
        ("carry", "no r"),
        ("momentum", "?xxx"),
        ("value", "no r"),
    ]


@pytest.mark.slow
def test_special_files_in_the_drop_folder_block_neither_server_nor_worker(place, drop):
    served = Served(place / "home")
    os.mkfifo(drop / "fifo.kill")
    (drop / "link.kill").symlink_to(drop / "fifo.kill")
    (drop / "zero.kill").symlink_to("/dev/zero")
    (drop / "passwords.kill").symlink_to("/etc/shadow")
    (drop / "folder.kill").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(drop / "socket.kill"))
    with (drop / "huge.kill").open("wb") as file:
        file.truncate(1 << 32)
    os.chown(drop / "huge.kill", NOBODY, NOBODY)
    served.start()
    log = served.settings.home / "worker.log"
    worker = Command("worker", "--watch", "--home", str(served.settings.home), log=log)
    try:
        left(drop, model="momentum", reason="smoke")
        assert httpx.get(f"{served.url}/healthz", timeout=10).status_code == 200
        flags = "/ofrep/v1/evaluate/flags/models.momentum.enabled"
        until(lambda: served.client("machine").post(flags, timeout=10).json().get("value") is False)
        answer = served.client().post("/api/v1/models/carry/kill", json={"reason": "r"}, timeout=10)
        assert (answer.status_code, answer.json()["journaled"]) == (200, True)
        until(lambda: {r.event.model for r in killed(served.settings.home)} == {"momentum", "carry"})
        logged = log.read_text() + " ".join(line["message"] for line in served.logged())
        names = ("fifo", "link", "zero", "passwords", "folder", "socket", "huge")
        assert [name for name in names if f"{name}.kill: expected" not in logged] == []
    finally:
        worker.terminate()
        worker.wait(30)
        served.stop()


@pytest.mark.parametrize(
    ("mode", "owner", "group"),
    [(0o3777, 0, NOBODY), (0o3770, DAEMON, NOBODY), (0o3770, NOBODY, NOBODY), (0o3770, 0, DAEMON), (0o3772, 0, NOBODY)],
)
def test_a_wrongly_set_up_drop_folder_is_refused_with_the_command_that_makes_it(home, drop, capsys, mode, owner, group):
    left(drop)
    os.chown(drop, owner, group)
    drop.chmod(mode)
    assert f"install -d -m 3770 -o root -g {GROUP} {drop}" in worked(home, capsys)
    assert killed(home) == []
    assert main(["kill", "momentum", "--reason", "r", "--home", str(home)]) == 1
    assert len(killed(home)) == 1


@pytest.mark.parametrize("group", ["", "no-such-group"])
def test_an_unknown_group_is_named_and_prevents_no_kill_by_command(home, drop, monkeypatch, capsys, group):
    monkeypatch.setenv("SIGNOFF_KILL_GROUP", group)
    left(drop)
    assert f"{drop}: expected" in worked(home, capsys)
    assert killed(home) == []
    assert main(["kill", "momentum", "--reason", "r", "--home", str(home)]) == 1


@pytest.mark.parametrize("kind", ["nothing", "a file", "a link"])
def test_a_drop_folder_that_is_no_folder_is_named(home, drop, capsys, kind):
    drop.rmdir()
    if kind == "a file":
        drop.write_text("")
    if kind == "a link":
        drop.symlink_to(home)
    assert str(drop) in worked(home, capsys)


def test_a_kill_that_no_disk_takes_stays_in_the_drop_folder_and_is_in_force(home, drop):
    (home / "kills").write_text("in the way")
    path = left(drop)
    journal = Installation(settings(home=str(home))).kills
    journal.collect()
    journal.collect()
    assert [kill.model for kill in journal.pending()] == ["momentum"]
    assert path.exists()


def test_a_service_that_cannot_remove_files_from_a_sticky_folder_takes_none(place):
    """Otherwise it would take the same kill in every pass."""
    folder = place / "drop"
    folder.mkdir()
    os.chown(folder, 0, NOBODY)
    folder.chmod(0o3770)
    left(folder, NOBODY)
    wrong = []
    before = os.geteuid()
    os.seteuid(DAEMON)
    try:
        drop = KillDrop(folder=folder, group=GROUP, home=place)
        found = list(drop.left(wrong))
    finally:
        os.seteuid(before)
    assert found == []
    assert "may remove files from" in wrong[0]


def test_the_installations_own_account_writes_its_journal_and_not_the_drop_folder(home, drop):
    assert main(["kill", "momentum", "--reason", "r", "--home", str(home)]) == 1
    assert list(drop.iterdir()) == []
    assert KillFolders.beside(home).pending() == ()


def test_a_flood_of_files_by_one_member_hides_no_kill_of_another_and_is_named(home, drop, capsys, monkeypatch):
    monkeypatch.setattr(os, "getgrouplist", lambda name, first: [first, NOBODY])
    for n in range(12_000):
        path = drop / f"0{n}.kill"
        path.touch()
        os.chown(path, DAEMON, NOBODY)
    left(drop, name="zz")
    assert f"{drop}: the drop folder holds more than 1,000 files of daemon" in worked(home, capsys)
    assert [r.actor for r in killed(home)] == ["Rae"]


def test_kills_are_taken_round_robin_by_member(home, drop, monkeypatch):
    monkeypatch.setattr(os, "getgrouplist", lambda name, first: [first, NOBODY])
    left(drop, name="zz")
    for n in range(300):
        left(drop, DAEMON, name=f"0{n}", model="junk")
    journal = Installation(settings(home=str(home))).kills
    assert journal.collect() == 51
    assert "momentum" in [kill.model for kill in journal.pending()[:2]]
    assert [journal.collect() for _ in range(6)] == [50, 50, 50, 50, 50, 0]


def test_a_refused_file_is_read_once_and_again_when_it_was_mended(home, drop, monkeypatch):
    read = []
    real = KillDrop._dropped
    monkeypatch.setattr(KillDrop, "_dropped", lambda self, path, group: read.append(path) or real(self, path, group))
    path = left(drop, name="now", model="")
    journal = Installation(settings(home=str(home))).kills
    assert [journal.collect() for _ in range(3)] == [0, 0, 0]
    assert read == [path]
    assert len(journal.objections()) == 1
    left(drop, name="now")
    assert journal.collect() == 1
    assert journal.collect() == 0
    assert journal.objections() == ()


def test_names_beyond_the_limit_of_a_pass_are_read_in_later_passes(home, drop, monkeypatch):
    monkeypatch.setattr(drop_turns, "MOST_NAMES", 10)
    for n in range(45):
        left(drop, name=f"{n}")
    journal = Installation(settings(home=str(home))).kills
    taken = [journal.collect() for _ in range(12)]
    assert (sum(taken), max(taken)) == (45, 10)


def test_a_refused_file_is_read_once_in_a_folder_that_takes_several_passes(home, drop, monkeypatch):
    read = []
    real = KillDrop._dropped
    monkeypatch.setattr(KillDrop, "_dropped", lambda self, path, group: read.append(path) or real(self, path, group))
    monkeypatch.setattr(drop_turns, "MOST_NAMES", 10)
    for n in range(25):
        left(drop, name=f"{n}", model="")
    journal = Installation(settings(home=str(home))).kills
    assert [journal.collect() for _ in range(12)] == [0] * 12
    assert len(read) == len(set(read)) == 25


@pytest.mark.abuse
@pytest.mark.parametrize(
    "said",
    [
        {"model": "momentum", "learning_rate": 0.1},
        {"model": "momentum", "id": "x"},
        {"model": "momentum", "file": "config.json"},
        {"model": "momentum", "file": "x"},
        {"model": "momentum", "file": ["x.kill"]},
        {"all": True},
    ],
)
def test_a_file_that_another_member_moved_here_names_the_group_as_its_actor(home, drop, said):
    path = put(drop.parent / "config.json", json.dumps(said), NOBODY, 0o644)
    path.rename(drop / "x.kill")
    journal = Installation(settings(home=str(home))).kills
    assert journal.collect() == 1
    assert [(kill.actor, kill.account) for kill in journal.pending()] == [(f"a member of {GROUP}", "")]


@pytest.mark.parametrize("name", [b"\xff\xfe.kill", b"caf\xe9.kill", b"a\xf0\x9f.kill", "größe ✓.kill".encode()])
def test_a_kill_in_a_file_of_any_name_is_taken(home, drop, capsys, name):
    with open(os.fsencode(drop) + b"/" + name, "wb") as file:  # noqa: PTH123 - a name of bytes
        file.write(b'{"model": "momentum", "reason": "smoke"}')
        os.fchown(file.fileno(), NOBODY, NOBODY)
    worked(home, capsys)
    assert [r.event.model for r in killed(home)] == ["momentum"]
    assert os.listdir(drop) == []  # noqa: PTH208


def test_an_objection_to_a_file_escapes_its_odd_name(home, drop, capsys):
    with open(os.fsencode(drop) + b"/\xff.kill", "wb") as file:  # noqa: PTH123 - a name of bytes
        os.fchown(file.fileno(), NOBODY, NOBODY)
    assert f"{drop}/\\udcff.kill: expected" in worked(home, capsys)


@pytest.mark.parametrize("what", [["momentum"], ["--all"], ["--desk", "equities"]])
@pytest.mark.parametrize(
    ("mode", "owner", "group", "user", "found"),
    [
        (0o3777, 0, NOBODY, NOBODY, "found mode 3777"),
        (0o3777, 0, NOBODY, DAEMON, "found mode 3777"),
        (0o3770, 0, DAEMON, NOBODY, "expected a folder of the group"),
        (0o3770, DAEMON, NOBODY, NOBODY, "found one of daemon"),
        (0o3770, NOBODY, NOBODY, NOBODY, "found one of nobody"),
        (0o3770, 0, NOBODY, DAEMON, "expected a member of nogroup, found daemon"),
        (0o3750, 0, NOBODY, NOBODY, "Permission denied"),
    ],
)
def test_a_kill_that_would_not_be_accepted_is_not_left_and_says_that_it_stops_nothing(
    drop, home, mode, owner, group, user, found, what
):
    os.chown(drop, owner, group)
    drop.chmod(mode)
    done = ran_as(user, "kill", *what, "--reason", "smoke", "--home", str(home))
    assert done.returncode == 2
    assert "is NOT stopped" in done.stdout.splitlines()[0]
    assert found in done.stdout
    assert str(drop) in done.stdout
    assert [word for word in ("enabled false", "0 open order", "is killed", "Errno") if word in str(done)] == []
    assert list(drop.iterdir()) == []


@pytest.mark.parametrize("what", [["momentum"], ["--all"], ["--desk", "equities"]])
@pytest.mark.parametrize("mode", [0o700, 0o755])
def test_without_a_drop_folder_an_account_that_may_not_write_is_told_that_nothing_is_stopped(
    drop, home, monkeypatch, what, mode
):
    monkeypatch.delenv("SIGNOFF_KILL_DROP")
    home.chmod(mode)
    done = ran_as(NOBODY, "kill", *what, "--reason", "smoke", "--home", str(home))
    assert (done.returncode, "is NOT stopped" in done.stdout.splitlines()[0]) == (2, True)
    assert str(home) in done.stdout
    assert [word for word in ("enabled false", "0 open order", "Errno") if word in str(done)] == []
    as_json = ran_as(NOBODY, "--json", "kill", *what, "--reason", "smoke", "--home", str(home))
    document = json.loads(as_json.stdout)
    assert as_json.returncode == 2
    assert "enabled" not in as_json.stdout
    assert document["handed_over"] is None


def test_a_kill_left_by_the_command_names_the_account_that_ran_it(drop, home, capsys):
    assert ran_as(NOBODY, "kill", "momentum", "--reason", "smoke", "--home", str(home)).returncode == 1
    worked(home, capsys)
    assert [r.actor for r in killed(home)] == ["Rae"]
