"""Extensions of other packages: venues, notifiers and gates, found by their entry points and chosen by name.

An entry point of the group `signoff.venues` or `signoff.notifiers` names a function. It is called with its own folder
in the home and its options, the settings that begin with SIGNOFF_VENUE_ or SIGNOFF_NOTIFIER_ (HOST is the option
"host"). An entry point of `signoff.gates` names a gate. Installed packages run in Signoff's process and are trusted as
Signoff is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from signoff.domain.errors import BadInputError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint, EntryPoints


class EntryPointGroup(StrEnum):
    """The groups of entry points."""

    VENUES = "signoff.venues"
    NOTIFIERS = "signoff.notifiers"
    GATES = "signoff.gates"

    @property
    def setting(self) -> str:
        """The setting that chooses an extension of the group."""
        return {"venues": "SIGNOFF_VENUE", "notifiers": "SIGNOFF_NOTIFIER", "gates": "SIGNOFF_GATES"}[self.kind]

    @property
    def kind(self) -> str:
        """The group's kind of extension, in the plural."""
        return self.value.removeprefix("signoff.")


@dataclass(frozen=True, slots=True)
class Chosen:
    """The name of an extension, and its options from the environment."""

    name: str
    options: Mapping[str, str]


def installed(group: EntryPointGroup) -> tuple[str, ...]:
    """The names of the installed extensions, sorted."""
    return tuple(sorted({entry.name for entry in _points(group)}))


def entry(group: EntryPointGroup, name: str, source: str = "") -> "EntryPoint":
    """The entry point of this name, from exactly one package; `source` is where it was named."""
    setting = source or group.setting
    matches = sorted(_points(group).select(name=name), key=origin)
    if not matches:
        raise BadInputError(
            f"Expected {setting} to name an entry point of the group {group}, found {name!r}; installed are: "
            f"{', '.join(installed(group)) or 'none'}. Install the package that brings it, or correct the name."
        )
    if len({origin(one) for one in matches}) > 1:
        raise BadInputError(
            f"Expected one package to provide {name!r} ({setting}), found {', '.join(origin(one) for one in matches)}. "
            "Remove all but one of them."
        )
    return matches[0]


def loaded(group: EntryPointGroup, name: str) -> Any:  # noqa: ANN401 - whatever the other package names there
    """Load the entry point; an import error is part of the refusal."""
    point = entry(group, name)
    try:
        return point.load()
    except (Exception, SystemExit, KeyboardInterrupt) as error:
        raise BadInputError(
            f"{name!r} ({group.setting}) of {origin(point)}: expected {point.value} to load, found "
            f"{type(error).__name__}: {error}. Install what it needs, or correct the package."
        ) from error


def maker(group: EntryPointGroup, chosen: Chosen, home: Path) -> tuple[Callable[[], Any], bool]:
    """The function that makes a venue or a notifier in its folder, and whether its package calls it simulated."""
    make = loaded(group, chosen.name)
    folder = home / group.kind / chosen.name
    return partial(make, folder, chosen.options), getattr(make, "is_simulated", False) is True


def gate(name: str) -> tuple[Any, str]:
    """The gate of this name, and its package."""
    return loaded(EntryPointGroup.GATES, name), origin(entry(EntryPointGroup.GATES, name))


def origin(point: "EntryPoint") -> str:
    """The package of an entry point, with its version."""
    return "an unnamed package" if point.dist is None else f"{point.dist.name} {point.dist.version}"


def options(environment: Mapping[str, str], prefix: str) -> dict[str, str]:
    """The settings with this prefix, by the rest of their names in lower case."""
    return {name[len(prefix) :].lower(): value for name, value in environment.items() if name.startswith(prefix)}


def _points(group: EntryPointGroup) -> "EntryPoints":
    """The entry points of the installed packages."""
    from importlib.metadata import entry_points  # noqa: PLC0415 - most commands name no extension

    return entry_points(group=group)
