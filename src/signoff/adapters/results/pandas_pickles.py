"""Reads Series and DataFrames of pandas 1, 2 and 3 from the description of their pickle.

It reads columns of numbers, Booleans, texts and times. Columns of other objects (the orders and positions of a
backtest) are left out and named. No pandas object is created, so pandas need not be installed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from signoff.adapters.results.pickles import Made, Name, plainly, read
from signoff.domain.errors import BadInputError

INDEX: Final = "(index)"
MAX_CELLS: Final = 50_000_000
MAX_LABELS: Final = 5_000_000
MAX_LETTERS: Final = 256 << 20
Column = NDArray[Any] | pl.Series
_TROUBLE: Final = (
    *(ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError, OverflowError, MemoryError),
    *(pl.exceptions.PolarsError, pl.exceptions.PanicException),
)


@dataclass(frozen=True, slots=True)
class Pickled:
    """A table, its index in the column `INDEX`, and the columns that were left out."""

    frame: pl.DataFrame
    left_out: tuple[str, ...]


def read_pickle(content: bytes, where: str) -> Pickled:
    """The Series or DataFrame in a pickle."""
    described = read(content, where)
    try:
        return _table(described, where)
    except _TROUBLE as error:
        raise BadInputError(
            f"{where}: expected a Series or DataFrame of pandas, found a pickle of other content ({plainly(error)}). "
            "Write the table as Parquet."
        ) from error


def _table(described: Any, where: str) -> Pickled:  # noqa: ANN401 - a described object
    kind = described.name.rpartition(".")[2] if isinstance(described, Made) else type(described).__name__
    if kind not in {"DataFrame", "Series"}:
        raise BadInputError(
            f"{where}: expected a Series or DataFrame of pandas, found {kind}. Pickle the returns, not the whole "
            "result."
        )
    state = _state(described)
    manager = state.get("_mgr", state.get("_data"))
    if kind == "Series":
        axes, blocks = _parts(manager)
        name = _text(state.get("_name", state.get("name"))) or "value"
        columns: dict[str, Any] = {name: blocks[0][0]}
        index = axes[0]
    else:
        axes, blocks = _parts(manager)
        names, index = _names(axes[0]), axes[1]
        columns = dict(_columns(names, blocks))
    plain, left_out = _plain(columns)
    rows = _index(index, where)
    if any(len(values) != len(rows) for values in plain.values()):
        raise ValueError("its columns and its index differ in length")
    if len(rows) * len(plain) > MAX_CELLS:
        raise BadInputError(f"{where}: expected at most {MAX_CELLS:,} values, found more. Thin the table out.")
    return Pickled(pl.DataFrame({INDEX: rows, **plain}), left_out)


def _parts(manager: Any) -> tuple[list[Any], list[tuple[Any, Any]]]:  # noqa: ANN401 - a described object
    """The axes of a block manager, and its blocks with the places of their columns."""
    if len(manager.args) == 2:
        blocks, axes = manager.args
        return list(axes), [(block.args[0], block.args[1]) for block in blocks]
    state = manager.states[0]
    axes, blocks = state[3]["0.14.1"]["axes"], state[3]["0.14.1"]["blocks"]
    return list(axes), [(block["values"], block["mgr_locs"]) for block in blocks]


def _columns(names: Sequence[str], blocks: Sequence[tuple[Any, Any]]) -> Iterator[tuple[str, Any]]:
    if len(set(names)) != len(names):
        raise ValueError("two of its columns have one name")
    placed: dict[int, Any] = {}
    for values, where in blocks:
        places = _places(where, len(names))
        column = _column(values)
        for row, place in enumerate(places):
            placed[place] = column[row] if isinstance(column, np.ndarray) and column.ndim == 2 else column
    for place, name in enumerate(names):
        yield name, placed[place]


def _places(where: Any, count: int) -> Sequence[int]:  # noqa: ANN401 - a described object
    if isinstance(where, Made) and where.name.endswith(".slice"):
        return range(count)[slice(*where.args)]
    return [range(count)[int(place)] for place in _array(where)]


def _plain(columns: Mapping[str, Any]) -> tuple[dict[str, pl.Series], tuple[str, ...]]:
    """The columns that evidence can use, and the names of the others."""
    plain: dict[str, pl.Series] = {}
    left_out: list[str] = []
    room, letters = MAX_CELLS, MAX_LETTERS
    for name, values in columns.items():
        column = values if isinstance(values, np.ndarray | pl.Series) else _column(values)
        room -= len(column) if isinstance(column, pl.Series) else column.size
        if room < 0:
            raise ValueError(f"it has more than {MAX_CELLS:,} values")
        if isinstance(column, np.ndarray) and column.dtype.kind == "O":
            items = column.ravel().tolist()
            if not all(item is None or isinstance(item, str | int | float) for item in items):
                left_out.append(name)
                continue
            # A pickle stores a repeated text once; a column stores it in every row.
            letters -= sum(len(item) for item in items if isinstance(item, str))
            if letters < 0:
                raise ValueError(f"its texts have more than {MAX_LETTERS:,} letters")
            is_text = any(isinstance(item, str) for item in items)
            column = pl.Series(items, dtype=pl.String if is_text else pl.Float64, strict=not is_text)
        plain[name] = column if isinstance(column, pl.Series) else pl.Series(np.ascontiguousarray(column.ravel()))
    return plain, tuple(left_out)


def _column(values: Any) -> Column:  # noqa: ANN401 - a described object
    """One column, or a block of columns of one kind."""
    if not isinstance(values, Made):
        raise TypeError("a column is no array")
    match values.name.rpartition(".")[2]:
        case "__pyx_unpickle_NDArrayBacked" | "DatetimeArray":
            return _backed(values)
        case "ArrowStringArray":
            return _arrow_texts(_state(values))
        case "FloatingArray" | "IntegerArray" | "BooleanArray":
            state = _state(values)
            numbers = _array(state["_data"]).astype(np.float64)
            return np.where(_array(state["_mask"]), np.nan, numbers)
        case _:
            return _array(values)


def _backed(values: Made) -> Column:
    """Times, texts and categories: a numpy array and its meaning."""
    parts: Any = values.states[0]
    if isinstance(parts, dict):
        parts = (parts.get("_dtype"), parts.get("_ndarray"))
    kind, backing = (parts[1], parts[0]) if _is_array(parts[0]) else (parts[0], parts[1])
    array = _array(backing)
    name = kind.name.rpartition(".")[2] if isinstance(kind, Made) else ""
    if name == "DatetimeTZDtype":
        return pl.Series(array.ravel()).dt.replace_time_zone("UTC").dt.convert_time_zone(_zone(_state(kind)["tz"]))
    if name == "CategoricalDtype":
        categories = _names(_state(kind)["categories"])
        return pl.Series([categories[code] if code >= 0 else None for code in array.ravel().tolist()], dtype=pl.String)
    return array


def _is_array(value: Any) -> bool:  # noqa: ANN401 - a described object
    return isinstance(value, Made) and value.name.rpartition(".")[2] in {"_reconstruct", "_frombuffer"}


def _array(value: Any) -> NDArray[Any]:  # noqa: ANN401 - a described object
    """A numpy array from its bytes; the shape must be that of the bytes."""
    name = value.name.rpartition(".")[2]
    if name == "_frombuffer":
        data, dtype, shape, order = value.args
        return _shaped(_bytes(data), _dtype(dtype), shape, order)
    if name != "_reconstruct":
        raise ValueError(f"expected an array, found {value.name}")
    _, shape, dtype, is_fortran, data = value.states[0]
    if _dtype(dtype).kind != "O":
        return _shaped(_bytes(data), _dtype(dtype), shape, "F" if is_fortran else "C")
    objects = np.empty(len(data), dtype=object)
    for place, item in enumerate(data):  # one by one: numpy would descend into nested items of any depth
        objects[place] = item
    return objects.reshape(_plain_shape(shape), order="F" if is_fortran else "C")


def _plain_shape(shape: Any) -> tuple[int, ...]:  # noqa: ANN401 - a described object
    if not isinstance(shape, tuple) or len(shape) > 2 or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise ValueError("expected an array of one or two dimensions")
    return shape


def _shaped(data: bytes | bytearray, dtype: np.dtype[Any], described: Any, order: str) -> NDArray[Any]:  # noqa: ANN401
    shape = _plain_shape(described)
    if dtype.kind == "O" or len(data) != dtype.itemsize * int(np.prod(shape, dtype=object)):
        raise ValueError("an array has more or fewer bytes than its shape says")
    array = np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if order == "F" else "C")
    is_whole_seconds = dtype.kind in "Mm" and np.datetime_data(dtype)[0] == "s"
    return array.astype(f"{dtype.kind}8[ms]") if is_whole_seconds else array


def _dtype(value: Any) -> np.dtype[Any]:  # noqa: ANN401 - a described object
    code: Any = value.args[0]
    state: Any = value.states[0] if value.states else ()
    if not isinstance(code, str) or code[:1] not in "fiubMmOSU" or not code[1:].isdecimal():
        raise ValueError("expected an array of plain values, found one of other things")
    order = state[1] if len(state) > 1 and state[1] in ("<", ">") else "="
    if code[0] in "Mm":
        unit, count = state[-1][-1][0], state[-1][-1][1]
        unit = unit if isinstance(unit, str) else _bytes(unit).decode()
        if unit not in {"s", "ms", "us", "ns", "D"} or count != 1:
            raise ValueError(f"expected times in s, ms, us or ns, found {unit[:10]}")
        return np.dtype(f"{order}{code}[{unit}]")
    return np.dtype("O") if code[0] == "O" else np.dtype(f"{order}{code}")


def _bytes(value: Any) -> bytes | bytearray:  # noqa: ANN401 - a described object
    """Bytes; older protocols write them as a text and its encoding."""
    if isinstance(value, Made) and value.name == "_codecs.encode" and value.args[1] == "latin1":
        return str(value.args[0]).encode("latin-1")
    if isinstance(value, Made) and value.name in {"builtins.bytearray", "__builtin__.bytearray"}:
        return _bytes(value.args[0]) if value.args else b""
    if not isinstance(value, bytes | bytearray):
        raise TypeError("an array is without its bytes")
    return value


def _names(index: Any) -> list[str]:  # noqa: ANN401 - a described object
    """The labels of columns as texts; labels of several levels are joined, each with its level's name."""
    kind, state = index.args[0], index.args[1]
    name = kind.full.rpartition(".")[2] if isinstance(kind, Name) else ""
    if name == "RangeIndex":
        return [str(n) for n in _range(state)]
    if name != "MultiIndex":
        return [_text(label) for label in _labels(state["data"])]
    levels = [_names(level) for level in state["levels"]]
    titles = [f"{_text(title)}=" if title is not None else "" for title in state["names"]]
    codes = [_array(code).tolist() for code in state["codes"]]
    return [
        ", ".join(f"{title}{level[code]}" for title, level, code in zip(titles, levels, place, strict=True))
        for place in zip(*codes, strict=True)
    ]


def _range(state: Mapping[str, Any]) -> range:
    """Labels of a range; its length is checked first, since a huge range takes no space in the file."""
    labels = range(state["start"], state["stop"], state["step"])
    if len(labels) > MAX_LABELS:
        raise ValueError(f"expected at most {MAX_LABELS:,} labels")
    return labels


def _labels(data: Any) -> list[Any]:  # noqa: ANN401 - a described object
    column = _column(data)
    return column.to_list() if isinstance(column, pl.Series) else column.ravel().tolist()


def _index(index: Any, where: str) -> pl.Series:  # noqa: ANN401 - a described object
    """The rows' labels: times with or without a zone, texts, or numbers."""
    name = index.args[0].full.rpartition(".")[2]
    if name == "MultiIndex":
        raise BadInputError(f"{where}: expected one label a row, found several levels of them. Reset the index first.")
    if name == "RangeIndex":
        return pl.Series(list(_range(index.args[1])), dtype=pl.Int64)
    column = _column(index.args[1]["data"])
    if name == "DatetimeIndex" and isinstance(column, np.ndarray) and "tz" in index.args[1]:
        zone = _zone(index.args[1]["tz"]) if index.args[1]["tz"] is not None else None
        times = pl.Series(column.ravel())
        return times.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else times
    plain, left_out = _plain({"index": column})
    if left_out:
        raise ValueError("its rows are labelled by objects")
    return plain["index"]


def _zone(described: Any) -> str:  # noqa: ANN401 - a described object
    name = described.name.rpartition(".")[2]
    if name in {"_UTC", "tzutc"} or (name == "timezone" and not any(described.args[0].args)):
        return "UTC"
    if name in {"_p", "_unpickle"} and described.args and isinstance(described.args[0], str):
        return str(described.args[0])
    raise ValueError("its zone has no name; convert the index to UTC")


def _arrow_texts(state: Mapping[str, Any]) -> pl.Series:
    """Texts in pyarrow's layout: validity bits, offsets, letters."""
    array = state["_pa_array"]
    if array.name.endswith("chunked_array"):
        texts: list[str | None] = []
        letters = MAX_LETTERS
        for chunk in array.args[0]:
            texts += _arrow_chunk(chunk)
            letters -= sum(len(buffer.args[0]) for buffer in chunk.args[0][4] if isinstance(buffer, Made))
            if letters < 0 or len(texts) > MAX_CELLS:
                raise ValueError("its texts are too many or too long")
        return pl.Series(texts, dtype=pl.String)
    return pl.Series(_arrow_chunk(array), dtype=pl.String)


def _arrow_chunk(array: Made) -> list[str | None]:
    kind, length, _, start, buffers, *_ = array.args[0]
    width = {"large_string": "<i8", "string": "<i4"}[_text(kind.args[0])]
    validity, offsets, letters = (None if b is None else _bytes(b.args[0]) for b in buffers)
    if offsets is None:
        return []
    places = np.frombuffer(offsets, dtype=width)[start : start + length + 1].tolist()
    if len(places) != length + 1 or places != sorted(places) or places[0] < 0:
        raise ValueError("texts are not in order")
    bits = None if validity is None else np.unpackbits(np.frombuffer(validity, np.uint8), bitorder="little")[start:]
    return [
        None if bits is not None and not bits[n] else bytes((letters or b"")[places[n] : places[n + 1]]).decode()
        for n in range(length)
    ]


def _state(built: Made) -> Mapping[str, Any]:
    if not built.states or not isinstance(built.states[0], dict):
        raise ValueError(f"{built.name} has no state")
    return built.states[0]


def _text(label: object) -> str:
    """A label as text. A nested label gives only its type's name, since writing it out may never end."""
    if label is None or isinstance(label, str | int | float | date):
        return "" if label is None else str(label)[:200]
    return label.name if isinstance(label, Made) else type(label).__name__
