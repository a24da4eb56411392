"""Names that a reader takes for one another: "Q Ferrari" beside "Q. Ferrari", or with a Cyrillic letter in it.

Two names look alike where nothing but case, blanks, punctuation, accents, or a letter that is drawn like another sets
them apart. Whoever compares people to keep them apart treats such names as one person; who looks people up does not.
"""

from collections.abc import Iterable, Mapping
from typing import Final
from unicodedata import category, normalize

# Letters of other scripts, and digits, that are drawn like Latin letters; the case is folded before.
_DRAWN_LIKE: Final = str.maketrans(
    "авеёкмнорстухіјѕԁԛԝһүґӏгпαβγεηικνορτυχωϲϳıłøđðþɑɡǀ|0158",
    "abeekmhopctyxijsdqwhyrlrnabyenikvoptuxwcjiloddpagllolsb",
)
_TWO_AS_ONE: Final = (("rn", "m"), ("vv", "w"), ("æ", "ae"), ("œ", "oe"), ("i", "l"))


def skeleton(name: str) -> str:
    """A name without what a reader overlooks; two names with the same skeleton look alike."""
    read = normalize("NFKD", normalize("NFKC", name).partition("<")[0] or name).casefold()
    letters = "".join(char for char in read.translate(_DRAWN_LIKE) if category(char)[0] in "LN")
    for two, one in _TWO_AS_ONE:
        letters = letters.replace(two, one)
    return letters or " ".join(read.split())


def are_alike(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether any name of one person looks like one of the other's."""
    return not {skeleton(name) for name in one}.isdisjoint(skeleton(name) for name in other)


def look_alikes(name: str, known_as: Iterable[str], enrolled: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The people enrolled under another name that looks like this one's, or like one of their logins."""
    own = {skeleton(each) for each in (name, *known_as)}
    return tuple(
        sorted(other for other, names in enrolled.items() if other != name and own & {skeleton(n) for n in names})
    )
