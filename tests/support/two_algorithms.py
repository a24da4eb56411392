"""Ledger keys of two algorithms, as earlier releases made them: their homes and exports are still read and signed."""

from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from signoff.adapters.ledger_keys import LedgerKeys
from signoff.adapters.signing_keys import keep_private
from signoff.ledger import checkpoint as notes
from signoff.ledger.checkpoint import Algorithm, VerifierKey


class TwoAlgorithms(LedgerKeys):
    """Hands over to an Ed25519 key and an ML-DSA-44 key at once."""

    def _made(self):
        private = MLDSA44PrivateKey.generate()
        public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        second = VerifierKey(notes.ORIGIN, public, Algorithm.ML_DSA_44)
        keep_private(self._path(second), private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return (*super()._made(), second)
