"""Signed notes: what signs, what holds, and what does not."""

import base64

import pytest
from small_ledger import LEDGER_KEY, key

from signoff.domain.errors import TamperedError
from signoff.ledger.checkpoint import ORIGIN, key_line, open_note, parsed_key
from signoff.ledger.merkle import leaf_hash

ROOT = leaf_hash(b"root")
NOTE = LEDGER_KEY.sign_checkpoint(7, ROOT)


def opened(note: bytes = NOTE):
    return open_note(note, ORIGIN, LEDGER_KEY.public_bytes)


def test_a_signed_note_says_what_was_signed():
    checkpoint = opened()
    assert (checkpoint.origin, checkpoint.size, checkpoint.root) == (ORIGIN, 7, ROOT)


def test_a_note_has_the_form_of_c2sp():
    body, _, signature = NOTE.decode().partition("\n\n")
    assert body.split("\n") == [ORIGIN, "7", base64.b64encode(ROOT).decode()]
    dash, name, encoded = signature.removesuffix("\n").split(" ")
    assert (dash, name, len(base64.b64decode(encoded))) == ("—", ORIGIN, 4 + 64)


def test_the_key_line_is_the_one_of_the_go_checksum_database():
    # A vector that we did not make: the verifier key that the Go command ships for sum.golang.org.
    line = b"sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8\n"
    key = parsed_key(line)
    assert (key.name, len(key.content)) == ("sum.golang.org", 32)


def test_every_altered_byte_of_a_note_is_noticed():
    for place in range(len(NOTE)):
        for flip in (1, 2, 4, 8, 16, 32, 64, 128):
            altered = bytearray(NOTE)
            altered[place] ^= flip
            with pytest.raises(TamperedError):
                opened(bytes(altered))


def test_every_altered_byte_of_a_key_line_is_noticed():
    line = key_line(ORIGIN, LEDGER_KEY.public_bytes)
    for place in range(len(line)):
        for flip in (1, 2, 4, 8, 16, 32, 64, 128):
            altered = bytearray(line)
            altered[place] ^= flip
            with pytest.raises(TamperedError):
                parsed_key(bytes(altered))


@pytest.mark.parametrize(
    "note",
    [
        b"",
        NOTE + b"\n",
        NOTE.replace(b"\n7\n", b"\n07\n"),
        NOTE.replace(b"\n7\n", b"\n+7\n"),
        NOTE.replace(b"\n7\n", "\n٧\n".encode()),
        NOTE + NOTE.splitlines(keepends=True)[-1],
    ],
)
def test_other_spellings_of_a_note_are_refused(note):
    with pytest.raises(TamperedError):
        opened(note)


def test_a_note_by_another_key_is_refused():
    with pytest.raises(TamperedError, match="not signed by the key"):
        opened(key("somebody else").sign_checkpoint(7, ROOT))
