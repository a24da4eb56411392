"""Authors from a real clone, which is nobody's to trust."""

import os
import time
from itertools import count

import pytest
from code_repository import Repository

from signoff.adapters import git_commits
from signoff.adapters.git_commits import GitCommits
from signoff.domain.errors import UnavailableError
from signoff.ports.commits import Author, TooSlowError

KIM, LEE, ROBIN = (Author(name, f"{name.lower()}@example.com") for name in ("Kim", "Lee", "Robin"))


@pytest.fixture
def clone(tmp_path):
    return Repository(tmp_path / "clone")


def authors(clone, since, until):
    return GitCommits().between(clone.folder, since, until)


def test_the_authors_and_co_authors_of_a_range_are_read_and_nobody_else(clone):
    first = clone.commit("Lee", "lee@example.com")
    clone.commit("Kim", "kim@example.com", "one\n\nbody\n\nCo-authored-by: Robin <robin@example.com>")
    last = clone.commit("Kim", "kim@example.com")
    found = authors(clone, first, "main")
    assert found.authors == {KIM: 2, ROBIN: 1}
    assert (found.since, found.until, found.commits) == (first, last, 2)
    assert authors(clone, None, last).authors == {KIM: 2, ROBIN: 1, LEE: 1}


def test_a_range_without_commits_has_none(clone):
    only = clone.commit("Kim", "kim@example.com")
    assert authors(clone, only, only).commits == 0


@pytest.mark.parametrize("named", ["nowhere", "--all", "0" * 40, "main\0x"])
def test_a_commit_that_is_not_there_is_said(clone, named):
    clone.commit("Kim", "kim@example.com")
    with pytest.raises(UnavailableError):
        authors(clone, None, named)


def test_a_folder_that_is_no_clone_is_said(tmp_path):
    with pytest.raises(UnavailableError, match="git could not read"):
        GitCommits().between(tmp_path, None, "main")
    with pytest.raises(UnavailableError, match="no folder"):
        GitCommits().between(tmp_path / "none", None, "main")


def test_a_shallow_clone_is_not_taken_for_the_whole_history(clone, tmp_path):
    clone.commit("Lee", "lee@example.com")
    clone.commit("Kim", "kim@example.com")
    clone.git("clone", "--quiet", "--depth=1", f"file://{clone.folder}", str(tmp_path / "shallow"))
    with pytest.raises(UnavailableError, match="shallow"):
        GitCommits().between(tmp_path / "shallow", None, "main")


def test_a_replaced_commit_hides_nobody(clone):
    lee = clone.commit("Lee", "lee@example.com")
    kim = clone.commit("Kim", "kim@example.com")
    clone.git("checkout", "--quiet", "-b", "other", lee)
    clone.git("replace", kim, clone.commit("Robin", "robin@example.com"))
    assert authors(clone, lee, kim).authors == {KIM: 1}


def test_a_clone_that_configures_git_runs_nothing(clone, tmp_path):
    clone.commit("Kim", "kim@example.com")
    told = tmp_path / "told"
    for key in ("core.fsmonitor", "core.pager", "gpg.program", "core.sshCommand", "log.showSignature"):
        clone.git("config", key, f"touch {told}; true")
    assert authors(clone, None, "main").commits == 1
    assert not told.exists()


def test_more_commits_than_are_read_are_no_part_of_an_answer(clone, monkeypatch):
    monkeypatch.setattr(git_commits, "MOST_COMMITS", 1)
    first = clone.commit("Kim", "kim@example.com")
    clone.commit("Kim", "kim@example.com")
    assert authors(clone, first, "main").commits == 1
    with pytest.raises(UnavailableError, match="more than 1 commits"):
        authors(clone, None, "main")


def planted(clone, message, *parents):
    """A commit with any bytes as its message."""
    tree = clone.git("mktree", "--missing", input_text="")
    lines = [f"tree {tree}", *(f"parent {one}" for one in parents)]
    lines += [f"{who} Kim <kim@example.com> 1500000000 +0000" for who in ("author", "committer")]
    made = clone.git("hash-object", "-t", "commit", "-w", "--stdin", input_text="\n".join(lines) + "\n\n" + message)
    clone.git("update-ref", "refs/heads/main", made)
    return made


@pytest.mark.parametrize(
    "line", ["co-authored-by:" + " " * 200_000 + "x", "co-authored-by: \t" * 50_000, "co-authored-by:" + "<" * 200_000]
)
def test_a_long_line_that_names_nobody_is_refused_at_once(clone, line):
    planted(clone, f"work\n\n{line}\n")
    began = time.monotonic()
    with pytest.raises(UnavailableError, match="in at most 1,000 letters"):
        authors(clone, None, "main")
    assert time.monotonic() - began < 5


def test_blanks_without_end_that_name_nobody_take_no_time(clone):
    lines = "\n".join(("co-authored-by:" + " " * 900 + "x", "co-authored-by: <x", "co-authored-by: x>") * 1000)
    planted(clone, f"{lines}\nCO-AUTHORED-BY: \tRobin \t<robin@example.com> and more")
    began = time.monotonic()
    assert authors(clone, None, "main").authors == {KIM: 1, ROBIN: 1}
    assert time.monotonic() - began < 5


def test_more_bytes_than_are_read_end_git(clone, monkeypatch):
    monkeypatch.setattr(git_commits, "MOST_BYTES", 100_000)
    planted(clone, "x\n" * 200_000)
    with pytest.raises(UnavailableError, match="at most 100,000 bytes"):
        authors(clone, None, "main")


def test_a_commit_larger_than_all_that_is_read_is_never_unpacked(clone):
    planted(clone, "x\n" * 50_000_000)
    with pytest.raises(UnavailableError, match="limit"):
        authors(clone, None, "main")


def test_commits_that_together_take_too_much_memory_end_git(clone):
    first = clone.commit("Kim", "kim@example.com")
    last = first
    for _ in range(12):
        last = planted(clone, "x\n" * 25_000_000, last)
    with pytest.raises(UnavailableError, match=r"memory|bytes of authors"):
        authors(clone, first, "main")


@pytest.fixture
def other(tmp_path):
    found = Repository(tmp_path / "other")
    found.commit("Lee", "lee@example.com")
    return found


def pointer(clone, other):
    (clone.folder / ".git").rename(clone.folder / "was")
    (clone.folder / ".git").write_text(f"gitdir: {other.folder / '.git'}\n")


def link(clone, other):
    (clone.folder / ".git").rename(clone.folder / "was")
    (clone.folder / ".git").symlink_to(other.folder / ".git")


def linked_objects(clone, other):
    (clone.folder / ".git" / "objects").rename(clone.folder / "was")
    (clone.folder / ".git" / "objects").symlink_to(other.folder / ".git" / "objects")


def common(clone, other):
    (clone.folder / ".git" / "commondir").write_text(str(other.folder / ".git"))


def alternates(clone, other):
    (clone.folder / ".git" / "objects" / "info" / "alternates").write_text(f"{other.folder}/.git/objects\n")


@pytest.mark.parametrize("lead_out", [pointer, link, linked_objects, common, alternates])
def test_a_clone_that_leads_to_the_history_of_another_is_refused(clone, other, lead_out):
    clone.commit("Kim", "kim@example.com")
    lead_out(clone, other)
    with pytest.raises(UnavailableError, match="outside of the clone"):
        authors(clone, None, "main")


def test_a_history_beside_the_work_tree_is_inside_of_the_clone(clone):
    clone.commit("Kim", "kim@example.com")
    (clone.folder / ".git").rename(clone.folder / "history")
    (clone.folder / ".git").write_text("gitdir: history\n")
    assert authors(clone, None, "main").commits == 1


@pytest.mark.parametrize("place", [".git", ".git/commondir", ".git/objects/info/alternates"])
def test_a_fifo_in_a_clone_holds_nothing_up(clone, place):
    clone.commit("Kim", "kim@example.com")
    if place == ".git":
        (clone.folder / ".git").rename(clone.folder / "was")
    os.mkfifo(clone.folder / place)
    with pytest.raises(UnavailableError, match="a FIFO"):
        authors(clone, None, "main")


def test_a_fifo_that_the_config_includes_costs_the_limit_once(clone, tmp_path, monkeypatch):
    monkeypatch.setattr(git_commits, "SECONDS", 1.0)
    clone.commit("Kim", "kim@example.com")
    os.mkfifo(tmp_path / "fifo")
    with (clone.folder / ".git" / "config").open("a") as config:
        config.write(f"[include]\n\tpath = {tmp_path / 'fifo'}\n")
    began = time.monotonic()
    with pytest.raises(TooSlowError, match="within 1 s"):
        authors(clone, None, "main")
    assert time.monotonic() - began < 5


def test_all_commands_of_a_reading_share_one_limit(clone, monkeypatch):
    clone.commit("Kim", "kim@example.com")
    clock = count(0, 8)
    monkeypatch.setattr(git_commits.time, "monotonic", lambda: float(next(clock)))
    with pytest.raises(TooSlowError):
        authors(clone, None, "main")
