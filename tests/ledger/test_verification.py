"""Is an export what was signed? Intact ones are, a tail without an anchor is said, and any altered byte is found."""

from dataclasses import replace
from datetime import timedelta

import pytest
from small_ledger import (
    LEDGER_KEY,
    NOW,
    STREAM,
    World,
    approved_release,
    enrolled,
    export_files,
    exported,
    key,
    memory_store,
    noticed,
    relisted,
    rewritten,
    signature,
    verified,
)

from signoff.app.record import replay
from signoff.domain.events import DutiesWithdrawn, Recorded, Vote
from signoff.domain.policy import Role
from signoff.ledger.checkpoint import ORIGIN, key_line
from signoff.ledger.codec import encode
from signoff.ledger.envelope import key_id
from signoff.ledger.merkle import frontier_of, leaf_hash
from signoff.ledger.verification import verify_export

STORE = approved_release(memory_store())
EXPORT = exported(STORE)
STATES = {stream.stream: stream.state for stream in STORE.streams("")}


def findings_of(signed, **options) -> str:
    """What verification says of a ledger whose release was signed like this."""
    result = verified(exported(approved_release(memory_store(), signed, **options)))
    return "; ".join(f"{where}: {what}" for where, what in result.findings)


def test_a_role_that_was_withdrawn_signs_no_more():
    left = DutiesWithdrawn(name="Rae", duties=(), roles=(Role.RISK_MANAGER,), reason="left the firm")
    before = (enrolled("Rae", Role.RISK_MANAGER), left)
    assert "a role not held" in findings_of(signature(), before=before)
    back = (*before, enrolled("Rae", Role.RISK_MANAGER))
    assert findings_of(signature(), before=back) == ""


def test_an_intact_export_is_intact():
    result = verified(EXPORT)
    assert (result.exit_code, result.findings, result.events, result.anchored) == (0, (), 6, 6)
    assert result.fingerprint == key_id(LEDGER_KEY.public_bytes)
    assert result.fingerprint in result.summary


def test_a_tail_that_no_anchor_covers_is_said():
    store = approved_release(memory_store())
    files = exported(store)
    World(store, requests=99).happens("deployment/m-2", noticed("after the anchor"))
    later = {**exported(store), "anchors/000000000006": files["anchors/000000000006"]}
    result = verified(relisted(later))
    assert (result.exit_code, result.anchored, result.events) == (2, 6, 7)
    assert "1 event(s)" in result.summary
    assert verified(exported(store, is_anchored=False)).exit_code == 2


def flipped(files: dict[str, bytes], name: str, place: int, flip: int) -> dict[str, bytes]:
    altered = bytearray(files[name])
    altered[place] ^= flip
    return {**files, name: bytes(altered)}


def test_every_altered_byte_of_the_manifest_is_found():
    for place in range(len(EXPORT["manifest.json"])):
        altered = flipped(EXPORT, "manifest.json", place, 1 << place % 4)
        assert verify_export(altered, lambda _: STATES).exit_code == 1, place  # no event is altered: once is enough


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in EXPORT if name != "manifest.json"])
def test_an_altered_byte_is_found_wherever_it_is_even_with_the_manifest_made_anew(name):
    refold = replay if name == "events.jsonl" else lambda _: STATES  # where no event is altered, once is enough
    step = 1 if len(EXPORT[name]) < 500 else 7  # every field is longer than that, with its name
    for place in range(0, len(EXPORT[name]), step):
        altered = relisted(flipped(EXPORT, name, place, 1 << place % 8))
        assert verify_export(altered, refold).exit_code == 1, (name, place)


@pytest.mark.parametrize("name", [name for name in EXPORT if name != "manifest.json"])
def test_a_cut_file_is_found_even_with_the_manifest_made_anew(name):
    for altered in (EXPORT[name][:-1], EXPORT[name] + b"\n", EXPORT[name] + b" ", b""):
        assert verified(relisted({**EXPORT, name: altered})).exit_code == 1, altered[-20:]


@pytest.mark.parametrize("name", list(EXPORT))
def test_a_missing_file_is_found(name):
    assert verified({n: c for n, c in EXPORT.items() if n != name}).exit_code == 1


def test_a_file_that_nobody_listed_is_found():
    assert verified({**EXPORT, "blobs/extra": b""}).exit_code == 1


@pytest.mark.parametrize("name", [n for n in EXPORT if n.startswith("blobs/")])
def test_evidence_taken_away_is_found_even_with_the_manifest_made_anew(name):
    result = verified(relisted({n: c for n, c in EXPORT.items() if n != name}))
    assert result.exit_code == 1
    assert "missing from the blobs" in str(result.findings)


def test_a_file_that_an_export_does_not_have_is_found_even_with_the_manifest_made_anew():
    assert verified(relisted({**EXPORT, "readme.txt": b"trust me"})).exit_code == 1


@pytest.mark.parametrize("states", [b"[]", b"null", b"1", b'{"people":1}', b'{"people":1e999}', b"[" * 5000, b"\xff"])
def test_states_of_another_shape_are_found(states):
    assert verified(relisted({**EXPORT, "states.json": states})).exit_code == 1


def test_events_in_another_order_are_found():
    lines = EXPORT["events.jsonl"].splitlines(keepends=True)
    swapped = b"".join([*lines[:2], lines[3], lines[2], *lines[4:]])
    assert verified(relisted({**EXPORT, "events.jsonl": swapped})).exit_code == 1


def test_another_ledger_under_the_same_name_is_found_by_its_fingerprint():
    theirs = key("somebody else")
    assert verified(EXPORT, key_id(LEDGER_KEY.public_bytes)).exit_code == 0
    assert verified(EXPORT, key_id(theirs.public_bytes)).exit_code == 1


def test_a_key_that_did_not_sign_is_found():
    other = key_line("signoff.ledger", key("somebody else").public_bytes)
    assert verified(relisted({**EXPORT, "key.pub": other})).exit_code == 1


def test_history_rewritten_with_the_ledgers_own_key_is_found_by_the_anchor():
    store = approved_release(memory_store())
    anchor = {"anchors/000000000006": exported(store)["anchors/000000000006"]}
    result = verified(relisted({**rewritten(store, without_last=1), **anchor}))
    assert result.exit_code == 1
    assert "the end was cut off" in str(result.findings)
    world = World(approved_release(memory_store(), before=(enrolled("Rae", Role.RISK_MANAGER, Role.CTO),)))
    changed = verified(relisted({**exported(world.store, is_anchored=False), **anchor}))
    assert "an event was altered" in str(changed.findings)


def test_a_signature_before_its_enrolment_is_found():
    assert "before being enrolled" in findings_of(signature("Rae"), before=(enrolled("Zoe", Role.RISK_MANAGER),))


def test_a_signature_in_a_role_not_held_is_found():
    assert "not held" in findings_of(signature(role=Role.CTO))


def test_a_signature_by_another_key_is_found():
    assert "does not hold" in findings_of(signature(signer=key("Mallory")))


def test_a_signature_that_names_another_key_is_found():
    assert "names another key" in findings_of(replace(signature(), key_id=key("Mallory").key_id))


def test_a_signature_given_for_another_release_is_found():
    assert "was given for m-1" in findings_of(signature(said={"deployment": "m-1"}))


def test_a_signature_over_bytes_that_were_not_asked_about_is_found():
    assert "not put to signature here" in findings_of(signature(subject="f" * 64))


def test_a_gap_in_a_stream_is_found_whatever_the_replay_says():
    recorded = Recorded(stream="people", revision=2, at=NOW, actor="t", event=enrolled("Rae", Role.CTO))
    body = encode(recorded)
    tree = frontier_of([leaf_hash(body)])
    files = dict(
        export_files(
            rows=[body],
            states={},
            checkpoint=LEDGER_KEY.sign_checkpoint(1, tree.root),
            public_key=key_line(ORIGIN, LEDGER_KEY.public_bytes),
            anchors={},
            blobs=(),
        )
    )
    result = verify_export(files, lambda _: {})
    assert result.findings == (("people revision 2", "expected revision 1, found 2"),)


def test_an_old_key_that_was_replaced_does_not_sign_any_more():
    anew = replace(enrolled("Rae", Role.RISK_MANAGER), key_id=key("Rae 2").key_id, public_key=key("Rae 2").public_key)
    assert "does not hold" in findings_of(signature(), before=(enrolled("Rae", Role.RISK_MANAGER), anew))


@pytest.mark.parametrize(
    "said",
    [
        {"verdict": Vote.REJECT},
        {"conditions": ()},
        {"subject": "f" * 64},
        {"person": "Zoe"},
        {"role": Role.CTO},
        {"reason": "because"},
        {"expires_at": NOW + timedelta(days=1)},
        {"signed_at": NOW - timedelta(days=1)},
    ],
    ids=lambda said: next(iter(said)),
)
def test_an_envelope_that_says_something_else_is_found(said):
    assert f"says another {next(iter(said))}" in findings_of(signature(said=said))


def test_a_state_of_an_older_signoff_says_less_and_is_no_tampering():
    files = exported(approved_release(memory_store()))
    older = with_state(files, lambda state: {k: v for k, v in state.items() if k != "fired"})
    assert verified(older).findings == ()


def test_a_state_that_says_something_else_is_caught():
    files = exported(approved_release(memory_store()))
    for altered in ({"allocation_pct": 100}, {"unknown": 1}, {"revision": True}):
        findings = verified(with_state(files, lambda state, altered=altered: state | altered)).findings
        assert any("is not what its events lead to" in what for _, what in findings)


def with_state(files, change):
    import json

    from signoff.ledger.canonical import canonical
    from signoff.ledger.manifest import manifest_of

    states = json.loads(files["states.json"])
    states[STREAM] = canonical(change(json.loads(states[STREAM]))).decode()
    altered = {**files, "states.json": canonical(states)}
    del altered["manifest.json"]
    return {**altered, "manifest.json": manifest_of(altered).to_bytes()}


def test_a_summary_says_once_what_holds_for_many_releases():
    same, other = "artefacts not bound: registered before Signoff bound artefacts.", "artefacts not bound: no registry."
    facts = (*(f"m-{n}: {same}" for n in range(1000)), f"n-1: {other}", "It was read from event 12 on.")

    words = replace(verified(EXPORT), facts=facts).summary

    assert f"m-0, m-1, m-2 and 997 more: {same} n-1: {other} It was read from event 12 on." in words
