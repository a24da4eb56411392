"""Checkpoints kept elsewhere: in files, on a branch of a real repository, under the stamp of a real authority."""

import subprocess
import sys

import pytest
from authority import Authority
from small_ledger import LEDGER_KEY, World, approved_release, exported, key, memory_store, noticed, relisted

from signoff import verify
from signoff.adapters.anchors import FileAnchor, GitAnchor, StampAnchor, anchor_at
from signoff.app.people import enrol
from signoff.app.record import replay
from signoff.cli.main import main
from signoff.config.settings import settings
from signoff.domain.errors import BadInputError, TamperedError, UnavailableError
from signoff.domain.policy import Role
from signoff.installation import Installation
from signoff.ledger.timestamps import Roots, request_for
from signoff.ledger.verification import verify_export

NOTE = LEDGER_KEY.sign_checkpoint(6, b"\x01" * 32)
LATER = LEDGER_KEY.sign_checkpoint(7, b"\x02" * 32)
CONTRADICTION = LEDGER_KEY.sign_checkpoint(6, b"\x03" * 32)


def git(repository, *line):
    identity = ("-c", "user.name=t", "-c", "user.email=t@localhost")
    ended = subprocess.run(["git", *identity, *line], cwd=repository, capture_output=True, text=True, check=True)
    return ended.stdout


@pytest.fixture
def repository(tmp_path):
    """An auditor's repository with a commit, an uncommitted change and a staged one."""
    place = tmp_path / "auditors"
    place.mkdir()
    git(place, "init", "-q", "-b", "main")
    (place / "notes.txt").write_text("ours\n")
    git(place, "add", "notes.txt")
    git(place, "commit", "-q", "-m", "begin")
    (place / "notes.txt").write_text("ours, changed\n")
    (place / "staged.txt").write_text("staged\n")
    git(place, "add", "staged.txt")
    return place


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path / "authority")


@pytest.fixture(params=["file", "git", "bare", "rfc3161"])
def anchor(request, tmp_path, repository, authority):
    match request.param:
        case "file":
            yield FileAnchor(tmp_path / "kept")
        case "git":
            yield GitAnchor(repository)
        case "bare":
            git(tmp_path, "init", "-q", "--bare", "bare.git")
            yield GitAnchor(tmp_path / "bare.git", "ledger")
        case "rfc3161":
            with authority.listening() as url:
                yield StampAnchor(tmp_path / "kept", url, authority.root)


def test_a_checkpoint_is_kept_and_the_same_again_changes_nothing(anchor):
    where = anchor.add(NOTE, 6)
    assert anchor.add(NOTE, 6) == where
    assert anchor.add(LATER, 7) != where
    assert anchor.add(NOTE, 6)


def test_another_tree_of_the_same_size_is_an_alarm(anchor):
    anchor.add(NOTE, 6)
    with pytest.raises(TamperedError, match="one of the two was rewritten"):
        anchor.add(CONTRADICTION, 6)


def test_git_keeps_each_checkpoint_in_a_commit_and_touches_no_work(repository):
    before = git(repository, "status", "--porcelain"), git(repository, "rev-parse", "main")
    anchor = GitAnchor(repository)
    anchor.add(NOTE, 6)
    anchor.add(LATER, 7)
    assert (git(repository, "status", "--porcelain"), git(repository, "rev-parse", "main")) == before
    assert git(repository, "show", "signoff-checkpoints:000000000006").encode() == NOTE
    assert git(repository, "show", "signoff-checkpoints:000000000007").encode() == LATER
    assert git(repository, "rev-list", "--count", "signoff-checkpoints").strip() == "2"
    assert "Checkpoint over 7 events" in git(repository, "log", "-1", "signoff-checkpoints")
    git(repository, "fsck", "--strict")


@pytest.mark.parametrize("branch", ["main", "--force", "a..b", "", "x y"])
def test_git_refuses_a_branch_that_is_checked_out_or_none(repository, branch):
    with pytest.raises(BadInputError, match=r"checked out|does not take"):
        GitAnchor(repository, branch).add(NOTE, 6)
    assert git(repository, "branch", "--list").split() == ["*", "main"]


def test_git_says_what_is_wrong_with_the_repository(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInputError, match="found no folder"):
        GitAnchor(tmp_path / "none").add(NOTE, 6)
    with pytest.raises(UnavailableError, match="did not keep"):
        GitAnchor(tmp_path / "empty").add(NOTE, 6)


@pytest.mark.parametrize(
    "target",
    ["", "ftp:x", "file:", "git:", "rfc3161:", "rfc3161:file:///etc/passwd", "rfc3161:https://u:p@host/", "rfc3161:x"],
)
def test_a_target_that_is_none_is_refused(tmp_path, target):
    with pytest.raises(BadInputError, match="Expected"):
        anchor_at(target, beside=tmp_path, tsa_root=tmp_path / "root.pem")


def test_an_authority_without_roots_is_not_asked(tmp_path, authority):
    with pytest.raises(BadInputError, match="--tsa-root"):
        anchor_at("rfc3161:http://127.0.0.1:1/", beside=tmp_path, tsa_root=None)
    assert authority.asked == 0


def test_a_stamp_stands_beside_its_checkpoint_and_is_asked_for_once(tmp_path, authority):
    with authority.listening() as url:
        anchor = StampAnchor(tmp_path / "kept", url, authority.root)
        anchor.add(NOTE, 6)
        anchor.add(NOTE, 6)
    assert authority.asked == 1
    kept = {p.name: p.read_bytes() for p in (tmp_path / "kept").iterdir()}
    assert kept["000000000006"] == NOTE
    assert Roots(authority.root.read_bytes()).stamped_at(NOTE, kept["000000000006.tsr"]).endswith("+00:00")


def of_another(tmp_path):
    other = Authority(tmp_path / "other")
    return lambda _: other.reply(request_for(NOTE)[0])


@pytest.mark.parametrize("spoiled", ["foreign", "old", "cut", "flipped", "noise", "empty"])
def test_an_answer_that_does_not_hold_is_not_kept(tmp_path, authority, spoiled):
    recorded = authority.reply(request_for(NOTE)[0])
    authority.spoil = {
        "foreign": of_another(tmp_path),
        "old": lambda _: recorded,
        "cut": lambda answer: answer[:-5],
        "flipped": lambda answer: answer[:-5] + bytes([answer[-5] ^ 1]) + answer[-4:],
        "noise": lambda _: b"\x30\x03\x02\x01\x00",
        "empty": lambda _: b"",
    }[spoiled]
    with authority.listening() as url, pytest.raises(UnavailableError, match="no stamp that holds"):
        StampAnchor(tmp_path / "kept", url, authority.root).add(NOTE, 6)
    assert [p.name for p in (tmp_path / "kept").iterdir()] == ["000000000006"]


def test_an_authority_that_refuses_or_is_away_is_said(tmp_path, authority):
    authority.status = 503
    with authority.listening() as url:
        anchor = StampAnchor(tmp_path / "kept", url, authority.root)
        with pytest.raises(UnavailableError, match="answered 503"):
            anchor.add(NOTE, 6)
    with pytest.raises(UnavailableError, match="Cannot reach"):
        anchor.add(NOTE, 6)


def test_an_answer_without_end_is_cut_off(tmp_path, authority):
    authority.spoil = lambda answer: answer * 5000
    with authority.listening() as url, pytest.raises(UnavailableError, match="longer than any"):
        StampAnchor(tmp_path / "kept", url, authority.root).add(NOTE, 6)


def stamped(authority, note):
    """An export whose checkpoint was stamped, and is its own anchor."""
    store = approved_release(memory_store())
    files = exported(store)
    answer = authority.reply(request_for(files["checkpoint"] if note is None else note)[0])
    return relisted({**files, "anchors/000000000006.tsr": answer})


def checked(files, authority):
    stamps = None if authority is None else Roots(authority.root.read_bytes()).stamped_at
    return verify_export(files, replay, check_stamp=stamps)


def test_a_stamp_is_verified_offline_against_the_given_root(authority):
    result = checked(stamped(authority, None), authority)
    assert (result.exit_code, result.findings, result.inconclusive) == (0, (), ())
    assert "anchors/000000000006 existed on 20" in result.summary


def test_a_stamp_without_a_root_is_not_good(authority):
    result = checked(stamped(authority, None), None)
    assert (result.exit_code, result.findings) == (2, ())
    assert "--tsa-root" in str(result.inconclusive)


def test_a_stamp_over_something_else_or_by_somebody_else_is_a_finding(tmp_path, authority):
    assert "does not hold" in str(checked(stamped(authority, NOTE), authority).findings)
    other = Authority(tmp_path / "other")
    assert "does not hold" in str(checked(stamped(authority, None), other).findings)


def test_every_altered_byte_of_a_stamp_is_found_or_means_the_same(authority):
    files = stamped(authority, None)
    name = "anchors/000000000006.tsr"
    said = checked(files, authority).facts
    for place in range(0, len(files[name]), 7):
        altered = bytearray(files[name])
        altered[place] ^= 1
        result = checked(relisted({**files, name: bytes(altered)}), authority)
        assert result.exit_code == 1 or result.facts == said, place


def test_a_stamp_whose_checkpoint_is_gone_is_found(authority):
    files = stamped(authority, None)
    del files["anchors/000000000006"]
    assert "the stamped checkpoint is missing" in str(checked(relisted(files), authority).findings)


def test_without_the_library_nothing_is_said_of_stamps(authority, monkeypatch):
    files = stamped(authority, None)
    monkeypatch.setitem(sys.modules, "rfc3161_client", None)
    result = checked(files, authority)
    assert (result.exit_code, result.findings) == (2, ())
    assert "rfc3161-client is not installed" in str(result.inconclusive)


def test_an_export_without_stamps_is_verified_without_the_library(tmp_path):
    for name, content in exported(approved_release(memory_store())).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    ask = f"import sys; from signoff.verify import main; main([{str(tmp_path)!r}]); print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert "rfc3161_client" not in ended.stdout.split()


def test_the_commands_anchor_everywhere_and_verify_with_what_was_kept(tmp_path, authority, repository, capsys):
    home = tmp_path / "home"
    house = Installation(settings(home=str(home)))
    one = key("Rae")
    enrol(house.record, name="Rae", roles=(Role.CTO,), key_id=one.key_id, public_key=one.public_key, actor="t")
    here = ["--home", str(home)]
    with authority.listening() as url:
        assert main(["anchor", "--to", f"rfc3161:{url}", "--tsa-root", str(authority.root), *here]) == 0
    assert main(["anchor", "--to", f"git:{repository}", *here]) == 0
    assert main(["anchor", "--to", f"file:{tmp_path / 'kept'}", *here]) == 0
    assert main(["anchor", *here]) == 0
    assert main(["verify", *here]) == 0
    assert "existed on 20" in " ".join(capsys.readouterr().out.split())
    assert main(["people", "add", "Zoe", "--make-key", "--role", "cto", *here]) == 0
    assert main(["export", str(tmp_path / "out"), *here]) == 0
    root = ["--tsa-root", str(authority.root)]
    (tmp_path / "from-git").write_text(git(repository, "show", "signoff-checkpoints:000000000001"))
    for kept in (tmp_path / "from-git", tmp_path / "kept"):
        assert verify.main([str(tmp_path / "out"), "--since", str(kept), *root]) == 2
        assert "1 event(s) are in no anchor" in capsys.readouterr().out
    assert verify.main([str(tmp_path / "out"), "--tsa-root", str(tmp_path / "from-git")]) == 2
    assert "Expected the root certificates" in capsys.readouterr().err


def test_an_empty_ledger_has_nothing_to_anchor(tmp_path, capsys):
    assert main(["anchor", "--home", str(tmp_path)]) == 2
    assert "nothing to anchor" in capsys.readouterr().err


def test_an_installation_whose_anchor_disagrees_is_an_alarm(tmp_path):
    store = approved_release(memory_store())
    anchor = FileAnchor(tmp_path)
    anchor.add(store.checkpoint(), 6)
    World(store, requests=99).happens("deployment/m-2", noticed("later"))
    other = approved_release(memory_store())
    World(other, requests=99).happens("deployment/m-2", noticed("another"))
    anchor.add(store.checkpoint(), 7)
    with pytest.raises(TamperedError):
        anchor.add(other.checkpoint(), 7)
