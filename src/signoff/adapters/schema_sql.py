"""The database's schema: its version, its upgrades, and the role of the server.

An upgrade is one transaction, so that an interrupted one leaves the old schema.
"""

from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import Connection

# The only rights of the server's role: it adds to the ledger and never changes it.
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


def grant(connection: Connection, role: str, password: str | None) -> None:
    """Create a role that may use the tables and not change the ledger; PostgreSQL only."""
    name = connection.dialect.identifier_preparer.quote(role)
    exists = connection.execute(text("SELECT 1 FROM pg_roles WHERE rolname = :role"), {"role": role}).scalar()
    if exists is None:
        connection.execute(text(f"CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE"))
    if password is not None:
        quoted = "'" + password.replace("'", "''") + "'"
        connection.execute(text(f"ALTER ROLE {name} PASSWORD {quoted}".replace(":", "\\:")))
    connection.execute(text(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {name}"))
    for table, rights in GRANTS.items():
        connection.execute(text(f"GRANT {rights} ON {table} TO {name}"))
