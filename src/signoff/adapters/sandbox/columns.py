"""Tables as plain buffers, exchanged with a process that runs foreign code.

A table is a JSON header (rows, and name and type of each column) followed by the bytes of the columns. The size of each
buffer follows from the header, and the total must match exactly. So hostile bytes reach neither a decompressor nor a
parser of Arrow or Parquet, and memory is allocated only for bytes that are there.
"""

import json
import struct
from typing import Any, Final

import numpy as np
import polars as pl

_LENGTH: Final = struct.Struct(">I")
MOST_HEADER: Final = 4_000_000
MOST_COLUMNS: Final = 20_000
MOST_VALUES: Final = 100_000_000
_NUMBERS: Final[dict[str, Any]] = {
    "Int8": pl.Int8,
    "Int16": pl.Int16,
    "Int32": pl.Int32,
    "Int64": pl.Int64,
    "UInt8": pl.UInt8,
    "UInt16": pl.UInt16,
    "UInt32": pl.UInt32,
    "UInt64": pl.UInt64,
    "Float32": pl.Float32,
    "Float64": pl.Float64,
}
# Types that are carried as their underlying integers.
_AS_INTEGERS: Final[dict[str, Any]] = {"Date": pl.Int32, "Time": pl.Int64, "Boolean": pl.UInt8}
_UNITS: Final = frozenset({"ns", "us", "ms"})
_BROKEN: Final = (
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    struct.error,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
)


class ColumnsError(ValueError):
    """A table that cannot be packed, or bytes that are not a packed table."""


def pack(frame: pl.DataFrame) -> bytes:
    """The bytes of a table. ColumnsError names a column that is not of numbers, texts, Booleans, dates or times."""
    columns, buffers = [], []
    for name in frame.columns:
        kind, parts = _packed(name, frame[name])
        columns.append({"name": name, **kind, "nulls": frame[name].null_count() > 0})
        if columns[-1]["nulls"]:
            buffers.append(frame[name].is_null().to_numpy().astype(np.uint8).tobytes())
        buffers += parts
    header = json.dumps({"rows": frame.height, "columns": columns}).encode()
    return b"".join((_LENGTH.pack(len(header)), header, *buffers))


def _packed(name: str, column: pl.Series) -> tuple[dict[str, object], list[bytes]]:
    match column.dtype:
        case pl.Null():
            return {"type": "Null"}, []
        case pl.Datetime() as kind:
            return {"type": "Datetime", "unit": kind.time_unit, "zone": kind.time_zone}, [_numbers(column, pl.Int64)]
        case pl.Duration() as kind:
            return {"type": "Duration", "unit": kind.time_unit}, [_numbers(column, pl.Int64)]
        case pl.String() | pl.Categorical() | pl.Enum():
            return _texts(column.cast(pl.String))
        case pl.Decimal():
            return {"type": "Float64"}, [column.cast(pl.Float64).fill_null(0).to_numpy().tobytes()]
        case kind if (stored := _NUMBERS.get(str(kind)) or _AS_INTEGERS.get(str(kind))) is not None:
            return {"type": str(kind)}, [_numbers(column, stored)]
        case kind:
            raise ColumnsError(f"features, column {name}: expected one plain value, found {kind}.")


def _numbers(column: pl.Series, kind: Any) -> bytes:  # noqa: ANN401 - a polars type
    plain = column.cast(kind) if column.dtype == pl.Boolean else column.to_physical().cast(kind)
    return plain.fill_null(0).to_numpy().tobytes()


def _texts(column: pl.Series) -> tuple[dict[str, object], list[bytes]]:
    """Dictionary encoding: the distinct texts, and a code for each row. Symbols repeat on every day."""
    filled = column.fill_null("")
    different = filled.unique(maintain_order=True)
    codes = filled.cast(pl.Enum(different)).to_physical().cast(pl.UInt32)
    text = json.dumps(different.to_list()).encode()
    return {"type": "String", "bytes": len(text)}, [text, codes.to_numpy().tobytes()]


def unpack(content: bytes) -> pl.DataFrame:
    """The table in these bytes. ColumnsError for anything but exactly one table."""
    try:
        return _unpacked(memoryview(content))
    except _BROKEN as error:
        raise ColumnsError(f"expected a table, found other bytes: {str(error)[:200]}") from error


def _unpacked(content: memoryview) -> pl.DataFrame:
    (size,) = _LENGTH.unpack_from(content)
    if size > MOST_HEADER:
        raise ColumnsError(f"its header is {size:,} bytes long")
    reading = _Cursor(content, _LENGTH.size + size)
    header = json.loads(bytes(content[_LENGTH.size : reading.at]))
    rows, columns = header["rows"], header["columns"]
    if type(rows) is not int or rows < 0 or len(columns) > MOST_COLUMNS or rows * max(1, len(columns)) > MOST_VALUES:
        raise ColumnsError("its header gives no number of rows, or too many rows or columns")
    frame = pl.DataFrame([_column(reading, kind, rows) for kind in columns])
    if reading.at != len(content):
        raise ColumnsError("it is followed by further bytes")
    return frame


class _Cursor:
    """A read position in the bytes."""

    def __init__(self, content: memoryview, at: int) -> None:
        self._content, self.at = content, at

    def take(self, size: int) -> memoryview:
        """The next `size` bytes; ColumnsError where there are fewer."""
        part = self._content[self.at : self.at + size]
        if size < 0 or len(part) != size:
            raise ColumnsError("it ends too early")
        self.at += size
        return part


def _column(reading: _Cursor, kind: dict[str, Any], rows: int) -> pl.Series:
    name, word = str(kind["name"]), kind["type"]
    is_null = np.frombuffer(reading.take(rows), np.uint8).astype(bool) if kind["nulls"] is True else None
    if word == "Null":
        if is_null is None and rows > 0:
            raise ColumnsError("a column without values does not say so")
        return pl.repeat(None, rows, dtype=pl.Null, eager=True).alias(name)
    values = _text_values(reading, kind, rows) if word == "String" else _number_values(reading, kind, rows)
    values = values.alias(name)
    if is_null is None:
        return values
    return pl.select(pl.when(pl.Series(is_null)).then(None).otherwise(values).alias(name)).to_series()


def _number_values(reading: _Cursor, kind: dict[str, Any], rows: int) -> pl.Series:
    word = kind["type"]
    if word in {"Datetime", "Duration"}:
        if kind["unit"] not in _UNITS:
            raise ColumnsError(f"it has the unit {kind['unit']!r}")
        logical: Any = (
            pl.Duration(kind["unit"])
            if word == "Duration"
            else pl.Datetime(kind["unit"], None if kind["zone"] is None else str(kind["zone"]))
        )
        stored = pl.Int64
    else:
        stored = _NUMBERS.get(word) or _AS_INTEGERS[word]
        logical = _NUMBERS.get(word) or {"Date": pl.Date, "Time": pl.Time, "Boolean": pl.Boolean}[word]
    dtype = np.dtype(_DTYPES[str(stored)])
    numbers = pl.Series(np.frombuffer(reading.take(rows * dtype.itemsize), dtype))
    return numbers if logical == stored else numbers.cast(logical)


_DTYPES: Final = {name: name.lower() for name in _NUMBERS}


def _text_values(reading: _Cursor, kind: dict[str, Any], rows: int) -> pl.Series:
    different = pl.Series(json.loads(bytes(reading.take(kind["bytes"]))), dtype=pl.String, strict=True)
    codes = pl.Series(np.frombuffer(reading.take(rows * 4), np.uint32))
    if rows and int(codes.max()) >= different.len():  # type: ignore[arg-type]  # not None, since there are rows
        raise ColumnsError("a code points beyond the listed texts")
    return different.gather(codes)
