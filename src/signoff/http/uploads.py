"""Dossier folders sent to the server: kept on disk, assessed in a process of their own, then removed.

An assessment runs minutes of arithmetic and the sender's own feature function; in a process of its own neither can hold
up a kill, and what it breaks is not the server.
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
from signoff.verbs.documents import Document

log = logging.getLogger("signoff.http")
ARCHIVE: Final = "application/zip"
TIME_LIMIT_S: Final = 900
MOST_BYTES: Final = 256 << 20
MOST_SPOOLED: Final = 4 << 30
"""Of all archives that are on their way, which lie on the disk of the home."""
PIECE: Final = 1 << 20
SPOOLING: Final = CapacityLimiter(4)
# As many at a time as there are processors; the others wait their turn, and take no thread from anybody meanwhile.
ASSESSING: Final = CapacityLimiter(max(2, os.cpu_count() or 2))
# What a child needs to run at all; nothing else of the server's environment reaches the sender's code.
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "NUMBA_CACHE_DIR")
CHILD: Final = (sys.executable, "-P", "-m", MODULE)
MOST_CAUSE: Final = 4000


@asynccontextmanager
async def archive_of(request: Request, house: Installation) -> AsyncIterator[BinaryIO]:
    """The zip archive in a request's body, as a file without a name: it is gone with the process at the latest."""
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
    """An archive on its way to disk. It holds little in memory, and writes where no request waits for it."""

    taken = 0
    """By all of them, in bytes. It changes in the thread of the event loop alone."""

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
        """Write what is held in memory."""
        piece, self._held = self._held, bytearray()
        try:
            await run_sync(self._put, piece, limiter=SPOOLING)
        except OSError as error:
            raise UnavailableError(f"The archive cannot be kept: {error.strerror}; try again later.") from error

    def _put(self, piece: bytearray) -> None:
        self.file.write(piece)
        self.file.flush()

    def close(self) -> None:
        """Remove it, and count it no more."""
        Spool.taken -= self._size
        self._size = 0
        self.file.close()


@contextmanager
def unpacked(house: Installation, content: BinaryIO) -> Iterator[Path]:
    """A folder with the archive's files, gone afterwards."""
    with _room(house) as folder:
        unpack(content, folder)
        yield folder


@contextmanager
def written_folder(house: Installation) -> Iterator[Path]:
    """A folder that a command may write, not there yet, and gone afterwards."""
    with _room(house) as folder:
        yield folder / "out"


@contextmanager
def _room(house: Installation) -> Iterator[Path]:
    with TemporaryDirectory(dir=_folder(house)) as folder:
        yield Path(folder)


def _folder(house: Installation) -> Path:
    """Where archives and what they hold lie, for the server's own account alone."""
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
    """The document that a verb gives in a process of its own; an error there is raised here as the same error.

    What was sent may name repositories that lie in its own folder, or where the installation keeps them.
    """
    known = house.settings
    sent = house.sent_for(actor, timedelta(seconds=TIME_LIMIT_S))
    repositories = (*known.repositories, *(() if folder is None else (str(folder.resolve()),)))
    known = replace(known, actor=actor, sent=sent, repositories=repositories)
    asked = Asked(verb=verb, settings=known, subject=subject, folder=folder, out=out)
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
        said = about(verb=verb, exit=process.returncode, cause=cause, wrote=wrote)
        log.error("a child process gave no answer", extra=said)  # noqa: TRY400 - the cause is the child's
        raise UnavailableError(
            f"The process that carries out `{verb}` ended without an answer. The server's log holds the cause. Send "
            "the same request again."
        ) from error
