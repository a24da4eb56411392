"""Sorts the columns of a result by name: returns, amounts, and columns that are not read.

Returns and a benchmark have the unit of `--unit`. Turnover and cost are shares of capital in any case: a turnover of
0.4 is 40% of the capital traded in a day, and 40 is forty times. A column whose name is nearly that of a known one is
refused, since it would be silently ignored.
"""

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from typing import Final

from signoff.adapters.results.series import DAY, Labelled

RETURN: Final = ("return", "returns")
BENCHMARK: Final = ("benchmark", "benchmark return", "benchmark returns")
AMOUNTS: Final = ("turnover", "cost")
LIKENESS: Final = 0.75
LIKENESS_OF_MANY: Final = 0.86
SHORTEST: Final = 4


def plain(name: str) -> str:
    """A column's name for comparison: lower case, with spaces between its words."""
    return " ".join(name.lower().replace("/", " ").replace("_", " ").replace(".", " ").split())


def without(table: Labelled, ignored: Sequence[str]) -> Labelled:
    """The table without the columns that `--ignore` names."""
    if not ignored:
        return table
    if missing := [name for name in ignored if name not in table.columns]:
        raise table.refuse(
            f"expected --ignore to name a column of the file, found {', '.join(missing)}; its columns are "
            f"{', '.join(table.columns)[:300]}."
        )
    note = f"left out as --ignore says: {', '.join(ignored)}"
    return Labelled(table.frame.drop(ignored), table.said, (*table.notes, note), table.written)


def amounts_of(table: Labelled) -> tuple[Labelled, tuple[str, ...]]:
    """The table with its turnover and cost renamed to these names, and the names that it has."""
    amounts = {name: plain(name) for name in table.columns if plain(name) in AMOUNTS}
    twice = [usual for usual in AMOUNTS if list(amounts.values()).count(usual) > 1]
    if twice:
        both = ", ".join(name for name, usual in amounts.items() if usual == twice[0])
        raise table.refuse(f"expected one column {twice[0]}, found {both}. Leave one out with --ignore.")
    frame = table.frame.rename({name: usual for name, usual in amounts.items() if name != usual})
    return Labelled(frame, table.said, table.notes, table.written), tuple(amounts.values())


def read_alone(table: Labelled) -> Labelled:
    """The columns that are read of one strategy; other numbers are named in a note, near misses refused."""
    read_names = (*RETURN, *BENCHMARK, *AMOUNTS)
    refuse_near_misses(table, (*BENCHMARK, *AMOUNTS), likeness=LIKENESS)
    if not any(plain(name) in RETURN for name in table.columns):
        return table
    others = [name for name in table.columns if plain(name) not in read_names and table.frame[name].dtype.is_numeric()]
    if not others:
        return table
    noun = "column that is not read was" if len(others) == 1 else "columns that are not read were"
    note = f"{len(others)} {noun} left out: {', '.join(others)[:300]}"
    return Labelled(table.frame.drop(others), table.said, (*table.notes, note), table.written)


def refuse_near_misses(table: Labelled, names: Collection[str], *, likeness: float = LIKENESS_OF_MANY) -> None:
    """Refuse a column whose name is nearly a known one."""
    problem = near_miss(table.columns, names, likeness=likeness)
    if problem:
        raise table.refuse(problem)


def near_miss(columns: Sequence[str], names: Collection[str], *, likeness: float = LIKENESS_OF_MANY) -> str:
    """The message about the first column whose name is nearly a known one that is missing; else ""."""
    present = {plain(name) for name in columns}
    wanted = [name for name in sorted(names) if len(name) >= SHORTEST and name not in present]
    for name in columns:
        if name == DAY or plain(name) in {*names, *RETURN} or len(plain(name)) < SHORTEST:
            continue
        if close := get_close_matches(plain(name), wanted, n=1, cutoff=likeness):
            return (
                f"column {name!r} is not read; did you mean {close[0]!r}? Rename it, or say --ignore {name!r} if it is "
                "something else."
            )
    return ""
