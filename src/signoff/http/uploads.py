"""Receives dossier folders: they are stored on disk, assessed in a process of their own, then removed.

An assessment runs for minutes, with the sender's own feature function. In a process of its own it cannot delay a kill
or break the server.
"""

import logging
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import BinaryIO, Final, cast

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from fastapi import Request

from signoff.adapters import child_processes
from signoff.adapters.archives import unpack
from signoff.adapters.own_files import make_private, make_private_inside
from signoff.config.logs import about
from signoff.domain.errors import BadInputError, UnavailableError
from signoff.installation import Installation
from signoff.verbs.child import MODULE, read_answer
from signoff.verbs.child import ChildRequest as Asked
from signoff.verbs.release_documents import Document

log = logging.getLogger("signoff.http")
ARCHIVE: Final = "application/zip"
TIME_LIMIT_S: Final = 900
MOST_BYTES: Final = 256 << 20
MOST_SPOOLED: Final = 4 << 30
"""The most bytes of all archives in transit, on the disk of the home."""
PIECE: Final = 1 << 20
SPOOLING: Final = CapacityLimiter(4)
# One per processor at a time; the others wait without occupying a thread.
ASSESSING: Final = CapacityLimiter(max(2, os.cpu_count() or 2))
# The variables that a child needs; the sender's code sees no other part of the server's environment.
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "NUMBA_CACHE_DIR")
CHILD: Final = (sys.executable, "-P", "-m", MODULE)
MOST_CAUSE: Final = 4000


@asynccontextmanager
async def archive_of(request: Request, house: Installation) -> AsyncIterator[BinaryIO]:
    """The zip archive in a request's body, as an unnamed file, which vanishes with the process at the latest."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != ARCHIVE:
        raise BadInputError(f"Expected the dossier folder as {ARCHIVE}, found {kind or 'no content type'}.")
    spool = Spool(await run_sync(_nameless, house, limiter=SPOOLING))
    try:
        async for part in request.stream():
            await spool.add(part)
        await spool.write()
        yield spool.file
    finally:
        spool.close()


def _nameless(house: Installation) -> BinaryIO:
    return cast("BinaryIO", TemporaryFile(dir=_folder(house)))


class Spool:
    """An archive in transit to disk. It buffers little in memory, and writes in a thread."""

    taken = 0
    """The bytes of all of them; only the event loop's thread changes it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self._held = bytearray()
        self._size = 0

    async def add(self, part: bytes) -> None:
        """Take the next part; UnavailableError where all archives together would be too large."""
        if Spool.taken + len(part) > MOST_SPOOLED:
            raise UnavailableError(
                f"Expected at most {MOST_SPOOLED:,} bytes of archives at a time, found more on their way here; try "
                "again later."
            )
        Spool.taken += len(part)
        self._size += len(part)
        self._held += part
        if len(self._held) >= PIECE:
            await self.write()

    async def write(self) -> None:
        """Write the buffered bytes."""
        piece, self._held = self._held, bytearray()
        try:
            await run_sync(self._put, piece, limiter=SPOOLING)
        except OSError as error:
            raise UnavailableError(f"The archive cannot be kept: {error.strerror}; try again later.") from error

    def _put(self, piece: bytearray) -> None:
        self.file.write(piece)
        self.file.flush()

    def close(self) -> None:
        """Remove it and its bytes from the total."""
        Spool.taken -= self._size
        self._size = 0
        self.file.close()


@contextmanager
def unpacked(house: Installation, content: BinaryIO) -> Iterator[Path]:
    """A temporary folder with the archive's files."""
    with _room(house) as folder:
        unpack(content, folder)
        yield folder


@contextmanager
def written_folder(house: Installation) -> Iterator[Path]:
    """The path of a temporary folder, which a command may create."""
    with _room(house) as folder:
        yield folder / "out"


@contextmanager
def _room(house: Installation) -> Iterator[Path]:
    with TemporaryDirectory(dir=_folder(house)) as folder:
        yield Path(folder)


def _folder(house: Installation) -> Path:
    """The folder of archives and their files, private to the server's account."""
    parent = house.settings.home / "uploads"
    make_private(house.settings.home)
    make_private_inside(parent)
    return parent


def carried_out(
    house: Installation,
    actor: str,
    verb: str,
    subject: str = "",
    *,
    folder: Path | None = None,
    out: Path | None = None,
) -> Document:
    """Run a verb in a process of its own; return its document, or raise its error here.

    A dossier may name repositories in its own folder, or those of the installation's settings.
    """
    settings = house.settings
    sent = house.sent_for(actor, timedelta(seconds=TIME_LIMIT_S))
    repositories = (*settings.repositories, *(() if folder is None else (str(folder.resolve()),)))
    settings = replace(settings, actor=actor, sent=sent, repositories=repositories)
    asked = Asked(verb=verb, settings=settings, subject=subject, folder=folder, out=out)
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}  # noqa: TID251 - handed on
    process = child_processes.start(CHILD, environment)
    try:
        written, complained = process.communicate(asked.to_json(), timeout=TIME_LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"The assessment took longer than {TIME_LIMIT_S} s and was ended.") from error
    finally:
        child_processes.end(process)
    try:
        return read_answer(written)
    except ValueError as error:
        cause = complained.decode(errors="replace").strip()[-MOST_CAUSE:]
        wrote = written.decode(errors="replace")[:MOST_CAUSE]
        fields = about(verb=verb, exit=process.returncode, cause=cause, wrote=wrote)
        log.error("a child process gave no answer", extra=fields)  # noqa: TRY400 - the cause is the child's
        raise UnavailableError(
            f"The process that carries out `{verb}` ended without an answer. The server's log holds the cause. Send "
            "the same request again."
        ) from error
