"""The bytes of a file as a table: Parquet, CSV, compressed CSV, Arrow (file and stream) and Feather.

What is truncated is seen from the file's own marks before a reader is started. Whatever else makes the reader panic is
an error like any other, and what it prints on the way stays off the desk's terminal.
"""

import codecs
import csv
import gzip
import os
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from threading import Lock
from typing import Final, TypeVar

import numpy as np
import polars as pl

from signoff.adapters.evidence.arrow_extent import extent_of_arrow
from signoff.adapters.evidence.extents import ROOM, Extent, refuse_fat, refuse_vast
from signoff.adapters.evidence.parquet_extent import extent_of_parquet
from signoff.domain.errors import BadInputError

T = TypeVar("T")
SUFFIXES: Final = (".parquet", ".csv", ".arrow", ".feather", ".csv.gz")
MAX_BYTES: Final = 2_000_000_000
# A csv.gz of honest figures shrinks to a tenth; a hundredth is already more than repetition explains.
MAX_RATIO: Final = 100
# A line holds as many values as there are trials; a text is a name or a time.
MAX_LINE: Final = 4 << 20
MAX_TEXT: Final = 4096
PIECE: Final = 4 << 20
NAMES: Final = frozenset({"symbol", "sector", "side"})
STREAM: Final = b"\xff\xff\xff\xff"
STREAM_END: Final = STREAM + bytes(4)
_MARKS: Final = {".parquet": (b"PAR1", b"PAR1"), ".arrow": (b"ARROW1", b"ARROW1"), ".feather": (b"ARROW1", b"ARROW1")}
_ALONE: Final = Lock()


def suffix_of(name: str) -> str:
    """The suffix that says how to read a file; `.csv.gz` is one suffix."""
    return next((suffix for suffix in sorted(SUFFIXES, key=len, reverse=True) if name.endswith(suffix)), "")


def frame_of(content: bytes, suffix: str, said: str) -> pl.DataFrame:
    """The table in these bytes; `said` is what messages call it."""
    try:
        if suffix in _MARKS:
            return _binary_frame(content, suffix, said)
        return _csv_frame(unpacked(content, said) if suffix == ".csv.gz" else content, said)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError, EOFError) as error:
        reason = (str(error).splitlines() or ["unreadable"])[0][:160]
        raise BadInputError(
            f"{said}: expected a whole {suffix[1:]} file, found one that cannot be read ({reason}). "
            "It may be truncated; write it again. Nothing was written."
        ) from error


def _binary_frame(content: bytes, suffix: str, said: str) -> pl.DataFrame:
    if suffix == ".arrow" and content.startswith(STREAM):
        if not content.endswith(STREAM_END):
            raise ValueError("its end is missing")
        _refuse_vast(extent_of_arrow(content, said), said)
        return _plain(_quietly(lambda: pl.read_ipc_stream(content)), said)
    first, last = _MARKS[suffix]
    if not content.startswith(first):
        raise ValueError("it does not begin as one")
    if not content.endswith(last) or len(content) < len(first) + len(last) + 4:
        raise ValueError("its end is missing")
    if suffix == ".parquet":
        _refuse_vast(extent_of_parquet(content, said), said)
        _refuse_odd(_quietly(lambda: pl.read_parquet_schema(BytesIO(content))), said)
        return _plain(_quietly(lambda: pl.read_parquet(content)), said)
    _refuse_vast(extent_of_arrow(content, said), said)
    return _plain(_quietly(lambda: pl.read_ipc(content)), said)


def _refuse_vast(extent: Extent, said: str) -> None:
    refuse_vast(extent, said)
    refuse_fat(extent, said)


def _refuse_odd(schema: Mapping[str, pl.DataType], said: str) -> None:
    """An array of fixed width takes room for each of its places also where it is empty."""
    odd = [name for name, kind in schema.items() if "Array(" in str(kind)]
    if odd:
        raise BadInputError(
            f"{said}: column {odd[0][:60]}: expected dates, names or numbers, found arrays. Remove the column."
        )


def _plain(frame: pl.DataFrame, said: str) -> pl.DataFrame:
    """The table, unless one of its texts is too long to be a name: where texts are spread out, each takes as much."""
    for column in frame.iter_columns():
        if column.dtype == pl.String and column.len() and (longest := column.str.len_bytes().max()) is not None:
            assert isinstance(longest, int)
            if longest > MAX_TEXT:
                row = int((column.str.len_bytes() > MAX_TEXT).arg_true()[0]) + 1
                raise BadInputError(
                    f"{said}: row {row}, column {column.name[:60]}: expected at most {MAX_TEXT:,} bytes of text, found "
                    f"{longest:,}. Remove it, or move it out of the table."
                )
    return frame


def unpacked(content: bytes, said: str) -> bytes:
    most = min(MAX_BYTES, ROOM + MAX_RATIO * len(content))
    text = BytesIO()
    with gzip.GzipFile(fileobj=BytesIO(content)) as packed:
        try:
            while piece := packed.read(PIECE):
                text.write(piece)
                if text.tell() > most:
                    raise BadInputError(
                        f"{said}: expected {len(content):,} bytes to unpack to at most {most:,}, found more. No table "
                        "of dates, names and numbers does: thin it out, or write Parquet."
                    )
        except zlib.error as error:
            raise ValueError(str(error)) from error
    return text.getvalue()


def _csv_frame(content: bytes, said: str) -> pl.DataFrame:
    content = content.removeprefix(codecs.BOM_UTF8)
    _refuse_other_text(content, said)
    first = content[: MAX_LINE + 1].partition(b"\n")[0]
    lines, longest = _lines(content)
    if longest > MAX_LINE:
        raise BadInputError(
            f"{said}: expected lines of at most {MAX_LINE:,} bytes, found one of {longest:,}. Is one of its cells no "
            "date, name or number?"
        )
    header = next(csv.reader(first.decode().splitlines()), [])
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
    refuse_vast(Extent(columns=len(header)), said)
    if twice:
        raise BadInputError(
            f"{said}: expected every column once, found {', '.join(twice)} twice. Rename or remove one."
        )
    _refuse_vast(Extent(columns=len(header), values=lines * len(header), unpacked=len(content)), said)
    names = {name: pl.String for name in header if name in NAMES}
    return _plain(pl.read_csv(content, infer_schema_length=None, schema_overrides=names), said)


def _refuse_other_text(content: bytes, said: str) -> None:
    """Refuse what is no UTF-8, a piece at a time: the text itself is never held beside its bytes."""
    decoder, view = codecs.getincrementaldecoder("utf-8")(), memoryview(content)
    at = 0
    try:
        for at in range(0, len(view), PIECE):
            decoder.decode(view[at : at + PIECE])
        at = len(view)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError as error:
        place = at - len(decoder.getstate()[0]) + error.start
        raise BadInputError(f"{said}: expected UTF-8 text, found byte {place} to be none. Save it as UTF-8.") from error


def _lines(content: bytes) -> tuple[int, int]:
    """How many lines there are, and how long the longest is."""
    whole = np.frombuffer(content, np.uint8)
    count, longest, last = 0, 0, -1
    for at in range(0, whole.size, PIECE):
        ends = np.flatnonzero(whole[at : at + PIECE] == ord("\n")) + at
        if ends.size:
            count += ends.size
            longest = max(longest, int(ends[0]) - last - 1, int(np.diff(ends).max(initial=1)) - 1)
            last = int(ends[-1])
    return count + (last + 1 < whole.size), max(longest, whole.size - last - 1)


def _quietly(read: Callable[[], T]) -> T:
    with _ALONE, _panic_unheard():
        return read()


@contextmanager
def _panic_unheard() -> Iterator[None]:
    """Keep what a panicking reader prints off standard error; anything else that was printed meanwhile is passed on."""
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
