"""The page on pipelines: its tests run in a child pytest, and its YAML names what there is."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from command_processes import environment

from signoff.cli.main import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "in-your-ci.md").read_text()
(TESTS,) = re.findall(r"^`test_release\.py`:\n\n```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
HOOK, WORKFLOW = (yaml.safe_load(body) for body in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))


@pytest.mark.slow
def test_the_tests_of_the_page_pass_on_a_dossier_that_init_began(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_release.py").write_text(TESTS)
    made = {}
    exec(TESTS.partition("\n\n\n")[0], made)
    made["GRID"].to_csv("grid.csv", index_label="date")
    line = ["--from", "backtest=grid.csv", "--from", "trials=grid.csv", "--calendar", "24/5"]
    assert main(["init", "mymodel", "1.0.0", "--dir", "release", *line, "--column", "setting 3"]) == 0
    capsys.readouterr()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "signoff.pytest_plugin", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=environment(PYTEST_ADDOPTS=None, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "2 passed, 1 xfailed" in done.stdout


def test_the_hook_and_the_inputs_of_the_page_are_those_that_there_are():
    hooks = {one["id"] for one in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    assert {one["id"] for repository in HOOK["repos"] for one in repository["hooks"]} <= hooks
    inputs = yaml.safe_load((ROOT / "action.yml").read_text())["inputs"]
    assert set(WORKFLOW["jobs"]["check"]["steps"][-1]["with"]) <= set(inputs)
    assert set(re.findall(r"^\| `(dossier|policy|install|token)` \|", PAGE, re.MULTILINE)) == set(inputs)
