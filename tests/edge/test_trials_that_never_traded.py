"""`signoff check` counts the trials that the dossier says never traded, and says whose word that is."""

import json

import polars as pl
import pytest
import release_folder

from signoff.cli.main import main


@pytest.fixture
def made(tmp_path):
    return release_folder.make(tmp_path / "dossier", sessions=500)


def deflation(folder, capsys):
    capsys.readouterr()
    assert main(["check", str(folder), "--json"]) in {0, 1}
    return next(g for g in json.loads(capsys.readouterr().out)["gates"] if g["key"] == "deflated_sharpe")


def declare(folder, text):
    path = folder / "dossier.yaml"
    path.write_text(path.read_text() + f"\nevidence:\n  never_traded: {text}\n")


@pytest.mark.parametrize("text", ["{trials: 1}", "{trials: 400}", "{trials: 2, names: [wide, slow]}"])
def test_they_make_the_backtest_less_surprising(made, text, capsys):
    plain = deflation(made, capsys)
    declare(made, text)

    found = deflation(made, capsys)

    assert found["statistic"] < plain["statistic"]
    assert "more never traded, as declared by" in found["reason"]


def test_one_that_has_returns_did_trade(made, capsys):
    declare(made, "{trials: 1, names: [try3]}")

    found = deflation(made, capsys)

    assert found["outcome"] == "inconclusive"
    assert "names try3, which has a column in the file `trials`" in found["reason"]


def test_a_number_that_its_names_contradict_is_refused(made, capsys):
    declare(made, "{trials: 5, names: [wide, slow]}")

    assert main(["check", str(made)]) == 2
    assert "trials says 5, and names has 2 different names" in capsys.readouterr().err


def test_a_column_of_zeros_is_sent_to_the_declaration(made, capsys):
    trials = pl.read_parquet(made / "trials.parquet")
    trials.with_columns(pl.lit(0.0).alias("idle")).write_parquet(made / "trials.parquet")

    assert "declare their number as evidence.never_traded" in deflation(made, capsys)["reason"]
