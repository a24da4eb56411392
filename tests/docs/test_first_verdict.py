"""A newcomer's first verdict: the script and the commands of the page, with the verdicts that it announces."""

import re
import shlex
from pathlib import Path

import pytest

from signoff.cli.main import main

PAGE = (Path(__file__).parents[2] / "docs" / "first-verdict.md").read_text()
(DATA,) = re.findall(r"^`data\.py`:\n\n```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
(CODE,) = re.findall(r"^## In Python\n\n```python\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE)
LINES = [line for line in PAGE.splitlines() if line.startswith("signoff verdict ")]
# What each line ends with, and what it says: the announced verdicts.
SAYS = {
    "signoff verdict fund.xlsx": (
        1,
        ("equity curve", "INCONCLUSIVE", "--trials", "the data are missing: pbo"),
    ),
    "signoff verdict coin.csv --html coin.html": (1, ("365 rows a year", "every day (24/7)", "zone: UTC", "FAIL")),
    "signoff verdict track.csv": (2, ("--unit fraction or --unit percent",)),
    "signoff verdict track.csv --unit percent": (1, ("monthly returns", "12 rows a year", "months were read")),
    "signoff verdict best.csv --trials grid.csv --html best.html": (
        1,
        ("200 trials", "FAIL", "Deflated Sharpe"),
    ),
    "signoff verdict best.csv --trials grid.csv --explain pbo": (1, ("Formula:", "Bailey", "partitions 16")),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verdicts")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        exec(DATA, {})
        yield folder


@pytest.mark.parametrize("line", SAYS)
def test_every_case_has_the_verdict_that_the_page_announces(place, capsys, line):
    code, said = SAYS[line]
    assert line in LINES
    assert main(shlex.split(line)[1:]) == code
    told = capsys.readouterr()
    text = " ".join((told.out + told.err).split())
    assert [part for part in said if part not in text] == []


def test_every_command_of_the_page_is_tried():
    assert {line for line in LINES if "returns.csv" not in line} == set(SAYS)


def test_the_grid_without_an_edge_fails_and_its_page_has_pictures(place, capsys):
    main(["verdict", "best.csv", "--trials", "grid.csv", "--html", "grid.html"])
    capsys.readouterr()
    page = (place / "grid.html").read_text()
    assert page.count("<svg") >= 4
    assert "PBO" in page


def test_the_code_of_the_page_runs(place, capsys):
    exec(CODE, {})
    told = capsys.readouterr().out
    assert "of 200 configurations" in told
    assert "FAIL" in told


def test_the_files_of_the_page_begin_a_dossier_that_check_judges_at_once(place, capsys):
    (begin,) = re.findall(r"^signoff init .*$", PAGE, re.MULTILINE)
    (check,) = re.findall(r"^signoff check .*$", PAGE, re.MULTILINE)
    assert main(shlex.split(begin)[1:]) == 0
    assert "200 trials" in capsys.readouterr().out
    assert main(shlex.split(check)[1:]) == 1
    told = " ".join(capsys.readouterr().out.split())
    assert "trial policy small firm 1" in told
    assert "left to fill in" in told
    assert "Blocked by: " in told
