"""For a server: a TTL store, lists of releases by model and state, and effects leased to one worker.

Revision ID: 0002
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add columns and a table; events do not change."""
    op.create_table(
        "shelf",
        sa.Column("kind", sa.String, primary_key=True),
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("expires_at", sa.Float, nullable=False, index=True),
    )
    op.add_column("streams", sa.Column("model", sa.String, nullable=False, server_default=""))
    op.add_column("streams", sa.Column("label", sa.String, nullable=False, server_default=""))
    op.create_index("ix_streams_model", "streams", ["model", "stream"])
    op.create_index("ix_streams_label", "streams", ["label", "stream"])
    op.add_column("outbox", sa.Column("holder", sa.String))
    op.add_column("outbox", sa.Column("claimed_until", sa.Float))
    op.create_index("ix_outbox_result", "outbox", ["result", "position"])
    _name_streams()
    op.execute("UPDATE meta SET value = '2' WHERE name = 'schema'")


def _name_streams() -> None:
    """Write the model and state of each release into columns that can be searched."""
    streams = sa.table(
        "streams",
        sa.column("stream", sa.String),
        sa.column("state", sa.LargeBinary),
        sa.column("model", sa.String),
        sa.column("label", sa.String),
    )
    connection = op.get_bind()
    rows = connection.execute(sa.select(streams.c.stream, streams.c.state)).all()
    for stream, state in rows:
        document = json.loads(state)
        named = {"model": document.get("model", ""), "label": document.get("state", "")}
        connection.execute(sa.update(streams).where(streams.c.stream == stream).values(**named))
