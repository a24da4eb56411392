"""Detects the kind of a file by its first bytes: a workbook named `.csv` is not a truncated CSV."""

from typing import Final

_BEGINNINGS: Final = (
    (b"PAR1", "a Parquet file", "Name it .parquet"),
    (b"ARROW1", "an Arrow file", "Name it .arrow"),
    (b"FEA1", "a Feather file of version 1", "Write it as Feather version 2 or as Parquet"),
    (b"\x1f\x8b", "a gzip archive", "Name it .csv.gz if it holds a CSV"),
    (b"PK\x03\x04", "a zip archive, as an Excel workbook is", "Name it .xlsx and convert it with `signoff import`"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an Excel workbook of the old format .xls", "Save it as .xlsx or as CSV"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive", "Unpack it first"),
    (b"BZh", "a bzip2 archive", "Unpack it first"),
    (b"\xfd7zXZ\x00", "an xz archive", "Unpack it first"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "Write the table as Parquet"),
    (b"SQLite format 3\x00", "an SQLite database", "Write the table as Parquet"),
    (b"%PDF-", "a PDF document", "Write the table as CSV or Parquet"),
    (b"\x89PNG", "a picture", "Save the table that it shows as CSV or Parquet"),
    (b"\xff\xd8\xff", "a picture", "Save the table that it shows as CSV or Parquet"),
    (b"GIF8", "a picture", "Save the table that it shows as CSV or Parquet"),
    (b"version https://git-lfs", "a pointer of Git LFS", "Fetch the file itself with `git lfs pull`"),
)
_SUFFIXES: Final = (
    (b"PAR1", ".parquet"),
    (b"ARROW1", ".arrow"),
    (b"\xff\xff\xff\xff", ".arrow"),
    (b"PK\x03\x04", ".xlsx"),
    (b"\x1f\x8b", ".csv.gz"),
)
_LOOKED: Final = 512


def kind_of(content: bytes) -> tuple[str, str] | None:
    """The kind that these bytes begin as, and advice; None for text and unknown kinds."""
    for beginning, kind, remedy in _BEGINNINGS:
        if content.startswith(beginning):
            return kind, remedy
    if content[:1] == b"\x80" and content[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        return "a pickle", "Convert it with `signoff import`"
    text = content[:_LOOKED].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<table", b"<head", b"<meta")):
        return "an HTML page", "Save the table itself; some sites and brokers name a page .csv or .xls"
    if text.startswith(b"<?xml"):
        return "an XML document", "Save the table as CSV or Parquet"
    if text.startswith((b"{", b"[")):
        return "JSON", "Convert it with `signoff import` if a tool wrote it, else write CSV or Parquet"
    return None


def suffix_by_content(content: bytes) -> str:
    """The suffix for the kind of table in these bytes; empty for texts and other kinds."""
    if content[:1] == b"\x80" and content[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        return ".pkl"
    return next((suffix for beginning, suffix in _SUFFIXES if content.startswith(beginning)), "")


def is_text(content: bytes) -> bool:
    """Whether the file begins as readable text."""
    return not any(byte < 9 for byte in content[:_LOOKED])
