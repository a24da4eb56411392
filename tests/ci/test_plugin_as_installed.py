"""The wheel brings `signoff_check` to a project that has pytest; nothing names it, and there is no conftest."""

import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from command_processes import environment
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = """
import numpy as np, pandas as pd

def test_a_lucky_one_of_many(signoff_check):
    days = pd.bdate_range("2015-01-01", "2018-12-31")
    grid = pd.DataFrame(np.random.default_rng(1).normal(0.0002, 0.01, (len(days), 20)), index=days)
    verdict = signoff_check.verdict(grid[3].rename("best"), trials=grid, calendar="24/5")
    assert "pbo" in verdict.findings
"""


def needed(*names):
    """These distributions, and every one that they require without extras."""
    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        wanted = map(Requirement, distribution(name).requires or ())
        waiting += [one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found - {"signoff"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder of packages: the built wheel, what it requires, and what the project itself has."""
    folder = tmp_path_factory.mktemp("packages")
    built = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel"))))
    with ZipFile(built) as archive:
        archive.extractall(folder)
    for name in needed("signoff", "pytest", "pandas"):
        parts = {file.parts[0]: distribution(name).locate_file(file.parts[0]) for file in distribution(name).files}
        for part, source in parts.items():
            if part not in {"..", "__pycache__"} and not (folder / part).exists():
                (folder / part).symlink_to(source)
    return folder


def ran(folder, project):
    """Pytest as this folder of packages has it, and no other folder."""
    begin = f"import sys; sys.path.insert(0, {str(folder)!r}); import pytest"
    line = [sys.executable, "-I", "-S", "-c", f"{begin}; sys.exit(pytest.main(['-q', '-p', 'no:cacheprovider']))"]
    alone = environment(PYTEST_ADDOPTS=None, PYTEST_DISABLE_PLUGIN_AUTOLOAD=None)
    done = subprocess.run(line, cwd=project, env=alone, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def project(tmp_path):
    (tmp_path / "test_own.py").write_text(PROJECT)
    return tmp_path


@pytest.mark.slow
def test_a_test_of_a_project_finds_the_fixture_by_the_wheel_alone(installed, project):
    code, said = ran(installed, project)
    assert code == 0, said
    assert "1 passed" in said


@pytest.mark.slow
def test_without_the_entry_point_there_is_no_fixture(installed, project, tmp_path_factory):
    other = tmp_path_factory.mktemp("without")
    for path in installed.iterdir():
        if not path.name.endswith(".dist-info") or not path.name.startswith("signoff"):
            (other / path.name).symlink_to(path)
    code, said = ran(other, project)
    assert code == 1
    assert "fixture 'signoff_check' not found" in said
