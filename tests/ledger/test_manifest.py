"""The manifest: what changed, what is missing, what nobody listed."""

import pytest

from signoff.domain.errors import TamperedError
from signoff.ledger.manifest import differences, manifest_of, parse

FILES = {"b.txt": b"two", "a.txt": b"one", "dir/ü.txt": b""}
MANIFEST = manifest_of(FILES)


def test_a_manifest_lists_files_by_path():
    assert [entry.path for entry in MANIFEST.entries] == ["a.txt", "b.txt", "dir/ü.txt"]
    assert MANIFEST == manifest_of(dict(reversed(FILES.items())))


def test_a_manifest_comes_back_as_it_was():
    assert parse(MANIFEST.to_bytes()) == MANIFEST
    assert parse(MANIFEST.to_bytes()).digest == MANIFEST.digest


def test_the_same_files_differ_in_nothing():
    assert differences(MANIFEST, FILES) == ()


def test_changed_missing_and_extra_files_are_named():
    there = {"a.txt": b"ONE", "dir/ü.txt": b"", "new.txt": b"x"}
    assert differences(MANIFEST, there) == ("a.txt", "b.txt", "new.txt")


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b"null", MANIFEST.to_bytes() + b"\n", MANIFEST.to_bytes().replace(b":", b": ", 1)]
)
def test_other_bytes_are_refused(content):
    with pytest.raises(TamperedError):
        parse(content)
