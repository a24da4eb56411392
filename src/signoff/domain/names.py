"""What may be a name: of a model, of a release, of a person.

Whoever calls something by its name parses it here, before anything is looked up: a control character, which no database
keeps and no log shows, is refused with what to do about it, and is never searched for in vain.
"""

import re
from typing import Final

from signoff.domain.errors import BadInputError

MOST: Final = 200
# Controls of both ASCII and Latin-1, and halves of surrogate pairs: what a broken encoding leaves behind.
_NEVER: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
PATTERN: Final = r"^[^\x00-\x1f\x7f-\x9f]+$"


def named(text: str) -> str:
    """The name; BadInputError for what cannot be one."""
    if 0 < len(text) <= MOST and _NEVER.search(text) is None:
        return text
    found = f"{len(text)} characters" if len(text) > MOST else repr(text)
    raise BadInputError(
        f"Expected a name of 1 to {MOST} characters without control characters, found {found}. Give it as `signoff "
        "status` lists it."
    )


def written_out(text: str) -> str:
    """A name with what no name may hold written as escapes, for a record that must tell of it all the same."""
    return _NEVER.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
