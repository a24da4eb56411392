"""What the how-to on evidence tells people to type does what it says."""

import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import release_folder
from evidence_folder import load_evidence

from signoff.cli.main import main

ROOT = Path(__file__).parents[2]
FILES = ROOT / "tests" / "adapters" / "files"
TEXT = (ROOT / "docs" / "how-to-evidence.md").read_text()
FENCES = re.findall(r"```(\w*)\n(.*?)```", TEXT, re.DOTALL)
IMPORTS = [line for kind, body in FENCES if not kind for line in body.splitlines() if line.startswith("signoff import")]
SNIPPETS = [body for kind, body in FENCES if kind == "python"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("line", IMPORTS)
def test_every_import_that_is_shown_works(place, line):
    for path in FILES.iterdir():
        shutil.copy(path, place)
    assert main(shlex.split(line)[1:]) == 0
    assert list((place / "release").glob("*.parquet"))


def test_every_format_is_shown():
    from signoff.adapters.results.conversion import FORMATS

    assert {shlex.split(line)[2] for line in IMPORTS} == set(FORMATS)


def test_the_snippet_of_mlflow_gives_the_family_of_a_release(place):
    mlflow = pytest.importorskip("mlflow")
    from signoff.adapters.mlflow_runs import MlflowRuns

    folder = release_folder.make(place / "release")
    days = pl.read_parquet(folder / "trials.parquet")["date"]
    (folder / "trials.parquet").unlink()
    uri = f"sqlite:///{place / 'mlflow.db'}"
    mlflow.set_tracking_uri(uri)
    mlflow.create_experiment("docs", artifact_location=(place / "artifacts").as_uri())
    mlflow.set_experiment("docs")

    def backtest(window):
        returns = np.random.default_rng(window).normal(0, 0.01, days.len())
        return pl.DataFrame({"date": days, "return": returns})

    exec(SNIPPETS[0], {"mlflow": mlflow, "backtest": backtest, "Path": Path})
    trials = load_evidence(folder, runs=MlflowRuns.open(uri)).trials
    assert trials.names == ("window 20", "window 60", "window 120")
    np.testing.assert_array_equal(trials.returns[:, 1], backtest(60)["return"])


def test_the_snippet_of_python_runs(place, capsys):
    folder = release_folder.make(place / "release")
    shutil.copy(folder / "trials.parquet", place)
    exec(SNIPPETS[1], {})
    sharpe, at_risk, pbo = map(float, capsys.readouterr().out.split())
    assert np.isfinite(sharpe)
    assert -1 < at_risk < 0
    assert 0 <= pbo <= 1


def test_every_snippet_is_run():
    assert len(SNIPPETS) == 2
    assert len(IMPORTS) == 9
