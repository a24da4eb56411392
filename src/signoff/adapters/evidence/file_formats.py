"""The bytes of a file as a table: Parquet, CSV, compressed CSV, Arrow (file and stream) and Feather.

A truncated file is detected by its own end marks before a reader starts. A reader's panic becomes an ordinary error,
and its output stays off the terminal.
"""

import csv
import gzip
import os
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from threading import Lock
from typing import Final, NoReturn, TypeVar

import polars as pl

from signoff.adapters.evidence.arrow_extent import extent_of_arrow
from signoff.adapters.evidence.csv_text import NAMED, CsvText, counted_lines, csv_text, first_ragged
from signoff.adapters.evidence.extents import ROOM, Extent, refuse_fat, refuse_vast
from signoff.adapters.evidence.figures import Decimal, has_odd_figures, plain_figures
from signoff.adapters.evidence.file_signatures import is_text, kind_of
from signoff.adapters.evidence.parquet_extent import extent_of_parquet
from signoff.adapters.evidence.written_dates import Order
from signoff.domain.errors import BadInputError

T = TypeVar("T")
SUFFIXES: Final = (".parquet", ".csv", ".arrow", ".feather", ".csv.gz")
MAX_BYTES: Final = 2_000_000_000
# A csv.gz of figures shrinks to about a tenth; less than a hundredth is not evidence.
MAX_RATIO: Final = 100
# A line has one value per trial; a text is a name or a time.
MAX_LINE: Final = 4 << 20
MAX_TEXT: Final = 4096
PIECE: Final = 4 << 20
MANY_VALUES: Final = 4_000_000
FEW_COLUMNS: Final = 32
HEAD: Final = 1000
NAMES: Final = frozenset({"symbol", "sector", "side"})
STREAM: Final = b"\xff\xff\xff\xff"
STREAM_END: Final = STREAM + bytes(4)
_MARKS: Final = {".parquet": (b"PAR1", b"PAR1"), ".arrow": (b"ARROW1", b"ARROW1"), ".feather": (b"ARROW1", b"ARROW1")}
_ALONE: Final = Lock()


def suffix_of(name: str) -> str:
    """The suffix that decides how a file is read; `.csv.gz` is one suffix."""
    return next((suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(suffix)), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hints:
    """Facts that a file does not show and a person stated."""

    decimal: Decimal | None = None
    dates: Order | None = None
    sheet: str | None = None
    drop_head: bool = False


NO_HINTS: Final = Hints()


@dataclass(frozen=True, slots=True)
class LocatedTable:
    """A table, and the line of its first row if every row is one line of text."""

    frame: pl.DataFrame
    first_line: int | None = None
    notes: tuple[str, ...] = ()


def frame_of(content: bytes, suffix: str, where: str) -> pl.DataFrame:
    """The table in these bytes; `where` names it in messages."""
    return read_frame(content, suffix, where).frame


def read_frame(
    content: bytes,
    suffix: str,
    where: str,
    hints: Hints = NO_HINTS,
    *,
    is_coded: bool = False,
    skips_title: bool = False,
) -> LocatedTable:
    """The table in these bytes, and the line of its first row.

    `is_coded` allows names as categories, which are smaller than texts in a long table.
    """
    try:
        if suffix in _MARKS:
            return LocatedTable(_binary_frame(content, suffix, where, is_coded=is_coded))
        return _csv_table(
            unpacked(content, where) if suffix == ".csv.gz" else content, where, hints, skips_title=skips_title
        )
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, EOFError) as error:
        reason = (str(error).splitlines() or ["unreadable"])[0][:160]
        raise BadInputError(
            f"{where}: expected a whole {suffix[1:]} file, found one that cannot be read ({reason}). "
            f"{'It may be truncated; write' if _may_be_cut(suffix, reason) else 'Write'} it again. Nothing was written."
        ) from error


def _binary_frame(content: bytes, suffix: str, where: str, *, is_coded: bool = False) -> pl.DataFrame:
    if suffix == ".arrow" and content.startswith(STREAM):
        if not content.endswith(STREAM_END):
            raise ValueError("its end is missing")
        _refuse_vast(extent_of_arrow(content, where), where)
        return _plain(_quietly(lambda: pl.read_ipc_stream(content)), where)
    first, last = _MARKS[suffix]
    if not content.startswith(first):
        _refuse_other_kind(content, suffix, where)
    if not content.endswith(last) or len(content) < len(first) + len(last) + 4:
        raise ValueError("its end is missing")
    if suffix == ".parquet":
        extent = extent_of_parquet(content, where)
        _refuse_vast(extent, where)
        schema = _quietly(lambda: pl.read_parquet_schema(BytesIO(content)))
        _refuse_odd(schema, where)
        if is_coded and extent.values > MANY_VALUES and len(schema) <= FEW_COLUMNS:
            return _tall_frame(content, schema, where)
        return _plain(_quietly(lambda: pl.read_parquet(content)), where)
    _refuse_vast(extent_of_arrow(content, where), where)
    return _plain(_quietly(lambda: pl.read_ipc(content)), where)


def _tall_frame(content: bytes, schema: Mapping[str, pl.DataType], where: str) -> pl.DataFrame:
    """A long table, read a column at a time: each is one block of memory, and names are codes.

    Names come first, so that the memory of their texts is free when the numbers are read.
    """
    columns = {}
    for name in sorted(schema, key=lambda name: name not in NAMES):
        column = _plain(_quietly(partial(pl.read_parquet, content, columns=[name])), where)[name]
        if name in NAMES and column.dtype == pl.String:
            column = column.cast(pl.Enum(column.drop_nulls().unique(maintain_order=True)))
        columns[name] = column.rechunk()
    return pl.DataFrame([columns[name] for name in schema])


def _may_be_cut(suffix: str, reason: str) -> bool:
    """Whether the file may be truncated; a CSV does not show its end."""
    return suffix != ".csv" and "encrypt" not in reason.lower()


def _refuse_other_kind(content: bytes, suffix: str, where: str) -> NoReturn:
    kind, remedy = kind_of(content) or (
        ("a text, such as a CSV", "Name it .csv if it is one")
        if is_text(content)
        else ("other content", "Write it again")
    )
    raise BadInputError(f"{where}: expected a {suffix[1:]} file, found {kind}. {remedy}. Nothing was written.")


def _refuse_vast(extent: Extent, where: str) -> None:
    refuse_vast(extent, where)
    refuse_fat(extent, where)


def _refuse_odd(schema: Mapping[str, pl.DataType], where: str) -> None:
    """Refuse fixed-size arrays, which take memory even for empty rows."""
    odd = [name for name, kind in schema.items() if "Array(" in str(kind)]
    if odd:
        raise BadInputError(
            f"{where}: column {odd[0][:60]}: expected dates, names or numbers, found arrays. Remove the column."
        )


def _plain(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """The table; refused if a text is too long for a name, since an array reserves that size for each row."""
    for column in frame.iter_columns():
        if column.dtype == pl.String and column.len() and (longest := column.str.len_bytes().max()) is not None:
            assert isinstance(longest, int)
            if longest > MAX_TEXT:
                row = int((column.str.len_bytes() > MAX_TEXT).arg_true()[0]) + 1
                raise BadInputError(
                    f"{where}: row {row}, column {column.name[:60]}: expected at most {MAX_TEXT:,} bytes of text, "
                    f"found {longest:,}. Remove it, or move it out of the table."
                )
    return frame


def unpacked(content: bytes, where: str) -> bytes:
    most = min(MAX_BYTES, ROOM + MAX_RATIO * len(content))
    text = BytesIO()
    with gzip.GzipFile(fileobj=BytesIO(content)) as packed:
        try:
            while piece := packed.read(PIECE):
                text.write(piece)
                if text.tell() > most:
                    raise BadInputError(
                        f"{where}: expected {len(content):,} bytes to unpack to at most {most:,}, found more. No table "
                        "of dates, names and numbers does: thin it out, or write Parquet."
                    )
        except zlib.error as error:
            raise ValueError(str(error)) from error
    return text.getvalue()


def _csv_table(content: bytes, where: str, hints: Hints, *, skips_title: bool) -> LocatedTable:
    text = csv_text(content, where, skips_title=skips_title)
    first = text.content[: MAX_LINE + 1].partition(b"\n")[0]
    lines, longest = counted_lines(text.content)
    if longest > MAX_LINE:
        raise BadInputError(
            f"{where}: expected lines of at most {MAX_LINE:,} bytes, found one of {longest:,}. Is one of its cells no "
            "date, name or number?"
        )
    header = _header(first, text.separator)
    twice = sorted(name for name, count in Counter(header).items() if count > 1 and name)
    refuse_vast(Extent(columns=len(header)), where)
    if twice:
        raise BadInputError(
            f"{where}: expected every column once, found {', '.join(twice)} twice. Rename or remove one."
        )
    _refuse_vast(Extent(columns=len(header), values=lines * len(header), unpacked=len(text.content)), where)
    frame = _csv_frame(text, where, hints)
    first_line = text.header_line + 1 if lines == frame.height + 1 else None
    return LocatedTable(_plain(frame, where), first_line, (text.title,) if text.title else ())


def usual_csv(content: bytes, frame: pl.DataFrame, where: str) -> bytes:
    """The CSV for any reader: its own text if commas separate it, else the table written again."""
    text = csv_text(content, where)
    return text.content if text.separator == "," else frame.write_csv().encode()


def _header(first: bytes, separator: str) -> list[str]:
    return next(csv.reader(first.decode().splitlines(), delimiter=separator), [])


def _csv_frame(text: CsvText, where: str, hints: Hints) -> pl.DataFrame:
    """The table, with figures read in the file's own notation."""
    if text.separator == ",":
        frame = _without_blank(_read_csv(text, where))
        if hints.decimal is None and not has_odd_figures(frame.select(pl.exclude(NAMES))):
            return frame
    texts = _without_blank(_read_csv(text, where, infer_schema=False))
    named = [name for name in texts.columns if name not in NAMES]
    plain = plain_figures(texts.select(named), where, hints.decimal, is_point_usual=text.separator != ";")
    usual = CsvText(texts.with_columns(plain.get_columns()).write_csv().encode(), ",")
    return _read_csv(usual, where)


def _read_csv(text: CsvText, where: str, *, infer_schema: bool = True) -> pl.DataFrame:
    header = _header(text.content[: MAX_LINE + 1].partition(b"\n")[0], text.separator)
    names = {name: pl.String for name in header if name.strip() in NAMES}
    if infer_schema and (frame := _as_its_head(text, names)) is not None:
        return frame
    try:
        return pl.read_csv(
            text.content,
            separator=text.separator,
            infer_schema=infer_schema,
            infer_schema_length=None,
            schema_overrides=names,
        )
    except pl.exceptions.ComputeError:
        _refuse_ragged(text, where)
        raise


def _as_its_head(text: CsvText, names: Mapping[str, type[pl.DataType]]) -> pl.DataFrame | None:
    """The table with column types taken from its first rows; None if another row contradicts them.

    Inferring types from every row takes longer than reading. A column that begins empty has no type yet.
    """
    try:
        frame = pl.read_csv(text.content, separator=text.separator, infer_schema_length=HEAD, schema_overrides=names)
    except pl.exceptions.ComputeError:
        return None
    texts = frame[:HEAD].select(pl.col(pl.String).exclude(*names) if names else pl.col(pl.String))
    return None if any(column.null_count() == column.len() for column in texts.iter_columns()) else frame


def _refuse_ragged(text: CsvText, where: str) -> None:
    if (ragged := first_ragged(text)) is not None:
        line, fields, wanted = ragged
        hint = (
            " Figures with decimal commas need semicolons or tabs between the columns."
            if text.separator == "," and fields > wanted
            else ""
        )
        raise BadInputError(
            f"{where}: line {line}: expected {wanted} fields separated by {NAMED[text.separator]}, as in the header, "
            f"found {fields}. Write every row with the same columns.{hint} Nothing was written."
        )


def _without_blank(frame: pl.DataFrame) -> pl.DataFrame:
    if not frame.width or not frame.height or not frame[:, 0].null_count():
        return frame
    return frame.filter(~pl.all_horizontal(pl.all().is_null()))


def _quietly(read: Callable[[], T]) -> T:
    with _ALONE, _panic_unheard():
        return read()


@contextmanager
def _panic_unheard() -> Iterator[None]:
    """Keep a panicking reader's output off standard error, and pass on any other output."""
    try:
        own = os.dup(2)
    except OSError:
        yield
        return
    is_panic = False
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except pl.exceptions.PanicException:
            is_panic = True
            raise
        finally:
            os.dup2(own, 2)
            aside.seek(0)
            if not is_panic and (printed := aside.read()):
                os.write(own, printed)
            os.close(own)
