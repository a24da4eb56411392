"""The keys that sign the ledger: its first keys, and every handover to new ones.

A handover is a note over an existing tree: its size, its root, and the new key lines, signed by the old and the new
keys. The old keys sign checkpoints up to that size, the new keys later ones. `key.pub` holds the whole chain: the first
keys, a line each, then the handovers, each after an empty line.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from signoff.domain.errors import TamperedError
from signoff.ledger.canonical import digest
from signoff.ledger.checkpoint import ORIGIN, Checkpoint, Sign, VerifierKey, note_of, opened, parsed_key, text_of
from signoff.ledger.text import decoded, encoded

HANDOVER: Final = f"{ORIGIN}/handover"
Keys = tuple[VerifierKey, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """New keys sign every tree larger than `size`; both the old and the new keys signed `note`."""

    size: int
    root: bytes
    keys: Keys
    note: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChain:
    """The keys of a ledger over its life."""

    first: Keys
    handovers: tuple[Handover, ...] = ()

    @property
    def present(self) -> Keys:
        """The keys that sign now."""
        return self.handovers[-1].keys if self.handovers else self.first

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The fingerprint of each Ed25519 key, in the order of use."""
        return tuple(digest(keys[0].content) for keys in (self.first, *(h.keys for h in self.handovers)))

    def keys_at(self, size: int) -> Keys:
        """The keys that sign a tree of this size."""
        return next((h.keys for h in reversed(self.handovers) if size > h.size), self.first)

    def verified(self, note: bytes, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint of a note, verified with the keys for its size."""
        return opened(note, self.keys_at(checkpoint.size))

    def to_bytes(self) -> bytes:
        """`key.pub`; a single key line if the key never changed."""
        return b"\n".join((b"".join(key.line for key in self.first), *(h.note for h in self.handovers)))

    def followed_by(self, handover: bytes) -> "KeyChain":
        """The chain with one more handover, which must be valid."""
        return KeyChain(first=self.first, handovers=(*self.handovers, _handover(handover, self)))

    def begins_with(self, earlier: "KeyChain") -> bool:
        """Whether an earlier chain is the beginning of this one."""
        return self.first == earlier.first and self.handovers[: len(earlier.handovers)] == earlier.handovers


def handover_note(
    size: int, root: bytes, old: Sequence[tuple[VerifierKey, Sign]], new: Sequence[tuple[VerifierKey, Sign]]
) -> bytes:
    """The handover note to new keys after a tree, signed by the old and the new keys."""
    lines = "".join(key.line.decode() for key, _ in new)
    return note_of(f"{HANDOVER}\n{size}\n{encoded(root)}\n{lines}", (*old, *new))


def parse_chain(content: bytes) -> KeyChain:
    """Parse a `key.pub` and verify every handover. TamperedError names the fault."""
    first, *rest = content.split(b"\n\n")
    if len(rest) % 2:
        raise TamperedError("The key file ends within a handover.")
    has_more = bool(rest)
    chain = KeyChain(first=_keys(first + b"\n" if has_more else first))
    for n in range(0, len(rest), 2):
        is_last = n + 2 == len(rest)
        chain = chain.followed_by(rest[n] + b"\n\n" + rest[n + 1] + (b"" if is_last else b"\n"))
    if chain.to_bytes() != content:
        raise TamperedError("The key file is not in its canonical form; it was altered.")
    return chain


def _keys(lines: bytes) -> Keys:
    keys = tuple(parsed_key(line) for line in lines.splitlines(keepends=True))
    kinds = [key.algorithm for key in keys]
    if not keys or len(set(kinds)) < len(kinds) or kinds[0] is not next(iter(type(kinds[0]))):
        raise TamperedError("Expected an Ed25519 key, and at most one key of each further algorithm after it.")
    if any(key.name != keys[0].name for key in keys):
        raise TamperedError("The keys of one period have different names.")
    return keys


def _handover(note: bytes, before: KeyChain) -> Handover:
    try:
        origin, size, root, *lines = note.decode().partition("\n\n")[0].split("\n")
        keys = _keys("".join(f"{line}\n" for line in lines).encode())
        handover = Handover(size=int(size), root=decoded(root), keys=keys, note=note)
    except (ValueError, UnicodeDecodeError) as error:
        raise TamperedError(f"Malformed key-handover entry in the key file: {error}") from error
    if origin != HANDOVER or str(handover.size) != size or len(handover.root) != 32:
        raise TamperedError("A handover of the key file is not in its canonical form; it was altered.")
    floor = before.handovers[-1].size if before.handovers else 0
    if handover.size < floor or keys[0].name != before.first[0].name:
        raise TamperedError(f"A handover after {size} events does not follow the one before it.")
    try:
        text_of(note, (*before.present, *keys))
    except TamperedError as error:
        raise TamperedError(f"The handover after {size} events does not hold: {error}") from error
    return handover
