"""Decisions: pure functions from records and a request to the events that follow, one module a subject.

Every refusal names its guard, what was found and what to do. Nothing here can refuse a kill or the rollback of a live
release. A use case reads the records, decides here, and commits the events. A subject loads on first use, since a look
at the record decides nothing.
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from signoff.domain.decisions import (
        adoption,
        approvals,
        credentials,
        guards,
        kill,
        notices,
        observation,
        people,
        policy,
        requests,
        rollback,
        rollout,
        signing,
        submission,
    )

__all__ = [
    "adoption",
    "approvals",
    "credentials",
    "guards",
    "kill",
    "notices",
    "observation",
    "people",
    "policy",
    "requests",
    "rollback",
    "rollout",
    "signing",
    "submission",
]
_SUBJECTS: Final = frozenset(__all__)


def __getattr__(name: str) -> ModuleType:
    if name not in _SUBJECTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")
