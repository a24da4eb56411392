"""The proof that a process of this installation took a kill: a signature by the ledger's key over the file's content.

Only an account that can read the key can make a proof. A kill never waits for one: without a readable key it is written
without a proof, and only the owner of the file vouches for it.
"""

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from signoff.domain.errors import SignoffError
from signoff.ledger.text import decoded, encoded

if TYPE_CHECKING:
    from signoff.adapters.ledger_keys import LedgerKeys

DOMAIN: Final = b"signoff.kill.v1\n"


class KillProofs:
    """Signs with the ledger's present key, and verifies with every key it ever had. It never creates a key."""

    def __init__(self, home: Path) -> None:
        self._home = home

    @cached_property
    def _keys(self) -> "LedgerKeys":
        from signoff.adapters.ledger_keys import LedgerKeys  # noqa: PLC0415 - without a kill there is no proof

        return LedgerKeys(self._home)

    def sign(self, content: bytes) -> str | None:
        """The proof of a kill; None where the key cannot be read."""
        try:
            return encoded(self._keys.present.private.sign(DOMAIN + content))
        except (SignoffError, OSError):
            return None

    def holds(self, content: bytes, proof: str) -> bool | None:
        """Whether a key of this ledger signed this; None where the keys cannot be read."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - as above

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
