"""What is no configuration is no trial: a benchmark or a cost among the trials would win or lose every split."""

import polars as pl
import pytest
import release_folder

from signoff.cli.main import main


@pytest.fixture(scope="module")
def dossier(tmp_path_factory):
    return release_folder.make(tmp_path_factory.mktemp("release") / "dossier", sessions=60)


@pytest.mark.parametrize("name", ["cost", "benchmark", "turnover", "Cost", " benchmark"])
def test_a_column_of_the_backtest_among_the_trials_is_refused_by_name(dossier, tmp_path, name, capsys):
    from shutil import copytree

    own = copytree(dossier, tmp_path / "dossier")
    trials = pl.read_parquet(own / "trials.parquet")
    trials.with_columns(pl.lit(0.0001).alias(name)).write_parquet(own / "trials.parquet")
    assert main(["check", str(own)]) == 2
    assert f"found {name.strip().lower()}: the backtest has columns of these names" in capsys.readouterr().err


def test_an_error_of_the_replay_is_the_same_wherever_the_folder_lies(dossier, tmp_path, capsys):
    from json import loads
    from shutil import copytree, rmtree

    reasons = []
    for place in ("here", "elsewhere/deep"):
        own = copytree(dossier, tmp_path / place)
        rmtree(own / "inputs")
        main(["check", str(own), "--json"])
        gates = loads(capsys.readouterr().out)["gates"]
        reasons.append(next(gate["reason"] for gate in gates if gate["key"] == "point_in_time"))
    assert reasons[0] == reasons[1]
    assert "inputs/prices" in reasons[0]
    assert str(tmp_path) not in reasons[0]
