"""Archives that strangers send."""

import errno
import io
import stat
import struct
import zipfile

import pytest

from signoff.adapters import archives
from signoff.adapters.archives import pack, unpack, zipped
from signoff.domain.errors import BadInputError, UnavailableError


def archive(*members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made:
        for member, content in members:
            made.writestr(member, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def test_what_was_packed_is_unpacked(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    (source / "junit").mkdir(parents=True)
    target.mkdir()
    (source / "dossier.yaml").write_text("x")
    (source / "junit" / "u.xml").write_text("y")
    unpack(pack(source, None), target)
    assert (target / "junit" / "u.xml").read_text() == "y"
    assert pack(source, None) == pack(target, None)


def test_a_policy_from_elsewhere_takes_its_place(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    target.mkdir()
    (source / "policy.yaml").write_text("own")
    (tmp_path / "firm.yaml").write_text("the firm's")
    unpack(pack(source, tmp_path / "firm.yaml"), target)
    assert (target / "policy.yaml").read_text() == "the firm's"


def test_a_bomb_is_stopped_while_it_goes_off(tmp_path):
    bomb = archive(("zeros", b"\0" * 50_000_000))
    assert len(bomb) < 100_000
    with pytest.raises(BadInputError, match="more than is allowed"):
        unpack(bomb, tmp_path, max_bytes=1_000_000)
    assert sum(p.stat().st_size for p in tmp_path.iterdir()) <= 1_000_000 + archives.CHUNK


def test_many_small_files_count_together(tmp_path):
    with pytest.raises(BadInputError, match="more than is allowed"):
        unpack(zipped({f"f{n}": b"x" * 100 for n in range(100)}), tmp_path, max_bytes=5_000)


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "MAX_FILES", 10)
    with pytest.raises(BadInputError, match="at most 10 files"):
        unpack(zipped({f"f{n}": b"" for n in range(11)}), tmp_path)


def test_a_size_that_lies_does_not_help(tmp_path):
    content = bytearray(archive(("zeros", b"\0" * 5_000_000)))
    place = content.rfind(b"PK\x01\x02")
    content[place + 24 : place + 28] = (10).to_bytes(4, "little")
    with pytest.raises(BadInputError):
        unpack(bytes(content), tmp_path, max_bytes=1_000_000)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK])
def test_links_and_devices_are_refused(tmp_path, kind):
    member = zipfile.ZipInfo("link")
    member.external_attr = (kind | 0o777) << 16
    with pytest.raises(BadInputError, match="plain files"):
        unpack(archive((member, b"/etc/passwd")), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "..", "c:\\x", "a\\..\\x"])
def test_no_name_leaves_the_folder(tmp_path, name):
    inner = tmp_path / "inner"
    inner.mkdir()
    with pytest.raises(BadInputError, match="plain files"):
        unpack(archive((zipfile.ZipInfo(name), b"x")), inner)
    assert [p.name for p in tmp_path.iterdir()] == ["inner"]


def test_a_name_twice_is_refused(tmp_path):
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = archive(("a", b"1"), ("a", b"2"))
    with pytest.raises(BadInputError, match="twice"):
        unpack(twice, tmp_path)


def test_an_encrypted_archive_is_refused(tmp_path):
    content = bytearray(archive(("a", b"secret")))
    content[6] |= 1
    content[content.rfind(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(BadInputError):
        unpack(bytes(content), tmp_path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_python_would_unpack_in_one_piece_is_refused_unread(tmp_path, method, monkeypatch):
    """342 bytes of bzip2 hold 300 MB, and its reader counts nothing before it has made them all."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as made:
        made.writestr("zeros", b"\0" * 20_000_000)
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was read"))
    with pytest.raises(BadInputError, match="stored or deflated"):
        unpack(buffer.getvalue(), tmp_path, max_bytes=1_000_000)


def renamed_to_no_text(content):
    """An archive that says its name is UTF-8, and it is not."""
    spoilt = bytearray(content.replace(b"abcd", b"\xff\xfe\xff\xfe"))
    spoilt[7] |= 8
    spoilt[spoilt.rfind(b"PK\x01\x02") + 9] |= 8
    return bytes(spoilt)


@pytest.mark.parametrize(
    "content",
    [
        archive(("a" * 300, b"x")),
        archive(("a", b"x"), ("a/b", b"y")),
        archive(("a/b", b"y"), ("a", b"x")),
        renamed_to_no_text(archive(("abcd", b"x"))),
    ],
    ids=["too long", "a file as a folder", "a folder as a file", "no text"],
)
def test_a_name_that_no_folder_can_hold_is_bad_input_and_no_fault_of_ours(tmp_path, content):
    with pytest.raises(BadInputError):
        unpack(content, tmp_path)


def test_a_disk_that_is_full_is_no_fault_of_the_archive(tmp_path, monkeypatch):
    def full(*_args, **_how):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(archives.Path, "mkdir", full)
    with pytest.raises(UnavailableError, match="No space left"):
        unpack(archive(("a", b"x")), tmp_path)


def naming(count, *, announced=1, comment=b"", name="a"):
    """An archive of one file whose directory lists it so often."""
    plain = archive((name, b"x"))
    begins, ends = plain.index(b"PK\x01\x02"), plain.index(b"PK\x05\x06")
    directory = plain[begins:ends] * count
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, announced, announced, len(directory), begins, len(comment))
    return plain[:begins] + directory + end + comment


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (naming(200_000), "directory takes at most"),
        (naming(200_000, comment=b"a comment"), "directory takes at most"),
        (naming(archives.MAX_FILES + 1), "at most 10000 files"),
        (naming(archives.MAX_FILES + 1, comment=b"c" * 65_535), "at most 10000 files"),
        (naming(archives.MAX_FILES + 1, name="d/"), "at most 10000 files"),
        (naming(1, announced=archives.MAX_FILES + 1), "at most 10000 files"),
        (naming(500, name="n" * 20_000), "directory takes at most"),
    ],
    ids=["bytes", "bytes, commented", "entries", "entries, commented", "folders", "announced", "long names"],
)
def test_a_directory_that_is_too_large_is_refused_unparsed(tmp_path, content, said, monkeypatch):
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was parsed"))
    with pytest.raises(BadInputError, match=said):
        unpack(content, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_zip64_is_refused_unparsed(tmp_path, monkeypatch):
    plain = archive(("a", b"x"))
    begins, ends = plain.index(b"PK\x01\x02"), plain.index(b"PK\x05\x06")
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, ends - begins, begins)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, ends, 1)
    content = plain[:ends] + record + locator + plain[ends:]
    with zipfile.ZipFile(io.BytesIO(content)) as parsed:
        assert parsed.namelist() == ["a"]
    monkeypatch.setattr(zipfile, "ZipFile", lambda *_: pytest.fail("it was parsed"))
    with pytest.raises(BadInputError, match="without zip64"):
        unpack(content, tmp_path)


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06", b"x" * 100, naming(1)[:-1]])
def test_what_has_no_end_is_no_archive(tmp_path, content):
    with pytest.raises(BadInputError, match="Expected a zip archive"):
        unpack(content, tmp_path)


def test_an_archive_with_a_comment_and_something_in_front_is_unpacked(tmp_path):
    unpack(b"#!/bin/sh\n" + naming(1, comment=b"PK here"), tmp_path)
    assert (tmp_path / "a").read_bytes() == b"x"
