"""Lists the distributions that a process can import, each with its version and the digest of its list of files.

That list, RECORD, names every file of a distribution with its SHA-256, so its digest covers all of them.
"""

import hashlib
import platform
from collections.abc import Iterable, Iterator
from importlib import metadata
from typing import Any


def captured(folders: Iterable[str]) -> dict[str, Any]:
    """The interpreter, and every distribution beneath these folders, sorted by name."""
    distributions = sorted(set(_distributions(folders)))
    return {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "distributions": [{"name": name, "version": version, "sha256": sha} for name, version, sha in distributions],
    }


def _distributions(folders: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    seen: set[str] = set()
    for one in metadata.distributions(path=list(dict.fromkeys(folders))):
        name, record = _name(one), one.read_text("RECORD")
        if name in seen:  # Python imports the one in the earlier folder
            continue
        seen.add(name)
        yield name, _field(one, "Version"), "" if record is None else hashlib.sha256(record.encode()).hexdigest()


def _name(one: metadata.Distribution) -> str:
    return _field(one, "Name").lower().replace("_", "-")


def _field(one: metadata.Distribution, field: str) -> str:
    """A field of a distribution's metadata; parsing the whole text of hundreds of them would be slow."""
    text = one.read_text("METADATA") or one.read_text("PKG-INFO") or ""
    for line in text.splitlines():
        if not line:
            break
        if line.startswith(f"{field}: "):
            return line.partition(": ")[2].strip()
    return "unknown"
