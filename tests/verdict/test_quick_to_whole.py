"""`signoff init --from` writes a dossier around the files that are there, and `signoff check` judges it unfinished."""

import json
import shlex
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import release_folder

import signoff
from signoff.adapters.documents import load_dossier
from signoff.cli.main import main
from signoff.domain.errors import BadInputError

DAYS = pd.bdate_range("2015-01-01", "2018-12-31")
RNG = np.random.default_rng(5)
GRID = pd.DataFrame(RNG.normal(0.0003, 0.009, (len(DAYS), 12)), index=DAYS).add_prefix("setting ")
BEST = GRID["setting 3"].rename("best")
EQUITY = (1e6 * (1 + BEST).cumprod()).rename("NAV").rename_axis("Date")
INDEX = pd.Series(RNG.normal(0.0002, 0.01, len(DAYS)), index=DAYS, name="benchmark")
SHARED = ("dsr", "pbo", "walk_forward", "var", "deflated_sharpe", "hansen_spa", "sessions")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(place, capsys):
    def told(line):
        capsys.readouterr()
        code = main(shlex.split(line))
        said = capsys.readouterr()
        return code, said.out, said.err

    return told


def written_grid():
    GRID.to_csv("grid.csv", index_label="date")


def returns_and_trials():
    BEST.to_csv("own.csv", index_label="date")
    written_grid()


def equity_in_a_workbook():
    EQUITY.reset_index().to_excel("own.xlsx", index=False)


def percent():
    (100 * BEST).to_csv("own.csv", index_label="date")
    (100 * GRID).to_csv("grid.csv", index_label="date")


def european_and_newest_first():
    BEST[::-1].to_csv("own.csv", sep=";", decimal=",", index_label="Datum", date_format="%d.%m.%Y")
    written_grid()


def no_header():
    EQUITY.to_csv("own.csv", header=False)


def with_benchmark_turnover_and_cost():
    frame = pd.DataFrame({"return": BEST, "benchmark": INDEX, "turnover": 0.2, "cost": 0.0001})
    pl.DataFrame({"date": list(DAYS.date), **{name: frame[name].to_numpy() for name in frame}}).write_parquet(
        "own.parquet"
    )


def long_trials():
    BEST.to_csv("own.csv", index_label="date")
    GRID.rename_axis("date").reset_index().melt("date", var_name="config", value_name="ret").to_csv(
        "grid.csv", index=False
    )


def one_file_for_both():
    written_grid()


def benchmark_of_its_own():
    BEST.to_csv("own.csv", index_label="date")
    INDEX.rename("index").to_csv("index.csv", index_label="date")


SHAPES = {
    returns_and_trials: ("--from own.csv --from grid.csv", {}),
    equity_in_a_workbook: ("--from own.xlsx", {}),
    percent: ("--from own.csv --from grid.csv --unit percent", {"unit": "percent"}),
    european_and_newest_first: ("--from grid.csv --from own.csv", {}),
    no_header: ("--from own.csv --calendar 24/5", {"calendar": "24/5"}),
    with_benchmark_turnover_and_cost: ("--from own.parquet --risk-free-pct 1", {"risk_free_pct": 1.0}),
    long_trials: ("--from own.csv --from grid.csv --never-traded 4", {"never_traded": 4}),
    one_file_for_both: (
        '--from backtest=grid.csv --from trials=grid.csv --column "setting 3"',
        {"column": "setting 3"},
    ),
    benchmark_of_its_own: ("--from own.csv --from benchmark=index.csv", {}),
}


@pytest.mark.parametrize("write", SHAPES, ids=lambda write: write.__name__)
def test_check_judges_what_init_wrote_as_verdict_judges_the_files(run, write):
    write()
    line, options = SHAPES[write]
    own = next(Path().glob("own.*"), Path("grid.csv"))
    trials = Path("grid.csv") if "grid.csv" in line else None
    index = Path("index.csv") if "index.csv" in line else None
    verdict = signoff.evaluate(own, trials=trials, benchmark=index, **options)
    code, out, err = run(f"init mine 1.0.0 --dir release {line}")
    assert code == 0, err
    assert verdict.understood.lines[0].partition(":")[0] in out
    code, out, err = run("check release --json")
    assert code == 1, err
    told = json.loads(out)
    assert len(told["placeholders"]) > 40
    by_key = {gate["key"]: gate for gate in told["gates"]}
    for key in SHARED:
        if key in verdict.findings:
            assert by_key[key]["statistic"] == verdict.findings[key].value, key
            assert by_key[key]["outcome"] == verdict.findings[key].outcome, key
            assert by_key[key]["threshold"] == verdict.findings[key].threshold, key
    for note in Path("release").glob("*.import.json"):
        said = json.loads(note.read_text())
        for source in said["sources"]:
            assert source["size"] == Path(source["name"]).stat().st_size


def test_turnover_and_cost_beside_the_returns_are_kept(run):
    with_benchmark_turnover_and_cost()
    assert run("init mine 1.0.0 --dir release --from own.parquet")[0] == 0
    kept = pl.read_parquet("release/backtest.parquet")
    assert kept.columns == ["date", "return", "benchmark", "turnover", "cost"]


def test_what_cannot_be_kept_is_said_to_be_left_unread(run):
    EQUITY.to_frame().assign(turnover=0.1).to_csv("own.csv", date_format="%Y-%m-%d %H:%M:%S+01:00")
    code, out, err = run("init mine 1.0.0 --dir release --from own.csv")
    assert code == 0, err
    assert "left unread: turnover" in out


def months():
    index = pd.period_range("2005-01", "2018-12", freq="M")
    pd.Series(RNG.normal(0.7, 1.5, len(index)), index=index, name="return").to_csv("own.csv", index_label="month")


def two_of_one_column():
    BEST.to_csv("own.csv", index_label="date")
    INDEX.rename("index").to_csv("index.csv", index_label="date")


def unordered_dates():
    pd.Series(BEST.to_numpy()[:12], index=pd.date_range("2015-01-01", periods=12, freq="MS")).to_csv(
        "own.csv", date_format="%d/%m/%Y", index_label="date"
    )


def sums():
    BEST.cumsum().to_csv("own.csv", index_label="date")


ASKED = {
    months: ("--from own.csv", ("--unit fraction or --unit percent",)),
    two_of_one_column: ("--from own.csv --from index.csv", ("--from benchmark=FILE", "own.csv", "index.csv")),
    one_file_for_both: ("--from grid.csv", ("--from backtest=grid.csv", "--column")),
    unordered_dates: ("--from own.csv", ("--dates",)),
    sums: ("--from own.csv", ("--equity", "--returns")),
}


@pytest.mark.parametrize("write", ASKED, ids=lambda write: write.__name__)
def test_what_could_be_wrong_by_a_factor_is_asked_and_nothing_is_written(run, write):
    write()
    line, named = ASKED[write]
    code, _, err = run(f"init mine 1.0.0 --dir release {line}")
    assert code == 2
    assert [part for part in named if part not in " ".join(err.split())] == []
    assert not Path("release").exists()


@pytest.mark.parametrize("present", ["backtest.csv", "trials.parquet", "backtest.link", "trials.import.json"])
def test_a_folder_that_has_a_table_of_the_name_is_left_as_it_is(run, present):
    returns_and_trials()
    Path("release").mkdir()
    Path("release", present).write_text("mine")
    code, _, err = run("init mine 1.0.0 --dir release --from own.csv --from grid.csv")
    assert code == 2
    assert present in err
    assert [path.name for path in Path("release").iterdir()] == [present]


def test_memo_and_submit_go_on_refusing_what_check_judges(run):
    returns_and_trials()
    run("init mine 1.0.0 --dir release --from own.csv --from grid.csv")
    code, out, _ = run("check release --junit gates.xml")
    assert code == 1
    assert "The dossier is not finished. 47 left to fill in:" in out
    assert "header: deployed_by.name (line" in out
    assert "deflated_sharpe" in out
    suite = ET.parse("gates.xml").getroot()
    assert int(suite.get("tests")) == len(suite.findall(".//testcase"))
    assert suite.find(".//testcase[@name='placeholders']/failure") is not None
    for line in ("memo release --out memo", "submit release --as 'D. Novak'"):
        code, _, err = run(line)
        assert code == 2
        assert "placeholder" in err
    assert not Path("memo").exists()


def test_a_dossier_whose_gates_pass_is_no_success_while_a_placeholder_is_left(run):
    folder = release_folder.make(Path("release"))
    whole = json.loads(run("check release --json")[1])
    leave(folder, "FILL IN why now")
    code, out, _ = run("check release --json")
    told = json.loads(out)
    assert code == 1
    assert told["passed"] == whole["passed"]
    assert [key.partition(" ")[0] for key in told["placeholders"]] == ["rationale.timing"]
    assert [gate["statistic"] for gate in told["gates"]] == [gate["statistic"] for gate in whole["gates"]]
    assert any("rationale.timing" in text for text in told["refused"])


@pytest.mark.parametrize("left", ["FILL IN", "as agreed; FILL IN the date", '"FILL IN"', "[FILL IN]"])
def test_a_placeholder_is_found_wherever_it_stands_and_refused_where_people_would_sign(place, left):
    folder = release_folder.make(place / "release", sessions=300)
    leave(folder, left)
    if left.startswith("["):
        with pytest.raises(BadInputError, match=r"rationale\.timing: expected a text"):
            load_dossier(folder, may_be_unfinished=True)
        return
    found = load_dossier(folder, may_be_unfinished=True)
    assert found.placeholders == (f"rationale.timing (line {found.line_of('rationale.timing')})",)
    with pytest.raises(BadInputError, match="placeholder"):
        load_dossier(folder)


def leave(folder, left):
    path = folder / "dossier.yaml"
    text = path.read_text()
    (line,) = [one for one in text.splitlines() if one.strip().startswith("timing:")]
    path.write_text(text.replace(line, f"  timing: {left}"))
