"""Whether a typed name is known here, and the nearest known names.

A kill takes any name, since the name may be right and the record behind. So the answer must say that a name is unknown,
or a typing error would look like a stopped model.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final
from unicodedata import normalize

MOST_NEAREST: Final = 3
# This many known names are listed.
MOST_LISTED: Final = 5
MOST_COMPARED: Final = 5_000
LIKENESS: Final = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognition:
    """Whether a model is known; None if the record cannot be read.

    `models` counts the models on record.
    """

    is_known: bool | None = None
    nearest: tuple[str, ...] = ()
    models: int | None = None


def recognition(name: str, releases: Mapping[str, str], models: frozenset[str] = frozenset()) -> Recognition:
    """The recognition of a name, from the model of each release by id, and from models without a release."""
    names = sorted({*releases.values(), *models})
    if name in names:
        return Recognition(is_known=True, models=len(names))
    of_release = (releases[name],) if name in releases else ()
    nearest = tuple(dict.fromkeys((*of_release, *_alike(name, names[:MOST_COMPARED]))))
    return Recognition(is_known=False, nearest=nearest[:MOST_NEAREST], models=len(names))


def near(name: str, models: Iterable[str]) -> str:
    """Known names in words, nearest first, with the number of further ones."""
    names = sorted(models)
    shown = tuple(dict.fromkeys((*_alike(name, names[:MOST_COMPARED]), *names)))[:MOST_LISTED]
    more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
    return f"{', '.join(shown)}{more}" if shown else "none yet"


def _alike(name: str, models: list[str]) -> tuple[str, ...]:
    """Names that differ by a letter or two, by case, or by a prefix or suffix."""
    plain = _plain(name)
    by_plain: dict[str, list[str]] = {}
    for model in models:
        by_plain.setdefault(_plain(model), []).append(model)
    close = get_close_matches(plain, by_plain, n=MOST_LISTED, cutoff=LIKENESS)
    within = [other for other in by_plain if plain and other and (other in plain or plain in other)]
    return tuple(model for other in dict.fromkeys((*close, *within)) for model in by_plain[other])


def _plain(name: str) -> str:
    return normalize("NFKC", name).strip().casefold()
