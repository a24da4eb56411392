"""An account that is 0 before it is funded: the rows are named, and left out where somebody says so."""

import polars as pl
import pytest

from signoff.adapters.evidence.file_formats import Hints
from signoff.adapters.results.conversion import ConversionRequest, convert
from signoff.domain.errors import BadInputError

DAYS = ["2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"]
FUNDED = [100.0, 101.0, 99.99, 100.5]


def imported(tmp_path, columns, *, drop_head=False, **options):
    pl.DataFrame({"date": DAYS} | columns).write_csv(tmp_path / "equity.csv")
    hints = Hints(drop_head=drop_head)
    return convert(
        ConversionRequest(format="table", source=tmp_path / "equity.csv", is_values=True, hints=hints, **options)
    )


HEADS = {
    "a day of 0": ({"equity": [0.0, *FUNDED, 101.0]}, "in the first row (2024-01-02)", 4),
    "two days of 0": ({"equity": [0.0, 0.0, *FUNDED]}, "in the first 2 rows (2024-01-02 to 2024-01-03)", 3),
    "a column of flows": (
        {"equity": [0.0, 0.0, *FUNDED], "flow": [0.0, 0.0, 100.0, 0.0, 0.0, 0.0]},
        "in the first 2 rows",
        3,
    ),
    "no number and then 0": ({"equity": [None, 0.0, *FUNDED]}, "in the first row (2024-01-03)", 3),
}


@pytest.mark.parametrize("name", HEADS)
def test_rows_before_the_funding_are_left_out_where_somebody_says_so(tmp_path, name):
    columns, rows, left = HEADS[name]
    found = imported(tmp_path, columns, drop_head=True)

    assert found.frame.height == left
    assert found.frame["return"][0] == pytest.approx(101.0 / 100.0 - 1)
    assert any(rows in note and "--drop-head" in note for note in found.notes), found.notes


@pytest.mark.parametrize("name", ["a day of 0", "two days of 0", "a column of flows"])
def test_rows_before_the_funding_are_refused_with_the_option(tmp_path, name):
    columns, rows, _ = HEADS[name]
    with pytest.raises(BadInputError) as caught:
        imported(tmp_path, columns)
    said = str(caught.value)
    assert [word for word in ("column equity", rows, "--drop-head", "funded") if word not in said] == [], said


def test_trials_begin_where_each_has_money(tmp_path):
    columns = {"a": [0.0, *FUNDED, 101.0], "b": [0.0, 0.0, *FUNDED]}
    with pytest.raises(BadInputError, match=r"column b: .*first 2 rows.*--drop-head"):
        imported(tmp_path, columns, table="trials")
    assert imported(tmp_path, columns, table="trials", drop_head=True).frame.height == 3


@pytest.mark.parametrize("values", [[100.0, 101.0, 0.0, 100.0, 101.0, 102.0], [0.0] * 6, [-1.0, 0.0, *FUNDED]])
def test_a_zero_that_is_no_head_is_refused_all_the_same(tmp_path, values):
    with pytest.raises(BadInputError, match="expected values above 0"):
        imported(tmp_path, {"equity": values}, drop_head=True)
