"""A dossier without declarations: the fields that gates need, and empty values for everything else.

Gates read a few declarations beside the evidence. Here these come from options, without an author.
"""

from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from datetime import date
from enum import Enum
from types import NoneType
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from signoff.domain.dossier import Dossier, EvidenceDeclaration

NAME: Final = "returns"
_EMPTY: Final[tuple[tuple[type, object], ...]] = (
    (bool, False),
    (str, ""),
    (int, 0),
    (float, 0.0),
    (date, date.max),
    (tuple, ()),
    (Mapping, {}),
)


def undeclared(evidence: EvidenceDeclaration) -> Dossier:
    """A dossier with declarations on the evidence and nothing else."""
    empty: Dossier = _empty(Dossier)
    header = replace(empty.header, model=NAME, version="", previous_version=None)
    return replace(empty, header=header, evidence=evidence)


def _empty(kind: Any) -> Any:  # noqa: ANN401 - any type that a dossier has
    """The empty value of a type; fields with a default keep it."""
    if get_origin(kind) is Annotated:
        return _empty(get_args(kind)[0])
    if NoneType in get_args(kind):
        return None
    if is_dataclass(kind) and isinstance(kind, type):
        hints = get_type_hints(kind, include_extras=True)
        needed = (one for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING)
        return kind(**{one.name: _empty(hints[one.name]) for one in needed})
    plain = get_origin(kind) or kind
    if issubclass(plain, Enum):
        return next(iter(plain))
    return next(value for base, value in _EMPTY if issubclass(plain, base))
