"""For notices: their attempts, when each is due again, and the release of their lane.

Revision ID: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
# A notice's id is its release, a colon and sixteen hexadecimal digits.
NAME_LANES = (
    "UPDATE outbox SET lane = substr(identity, 1, length(identity) - 17) "
    "WHERE kind IN ('notice', 'page') AND length(identity) > 17"
)


def upgrade() -> None:
    """Add columns to the outbox; effects that wait there are due, without failed attempts."""
    op.add_column("outbox", sa.Column("lane", sa.String, nullable=False, server_default=""))
    op.add_column("outbox", sa.Column("attempts", sa.Integer, nullable=False, server_default="0"))
    op.add_column("outbox", sa.Column("failing_since", sa.Float))
    op.add_column("outbox", sa.Column("due_at", sa.Float))
    op.add_column("outbox", sa.Column("dead_at", sa.Float))
    op.add_column("outbox", sa.Column("problem", sa.String, nullable=False, server_default=""))
    op.execute(NAME_LANES)
    op.execute("UPDATE meta SET value = '4' WHERE name = 'schema'")
