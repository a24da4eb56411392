"""The environment that a point-in-time replay ran in: the interpreter, and every distribution with its hash."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """An installed distribution; `sha256` is that of its RECORD, which lists the SHA-256 of each of its files.

    It is empty where the distribution came without such a list.
    """

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What foreign code could import, as the process that ran it told before it loaded any."""

    python: str
    distributions: tuple[Distribution, ...]
