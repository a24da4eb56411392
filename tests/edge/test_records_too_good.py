"""`signoff check` on a record whose Sharpe ratio is above the limit: it is asked for, and never passes alone."""

import json

import numpy as np
import polars as pl
import pytest
import release_folder

from signoff.cli.main import main

OF_THE_RECORD = ("dsr", "walk_forward", "var", "pbo", "deflated_sharpe")
REASON = "Market making with the quotes of one exchange, netted each night."


@pytest.fixture
def made(tmp_path):
    return release_folder.make(tmp_path / "dossier", sessions=1100)


def checked(folder, capsys):
    capsys.readouterr()
    assert main(["check", str(folder), "--json"]) in {0, 1}
    return json.loads(capsys.readouterr().out)


def with_sharpe(folder, annual):
    """The backtest and its trial with this annual Sharpe ratio, of independent returns."""
    table = pl.read_parquet(folder / "backtest.parquet")
    noise = np.random.default_rng(2).normal(0, 1, table.height)
    noise = (noise - noise.mean()) / noise.std(ddof=1)
    own = pl.Series("return", 0.002 * (noise + annual / np.sqrt(252)))
    table.with_columns(own).write_parquet(folder / "backtest.parquet")
    trials = pl.read_parquet(folder / "trials.parquet")
    trials.with_columns(own.alias("try0")).write_parquet(folder / "trials.parquet")


def declare(folder, text):
    path = folder / "dossier.yaml"
    path.write_text(path.read_text() + f"\nevidence:\n  high_sharpe: {text}\n")


@pytest.mark.parametrize("annual", [11.0, 40.0, 632.0 / 4])
def test_a_ratio_above_the_limit_passes_no_gate_of_the_record(made, annual, capsys):
    with_sharpe(made, annual)

    said = checked(made, capsys)

    gates = {gate["key"]: gate for gate in said["gates"]}
    assert not [key for key in OF_THE_RECORD if gates[key]["outcome"] == "pass"]
    assert "the policy's limit of 10.00 (gates.largest_sharpe)" in gates["walk_forward"]["reason"]
    assert "declare evidence.high_sharpe" in gates["walk_forward"]["reason"]


def test_a_declared_ratio_is_judged_and_printed_as_declared(made, capsys):
    with_sharpe(made, 12.0)
    declare(made, f"{{up_to: 14, reason: '{REASON}'}}")

    gates = {gate["key"]: gate for gate in checked(made, capsys)["gates"]}

    assert gates["walk_forward"]["outcome"] == "pass"
    assert "Declared by" in gates["walk_forward"]["reason"]
    assert REASON in gates["walk_forward"]["reason"]


def test_a_declaration_holds_up_to_its_own_ratio(made, capsys):
    with_sharpe(made, 16.0)
    declare(made, f"{{up_to: 14, reason: '{REASON}'}}")

    gates = {gate["key"]: gate for gate in checked(made, capsys)["gates"]}

    assert gates["walk_forward"]["outcome"] == "inconclusive"
    assert "above the 14.00 that is declared" in gates["walk_forward"]["reason"]


def test_a_ratio_below_the_limit_needs_no_declaration(made, capsys):
    with_sharpe(made, 4.0)

    gates = {gate["key"]: gate for gate in checked(made, capsys)["gates"]}

    assert gates["walk_forward"]["outcome"] == "pass"
    assert "largest_sharpe" not in gates["walk_forward"]["reason"]
