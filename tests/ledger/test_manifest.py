"""The manifest: what changed, what is missing, what nobody listed."""

from dataclasses import replace

import pytest

from signoff.domain.errors import TamperedError
from signoff.ledger.canonical import canonical
from signoff.ledger.manifest import Entry, differences, manifest_of, parse

FILES = {"b.txt": b"two", "a.txt": b"one", "dir/ü.txt": b""}
MANIFEST = manifest_of(FILES)


def test_a_manifest_lists_files_by_path():
    assert [entry.path for entry in MANIFEST.entries] == ["a.txt", "b.txt", "dir/ü.txt"]
    assert manifest_of(dict(reversed(FILES.items()))) == MANIFEST


def test_a_manifest_comes_back_as_it_was():
    assert parse(MANIFEST.to_bytes()) == MANIFEST
    assert parse(MANIFEST.to_bytes()).digest == MANIFEST.digest


def test_the_same_files_differ_in_nothing():
    assert differences(MANIFEST, FILES) == ()


def test_changed_missing_and_extra_files_are_named():
    there = {"a.txt": b"ONE", "dir/ü.txt": b"", "new.txt": b"x"}
    assert differences(MANIFEST, there) == ("a.txt", "b.txt", "new.txt")


def test_a_file_of_another_size_than_listed_differs():
    entries = tuple(replace(entry, size=entry.size + 1) for entry in MANIFEST.entries)
    assert differences(replace(MANIFEST, entries=entries), FILES) == tuple(sorted(FILES))


LARGE = Entry(path="c.bin", size=9, sha256="c" * 64, is_kept=False)


def test_a_large_file_is_named_by_its_digest_alone_and_its_bytes_need_not_be_there():
    manifest = manifest_of(FILES, (LARGE,))
    assert parse(manifest.to_bytes()) == manifest
    assert differences(manifest, FILES) == ()
    assert differences(manifest, {**FILES, "c.bin": b"other"}) == ("c.bin",)
    assert manifest.digest != manifest_of(FILES, (replace(LARGE, sha256="d" * 64),)).digest
    assert manifest.digest != manifest_of(FILES, (replace(LARGE, is_kept=True),)).digest


def listing(*entries) -> bytes:
    return canonical({"files": list(entries)})


ONE = {"path": "a", "sha256": "b" * 64, "size": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"[" * 5000,
        MANIFEST.to_bytes() + b"\n",
        MANIFEST.to_bytes().replace(b":", b": ", 1),
        listing(ONE, ONE),
        listing(ONE | {"path": "b"}, ONE),
        listing(ONE | {"size": "1"}),
        listing(ONE | {"kept": True}),
        listing(ONE | {"kept": 0}),
        listing(ONE | {"size": True}),
        listing(ONE | {"path": None}),
        listing(ONE | {"other": 1}),
        listing(ONE).replace(b'"size":1', b'"size":1e999'),
    ],
)
def test_other_bytes_are_refused(content):
    with pytest.raises(TamperedError):
        parse(content)
