"""The registered version that a release is bound to, and the run that made each part of its evidence.

A table from the experiment tracker names its runs, which are compared with the run of the registered version. A table
from a file names no run, so its maker is declared.
"""

from typing import Final

from signoff.domain.artifacts import NO_REGISTRY, NOT_REGISTERED
from signoff.domain.evidence import Evidence
from signoff.domain.memo.document import Align, Block, Cell, Column, Fields, Mark, Table
from signoff.domain.memo.markup import ABSENT, lead_in

DECLARED: Final = "declared"
MADE: Final = (("Backtest", "backtest"), ("Predictions", "predictions"), ("Paper log", "paper"))
MOST_ROWS: Final = 40


def bound_artifacts(evidence: Evidence) -> tuple[Block, ...]:
    """The registered version by number and digest, its files, and what made the evidence."""
    candidate = evidence.candidate
    if candidate is None or candidate.pin is None:
        why = NOT_REGISTERED if evidence.has_registry else NO_REGISTRY
        unbound = Cell(f"artefacts not bound: {why}", mark=Mark.NOT_EVIDENCED)
        blocks: tuple[Block, ...] = (Fields((("Registered version", unbound),)),)
    else:
        files = candidate.pin.files
        more = len(files) - MOST_ROWS
        alone = {file.path for file in candidate.pin.by_digest_alone}
        columns = (Column("File"), Column("Bytes", Align.RIGHT), Column("SHA-256"), Column("In the package"))
        rows = tuple(
            (
                Cell(file.path),
                Cell(f"{file.size:,}", is_figure=True),
                Cell(file.sha256),
                Cell("digest alone" if file.path in alone else "bytes"),
            )
            for file in files[:MOST_ROWS]
        )
        caption = f"{more} further files are in the manifest." if more > 0 else ""
        blocks = (Fields((("Registered version", Cell(candidate.pin.words)),)), Table(columns, rows, caption))
    makers = Fields(tuple((title, made_by(evidence, name)) for title, name in MADE))
    return (*blocks, lead_in("Evidence Made By"), makers)


def made_by(evidence: Evidence, name: str) -> Cell:
    """The run that made a table, as far as the tracker says."""
    if getattr(evidence, name) is None:
        return ABSENT
    ids = next((table.ids for table in evidence.tracked if table.name == name), ())
    if not ids:
        return Cell(DECLARED)
    named = f"run {', '.join(ids)}"
    if evidence.candidate is None:
        return Cell(f"{named}; that it is the version's is {DECLARED}: no registered version to compare with")
    if set(ids) == {evidence.candidate.run_id}:
        return Cell(f"{named}, the run of the registered version")
    return Cell(f"{named}, not the run of the registered version ({evidence.candidate.run_id})", mark=Mark.FAIL)
