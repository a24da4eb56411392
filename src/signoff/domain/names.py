"""What may be a name.

Every name is parsed here before anything is looked up: a control character, which no database keeps and no log shows,
is refused with what to do. New models and versions have stricter rules, since their names become folders, addresses and
arguments of commands.
"""

import re
from typing import Final

from signoff.domain.errors import BadInputError

MOST: Final = 200
MOST_OF_MODELS: Final = 100
# Controls of both ASCII and Latin-1, and halves of surrogate pairs: what a broken encoding leaves behind.
NEVER: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
PATTERN: Final = r"^[^\x00-\x1f\x7f-\x9f]+$"
_MODEL: Final = re.compile(r"[^\W_][\w .:+@-]*")


def named(text: str) -> str:
    """The name; BadInputError if it is invalid."""
    if 0 < len(text) <= MOST and NEVER.search(text) is None:
        return text
    fault = f"{len(text)} characters" if len(text) > MOST else repr(text)
    raise BadInputError(
        f"Expected a name of 1 to {MOST} characters without control characters, found {fault}. Give it as `signoff "
        "status` lists it."
    )


def written_out(text: str) -> str:
    """A name with forbidden characters as escapes, for a record that has to mention it."""
    return NEVER.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def name_objection(name: str) -> str | None:
    """Why this cannot be the name of a new model or version; None if it can."""
    if len(name) > MOST_OF_MODELS:
        return f"expected at most {MOST_OF_MODELS} characters, found {len(name)}; shorten it"
    if not _MODEL.fullmatch(name) or name != name.strip():
        return (
            f"expected letters, digits and . : _ + @ - or blanks between them, beginning with a letter or digit, found "
            f"{name!r}; it names folders and addresses"
        )
    return None
