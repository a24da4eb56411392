"""Whether a name that somebody typed is known here, and which known names are nearest to it.

A kill takes any name, since the name may be right and the record behind. So the answer must say when nothing here goes
by it: a slip of the keyboard else looks like a model that was stopped.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final
from unicodedata import normalize

MOST_NEAREST: Final = 3
# So many names are listed where one was expected that is known.
MOST_LISTED: Final = 5
MOST_COMPARED: Final = 5_000
LIKENESS: Final = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """Whether a model is known; None where the record cannot be read, so that nobody can say.

    `models` counts the models on record: none are in a home that has just begun.
    """

    is_known: bool | None = None
    nearest: tuple[str, ...] = ()
    models: int | None = None


def recognition(name: str, releases: Mapping[str, str], models: frozenset[str] = frozenset()) -> Recognition:
    """What is known of a name, from the model of each release by the release's id, and from models without one."""
    known = sorted({*releases.values(), *models})
    if name in known:
        return Recognition(is_known=True, models=len(known))
    of_release = (releases[name],) if name in releases else ()
    nearest = tuple(dict.fromkeys((*of_release, *_alike(name, known[:MOST_COMPARED]))))
    return Recognition(is_known=False, nearest=nearest[:MOST_NEAREST], models=len(known))


def near(name: str, known: Iterable[str]) -> str:
    """Known names in words, those first that are nearest to an unknown one, with how many more there are."""
    names = sorted(known)
    shown = tuple(dict.fromkeys((*_alike(name, names[:MOST_COMPARED]), *names)))[:MOST_LISTED]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"{', '.join(shown)}{more}" if shown else "none yet"


def _alike(name: str, known: list[str]) -> tuple[str, ...]:
    """Names that differ by a letter or two, by case, or by what stands before or after them."""
    plain = _plain(name)
    by_plain: dict[str, list[str]] = {}
    for model in known:
        by_plain.setdefault(_plain(model), []).append(model)
    close = get_close_matches(plain, by_plain, n=MOST_LISTED, cutoff=LIKENESS)
    within = [other for other in by_plain if plain and other and (other in plain or plain in other)]
    return tuple(model for other in dict.fromkeys((*close, *within)) for model in by_plain[other])


def _plain(name: str) -> str:
    return normalize("NFKC", name).strip().casefold()
