"""Ways to spoil a good dossier folder, and what a refusal must always be like."""

import polars as pl
import pytest

from signoff.adapters.evidence.reader import FolderReader
from signoff.domain.errors import BadInputError


def refused(folder, *words):
    before = sorted(folder.rglob("*"))
    with pytest.raises(BadInputError) as caught:
        FolderReader().read(folder, None)
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message, message
    assert sorted(folder.rglob("*")) == before
    return message


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def alter(path, change):
    table = pl.read_parquet(path)
    change(table).write_parquet(path)


def with_value(column, row, value):
    def change(table):
        values = table[column].to_list()
        values[row - 1] = value
        return table.with_columns(pl.Series(column, values, dtype=table[column].dtype))

    return change
