"""The file of a SQLite URL, as the library that opens it reads the URL."""

import re
from pathlib import Path
from typing import Final

# Nothing in such a URL can be read in two ways, so the library, whose import is slow, need not be asked.
PLAIN: Final = re.compile(r"sqlite:///([\w./ -]+)", re.ASCII)


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite database; None for other databases, in memory, or given by a SQLite URI."""
    if (plain := PLAIN.fullmatch(url)) is not None:
        return Path(plain[1])
    from sqlalchemy import make_url  # noqa: PLC0415 - see above
    from sqlalchemy.exc import ArgumentError  # noqa: PLC0415

    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        return None
    if parsed.get_backend_name() != "sqlite" or parsed.database in {None, "", ":memory:"} or "uri" in parsed.query:
        return None
    return Path(str(parsed.database))
