"""Every `--extreme` that a message proposes is accepted as it is written there, by the same command."""

import json
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest

import signoff
from signoff.cli.main import main
from signoff.domain.errors import BadInputError

DAYS = pd.bdate_range("2015-01-01", "2018-12-31")
PROPOSED = re.compile(r"--extreme \d{4}-\d{2}-\d{2}=[-\d.e+]*\d")
JUMPS = {
    "a small deposit": {300: 0.0637567913},
    "a larger one": {300: 0.537232219},
    "two of them": {300: 0.537232219, 500: 0.0778123456},
    "a withdrawal": {300: -0.3123456789},
    "more than a doubling": {400: 1.23456789123},
    "a gain of many times": {400: 12.3456789123, 700: 0.211111111},
    "five jumps": {place: 0.1 + place / 3e3 for place in (100, 250, 400, 550, 700)},
}


def written(path, jumps):
    returns = np.random.default_rng(3).normal(0.0006, 0.006, len(DAYS))
    returns[list(jumps)] = list(jumps.values())
    pl.DataFrame({"date": DAYS.date.tolist(), "equity": 1e5 * np.cumprod(1 + returns)}).write_csv(path)
    return path


def until_answered(line, capsys):
    """The code of a command that is given all it proposes, for at most as many rounds as it asks new things."""
    given: list[str] = []
    for _ in range(6):
        capsys.readouterr()
        code = main([*line, *given])
        told = capsys.readouterr()
        new = [word for option in PROPOSED.findall(told.err) for word in option.split()]
        if not new:
            return code, told
        assert not set(new[1::2]) & set(given), told.err
        given += new
    raise AssertionError(told.err)


@pytest.mark.parametrize("name", JUMPS)
def test_the_verdict_accepts_every_return_that_it_proposes(tmp_path, capsys, name):
    path = written(tmp_path / "equity.csv", JUMPS[name])
    code, told = until_answered(["verdict", str(path), "--json"], capsys)
    assert code in {0, 1}, told.err
    assert "extreme-returns" not in told.err
    assert json.loads(told.out)["gates"]


@pytest.mark.parametrize("name", JUMPS)
def test_the_import_of_values_accepts_every_return_that_it_proposes(tmp_path, capsys, name):
    path = written(tmp_path / "equity.csv", JUMPS[name])
    code, told = until_answered(["import", "table", str(path), "--values", "--out", str(tmp_path)], capsys)
    assert code == 0, told.err


def test_a_folder_that_begins_from_the_file_holds_the_return_to_the_last_digit(tmp_path, capsys):
    path = written(tmp_path / "equity.csv", JUMPS["more than a doubling"])
    line = ["init", "m", "1.0.0", "--from", str(path), "--dir", str(tmp_path / "m")]
    code, told = until_answered(line, capsys)
    assert code == 0, told.err
    main(["check", str(tmp_path / "m")])
    assert "extreme_returns" not in capsys.readouterr().err


def test_trials_that_jump_on_one_day_by_different_sizes_are_declared_each(tmp_path, capsys):
    one, two = (written(tmp_path / f"{n}.csv", {300: size}) for n, size in enumerate((0.31234567, 0.45678912)))
    both = pl.read_csv(one, try_parse_dates=True).rename({"equity": "a"})
    both.with_columns(pl.read_csv(two)["equity"].alias("b")).write_csv(tmp_path / "trials.csv")
    code, told = until_answered(["verdict", str(one), "--trials", str(tmp_path / "trials.csv"), "--json"], capsys)
    assert code in {0, 1}, told.err


@pytest.mark.parametrize(("said", "words"), [("2016-02-26=0.9", "found "), ("2016-02-27=0.0637568", "no row of that")])
def test_a_declared_return_without_its_row_is_refused_in_words_of_the_option(tmp_path, capsys, said, words):
    path = written(tmp_path / "equity.csv", {})
    assert main(["verdict", str(path), "--extreme", said]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert f"--extreme {said}" in told or "as --extreme says" in told
    assert words in told
    assert "--extreme-returns" not in told


def test_the_function_proposes_its_own_argument(tmp_path):
    path = written(tmp_path / "equity.csv", JUMPS["two of them"])
    with pytest.raises(BadInputError) as refused:
        signoff.evaluate(path)
    given = re.search(r"extremes=(\[[^]]*\])", str(refused.value))
    assert signoff.evaluate(path, extremes=json.loads(given[1])).outcome
