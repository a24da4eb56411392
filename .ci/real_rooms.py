"""Does this change touch what the tests marked `real` test? Exit code 0: run them. 3: no file of it does.

A room is a folder whose modules a real test imports, by itself or by a module of tests/support, with all that lies
below it. The domain and the package's own folder hold most of the code; there the room is the folder alone, so that
a change of a gate starts no database. What pins and builds the suite is a room of its own.

The change is every path that differs from the base: CI_BASE, else the last commit that is also in origin/main. Where
the base is unknown, or is HEAD itself, the tests run.
"""

import ast
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SUPPORT = Path("tests/support")
# The modules of tests/support that start a component over 100 MB.
STARTERS = frozenset({"browser", "postgres", "tracking_server"})
ALWAYS = (".ci/", "Makefile", "pyproject.toml", "requirements/", "tests/conftest.py", "tests/support/real.py")
SHALLOW = (Path("src/signoff"), Path("src/signoff/domain"))
RUN, PASS_OVER = 0, 3
NAMED = 5


class NoBaseError(Exception):
    """Nothing says which commit the change started from."""


def imported(path: Path) -> Iterator[str]:
    """The modules that a file may import, by their full names."""
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def real_tests() -> list[Path]:
    """The files of the tests that start a large component."""
    files = sorted(path.relative_to(ROOT) for path in (ROOT / "tests").rglob("test_*.py"))
    return [path for path in files if STARTERS & set(imported(path))]


def with_supports(tests: Iterable[Path]) -> set[Path]:
    """These files and the modules that they import from tests/support and from their own folder."""
    found, waiting = set[Path](), list(tests)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        beside = [path.parent / "conftest.py"]
        beside += [folder / f"{name}.py" for name in imported(path) for folder in (SUPPORT, path.parent)]
        waiting += [each for each in beside if (ROOT / each).is_file()]
    return found


def room_of(module: str) -> Path | None:
    """The folder in which a module of the product lies; nothing where the name is no module of it."""
    place = Path("src", *module.split("."))
    if (ROOT / place).is_dir():
        return place
    return place.parent if (ROOT / place).with_suffix(".py").is_file() else None


def rooms(files: Iterable[Path]) -> set[Path]:
    names = {name for path in files for name in imported(path) if name.partition(".")[0] == "signoff"}
    return {room for name in names if (room := room_of(name)) is not None}


def touched(changed: Iterable[str]) -> list[str]:
    """The changed paths that matter to a real test."""
    files = with_supports(real_tests())
    inside = rooms(files)

    def matters(name: str) -> bool:
        path = Path(name)
        deep = any(room in path.parents for room in inside if room not in SHALLOW)
        return deep or path.parent in inside or path in files or name.startswith(ALWAYS)

    return sorted(name for name in changed if matters(name))


def git(*line: str) -> str:
    done = subprocess.run(["git", *line], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoBaseError(f"git {' '.join(line)}: {done.stderr.strip() or done.returncode}")
    return done.stdout


def base() -> tuple[str, str]:
    """The commit that the change started from, and where its name comes from."""
    if named := os.environ.get("CI_BASE", "").strip():
        return git("rev-parse", "--verify", "--end-of-options", f"{named}^{{commit}}").strip(), "CI_BASE"
    return git("merge-base", "HEAD", "refs/remotes/origin/main").strip(), "the merge base with origin/main"


def changed_since(commit: str) -> list[str]:
    """The paths that differ from a commit, with those that git does not know yet."""
    differing = git("diff", "--name-only", "--no-renames", "-z", commit, "--")
    unknown = git("ls-files", "--others", "--exclude-standard", "-z")
    return sorted({path for path in (differing + unknown).split("\0") if path})


def decide() -> tuple[int, str]:
    try:
        commit, source = base()
        if commit == git("rev-parse", "HEAD").strip():
            return RUN, f"the base ({source}) is HEAD itself, so nothing says what has changed"
        changed = changed_since(commit)
    except NoBaseError as error:
        return RUN, f"the commit that the change started from is unknown ({error}); set CI_BASE to it"
    since = f"{len(changed)} changed files since {commit[:12]} ({source})"
    if matter := touched(changed):
        more = f" and {len(matter) - NAMED} more" if len(matter) > NAMED else ""
        return RUN, f"of {since}, {len(matter)} are in the rooms of its tests: {', '.join(matter[:NAMED])}{more}"
    return PASS_OVER, f"of {since}, none is in a room of its tests"


def main(arguments: list[str]) -> int:
    if arguments == ["--tests"]:
        print(*real_tests())
        return RUN
    if arguments:
        print(f"expected --tests or nothing, found {' '.join(arguments)}", file=sys.stderr)
        return 2
    code, reason = decide()
    print(f"make test-real {'runs' if code == RUN else 'does not run'}: {reason}.", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
