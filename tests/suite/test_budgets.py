"""A run prints the CPU seconds of each folder beside its budget, marks what is over by more than half, and goes on."""

import os
import re
import subprocess
import sys
from pathlib import Path

import budgets
import pytest

TESTS = Path(__file__).parents[1]
BURN = """
import subprocess, sys, time

LOOP = "import time\\nwhile time.process_time() < 0.7: pass"

def test_burns_itself():
    end = time.process_time() + 0.7
    while time.process_time() < end:
        pass

def test_burns_in_a_child():
    subprocess.run([sys.executable, "-c", LOOP], check=True)
"""
FILES = {
    "pytest.ini": "[pytest]\ntestpaths = tests\n",
    "tests/budgets.toml": "[cpu_seconds]\ndear = 0.5\ncheap = 5\n",
    "tests/dear/test_dear.py": BURN,
    "tests/cheap/test_cheap.py": "def test_nothing():\n    pass\n",
    "tests/new/test_new.py": "def test_nothing():\n    pass\n",
}


@pytest.fixture
def suite(tmp_path):
    """A small suite with our conftest and a budget of its own."""
    files = FILES | {
        "tests/conftest.py": (TESTS / "conftest.py").read_text(),
        "tests/support/budgets.py": (TESTS / "support" / "budgets.py").read_text(),
        "tests/support/real.py": (TESTS / "support" / "real.py").read_text(),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def ran(suite, *options):
    environment = {**os.environ, "PYTHONPATH": str(suite / "tests" / "support")}
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(line, cwd=suite, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return {line.split()[0]: line for line in done.stdout.splitlines() if line}


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "two workers"])
def test_the_run_prints_each_folder_and_what_is_over_is_no_failure(suite, workers):
    printed = ran(suite, *workers)
    spent = float(printed["dear"].split()[1])
    assert 1.2 < spent < 6
    assert printed["dear"].endswith("OVER")
    assert re.fullmatch(r"cheap +0\.\d +5", printed["cheap"])
    assert "NO BUDGET" in printed["new"]
    assert float(printed["together"].split()[1]) > spent


def test_a_part_of_the_suite_prints_them_where_it_is_asked_to(suite):
    assert "dear" not in ran(suite, "tests/cheap")
    assert "cheap" in ran(suite, "tests/cheap", "--budgets")


@pytest.mark.parametrize(
    ("seconds", "budget", "is_over"), [(15.0, 10, False), (15.01, 10, True), (9.0, 10, False), (0.0, 0, False)]
)
def test_over_is_more_than_half_as_much_again(seconds, budget, is_over):
    assert budgets.row("f", seconds, budget).endswith("OVER") is is_over


def test_the_dearest_folder_comes_first_and_a_worker_that_died_is_told():
    lines = budgets.table({"a": 1.0, "b": 3.0}, {"a": 1, "b": 3}, lost=1)
    assert [line.split()[0] for line in lines] == ["folder", "b", "a", "together", "1"]
    assert "too low" in lines[-1]
    assert "too low" not in "".join(budgets.table({"a": 1.0}, {"a": 1}))


@pytest.mark.parametrize(
    ("nodeid", "folder"),
    [
        ("tests/stats/test_bets.py::test_one[a/b]", "stats"),
        ("tests/stats/deep/test_x.py::t", "stats"),
        ("tests/test_loose.py::t", "tests"),
        ("src/signoff/contracts/test_gates.py::t", "src/signoff/contracts"),
        ("test_x.py::t", "."),
    ],
)
def test_a_test_counts_for_the_folder_below_tests_or_for_its_own(nodeid, folder):
    assert budgets.folder_of(nodeid) == folder


def test_every_folder_of_tests_has_a_budget_and_every_budget_a_folder():
    folders = {path.relative_to(TESTS).parts[0] for path in TESTS.rglob("test_*.py")}
    assert set(budgets.read()) == folders | {"src/signoff/contracts", budgets.BESIDE}
