"""`signoff verdict` says what it understood, judges as `check` does, and asks where a guess is wrong by a factor."""

import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import release_folder
from command_processes import command

import signoff
from signoff.cli.main import main

DAYS = pd.bdate_range("2015-01-01", "2018-12-31")
RETURNS = pd.Series(np.random.default_rng(3).normal(0.0006, 0.008, len(DAYS)), index=DAYS, name="return")
EQUITY = (1e5 * (1 + RETURNS).cumprod()).rename("Equity")
SHARED = ("dsr", "pbo", "walk_forward", "var", "deflated_sharpe", "hansen_spa", "sessions")


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(place, capsys):
    def told(*line):
        capsys.readouterr()
        code = main(["verdict", *line])
        said = capsys.readouterr()
        return code, said.out, said.err

    return told


def test_evaluate_verdict_and_check_give_the_same_figures_to_the_last_digit(run, capsys):
    folder = release_folder.make(Path("release"))
    assert main(["check", str(folder), "--json"]) in {0, 1}
    checked = json.loads(capsys.readouterr().out)
    files = [str(folder / "backtest.parquet"), "--trials", str(folder / "trials.parquet")]
    policy = str(folder / "policy.yaml")
    rate = re.search(r"risk_free_pct: ([\d.]+)", (folder / "dossier.yaml").read_text())
    more = ["--risk-free-pct", rate[1]] if rate else []
    code, out, _ = run(*files, "--policy", policy, "--json", *more)
    told = json.loads(out)
    own = {name: pl.read_parquet(folder / f"{name}.parquet") for name in ("backtest", "trials")}
    found = signoff.evaluate(
        own["backtest"], trials=own["trials"], policy=policy, risk_free_pct=float(rate[1]) if rate else 0.0
    )
    by_key = {gate["key"]: gate for gate in checked["gates"]}
    for gate in told["gates"]:
        same = by_key[gate["key"]]
        for field in ("statistic", "threshold", "outcome", "status", "n", "near_miss", "comparison", "blocking"):
            assert gate[field] == same[field], (gate["key"], field)
        assert found.findings[gate["key"]].value == same["statistic"]
    assert tuple(gate["key"] for gate in told["gates"]) == SHARED
    assert told["figures"].items() <= checked["figures"].items()
    assert told["figures"] == found.document["figures"]
    for metric in told["metrics"][:5]:
        (same,) = [one for one in checked["metrics"] if one["key"] == metric["key"]]
        assert metric["value"] == same["new"]
        assert metric["interval"] == same["new_interval"]
    assert code == (0 if found.passed else 1)


TABLE = EQUITY.rename_axis("Date").reset_index()
WRITTEN = {
    "workbook": ("own.xlsx", lambda path: TABLE.to_excel(path, index=False)),
    "pickle": ("own.pkl", EQUITY.to_pickle),
    "pickle that is named csv": ("own.csv", lambda path: EQUITY.to_pickle(path, compression=None)),
    "european": (
        "own.csv",
        lambda path: TABLE.to_csv(path, sep=";", decimal=",", index=False, date_format="%d.%m.%Y"),
    ),
    "american": ("own.csv", lambda path: TABLE.to_csv(path, index=False, date_format="%m/%d/%Y")),
    "numbered rows": ("own.csv", TABLE.to_csv),
    "dates last": ("own.csv", lambda path: TABLE[["Equity", "Date"]].to_csv(path, index=False)),
    "dates of another name": (
        "own.csv",
        lambda path: TABLE.rename(columns={"Date": "Trading day"})[["Equity", "Trading day"]].to_csv(path, index=False),
    ),
    "no header": ("own.csv", lambda path: EQUITY.to_csv(path, header=False)),
    "no header and semicolons": ("own.txt", lambda path: EQUITY.to_csv(path, header=False, sep=";", decimal=",")),
    "newest first": ("own.csv", lambda path: TABLE[::-1].to_csv(path, index=False)),
    "tabs": ("own.dat", lambda path: TABLE.to_csv(path, sep="\t", index=False)),
    "beside others": (
        "own.csv",
        lambda path: TABLE.assign(Signal="long", Drawdown=0.0, Positions=3).to_csv(path, index=False),
    ),
}


@pytest.mark.parametrize("kind", WRITTEN)
def test_a_table_of_any_common_shape_is_understood(place, run, kind):
    name, write = WRITTEN[kind]
    write(place / name)
    code, out, err = run(name, "--json", "--gate", "walk_forward")
    assert code in {0, 1}, err
    told = json.loads(out)
    understood = told["understood"]
    assert (understood["start"], understood["end"], understood["rows"]) == ("2015-01-02", "2018-12-31", len(DAYS) - 1)
    assert understood["kind"] == "equity"
    assert any("--equity or --returns decides" in guess for guess in understood["guessed"])
    (gate,) = told["gates"]
    assert gate["statistic"] == signoff.evaluate(RETURNS[1:], gates=["walk_forward"]).findings["walk_forward"].value


TRADES = """date,symbol,side,quantity,price,fees
2018-01-02,AAA,buy,10,100,1
2018-01-02,AAA,sell,10,101,1
2018-02-05,AAA,buy,10,100,1
2018-02-05,AAA,sell,10,99,1
"""


def test_the_results_of_other_tools_are_recognised_by_content(place, run):
    files = Path(__file__).parents[1] / "adapters" / "files"
    for name, tool in (("lean_result.json", "LEAN"), ("zipline_perf.pickle", "Zipline")):
        shutil.copy(files / name, place)
        code, out, err = run(name, "--json")
        assert code == 1, err
        assert tool in json.loads(out)["understood"]["lines"][0]
    shutil.copy(files / "nautilus_account.parquet", place)
    code, _, err = run("nautilus_account.parquet")
    assert (code, "--fills and --prices" in err) == (2, True)
    (place / "trades.csv").write_text(TRADES)
    code, _, err = run("trades.csv")
    assert code == 2
    assert "--capital" in err
    code, out, _ = run("trades.csv", "--capital", "10000", "--calendar", "XNYS", "--json")
    assert code == 1
    assert "a list of trades" in json.loads(out)["understood"]["lines"][0]


def asked(name, frame, *line):
    return pytest.param(frame, line, id=name)


@pytest.mark.parametrize(
    ("frame", "options"),
    [
        asked("percent or fraction", RETURNS * 100, "--unit fraction", "--unit percent"),
        asked("basis points", RETURNS * 10_000, "10,000", "--unit percent"),
        asked("a profit in money", RETURNS * 250_000, "capital", "--unit percent"),
        asked("a name that says percent", RETURNS.rename("return %"), "--unit"),
        asked("a small account", (EQUITY / 1e6).rename("x"), "--equity", "--returns"),
        asked("gross returns", (1 + RETURNS).rename("x"), "--equity"),
        asked("a sum of returns", RETURNS.cumsum().rename("x"), "--returns"),
        asked("worths that are called returns", EQUITY.rename("return"), "--equity"),
        asked("several columns", pd.concat([RETURNS.rename("a"), RETURNS.rename("b") * 2], axis=1), "--column"),
        asked("a deposit", EQUITY + np.where(DAYS[500] <= DAYS, 1e5, 0.0), "--extreme", "--flows-complete"),
        asked("a clock without a zone", RETURNS.set_axis(DAYS + pd.Timedelta(hours=16)), "--zone"),
        asked("rows at odd days", RETURNS[::3], "--frequency"),
        asked("a day that doubles the money", RETURNS.where(RETURNS.index != DAYS[7], 1.35), "--extreme"),
    ],
)
def test_what_could_be_wrong_by_a_factor_is_asked_about(place, run, frame, options):
    frame.to_csv("own.csv")
    code, _, err = run("own.csv")
    assert code == 2
    assert all(option in err for option in options), err
    assert "dossier.yaml" not in err
    assert "Traceback" not in err


def test_day_first_dates_are_asked_about_and_taken_as_said(place, run):
    early = RETURNS[RETURNS.index.day <= 12]
    table = pd.DataFrame({"date": early.index.strftime("%d/%m/%Y"), "return": early.to_numpy()})
    table.to_csv("own.csv", index=False)
    code, _, err = run("own.csv")
    assert (code, "--dates day-first or --dates month-first" in err) == (2, True)
    code, out, _ = run("own.csv", "--dates", "day-first", "--json")
    understood = json.loads(out)["understood"]
    assert (code, understood["start"], understood["end"]) == (1, "2015-01-01", "2018-12-12")


def test_an_answer_settles_the_question(place, run):
    (RETURNS * 100).to_csv("own.csv")
    code, out, _ = run("own.csv", "--unit", "percent", "--json", "--gate", "dsr")
    assert code == 0
    value = json.loads(out)["gates"][0]["statistic"]
    assert value == pytest.approx(signoff.evaluate(RETURNS, gates=["dsr"]).findings["dsr"].value)


NONSENSE = {
    "empty.csv": b"",
    "header.csv": b"date,return\n",
    "one.csv": b"date,return\n2018-01-02,0.01\n",
    "hole.csv": b"date,return\n2018-01-02,0.01\n2018-01-03,NaN\n2018-01-04,0.02\n",
    "words.csv": b"date,return\n2018-01-02,up\n2018-01-03,down\n",
    "prose.txt": b"To whom it may concern\nthis is a letter\n",
    "unsorted.csv": b"date,return\n2018-01-03,0.01\n2018-01-02,0.02\n2018-01-04,0.01\n",
    "twice.csv": b"date,return\n2018-01-02,0.01\n2018-01-02,0.02\n2018-01-03,0.01\n",
    "zero.csv": b"date,return\n2018-01-02,0\n2018-01-03,0\n2018-01-04,0\n",
    "picture.png": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "picture.csv": b"\x89PNG\r\n\x1a\n" + bytes(64),
    "bytes.dat": bytes(range(1, 9)) * 40,
    "page.csv": b"<!doctype html><html><table></table></html>",
    "cut.parquet": b"PAR1" + bytes(40),
    "cut.xlsx": b"PK\x03\x04" + bytes(40),
    "evil.pkl": b"\x80\x04cos\nsystem\n(S'true'\ntR.",
    "other.json": b'{"a": 1}',
    "years.csv": b"date,return\n9999-01-02,0.01\n9999-01-03,0.02\n",
    "no_dates.csv": b"a,b\n0.01,0.02\n0.03,0.01\n0.02,0.05\n",
}


@pytest.mark.parametrize("name", NONSENSE)
def test_nonsense_is_refused_in_words(place, run, name):
    (place / name).write_bytes(NONSENSE[name])
    code, out, err = run(name)
    assert code == 2
    assert out == ""
    assert err.strip().startswith(name)
    assert "expected" in err
    assert "Traceback" not in err


def test_a_folder_a_missing_file_and_a_pipe_are_refused(place, run):
    (place / "folder").mkdir()
    os.mkfifo(place / "pipe.csv")
    for name in ("folder", "nothing.csv", "pipe.csv"):
        code, _, err = run(name)
        assert (code, "expected" in err.lower()) == (2, True), name


def test_a_file_that_claims_to_be_vast_is_refused_before_it_is_read(place, run):
    with (place / "vast.csv").open("wb") as file:
        file.truncate(2_100_000_000)
    code, _, err = run("vast.csv")
    assert code == 2
    assert "2,0" in err or "bytes" in err


def test_a_page_is_written_whole_or_not_at_all(place, run):
    RETURNS.to_csv("own.csv")
    code, _, _ = run("own.csv", "--html", "out/verdict.html", "--gate", "walk_forward")
    assert code in {0, 1}
    page = (place / "out" / "verdict.html").read_text()
    assert page.endswith("</html>\n")
    assert page.count("<svg") >= 2
    assert [path.name for path in (place / "out").iterdir()] == ["verdict.html"]
    (place / "taken").mkdir()
    code, _, err = run("own.csv", "--html", "taken", "--gate", "walk_forward")
    assert (code, "folder" in err) == (2, True)


def test_names_that_are_markup_or_orders_to_a_terminal_stay_text(place, run):
    hostile = "<img src=x onerror=alert(1)>\x1b]0;owned"
    name = "<script>alert(1)<&.csv"
    RETURNS.rename(hostile).to_csv(name)
    code, out, err = run(name, "--html", "page.html", "--gate", "walk_forward")
    assert code in {0, 1}, err
    assert "\x1b]" not in out
    page = (place / "page.html").read_text()
    assert "<img" not in page
    assert "<script" not in page
    found = signoff.evaluate(RETURNS.rename(hostile), gates=["walk_forward"])
    assert "\x1b]" not in repr(found)
    assert "<img" not in found._repr_html_()


@pytest.mark.parametrize("gate", ["pbo", "deflated_sharpe", "hansen_spa", "dsr", "walk_forward", "var", "sessions"])
def test_a_gate_is_explained_with_its_formula_its_paper_and_these_numbers(place, run, gate):
    RETURNS.to_csv("own.csv")
    _, out, _ = run("own.csv", "--explain", gate)
    assert all(part in out for part in ("Formula:", "Paper:", "Needs:", "Thresholds of the policy: "))
    assert "Turning point" in out or "Not judged on these data" in out


def test_the_keys_of_the_gates_are_those_of_their_findings():
    from signoff.domain.gates.assess import DEFINITIONS

    found = signoff.evaluate(RETURNS)
    assert {*found.findings, *(one.key for one in found.missing)} == set(DEFINITIONS)


def test_a_grid_of_trials_is_judged_by_the_column_that_is_named(place, run):
    grid = pd.DataFrame(np.random.default_rng(5).normal(0.0001, 0.01, (len(DAYS), 12)), index=DAYS).add_prefix("t")
    grid.to_csv("grid.csv")
    code, _, err = run("grid.csv")
    best = re.search(r"mean to deviation has (t\d+)", err)[1]
    assert code == 2
    code, out, _ = run("grid.csv", "--column", best, "--trials", "grid.csv", "--json")
    assert code == 1
    assert json.loads(out)["figures"]["gates.pbo.trials"] == 12
    long = grid.rename_axis("date").reset_index().melt("date", var_name="trial", value_name="return")
    long.to_csv("long.csv", index=False)
    _, long, _ = run("grid.csv", "--column", best, "--trials", "long.csv", "--json")
    assert json.loads(long)["figures"] == json.loads(out)["figures"]


def test_the_real_command_judges_without_a_home_and_writes_none(place):
    RETURNS.to_csv(place / "own.csv")
    done = command("verdict", str(place / "own.csv"), "--json", home=place / "home")
    assert done.returncode == 1
    assert json.loads(done.stdout)["outcome"] in {"inconclusive", "fail"}
    assert not (place / "home").exists()
