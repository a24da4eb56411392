"""Key files: made once, readable by their owner only, and never replaced."""

import os
import stat
import subprocess

import pytest
from small_ledger import LEDGER_KEY, key

from signoff.adapters.anchors import FileAnchor
from signoff.adapters.signing_keys import KeyFile
from signoff.domain.errors import BadInputError, NotFoundError, TamperedError, UnavailableError
from signoff.ledger.merkle import leaf_hash


def test_a_key_comes_back_as_it_was_made(tmp_path):
    made = KeyFile.create(tmp_path / "keys" / "rae.pem")
    assert KeyFile.load(tmp_path / "keys" / "rae.pem").key_id == made.key_id
    assert KeyFile.held(tmp_path / "keys" / "rae.pem").public_key == made.public_key


def test_only_its_owner_can_read_a_key(tmp_path):
    old = os.umask(0)
    try:
        KeyFile.create(tmp_path / "rae.pem")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "rae.pem").stat().st_mode) == 0o600


def test_a_key_is_never_replaced(tmp_path):
    path = tmp_path / "rae.pem"
    made = KeyFile.create(path)
    with pytest.raises(BadInputError, match="never replaced"):
        KeyFile.create(path)
    assert KeyFile.load(path).key_id == made.key_id
    assert [p.name for p in tmp_path.iterdir()] == ["rae.pem"]


def test_a_missing_key_says_what_to_do(tmp_path):
    with pytest.raises(NotFoundError, match="signoff people add"):
        KeyFile.load(tmp_path / "nobody.pem")


@pytest.mark.parametrize("content", [b"", b"no key", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_file_that_is_no_key_is_refused(tmp_path, content):
    (tmp_path / "rae.pem").write_bytes(content)
    (tmp_path / "rae.pem").chmod(0o600)
    with pytest.raises(BadInputError, match="Ed25519"):
        KeyFile.load(tmp_path / "rae.pem")


def test_places_that_cannot_hold_a_key_are_reported(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(UnavailableError, match="Cannot keep"):
        KeyFile.create(tmp_path / "file" / "rae.pem")
    with pytest.raises(BadInputError, match="found a folder"):
        KeyFile.load(tmp_path)
    with pytest.raises(UnavailableError, match="anchor it again"):
        FileAnchor(tmp_path / "file").add(b"note", 1)


def test_a_key_of_another_kind_is_refused(tmp_path):
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "rae.pem").write_bytes(pem)
    (tmp_path / "rae.pem").chmod(0o600)
    with pytest.raises(BadInputError, match="Ed25519"):
        KeyFile.load(tmp_path / "rae.pem")


def test_openssl_reads_the_key_file(tmp_path):
    made = KeyFile.create(tmp_path / "rae.pem")
    command = ["openssl", "pkey", "-in", str(tmp_path / "rae.pem"), "-pubout", "-outform", "DER"]
    assert subprocess.run(command, capture_output=True, check=True).stdout.endswith(made.public_bytes)


def test_key_ids_tell_keys_apart():
    assert len({key(name).key_id for name in ("a", "b", "c")}) == 3


def test_an_anchor_keeps_the_first_checkpoint_of_a_size(tmp_path):
    anchor = FileAnchor(tmp_path / "anchors")
    first = LEDGER_KEY.sign_checkpoint(3, leaf_hash(b"first"))
    anchor.add(first, 3)
    anchor.add(first, 3)
    with pytest.raises(TamperedError, match="was rewritten"):
        anchor.add(LEDGER_KEY.sign_checkpoint(3, leaf_hash(b"rewritten")), 3)
    anchor.add(LEDGER_KEY.sign_checkpoint(12, leaf_hash(b"later")), 12)
    kept = sorted((tmp_path / "anchors").iterdir())
    assert [path.name for path in kept] == ["000000000003", "000000000012"]
    assert kept[0].read_bytes() == first


def test_a_key_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / "k.pem"
    KeyFile.create(path)
    assert path.stat().st_mode & 0o077 == 0
    path.chmod(0o640)
    with pytest.raises(BadInputError, match="chmod 600"):
        KeyFile.load(path)
