"""The Merkle tree of RFC 6962 (and RFC 9162, section 2): hashes of leaves and nodes, and roots.

`Frontier` holds the roots of the full subtrees along the right edge. Appending needs no more.
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
