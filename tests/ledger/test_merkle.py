"""The tree against the published vectors of certificate transparency."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signoff.ledger.merkle import (
    Frontier,
    frontier_of,
    leaf_hash,
    node_hash,
)

# The reference tree of google/certificate-transparency (merkletree tests), used by every RFC 6962 implementation.
INPUTS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
LEAVES = tuple(leaf_hash(bytes.fromhex(text)) for text in INPUTS)


def defined_root(leaves: tuple[bytes, ...]) -> bytes:
    """RFC 6962, section 2.1, word for word: the second derivation."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return node_hash(defined_root(leaves[:split]), defined_root(leaves[split:]))


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_the_published_ones(size):
    assert frontier_of(LEAVES[:size]).root.hex() == ROOTS[size - 1]


def test_the_empty_tree_has_the_hash_of_nothing():
    assert Frontier().root.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


trees = st.lists(st.binary(max_size=4), min_size=1, max_size=40).map(lambda bs: tuple(leaf_hash(b) for b in bs))


@given(trees)
def test_appending_gives_the_defined_root_at_every_size(leaves):
    tree = Frontier()
    for size, leaf in enumerate(leaves, start=1):
        tree = tree.append(leaf)
        assert tree.root == defined_root(leaves[:size])
        assert len(tree.edge) == size.bit_count()
