"""Dossier folders sent to the server: unpacked apart, assessed in a process of their own, removed afterwards.

An assessment runs minutes of arithmetic and the sender's own feature function; in a process of its own neither can hold
up a kill, and what it breaks is not the server.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from anyio import CapacityLimiter
from fastapi import Request

from signoff.adapters import child_processes
from signoff.adapters.archives import unpack
from signoff.adapters.own_files import make_private, make_private_inside
from signoff.config.logs import about
from signoff.domain.errors import BadInputError, RefusedError, UnavailableError
from signoff.verbs.documents import Document
from signoff.wiring import House

log = logging.getLogger("signoff.http")
ARCHIVE: Final = "application/zip"
TIME_LIMIT_S: Final = 900
MOST_BYTES: Final = 256 << 20
# As many at a time as there are processors; the others wait their turn, and take no thread from anybody meanwhile.
ASSESSING: Final = CapacityLimiter(max(2, os.cpu_count() or 2))
# What a child needs to run at all; nothing else of the server's environment reaches the sender's code.
PASSED_ON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "PYTHONPATH", "VIRTUAL_ENV", "NUMBA_CACHE_DIR")
FOREIGN_CODE: Final = ("SIGNOFF_ISOLATION", "SIGNOFF_FOREIGN_CODE_SECONDS", "SIGNOFF_FOREIGN_CODE_MB")


async def archive_of(request: Request) -> bytes:
    """The zip archive in a request's body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != ARCHIVE:
        raise BadInputError(f"Expected the dossier folder as {ARCHIVE}, found {kind or 'no content type'}.")
    return await request.body()


@contextmanager
def unpacked(house: House, content: bytes) -> Iterator[Path]:
    """A folder with the archive's files, gone afterwards."""
    with _room(house) as folder:
        unpack(content, folder)
        yield folder


@contextmanager
def written_folder(house: House) -> Iterator[Path]:
    """A folder that a command may write, not there yet, and gone afterwards."""
    with _room(house) as folder:
        yield folder / "out"


@contextmanager
def _room(house: House) -> Iterator[Path]:
    parent = house.settings.home / "uploads"
    make_private(house.settings.home)
    make_private_inside(parent)
    with TemporaryDirectory(dir=parent) as folder:
        yield Path(folder)


def carried_out(house: House, actor: str, *command: str) -> Document:
    """The document that a command gives in a process of its own; its refusals become ours."""
    known = house.settings
    line = [sys.executable, "-P", "-m", "signoff", *command, "--json", "--home", str(known.home), "--as", actor]
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}  # noqa: TID251 - handed on
    # Not on the line, which every user of the machine can read: a URL may hold a password.
    environment |= {"SIGNOFF_DATABASE": known.database, "SIGNOFF_REGISTRY": known.registry}
    environment |= {name: os.environ[name] for name in FOREIGN_CODE if name in os.environ}  # noqa: TID251 - handed on
    process = child_processes.start(line, environment)
    try:
        written, complained = process.communicate(timeout=TIME_LIMIT_S)
    except subprocess.TimeoutExpired as error:
        raise UnavailableError(f"The assessment took longer than {TIME_LIMIT_S} s and was ended.") from error
    finally:
        child_processes.end(process)
    if written.lstrip().startswith(b"{"):
        document: Document = json.loads(written)
        return document
    said = complained.decode(errors="replace").strip()[-4000:]
    if "Traceback" in said:
        log.error("an assessment broke off", extra=about(cause=said))
        raise UnavailableError("The assessment broke off; the server's log holds the cause. Nothing was recorded.")
    raise {1: RefusedError, 2: BadInputError}.get(process.returncode, UnavailableError)(said or "No answer was given.")
