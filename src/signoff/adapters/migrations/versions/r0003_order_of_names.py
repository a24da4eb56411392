"""For lists on PostgreSQL: indexes of releases in byte order of their names, which is the order of pages.

Without them each page sorts every release first.

Revision ID: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add two indexes; SQLite already orders names by bytes."""
    if op.get_bind().dialect.name == "postgresql":
        in_order = sa.text('stream COLLATE "C"')
        op.create_index("ix_streams_in_order", "streams", [in_order])
        op.create_index("ix_streams_label_in_order", "streams", ["label", in_order])
    op.execute("UPDATE meta SET value = '3' WHERE name = 'schema'")
