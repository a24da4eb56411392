"""A journal's records in PostgreSQL, exactly once, so that several hosts and years can be read in one place.

Each batch is copied in one transaction with the number up to which the journal is there. A process that dies, or a
connection that breaks at a commit, leaves a whole number of batches; the next run goes on behind them.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from signoff.desk.journal import Entry, Prediction, identity, read
from signoff.domain.errors import BadInputError, RefusedError, UnavailableError

if TYPE_CHECKING:
    from psycopg import Connection, Cursor

BATCH: Final = 20_000
ANSWER_S: Final = 10
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS journals (
    journal text PRIMARY KEY, host text NOT NULL, last_seq bigint NOT NULL, shipped_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS journal_predictions (
    journal text, seq bigint, at timestamptz NOT NULL, deployment text NOT NULL, version text NOT NULL,
    symbol text NOT NULL, prediction float8 NOT NULL, confidence float8, latency_ms float8 NOT NULL,
    is_shadow boolean NOT NULL, is_fallback boolean NOT NULL, features bytea, features_sha256 text,
    PRIMARY KEY (journal, seq)
);
CREATE TABLE IF NOT EXISTS journal_events (
    journal text, seq bigint, at timestamptz NOT NULL, deployment text NOT NULL, kind text NOT NULL,
    says jsonb NOT NULL, PRIMARY KEY (journal, seq)
);
"""
_PREDICTIONS: Final = (
    "COPY journal_predictions (journal, seq, at, deployment, version, symbol, prediction, confidence, latency_ms, "
    "is_shadow, is_fallback, features, features_sha256) FROM STDIN"
)
_LAST: Final = "SELECT last_seq FROM journals WHERE journal = %s"
_LAST_ALONE: Final = "SELECT last_seq FROM journals WHERE journal = %s FOR UPDATE"
_EVENTS: Final = "COPY journal_events (journal, seq, at, deployment, kind, says) FROM STDIN"


def ship(
    journal: Path,
    url: str,
    *,
    host: str,
    needs_standby: bool = False,
    progress: Callable[[int], None] = lambda _seq: None,
) -> int:
    """Copy what is acknowledged and not in the database yet; returns the last number that is there.

    With `needs_standby` the server has to confirm each commit on a synchronous standby; RefusedError where it does not.
    """
    name = identity(journal)
    with _connected(url) as connection:
        if needs_standby:
            _refuse_without_standby(connection)
        with connection.transaction():
            connection.execute(_TABLES)
            connection.execute(
                "INSERT INTO journals VALUES (%s, %s, 0, now()) ON CONFLICT (journal) DO NOTHING", (name, host)
            )
        there = _last(connection, name)
        records = read(journal, after=there)
        while batch := list(islice(records, BATCH)):
            with connection.transaction():
                there = _last(connection, name, is_alone=True)
                wanted = [record for record in batch if record.seq > there]
                if wanted:
                    _copy(connection.cursor(), name, wanted)
                    there = wanted[-1].seq
                    connection.execute(
                        "UPDATE journals SET last_seq = %s, shipped_at = now() WHERE journal = %s", (there, name)
                    )
            progress(there)
    return there


def _last(connection: "Connection", name: str, *, is_alone: bool = False) -> int:
    """The last number of this journal that is there; `is_alone` keeps other shippers out until the commit."""
    row = connection.execute(_LAST_ALONE if is_alone else _LAST, (name,)).fetchone()
    assert row is not None
    return int(row[0])


def _copy(cursor: "Cursor", name: str, records: Iterable[Prediction | Entry]) -> None:
    predictions = [record for record in records if isinstance(record, Prediction)]
    events = [record for record in records if isinstance(record, Entry)]
    with cursor.copy(_PREDICTIONS) as rows:
        for one in predictions:
            rows.write_row(
                (
                    *(name, one.seq, _instant(one.at_ns), one.deployment, one.version, one.symbol, one.value),
                    *(one.confidence, one.latency_ns / 1e6, one.is_shadow, one.is_fallback),
                    None if one.has_digest_alone else one.features,
                    one.features.hex() if one.has_digest_alone else None,
                )
            )
    with cursor.copy(_EVENTS) as rows:
        for event in events:
            says = json.dumps(dict(event.says), sort_keys=True)
            rows.write_row((name, event.seq, _instant(event.at_ns), event.deployment, event.kind.name.lower(), says))


def _instant(at_ns: int) -> str:
    """PostgreSQL keeps microseconds."""
    return (EPOCH + timedelta(microseconds=at_ns // 1000)).isoformat()


def _refuse_without_standby(connection: "Connection") -> None:
    row = connection.execute(
        "SELECT current_setting('synchronous_standby_names'), current_setting('synchronous_commit')"
    ).fetchone()
    assert row is not None
    if not row[0] or row[1] in {"off", "local"}:
        raise RefusedError(
            f"Expected a server that confirms commits on a synchronous standby, found synchronous_standby_names "
            f"{row[0]!r} and synchronous_commit {row[1]!r}. Set them, or ship without --needs-standby."
        )


@contextmanager
def _connected(url: str) -> "Iterator[Connection]":
    try:
        import psycopg  # noqa: PLC0415 - an optional driver
    except ModuleNotFoundError as error:
        raise UnavailableError(
            "Expected psycopg, which is not installed. Install the extra: pip install 'signoff[server]'"
        ) from error
    if not url.startswith(("postgresql://", "postgresql+psycopg://")):
        raise BadInputError(f"Expected the address of a PostgreSQL database, postgresql://…, found {url!r}.")
    try:
        with psycopg.connect(
            url.replace("postgresql+psycopg://", "postgresql://", 1), connect_timeout=ANSWER_S, autocommit=True
        ) as connection:
            yield connection
    except psycopg.Error as error:
        raise UnavailableError(
            f"Expected the database to take the journal, found: {str(error).strip().splitlines()[0]} What was "
            "confirmed before is there; ship again to go on."
        ) from error
