"""Whatever is wrong with what people give is said in one paragraph: file, line or row, expected, found, what to do."""

import math
from datetime import date

import numpy as np
import polars as pl
import pytest
from damage import alter, edit, refused, with_value
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signoff.adapters.documents import load_dossier
from signoff.adapters.evidence.reader import FolderReader
from signoff.adapters.templates import write_dossier
from signoff.domain.errors import BadInputError

TODAY = date(2026, 1, 2)


def test_the_folder_as_it_is_reads_well(folder):
    inputs = FolderReader().read(folder, None)
    assert inputs.policy.triggers.latency_p95_ms == 150
    assert {"dossier.yaml", "policy.yaml", "backtest.parquet", "inputs/prices.parquet", "model_card.md"} <= set(
        inputs.files
    )


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("  goal: >-", "  gaol: >-", ("dossier.yaml:", "gaol", "'goal'", "unknown key")),
        ("  timing: Year end", "  #timing: Year end", ("rationale.timing", "missing")),
        ("sharpe: 0.60", "sharpe: high", ("validation.targets.sharpe", "number", "'high'")),
        ("annual_return_pct: 6.0", "annual_return_pct: 4500", ("annual_return_pct", "100", "4500", "percentage")),
        ("sharpe: 0.60", "sharpe: .nan", ("validation.targets.sharpe", "finite")),
        ("sharpe: 0.60", "sharpe: .inf", ("validation.targets.sharpe", "finite")),
        ("deployment_date: 2019-01-02", "deployment_date: tomorrow", ("header.deployment_date", "date")),
        ("deployment_type: upgrade", "deployment_type: initial", ("header.previous_version", "initial")),
        ("likelihood: high", "likelihood: certain", ("risk.risks.0.likelihood", "'certain'")),
        ("header:", "header: &anchor", ("anchor",)),
        ("rationale:", "header: {}\nrationale:", ("repeats the key header",)),
        ("goal: >-", "goal: [", ("not YAML",)),
        ("timing: Year end", "timing: FILL IN Year end", ("placeholder", "rationale.timing")),
        ("role: cto", "role: risk_manager", ("plan.signatories", "twice")),
        ("model: momentum", "model: ../../keys/momentum", ("dossier.yaml:", "header.model", "letters, digits")),
        ("model: momentum", "model: team/momentum", ("header.model", "folders and addresses")),
        ("model: momentum", "model: --help", ("header.model", "letters, digits")),
        ("version: 2.0.0", "version: 2/../../../2", ("header.version", "letters, digits")),
    ],
)
def test_a_dossier_that_is_wrong_names_the_key_and_its_line(folder, old, new, words):
    edit(folder / "dossier.yaml", old, new)
    refused(folder, *words)


def test_every_problem_of_a_file_is_reported_at_once(folder):
    edit(folder / "dossier.yaml", "sharpe: 0.60", "sharpe: high")
    edit(folder / "dossier.yaml", "  goal: >-", "  gaol: >-")
    message = refused(folder, "3 problems")
    assert "(1)" in message
    assert "(3)" in message


def test_loosening_the_policy_names_both_lines(folder):
    edit(folder / "dossier.yaml", "triggers.latency_p95_ms: 150", "triggers.latency_p95_ms: 250")
    message = refused(folder, "never loosen", "250", "200")
    line = 1 + (folder / "policy.yaml").read_text().splitlines().index("  latency_p95_ms: 200.0")
    asked = next(
        n for n, t in enumerate((folder / "dossier.yaml").read_text().splitlines(), 1) if "latency_p95_ms: 250" in t
    )
    assert f"policy.yaml:{line}" in message
    assert f"dossier.yaml:{asked}" in message


def test_an_unknown_threshold_names_the_nearest(folder):
    edit(folder / "dossier.yaml", "triggers.latency_p95_ms: 150", "triggers.latency_ms: 150")
    refused(folder, "triggers.latency_p95_ms", "no threshold")


@pytest.mark.parametrize("content", [b"", b"   \n", b"- a\n- b\n", b"just text", b"\xff\xfe\x00"])
def test_what_is_no_document_is_refused(folder, content):
    (folder / "dossier.yaml").write_bytes(content)
    refused(folder, "dossier.yaml")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (with_value("return", 7, math.nan), ("row 7", "return", "finite")),
        (with_value("return", 7, math.inf), ("row 7", "return")),
        (with_value("return", 7, None), ("row 7", "return", "nothing")),
        (with_value("return", 7, 1.7), ("row 7", "percent")),
        (lambda t: pl.concat([t.head(9), t.slice(8, 1), t.slice(9)]), ("row 10", "repeats")),
        (lambda t: t.reverse(), ("row 2", "goes back")),
        (lambda t: t.head(0), ("rows",)),
        (lambda t: t.drop("return"), ("columns", "return")),
        (lambda t: t.with_columns(pl.lit("x").alias("return")), ("row 1", "number", "x")),
        (lambda t: t.tail(300), ("trials", "300 rows")),
    ],
)
def test_a_backtest_that_is_wrong_names_the_row(folder, change, words):
    alter(folder / "backtest.parquet", change)
    refused(folder, *words)


def test_an_empty_and_a_truncated_file_are_told_apart_from_a_good_one(folder):
    path = folder / "trials.parquet"
    content = path.read_bytes()
    path.write_bytes(b"")
    refused(folder, "trials.parquet", "empty")
    path.write_bytes(content[: len(content) // 2])
    refused(folder, "trials.parquet", "truncated")


def test_timestamps_need_a_zone(folder):
    alter(folder / "predictions.parquet", lambda t: t.with_columns(pl.col("timestamp").dt.replace_time_zone(None)))
    refused(folder, "predictions.parquet", "zone")


def test_a_symbol_that_was_lost_for_a_day_is_counted_and_named(folder):
    table = pl.read_parquet(folder / "predictions.parquet")
    alter(folder / "predictions.parquet", lambda t: t.with_row_index().filter(pl.col("index") != 301).drop("index"))
    absences = FolderReader().read(folder, None).evidence.predictions.absences
    assert (absences.absent, absences.symbols, absences.expected) == (1, 1, table.height)
    assert absences.example == ("BBB", table["timestamp"][301].replace(tzinfo=None))


def test_a_symbol_that_was_never_predicted_cannot_be_traded(folder):
    alter(
        folder / "paper.parquet",
        lambda t: t.with_columns(pl.lit("ZZZ").alias("symbol")).unique("timestamp", maintain_order=True),
    )
    refused(folder, "ZZZ", "predictions")


def test_periods_that_do_not_belong_together_are_refused(folder):
    alter(folder / "backtest_previous.parquet", lambda t: t.with_columns(pl.col("date").dt.offset_by("-20y")))
    refused(folder, "backtest_previous", "period")


def test_two_files_of_one_name_are_refused(folder):
    pl.read_parquet(folder / "trials.parquet").write_csv(folder / "trials.csv")
    refused(folder, "trials.csv", "trials.parquet")


def test_evidence_does_not_come_from_outside_of_the_folder(folder, tmp_path):
    (folder / "trials.parquet").rename(tmp_path / "elsewhere.parquet")
    (folder / "trials.parquet").symlink_to(tmp_path / "elsewhere.parquet")
    refused(folder, "outside")


@pytest.mark.parametrize("suffix", ["csv", "arrow"])
def test_csv_and_arrow_read_as_parquet_does(folder, suffix):
    expected = FolderReader().read(folder, None).evidence.backtest
    table = pl.read_parquet(folder / "backtest.parquet")
    (folder / "backtest.parquet").unlink()
    table.write_csv(folder / "backtest.csv") if suffix == "csv" else table.write_ipc(folder / "backtest.arrow")
    found = FolderReader().read(folder, None).evidence.backtest
    np.testing.assert_array_equal(found.dates, expected.dates)
    np.testing.assert_array_equal(found.returns, expected.returns)


def test_entities_in_a_test_report_are_not_expanded(folder):
    (folder / "junit").mkdir()
    bomb = '<!DOCTYPE a [<!ENTITY b "boom">]><testsuite name="unit"><testcase name="&b;"/></testsuite>'
    (folder / "junit" / "unit.xml").write_text(bomb)
    refused(folder, "unit.xml")


def test_skipped_tests_have_not_passed(folder):
    (folder / "junit").mkdir()
    (folder / "junit" / "unit.xml").write_text(
        '<testsuite name="unit"><testcase name="a"/><testcase name="b"><skipped/></testcase></testsuite>'
    )
    (suite,) = FolderReader().read(folder, None).evidence.suites.values()
    assert (suite.passed, suite.total) == (1, 2)


def test_a_missing_folder_says_how_to_make_one(tmp_path):
    with pytest.raises(BadInputError, match="signoff init"):
        FolderReader().read(tmp_path / "nowhere", None)


def test_what_init_writes_asks_to_be_filled_in(tmp_path):
    write_dossier("mine", "1.0.0", tmp_path / "mine", today=TODAY)
    with pytest.raises(BadInputError, match="placeholder"):
        load_dossier(tmp_path / "mine")
    text = (tmp_path / "mine" / "dossier.yaml").read_text()
    (tmp_path / "mine" / "dossier.yaml").write_text(text.replace("FILL IN", "said"))
    assert load_dossier(tmp_path / "mine").value.model == "mine"


def test_init_replaces_nothing(tmp_path):
    write_dossier("mine", "1.0.0", tmp_path, today=TODAY)
    with pytest.raises(BadInputError, match="nothing was written"):
        write_dossier("mine", "1.0.0", tmp_path, today=TODAY)


def test_the_published_schemas_are_the_ones_in_force():
    from pathlib import Path

    from signoff.adapters.schema import as_text, dossier_schema, policy_schema

    published = Path(__file__).parents[2] / "docs" / "schema"
    assert (published / "dossier.schema.json").read_text() == as_text(dossier_schema())
    assert (published / "policy.schema.json").read_text() == as_text(policy_schema())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_to_a_dossier_is_an_error_for_people_or_none(folder, data):
    path = folder / "dossier.yaml"
    lines = (pristine_text := path.read_text()).splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    damage = data.draw(
        st.sampled_from(
            ["", "  x: 1", "- -", "\t", "header: 3", ": :", "{", "'", "\x00", "!!python/object:os.system x"]
        )
    )
    lines[number] = damage
    try:
        path.write_text("\n".join(lines))
        load_dossier(folder)
    except BadInputError:
        pass
    finally:
        path.write_text(pristine_text)
