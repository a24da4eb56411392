"""The proof that a process of this installation took a kill: a signature by the ledger's key over what the file says.

Only who can read the key can make one. Where the key cannot be read there is none, and the owner of the file is all
that vouches for it; a kill never waits for its proof.
"""

from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature

from signoff.adapters.ledger_keys import LedgerKeys
from signoff.domain.errors import SignoffError
from signoff.ledger.text import decoded, encoded

DOMAIN: Final = b"signoff.kill.v1\n"


class KillProofs:
    """Signs with the key that signs the ledger now, and knows every key that ever did. It makes no key."""

    def __init__(self, home: Path) -> None:
        self._keys = LedgerKeys(home)

    def sign(self, content: bytes) -> str | None:
        """The proof of a kill; None where the key cannot be read."""
        try:
            return encoded(self._keys.present.private.sign(DOMAIN + content))
        except (SignoffError, OSError):
            return None

    def holds(self, content: bytes, proof: str) -> bool | None:
        """Whether a key of this ledger signed this; None where nobody can say, since the keys cannot be read."""
        try:
            chain = self._keys.chain
            signature = decoded(proof)
        except (SignoffError, OSError):
            return None
        except ValueError:
            return False
        for key in (chain.first[0], *(handover.keys[0] for handover in chain.handovers)):
            try:
                key.check(signature, DOMAIN + content)
            except (InvalidSignature, ValueError):
                continue
            return True
        return False
