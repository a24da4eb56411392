"""The page of the house names every room, and every arrow between rooms, as the imports have them."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "signoff"
PAGE = (ROOT / "docs" / "architecture.md").read_text()
SMALL = {"__init__", "__main__"}


def room_of(name):
    """The first part of a module's name beneath the package, "" for the package itself."""
    return name.removeprefix("signoff").lstrip(".").partition(".")[0]


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "signoff":
            yield from (
                [f"signoff.{alias.name}" for alias in node.names] if node.module == "signoff" else [node.module]
            )
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "signoff")


def arrows():
    """Each room with the rooms that it imports."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).with_suffix("").parts[0]
        others = {room_of(name) for name in imported(path)} - {room, ""}
        found.setdefault(room, set()).update(other for other in others if not other.startswith("__"))
    return {room: others for room, others in found.items() if room not in SMALL}


def table(heading):
    """The first two cells of each row of the table under a heading."""
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {row[0].strip(" `"): row[1] for row in rows}


def test_every_room_stands_on_the_page():
    folders = {str(path.parent.relative_to(PACKAGE)) for path in PACKAGE.rglob("__init__.py")} - {"."}
    assert sorted(folders - set(table("Rooms"))) == []


def test_every_row_is_a_room():
    there = {path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*")}
    assert sorted(set(table("Rooms")) - there) == []


def test_every_arrow_between_rooms_stands_on_the_page_and_no_other():
    written = {room: set(re.findall(r"`(\w+)`", cell)) for room, cell in table("Arrows").items()}
    assert written == {room: others for room, others in arrows().items() if others}
