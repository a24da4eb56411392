"""Resolves a `.link` file in the experiment tracker: the target is fetched once and kept with the submission.

    mlflow:RUN_ID/path/to/table.parquet [sha256:DIGEST]
    mlflow-children:RUN_ID
    mlflow-experiment:NAME

The first names one file of one run. The others name a family of trials: every run started under RUN_ID, or every run
of an experiment.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from signoff.adapters.evidence.family import family_of, leaves
from signoff.adapters.evidence.file_formats import MAX_BYTES, SUFFIXES, suffix_of
from signoff.adapters.evidence.tables import EvidenceTable, read_bytes, table_of
from signoff.domain.errors import BadInputError, SignoffError
from signoff.domain.evidence import TrackedTable
from signoff.ledger.canonical import canonical, digest
from signoff.ports.runs import Runs

LINK: Final = ".link"
FETCHED: Final = "fetched"
_FILE: Final = re.compile(r"mlflow:(?P<run>[\w-]+)/(?P<path>[^\s]+)(?:\s+sha256:(?P<sha>[0-9a-f]{64}))?")
_FAMILY: Final = re.compile(r"mlflow-(?P<kind>children|experiment):(?P<of>\S.*)")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A table from the tracker, and the files that freeze it: its bytes and its origin."""

    table: EvidenceTable
    files: Mapping[str, bytes]
    tracked: TrackedTable


def fetch(link: Path, text: bytes, runs: Runs | None) -> Fetched:
    """Fetch the present target of a pointer."""
    pointer = text[:2000].decode(errors="replace").strip()
    one, family = _FILE.fullmatch(pointer), _FAMILY.fullmatch(pointer)
    is_table = one is not None and ".." not in one["path"].split("/") and suffix_of(one["path"]) != ""
    if not is_table and not (family is not None and link.stem == "trials"):
        raise BadInputError(
            f"{link}: expected one line mlflow:RUN_ID/path to a {', '.join(SUFFIXES)} file (for trials also "
            f"mlflow-children:RUN_ID or mlflow-experiment:NAME), found {pointer[:60]!r}. "
            "Correct the pointer, or put the table itself into the folder."
        )
    if runs is None:
        raise BadInputError(
            f"{link}: expected a model registry to fetch {pointer} from, found none connected. Connect it with "
            "--registry, or put the table itself into the folder."
        )
    try:
        if one is not None:
            return _one(link, runs, one)
        assert family is not None
        return _family(link, runs, family["kind"], family["of"])
    except SignoffError as error:
        raise BadInputError(f"{link}: expected to fetch {pointer}, and cannot: {error}") from error


def kept(link: Path) -> Fetched:
    """The table as fetched at submission, from the files that froze it."""
    folder = link.parent / FETCHED
    tables = [path for suffix in SUFFIXES if (path := folder / f"{link.stem}{suffix}").is_file()]
    note = folder / f"{link.stem}.json"
    if len(tables) != 1 or not note.is_file():
        raise BadInputError(
            f"{folder}: expected the table that {link.name} named when it was submitted, found none. Submit it again."
        )
    content = read_bytes(tables[0], link.parent)
    name = f"{FETCHED}/{tables[0].name}"
    noted = read_bytes(note, link.parent)
    files = {name: content, f"{FETCHED}/{note.name}": noted}
    return Fetched(table_of(content, name, str(tables[0])), files, _tracked(link.stem, note, noted))


def _one(link: Path, runs: Runs, match: re.Match[str]) -> Fetched:
    content = runs.content(match["run"], match["path"], limit=MAX_BYTES)
    sha256 = digest(content)
    if match["sha"] is not None and match["sha"] != sha256:
        raise BadInputError(f"expected the sha256 {match['sha']}, found {sha256}. It is no longer what was pointed at.")
    name = f"{FETCHED}/{link.stem}{suffix_of(match['path'])}"
    run = {"run": match["run"], "artifact": match["path"], "sha256": sha256, "users": [*runs.run(match["run"]).users]}
    note = {"table": sha256, "runs": [run]}
    where = f"{link.name} ({match['path']} of run {match['run']})"
    return _frozen(link, content, name, where, note)


def _family(link: Path, runs: Runs, kind: str, of: str) -> Fetched:
    tried = runs.children(of) if kind == "children" else leaves(runs.of_experiment(of))
    family = family_of(tried, runs)
    note: dict[str, object] = {
        "table": digest(family.content),
        "runs": [
            {
                "run": member.run.id,
                "name": member.run.name,
                "column": member.column,
                "parameters": dict(member.run.parameters),
                "artifact": member.artifact,
                "sha256": member.sha256,
                "users": list(member.run.users),
            }
            for member in family.members
        ],
        "run_again": [
            {"run": failed.id, "as": again.id, "users": list(failed.users)} for failed, again in family.run_again
        ],
    }
    return _frozen(link, family.content, f"{FETCHED}/{link.stem}.parquet", f"{link.name} ({kind} of {of})", note)


def _frozen(link: Path, content: bytes, name: str, shown: str, note: Mapping[str, object]) -> Fetched:
    where, noted = f"{FETCHED}/{link.stem}.json", canonical(dict(note))
    files = {name: content, where: noted}
    return Fetched(table_of(content, name, shown), files, _tracked(link.stem, Path(where), noted))


def _tracked(name: str, where: Path, note: bytes) -> TrackedTable:
    """The runs and users of a table, by its note; notes of an older Signoff name no users."""
    try:
        fetched = json.loads(note)
        makers = [run.get("users", []) for run in (*fetched["runs"], *fetched.get("run_again", []))]
        ids = tuple(str(run["run"]) for run in fetched["runs"])
        users = Counter(str(user) for run in makers for user in run)
        ids = tuple(str(run["run"]) for run in fetched["runs"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInputError(
            f"{where}: expected the note of what was fetched, found another text. Submit again."
        ) from error
    return TrackedTable(name=name, runs=len(makers), users=dict(users), unnamed=sum(not run for run in makers), ids=ids)
