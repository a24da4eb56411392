"""The URL of a database file, which names exactly that path whatever characters it has."""


def sqlite_url(path: str) -> str:
    """The URL of a SQLite file. A percent sign would be read as an escape, and a question mark as the path's end."""
    return f"sqlite:///{path.replace('%', '%25').replace('?', '%3F')}"
