"""What `check` and the memo say of a paper period whose files were doctored, from the folder to the page."""

import json

import polars as pl
import pytest
import release_folder
import yaml

from signoff.cli.main import main


@pytest.fixture
def folder(tmp_path):
    return release_folder.make(tmp_path / "release", sessions=600)


def checked(folder, capsys):
    capsys.readouterr()
    assert main(["check", str(folder), "--json"]) in {0, 1}
    return json.loads(capsys.readouterr().out)["paper"]


def doctored(folder, *columns, name="paper"):
    path = folder / f"{name}.parquet"
    pl.read_parquet(path).with_columns(*columns).write_parquet(path)


def test_what_could_not_be_checked_is_said_and_is_not_called_none(folder, capsys):
    paper = checked(folder, capsys)
    assert paper["anomalies"] == []
    assert "None found" not in paper["says"]
    assert "Fills outside the bar: not checked: no bars were given." in paper["says"]


def test_with_every_check_run_none_is_found(folder, capsys):
    doctored(folder, pl.lit(50.0).alias("bar_low"), pl.lit(200.0).alias("bar_high"))
    paper = checked(folder, capsys)
    assert (paper["anomalies"], paper["says"].startswith("None found. Checked: ")) == ([], True)
    assert {check["not_checked"] for check in paper["checks"]} == {None}


@pytest.mark.parametrize(
    ("name", "column", "said"),
    [
        ("paper", pl.lit(123.0).alias("prediction"), "All 180 predictions are 123 (n = 180)."),
        (
            "paper",
            pl.when(pl.col("symbol") == "BBB").then(0.5).otherwise(pl.col("prediction")).alias("prediction"),
            "Constant predictions in 1 symbol of 3: BBB 0.5 (n = 60).",
        ),
        (
            "paper",
            pl.when(pl.int_range(pl.len()) >= 120).then(7.0).otherwise(pl.col("prediction")).alias("prediction"),
            "3 runs of 3 or more equal predictions in a row; longest 20",
        ),
        ("paper_returns", (pl.col("return") * 5).alias("return"), "times as much as the backtest's"),
        ("paper_returns", pl.lit(0.001).alias("return"), "Kolmogorov-Smirnov distance"),
    ],
)
def test_a_doctored_paper_period_is_found_by_check(folder, capsys, name, column, said):
    doctored(folder, column, name=name)
    assert said in checked(folder, capsys)["says"]


def test_what_is_found_is_printed_for_people_by_check_and_in_the_memo(folder, capsys):
    doctored(folder, pl.lit(123.0).alias("prediction"))
    doctored(folder, pl.lit(0.001).alias("return"), name="paper_returns")
    main(["check", str(folder)])
    shown = " ".join(capsys.readouterr().out.split())
    main(["memo", str(folder), "--out", str(folder.parent / "memo")])
    written = (folder.parent / "memo" / "deployment_memo.md").read_text().replace("\\", "")
    for said in ("All 180 predictions are 123 (n = 180).", "Kolmogorov-Smirnov distance"):
        assert said in shown
        assert said in written


def test_fills_outside_their_bar_are_counted_and_named(folder, capsys):
    low = pl.when(pl.int_range(pl.len()) == 7).then(150.0).otherwise(50.0).alias("bar_low")
    doctored(folder, low, pl.lit(200.0).alias("bar_high"))
    assert "1 fill of 26 outside the bar's low to high; worst BBB" in checked(folder, capsys)["says"]


def test_one_side_of_a_bar_alone_is_refused(folder, capsys):
    doctored(folder, pl.lit(50.0).alias("bar_low"))
    assert main(["check", str(folder)]) == 2
    assert "expected the columns bar_low and bar_high or neither, found bar_low alone" in " ".join(
        capsys.readouterr().err.split()
    )


def test_what_the_author_declares_is_printed_as_declared_beside_what_was_found(folder, capsys):
    dossier = yaml.safe_load((folder / "dossier.yaml").read_text())
    dossier["validation"]["paper"]["explanations"] = ["nothing odd at all"]
    (folder / "dossier.yaml").write_text(yaml.safe_dump(dossier, sort_keys=False))
    doctored(folder, pl.lit(123.0).alias("prediction"))
    assert checked(folder, capsys)["declared"] == ["nothing odd at all"]
    main(["memo", str(folder), "--out", str(folder.parent / "memo")])
    memo = (folder.parent / "memo" / "deployment_memo.md").read_text()
    assert "declared by Q. Ferrari: nothing odd at all" in memo
    assert "All 180 predictions are 123" in memo
