"""The tables: the ledger, the states, the outbox, and the TTL store (`shelf`)."""

from typing import Final

from sqlalchemy import Column, Float, Integer, LargeBinary, MetaData, String, Table, UniqueConstraint

metadata: Final = MetaData()
meta = Table("meta", metadata, Column("name", String, primary_key=True), Column("value", String, nullable=False))
events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("stream", String, nullable=False, index=True),
    Column("revision", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
    UniqueConstraint("stream", "revision"),
)
streams = Table(
    "streams",
    metadata,
    Column("stream", String, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("state", LargeBinary, nullable=False),
    Column("model", String, nullable=False, index=True),
    Column("label", String, nullable=False, index=True),
)
commands = Table(
    "commands",
    metadata,
    Column("key", String, primary_key=True),
    Column("request", String, nullable=False),
    Column("seq", Integer, nullable=False),
)
outbox = Table(
    "outbox",
    metadata,
    Column("identity", String, primary_key=True),
    Column("position", Integer, nullable=False, unique=True),
    Column("kind", String, nullable=False),
    Column("payload", LargeBinary, nullable=False),
    Column("result", String),
    Column("done_at", String),
    Column("holder", String),
    Column("claimed_until", Float),
    Column("lane", String, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("failing_since", Float),
    Column("due_at", Float),
    Column("dead_at", Float),
    Column("problem", String, nullable=False),
)
head = Table(
    "head",
    metadata,
    Column("one", Integer, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("edge", LargeBinary, nullable=False),
    Column("note", LargeBinary, nullable=False),
)
shelf = Table(
    "shelf",
    metadata,
    Column("kind", String, primary_key=True),
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("expires_at", Float, nullable=False),
)
