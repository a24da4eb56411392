"""`signoff journal check`: what it prints, and how it exits."""

import json

import pytest

from signoff.cli.main import main
from signoff.desk.journal import Journal
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
