"""`signoff check` on folders whose family of trials was shaped."""

import json

import numpy as np
import polars as pl
import pytest
import release_folder

from signoff.cli.main import main


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return release_folder.make(tmp_path_factory.mktemp("family") / "dossier", sessions=500)


def checked(folder, trials, capsys):
    trials.write_parquet(folder / "trials.parquet")
    capsys.readouterr()
    assert main(["check", str(folder), "--json"]) in {0, 1}
    return {gate["key"]: gate for gate in json.loads(capsys.readouterr().out)["gates"]}


def unlike(table, made):
    """The trials of the folder, one changed: none of them is the backtest any more."""
    noise = np.random.default_rng(1).normal(0.001, 0.01, table.height)
    return table.with_columns(made(pl.col("try0"), pl.Series(noise)).alias("try0"))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda _, noise: pl.lit(noise), "The backtest is not one of its 8 trials"),
        (lambda own, _: own + 0.0002, "The trial looks gross of costs and the backtest net of them"),
        (lambda own, _: own * 0.5, "The backtest is 2 times that trial"),
    ],
    ids=["nobody's", "gross", "half the leverage"],
)
def test_a_backtest_that_was_not_tried_leaves_the_family_gates_inconclusive(made, change, said, capsys):
    original = pl.read_parquet(made / "trials.parquet")
    try:
        gates = checked(made, unlike(original, change), capsys)
    finally:
        original.write_parquet(made / "trials.parquet")

    for key in ("pbo", "deflated_sharpe", "hansen_spa"):
        assert gates[key]["outcome"] == "inconclusive"
        assert said in gates[key]["reason"]


def test_reversals_are_counted_as_no_trials_and_told(made, capsys):
    original = pl.read_parquet(made / "trials.parquet")
    names = [name for name in original.columns if name != "date"]
    try:
        plain = checked(made, original, capsys)
        padded = checked(made, original.with_columns((-pl.col(name)).alias(f"not {name}") for name in names), capsys)
    finally:
        original.write_parquet(made / "trials.parquet")

    assert padded["pbo"]["statistic"] == plain["pbo"]["statistic"]
    assert padded["deflated_sharpe"]["statistic"] == pytest.approx(plain["deflated_sharpe"]["statistic"], abs=1e-9)
    assert "8 near copies (8 of them reversed)" in padded["pbo"]["reason"]
