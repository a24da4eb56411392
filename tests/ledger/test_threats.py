"""What an insider can do and cannot, each row of docs/threat-model.md shown on a real database and real keys."""

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from small_ledger import (
    BLOBS,
    DEPLOYMENT,
    NOW,
    PACKAGE,
    STREAM,
    World,
    append,
    approved_release,
    commit,
    enrolled,
    exported,
    key,
    memory_store,
    noticed,
    relisted,
    signature,
    verified,
)

from signoff.adapters.ledger_keys import LedgerKeys
from signoff.adapters.store_memory import MemoryStore
from signoff.adapters.store_sql import SqlStore
from signoff.app.audit import export
from signoff.app.people import enrol
from signoff.app.record import Record, replay
from signoff.app.signing import Presented, SigningPerson, sign
from signoff.config.settings import settings
from signoff.domain.errors import NotFoundError, RefusedError, TamperedError
from signoff.domain.events import ApprovalSigned, PersonEnrolled, Recorded, Vote
from signoff.domain.permissions import AccessRole, Permission, Principal, may
from signoff.domain.policy import Policy, Role
from signoff.domain.statement import Decision, Statement
from signoff.installation import Installation
from signoff.ledger.canonical import canonical
from signoff.ledger.checkpoint import Checkpoint, note_of
from signoff.ledger.codec import decode, encode
from signoff.ledger.envelope import statement
from signoff.ledger.merkle import frontier_of, leaf_hash
from signoff.ledger.verification import KeptCheckpoint, verify_export

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "threat-model.md"


class AttackedLedger:
    """A ledger in a database of its own, with what an insider does to it behind our back."""

    def __init__(self, folder):
        self.file = folder / "signoff.db"
        self.blobs = folder / "blobs"
        self.keys = LedgerKeys.of(folder / "home")
        self.world = World(self.store, requests=500)
        approved_release(self.store)

    @property
    def store(self):
        """The store as a process that starts now has it."""
        url = f"sqlite:///{self.file}"
        return SqlStore(url, sign=self.keys.sign_checkpoint, blobs=self.blobs, open_note=self.keys.open)

    def export(self, *anchors):
        kept = {str(n): note for n, note in enumerate(anchors)}
        files = export(Record(self.store, Fixed()), chain=self.keys.chain, anchors=kept, sign=self.keys.sign_text)
        return {name: b"".join(pieces) for name, pieces in files}

    def says(self, *anchors, kept=()):
        result = verify_export(self.export(*anchors), replay, kept=kept)
        return "; ".join(f"{where}: {what}" for where, what in result.findings)

    def altered(self, *statements):
        """SQL under the server's feet, its triggers dropped first."""
        with closing(sqlite3.connect(self.file)) as database:
            names = database.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for (name,) in names:
                database.execute(f"DROP TRIGGER {name}")
            for line, values in statements:
                assert database.execute(line, values).rowcount, line
            database.commit()

    def body(self, seq):
        return next(self.store.rows(after=seq - 1)).body

    def retree(self, *bodies):
        """The head's tree made anew over these events, as anybody can compute it."""
        tree = frontier_of([leaf_hash(body) for body in bodies])
        return ("UPDATE head SET size = ?, edge = ?", (tree.size, b"".join(tree.edge)))


@pytest.fixture
def ours(tmp_path):
    return AttackedLedger(tmp_path)


def test_before_anybody_does_anything_it_is_intact(ours):
    assert ours.says(ours.store.checkpoint()) == ""


# --- the database


def test_database_an_altered_event_is_found_and_named(ours):
    ours.altered(("UPDATE events SET body = ? WHERE seq = 6", (ours.body(6).replace(b"lunch", b"later"),)))
    assert "its root is not the root of the first 6 events" in ours.says()
    assert "events.jsonl line 6: it is not the event whose hash was signed" in ours.says()


def test_database_a_tail_cut_off_is_found(ours):
    ours.altered(("DELETE FROM events WHERE seq = 6", ()))
    assert "only 5 are here; the end was cut off" in ours.says()


def test_database_two_swapped_events_are_found(ours):
    third, fourth = ours.body(3), ours.body(4)
    ours.altered(
        ("UPDATE events SET body = ? WHERE seq = 3", (fourth,)),
        ("UPDATE events SET body = ? WHERE seq = 4", (third,)),
    )
    assert "expected revision" in ours.says()


def test_database_a_rewritten_state_is_found(ours):
    state = ours.store.load(STREAM).state.replace(b'"lunch"', b'"later"')
    altered = state.replace(b'"allocation_pct":0', b'"allocation_pct":100')
    assert altered != state
    ours.altered(("UPDATE streams SET state = ? WHERE stream = ?", (altered, STREAM)))
    assert f"the state of {STREAM} is not what its events lead to" in ours.says()


def test_database_whoever_may_sign_by_the_tables_alone_is_found(ours):
    mallory = key("Mallory")
    people = ours.store.load("people").state
    altered = people.replace(key("Rae").public_key.encode(), mallory.public_key.encode())
    ours.altered(("UPDATE streams SET state = ? WHERE stream = 'people'", (altered,)))
    assert "the state of people" in ours.says()


def test_database_an_older_whole_copy_put_back_is_found_by_a_kept_checkpoint(ours):
    copy = ours.file.with_suffix(".copy")
    with closing(sqlite3.connect(ours.file)) as database:
        database.execute("VACUUM INTO ?", (str(copy),))
    ours.world.happens(STREAM, noticed("what they want forgotten"))
    kept = ours.store.checkpoint()
    for part in ("", "-wal", "-shm"):
        Path(f"{ours.file}{part}").unlink(missing_ok=True)
    copy.rename(ours.file)
    assert ours.says() == ""
    assert "the end was cut off" in ours.says(kept)
    assert "the end was cut off" in ours.says(kept=(KeptCheckpoint(where="kept", note=kept),))


def test_database_a_tree_made_to_fit_is_never_signed(ours):
    forged = ours.body(6).replace(b"lunch", b"later")
    bodies = [row.body for row in ours.store.rows()][:5]
    ours.altered(("UPDATE events SET body = ? WHERE seq = 6", (forged,)), ours.retree(*bodies, forged))
    with pytest.raises(TamperedError, match="it was altered"):
        ours.store.commit(commit(append(STREAM, noticed("an honest one")), key="honest"))
    assert "its root is not the root" in ours.says()


def test_database_an_event_slipped_in_at_the_end_is_never_signed(ours):
    slipped = encode(Recorded(stream="people", revision=2, at=NOW, actor="R. Moreau", event=enrolled("M", Role.CTO)))
    bodies = [row.body for row in ours.store.rows()]
    line = "INSERT INTO events (seq, stream, revision, body, leaf) VALUES (7, 'people', 2, ?, ?)"
    ours.altered((line, (slipped, leaf_hash(slipped))), ours.retree(*bodies, slipped))
    with pytest.raises(TamperedError, match="Nothing was recorded or signed"):
        ours.store.commit(commit(append(STREAM, noticed("an honest one")), key="honest"))
    assert "covers 6 events, and 7 are here" in ours.says()


def test_database_altered_beneath_the_server_keeps_no_kill_from_working(tmp_path):
    house = Installation(settings(home=str(tmp_path)))
    house.kill_switch.kill("m", reason="the first", actor="Rae")
    with closing(sqlite3.connect(tmp_path / "signoff.db")) as database:
        database.execute("UPDATE head SET edge = ?", (b"\x00" * 32,))
        database.commit()
    switch = Installation(settings(home=str(tmp_path), venue="simulated")).kill_switch
    stopped = switch.kill("m", reason="the second", actor="Rae")
    assert (stopped.is_journaled, stopped.is_recorded, stopped.left.orders) == (True, False, 0)
    assert [kill.reason for kill in switch.journal.pending()] == ["the second"]
    assert switch.reconcile() == 1


def test_database_evidence_exchanged_beneath_a_signature_is_found(ours):
    path = next(p for p in ours.blobs.rglob("*") if p.is_file() and p.read_bytes() == BLOBS[1])
    path.write_bytes(b"date,return\n2019-01-02,0.05\n")
    assert "its bytes no longer have the hash that names it" in ours.says()


# --- the checkpoint key


def test_checkpoint_key_another_tree_signed_for_the_same_size_is_found(ours):
    lie = ours.keys.sign_checkpoint(6, b"\x00" * 32)
    assert "its root is not the root" in ours.says(lie)
    assert "its root is not the root" in ours.says(kept=(KeptCheckpoint(where="kept", note=lie),))


def test_checkpoint_key_signs_no_approval(ours):
    stolen = ours.keys.present
    assert "does not hold" in findings_of(signature(signer=stolen))


def test_checkpoint_key_an_old_one_signs_nothing_after_its_handover(ours):
    old = ours.keys._signing(ours.keys.chain.first)
    ours.store.with_tree(ours.keys.hand_over)
    ours.world.happens(STREAM, noticed("after the handover"))
    root = ours.store.with_tree(lambda _, root: root)
    assert "not signed by the key" in ours.says(note_of(Checkpoint("signoff.ledger", 7, root).body, old))


# --- both


def rewritten(ours, change):
    """The whole history made anew, each event changed as the insider likes, states, tree and checkpoint with it."""
    store = MemoryStore(ours.keys.sign_checkpoint)
    for content in BLOBS:
        store.put_blob(content)
    world = World(store)
    for row in ours.store.rows():
        recorded = decode(row.body)
        world.happens(recorded.stream, change(recorded.event), actor=recorded.actor)
    files = exported(store, is_anchored=False)
    return relisted({**files, "key.pub": ours.keys.chain.to_bytes()})


def without_the_lunch(event):
    return noticed("never for lunch") if event == noticed("lunch") else event


def test_both_a_history_rewritten_whole_is_intact_alone_and_found_by_what_was_kept(ours):
    kept = ours.store.checkpoint()
    forged = rewritten(ours, without_the_lunch)
    assert verified(forged).findings == ()
    assert "an event was altered" in str(verified(relisted({**forged, "anchors/6": kept})).findings)
    found = verify_export(forged, replay, kept=(KeptCheckpoint(where="kept", note=kept),))
    assert "an event was altered" in str(found.findings)


def test_both_no_approval_can_be_forged(ours):
    def approved(event):
        if not isinstance(event, ApprovalSigned):
            return event
        return ApprovalSigned(signature=replace(event.signature, conditions=()))

    assert "says another conditions" in str(verified(rewritten(ours, approved)).findings)
    assert "does not hold" in findings_of(signature(signer=key("Mallory")))


def test_both_a_person_given_another_key_takes_their_true_signature_away(ours):
    def swapped(event):
        if not isinstance(event, PersonEnrolled):
            return event
        return replace(event, key_id=key("Mallory").key_id, public_key=key("Mallory").public_key)

    assert "the signature of Rae does not hold" in str(verified(rewritten(ours, swapped)).findings)


# --- the host


def test_host_keys_in_the_home_sign_for_their_persons_and_nothing_shows_it(tmp_path):
    house = Installation(settings(home=str(tmp_path)))
    held = house.key_of("Rae")
    enrol(house.record, name="Rae", roles=(Role.CTO,), key_id=held.key_id, public_key=held.public_key, actor="root")
    assert signed_by(house.record, house.signatory(Role.CTO).signer).person == "Rae"


def test_host_a_key_held_elsewhere_is_not_signable(tmp_path):
    house = Installation(settings(home=str(tmp_path / "home")))
    theirs = key("Rae, on her own machine")
    enrol(house.record, name="Rae", roles=(Role.CTO,), key_id=theirs.key_id, public_key=theirs.public_key, actor="root")
    with pytest.raises(NotFoundError, match="Expected a private key"):
        house.signatory(Role.CTO)
    with pytest.raises(RefusedError, match="is enrolled with key"):
        signed_by(house.record, house.key_of("Mallory"))


def test_host_people_enrolled_by_the_operator_stand_in_the_ledger(ours):
    ours.world.happens("people", enrolled("Mallory", Role.CTO), actor="root")
    assert ours.says() == ""
    named = [r.event.name for r in map(decode, (row.body for row in ours.store.rows())) if hasattr(r.event, "name")]
    assert named == ["Rae", "Mallory"]


# --- a person's key


def test_persons_key_signs_in_no_other_role_and_for_nobody_else():
    assert "a role not held" in findings_of(signature(role=Role.CTO))
    assert "before being enrolled" in findings_of(signature("Zoe", signer=key("Rae")))


def test_persons_key_once_replaced_signs_no_more(ours):
    anew = replace(enrolled("Rae", Role.RISK_MANAGER), key_id=key("Rae 2").key_id, public_key=key("Rae 2").public_key)
    ours.world.happens("people", anew)
    assert ours.says() == ""
    record = Record(ours.store, Fixed())
    with pytest.raises(RefusedError, match="is enrolled with key"):
        signed_by(record, key("Rae"), role=Role.RISK_MANAGER)


# --- an API token


def test_token_signs_nothing_without_the_persons_key(ours):
    record = Record(ours.store, Fixed())
    for forged in (key("Mallory"), Presented(envelope_by(key("Mallory"), names=key("Rae")))):
        with pytest.raises(RefusedError):
            signed_by(record, forged, role=Role.RISK_MANAGER)


def test_token_of_a_machine_approves_nothing_whatever_its_scopes():
    robot = Principal(name="ci", duties=frozenset({AccessRole.MACHINE}), scopes=frozenset(Permission), is_machine=True)
    for verb in (Permission.APPROVE, Permission.OVERRIDE, Permission.REARM, Permission.ENROL):
        with pytest.raises(RefusedError):
            may(robot, verb, NOW)
    may(robot, Permission.KILL, NOW)


# --- the identity provider


def test_provider_whoever_it_says_one_is_signs_nothing_without_the_persons_key(ours):
    record = Record(ours.store, Fixed())
    stolen = envelope_by(key("Mallory"), names=key("Rae"))
    with pytest.raises(RefusedError, match="does not hold"):
        signed_by(record, Presented(stolen), role=Role.RISK_MANAGER)


def test_provider_whoever_it_says_one_is_may_stop_and_pause():
    impostor = Principal(name="Rae", duties=frozenset({AccessRole.RISK}), signed_in_at=NOW)
    for verb in (Permission.KILL, Permission.ROLLBACK, Permission.PAUSE):
        may(impostor, verb, NOW)
    with pytest.raises(RefusedError):
        may(impostor, Permission.ENROL, NOW)


# --- the table


def test_every_row_of_the_table_names_tests_that_exist():
    rows = [line for line in TABLE.read_text().splitlines() if line.startswith("| (")]
    assert [row[2:5] for row in rows] == [f"({letter})" for letter in "abcdefghijklmn"]
    named = {name for row in rows for name in re.findall(r"`(?:[\w/]+\.py::)?(test_\w+)`", row)}
    here = set(re.findall(r"^def (test_\w+)", Path(__file__).read_text(), re.MULTILINE))
    everywhere = {
        name
        for p in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *def (test_\w+)", p.read_text(), re.MULTILINE)
    }
    for path in {path for row in rows for path in re.findall(r"`(tests/[\w/]+\.py)`", row)}:
        assert (ROOT / path).is_file(), path
    assert all(re.search(r"`(?:[\w/]+\.py::)?test_\w+`", row) for row in rows)
    assert named <= everywhere, named - everywhere
    insiders = r"test_(database|checkpoint_key|both|host|persons_key|token|provider)_"
    shown = {name for name in here if re.match(insiders, name)}
    assert shown <= named, shown - named


class Fixed:
    def now(self):
        return NOW


def findings_of(signed):
    return str(verified(exported(approved_release(memory_store(), signed))).findings)


def signed_by(record, signer, *, role=Role.CTO):
    """A decision made through the application, as the server makes it."""
    decision = Decision(
        verdict=Vote.APPROVE,
        subject=PACKAGE.digest,
        model="m",
        version="2",
        deployment=DEPLOYMENT,
        policy=Policy(name="p", version="1"),
    )
    return sign(record, decision, SigningPerson(person="Rae", role=role, signer=signer))


def envelope_by(signer, *, names):
    """An envelope that names one key and is signed by another."""
    payload = statement(
        Statement(
            subject=PACKAGE.digest,
            deployment=DEPLOYMENT,
            model="m",
            version="2",
            person="Rae",
            role=Role.RISK_MANAGER,
            verdict=Vote.APPROVE,
            conditions=(),
            reason="",
            signed_at=NOW,
            expires_at=NOW + timedelta(days=30),
        )
    )
    made = json.loads(signer.sign_statement(payload))
    made["signatures"][0]["keyid"] = names.key_id
    return canonical(made).decode()
