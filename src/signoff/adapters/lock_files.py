"""Lock files of an environment: whether a file that a dossier names pins any distribution at all.

The lines of pip, the tables of uv, poetry and PDM, and the documents of Pipenv and conda are read. Whether what was
installed is what the file pins is not looked at: the memo prints the file as declared.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import PurePath
from typing import Final

import yaml

from signoff.domain.errors import BadInputError

_PINNED: Final = re.compile(r"^\s*(?:- )?[A-Za-z0-9][\w.-]*(?:\[[^\]]*\])?\s*(?:===?|@)\s*\S+", re.MULTILINE)
_PACKAGES: Final = ("package", "packages", "default", "dependencies")


def pinned(name: str, content: bytes) -> int:
    """How many distributions a lock file pins; BadInputError where it is none that can be read, or pins none."""
    try:
        text = content.decode()
        found = sum(1 for _ in _listed(PurePath(name).suffix, text))
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise BadInputError(
            f"{name}: infrastructure.lock names it, expected a lock file, found what cannot be read as one ({error}). "
            "Export it again."
        ) from error
    if not found:
        raise BadInputError(
            f"{name}: infrastructure.lock names it, expected a lock file that pins distributions (name==version, or "
            "the lock file of uv, poetry, PDM, Pipenv or conda), found none. Name the file that pins them."
        )
    return found


def _listed(suffix: str, text: str) -> Iterator[object]:
    if suffix in {".lock", ".toml"} and not text.lstrip().startswith("{"):
        yield from _packages(tomllib.loads(text))
    elif suffix in {".json", ".lock"}:
        yield from _packages(json.loads(text))
    elif suffix in {".yaml", ".yml"}:
        yield from _packages(yaml.safe_load(text))
    else:
        yield from _PINNED.finditer(text)


def _packages(document: object) -> Iterator[object]:
    """Entries that give a name with a version, or a text that pins one."""
    if not isinstance(document, dict):
        return
    for key in _PACKAGES:
        listed = document.get(key) or ()
        if isinstance(listed, dict):
            yield from (one for one in listed.values() if isinstance(one, dict) and one.get("version"))
        elif isinstance(listed, list):
            yield from (one for one in listed if _is_pin(one))


def _is_pin(one: object) -> bool:
    if isinstance(one, dict):
        return bool(one.get("name")) and bool(one.get("version"))
    return isinstance(one, str) and re.match(r"[\w.-]+={1,3}\S+", one) is not None
