"""Packs a dossier folder into a zip archive, and unpacks it.

An incoming archive is untrusted, and one fault refuses all of it: a name that leaves the folder, a link, too many
files, or more bytes than announced or allowed, counted while they are unpacked. Its directory is measured before it
is parsed, since Python keeps an object for each entry. Entries must be stored or deflated: Python unpacks other
compressions a whole piece at once, and 64 KB of bzip2 contain gigabytes before anything can be counted.
"""

import errno
import io
import stat
import struct
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

from signoff.adapters.folder_files import read_named
from signoff.adapters.folders import read_folder
from signoff.domain.errors import BadInputError, UnavailableError

MAX_FILES: Final = 10_000
MAX_BYTES: Final = 1 << 30
MAX_DIRECTORY: Final = 4 << 20
MAX_POLICY: Final = 2_000_000
CHUNK: Final = 1 << 16
POLICY: Final = "policy.yaml"
# The record at the end of an archive, the locator that announces zip64 in front of it, and an entry of the directory.
END: Final = struct.Struct("<4s4H2LH")
END_MARK: Final = b"PK\x05\x06"
ZIP64: Final = struct.Struct("<4sLQL")
ZIP64_MARK: Final = b"PK\x06\x07"
ENTRY_MARK: Final = b"PK\x01\x02"
MOST_COMMENT: Final = 1 << 16
COMPRESSIONS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
# Errors for impossible names: a file beneath another file, or a name too long for the disk.
IMPOSSIBLE: Final = frozenset({errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EILSEQ})


def pack(folder: Path, policy: Path | None) -> bytes:
    """Pack every file of a folder; `policy` replaces the folder's own."""
    if not folder.is_dir():
        raise BadInputError(f"Expected a dossier folder, found none at {folder}.")
    try:
        files = read_folder(folder, limit=MAX_BYTES)
        if policy is not None:
            files[POLICY] = read_named(policy, limit=MAX_POLICY)
    except FileNotFoundError as error:
        raise BadInputError(f"Expected a file at {error.filename}, found none.") from error
    except OSError as error:
        raise BadInputError(f"Expected to read {error.filename}, and cannot: {error.strerror}.") from error
    return zipped(files)


def zipped(files: dict[str, bytes]) -> bytes:
    """Files as an archive; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def unpack(content: bytes | BinaryIO, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
    """Write an archive's files beneath an empty folder. BadInputError names the fault."""
    file = io.BytesIO(content) if isinstance(content, bytes) else content
    _measure_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) > MAX_FILES:
                raise BadInputError(f"Expected at most {MAX_FILES} files in the archive, found {len(members)}.")
            room = max_bytes
            for member in members:
                room -= _unpack_one(archive, member, folder, room)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, UnicodeError) as error:
        raise BadInputError(f"Expected a zip archive of the dossier folder, found something else: {error}.") from error
    except OSError as error:
        if error.errno in IMPOSSIBLE:
            raise BadInputError(
                f"Expected names that a folder can hold, found one that it cannot: {error.strerror}; rename the file."
            ) from error
        raise UnavailableError(f"The archive cannot be unpacked: {error.strerror}; try again later.") from error


def _measure_directory(file: BinaryIO) -> None:
    """Refuse an archive with too large a directory; the parser refuses one without an end."""
    begin = max(file.seek(0, io.SEEK_END) - MOST_COMMENT - END.size - ZIP64.size, 0)
    file.seek(begin)
    tail = file.read()
    end = _end_of_directory(tail)
    if end < 0 or len(tail) - end < END.size:
        return
    if tail[max(end - ZIP64.size, 0) : end].startswith(ZIP64_MARK):
        raise BadInputError("Expected a zip archive, found zip64; pack the folder without zip64.")
    _, _, _, _, announced, size, _, _ = END.unpack_from(tail, end)
    if size > MAX_DIRECTORY:
        raise BadInputError(
            f"Expected an archive whose directory takes at most {MAX_DIRECTORY:,} bytes, found {size:,}; send fewer "
            "files, or shorter names."
        )
    file.seek(max(begin + end - size, 0))
    count = max(announced, file.read(min(size, begin + end)).count(ENTRY_MARK))
    if count > MAX_FILES:
        raise BadInputError(f"Expected at most {MAX_FILES} files in the archive, found {count}; send fewer.")


def _end_of_directory(content: bytes) -> int:
    """The position of the end record, as Python's parser finds it: without a comment, else the last one."""
    plain = len(content) - END.size
    if plain >= 0 and content.startswith(END_MARK, plain) and content.endswith(b"\0\0"):
        return plain
    return content.rfind(END_MARK, max(plain - MOST_COMMENT, 0))


def _unpack_one(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, room: int) -> int:
    if member.compress_type not in COMPRESSIONS:
        raise BadInputError(
            f"Expected files that are stored or deflated, found {member.filename!r} compressed in another way."
        )
    target = folder / _inside(member)
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        raise BadInputError(f"Expected each file once in the archive, found {member.filename!r} twice.")
    written = 0
    with archive.open(member) as source, target.open("wb") as file:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > room:
                raise BadInputError(
                    f"The archive unpacks to more than is allowed; {member.filename!r} was the file that went over."
                )
            file.write(chunk)
    return written


def _inside(member: zipfile.ZipInfo) -> PurePosixPath:
    """The name of a member; refused unless it is a plain file inside the folder."""
    path = PurePosixPath(member.filename)
    kind = stat.S_IFMT(member.external_attr >> 16)
    is_plain = kind in {0, stat.S_IFREG}
    is_within = not path.is_absolute() and ".." not in path.parts and path.parts and "\\" not in member.filename
    if not (is_plain and is_within and "\x00" not in member.filename and ":" not in member.filename):
        raise BadInputError(
            f"Expected plain files inside the dossier folder, found {member.filename!r} in the archive; nothing of it "
            "was used."
        )
    return path
