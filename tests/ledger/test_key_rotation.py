"""Keys change hands: what was signed before holds with the old key, what comes after only with the new."""

from dataclasses import replace

import pytest
from small_ledger import (
    LEDGER_KEY,
    World,
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
from small_ledger import append as appended
from two_algorithms import TwoAlgorithms

from signoff.adapters.ledger_keys import LedgerKeys
from signoff.adapters.store_memory import MemoryStore
from signoff.adapters.store_sql import SqlStore
from signoff.app.record import replay
from signoff.cli.main import main
from signoff.config.settings import settings
from signoff.domain.errors import TamperedError
from signoff.domain.events import ApprovalRejected, Vote
from signoff.domain.policy import Role
from signoff.installation import Installation
from signoff.ledger.checkpoint import ORIGIN, Checkpoint, VerifierKey, key_line, note_of, opened
from signoff.ledger.keychain import KeyChain, handover_note, parse_chain
from signoff.ledger.verification import KeptCheckpoint, verify_export


@pytest.fixture
def keys(tmp_path):
    return LedgerKeys.of(tmp_path / "home")


def ledger(keys: LedgerKeys):
    return approved_release(MemoryStore(keys.sign_checkpoint))


@pytest.fixture
def two_keys(tmp_path):
    return TwoAlgorithms.of(tmp_path / "home")


def rotated(keys, store):
    return store.with_tree(keys.hand_over)


def taken(store, keys, *notes):
    anchors = {f"anchors/{n}": note for n, note in enumerate(notes)}
    files = exported(store, is_anchored=False)
    return relisted({**files, **anchors, "key.pub": keys.chain.to_bytes()})


def grown(keys):
    """Six events under the first key, one under the next; the checkpoints of both."""
    store = ledger(keys)
    before = store.checkpoint()
    rotated(keys, store)
    World(store, requests=99).happens("deployment/m-2", noticed("later"))
    return store, before, store.checkpoint()


def test_checkpoints_hold_with_the_keys_of_their_time(keys):
    store, before, after = grown(keys)
    result = verified(taken(store, keys, before, after))
    assert (result.findings, result.anchored) == ((), 7)
    assert "took over after 6 events, signed by both" in result.summary
    first, second = keys.chain.fingerprints
    for fingerprint in (first, second):
        assert verified(taken(store, keys, before), fingerprint).findings == ()
    assert verified(taken(store, keys, before), "0" * 16).exit_code == 1


def test_a_ledger_that_never_rotated_has_the_key_file_it_always_had(keys):
    ledger(keys)
    assert keys.chain.to_bytes() == key_line(ORIGIN, keys.present.public_bytes)


def test_the_old_key_signs_nothing_after_the_handover(keys):
    store, *_ = grown(keys)
    old = LedgerKeys(keys.home)._signing(keys.chain.first)
    said = Checkpoint("signoff.ledger", 7, b"")
    root = store.with_tree(lambda _, root: root)
    forged = note_of(replace(said, root=root).body, old)
    findings = verified(relisted({**taken(store, keys), "checkpoint": forged})).findings
    assert "not signed by the key" in str(findings)


def test_a_handover_needs_both_sides():
    old, new = key("old"), key("new")
    old_signer = (VerifierKey("signoff.ledger", old.public_bytes), old.private.sign)
    new_signer = (VerifierKey("signoff.ledger", new.public_bytes), new.private.sign)
    chain = KeyChain(first=(old_signer[0],))
    root = b"\x01" * 32
    assert chain.followed_by(handover_note(6, root, (old_signer,), (new_signer,))).present == (new_signer[0],)
    forger = (old_signer[0], new.private.sign)
    with pytest.raises(TamperedError, match="does not hold"):
        chain.followed_by(handover_note(6, root, (forger,), (new_signer,)))
    with pytest.raises(TamperedError, match="not signed by the key"):
        chain.followed_by(handover_note(6, root, (), (new_signer,)))
    unwilling = (new_signer[0], old.private.sign)
    with pytest.raises(TamperedError, match="does not hold"):
        chain.followed_by(handover_note(6, root, (old_signer,), (unwilling,)))


def test_a_handover_over_another_tree_is_found(keys):
    store = ledger(keys)
    keys.hand_over(6, b"\x07" * 32)
    World(store, requests=99).happens("deployment/m-2", noticed("later"))
    assert "handover after 6 events" in str(verified(taken(store, keys)).findings)


@pytest.mark.parametrize(("made", "every"), [(LedgerKeys, 1), (TwoAlgorithms, 13)])
def test_every_altered_byte_of_a_chain_is_noticed(tmp_path, made, every):
    keys = made.of(tmp_path / "home")
    store = ledger(keys)
    rotated(keys, store)
    rotated(keys, store)
    content = keys.chain.to_bytes()
    assert parse_chain(content) == keys.chain
    for place in range(0, len(content), every):
        altered = bytearray(content)
        altered[place] ^= 1 << place % 8
        with pytest.raises(TamperedError):
            parse_chain(bytes(altered))
    for cut in (content[:-1], content + b"\n", content[: len(content) // 2], b"", content + content):
        with pytest.raises(TamperedError):
            parse_chain(cut)


def test_two_algorithms_sign_side_by_side_and_both_are_needed(two_keys):
    keys = two_keys
    store, before, after = grown(keys)
    assert after.count("— ".encode()) == 2
    result = verified(taken(store, keys, before, after))
    assert result.findings == ()
    assert "ML-DSA-44" in result.summary
    text, _, signatures = after.decode().partition("\n\n")
    first, second = signatures.splitlines(keepends=True)
    for missing in (f"{text}\n\n{first}", f"{text}\n\n{second}", f"{text}\n\n{second}{first}"):
        found = verified(taken(store, keys, before, missing.encode()))
        assert "expected 2 signature(s)" in str(found.findings)
    altered = bytearray(after)
    altered[-40] ^= 1
    assert verified(taken(store, keys, bytes(altered))).exit_code == 1


def test_the_second_signature_alone_does_not_make_up_for_a_forged_first(two_keys):
    keys = two_keys
    grown(keys)
    (ed, _), (ml, sign_ml) = keys._signing(keys.chain.present)
    body = Checkpoint("signoff.ledger", 8, b"\x00" * 32).body
    forged = note_of(body, ((ed, key("somebody").private.sign), (ml, sign_ml)))
    with pytest.raises(TamperedError, match="does not hold"):
        opened(forged, (ed, ml))


def test_without_the_algorithm_nothing_is_said_to_hold(two_keys, monkeypatch):
    keys = two_keys
    store, before, after = grown(keys)
    files = taken(store, keys, before, after)
    monkeypatch.setitem(__import__("sys").modules, "cryptography.hazmat.primitives.asymmetric.mldsa", None)
    result = verified(files)
    assert result.exit_code == 2
    assert result.findings == ()
    assert "INCONCLUSIVE" in result.summary


def test_a_running_process_signs_with_the_new_key_from_the_next_commit(tmp_path):
    running = Installation(settings(home=str(tmp_path)))
    running.store.commit(commit(appended("people", enrolled("Rae", Role.CTO)), key="a"))
    other = Installation(settings(home=str(tmp_path)))
    chain = other.store.with_tree(TwoAlgorithms(tmp_path).hand_over)
    running.store.commit(commit(appended("people", enrolled("Zoe", Role.CTO)), key="b"))
    note = running.store.checkpoint()
    assert opened(note, chain.present).size == 2
    assert main(["ledger", "rotate-key", "--home", str(tmp_path)]) == 0
    running.store.commit(commit(appended("people", enrolled("Kim", Role.CTO)), key="c"))
    assert [h.size for h in running.ledger_keys.chain.handovers] == [1, 2]
    assert len(opened(running.store.checkpoint(), running.ledger_keys.chain.present).root) == 32


def test_an_installation_verifies_after_its_keys_were_rotated(tmp_path, capsys):
    house = Installation(settings(home=str(tmp_path / "home")))
    from signoff.app.people import enrol

    one = key("Rae")
    enrol(house.record, name="Rae", roles=(Role.CTO,), key_id=one.key_id, public_key=one.public_key, actor="t")
    house.ledger.anchor()
    assert main(["ledger", "rotate-key", "--home", str(tmp_path / "home")]) == 0
    assert main(["people", "add", "Zoe", "--make-key", "--role", "cto", "--home", str(tmp_path / "home")]) == 0
    house.ledger.anchor()
    assert main(["verify", "--home", str(tmp_path / "home")]) == 0
    assert "took over" in capsys.readouterr().out.replace("\n", " ")


def test_a_key_file_under_another_keys_name_signs_nothing(keys):
    grown(keys)
    path = keys._path(keys.chain.present[0])
    path.write_bytes(key("somebody").pem)
    with pytest.raises(TamperedError, match="another key"):
        LedgerKeys(keys.home).sign_checkpoint(9, b"\x00" * 32)


@pytest.mark.parametrize("kind", ["memory", "sql"])
def test_the_tree_is_told_while_nobody_adds_to_it(tmp_path, kind):
    sql = SqlStore(f"sqlite:///{tmp_path / 'l.db'}", sign=LEDGER_KEY.sign_checkpoint, blobs=tmp_path / "b")
    store = sql if kind == "sql" else memory_store()
    assert store.with_tree(lambda size, _: size) == 0
    approved_release(store)
    size, root = store.with_tree(lambda size, root: (size, root))
    assert opened(store.checkpoint(), (VerifierKey("signoff.ledger", LEDGER_KEY.public_bytes),)).root == root
    assert size == store.size() == 6


def test_a_kept_checkpoint_from_before_the_handover_still_serves(keys):
    store, before, _ = grown(keys)
    kept = KeptCheckpoint(where="kept", note=before, key=key_line(ORIGIN, keys.present.public_bytes))
    early = KeyChain(first=keys.chain.first).to_bytes()
    assert verify_export(taken(store, keys), replay, kept=(replace(kept, key=early),)).findings == ()
    assert "not the beginning" in str(verify_export(taken(store, keys), replay, kept=(kept,)).findings)


def test_a_persons_new_key_leaves_what_the_old_one_signed():
    store = approved_release(memory_store())
    anew = replace(enrolled("Rae", Role.RISK_MANAGER), key_id=key("Rae 2").key_id, public_key=key("Rae 2").public_key)
    world = World(store, requests=99)
    world.happens("people", anew)
    assert verified(exported(store, is_anchored=False)).findings == ()
    late = replace(signature(signer=key("Rae 2"), verdict=Vote.REJECT), key_id=key("Rae 2").key_id)
    world.happens("deployment/m-2", ApprovalRejected(signature=late))
    assert verified(exported(store, is_anchored=False)).findings == ()


def test_a_persons_old_key_signs_nothing_after_the_new_one():
    store = memory_store()
    anew = replace(enrolled("Rae", Role.RISK_MANAGER), key_id=key("Rae 2").key_id, public_key=key("Rae 2").public_key)
    world = World(approved_release(store, before=(enrolled("Rae", Role.RISK_MANAGER),)), requests=99)
    world.happens("people", anew)
    world.happens("deployment/m-2", ApprovalRejected(signature=signature(verdict=Vote.REJECT)))
    assert "does not hold" in str(verified(exported(store, is_anchored=False)).findings)
