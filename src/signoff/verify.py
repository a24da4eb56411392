"""`signoff-verify`: an auditor's own check of an export, offline, with nothing of the server installed or trusted.

It imports the ledger and the rules of the machine, and no database, document or web library.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from signoff.ledger.replay import replay
from signoff.ledger.verification import Verification, verify_export

BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Check one export folder; 0 intact, 1 tampered, 2 intact with a tail that no anchor covers, or bad input."""
    asked = argparse.ArgumentParser(
        prog="signoff-verify",
        description="Re-hash every byte of an export, check every signature, replay the machine. Works offline.",
        epilog="Example: signoff-verify audit-2019 --key 1a5f323a8bcdbc85",
    )
    asked.add_argument("export", type=Path, help="the folder that `signoff export` wrote")
    asked.add_argument("--key", metavar="FINGERPRINT", help="the fingerprint that the ledger's key must have")
    asked.add_argument("--json", action="store_true", help="one JSON document instead of lines")
    given = asked.parse_args(arguments)
    folder: Path = given.export
    if not folder.is_dir():
        sys.stderr.write(f"Expected an export folder, found nothing at {folder}.\n")
        return BAD_INPUT
    files = {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}
    result = verify_export(files, replay, expected_fingerprint=given.key)
    sys.stdout.write(f"{_json(result) if given.json else _lines(result)}\n")
    return result.exit_code


def run() -> None:
    """The entry point of the console script."""
    sys.exit(main())


def _json(result: Verification) -> str:
    findings = [{"where": where, "what": what} for where, what in result.findings]
    said = {"exit": result.exit_code, "events": result.events, "fingerprint": result.fingerprint, "findings": findings}
    return json.dumps(said, indent=1)


def _lines(result: Verification) -> str:
    return "\n".join((*(f"TAMPERED  {where}: {what}" for where, what in result.findings), result.summary))
