"""The whole result of verifying a damaged export: every finding with its place and words, and nothing else."""

from dataclasses import replace

import pytest
from small_ledger import (
    LEDGER_KEY,
    PACKAGE,
    World,
    approved_release,
    exported,
    key,
    memory_store,
    noticed,
    opened,
    relisted,
    signature,
    verified,
)

from signoff.app.record import replay
from signoff.domain.errors import TamperedError, UnavailableError
from signoff.domain.events import Validated
from signoff.ledger.canonical import canonical
from signoff.ledger.checkpoint import ORIGIN, VerifierKey, key_line, note_of
from signoff.ledger.export import closed, statement_of, sums_of
from signoff.ledger.manifest import Entry, Manifest, parse
from signoff.ledger.merkle import EMPTY, frontier_of, leaf_hash
from signoff.ledger.source import FilesInMemory
from signoff.ledger.table import header, line_of
from signoff.ledger.verification import (
    Audit,
    KeptCheckpoint,
    Passage,
    Verification,
    _doubt,
    agrees,
    check_blobs,
    verify_export,
)

STORE = approved_release(memory_store())
EXPORT = exported(STORE)
FINGERPRINT = LEDGER_KEY.key_id
ANCHOR = "anchors/000000000006"
UNLISTED = "its bytes are not the ones the manifest lists"
NAMED = "its bytes no longer have the hash that names it"
ROOT = "its root is not the root of the first 6 events; an event was altered"
BLOB = next(name for name in EXPORT if name.startswith("blobs/") and not name.endswith(PACKAGE.digest))
LINES = EXPORT["events.jsonl"].splitlines(keepends=True)
HALF = LEDGER_KEY.sign_checkpoint(5, frontier_of([leaf_hash(line[:-1]) for line in LINES[:5]]).root)
SHORT = PACKAGE.digest[:12]


def without(*names):
    return {name: content for name, content in EXPORT.items() if name not in names}


def checked(files, **options):
    result = verify_export(files, replay, **options)
    return result.findings, result.inconclusive


def found(files, **options):
    findings, open_ = checked(files, **options)
    assert open_ == ()
    return findings


def signed(text, signer=LEDGER_KEY):
    return note_of(text, ((VerifierKey(ORIGIN, signer.public_bytes), signer.private.sign),))


def readable(**extra):
    """The export with what is for reading: the table, a text, the sums, and the ledger's note over all."""
    rows = [line.rstrip(b"\n") for line in LINES]
    table = header() + b"".join(line_of(seq, body) for seq, body in enumerate(rows, start=1))
    rest = {**without("manifest.json"), "README.txt": b"read me", "events.csv": table, **extra}
    return {name: b"".join(pieces) for name, pieces in closed(FilesInMemory(rest), signed)}


FOUND = {
    "intact": (EXPORT, ()),
    "a file that nobody listed": ({**EXPORT, "blobs/extra": b""}, (("blobs/extra", NAMED), ("blobs/extra", UNLISTED))),
    "an unexpected file": (relisted({**EXPORT, "notes.txt": b""}), (("notes.txt", "unexpected file in an export"),)),
    "a listed file that is gone": (without(ANCHOR), ((ANCHOR, UNLISTED),)),
    "a blob that was altered": (
        relisted({**EXPORT, BLOB: b"other"}), ((BLOB, NAMED),),
    ),
    "a blob that is gone": (
        relisted(without(BLOB)),
        (
            ("deployment/m-2 revision 2", f"evidence.csv of manifest {SHORT}… is missing from the blobs"),
        ),
    ),
    "a manifest that is gone": (
        relisted(without(f"blobs/{PACKAGE.digest}")),
        (("deployment/m-2 revision 2", f"the manifest {SHORT}… that it names is missing from the blobs"),),
    ),
    "a manifest that is none": (
        relisted({**EXPORT, f"blobs/{PACKAGE.digest}": b"{}"}),
        (
            (f"blobs/{PACKAGE.digest}", NAMED),
            ("deployment/m-2 revision 2", f"(unreadable manifest) of manifest {SHORT}… is missing from the blobs"),
        ),
    ),
    "a list of files that is none": (
        {**EXPORT, "manifest.json": b"{}"}, (("manifest.json", "Malformed manifest: 'files'"),),
    ),
    "no checkpoint": (
        relisted(without("checkpoint")),
        (("checkpoint", "the checkpoint is missing; without it a ledger that was cut off looks whole"),),
    ),
    "a checkpoint that is none": (
        relisted({**EXPORT, "checkpoint": b"x"}),
        (
            ("checkpoint", "The checkpoint is no signed note: not enough values to unpack (expected 3, got 1)"),
        ),
    ),
    "a checkpoint of fewer events": (
        relisted({**EXPORT, "checkpoint": LEDGER_KEY.sign_checkpoint(5, b"\1" * 32)}),
        (("checkpoint", "covers 5 events, and 6 are here"),),
    ),
    "a checkpoint of more events": (
        relisted({**EXPORT, "checkpoint": LEDGER_KEY.sign_checkpoint(7, b"\1" * 32)}),
        (("checkpoint", "covers 7 events, and only 6 are here; the end was cut off"),),
    ),
    "a checkpoint of another root": (
        relisted({**without(ANCHOR), "checkpoint": LEDGER_KEY.sign_checkpoint(6, b"\1" * 32)}),
        (("checkpoint", ROOT),),
    ),
    "an anchor of another root": (
        relisted({**EXPORT, ANCHOR: LEDGER_KEY.sign_checkpoint(6, b"\1" * 32)}),
        ((ANCHOR, ROOT),),
    ),
    "a checkpoint of another root after an anchor that holds": (
        relisted({**EXPORT, "anchors/5": HALF, "checkpoint": LEDGER_KEY.sign_checkpoint(6, b"\1" * 32), ANCHOR: HALF}),
        (("checkpoint", f"{ROOT} among events 6 to 6"),),
    ),
    "an anchor of an earlier size": (
        relisted({**EXPORT, "anchors/5": LEDGER_KEY.sign_checkpoint(5, b"\1" * 32)}),
        (("anchors/5", "its root is not the root of the first 5 events; an event was altered"),),
    ),
    "an anchor that another key signed": (
        relisted({**EXPORT, ANCHOR: signed(EXPORT[ANCHOR].decode().partition("\n\n")[0] + "\n", key("Mallory"))}),
        (
            (
                ANCHOR,
                "The checkpoint was not signed by the key of this ledger: expected 1 signature(s), by "
                f"{key_line(ORIGIN, LEDGER_KEY.public_bytes).decode().split('+')[1]}, found "
                f"{key_line(ORIGIN, key('Mallory').public_bytes).decode().split('+')[1]}.",
            ),
        ),
    ),
    "a last line that is not whole": (
        relisted({**EXPORT, "events.jsonl": EXPORT["events.jsonl"][:-1]}),
        (
            ("events.jsonl", "the last line is not whole"),
            (ANCHOR, "covers 6 events, and only 5 are here; the end was cut off"),
            ("checkpoint", "covers 6 events, and only 5 are here; the end was cut off"),
            ("leaves.txt", "it has 1 more hashes than there are events, or an incomplete one"),
            ("states.json", "the state of deployment/m-2 is not what its events lead to"),
        ),
    ),
    "states that are none": (
        relisted({**EXPORT, "states.json": b"[]"}),
        (("states.json", "malformed states: expected the state of each stream as text"),),
    ),
    "states of one stream that is none": (
        relisted({**EXPORT, "states.json": b'{"people":1}'}),
        (("states.json", "malformed states: expected the state of each stream as text"),),
    ),
    "states in another form": (
        relisted({**EXPORT, "states.json": EXPORT["states.json"] + b" "}),
        (("states.json", "malformed states: the states are not in their canonical form"),),
    ),
    "states of one stream too few": (
        relisted({**EXPORT, "states.json": b"{}"}),
        (
            ("states.json", "the state of deployment/m-2 is not what its events lead to"),
            ("states.json", "the state of people is not what its events lead to"),
        ),
    ),
    "leaves with one more": (
        relisted({**EXPORT, "leaves.txt": EXPORT["leaves.txt"] + b"00\n"}),
        (("leaves.txt", "it has 1 more hashes than there are events, or an incomplete one"),),
    ),
    "leaves that end in a line": (
        relisted({**EXPORT, "leaves.txt": EXPORT["leaves.txt"] + b"00"}),
        (("leaves.txt", "it has 0 more hashes than there are events, or an incomplete one"),),
    ),
    "leaves that nobody signed": (
        relisted({**EXPORT, "leaves.txt": EXPORT["leaves.txt"][:65] + b"no\n" + EXPORT["leaves.txt"][130:]}),
        (("leaves.txt", "its hashes differ from the events from line 2 on, and were not signed"),),
    ),
    "an event of another actor": (
        relisted({**EXPORT, "events.jsonl": EXPORT["events.jsonl"].replace(b'"actor":"t"', b'"actor":"u"', 1)}),
        (
            (ANCHOR, ROOT),
            ("checkpoint", ROOT),
            ("events.jsonl line 1", "it is not the event whose hash was signed"),
        ),
    ),
    "a key file that is none": (
        relisted({**EXPORT, "key.pub": b"x"}),
        (("key.pub", "The key file is no verifier key: not enough values to unpack (expected 3, got 1)"),),
    ),
    "one that is for reading without the ledger's note": (
        relisted({**EXPORT, "README.txt": b"", "SHA256SUMS": sums_of(parse(relisted({**EXPORT, "README.txt": b""})
                                                                      ["manifest.json"]).entries)}),
        (
            (
                "README.txt",
                "it is for reading, and no signature of the ledger vouches for it: manifest.note is missing",
            ),
            (
                "SHA256SUMS",
                "it is for reading, and no signature of the ledger vouches for it: manifest.note is missing",
            ),
        ),
    ),
    "one for reading with it": (readable(), ()),
    "a note that is none": (
        {**readable(), "manifest.note": b"x"},
        (("manifest.note", "The checkpoint is no signed note: not enough values to unpack (expected 3, got 1)"),),
    ),
    "a note over another manifest": (
        {**readable(), "manifest.note": signed(statement_of(b"{}"))},
        (("manifest.note", "it was signed for another manifest"),),
    ),
    "a table of other lines": (
        readable(**{"events.csv": header()}), (("events.csv", "its lines differ from the events"),),
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FOUND)
def test_every_finding_says_where_and_what(kind):
    files, expected = FOUND[kind]
    assert found(files) == expected


def test_sums_of_other_files_are_found():
    files = readable()
    rest = {n: c for n, c in files.items() if n not in {"manifest.json", "manifest.note"}}
    altered = relisted({**rest, "SHA256SUMS": b"0  README.txt\n"})
    findings = found({**altered, "manifest.note": signed(statement_of(altered["manifest.json"]))})
    assert findings == (("SHA256SUMS", "it lists other files than the manifest"),)


def test_an_empty_history_is_not_whole():
    files = {**without(ANCHOR), "events.jsonl": b"", "leaves.txt": b"", "states.json": b"{}"}
    files["checkpoint"] = LEDGER_KEY.sign_checkpoint(0, EMPTY)
    assert found(relisted(files)) == (("events.jsonl", "the last line is not whole"),)


def test_many_altered_events_are_named_up_to_twenty():
    world = World(approved_release(memory_store()), requests=50)
    for at in range(20):
        world.happens("deployment/m-2", noticed(f"notice {at}"))
    files = exported(world.store, is_anchored=False)
    altered = files["events.jsonl"].replace(b'"actor":"t"', b'"actor":"u"')
    findings = found(relisted({**files, "events.jsonl": altered}))

    assert findings[0][0] == "checkpoint"
    assert [where for where, _ in findings[1:21]] == [f"events.jsonl line {n}" for n in range(1, 21)]
    assert findings[21:] == (("events.jsonl", "6 further lines are not the events whose hashes were signed"),)
    few = files["events.jsonl"].replace(b'"actor":"t"', b'"actor":"u"', 20)
    assert len(found(relisted({**files, "events.jsonl": few}))) == 21


def test_a_line_that_is_no_event_is_named_by_its_number_and_the_rest_is_read():
    altered = b"".join([*LINES[:5], b"{}\n"])
    leaves = [leaf_hash(line.rstrip(b"\n")).hex() for line in altered.splitlines(keepends=True)]
    findings = found(relisted({**EXPORT, "events.jsonl": altered, "leaves.txt": "".join(
        f"{leaf}\n" for leaf in leaves).encode()}))  # fmt: skip

    assert ("events.jsonl line 6", "These bytes are no event of the ledger: 'schema'") in findings
    assert ("checkpoint", ROOT) in findings


def test_a_history_that_cannot_be_replayed_is_a_finding_and_is_read_to_its_end():
    def broken(history):
        next(iter(history))
        raise ValueError("no such state")

    result = verify_export(EXPORT, broken)

    assert result.findings == (("events.jsonl", "the history cannot be replayed: ValueError('no such state')"),)
    assert (result.events, result.anchored) == (6, 6)


class TestKept:
    KEY = key_line(ORIGIN, LEDGER_KEY.public_bytes)

    def test_a_kept_checkpoint_anchors(self):
        kept = KeptCheckpoint(where="my copy", note=EXPORT[ANCHOR], key=self.KEY)
        result = verify_export(relisted(without(ANCHOR)), replay, kept=(kept,))

        assert (result.findings, result.anchored, result.exit_code) == ((), 6, 0)
        assert verify_export(relisted(without(ANCHOR)), replay).anchored == 0

    @pytest.mark.parametrize(
        ("changes", "expected"),
        [
            (
                {"note": b"x"},
                ("my copy", "The checkpoint is no signed note: not enough values to unpack (expected 3, got 1)"),
            ),
            ({"note": LEDGER_KEY.sign_checkpoint(5, b"\1" * 32)}, ("my copy", ROOT.replace("6", "5"))),
            (
                {"key": b"x"},
                ("my copy", "The key file is no verifier key: not enough values to unpack (expected 3, got 1)"),
            ),
            (
                {"key": key_line(ORIGIN, key("Mallory").public_bytes)},
                ("key.pub", "the keys that came with my copy are not the beginning of the keys here"),
            ),
        ],
    )
    def test_one_that_does_not_agree_is_found(self, changes, expected):
        kept = replace(KeptCheckpoint(where="my copy", note=EXPORT[ANCHOR], key=self.KEY), **changes)
        findings = found(relisted(without(ANCHOR)), kept=(kept,))
        assert expected in findings
        assert {where for where, _ in findings} <= {"my copy", "key.pub"}


class TestStamps:
    FILES = relisted({**EXPORT, f"{ANCHOR}.tsr": b"stamp"})

    def test_a_stamp_that_holds_is_a_fact(self):
        seen = []

        def check(note, stamp):
            seen.append((note, stamp))
            return "2019-01-02"

        result = verify_export(self.FILES, replay, check_stamp=check)

        assert seen == [(EXPORT[ANCHOR], b"stamp")]
        assert (result.findings, result.inconclusive, result.exit_code) == ((), (), 0)
        assert f"{ANCHOR} existed on 2019-01-02." in result.facts

    def test_without_roots_it_stays_open(self):
        what = "the time stamp cannot be checked without its authority's root; give --tsa-root FILE"
        result = verify_export(self.FILES, replay)

        assert (result.findings, result.inconclusive, result.exit_code) == ((), ((f"{ANCHOR}.tsr", what),), 2)
        assert result.summary.startswith("INCONCLUSIVE: 1 thing(s) could not be checked. 6 events intact: bytes, ")

    @pytest.mark.parametrize(
        ("error", "findings", "open_"),
        [
            (TamperedError("It does not hold."), ((f"{ANCHOR}.tsr", "It does not hold."),), ()),
            (UnavailableError("Nothing is known."), (), ((f"{ANCHOR}.tsr", "Nothing is known."),)),
        ],
    )
    def test_one_that_does_not_hold_is_found_and_one_that_cannot_be_checked_is_open(self, error, findings, open_):
        def check(_note, _stamp):
            raise error

        assert checked(self.FILES, check_stamp=check) == (findings, open_)

    def test_one_without_its_checkpoint_is_found(self):
        files = relisted({**EXPORT, "anchors/7.tsr": b"stamp"})
        assert found(files, check_stamp=lambda *_: "now") == (("anchors/7.tsr", "the stamped checkpoint is missing"),)


class TestFingerprint:
    @pytest.mark.parametrize(
        "given",
        [
            FINGERPRINT,
            FINGERPRINT.upper(),
            FINGERPRINT[:16],
            " ".join(FINGERPRINT),
            ":".join([FINGERPRINT[:8], FINGERPRINT[8:20]]),
        ],
    )
    def test_sixteen_digits_or_more_tell_it(self, given):
        assert checked(EXPORT, expected_fingerprint=given) == ((), ())

    @pytest.mark.parametrize("given", ["", ":", "xyz", f"{FINGERPRINT}g"])
    def test_what_is_no_fingerprint_stays_open(self, given):
        what = f"expected a fingerprint in hexadecimal digits, found {given!r}; the ledger's keys are {FINGERPRINT}"
        assert checked(EXPORT, expected_fingerprint=given) == ((), (("key.pub", what),))

    def test_fewer_digits_are_ambiguous(self):
        def what(digits, met):
            return (
                f"{digits} is ambiguous: {len(digits)} digits do not tell one key from another, and 16 at least are "
                f"needed; of the ledger's keys, {met}"
            )

        other = "0" if FINGERPRINT[0] != "0" else "1"
        begins, none = f"beginning with it: {FINGERPRINT}", f"none begins with it: {FINGERPRINT}"
        assert _doubt(FINGERPRINT[:15], (FINGERPRINT,)) == what(FINGERPRINT[:15], begins)
        assert _doubt(other, (FINGERPRINT,)) == what(other, none)
        assert _doubt("ab", ("ab1", "ab2", "c")) == what("ab", "beginning with it: ab1, ab2")
        assert _doubt(FINGERPRINT[:16], (FINGERPRINT,)) is None

    def test_another_key_is_found(self):
        other = key("Mallory").key_id
        assert checked(EXPORT, expected_fingerprint=other) == (
            (("key.pub", f"the ledger's key is {FINGERPRINT}, expected {other}"),),
            (),
        )


class TestResult:
    @pytest.mark.parametrize(
        ("findings", "inconclusive", "anchored", "code"),
        [
            ((), (), 6, 0), ((), (), 5, 2), ((), (("a", "b"),), 6, 2),
            ((("a", "b"),), (), 6, 1), ((("a", "b"),), (("a", "b"),), 5, 1),
        ],
    )  # fmt: skip
    def test_the_exit_code(self, findings, inconclusive, anchored, code):
        result = Verification(
            events=6, anchored=anchored, fingerprint="f", findings=findings, inconclusive=inconclusive
        )
        assert result.exit_code == code

    def test_the_summary(self):
        intact = Verification(events=6, anchored=6, fingerprint="f00", findings=(), facts=("a: so.", "b: so.", "It."))
        said = "6 events intact: bytes, tree, checkpoint, signatures, replay. Key f00. a, b: so. It."

        assert intact.summary == said
        assert replace(intact, anchored=4).summary == f"{said} The last 2 event(s) are in no anchor yet."
        assert replace(intact, inconclusive=(("a", "b"), ("c", "d"))).summary == (
            f"INCONCLUSIVE: 2 thing(s) could not be checked. {said}"
        )
        assert replace(intact, findings=(("a", "b"),)).summary == "TAMPERED: 1 finding(s) in 6 events."
        three = replace(intact, facts=("a: so.", "b: so.", "c: so."))
        four = replace(intact, facts=("a: so.", "b: so.", "c: so.", "d: so."))
        assert three.summary.endswith(" a, b, c: so.")
        assert four.summary.endswith(" a, b, c and 1 more: so.")

    def test_the_facts_of_a_release_without_artefacts(self):
        result = verified(EXPORT)

        assert (result.events, result.anchored, result.fingerprint) == (6, 6, FINGERPRINT)
        assert result.facts == ("m-2: artefacts not bound: registered before Signoff bound artefacts.",)


class TestAgreement:
    STATE = b'{"a":1,"b":{"c":[1,2]}}'

    @pytest.mark.parametrize(
        ("stored", "replayed", "is_same"),
        [
            (STATE, STATE, True),
            (None, None, True),
            (None, STATE, False),
            (STATE, None, False),
            (b'{"a":1}', STATE, True),
            (b'{"a":1,"b":{}}', STATE, True),
            (STATE, b'{"a":1}', False),
            (b'{"a":2}', STATE, False),
            (b'{"a":true}', STATE, False),
            (b'{"a":1} ', STATE, False),
            (b'{"b":{"c":[1]}}', STATE, False),
            (b"[]", STATE, False),
            (b"x", STATE, False),
            (b"\xff", STATE, False),
            (b"[" * 20000, STATE, False),
        ],
    )
    def test_an_older_state_may_lack_fields(self, stored, replayed, is_same):
        assert agrees(stored, replayed) is is_same


class TestPassage:
    BODIES = tuple(line.rstrip(b"\n") for line in LINES)

    def test_it_keeps_the_roots_of_the_sizes_that_are_asked_for_and_of_both_ends(self):
        passage = Passage(Audit(), frozenset({2, 4}))
        events = list(passage.take(self.BODIES))

        assert len(events) == 6
        assert set(passage.roots) == {0, 2, 4, 6}
        assert passage.roots[0] == EMPTY
        assert passage.tree.size == 6
        assert passage.unlike == []
        assert passage.revisions == {"people": 1, "deployment/m-2": 5}

    def test_leaves_that_differ_are_numbered(self):
        leaves = [leaf_hash(body).hex().encode() for body in self.BODIES]
        leaves[2] = b"other"
        passage = Passage(Audit(), leaves=iter(leaves[:5]))
        list(passage.take(self.BODIES))

        assert passage.unlike == [3, 6]

    def test_the_stream_of_every_event_is_recalled_first(self):
        asked = []
        passage = Passage(Audit(), recall=asked.append)
        list(passage.take(self.BODIES))

        assert asked == ["people", *["deployment/m-2"] * 5]

    def test_a_revision_that_is_left_out_is_found_once(self):
        passage = Passage(Audit())
        list(passage.take((*self.BODIES[:2], *self.BODIES[3:])))

        assert passage.audit.found[0] == ("deployment/m-2 revision 3", "expected revision 2, found 3")
        assert sum("expected revision" in what for _, what in passage.audit.found) == 1


def test_blobs_alone_are_held_to_their_names():
    audit = Audit()
    files = FilesInMemory({**EXPORT, BLOB: b"other", "states.json": b""})
    check_blobs(files, frozenset(files.names()), audit)

    assert (audit.found, audit.open) == ([(BLOB, NAMED)], [])


def test_a_file_that_is_not_kept_may_be_missing():
    unkept = Entry(path="artifacts/model.bin", size=3, sha256="0" * 64, is_kept=False)
    kept = Entry(path="artifacts/params.json", size=2, sha256="1" * 64)
    manifest = parse(PACKAGE.to_bytes())
    wider = Manifest(entries=(unkept, kept, *manifest.entries))
    store = memory_store()
    for content in (PACKAGE.to_bytes(), b"date,return\n", wider.to_bytes()):
        store.put_blob(content)
    world = World(approved_release(store), requests=50)
    world.happens("deployment/m-3", replace(opened(), deployment="m-3"), Validated(results=(), package=wider.digest))
    findings = found(exported(store, is_anchored=False))

    assert findings == (
        (
            "deployment/m-3 revision 2",
            f"artifacts/params.json of manifest {wider.digest[:12]}… is missing from the blobs",
        ),
    )


@pytest.mark.parametrize(
    ("signed_", "what"),
    [
        (signature(signer=key("Mallory")), "the signature of Rae does not hold: The envelope is not in its canonical "
         "form, or names another key."),
        (replace(signature(), key_id=key("Mallory").key_id), "the signature of Rae does not hold: It names another "
         "key than the one enrolled."),
        (signature(said={"deployment": "m-1"}), "the signature of Rae was given for m-1"),
        (signature(subject="f" * 64), "the signature of Rae is over ffffffffffff…, which was not put to signature "
         "here"),
        (signature(said={"reason": "x", "conditions": ()}), "the envelope of Rae says another conditions, reason"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_signature_is_said_at_its_event(signed_, what):
    findings = verified(exported(approved_release(memory_store(), signed_))).findings
    assert findings == (("deployment/m-2 revision 4", what),)


def test_the_canonical_spelling_of_a_state_is_asked_for():
    spaced = canonical({"people": '{"a": 1}'})
    findings = found(relisted({**EXPORT, "states.json": spaced}))
    assert ("states.json", "the state of people is not what its events lead to") in findings
