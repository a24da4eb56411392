"""`signoff-verify`: an auditor's own offline check of an export, without the server.

It imports the ledger and the rules of the state machine, and no database, document or web library.
"""

import argparse
import json
import sys
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signoff.domain.errors import BadInputError, SignoffError
from signoff.ledger.export import CHECKPOINT, KEY
from signoff.ledger.replay import replay
from signoff.ledger.timestamps import Roots
from signoff.ledger.verification import STAMP, KeptCheckpoint, StampCheck, Verification, verify_export
from signoff.output import keep_streams

BAD_INPUT: Final = 2
PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Folder:
    """An export in a folder, read in chunks."""

    root: Path

    def names(self) -> Collection[str]:
        """Every file beneath the folder."""
        return [p.relative_to(self.root).as_posix() for p in sorted(self.root.rglob("*")) if p.is_file()]

    def chunks(self, name: str) -> Iterator[bytes]:
        """The bytes of a file."""
        path = self.root / name
        if not path.is_file():
            return
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one export folder; 0 intact, 1 tampered, 2 intact with a tail that no anchor covers, or bad input."""
    asked = argparse.ArgumentParser(
        prog="signoff-verify",
        description="Hash every byte of an export, check every signature, replay every state. Works offline.",
        epilog="Example: signoff-verify audit-2020 --since audit-2019 --key 1a5f323a8bcdbc85",
    )
    asked.add_argument("export", type=Path, help="the folder that `signoff export` wrote")
    asked.add_argument("--key", metavar="FINGERPRINT", help="the fingerprint that one of the ledger's keys must have")
    asked.add_argument(
        "--since",
        metavar="CHECKPOINT",
        type=Path,
        action="append",
        default=[],
        help="a checkpoint that you kept, a folder of them, or an older export: nothing before it may have changed",
    )
    asked.add_argument("--tsa-root", metavar="FILE", type=Path, help="root certificates (PEM) that time stamps need")
    asked.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    options = asked.parse_args(arguments)
    folder: Path = options.export
    if not folder.is_dir():
        sys.stderr.write(f"Expected an export folder, found nothing at {folder}.\n")
        return BAD_INPUT
    try:
        result = verify_export(
            Folder(folder),
            replay,
            expected_fingerprint=options.key,
            kept=tuple(checkpoint for path in options.since for checkpoint in kept_at(path)),
            check_stamp=stamps_by(options.tsa_root),
        )
    except (SignoffError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return BAD_INPUT
    sys.stdout.write(f"{json.dumps(told(result), indent=1) if options.json else chr(10).join(lines(result))}\n")
    return result.exit_code


def run() -> None:
    """The entry point of the console script; an output error does not change the exit code."""
    keep_streams()
    code = main()
    sys.stdout.flush()
    sys.exit(code)


def kept_at(path: Path) -> tuple[KeptCheckpoint, ...]:
    """The checkpoints that an auditor kept: one file, every file of a folder, or the one of an older export."""
    if path.is_file():
        return (KeptCheckpoint(where=str(path), note=path.read_bytes()),)
    if (own := path / CHECKPOINT).is_file():
        key = path / KEY
        return (
            KeptCheckpoint(where=str(path), note=own.read_bytes(), key=key.read_bytes() if key.is_file() else None),
        )
    paths = [p for p in sorted(path.iterdir()) if p.is_file() and p.suffix != STAMP] if path.is_dir() else []
    if not paths:
        raise BadInputError(f"Expected a checkpoint, a folder of them or an older export, found none at {path}.")
    return tuple(KeptCheckpoint(where=str(note), note=note.read_bytes()) for note in paths)


def stamps_by(root: Path | None) -> StampCheck | None:
    """The check of time stamps by the roots in a file; None without a file."""
    return None if root is None else Roots(root.read_bytes()).stamped_at


def told(result: Verification) -> dict[str, object]:
    """The result as a JSON document."""
    return {
        "exit": result.exit_code,
        "events": result.events,
        "anchored": result.anchored,
        "fingerprint": result.fingerprint,
        "findings": [{"where": where, "what": what} for where, what in result.findings],
        "inconclusive": [{"where": where, "what": what} for where, what in result.inconclusive],
        "facts": list(result.facts),
    }


def lines(result: Verification) -> tuple[str, ...]:
    """The result as lines for people."""
    return (
        *(f"TAMPERED  {where}: {what}" for where, what in result.findings),
        *(f"UNCHECKED  {where}: {what}" for where, what in result.inconclusive),
        result.summary,
    )
