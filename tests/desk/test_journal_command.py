"""`signoff journal check`: what it prints, and how it exits."""

import hashlib
import json
import struct

import polars as pl
import pytest

from signoff.adapters.journal_parquet import compact
from signoff.cli.main import main
from signoff.desk.journal import Journal, Kind, read
from signoff.desk.journal.records import Mark
from signoff.desk.journal.segments import read_segment, segment_paths


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path / "journal", segment_bytes=1 << 20, buffer_bytes=1 << 18) as journal:
        for value in range(3):
            journal.wait_durable(journal.predict("m-1", "1", "A", float(value)), 5)
    return tmp_path / "journal"


def checked(folder, capsys):
    code = main(["journal", "check", str(folder), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_whole_journal_has_no_gap(journal, capsys):
    code, document = checked(journal, capsys)
    assert code == 0
    assert (document["records"], document["by_kind"], document["gaps"], document["damage"]) == (
        3,
        {"prediction": 3},
        [],
        None,
    )


def test_records_that_are_missing_are_named(journal, capsys):
    path = segment_paths(journal)[-1]
    path.write_bytes(path.read_bytes()[: read_segment(path).frames[-1].offset])
    code, document = checked(journal, capsys)
    assert (code, document["gaps"]) == (1, [[3, 3]])

    assert main(["journal", "check", str(journal)]) == 1
    assert "MISSING  3 to 3" in capsys.readouterr().out


def test_changed_bytes_are_damage(journal, capsys):
    path = segment_paths(journal)[-1]
    content, frame = path.read_bytes(), read_segment(path).frames[0]
    path.write_bytes(content[: frame.offset + 45] + b"\xaa" + content[frame.offset + 46 :])
    code, document = checked(journal, capsys)
    assert code == 1
    assert path.name in document["damage"]


def test_what_is_no_journal_is_bad_input(tmp_path, capsys):
    assert main(["journal", "check", str(tmp_path / "nowhere")]) == 2
    assert "found none at" in capsys.readouterr().err
    assert main(["journal", "check", str(tmp_path)]) == 4 or "found no segment" in capsys.readouterr().err
    assert not (tmp_path / ".signoff").exists()


def test_sealed_segments_become_tables_once(journal, tmp_path, capsys):
    with Journal.open(journal) as writing:
        writing.event(Kind.ORDER, "m-1", {"symbol": "A"})
        writing.predict("m-1", "2", "B", 9.0, features=hashlib.sha256(b"row").digest(), marks=Mark.DIGEST_OF_FEATURES)
    Journal.open(journal).close()

    assert main(["journal", "compact", str(journal), "--out", str(tmp_path / "tables"), "--json"]) == 0
    written = json.loads(capsys.readouterr().out)["written"]
    predictions = pl.read_parquet(tmp_path / "tables" / "predictions-*.parquet")
    events = pl.read_parquet(tmp_path / "tables" / "events-*.parquet")
    both = sorted((*predictions["seq"].to_list(), *events["seq"].to_list()))
    assert both == list(range(1, len(list(read(journal))) + 1))[: len(both)]
    assert predictions.filter(pl.col("seq") <= 3)["prediction"].to_list() == [0.0, 1.0, 2.0]
    assert len(written) == 4

    assert main(["journal", "compact", str(journal), "--out", str(tmp_path / "tables")]) == 0
    assert "Nothing new" in capsys.readouterr().out


def test_a_digest_stands_where_the_features_would(tmp_path):
    digest = hashlib.sha256(b"row").digest()
    with Journal.open(tmp_path / "j") as writing:
        writing.predict("m-1", "2", "B", 9.0, features=digest, marks=Mark.DIGEST_OF_FEATURES)
        writing.predict("m-1", "2", "B", 9.0, features=struct.pack("<2d", 1.0, 2.0), latency_ns=1_500_000)
        writing.predict("m-1", "2", "B", 9.0)
    for _ in range(2):
        Journal.open(tmp_path / "j").close()

    compact(tmp_path / "j", tmp_path / "out")

    rows = pl.read_parquet(tmp_path / "out" / "predictions-*.parquet").sort("seq")
    assert rows["features_sha256"].to_list() == [digest.hex(), None, None]
    assert rows["features"].to_list() == [None, [1.0, 2.0], []]
    assert rows["latency_ms"].to_list() == [0.0, 1.5, 0.0]
