"""A project's own tests ask `signoff_check`; a child pytest runs them as that project would."""

import re
import subprocess
import sys

import pytest
import release_folder
from command_processes import environment

RETURNS = """
import numpy as np, pandas as pd
DAYS = pd.bdate_range("2015-01-01", "2018-12-31")
GRID = pd.DataFrame(np.random.default_rng(1).normal(0.0002, 0.01, (len(DAYS), 20)), index=DAYS)
"""


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return release_folder.make(tmp_path_factory.mktemp("project") / "release")


@pytest.fixture(scope="module")
def project(release):
    return release.parent


def ran(project, body, *options):
    (project / "test_own.py").write_text(body)
    line = [sys.executable, "-m", "pytest", "-q", "-p", "signoff.pytest_plugin", "-p", "no:cacheprovider", *options]
    alone = environment(PYTEST_ADDOPTS=None, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    done = subprocess.run(
        [*line, "test_own.py"], cwd=project, env=alone, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


RELEASE = """
import pytest

@pytest.fixture(scope="module")
def verdict(signoff_check):
    return signoff_check("release")

def test_parts(verdict):
    assert verdict.placeholders == ()
    assert set(verdict.blocking) <= {gate["key"] for gate in verdict.gates}

def test_release(verdict):
    assert verdict.passed
"""


@pytest.mark.slow
def test_a_failing_release_shows_the_whole_table_of_gates_in_the_assertion(project):
    code, said = ran(project, RELEASE)
    assert code == 1
    assert "1 failed, 1 passed" in said
    for part in ("threshold", "walk_forward", "pbo", "hansen_spa", "does not pass", "not below 50.0%"):
        assert part in said, said


UNREADABLE = {"nowhere": "Expected a dossier folder", "empty": "dossier.yaml", "broken": "dossier.yaml"}


@pytest.fixture(scope="module")
def unread(project):
    """What one run says of three folders, by folder."""
    (project / "empty").mkdir(exist_ok=True)
    (project / "broken").mkdir(exist_ok=True)
    (project / "broken" / "dossier.yaml").write_text("header: [")
    tests = [f"def test_{name}(signoff_check):\n    assert signoff_check('{name}').passed\n" for name in UNREADABLE]
    code, said = ran(project, "\n".join(tests))
    parts = re.split(r"^_+ test_(\w+) _+$", said.partition("short test summary")[0], flags=re.MULTILINE)
    return code, dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("folder", UNREADABLE)
def test_a_dossier_that_cannot_be_read_fails_with_the_cause_and_no_traceback(unread, folder):
    code, said = unread
    assert code == 1
    assert UNREADABLE[folder] in said[folder]
    assert "Traceback" not in said[folder]


def test_returns_are_judged_without_a_dossier(project):
    body = RETURNS + (
        "def test_edge(signoff_check):\n"
        "    verdict = signoff_check.verdict(GRID[0].rename('best'), trials=GRID, calendar='24/5')\n"
        "    assert verdict.passed\n"
    )
    code, said = ran(project, body)
    assert code == 1
    assert "FAIL" in said or "fail" in said


def test_a_run_that_asks_nothing_loads_nothing_of_signoff_but_the_plugin(project):
    body = (
        "import sys\n"
        "def test_nothing():\n"
        "    loaded = {name for name in sys.modules if name.startswith('signoff')}\n"
        "    assert loaded == {'signoff', 'signoff.pytest_plugin'}\n"
        "    assert 'polars' not in sys.modules\n"
    )
    code, said = ran(project, body)
    assert code == 0, said
