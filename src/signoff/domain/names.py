"""What models and versions may be called: their names become folders, addresses and arguments of commands."""

import re
from typing import Final

MOST: Final = 100
_NAME: Final = re.compile(r"[^\W_][\w .:+@-]*")


def name_objection(name: str) -> str | None:
    """What keeps this from being the name of a model or version; None when nothing does."""
    if len(name) > MOST:
        return f"expected at most {MOST} characters, found {len(name)}; shorten it"
    if not _NAME.fullmatch(name) or name != name.strip():
        return (
            f"expected letters, digits and . : _ + @ - or blanks between them, beginning with a letter or digit, found "
            f"{name!r}; it names folders and addresses"
        )
    return None
