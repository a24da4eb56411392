"""The environment that a point-in-time replay ran in: the interpreter, and every distribution with its hash.

The dossier's lock file is compared with it, distribution by distribution: a captured one that is not pinned, or pinned
in another version, differs. Production is another machine and is not covered.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

MOST_DIFFERENCES: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed distribution; `sha256` is that of its RECORD, which lists the SHA-256 of each of its files.

    It is empty if the distribution has no RECORD.
    """

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonEnvironment:
    """What foreign code could import, as reported by its process before it loaded any."""

    python: str
    distributions: tuple[Distribution, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock file of the dossier; `pins` are the versions of each distribution, by canonical name.

    A version is empty if the file pins an address.
    """

    path: str
    sha256: str
    pins: Mapping[str, frozenset[str]] = field(default_factory=dict)


def canonical_name(name: str) -> str:
    """A distribution's name as indexes compare it: `Foo_Bar.baz` is `foo-bar-baz`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def differences(lock: Lock, captured: PythonEnvironment) -> tuple[str, ...]:
    """Each captured distribution that the lock file does not pin, or pins in another version."""
    texts = []
    for one in sorted(captured.distributions, key=lambda each: canonical_name(each.name)):
        pinned = lock.pins.get(canonical_name(one.name))
        if pinned is None:
            texts.append(f"{one.name}=={one.version} (not in the lock)")
        elif one.version not in pinned:
            versions = ", ".join(sorted(version or "an address" for version in pinned))
            texts.append(f"{one.name}=={one.version} (the lock: {versions})")
    return tuple(texts)


def compared(lock: Lock, captured: PythonEnvironment | None) -> str:
    """The result of comparing the lock file with the captured distributions, in a clause."""
    if captured is None or not captured.distributions:
        return "not compared: no replay captured its distributions"
    wrong, total = differences(lock, captured), len(captured.distributions)
    if not wrong:
        several = sum(len(lock.pins[canonical_name(one.name)]) > 1 for one in captured.distributions)
        also = f", of {several:,} beside other versions" if several else ""
        return f"has the versions of the {total:,} distributions of the replay{also}; hashes and markers not compared"
    shown = "; ".join(wrong[:MOST_DIFFERENCES])
    more = f"; and {len(wrong) - MOST_DIFFERENCES:,} more" if len(wrong) > MOST_DIFFERENCES else ""
    return f"{len(wrong):,} of {total:,} distributions of the replay differ from the lock: {shown}{more}"
