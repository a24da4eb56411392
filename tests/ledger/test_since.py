"""An auditor who kept an old checkpoint shows that nothing before it changed."""

from dataclasses import replace

import pytest
from small_ledger import (
    LEDGER_KEY,
    World,
    approved_release,
    enrolled,
    exported,
    key,
    memory_store,
    noticed,
    relisted,
)

from signoff import verify
from signoff.app.record import replay
from signoff.domain.policy import Role
from signoff.ledger.checkpoint import ORIGIN, key_line
from signoff.ledger.merkle import frontier_of, leaf_hash
from signoff.ledger.verification import KeptCheckpoint, verify_export


def grown():
    """A ledger, its first checkpoint, and the export after more has happened."""
    store = approved_release(memory_store())
    first = exported(store, is_anchored=False)
    World(store, requests=99).happens("deployment/m-2", noticed("later"))
    return first, exported(store, is_anchored=False)


def since(files, *kept):
    return verify_export(files, replay, kept=kept)


def test_a_kept_checkpoint_holds_and_counts_as_an_anchor():
    first, later = grown()
    result = since(later, KeptCheckpoint(where="kept", note=first["checkpoint"], key=first["key.pub"]))
    assert (result.findings, result.anchored, result.events) == ((), 6, 7)
    assert since(later, KeptCheckpoint(where="kept", note=later["checkpoint"])).exit_code == 0


def test_another_history_of_the_same_length_is_found():
    first, _ = grown()
    other = World(approved_release(memory_store(), before=(enrolled("Rae", Role.RISK_MANAGER, Role.CTO),))).store
    found = since(exported(other, is_anchored=False), KeptCheckpoint(where="kept", note=first["checkpoint"]))
    assert "an event was altered" in str(found.findings)


def test_a_ledger_cut_below_a_kept_checkpoint_is_found():
    first, later = grown()
    assert "the end was cut off" in str(since(first, KeptCheckpoint(where="kept", note=later["checkpoint"])).findings)


@pytest.mark.parametrize("note", [b"", b"trust me\n", LEDGER_KEY.sign_checkpoint(6, b"\x00" * 32)])
def test_a_kept_checkpoint_that_is_none_of_this_ledger_is_found(note):
    assert since(grown()[1], KeptCheckpoint(where="kept", note=note)).exit_code == 1


def test_a_kept_checkpoint_of_another_key_is_found():
    first, later = grown()
    root = frontier_of([leaf_hash(line) for line in first["events.jsonl"].splitlines()]).root
    theirs = key("somebody else")
    assert since(later, KeptCheckpoint(where="kept", note=theirs.sign_checkpoint(6, root))).exit_code == 1
    kept = KeptCheckpoint(where="kept", note=first["checkpoint"], key=first["key.pub"])
    assert "not the beginning" in str(since(later, replace(kept, key=key_line(ORIGIN, theirs.public_bytes))).findings)


def written(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def test_the_command_takes_a_file_a_folder_or_an_older_export(tmp_path, capsys):
    first, later = grown()
    old, new = written(tmp_path / "2019", first), written(tmp_path / "2020", later)
    kept = written(tmp_path / "kept", {"a": first["checkpoint"], "b": later["checkpoint"]})
    assert verify.main([str(new), "--since", str(old)]) == 2
    assert "1 event(s) are in no anchor" in capsys.readouterr().out
    assert verify.main([str(new), "--since", str(kept)]) == 0
    assert verify.main([str(new), "--since", str(kept / "a"), "--since", str(kept / "b")]) == 0
    assert verify.main([str(old), "--since", str(new)]) == 1
    assert verify.main([str(new), "--since", str(tmp_path / "none")]) == 2
    assert "found none" in capsys.readouterr().err


def test_the_installations_own_command_takes_it_too(tmp_path, capsys):
    from signoff.cli.main import main

    first, later = grown()
    old, new = written(tmp_path / "2019", first), written(tmp_path / "2020", later)
    assert main(["verify", str(new), "--since", str(old)]) == 2
    altered = relisted({**later, "checkpoint": first["checkpoint"]})
    assert main(["verify", str(written(tmp_path / "cut", altered)), "--since", str(new)]) == 1
    capsys.readouterr()
