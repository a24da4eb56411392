"""The bytes of a file as a table: Parquet, CSV, compressed CSV, Arrow (file and stream) and Feather.

What is truncated is seen from the file's own marks before a reader is started. Whatever else makes the reader panic is
an error like any other, and what it prints on the way stays off the desk's terminal.
"""

import csv
import gzip
import os
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from threading import Lock
from typing import Final, TypeVar

import polars as pl

from signoff.domain.errors import BadInputError

T = TypeVar("T")
SUFFIXES: Final = (".parquet", ".csv", ".arrow", ".feather", ".csv.gz")
MAX_BYTES: Final = 2_000_000_000
MAX_CELLS: Final = 500_000_000
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
        return _csv_frame(_unpacked(content, said) if suffix == ".csv.gz" else content, said)
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
        frame = _quietly(lambda: pl.read_ipc_stream(content))
        _refuse_vast(frame.height * frame.width, said)
        return frame
    first, last = _MARKS[suffix]
    if not content.startswith(first):
        raise ValueError("it does not begin as one")
    if not content.endswith(last) or len(content) < len(first) + len(last) + 4:
        raise ValueError("its end is missing")
    if suffix == ".parquet":
        _refuse_vast(_quietly(lambda: _cells(pl.scan_parquet(BytesIO(content)))), said)
        return _quietly(lambda: pl.read_parquet(content))
    _refuse_vast(_quietly(lambda: _cells(pl.scan_ipc(BytesIO(content)))), said)
    return _quietly(lambda: pl.read_ipc(content))


def _cells(lazy: pl.LazyFrame) -> int:
    return int(lazy.select(pl.len()).collect().item()) * len(lazy.collect_schema())


def _refuse_vast(cells: int, said: str) -> None:
    if cells > MAX_CELLS:
        raise BadInputError(f"{said}: expected at most {MAX_CELLS:,} values, found {cells:,}. Thin the table out.")


def _unpacked(content: bytes, said: str) -> bytes:
    with gzip.GzipFile(fileobj=BytesIO(content)) as packed:
        try:
            text = packed.read(MAX_BYTES + 1)
        except zlib.error as error:
            raise ValueError(str(error)) from error
    if len(text) > MAX_BYTES:
        raise BadInputError(f"{said}: expected at most {MAX_BYTES:,} bytes once unpacked, found more. Thin it out.")
    return text


def _csv_frame(content: bytes, said: str) -> pl.DataFrame:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInputError(
            f"{said}: expected UTF-8 text, found byte {error.start} to be none. Save it as UTF-8."
        ) from error
    header = next(csv.reader(text[: text.find("\n") + 1 or None].splitlines()), [])
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise BadInputError(
            f"{said}: expected every column once, found {', '.join(twice)} twice. Rename or remove one."
        )
    names = {name: pl.String for name in header if name in NAMES}
    return pl.read_csv(text.encode(), infer_schema_length=None, schema_overrides=names)


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
