"""Names that look alike: "Q Ferrari" beside "Q. Ferrari", or with a Cyrillic letter in it.

Two names look alike if they differ only in case, blanks, punctuation, accents, the order of words, or letters that are
drawn alike. Checks that need different people treat such names as one person; look-ups do not.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from unicodedata import category, digit, east_asian_width, normalize

_BREAK: Final = re.compile(r"[\W_]+")
# Letters of other scripts, and digits, that are drawn like Latin letters; the case is folded before.
_DRAWN_LIKE: Final = str.maketrans(
    "авеёєҽǝкмнорстухіјѕԁԛԝһүґӏгпαβγεηικνορτυχωϲϳϝıłøđðþɑɡǀ|0158ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢꓝꓖꓮꓰꓣꓲꓳ",
    "abeeeeekmhopctyxijsdqwhyrlrnabyenikvoptuxwcjfiloddpagllolsbabcdefghijklmnoprstuvwyzfgaerio",
)
_TWO_AS_ONE: Final = (("rn", "m"), ("vv", "w"), ("æ", "ae"), ("œ", "oe"), ("i", "l"))


def skeleton(name: str) -> str:
    """A name without what a reader overlooks; two names with the same skeleton look alike."""
    read = normalize("NFKD", normalize("NFKC", name).partition("<")[0] or name).casefold()
    letters = "".join(char for char in read.translate(_DRAWN_LIKE) if category(char)[0] in "LN")
    for two, one in _TWO_AS_ONE:
        letters = letters.replace(two, one)
    return letters or " ".join(read.split())


def reading(name: str) -> tuple[frozenset[str], str]:
    """The words of a name in any order, and all its letters together; names are compared by both."""
    bare = normalize("NFKC", name).partition("<")[0] or name
    words = [one for one in (skeleton(part) for part in _BREAK.split(bare)) if one.strip()]
    return frozenset(words), skeleton(name)


def _look_alike(one: str, other: str) -> bool:
    (words, letters), (others, other_letters) = reading(one), reading(other)
    return words == others or (letters == other_letters and min(len(words), len(others)) <= 1)


def are_alike(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether any name of one person looks like one of the other's."""
    others = tuple(other)
    return any(_look_alike(name, another) for name in one for another in others)


def look_alikes(name: str, known_as: Iterable[str], enrolled: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The people enrolled under another name that looks like this one's, or like one of their logins."""
    own = (name, *known_as)
    return tuple(sorted(other for other, names in enrolled.items() if other != name and are_alike(own, names)))


def folded(text: str) -> str:
    """A text with look-alike letters, width forms and other digits in ASCII, and nothing invisible.

    ASCII and signs such as − and ½ stay.
    """
    return "".join(char if char.isascii() else _ascii(char) for char in text)


def _ascii(char: str) -> str:
    kind = category(char)
    if kind in {"Cf", "Mn", "Me"}:
        return ""
    if kind == "Zs":
        return " "
    if kind in {"Nd", "No"} and char not in "¹²³" and (value := digit(char, None)) is not None:
        return str(value)
    if kind[0] != "L" and east_asian_width(char) not in {"F", "H"} and not normalize("NFKD", char).isalpha():
        return char
    bare = "".join(one for one in normalize("NFKD", char) if category(one) != "Mn")
    return bare if bare.isascii() else bare.casefold().translate(_DRAWN_LIKE)
