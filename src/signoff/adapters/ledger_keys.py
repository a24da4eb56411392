"""The private keys of one ledger's checkpoints, in the home: the first one, and those that took over from it.

`ledger.key` is the ledger's first key. `ledger.pub` exists after a handover and says which keys sign from which event
on. It changes in one rename while no commit runs. Every process reads it before it signs, so a running server signs
its next commit with the new keys.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from signoff.adapters.folders import write_file
from signoff.adapters.foreign_files import own_users, read_regular
from signoff.adapters.private_keys import read_private
from signoff.adapters.signing_keys import KeyFile, keep_private
from signoff.domain.errors import BadInputError, TamperedError, UnavailableError
from signoff.ledger import checkpoint as notes
from signoff.ledger.canonical import digest
from signoff.ledger.checkpoint import Algorithm, Checkpoint, Sign, VerifierKey
from signoff.ledger.keychain import KeyChain, Keys, handover_note, parse_chain

FIRST: Final = "ledger.key"
CHAIN: Final = "ledger.pub"
MAX_CHAIN: Final = 16 << 20
Signer = tuple[VerifierKey, Sign]


@dataclass
class LedgerKeys:
    """Signs checkpoints with the present keys, and hands over to new ones."""

    home: Path
    _read: tuple[tuple[int, int], KeyChain] | None = field(default=None, repr=False)
    _signers: dict[VerifierKey, Sign] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, home: Path) -> "LedgerKeys":
        """The keys of a home; the first one is created if missing."""
        if not (home / CHAIN).exists():
            KeyFile.held(home / FIRST)
        return cls(home)

    @property
    def chain(self) -> KeyChain:
        """The present chain of keys, and from which event each signs."""
        path = self.home / CHAIN
        try:
            status = path.stat()
        except FileNotFoundError:
            version = (0, 0)
        else:
            version = (status.st_mtime_ns, status.st_ino)
        if self._read is None or self._read[0] != version:
            self._read = (version, self._chain(path))
        return self._read[1]

    @property
    def present(self) -> KeyFile:
        """The Ed25519 key that signs now."""
        return KeyFile.load(self._path(self.chain.present[0]))

    def sign_checkpoint(self, size: int, root: bytes) -> bytes:
        """The signed note over a tree of this size, by the keys for that size."""
        signers = self._signing(self.chain.keys_at(size))
        return notes.note_of(Checkpoint(notes.ORIGIN, size, root).body, signers)

    def sign_text(self, text: str) -> bytes:
        """A note over any text, by the present keys."""
        return notes.note_of(text, self._signing(self.chain.present))

    def open(self, note: bytes) -> tuple[int, bytes]:
        """Size and root of a checkpoint; TamperedError unless these keys signed it."""
        claim = self.chain.verified(note, notes.claimed(note))
        return claim.size, claim.root

    def hand_over(self, size: int, root: bytes) -> KeyChain:
        """Create keys that sign after this tree; return the new chain.

        The caller must keep commits out meanwhile.
        """
        before = self.chain
        new = self._made()
        after = before.followed_by(handover_note(size, root, self._signing(before.present), self._signing(new)))
        try:
            write_file(self.home / CHAIN, after.to_bytes())
        except OSError as error:
            raise UnavailableError(
                f"Cannot keep {self.home / CHAIN}: {error.strerror}. The keys that signed before still sign."
            ) from error
        return after

    def _chain(self, path: Path) -> KeyChain:
        if not path.exists():
            return KeyChain(first=(_public(KeyFile.load(self.home / FIRST)),))
        try:
            return parse_chain(read_regular(path, limit=MAX_CHAIN, owners=own_users(self.home)))
        except TamperedError as error:
            raise TamperedError(f"{path} no longer says which keys sign this ledger: {error}") from error

    def _signing(self, keys: Keys) -> tuple[Signer, ...]:
        for key in keys:
            if key not in self._signers:
                self._signers[key] = self._loaded(key)
        return tuple((key, self._signers[key]) for key in keys)

    def _loaded(self, key: VerifierKey) -> Sign:
        path = self._path(key)
        sign, public = _ed25519(path) if key.algorithm is Algorithm.ED25519 else _ml_dsa(path)
        if public != key.content:
            raise TamperedError(f"{path} holds another key than the one that {CHAIN} names; restore it from a backup.")
        return sign

    def _path(self, key: VerifierKey) -> Path:
        first = self.chain.first[0]
        if key == first:
            return self.home / FIRST
        suffix = "key" if key.algorithm is Algorithm.ED25519 else "ml-dsa.key"
        return self.home / f"ledger-{digest(key.content)[:16]}.{suffix}"

    def _made(self) -> Keys:
        """A new key, stored under its own name before the chain names it."""
        key_file = KeyFile.generated()
        key = _public(key_file)
        keep_private(self._path(key), key_file.pem)
        return (key,)


def _public(key: KeyFile) -> VerifierKey:
    return VerifierKey(notes.ORIGIN, key.public_bytes)


def _ed25519(path: Path) -> tuple[Sign, bytes]:
    key = KeyFile.load(path)
    return key.private.sign, key.public_bytes


def _ml_dsa(path: Path) -> tuple[Callable[[bytes], bytes], bytes]:
    try:
        from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey  # noqa: PLC0415 - newer than ours

        private = load_pem_private_key(read_private(path), password=None)
    except OSError as error:
        raise UnavailableError(f"Cannot read the ledger's second key {path}: {error.strerror}.") from error
    except (ImportError, UnsupportedAlgorithm) as error:
        raise UnavailableError(
            "The installed `cryptography` does not know ML-DSA-44, and the ledger's second key needs it. Nothing was "
            "changed; install a newer one."
        ) from error
    except (ValueError, TypeError) as error:
        raise BadInputError(f"Expected an unencrypted ML-DSA-44 private key in {path}: {error}") from error
    if not isinstance(private, MLDSA44PrivateKey):
        raise BadInputError(f"Expected an ML-DSA-44 private key in {path}, found {type(private).__name__}.")
    return private.sign, private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
