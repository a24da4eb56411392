"""A column of returns in another unit is refused with the unit that its sizes suggest, and never converted."""

import numpy as np
import polars as pl
import pytest
import release_folder

from signoff.cli.main import main

FRACTIONS = np.random.default_rng(3).normal(0.0004, 0.01, 500)
UNITS = {
    "percent": (100 * FRACTIONS, "looks like percent. Divide by 100"),
    "basis points": (1e4 * FRACTIONS, "looks like basis points: divide by 10,000"),
    "rounded basis points": (np.round(1e4 * FRACTIONS), "looks like basis points: divide by 10,000"),
    "money": (2.5e6 * FRACTIONS, "divide the profit of each period by the capital"),
    "shares": (np.round(1e6 * FRACTIONS), "a profit in money or a number of shares, which is no return"),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return release_folder.make(tmp_path_factory.mktemp("units") / "dossier", sessions=500)


@pytest.mark.parametrize(("values", "advice"), UNITS.values(), ids=UNITS)
def test_the_refusal_names_the_unit(made, values, advice, capsys):
    table = pl.read_parquet(made / "backtest.parquet")
    table.with_columns(pl.Series("return", values)).write_parquet(made / "backtest.parquet")
    capsys.readouterr()

    assert main(["check", str(made)]) == 2
    assert advice in " ".join(capsys.readouterr().err.split())
