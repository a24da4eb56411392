"""replay: replays the whole history of a release's features; `check` only samples dates."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from signoff.adapters.documents import load_dossier
from signoff.cli.session import Session
from signoff.domain.errors import BadInputError

if TYPE_CHECKING:
    from signoff.pit import PitReport

Folders = Annotated[list[Path], typer.Argument(help="Dossier folders; several versions over the same inputs at once.")]


def add_to(app: typer.Typer) -> None:
    """Register this command."""
    app.command()(replay)


def replay(
    context: typer.Context,
    folders: Folders,
    dates: Annotated[int, typer.Option(min=1, help="How many dates to recompute, spread over the history.")] = 1000,
    journal: Annotated[Path | None, typer.Option(help="Remember finished dates here; a rerun does the rest.")] = None,
    cluster: Annotated[str | None, typer.Option(help="A Dask scheduler, e.g. tcp://host:8786; default here.")] = None,
    dates_per_chunk: Annotated[int, typer.Option(min=1, help="Dates that a worker takes at a time.")] = 8,
    symbols_per_chunk: Annotated[int | None, typer.Option(min=1, help="Replay groups of symbols apart.")] = None,
) -> None:
    """Recompute features on many dates with the future removed and scrambled. Exit 0 when none moved, else 1.

    Example: `signoff replay release --dates 5000 --journal replay.journal --cluster tcp://127.0.0.1:8786`
    """
    from signoff.adapters.feature_replay import FullReplay, replay_folders  # noqa: PLC0415 - it reads tables

    session: Session = context.obj
    named = {str(folder): folder for folder in folders}
    declared = {name: (folder, load_dossier(folder).value.validation.pit) for name, folder in named.items()}
    how = FullReplay(
        dates=dates,
        dates_per_chunk=dates_per_chunk,
        symbols_per_chunk=symbols_per_chunk,
        cluster=cluster,
        journal=journal,
    )
    with session.progress() as report:
        report("replaying features", 0, 1)
        reports = replay_folders(
            declared,
            how,
            lambda done, total: report("replaying features", done, total),
            session.house.sandbox,
        )
    if any(one.dates_checked < 1 or one.features_checked < 1 for one in reports.values()):
        raise BadInputError(
            "Nothing could be compared: no feature has a value on any of the dates. Look at the inputs."
        )
    document = {name: _document(one) for name, one in reports.items()}
    session.answer({"versions": document}, *(part for name, one in reports.items() for part in _lines(name, one)))
    raise typer.Exit(1 if any(reports.values()) else 0)


def _document(report: "PitReport") -> dict[str, object]:
    return {
        "passed": not report,
        "dates_checked": report.dates_checked,
        "features_checked": report.features_checked,
        "unchecked_features": list(report.unchecked_features),
        "seed": report.seed,
        "findings": [
            {
                "feature": f.feature,
                "kind": f.kind,
                "first_date": str(f.first_date),
                "size": f.size,
                "n": f.n,
                "of": f.of,
                "detail": f.detail,
            }
            for f in report
        ],
    }


def _lines(name: str, report: "PitReport") -> tuple[object, ...]:
    summary = f"{name}: {report.features_checked} features on {report.dates_checked} dates, {len(report)} moved."
    if not report:
        return (Text(summary, style="bold green"),)
    table = Table("Feature", "Kind", "First date", "Size", "On", "What was seen")
    for f in report:
        table.add_row(f.feature, f.kind, str(f.first_date), f"{f.size:.3g}", f"{f.n:,} of {f.of:,}", f.detail)
    return (Text(summary, style="bold red"), table)
