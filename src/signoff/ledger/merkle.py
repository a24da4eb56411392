"""The Merkle tree of RFC 6962 (and RFC 9162, section 2): hashes of leaves and nodes, roots, and both kinds of proof.

`Frontier` holds the roots of the full subtrees along the right edge, which is all that appending needs.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

EMPTY = hashlib.sha256(b"").digest()


def leaf_hash(content: bytes) -> bytes:
    """SHA-256(0x00 ‖ content)."""
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Frontier:
    """A tree of `size` leaves by its right edge: one root for each 1 in the binary form of the size, largest first."""

    size: int = 0
    edge: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> "Frontier":
        """The tree with one more leaf hash."""
        edge, size, node = list(self.edge), self.size, leaf
        while size & 1:
            node = node_hash(edge.pop(), node)
            size >>= 1
        return Frontier(self.size + 1, (*edge, node))

    @property
    def root(self) -> bytes:
        """The root hash; that of the empty tree is SHA-256 of nothing."""
        if not self.edge:
            return EMPTY
        root, *rest = reversed(self.edge)
        for left in rest:
            root = node_hash(left, root)
        return root


def frontier_of(leaves: Sequence[bytes]) -> Frontier:
    """The tree over these leaf hashes."""
    tree = Frontier()
    for leaf in leaves:
        tree = tree.append(leaf)
    return tree


def inclusion_proof(leaves: Sequence[bytes], position: int) -> tuple[bytes, ...]:
    """The path of RFC 6962, section 2.1.1, for the leaf at a position."""
    if len(leaves) == 1:
        return ()
    split = _split(len(leaves))
    if position < split:
        return (*inclusion_proof(leaves[:split], position), frontier_of(leaves[split:]).root)
    return (*inclusion_proof(leaves[split:], position - split), frontier_of(leaves[:split]).root)


def is_included(leaf: bytes, position: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof leads from the leaf to the root."""
    if not 0 <= position < size:
        return False
    return _climb(leaf, position, size, list(proof)) == root


def consistency_proof(leaves: Sequence[bytes], earlier: int) -> tuple[bytes, ...]:
    """The proof of RFC 6962, section 2.1.2, that the tree of `earlier` leaves is a prefix of this one."""
    return () if earlier in {0, len(leaves)} else _subproof(leaves, earlier, is_whole=True)


def is_consistent(earlier: tuple[int, bytes], later: tuple[int, bytes], proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that nothing before `earlier` changed. Both are (size, root)."""
    (small, old), (large, new) = earlier, later
    if small == 0:
        return not proof
    if small == large:
        return not proof and old == new
    if small > large or not proof:
        return False
    found = _both_roots(small, large, list(proof), old, is_whole=True)
    return found == (old, new)


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)


def _climb(leaf: bytes, position: int, size: int, proof: list[bytes]) -> bytes | None:
    if size == 1:
        return None if proof else leaf
    if not proof:
        return None
    sibling, split = proof.pop(), _split(size)
    if position < split:
        below = _climb(leaf, position, split, proof)
        return None if below is None else node_hash(below, sibling)
    below = _climb(leaf, position - split, size - split, proof)
    return None if below is None else node_hash(sibling, below)


def _subproof(leaves: Sequence[bytes], earlier: int, *, is_whole: bool) -> tuple[bytes, ...]:
    if earlier == len(leaves):
        return () if is_whole else (frontier_of(leaves).root,)
    split = _split(len(leaves))
    if earlier <= split:
        return (*_subproof(leaves[:split], earlier, is_whole=is_whole), frontier_of(leaves[split:]).root)
    return (*_subproof(leaves[split:], earlier - split, is_whole=False), frontier_of(leaves[:split]).root)


def _both_roots(
    small: int, large: int, proof: list[bytes], old: bytes, *, is_whole: bool
) -> tuple[bytes, bytes] | None:
    if small == large:
        if is_whole:
            return None if proof else (old, old)
        return (proof[0], proof[0]) if len(proof) == 1 else None
    if not proof:
        return None
    sibling, split = proof.pop(), _split(large)
    if small <= split:
        below = _both_roots(small, split, proof, old, is_whole=is_whole)
        return None if below is None else (below[0], node_hash(below[1], sibling))
    below = _both_roots(small - split, large - split, proof, old, is_whole=False)
    return None if below is None else (node_hash(sibling, below[0]), node_hash(sibling, below[1]))
