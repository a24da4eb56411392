"""Ed25519 keys in files: one for the ledger's checkpoints, one for each person who signs."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
    load_ssh_public_key,
)

from signoff.adapters.own_files import make_private
from signoff.adapters.private_keys import MAX_BYTES, read_private
from signoff.domain.errors import BadInputError, NotFoundError, UnavailableError
from signoff.ledger import checkpoint as notes
from signoff.ledger import envelope


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A private key held in a file that only its owner can read."""

    private: Ed25519PrivateKey

    @classmethod
    def create(cls, path: Path) -> "KeyFile":
        """Make a key and keep it; an existing file is never replaced."""
        key = cls.generated()
        keep_private(path, key.pem)
        return key

    @classmethod
    def generated(cls) -> "KeyFile":
        """A new key, not stored yet."""
        return cls(Ed25519PrivateKey.generate())

    @property
    def pem(self) -> bytes:
        """The private key in the form of its file."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @classmethod
    def load(cls, path: Path) -> "KeyFile":
        """The key in a file."""
        try:
            private = load_pem_private_key(read_private(path), password=None)
        except FileNotFoundError as error:
            message = f"Expected a private key at {path}, found none. Enrol with `signoff people add`, or give --key."
            raise NotFoundError(message) from error
        except OSError as error:
            raise UnavailableError(f"Cannot read the private key {path}: {error.strerror}.") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise BadInputError(f"Expected an unencrypted Ed25519 private key in {path}: {error}") from error
        if not isinstance(private, Ed25519PrivateKey):
            raise BadInputError(f"Expected an Ed25519 private key in {path}, found {type(private).__name__}.")
        return cls(private)

    @classmethod
    def held(cls, path: Path) -> "KeyFile":
        """The key in a file; created if the file is missing."""
        return cls.load(path) if path.exists() or path.is_symlink() else cls.create(path)

    @property
    def public_bytes(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def public_key(self) -> str:
        """The raw public key in hex."""
        return self.public_bytes.hex()

    @property
    def public_pem(self) -> bytes:
        """The public half as a file, which may be given to anyone."""
        return self.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def key_id(self) -> str:
        return envelope.key_id(self.public_bytes)

    def sign_statement(self, statement: bytes) -> str:
        """The DSSE envelope over a statement."""
        return envelope.envelope(statement, self.public_bytes, self.private.sign)

    def sign_checkpoint(self, size: int, root: bytes) -> bytes:
        """The signed note over a tree."""
        return notes.signed_note(notes.Checkpoint(notes.ORIGIN, size, root), self.public_bytes, self.private.sign)


def load_public(path: Path) -> str:
    """The raw public key in hex, from a person's file: PEM, OpenSSH's one line, or the hex itself.

    A private key is refused, since any reader of it could sign with it.
    """
    try:
        content = path.read_bytes()[:MAX_BYTES].strip()
    except FileNotFoundError as error:
        raise NotFoundError(f"Expected a public key at {path}, found none. `signoff people key` makes one.") from error
    except OSError as error:
        raise UnavailableError(f"Cannot read the public key {path}: {error.strerror}.") from error
    if b"PRIVATE KEY" in content:
        raise BadInputError(
            f"Expected a public key in {path}, found a private one, which only its owner may have: ask for the "
            "public half, which `signoff people key` or `openssl pkey -pubout` writes. Their key is best made anew."
        )
    try:
        if len(content) == 64:
            public = Ed25519PublicKey.from_public_bytes(bytes.fromhex(content.decode()))
        elif content.startswith(b"ssh-"):
            public = _ed25519(load_ssh_public_key(content), path)
        else:
            public = _ed25519(load_pem_public_key(content), path)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise BadInputError(
            f"Expected an Ed25519 public key in {path}, as PEM, as OpenSSH writes it, or in hex: {error}"
        ) from error
    return public.public_bytes(Encoding.Raw, PublicFormat.Raw).hex()


def _ed25519(key: object, path: Path) -> Ed25519PublicKey:
    if not isinstance(key, Ed25519PublicKey):
        raise BadInputError(f"Expected an Ed25519 public key in {path}, found {type(key).__name__}.")
    return key


def keep_private(path: Path, content: bytes) -> None:
    """Keep a private key in a file that only its owner can read; an existing file is never replaced."""
    try:
        _keep(path, content)
    except OSError as error:
        if isinstance(error, FileExistsError) and path.exists():
            message = f"Expected no key at {path}, found one; a private key is never replaced."
            raise BadInputError(message) from error
        raise UnavailableError(
            f"Cannot keep a private key at {path}: {error.strerror}. Nothing was made; choose another place."
        ) from error


def _keep(path: Path, content: bytes) -> None:
    """Write a new file atomically, readable by its owner only."""
    make_private(path.parent)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    finally:
        Path(temporary).unlink()
