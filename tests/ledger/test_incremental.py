"""A ledger verified from where it was verified last: only the new is read, and nothing that it leads to is missed."""

import json
import sqlite3
from contextlib import closing, suppress

import pytest
from small_ledger import (
    LEDGER_KEY,
    NOW,
    STREAM,
    World,
    approved_release,
    enrolled,
    key,
    killed,
    memory_store,
    noticed,
    signature,
)

from signoff.adapters.ledger_keys import LedgerKeys
from signoff.adapters.store_memory import MemoryStore
from signoff.adapters.store_sql import SqlStore
from signoff.app.audit import snapshot
from signoff.app.incremental_verification import NOTHING, parse_verified, verify_ledger
from signoff.app.record import Record
from signoff.cli.main import main
from signoff.domain.events import ApprovalRejected, Vote
from signoff.domain.policy import Role
from signoff.ledger.canonical import canonical
from signoff.ledger.checkpoint import ORIGIN, key_line
from signoff.ledger.keychain import parse_chain
from signoff.ledger.merkle import frontier_of, leaf_hash
from signoff.ledger.verification import KeptCheckpoint


class Fixed:
    def now(self):
        return NOW


class Installation:
    def __init__(self, folder):
        self.file = folder / "signoff.db"
        self.keys = LedgerKeys.of(folder)
        self.anchors = {}
        url = f"sqlite:///{self.file}"
        self.store = SqlStore(url, sign=self.keys.sign_checkpoint, blobs=folder / "blobs", open_note=self.keys.open)
        self.world = World(self.store, requests=500)
        approved_release(self.store)
        self.world.happens("model/m", killed())

    def verify(self, since=NOTHING, **options):
        taken = snapshot(Record(self.store, Fixed()), chain=self.keys.chain, anchors=self.anchors)
        return verify_ledger(taken, since, **options)

    def behind_our_back(self, line, *values):
        with closing(sqlite3.connect(self.file)) as database:
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                database.execute(f"DROP TRIGGER {name}")
            assert database.execute(line, values).rowcount
            database.commit()

    def body(self, seq):
        return next(self.store.rows(after=seq - 1)).body


@pytest.fixture
def ours(tmp_path):
    return Installation(tmp_path)


@pytest.fixture
def since(ours):
    result, verified = ours.verify()
    assert (result.findings, result.events) == ((), 7)
    return verified


def said(result):
    return "; ".join(f"{where}: {what}" for where, what in result.findings)


def test_only_the_new_is_read_and_the_result_is_the_same(ours, since, monkeypatch):
    ours.world.happens(STREAM, noticed("new"))
    ours.world.happens("people", enrolled("Zoe", Role.CTO))
    ours.anchors["000000000009"] = ours.store.checkpoint()
    whole, again = ours.verify()
    read = []
    rows = ours.store.rows
    monkeypatch.setattr(ours.store, "rows", lambda **asked: read.append(asked) or rows(**asked))
    part, verified = ours.verify(since)
    assert (part.findings, part.events, part.anchored) == ((), 9, 9)
    assert (whole.findings, whole.events, whole.anchored) == ((), 9, 9)
    assert {**json.loads(verified.to_bytes()), "roots": None} == {**json.loads(again.to_bytes()), "roots": None}
    assert {asked.get("stream") for asked in read if asked.get("after") != 7} == {"people", STREAM}
    assert "2 event(s) after the 7 verified before" in part.summary


def test_nothing_new_is_intact_and_reads_only_who_may_sign(ours, since):
    assert ours.verify(since)[0].findings == ()


def test_what_was_kept_is_read_back_or_not_at_all(since):
    content = since.to_bytes()
    assert parse_verified(content) == since
    for place in range(0, len(content), 5):
        altered = bytearray(content)
        altered[place] ^= 1
        with suppress(UnicodeDecodeError):
            assert parse_verified(bytes(altered)) is NOTHING or parse_verified(bytes(altered)) != since
    for spoiled in (b"", b"[]", b"null", b"{}", content[:-1], content + b" "):
        assert parse_verified(spoiled) is NOTHING


def test_signatures_of_new_events_are_checked_with_the_keys_from_before(ours, since):
    ours.world.happens(STREAM, ApprovalRejected(signature=signature(verdict=Vote.REJECT)))
    assert ours.verify(since)[0].findings == ()
    other = Installation(ours.file.parent / "other")
    _, before = other.verify()
    forged = signature(verdict=Vote.REJECT, signer=key("Mallory"))
    other.world.happens(STREAM, ApprovalRejected(signature=forged))
    assert "the signature of Rae does not hold" in said(other.verify(before)[0])


def test_a_state_that_no_new_event_touched_is_compared(ours, since):
    state = ours.store.load("model/m").state.replace(b'"is_latched":true', b'"is_latched":false')
    ours.behind_our_back("UPDATE streams SET state = ? WHERE stream = 'model/m'", state)
    ours.world.happens(STREAM, noticed("new"))
    assert "the state of model/m is not what its events lead to" in said(ours.verify(since)[0])


def test_a_state_that_new_events_lead_to_is_compared(ours, since):
    ours.world.happens(STREAM, noticed("new"))
    state = ours.store.load(STREAM).state.replace(b'"allocation_pct":0', b'"allocation_pct":99')
    ours.behind_our_back("UPDATE streams SET state = ? WHERE stream = ?", state, STREAM)
    assert f"the state of {STREAM}" in said(ours.verify(since)[0])


def test_a_stream_taken_away_is_found(ours, since):
    ours.behind_our_back("DELETE FROM streams WHERE stream = 'model/m'")
    assert "the state of model/m" in said(ours.verify(since)[0])


def test_an_old_event_of_a_stream_that_goes_on_is_found_and_named_by_its_line(ours, since):
    ours.behind_our_back("UPDATE events SET body = ? WHERE seq = 2", ours.body(2).replace(b"Quinn", b"Quill"))
    ours.world.happens(STREAM, noticed("new"))
    assert "events.jsonl line 2: it is not the event whose hash was signed" in said(ours.verify(since)[0])


def test_a_new_event_altered_is_named_by_its_line(ours, since):
    ours.world.happens(STREAM, noticed("new"))
    ours.behind_our_back("UPDATE events SET body = ? WHERE seq = 8", ours.body(8).replace(b'"new"', b'"old"'))
    assert "events.jsonl line 8: it is not the event whose hash was signed" in said(ours.verify(since)[0])


def test_a_history_rewritten_and_signed_with_our_own_key_is_found_without_any_anchor(ours, since):
    bodies = [row.body for row in ours.store.rows()]
    forged = bodies[5].replace(b"lunch", b"later")
    tree = frontier_of([leaf_hash(b) for b in [*bodies[:5], forged, bodies[6]]])
    note = ours.keys.sign_checkpoint(7, tree.root)
    ours.behind_our_back("UPDATE events SET body = ?, leaf = ? WHERE seq = 6", forged, leaf_hash(forged))
    ours.behind_our_back("UPDATE head SET edge = ?, note = ?", b"".join(tree.edge), note)
    assert ours.verify()[0].findings == ()
    assert "its root is not the root" in said(ours.verify(since)[0])


def test_a_ledger_that_became_shorter_is_found(ours, since):
    shorter = approved_release(MemoryStore(ours.keys.sign_checkpoint))
    taken = snapshot(Record(shorter, Fixed()), chain=ours.keys.chain, anchors={})
    assert verify_ledger(taken)[0].findings == ()
    result, verified = verify_ledger(taken, since)
    assert "7 events were verified before, and 6 are here; the end was cut off" in said(result)
    assert verified is None


def test_other_keys_than_before_are_found_and_a_handover_is_none(ours, since):
    ours.store.with_tree(ours.keys.hand_over)
    ours.world.happens(STREAM, noticed("new"))
    result, verified = ours.verify(since)
    assert result.findings == ()
    ours.world.happens(STREAM, noticed("newer"))
    assert ours.verify(verified)[0].findings == ()
    stranger = Installation(ours.file.parent / "stranger")
    assert "do not begin with those that were verified before" in said(stranger.verify(since)[0])


def test_an_old_event_that_nothing_new_leads_to_is_found_in_full_only(ours, since):
    ours.behind_our_back("UPDATE events SET body = ? WHERE seq = 7", ours.body(7).replace(b'"test"', b'"fest"'))
    assert ours.verify(since)[0].findings == ()
    assert "events.jsonl line 7: it is not the event whose hash was signed" in said(ours.verify()[0])


def test_an_anchor_from_before_that_was_never_checked_is_left_open(ours, since):
    ours.anchors["000000000003"] = ours.keys.sign_checkpoint(3, b"\x00" * 32)
    result, _ = ours.verify(since)
    assert (result.findings, result.exit_code) == ((), 2)
    assert "--full" in str(result.inconclusive)
    assert "its root is not the root" in said(ours.verify()[0])


def test_a_kept_checkpoint_is_checked_with_everything(ours):
    kept = KeptCheckpoint(where="kept", note=ours.store.checkpoint())
    result, _ = ours.verify(kept=(kept,))
    assert (result.findings, result.exit_code) == ((), 0)


def test_nothing_is_remembered_of_a_ledger_in_which_something_was_found(ours):
    ours.behind_our_back("UPDATE events SET body = ? WHERE seq = 7", ours.body(7).replace(b'"test"', b'"fest"'))
    assert ours.verify()[1] is None


def test_the_command_remembers_and_full_forgets(tmp_path, capsys):
    home = ["--home", str(tmp_path)]
    for name in ("Rae", "Zoe"):
        assert main(["people", "add", name, "--make-key", "--role", "cto", *home]) == 0
        assert main(["verify", *home]) in {0, 2}
    told = " ".join(capsys.readouterr().out.split())
    assert "Only the 1 event(s) after the 1 verified before were read" in told
    assert json.loads((tmp_path / "verified.json").read_bytes())["size"] == 2
    assert main(["verify", "--full", *home]) in {0, 2}
    assert "verified before were read" not in capsys.readouterr().out
    (tmp_path / "verified.json").write_bytes(canonical({"size": 2}))
    assert main(["verify", *home]) in {0, 2}
    assert "verified before were read" not in capsys.readouterr().out


def test_the_store_in_memory_is_verified_as_well():
    store = approved_release(memory_store())
    chain = parse_chain(key_line(ORIGIN, LEDGER_KEY.public_bytes))
    taken = snapshot(Record(store, Fixed()), chain=chain, anchors={})
    assert verify_ledger(taken)[0].findings == ()
