"""Evidence that is nearly right is refused where it is wrong: never dropped, never read as something else."""

import gzip
import json
import os
import random
import sys

import numpy as np
import polars as pl
import pytest
from damage import alter, edit, refused, with_value
from evidence_folder import load_evidence
from fake_runs import FakeRuns

from signoff.adapters.evidence import extents, file_formats, tables
from signoff.adapters.evidence.reader import FolderReader
from signoff.adapters.folders import write_folder
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import SuiteName
from signoff.ports.runs import RunStatus, TrackedRun


def as_csv(folder, name, change=lambda table: table, text=lambda written: written):
    path = folder / f"{name}.parquet"
    written = text(change(pl.read_parquet(path)).write_csv())
    path.unlink()
    (folder / f"{name}.csv").write_text(written)


def positions(folder, **columns):
    days = pl.read_parquet(folder / "backtest.parquet")["date"]
    table = pl.DataFrame({"date": days, "symbol": "AAA", "weight": 0.5})
    table.with_columns(**columns).write_parquet(folder / "positions.parquet")


def stamps(pattern):
    return lambda table: table.with_columns(pl.col("timestamp").dt.strftime(pattern))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: pl.concat([t.head(5), t.slice(4, 1), t.slice(5)]), ("paper.parquet", "row 6", "repeats")),
        (lambda t: t.reverse(), ("row 4", "in order")),
        (with_value("quantity", 1, -10.0), ("row 1", "quantity", "0 or more")),
        (with_value("latency_ms", 3, -1.0), ("row 3", "latency_ms", "0 or more")),
        (with_value("decision_price", 8, 0.0), ("row 8", "decision_price", "above 0")),
        (with_value("fill_price", 8, None), ("row 8", "fill_price")),
        (with_value("side", 8, "long"), ("row 8", "side", "buy or sell", "long")),
        (with_value("prediction", 2, None), ("row 2", "prediction")),
        (lambda t: t.with_columns(error=pl.lit(2)), ("row 1", "error", "true or false")),
    ],
)
def test_a_paper_log_that_is_wrong_names_the_row(folder, change, words):
    alter(folder / "paper.parquet", change)
    refused(folder, *words)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("predictions", lambda t: pl.concat([t.head(3), t.slice(2, 1), t.slice(3)]), ("row 4", "repeats CCC")),
        ("predictions", lambda t: t.with_columns(pl.col("symbol").replace("AAA", " ")), ("row 1", "symbol", "empty")),
        ("predictions", lambda t: t.with_columns(symbol=pl.lit(7)), ("symbol", "names")),
        ("predictions", with_value("realized", 9, float("nan")), ("row 9", "realized", "finite")),
        ("backtest", with_value("return", 4, 4500.0), ("row 4", "4500", "percent")),
        ("backtest", with_value("benchmark", 4, -1.5), ("row 4", "benchmark", "percent")),
        ("trials", with_value("try3", 11, float("inf")), ("trials.parquet", "row 11", "try3", "finite")),
        ("trials", with_value("try3", 11, -2.0), ("row 11", "try3", "percent")),
        ("trials", lambda t: t.select("date"), ("configuration",)),
        ("backtest", lambda t: t.with_columns(pl.lit("0_1").alias("return")), ("row 1", "number", "0_1")),
        ("backtest", lambda t: t.with_columns(pl.lit(True).alias("return")), ("row 1", "number", "Boolean")),
        ("backtest", lambda t: t.with_columns(date=pl.lit(20180101)), ("date", "ISO")),
    ],
)
def test_a_table_that_is_wrong_names_row_and_column(folder, name, change, words):
    alter(folder / f"{name}.parquet", change)
    refused(folder, *words)


def test_a_csv_names_the_line_beside_the_row(folder):
    as_csv(folder, "backtest", with_value("return", 7, 9.0))
    refused(folder, "backtest.csv", "row 7 (line 8)", "percent")


@pytest.mark.parametrize("pattern", ["%d/%m/%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y%m%d"])
def test_dates_that_may_be_read_in_two_ways_are_refused(folder, pattern):
    as_csv(folder, "backtest", lambda t: t.with_columns(pl.col("date").dt.strftime(pattern)))
    refused(folder, "backtest.csv", "date", "ISO")


@pytest.mark.parametrize(
    "pattern",
    ["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%d 16:00:00-05:00", "%Y-%m-%dT16:00:00.000-0500", "%Y-%m-%dT%H:%M:%S+00:00"],
)
def test_a_zone_is_read_in_every_iso_form(folder, pattern):
    expected = load_evidence(folder).predictions.timestamps
    as_csv(folder, "predictions", stamps(pattern))
    np.testing.assert_array_equal(load_evidence(folder).predictions.timestamps, expected)


@pytest.mark.parametrize("pattern", ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d", "%H:%M", "%s"])
def test_a_time_without_zone_or_date_is_refused(folder, pattern):
    as_csv(folder, "predictions", stamps(pattern))
    refused(folder, "predictions.csv", "timestamp")


def test_tickers_of_digits_keep_their_zeros(folder):
    for name in ("predictions", "paper"):
        as_csv(folder, name, lambda t: t.with_columns(pl.col("symbol").replace({"AAA": "0700", "BBB": "0001"})))
    assert {"0700", "0001"} <= set(load_evidence(folder).predictions.symbols.tolist())


def test_categories_are_names_and_numbers_alike(folder):
    kinds = pl.Enum(["AAA", "BBB", "CCC"])
    alter(folder / "predictions.parquet", lambda t: t.with_columns(pl.col("symbol").cast(kinds)))
    expected = load_evidence(folder).backtest.returns
    alter(
        folder / "backtest.parquet",
        lambda t: t.with_columns(pl.col("return").cast(pl.String).cast(pl.Categorical)),
    )
    np.testing.assert_array_equal(load_evidence(folder).backtest.returns, expected)


def test_two_columns_of_one_name_are_not_two_trials(folder):
    as_csv(folder, "trials", text=lambda written: written.replace("try1", "try0", 1))
    refused(folder, "trials.csv", "try0", "once")


def test_a_csv_in_another_encoding_is_refused(folder):
    (folder / "trials.parquet").unlink()
    (folder / "trials.csv").write_bytes("date,café\n2018-01-01,0.1\n".encode("latin-1"))
    refused(folder, "trials.csv", "UTF-8")


@pytest.mark.parametrize("name", ["Trials.parquet", "trials.ipc", "trials.csv.zip", "trials.PARQUET", "trials.pkl"])
def test_a_file_whose_name_is_nearly_right_is_not_passed_over(folder, name):
    (folder / "trials.parquet").rename(folder / name)
    refused(folder, name, "trials.parquet or trials.csv")


def test_a_link_to_nothing_and_a_folder_are_no_evidence(folder):
    (folder / "trials.parquet").unlink()
    (folder / "trials.parquet").symlink_to(folder / "nowhere")
    refused(folder, "trials.parquet", "link to nothing")
    (folder / "trials.parquet").unlink()
    (folder / "trials.parquet").mkdir()
    refused(folder, "trials.parquet", "folder")


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of POSIX")
def test_a_pipe_is_no_evidence_and_nobody_waits_for_it(folder):
    (folder / "trials.parquet").unlink()
    os.mkfifo(folder / "trials.parquet")
    with pytest.raises(BadInputError, match="FIFO"):
        load_evidence(folder)


def test_what_is_far_too_large_is_not_read(folder, monkeypatch):
    monkeypatch.setattr(extents, "MAX_VALUES", 5000)
    refused(folder, "trials.parquet", "5,000 values", "9,900")
    monkeypatch.setattr(tables, "MAX_BYTES", 5000)
    refused(folder, "5,000 bytes")


@pytest.mark.parametrize("kind", ["parquet", "arrow"])
def test_any_damage_to_a_binary_file_is_an_error_for_people_or_none(folder, kind):
    path = folder / f"damaged.{kind}"
    table = pl.read_parquet(folder / "trials.parquet").head(200)
    table.write_parquet(path) if kind == "parquet" else table.write_ipc(path)
    good, draw, refusals = path.read_bytes(), random.Random(5), 0
    for n in range(150):
        bad = bytearray(good[: draw.randrange(1, len(good))] if n % 3 == 0 else good)
        for _ in range(n % 3 * 2):
            bad[-1 - draw.randrange(min(len(bad), 900))] = draw.randrange(256)
        path.write_bytes(bytes(bad))
        try:
            tables.read(path, folder)
        except BadInputError:
            refusals += 1
    assert refusals > 50


def test_weights_in_percent_are_refused(folder):
    positions(folder, weight=pl.lit(75.0))
    refused(folder, "positions.parquet", "row 1", "weight", "percent")


def test_positions_repeated_or_of_an_unknown_symbol_are_refused(folder):
    positions(folder, symbol=pl.lit("ZZZ"))
    refused(folder, "positions.parquet", "ZZZ", "predictions")
    positions(folder)
    alter(folder / "positions.parquet", lambda t: pl.concat([t.head(2), t.slice(1)]))
    refused(folder, "row 3", "repeats")


@pytest.mark.parametrize("part", ["positions", "paper_returns", "predictions", "predictions_previous"])
def test_every_part_belongs_to_the_same_period(folder, part):
    if part == "positions":
        positions(folder)
    if part == "predictions_previous":
        pl.read_parquet(folder / "predictions.parquet").write_parquet(folder / "predictions_previous.parquet")
    assert load_evidence(folder) is not None
    column = "timestamp" if part.startswith("predictions") else "date"
    alter(folder / f"{part}.parquet", lambda t: t.with_columns(pl.col(column).dt.offset_by("-20y")).unique(
        [c for c in (column, "symbol") if c in t.columns], maintain_order=True))  # fmt: skip
    refused(folder, f"{part}.parquet", "period")


def test_trials_that_differ_by_one_day_name_it(folder):
    alter(folder / "trials.parquet", lambda t: t.with_row_index().filter(pl.col("index") != 500).drop("index"))
    day = pl.read_parquet(folder / "backtest.parquet")["date"][500]
    refused(folder, "trials", "1099 rows", f"first difference at {day}")


def test_a_probability_lies_between_nought_and_one(folder):
    edit(folder / "dossier.yaml", "prediction: score", "prediction: probability")
    refused(folder, "predictions.parquet", "row ", "probability", "validation.prediction")


def test_a_folder_without_a_backtest_says_what_it_needs(folder):
    (folder / "backtest.parquet").unlink()
    refused(folder, "backtest.parquet", "date and return")


def test_every_file_that_was_read_is_a_source(folder):
    (folder / "junit").mkdir()
    (folder / "junit" / "unit.xml").write_text('<testsuite name="unit"><testcase name="a"/></testsuite>')
    evidence = load_evidence(folder)
    named = {source.name: source for source in evidence.sources}
    assert {"backtest.parquet", "trials.parquet", "predictions.parquet", "paper.parquet", "junit/unit.xml"} <= set(
        named
    )
    assert named["trials.parquet"].rows == 1100
    assert named["trials.parquet"].size == (folder / "trials.parquet").stat().st_size
    assert (evidence.pit, evidence.candidate, evidence.champion) == (None, None, None)


PASS, FAIL = '<testcase name="a"/>', '<testcase name="b"><failure/></testcase>'


def report(folder, name, text):
    (folder / "junit").mkdir(exist_ok=True)
    (folder / "junit" / name).write_text(text)


def suites(folder):
    found = FolderReader().read(folder, None).evidence.suites
    return {name: (suite.passed, suite.total) for name, suite in found.items()}


def test_no_report_hides_another(folder):
    report(folder, "unit-a.xml", f'<testsuite name="unit">{FAIL}</testsuite>')
    report(folder, "unit-b.xml", f'<testsuite name="unit">{PASS}</testsuite>')
    refused(folder, "unit-b.xml", "junit/unit-a.xml", "Merge")


def test_one_report_may_hold_several_suites(folder):
    inner = f'<testsuite name="unit">{PASS}</testsuite><testsuite name="integration">{PASS}{FAIL}</testsuite>'
    report(folder, "all.xml", f"<testsuites>{inner}</testsuites>")
    assert suites(folder) == {SuiteName.UNIT: (1, 1), SuiteName.INTEGRATION: (1, 2)}


def test_the_name_of_the_file_comes_before_the_name_of_the_suite(folder):
    report(folder, "integration-tests.xml", f'<testsuite name="unit">{PASS}</testsuite>')
    assert suites(folder) == {SuiteName.INTEGRATION: (1, 1)}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("community.xml", f'<testsuite name="opportunity">{PASS}</testsuite>'),
        ("unit.xml", '<testsuite name="unit"/>'),
        ("unit.xml", "<html/>"),
        ("unit.xml", ""),
        ("unit.xml", '<?xml version="1.0" encoding="klingon"?><testsuite/>'),
    ],
)
def test_what_reports_no_test_of_a_known_suite_is_refused(folder, name, text):
    report(folder, name, text)
    refused(folder, name)


@pytest.mark.parametrize(
    "case",
    ["<testcase><failure/></testcase>", "<testcase><error/></testcase>", "<testcase><skipped/></testcase>",
     '<testcase status="notrun"/>', '<testcase result="suppressed"/>'],
)  # fmt: skip
@pytest.mark.parametrize("namespace", ["", ' xmlns="urn:junit"'])
def test_only_a_test_that_ran_and_held_has_passed(folder, case, namespace):
    report(folder, "unit.xml", f"<testsuite{namespace}>{PASS}{case}</testsuite>")
    assert suites(folder) == {SuiteName.UNIT: (1, 2)}


@pytest.mark.parametrize(
    ("text", "day"),
    [
        (f'<testsuite timestamp="2018-12-19T10:00:00">{PASS}</testsuite>', "2018-12-19"),
        (f'<testsuites><testsuite name="x" timestamp="2018-12-19T10:00:00.1+00:00">{PASS}</testsuite></testsuites>',
         "2018-12-19"),
        (f'<testsuites timestamp="2018-12-18"><testsuite name="x">{PASS}</testsuite></testsuites>', "2018-12-18"),
        ('<testsuite timestamp="2018-12-19"><testcase name="a" timestamp="2018-12-20T01:00:00Z"/></testsuite>',
         "2018-12-20"),
        (f'<testsuite timestamp="yesterday">{PASS}</testsuite>', ""),
        (f"<testsuite>{PASS}</testsuite>", ""),
    ],
)  # fmt: skip
def test_a_test_has_the_day_of_the_nearest_timestamp_and_none_without_one(folder, text, day):
    report(folder, "unit.xml", text)
    (case,) = FolderReader().read(folder, None).evidence.suites[SuiteName.UNIT].cases
    assert (case.name, case.has_passed, case.day) == ("a", True, day)


def test_a_report_from_outside_of_the_folder_is_refused(folder, tmp_path):
    report(folder, "other.txt", "")
    (tmp_path / "o.xml").write_text(f'<testsuite name="unit">{PASS}</testsuite>')
    (folder / "junit" / "unit.xml").symlink_to(tmp_path / "o.xml")
    refused(folder, "unit.xml", "outside")


def pointer(folder, text):
    content = (folder / "trials.parquet").read_bytes()
    (folder / "trials.parquet").unlink()
    (folder / "trials.link").write_text(text)
    return FakeRuns(TrackedRun(id="abc123", name="study", status=RunStatus.FINISHED)).holding(
        "abc123", {"evidence/t.parquet": content}
    )


def test_a_pointer_is_fetched_and_frozen_with_where_it_came_from(folder):
    expected = load_evidence(folder).trials
    runs = pointer(folder, f"mlflow:abc123/evidence/t.parquet sha256:{expected.source.sha256}\n")
    inputs = FolderReader(runs).read(folder, None)
    np.testing.assert_array_equal(inputs.evidence.trials.returns, expected.returns)
    assert inputs.evidence.trials.source.sha256 == expected.source.sha256
    assert inputs.evidence.trials.source.name == "fetched/trials.parquet"
    assert inputs.files["trials.link"] == (folder / "trials.link").read_bytes()
    assert inputs.files["fetched/trials.parquet"] == runs.content("abc123", "evidence/t.parquet", limit=10**9)
    assert json.loads(inputs.files["fetched/trials.json"])["runs"][0] == {
        "run": "abc123", "artifact": "evidence/t.parquet", "sha256": expected.source.sha256, "users": []
    }  # fmt: skip


def test_what_is_kept_is_read_as_it_was_fetched_whatever_the_tracker_says_today(folder, tmp_path):
    inputs = FolderReader(pointer(folder, "mlflow:abc123/evidence/t.parquet")).read(folder, None)
    write_folder(tmp_path / "kept" / "inputs", inputs.files)
    again = FolderReader(None, keep=tmp_path / "kept").read(tmp_path / "kept" / "inputs", None)
    assert again.files == inputs.files
    np.testing.assert_array_equal(again.evidence.trials.returns, inputs.evidence.trials.returns)
    (tmp_path / "kept" / "inputs" / "fetched" / "trials.parquet").unlink()
    with pytest.raises(BadInputError, match="Submit it again"):
        FolderReader(None, keep=tmp_path / "kept").read(tmp_path / "kept" / "inputs", None)


def test_nobody_lays_a_fetched_table_into_a_folder_by_hand(folder):
    pointer(folder, "mlflow:abc123/evidence/t.parquet")
    (folder / "fetched").mkdir()
    refused(folder, "fetched", "Signoff alone")


def test_a_pointer_whose_target_changed_is_refused(folder):
    runs = pointer(folder, f"mlflow:abc123/evidence/t.parquet sha256:{'0' * 64}")
    with pytest.raises(BadInputError, match="no longer what was pointed at"):
        load_evidence(folder, runs=runs)


def test_a_pointer_needs_a_registry(folder):
    pointer(folder, "mlflow:abc123/t.parquet")
    refused(folder, "trials.link", "registry", "mlflow:abc123/t.parquet")


@pytest.mark.parametrize("wrong", ["mlflow:abc123/gone.parquet", "mlflow:nobody/t.parquet"])
def test_a_pointer_that_cannot_be_fetched_says_so(folder, wrong):
    runs = pointer(folder, wrong)
    with pytest.raises(BadInputError, match=r"trials\.link: expected to fetch .* and cannot"):
        load_evidence(folder, runs=runs)


@pytest.mark.parametrize(
    "text",
    ["", "s3://bucket/t.parquet", "mlflow:a/../../etc/t.parquet", "mlflow:a/t.pkl", "mlflow:a", "mlflow-children:",
     "mlflow-parents:abc123"],
)  # fmt: skip
def test_a_pointer_that_points_nowhere_is_refused(folder, text):
    runs = pointer(folder, text)
    with pytest.raises(BadInputError, match=r"trials\.link"):
        load_evidence(folder, runs=runs)
    assert runs.asked == []


def test_only_trials_are_a_family(folder):
    (folder / "paper.parquet").unlink()
    (folder / "paper.link").write_text("mlflow-children:abc123")
    with pytest.raises(BadInputError, match=r"paper\.link: expected one line mlflow:RUN_ID/path"):
        load_evidence(folder, runs=FakeRuns())


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("trials.arrow", lambda t, path: t.write_ipc(path)),
        ("trials.arrow", lambda t, path: t.write_ipc_stream(path)),
        ("trials.arrow", lambda t, path: t.write_ipc(path, compression="zstd")),
        ("trials.feather", lambda t, path: t.write_ipc(path, compression="lz4")),
        ("trials.csv.gz", lambda t, path: path.write_bytes(gzip.compress(t.write_csv().encode()))),
        ("trials.csv", lambda t, path: t.write_csv(path)),
    ],
)
def test_a_table_is_the_same_in_every_format(folder, name, write):
    expected = load_evidence(folder).trials
    table = pl.read_parquet(folder / "trials.parquet")
    (folder / "trials.parquet").unlink()
    write(table, folder / name)
    found = load_evidence(folder).trials
    np.testing.assert_array_equal(found.returns, expected.returns)
    np.testing.assert_array_equal(found.dates, expected.dates)
    assert found.source.name == name
    (folder / name).write_bytes((folder / name).read_bytes()[:-40] if name != "trials.csv" else b"date,a\n1,2,3\n")
    refused(folder, name)


def test_a_compressed_table_that_unpacks_to_far_too_much_is_not_unpacked(folder, monkeypatch):
    monkeypatch.setattr(file_formats, "MAX_BYTES", 10_000)
    (folder / "trials.parquet").unlink()
    (folder / "trials.csv.gz").write_bytes(gzip.compress(b"date,a\n" + b"0" * 1_000_000))
    refused(folder, "trials.csv.gz", "10,000", "unpack")


@pytest.mark.parametrize(
    ("name", "columns", "words"),
    [
        ("backtest", {"return": "Returns"}, ("expected the columns date, return", "Returns reads like return")),
        ("backtest", {"date": "Date"}, ("Date reads like date",)),
        ("backtest", {"benchmark": "benchmarks"}, ("benchmarks reads like benchmark", "Name it benchmark")),
        ("predictions", {"realized": "realised"}, ("realised reads like realized",)),
        ("predictions", {"realized": "outcome"}, ("found timestamp, symbol, prediction, outcome",)),
        ("paper", {"latency_ms": "latency"}, ("latency reads like latency_ms",)),
    ],
)
def test_a_column_of_nearly_the_right_name_is_named(folder, name, columns, words):
    alter(folder / f"{name}.parquet", lambda t: t.rename(columns))
    refused(folder, f"{name}.parquet", *words)


def test_times_with_and_without_a_zone_do_not_mix(folder):
    def spoil(text):
        lines = text.splitlines()
        return "\n".join([*lines[:4], lines[4].replace("+0000", "", 1), *lines[5:], ""])

    as_csv(folder, "predictions", stamps("%Y-%m-%dT%H:%M:%S%z"), spoil)
    refused(folder, "predictions.csv", "row 4 (line 5)", "timestamp", "with a zone")


def test_a_panic_of_the_reader_is_not_heard(folder, capfd):
    test_any_damage_to_a_binary_file_is_an_error_for_people_or_none(folder, "parquet")
    test_any_damage_to_a_binary_file_is_an_error_for_people_or_none(folder, "arrow")
    assert capfd.readouterr().err == ""


def test_what_others_print_while_a_table_is_read_is_passed_on(capfd):
    assert file_formats._quietly(lambda: os.write(2, b"meanwhile\n")) == 10
    assert capfd.readouterr().err == "meanwhile\n"
