"""Which file the URL of a SQLite database names, as the library that opens it reads the URL."""

from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite database; None for a database of another kind, in memory, or named by a URI of its own."""
    try:
        known = make_url(url)
    except (ArgumentError, ValueError):
        return None
    if known.get_backend_name() != "sqlite" or known.database in {None, "", ":memory:"} or "uri" in known.query:
        return None
    return Path(str(known.database))
