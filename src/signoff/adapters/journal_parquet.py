"""A journal's sealed segments as Parquet files, which Polars, DuckDB and Spark read.

A segment is sealed when another follows it. Each becomes two files, predictions and events, which are written whole or
not at all; a segment that has its files is not read again.
"""

import json
import os
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from signoff.desk.journal.content import content
from signoff.desk.journal.reading import identity, sealed_segments
from signoff.desk.journal.records import Entry, Prediction
from signoff.desk.journal.segments import Segment

PREDICTIONS: Final = pl.Schema(
    {
        "seq": pl.Int64(),
        "at": pl.Datetime("ns", "UTC"),
        "deployment": pl.String(),
        "version": pl.String(),
        "symbol": pl.String(),
        "prediction": pl.Float64(),
        "confidence": pl.Float64(),
        "latency_ms": pl.Float64(),
        "is_shadow": pl.Boolean(),
        "is_fallback": pl.Boolean(),
        "clock_went_back": pl.Boolean(),
        "features": pl.List(pl.Float64()),
        "features_sha256": pl.String(),
    }
)
EVENTS: Final = pl.Schema(
    {
        "seq": pl.Int64(),
        "at": pl.Datetime("ns", "UTC"),
        "deployment": pl.String(),
        "kind": pl.String(),
        "says": pl.String(),
        "clock_went_back": pl.Boolean(),
    }
)


def compact(journal: Path, out: Path) -> tuple[Path, ...]:
    """Write the Parquet files of every sealed segment that has none yet; returns them."""
    out.mkdir(parents=True, exist_ok=True)
    written, name = list[Path](), identity(journal)[:12]
    for number, read in sealed_segments(journal):
        places = (out / f"predictions-{name}-{number:08d}.parquet", out / f"events-{name}-{number:08d}.parquet")
        if all(place.exists() for place in places):
            continue
        for place, frame in zip(places, _frames(read()), strict=True):
            _write(frame, place)
            written.append(place)
    return tuple(written)


def _frames(segment: Segment) -> tuple[pl.DataFrame, pl.DataFrame]:
    records = list(content(segment, {}))
    predictions = [_prediction(record) for record in records if isinstance(record, Prediction)]
    events = [_event(record) for record in records if isinstance(record, Entry)]
    return (
        pl.DataFrame(predictions, schema=PREDICTIONS, orient="row"),
        pl.DataFrame(events, schema=EVENTS, orient="row"),
    )


def _prediction(record: Prediction) -> tuple[object, ...]:
    features = None if record.has_digest_alone else np.frombuffer(record.features, dtype="<f8")
    return (
        record.seq,
        record.at_ns,
        record.deployment,
        record.version,
        record.symbol,
        record.value,
        record.confidence,
        record.latency_ns / 1e6,
        record.is_shadow,
        record.is_fallback,
        record.clock_went_back,
        None if features is None else features.tolist(),
        record.features.hex() if record.has_digest_alone else None,
    )


def _event(record: Entry) -> tuple[object, ...]:
    says = json.dumps(dict(record.says), sort_keys=True)
    return (record.seq, record.at_ns, record.deployment, record.kind.name.lower(), says, record.clock_went_back)


def _write(frame: pl.DataFrame, place: Path) -> None:
    making = place.with_suffix(f".{os.getpid()}.tmp")
    frame.write_parquet(making)
    with making.open("rb") as file:
        os.fsync(file.fileno())
    making.rename(place)
