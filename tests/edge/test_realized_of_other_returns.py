"""`signoff check` holds `realized` against the returns of the assets: another unit or other returns pass nothing."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import release_folder

from signoff.cli.main import main

SYMBOLS = ("AAA", "BBB", "CCC")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A release whose asset returns are known, with a horizon of three sessions declared."""
    folder = release_folder.make(tmp_path_factory.mktemp("realized") / "dossier", sessions=500)
    path = folder / "dossier.yaml"
    path.write_text(path.read_text().replace("  prediction: score", "  prediction: score\n  prediction_horizon: 3", 1))
    days = pl.read_parquet(folder / "backtest.parquet")["date"]
    moves = assets()
    pl.DataFrame(
        {"date": np.repeat(days, 3), "symbol": list(SYMBOLS) * days.len(), "return": moves.ravel()}
    ).write_parquet(folder / "asset_returns.parquet")
    return folder


def assets():
    return np.random.default_rng(5).normal(0.0003, 0.015, (500, 3))


def compounded(begin, horizon=3):
    """By the definition: the product of (1 + r) over the rows from `begin` after each one on, less 1."""
    moves, found = assets(), np.zeros((500, 3))
    for row in range(500):
        rows = moves[max(row + begin, 0) : max(row + begin + horizon, 0)]
        found[row] = np.prod(1 + rows, axis=0) - 1
    return found


def accuracy_gate(folder, realized, capsys):
    table = pl.read_parquet(folder / "predictions.parquet")
    table.with_columns(pl.Series("realized", realized.ravel())).write_parquet(folder / "predictions.parquet")
    capsys.readouterr()
    assert main(["check", str(folder), "--json"]) in {0, 1}
    return next(gate for gate in json.loads(capsys.readouterr().out)["gates"] if gate["key"] == "spa")


TRUE = compounded(1)
NOISE = np.random.default_rng(6).normal(0, 0.02, (500, 3))


@pytest.mark.parametrize(
    ("realized", "cause"),
    [
        (100 * TRUE, "looks like percent"),
        (100 * np.round(compounded(0), 4), "looks like percent"),
        (1e4 * TRUE, "looks like basis points"),
        (np.log1p(TRUE), "looks like logarithmic returns"),
        (-TRUE, "the opposite sign"),
        (compounded(-3), "the return before each prediction"),
        (TRUE - TRUE.mean(axis=1, keepdims=True), "in excess of a market"),
        (compounded(1, horizon=5), "No unit explains it"),
        (NOISE, "No unit explains it"),
        (np.where(np.arange(500)[:, np.newaxis] % 5 == 0, NOISE, TRUE), "The other rows have returns of their own"),
    ],
    ids=["percent", "rounded percent", "bps", "logs", "short", "past", "excess", "horizon", "others", "one in five"],
)
def test_realized_that_is_no_return_of_the_assets_is_inconclusive(made, realized, cause, capsys):
    gate = accuracy_gate(made, realized, capsys)

    assert gate["outcome"] == "inconclusive"
    assert "Column realized of predictions.parquet is the return of asset_returns.parquet" in gate["reason"]
    assert "expected at least 95% (gates.spa.realized_agreement)" in gate["reason"]
    assert cause in gate["reason"]


def test_without_a_declared_horizon_the_gate_says_that_nothing_was_held(made, tmp_path, capsys):
    own = Path(shutil.copytree(made, tmp_path / "dossier"))
    dossier = (own / "dossier.yaml").read_text()
    (own / "dossier.yaml").write_text(re.sub(r"prediction_horizon: *\d+", "prediction_horizon: null", dossier))
    gate = accuracy_gate(own, np.where(np.arange(500)[:, np.newaxis] % 4 == 0, TRUE + 0.01, TRUE), capsys)

    assert "Column realized was not compared with asset_returns" in gate["reason"]
    assert "its author's word" in gate["reason"]
    assert re.search(r"At the inferred horizon of 3 sessions it is the assets' return on 7[45]\.\d% of", gate["reason"])


@pytest.mark.parametrize(
    "realized",
    [compounded(0), TRUE, compounded(2), np.round(TRUE, 4), np.round(TRUE, 6)],
    ids=["same day", "next day", "a day to trade", "four decimals", "six decimals"],
)
def test_realized_that_is_the_return_of_the_assets_is_judged(made, realized, capsys):
    gate = accuracy_gate(made, realized, capsys)

    assert gate["outcome"] in {"pass", "fail"}
