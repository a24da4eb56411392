"""The file that `signoff benchmark` writes for a dossier: the measurements, with a digest over them.

A file that was changed since is refused. The digest detects slips and is not a signature: like all evidence, the file
is signed with the dossier.
"""

import json
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError

from signoff.adapters.folder_files import read_inside, unreadable
from signoff.domain.benchmark import Benchmark
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import Source
from signoff.ledger.canonical import canonical, digest

FORMAT: Final = "signoff.benchmark.v1"
NAMES: Final = ("benchmark.json", "benchmark_previous.json")
MOST: Final = 100_000
_PARSED: Final = TypeAdapter(Benchmark)


def benchmark_json(measured: Benchmark) -> bytes:
    """The file's content."""
    figures = _PARSED.dump_python(measured, mode="json")
    whole = {"format": FORMAT, "measured": figures, "sha256": digest(canonical(figures))}
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def read_benchmark(path: Path, folder: Path) -> tuple[Benchmark, bytes, Source] | None:
    """The benchmark in a file of the folder, with its bytes; None without the file."""
    if not (path.exists() or path.is_symlink()):
        return None
    try:
        content = read_inside(path, folder, limit=MOST)
    except OSError as error:
        raise unreadable(path, error) from error
    measured = parse_benchmark(content, str(path))
    return measured, content, Source(name=path.name, sha256=digest(content), size=len(content), rows=measured.calls)


def parse_benchmark(content: bytes, where: str) -> Benchmark:
    """A benchmark from its file's content; refused if the content was changed."""
    again = "Measure again with `signoff benchmark`"
    try:
        whole = json.loads(content)
        figures, sealed = whole["measured"], whole["sha256"]
        is_ours = whole["format"] == FORMAT and set(whole) == {"format", "measured", "sha256"}
        is_as_written = digest(canonical(figures)) == sealed
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadInputError(
            f"{where}: expected a file of `signoff benchmark` ({FORMAT}), found another text. {again}, or move it away."
        ) from error
    if not is_ours:
        raise BadInputError(f"{where}: expected a file of `signoff benchmark` ({FORMAT}), found another. {again}.")
    if not is_as_written:
        raise BadInputError(
            f"{where}: expected the figures that were measured, found a file that was changed since it was written "
            f"(digest {str(sealed)[:12]}…). {again}."
        )
    try:
        return _PARSED.validate_json(json.dumps(figures))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "measured"
        raise BadInputError(f"{where}: measured.{key}: {first['msg']}. {again}.") from error
