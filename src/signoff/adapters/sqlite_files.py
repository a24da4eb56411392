"""The file of a SQLite URL, as the library that opens it reads the URL."""

from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite database; None for other databases, in memory, or given by a SQLite URI."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return None
    if parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", ":memory:"} or "uri" in parsed.query:
        return None
    return Path(str(parsed.database))
