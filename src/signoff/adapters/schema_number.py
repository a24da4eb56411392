"""The schema that this Signoff reads, apart from the library that upgrades to it."""

from typing import Final

SCHEMA: Final = "4"
