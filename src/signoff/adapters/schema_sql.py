"""The database's schema: which one it has, how it is brought to the present one, and the role that may use it.

On PostgreSQL the same tables stand a second time, apart from the record, for what a rehearsal writes. Everything
happens in one transaction, so that an interrupted upgrade leaves the old schema.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import make_url, text
from sqlalchemy.engine import Connection

SCHEMA: Final = "4"
SCRATCH: Final = "signoff_rehearsal"
# What the server's role may do, and nothing else: the ledger is written and read, never changed.
GRANTS: Final = {
    "meta": "SELECT",
    "events": "SELECT, INSERT",
    "commands": "SELECT, INSERT",
    "streams": "SELECT, INSERT, UPDATE",
    "outbox": "SELECT, INSERT, UPDATE",
    "head": "SELECT, INSERT, UPDATE",
    "shelf": "SELECT, INSERT, UPDATE, DELETE",
}


def upgrade(connection: Connection, present: str | None) -> None:
    """Run the revisions after the present schema, in the transaction that the caller opened."""
    from alembic import command  # noqa: PLC0415 - a third of a second that only an upgrade needs
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    if present == "1" and not connection.dialect.has_table(connection, "alembic_version"):
        command.stamp(config, "0001")
    command.upgrade(config, "head")


@contextmanager
def in_scratch(connection: Connection) -> Iterator[None]:
    """Until the end, names without a schema mean the tables of rehearsals; PostgreSQL only."""
    before = connection.execute(text("SHOW search_path")).scalar_one()
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCRATCH}"))
    connection.execute(text(f"SET LOCAL search_path TO {SCRATCH}"))
    yield
    connection.execute(text(f"SET LOCAL search_path TO {before}"))


def scratch_of(url: str) -> str:
    """The same PostgreSQL database, where its rehearsals write."""
    options = (*make_url(url).normalized_query.get("options", ()), f"-c search_path={SCRATCH}")
    return make_url(url).update_query_dict({"options": " ".join(options)}).render_as_string(hide_password=False)


def grant(connection: Connection, role: str, password: str | None) -> None:
    """Make a role that may use the tables and change nothing of the ledger; PostgreSQL only."""
    name = connection.dialect.identifier_preparer.quote(role)
    known = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}).scalar()
    if known is None:
        connection.execute(text(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"))
    if password is not None:
        quoted = "'" + password.replace("'", "''") + "'"
        connection.execute(text(f"ALTER ROLE {name} PASSWORD {quoted}".replace(":", "\\:")))
    connection.execute(text(f"REVOKE ALL ON ALL TABLES IN SCHEMA public, {SCRATCH} FROM {name}"))
    connection.execute(text(f"GRANT USAGE ON SCHEMA {SCRATCH} TO {name}"))
    for table, rights in GRANTS.items():
        connection.execute(text(f"GRANT {rights} ON {table}, {SCRATCH}.{table} TO {name}"))
