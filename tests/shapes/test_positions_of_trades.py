"""Splits, new names and open positions in a broker's list of trades: asked for, and right once they are answered."""

import numpy as np
import pytest
from test_trade_lists import HEAD, imported, returns

from signoff.domain.errors import BadInputError

SPLIT = HEAD + "2020-01-13,AAA,buy,10,100,0\n2020-01-16,AAA,sell,40,26,0\n"
OF_SPLIT = "date,symbol,close\n2020-01-13,AAA,100\n2020-01-14,AAA,104\n2020-01-15,AAA,26\n2020-01-16,AAA,26\n"
BOUGHT = HEAD + "2020-01-13,OLD,buy,10,100,0\n"
RENAMED = BOUGHT + "2020-01-16,NEW,sell,10,110,0\n"
OF_RENAMED = "date,symbol,close\n2020-01-13,OLD,100\n2020-01-14,OLD,102\n2020-01-15,NEW,104\n2020-01-16,NEW,110\n"


@pytest.mark.parametrize(
    ("trades", "closes", "words"),
    [
        (SPLIT, OF_SPLIT, ("AAA", "2020-01-15", "4 for 1", "--split AAA:2020-01-15=4")),
        (RENAMED, OF_RENAMED, ("--rename OLD=NEW",)),
        (SPLIT.replace("10,100,0", "10,400,0"), OF_SPLIT, ("2020-01-13", "400", "100", "4 times")),
    ],
)
def test_what_happened_to_a_position_is_asked_about(tmp_path, trades, closes, words):
    with pytest.raises(BadInputError) as caught:
        imported(tmp_path, trades, closes, capital=10_000)
    for word in (*words, "Nothing was written"):
        assert word in str(caught.value)


def test_a_split_that_is_declared_loses_nothing(tmp_path):
    """1,000 of 10,000 in shares that go from 100 to 104 and stay there: +40, then nothing."""
    found = imported(tmp_path, SPLIT, OF_SPLIT, capital=10_000, splits=("AAA:2020-01-15=4",))
    np.testing.assert_allclose(found.frame["return"], returns([10_000, 10_000, 10_040, 10_040, 10_040]), atol=1e-15)


def test_a_new_name_that_is_declared_is_one_position(tmp_path):
    found = imported(tmp_path, RENAMED, OF_RENAMED, capital=10_000, renames=("OLD=NEW",))
    np.testing.assert_allclose(found.frame["return"], returns([10_000, 10_000, 10_020, 10_040, 10_100]), atol=1e-15)


def test_a_position_that_stays_open_is_noted(tmp_path):
    found = imported(tmp_path, BOUGHT, OF_RENAMED.replace("NEW", "OLD"), capital=10_000)
    assert any("OLD" in note and "10" in note for note in found.notes)
