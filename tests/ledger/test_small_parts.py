"""The small parts of the ledger at their bounds, with what they say: numbers, texts, notes, keys, leases, envelopes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256

import pytest
from small_ledger import LEDGER_KEY, NOW, PACKAGE, append, enrolled, key, paused, signature

from signoff.domain.artifacts import Artifact
from signoff.domain.environment import Distribution, PythonEnvironment
from signoff.domain.errors import BadInputError, ConflictError, NotFoundError, StaleRevisionError, TamperedError
from signoff.domain.events import ActorProof, Recorded, Vote
from signoff.domain.floor import BUILT_IN, Origin, content_digest
from signoff.domain.policy import Policy, Role
from signoff.domain.statement import Statement
from signoff.ledger import cbor
from signoff.ledger.appending import bodies_of, conflict, expect, is_over, last_lease, no_effect
from signoff.ledger.canonical import canonical, digest
from signoff.ledger.checkpoint import (
    ORIGIN,
    Algorithm,
    Checkpoint,
    VerifierKey,
    claimed,
    key_line,
    note_of,
    open_note,
    opened,
    parsed_key,
    signed_note,
    text_of,
)
from signoff.ledger.codec import _number, decode, decode_state, encode, encode_state, holds
from signoff.ledger.envelope import (
    deployer_signed_at,
    deployer_statement,
    envelope,
    read_statement,
    statement,
    verify,
)
from signoff.ledger.envelope import opened as opened_envelope
from signoff.ledger.environment import environment_json
from signoff.ledger.floor import built_in, content_of, read_content, unconfirmed
from signoff.ledger.keychain import HANDOVER, KeyChain, handover_note, parse_chain
from signoff.ledger.manifest import Entry, differences, manifest_of, parse
from signoff.ledger.source import FilesInMemory, Hashed, Lines, content
from signoff.ledger.table import header, line_of
from signoff.ledger.text import decoded, encoded, url_decoded, url_encoded


def refused(kind, act, *given, **named):
    with pytest.raises(kind) as caught:
        act(*given, **named)
    return str(caught.value)


class TestNumbers:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (0.0, "0"), (-0.0, "0"), (1.0, "1"), (-1.5, "-1.5"), (1e20, "100000000000000000000"), (1e21, "1e+21"),
            (123456789012345680000.0, "123456789012345680000"), (1.5e21, "1.5e+21"), (-1e21, "-1e+21"),
            (1e-6, "0.000001"), (1e-7, "1e-7"), (1.25e-6, "0.00000125"), (1.25e-7, "1.25e-7"), (-1e-5, "-0.00001"),
            (1e-300, "1e-300"), (1.7976931348623157e308, "1.7976931348623157e+308"), (1e16, "10000000000000000"),
            (2**53 - 1, "9007199254740991"), (-(2**53) + 1, "-9007199254740991"), (True, "true"), (None, "null"),
        ],
    )  # fmt: skip
    def test_each_is_written_as_ecmascript_does(self, value, text):
        assert canonical(value).decode() == text

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (2**53, "9007199254740992 is beyond the whole numbers that every reader of JSON keeps exact"),
            (-(2**53), "-9007199254740992 is beyond the whole numbers that every reader of JSON keeps exact"),
            (float("nan"), "nan is no number of JSON"),
            (float("inf"), "inf is no number of JSON"),
            (b"a", "bytes is no value of JSON"),
            ({1: 2}, "the name of a member is text in JSON, not 1"),
        ],
    )
    def test_one_that_has_no_form_says_so(self, value, why):
        assert refused(BadInputError, canonical, value) == (
            f"Expected a value that JSON can hold (no NaN, no infinity), found one that it cannot: {why}."
        )

    def test_values_of_subclasses_are_written_as_their_base(self):
        class Whole(int):
            def __repr__(self):
                return "seven"

        class Real(float):
            def __repr__(self):
                return "half"

        class Words(dict):
            pass

        class Several(list):
            pass

        class Text(str):
            __slots__ = ()

            def __str__(self):
                return "other"

        assert canonical(Words({Text("b"): Several([Whole(7), Real(0.5)]), "a": Text("t")})) == b'{"a":"t","b":[7,0.5]}'


class TestCbor:
    """RFC 8949, appendix A, and the bounds of each width."""

    @pytest.mark.parametrize(
        ("spelled", "value"),
        [
            ("00", 0), ("17", 23), ("1818", 24), ("18ff", 255), ("190100", 256), ("19ffff", 65535),
            ("1a00010000", 65536), ("1affffffff", 2**32 - 1), ("1b0000000100000000", 2**32),
            ("1bffffffffffffffff", 2**64 - 1), ("20", -1), ("37", -24), ("3818", -25), ("3903e7", -1000),
            ("3bffffffffffffffff", -(2**64)), ("f4", False), ("f5", True), ("f6", None), ("40", b""),
            ("4401020304", b"\1\2\3\4"), ("60", ""), ("6161", "a"), ("62c3bc", "ü"), ("80", ()),
            ("83010203", (1, 2, 3)),
            ("8301820203820405", (1, (2, 3), (4, 5))), ("a0", {}), ("a201020304", {1: 2, 3: 4}),
            ("a26161016162820203", {"a": 1, "b": (2, 3)}), ("81" * 8 + "01", ((((((((1,),),),),),),),)),
            ("a101" * 8 + "01", {1: {1: {1: {1: {1: {1: {1: {1: 1}}}}}}}}),
        ],
    )  # fmt: skip
    def test_what_is_read(self, spelled, value):
        assert cbor.read(bytes.fromhex(spelled)) == value
        assert cbor.read_first(bytes.fromhex(spelled) + b"rest") == (value, b"rest")

    @pytest.mark.parametrize(
        ("spelled", "why"),
        [
            ("", "a value is missing"),
            ("81", "a list is longer than what is there"),
            ("8200", "a list is longer than what is there"),
            ("828100", "a value is missing"),
            ("a1", "a map is longer than what is there"),
            ("a100", "a value is missing"),
            ("a20000", "a value is missing"),
            ("000102", "2 bytes follow the value"),
            ("1817", "a number that is not in its shortest form"),
            ("1900ff", "a number that is not in its shortest form"),
            ("1a0000ffff", "a number that is not in its shortest form"),
            ("1b00000000ffffffff", "a number that is not in its shortest form"),
            ("18", "1 bytes are announced, and 0 are there"),
            ("1901", "2 bytes are announced, and 1 are there"),
            ("4301", "3 bytes are announced, and 1 are there"),
            ("1c", "a value of indefinite length"),
            ("1f", "a value of indefinite length"),
            ("5f", "a value of indefinite length"),
            ("c0", "a tag, which authenticators do not write"),
            ("f3", "a simple value or fraction (19) that authenticators do not write"),
            ("f7", "a simple value or fraction (23) that authenticators do not write"),
            ("f818", "a simple value or fraction (24) that authenticators do not write"),
            ("a20101", "a value is missing"),
            ("a201010102", "a map's key 1 is not a number or text, or is repeated"),
            ("a1f501", "a map's key True is not a number or text, or is repeated"),
            ("a1410101", "a map's key b'\\x01' is not a number or text, or is repeated"),
            ("81" * 9 + "01", "values nest deeper than 8"),
            ("a101" * 9 + "01", "values nest deeper than 8"),
            ("a1" * 9 + "0101", "values nest deeper than 8"),
        ],
    )
    def test_what_is_refused_and_why(self, spelled, why):
        assert refused(ValueError, cbor.read, bytes.fromhex(spelled)) == why

    def test_text_that_is_no_utf_8_is_refused(self):
        with pytest.raises(UnicodeDecodeError):
            cbor.read(b"\x62\xff\xfe")


class TestBase64:
    @pytest.mark.parametrize(
        ("plain", "url", "bytes_"),
        [
            ("", "", b""),
            ("YQ==", "YQ", b"a"),
            ("YWI=", "YWI", b"ab"),
            ("YWJj", "YWJj", b"abc"),
            ("+/8=", "-_8", b"\xfb\xff"),
        ],
    )
    def test_both_alphabets(self, plain, url, bytes_):
        assert (encoded(bytes_), url_encoded(bytes_)) == (plain, url)
        assert (decoded(plain), url_decoded(url)) == (bytes_, bytes_)

    @pytest.mark.parametrize("text", ["YR==", "YWJ=", "Y Q==", "YQ==\n", "YQ", "-_8=", "YQ===="])
    def test_another_spelling_is_refused(self, text):
        refused(ValueError, decoded, text)

    @pytest.mark.parametrize("text", ["YR", "YQ==", "YQ=", "+/8", "Y", "Y Q", "YQ\n", "YWJjZ"])
    def test_another_spelling_for_the_web_is_refused(self, text):
        refused(ValueError, url_decoded, text)

    def test_the_reason_is_said(self):
        assert refused(ValueError, decoded, "YR==") == "base64 is not in its canonical form"
        assert refused(ValueError, url_decoded, "YR") == "base64url is not in its canonical form"
        assert "padding" in refused(ValueError, decoded, "YQ")
        assert refused(ValueError, url_decoded, "Y").endswith("1 more than a multiple of 4")


class TestSource:
    def test_lines_come_without_their_ends_however_they_are_cut(self):
        for pieces in ([b"a\nbc\nd"], [b"a", b"\n", b"b", b"c\n", b"d"], [b"a\nb", b"c\nd", b""]):
            lines = Lines(iter(pieces))
            assert (list(lines), lines.rest) == ([b"a", b"bc"], b"d")
        whole = Lines([b"a\n"])
        assert (list(whole), whole.rest) == ([b"a"], b"")
        assert Lines([]).rest == b""

    def test_chunks_are_hashed_and_counted(self):
        hashed = Hashed([b"ab", b"", b"c"])
        assert (hashed.size, hashed.sha256) == (0, "")
        assert list(hashed) == [b"ab", b"", b"c"]
        assert (hashed.size, hashed.sha256) == (3, digest(b"abc"))

    def test_a_missing_file_is_empty(self):
        files = FilesInMemory({"a": b"x"})
        assert (list(files.names()), content(files, "a"), content(files, "b")) == (["a"], b"x", b"")


class TestTable:
    def test_its_lines(self):
        body = encode(_recorded(paused("=1+1"), actor="=t"))
        assert header() == b"seq,time,actor,stream,kind\r\n"
        assert line_of(12, body) == b"12,2019-01-02T21:00:00.000000Z,'=t,deployment/m-2,paused\r\n"
        assert line_of(1, encode(_recorded(paused(), actor='a,"b"'))).split(b"Z,")[1].startswith(b'"a,""b""",')


def _recorded(event, **changes):
    return Recorded(**({"stream": "deployment/m-2", "revision": 1, "at": NOW, "actor": "t", "event": event} | changes))


class TestCodec:
    BODY = encode(_recorded(paused()))

    @pytest.mark.parametrize(
        ("old", "new", "why"),
        [
            (b'"schema":1', b'"schema":2', "schema 2, and this Signoff reads schema 1; use a newer one"),
            (b'"schema":1,', b"", "'schema'"),
            (b'"revision":1', b'"revision":"1"', "missing, or of another type: revision"),
            (b'"revision":1', b'"revision":true', "expected revision as a number, found true or false"),
            (b'"actor":"t",', b"", "missing, or of another type: actor"),
            (b'"stream":"deployment/m-2"', b'"stream":1', "missing, or of another type: stream"),
            (b'"at":"2019-01-02T21:00:00.000000Z",', b'"at":1,', "missing, or of another type: at"),
            (b'"kind":"paused"', b'"kind":"unheard"', "'unheard'"),
            (b'{"kind":"paused","note":"","reason":"manual"}', b"1", "missing, or of another type: event"),
            (b'"revision":1', b'"proof":"unheard","revision":1', "'unheard' is not a valid ActorProof"),
        ],
    )
    def test_what_is_no_event_says_why(self, old, new, why):
        altered = self.BODY.replace(old, new)
        assert altered != self.BODY
        assert refused(TamperedError, decode, altered) == f"These bytes are no event of the ledger: {why}"

    def test_a_long_reason_is_cut(self):
        long = self.BODY.replace(b'"kind":"paused"', b'"kind":"' + b"x" * 500 + b'"')
        assert refused(TamperedError, decode, long) == f"These bytes are no event of the ledger: '{'x' * 199}"

    @pytest.mark.parametrize(
        ("old", "new"), [(b'"note":""', b'"note": ""'), (b'"note":""', b'"note":"","other":1'), (b".000000Z", b"Z")]
    )
    def test_another_form_says_so(self, old, new):
        assert refused(TamperedError, decode, self.BODY.replace(old, new)) == (
            "These bytes are not the canonical form of the event they hold."
        )

    def test_who_was_proved_to_act_is_kept_and_left_out_where_nobody_recorded_it(self):
        assert b"proof" not in self.BODY
        for proof in ActorProof:
            recorded = _recorded(paused(), proof=proof)
            assert decode(encode(recorded)) == recorded
            assert (b'"proof"' in encode(recorded)) is (proof is not ActorProof.UNRECORDED)

    @pytest.mark.parametrize(
        ("written", "stored", "is_held"),
        [
            ({"a": 1, "b": 2}, {"a": 1}, True),
            ({"a": 1}, {"a": 1, "b": 2}, False),
            ({"a": {"b": 1}}, {"a": {}}, True),
            ([1, 2], [1, 2], True),
            ((1, 2), [1, 2], True),
            ([1, 2], [1], False),
            ([1], [1, 2], False),
            ([{"a": 1}], [{}], True),
            (1, True, False),
            (True, 1, False),
            (True, True, True),
            (0, False, False),
            (1, 1.0, True),
            ({}, [], False),
            (None, None, True),
        ],
    )
    def test_what_is_written_may_say_more_than_what_is_stored(self, written, stored, is_held):
        assert holds(written, stored) is is_held

    def test_large_numbers_of_old_events_were_floats(self):
        for text, value in (
            ("999999999999999", int), ("9007199254740991", int), ("9007199254740992", float),
            ("-9007199254740991", int), ("-9007199254740992", float), ("1000000000000000", int),
        ):  # fmt: skip
            assert (_number(text), type(_number(text))) == (value(text), value)

    def test_a_time_without_a_zone_says_what_to_do(self):
        assert refused(BadInputError, encode, _recorded(paused(), at=NOW.replace(tzinfo=None))) == (
            "Expected a time with a zone, found 2019-01-02T21:00:00 without; pass UTC."
        )

    @pytest.mark.parametrize(
        ("stored", "why"),
        [
            (b'{"name":"p","version":"1","unheard":1}', "it has a key that this Signoff does not know, or a value in"),
            (b"[" * 9, "Expected `object`, got `array`"),
            (b"{}", "Object missing required field `name`"),
        ],
    )
    def test_a_policy_is_read_strictly(self, stored, why):
        said = refused(TamperedError, decode_state, Policy, stored)
        assert said.startswith(f"Stored state is no Policy: {why}")

    def test_a_policy_beyond_its_bounds_is_refused(self):
        policy = Policy(name="p", version="1")
        wrong = replace(policy, gates=replace(policy.gates, var=replace(policy.gates.var, level=1.5)))
        assert "level" in refused(TamperedError, decode_state, Policy, encode_state(wrong))
        assert decode_state(Policy, encode_state(policy)) == policy


def test_the_environment_of_a_release():
    lock = Artifact(path="lock.txt", size=3, sha256="a" * 64)
    one = Distribution(name="numpy", version="2", sha256="b" * 64)
    captured = PythonEnvironment(python="3.11", distributions=(one,))

    assert json.loads(environment_json(captured, {"lock": lock, "image": "sha256:c"})) == {
        "named": {"lock": {"path": "lock.txt", "size": 3, "sha256": "a" * 64}, "image": "sha256:c"},
        "captured": {
            "python": "3.11",
            "distributions": [{"name": "numpy", "version": "2", "sha256": "b" * 64}],
        },
    }


class TestFloor:
    def test_a_policy_nobody_confirmed(self):
        policy = Policy(name="mine", version="7")
        text = content_of(policy)
        found = unconfirmed(policy, Origin.BUILT_IN, "a file")

        assert (found.policy, found.content) == (policy, text)
        assert (found.floor.origin, found.floor.name, found.floor.version) == (Origin.BUILT_IN, "mine", "7")
        assert (found.floor.digest, found.floor.source) == (content_digest(text), "a file")
        assert read_content(text) == policy
        assert unconfirmed(policy, Origin.BUILT_IN).floor.source == ""

    def test_the_built_in_one(self):
        assert built_in() == unconfirmed(BUILT_IN, Origin.BUILT_IN)
        assert built_in().content == content_of(BUILT_IN)


class TestAppending:
    def test_a_revision_is_expected_or_not(self):
        assert expect("s", None, 3) is None
        assert expect("s", 3, 3) is None
        assert refused(StaleRevisionError, expect, "s", 2, 3) == (
            "Expected s at revision 2, found it at 3: another commit came first. Look at it again and repeat the "
            "request if it still makes sense."
        )

    def test_what_the_errors_say(self):
        assert isinstance(conflict("k"), ConflictError)
        assert str(conflict("k")) == "The request 'k' was made before with other contents; nothing was done."
        assert isinstance(no_effect("e"), NotFoundError)
        assert str(no_effect("e")) == "Expected an effect 'e' in the outbox, found none; nothing was recorded."

    def bodies(self, *events, after=4, expected=None, proof=ActorProof.UNRECORDED):
        return bodies_of("s/1", events, after=after, expected=expected, at=NOW, actor="t", proof=proof)

    def test_events_get_the_next_revisions(self):
        first, second = self.bodies(paused("a"), paused("b"), expected=4)

        assert decode(first) == _recorded(paused("a"), stream="s/1", revision=5)
        assert decode(second) == _recorded(paused("b"), stream="s/1", revision=6)
        (proved,) = self.bodies(paused(), proof=tuple(ActorProof)[-1])
        assert decode(proved).proof is tuple(ActorProof)[-1]

    def test_none_or_what_nobody_can_read_again_is_refused(self):
        assert refused(BadInputError, self.bodies) == (
            "Expected events for s/1, found none; state changes only by events."
        )
        refused(StaleRevisionError, self.bodies, paused(), expected=3)
        unreadable = replace(paused(), reason="unheard")
        assert refused(BadInputError, self.bodies, unreadable).startswith("The event 'paused' of s/1 is not valid: ")

    def test_a_lease_ends_or_was_set_by_a_wrong_clock(self):
        until, latest = NOW + timedelta(minutes=5), NOW + timedelta(minutes=10)

        assert last_lease(until, NOW) == latest
        for ends, over in (
            (None, True), (NOW, True), (NOW - timedelta(seconds=1), True), (NOW + timedelta(seconds=1), False),
            (latest, False), (latest + timedelta(seconds=1), True),
        ):  # fmt: skip
            assert is_over(ends, NOW, latest) is over
        assert append().stream == "s"


VERIFIER = VerifierKey(ORIGIN, LEDGER_KEY.public_bytes)
OTHER = VerifierKey(ORIGIN, key("Mallory").public_bytes)
ROOT = bytes(range(32))
NOT_CANONICAL = "The checkpoint is not in its canonical form; it was altered."


class TestNotes:
    def test_a_key_and_its_line(self):
        hashed = sha256(b"signoff.ledger\n\x01" + LEDGER_KEY.public_bytes).digest()[:4]

        assert VERIFIER.hash == hashed
        spelled = encoded(b"\x01" + VERIFIER.content)
        assert VERIFIER.line == f"signoff.ledger+{hashed.hex()}+{spelled}\n".encode()
        assert key_line(ORIGIN, LEDGER_KEY.public_bytes) == VERIFIER.line
        assert parsed_key(VERIFIER.line) == VERIFIER
        assert (Algorithm.ED25519.key_bytes, Algorithm.ML_DSA_44.key_bytes) == (32, 1312)
        second = VerifierKey(ORIGIN, bytes(1312), Algorithm.ML_DSA_44)
        assert parsed_key(second.line) == second

    @pytest.mark.parametrize(
        ("line", "why"),
        [
            (b"a+b", "The key file is no verifier key: not enough values to unpack (expected 3, got 2)"),
            (b"a+b+?", "The key file is no verifier key: "),
            (b"\xff", "The key file is no verifier key: "),
            (VERIFIER.line[:-1], "The key file does not agree with its own hash; it was altered."),
            (VERIFIER.line.replace(b"signoff", b"signofF"), "The key file does not agree with its own hash; it was"),
            (VerifierKey(ORIGIN, bytes(31)).line, "The key file does not agree with its own hash; it was altered."),
        ],
    )
    def test_what_is_no_key_line(self, line, why):
        assert refused(TamperedError, parsed_key, line).startswith(why)

    def test_a_note_comes_back(self):
        checkpoint = Checkpoint(ORIGIN, 7, ROOT)
        note = signed_note(checkpoint, LEDGER_KEY.public_bytes, LEDGER_KEY.private.sign)

        assert checkpoint.body == f"signoff.ledger\n7\n{encoded(ROOT)}\n"
        assert note == LEDGER_KEY.sign_checkpoint(7, ROOT)
        assert note == note_of(checkpoint.body, ((VERIFIER, LEDGER_KEY.private.sign),))
        assert open_note(note, ORIGIN, LEDGER_KEY.public_bytes) == opened(note, (VERIFIER,)) == claimed(note)
        assert text_of(note, (VERIFIER,)) == checkpoint.body

    def test_what_a_note_of_another_kind_is_refused_with(self):
        note = LEDGER_KEY.sign_checkpoint(7, ROOT)
        text, _, signatures = note.decode().partition("\n\n")
        elsewhere = VerifierKey("elsewhere", LEDGER_KEY.public_bytes)
        padded = note_of(f"signoff.ledger\n07\n{encoded(ROOT)}\n", ((VERIFIER, LEDGER_KEY.private.sign),))
        foreign = note_of(Checkpoint("elsewhere", 7, ROOT).body, ((VERIFIER, LEDGER_KEY.private.sign),))
        spoiled = bytearray(LEDGER_KEY.private.sign(f"{text}\n".encode()))
        spoiled[3] ^= 1
        other = f"{text}\n\n— signoff.ledger {encoded(VERIFIER.hash + bytes(spoiled))}\n".encode()

        assert refused(TamperedError, opened, note, (OTHER,)) == (
            "The checkpoint was not signed by the key of this ledger: expected 1 signature(s), by "
            f"{OTHER.hash.hex()}, found {VERIFIER.hash.hex()}."
        )
        assert refused(TamperedError, opened, note, (OTHER, VERIFIER)) == (
            "The checkpoint was not signed by the key of this ledger: expected 2 signature(s), by "
            f"{OTHER.hash.hex()} and {VERIFIER.hash.hex()}, found {VERIFIER.hash.hex()}."
        )
        assert "was not signed by the key of this ledger: expected 1" in refused(
            TamperedError, opened, note, (elsewhere,)
        )
        assert refused(TamperedError, opened, padded, (VERIFIER,)) == NOT_CANONICAL
        assert refused(TamperedError, opened, foreign, (VERIFIER,)) == (
            "The checkpoint was not signed by the key of this ledger."
        )
        assert refused(TamperedError, opened, other, (VERIFIER,)) == (
            "The signature of the checkpoint does not hold; it was altered."
        )
        for altered in (note[:-1], note.replace("—".encode(), b"-"), note + b"\n"):
            assert refused(TamperedError, text_of, altered, (VERIFIER,)).startswith("The checkpoint is")
        assert refused(TamperedError, claimed, b"a\nb\nYQ==\n\n") == (
            "The checkpoint is no signed note: invalid literal for int() with base 10: 'b'"
        )
        assert signatures.endswith("\n")


OLD, NEW, THIRD = key("old"), key("new"), key("third")


def signer(held, name=ORIGIN):
    return (VerifierKey(name, held.public_bytes), held.private.sign)


def handed(size, before, after, root=ROOT):
    return handover_note(size, root, (signer(before),), (signer(after),))


class TestKeyChain:
    FIRST = KeyChain(first=(signer(OLD)[0],))
    SECOND = FIRST.followed_by(handed(6, OLD, NEW))
    WHOLE = SECOND.followed_by(handed(9, NEW, THIRD))

    def test_each_key_signs_the_trees_after_its_handover(self):
        found = {size: self.WHOLE.keys_at(size) for size in (0, 6, 7, 9, 10)}

        assert [found[size][0].content for size in (0, 6, 7, 9, 10)] == [
            OLD.public_bytes, OLD.public_bytes, NEW.public_bytes, NEW.public_bytes, THIRD.public_bytes,
        ]  # fmt: skip
        assert self.WHOLE.present[0].content == THIRD.public_bytes
        assert self.FIRST.present[0].content == OLD.public_bytes
        assert self.WHOLE.fingerprints == tuple(digest(held.public_bytes) for held in (OLD, NEW, THIRD))
        assert [(h.size, h.root) for h in self.WHOLE.handovers] == [(6, ROOT), (9, ROOT)]

    def test_a_chain_comes_back_and_begins_with_earlier_ones(self):
        for chain in (self.FIRST, self.SECOND, self.WHOLE):
            assert parse_chain(chain.to_bytes()) == chain
            assert self.WHOLE.begins_with(chain)
        assert not self.SECOND.begins_with(self.WHOLE)
        assert not self.WHOLE.begins_with(KeyChain(first=(signer(NEW)[0],)))
        other = self.FIRST.followed_by(handed(5, OLD, NEW))
        assert not self.WHOLE.begins_with(other)
        note = NEW.sign_checkpoint(7, ROOT)
        assert self.WHOLE.verified(note, claimed(note)).size == 7

    @pytest.mark.parametrize(
        ("note", "why"),
        [
            (handed(5, NEW, THIRD), "A handover after 5 events does not follow the one before it."),
            (
                handover_note(9, ROOT, (signer(NEW),), (signer(THIRD, "elsewhere"),)),
                "A handover after 9 events does not follow the one before it.",
            ),
            (handed(9, NEW, THIRD, b"\1"), "A handover of the key file is not in its canonical form; it was altered."),
            (
                note_of(f"{HANDOVER}\n09\n{encoded(ROOT)}\n{signer(THIRD)[0].line.decode()}", (signer(NEW),)),
                "A handover of the key file is not in its canonical form; it was altered.",
            ),
            (
                note_of(f"elsewhere\n9\n{encoded(ROOT)}\n{signer(THIRD)[0].line.decode()}", (signer(NEW),)),
                "A handover of the key file is not in its canonical form; it was altered.",
            ),
            (b"x", "Malformed key-handover entry in the key file: not enough values to unpack"),
            (
                note_of(f"{HANDOVER}\n9\n{encoded(ROOT)}\n", (signer(NEW),)),
                "Expected an Ed25519 key, and at most one key of each further algorithm after it.",
            ),
            (handed(9, OLD, THIRD), "The handover after 9 events does not hold: The checkpoint was not signed by"),
        ],
    )
    def test_what_does_not_follow_says_why(self, note, why):
        assert refused(TamperedError, self.SECOND.followed_by, note).startswith(why)

    def test_a_handover_may_follow_at_the_same_size(self):
        assert self.SECOND.followed_by(handed(6, NEW, THIRD)).handovers[-1].size == 6
        assert self.FIRST.followed_by(handed(0, OLD, NEW)).handovers[-1].size == 0

    def test_what_is_no_key_file_says_why(self):
        line, second = VERIFIER.line, VerifierKey(ORIGIN, bytes(1312), Algorithm.ML_DSA_44).line
        kinds = "Expected an Ed25519 key, and at most one key of each further algorithm after it."
        named = VerifierKey("elsewhere", bytes(1312), Algorithm.ML_DSA_44).line

        assert refused(TamperedError, parse_chain, line + b"\n\nx") == "The key file ends within a handover."
        assert refused(TamperedError, parse_chain, b"") == kinds
        assert refused(TamperedError, parse_chain, line + line) == kinds
        assert refused(TamperedError, parse_chain, second) == kinds
        assert refused(TamperedError, parse_chain, second + line) == kinds
        assert refused(TamperedError, parse_chain, line + named) == "The keys of one period have different names."
        assert len(parse_chain(line + second).first) == 2


class TestManifest:
    def test_unkept_entries_are_listed_by_path_and_may_be_missing(self):
        unkept = Entry(path="a/b", size=3, sha256=digest(b"abc"), is_kept=False)
        made = manifest_of({"b": b"x", "a": b"y"}, (unkept,))

        assert [entry.path for entry in made.entries] == ["a", "a/b", "b"]
        assert b'{"kept":false,"path":"a/b",' in made.to_bytes()
        assert parse(made.to_bytes()) == made
        assert made.digest == digest(made.to_bytes())
        assert differences(made, {"a": b"y", "b": b"x"}) == ()
        assert differences(made, {"a": b"y", "b": b"x", "a/b": b"abc"}) == ()
        assert differences(made, {"a": b"y", "b": b"x", "a/b": b"abd"}) == ("a/b",)
        assert differences(made, {"c": b"", "a": b"z"}) == ("a", "b", "c")

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            (b"{}", "Malformed manifest: 'files'"),
            (b'{"files":[1]}', "Malformed manifest: expected an entry with path, size and sha256 (text, number, text)"),
            (b'{"files":[{"path":"a","sha256":"b","size":true}]}', "Malformed manifest: expected an entry with path,"),
            (b'{"files": []}', "This manifest is not in its canonical form; it was altered."),
            (
                b'{"files":[{"kept":true,"path":"a","sha256":"b","size":1}]}',
                "This manifest is not in its canonical form; it was altered.",
            ),
        ],
    )
    def test_another_form_says_why(self, given, why):
        assert refused(TamperedError, parse, given).startswith(why)


DECIDED = Statement(
    subject=PACKAGE.digest,
    deployment="m-2",
    model="m",
    version="2",
    person="Rae",
    role=Role.RISK_MANAGER,
    verdict=Vote.APPROVE,
    conditions=("a", "b"),
    reason="so",
    signed_at=NOW.astimezone(timezone(timedelta(hours=9))),
    expires_at=NOW + timedelta(days=30),
)


class TestEnvelopes:
    def test_the_statement_of_a_decision(self):
        assert json.loads(statement(DECIDED)) == {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "manifest.json", "digest": {"sha256": PACKAGE.digest}}],
            "predicateType": "https://signoff.example/decision/v1",
            "predicate": {
                "deployment": "m-2",
                "model": "m",
                "version": "2",
                "person": "Rae",
                "role": "risk_manager",
                "verdict": "approve",
                "conditions": ["a", "b"],
                "reason": "so",
                "signed_at": "2019-01-02T21:00:00+00:00",
                "expires_at": "2019-02-01T21:00:00+00:00",
            },
        }
        assert read_statement(statement(DECIDED)) == DECIDED

    def test_the_statement_of_a_deployer(self):
        made = deployer_statement(
            manifest="f" * 64, deployment="m-2", model="m", version="2", person="Rae", signed_at=DECIDED.signed_at
        )
        assert json.loads(made) == {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "manifest.json", "digest": {"sha256": "f" * 64}}],
            "predicateType": "https://signoff.example/deployment/v1",
            "predicate": {
                "deployment": "m-2",
                "model": "m",
                "version": "2",
                "person": "Rae",
                "signed_at": "2019-01-02T21:00:00+00:00",
            },
        }
        assert deployer_signed_at(made) == datetime(2019, 1, 2, 21, tzinfo=UTC)
        for other in (b"{}", b"[]", b"x", b'{"predicate":{"signed_at":1}}', b'{"predicate":{"signed_at":"x"}}'):
            said = refused(TamperedError, deployer_signed_at, other)
            assert said.startswith("This is no statement of who starts a rollout: ")

    def test_an_envelope_by_hand(self):
        rae = key("Rae")
        text = envelope(b"words", rae.public_bytes, lambda signed: b"over " + signed)

        assert json.loads(text) == {
            "payload": encoded(b"words"),
            "payloadType": "application/vnd.in-toto+json",
            "signatures": [
                {
                    "keyid": digest(rae.public_bytes),
                    "sig": encoded(b"over DSSEv1 28 application/vnd.in-toto+json 5 words"),
                }
            ],
        }
        assert refused(TamperedError, opened_envelope, text, rae.public_key) == (
            "The signature does not hold for this statement and key."
        )

    def test_what_is_no_envelope_or_statement_says_why(self):
        good = signature().envelope
        rae = key("Rae").public_key

        assert refused(TamperedError, verify, "{}", rae) == "This is no envelope of a decision: 'payload'"
        assert refused(TamperedError, verify, good, key("Zoe").public_key) == (
            "The envelope is not in its canonical form, or names another key."
        )
        assert refused(TamperedError, verify, good + " ", rae) == (
            "The envelope is not in its canonical form, or names another key."
        )
        assert refused(TamperedError, read_statement, b"{}") == "This is no statement of a decision: 'predicate'"
        for name in ("_type", "predicateType"):
            other = json.loads(statement(DECIDED)) | {name: "x"}
            assert refused(TamperedError, read_statement, canonical(other)) == (
                "This is no statement of a decision: the payload is another kind of statement"
            )
        wider = json.loads(statement(DECIDED)) | {"more": 1}
        assert refused(TamperedError, read_statement, canonical(wider)) == (
            "This is no statement of a decision: the statement is not in its canonical form, or says more than a "
            "decision"
        )
        assert enrolled("Rae").key_id == key("Rae").key_id
