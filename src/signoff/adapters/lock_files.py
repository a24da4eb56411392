"""Reads lock files of an environment, to check that the dossier's file pins distributions.

The lines of pip, the tables of uv, poetry and PDM, and the documents of Pipenv and conda are read.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Final

import yaml

from signoff.domain.environment import canonical_name
from signoff.domain.errors import BadInputError

_PINNED: Final = re.compile(
    r"^\s*(?:- )?(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?\s*(?P<sign>===?|@)\s*(?P<version>[^\s;#]+)", re.MULTILINE
)
_ENTRY: Final = re.compile(r"(?P<name>[\w.-]+)={1,3}(?P<version>[^\s=;]+)\S*")
_PACKAGES: Final = ("package", "packages", "default", "dependencies")


def pinned(name: str, content: bytes) -> Mapping[str, frozenset[str]]:
    """The versions that a lock file pins; BadInputError if it is not one, or pins none.

    A version is empty if the file gives an address.
    """
    versions: dict[str, frozenset[str]] = {}
    try:
        text = content.decode()
        for distribution, version in _listed(PurePath(name).suffix, text):
            own = canonical_name(distribution)
            versions[own] = versions.get(own, frozenset()) | {version}
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise BadInputError(
            f"{name}: infrastructure.lock names it, expected a lock file, found what cannot be read as one ({error}). "
            "Export it again."
        ) from error
    if not versions:
        raise BadInputError(
            f"{name}: infrastructure.lock names it, expected a lock file that pins distributions (name==version, or "
            "the lock file of uv, poetry, PDM, Pipenv or conda), found none. Name the file that pins them."
        )
    return versions


def _listed(suffix: str, text: str) -> Iterator[tuple[str, str]]:
    if suffix in {".lock", ".toml"} and not text.lstrip().startswith("{"):
        yield from _packages(tomllib.loads(text))
    elif suffix in {".json", ".lock"}:
        yield from _packages(json.loads(text))
    elif suffix in {".yaml", ".yml"}:
        yield from _packages(yaml.safe_load(text))
    else:
        yield from ((m["name"], "" if m["sign"] == "@" else m["version"]) for m in _PINNED.finditer(text))


def _packages(document: object) -> Iterator[tuple[str, str]]:
    """Entries that give a name with a version, or a text that pins one."""
    if not isinstance(document, dict):
        return
    for key in _PACKAGES:
        listed = document.get(key) or ()
        if isinstance(listed, dict):
            yield from (
                (str(name), str(one["version"]).lstrip("="))
                for name, one in listed.items()
                if isinstance(one, dict) and one.get("version")
            )
        elif isinstance(listed, list):
            yield from (pin for one in listed if (pin := _pin(one)) is not None)


def _pin(one: object) -> tuple[str, str] | None:
    if isinstance(one, dict):
        return (str(one["name"]), str(one["version"])) if one.get("name") and one.get("version") else None
    entry = _ENTRY.match(one) if isinstance(one, str) else None
    return None if entry is None else (entry["name"], entry["version"])
