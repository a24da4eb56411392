"""demo: the main job on real market data."""

from pathlib import Path
from typing import Annotated

import typer
from rich.panel import Panel
from rich.table import Table

from signoff.adapters.clocks import SimulatedClock
from signoff.cli.session import Session
from signoff.config.settings import settings
from signoff.domain.events import ActorProof
from signoff.domain.venue import VenueKind
from signoff.installation import Installation


def add_to(app: typer.Typer) -> None:
    """Register this command."""
    app.command()(demo)


def demo(
    context: typer.Context,
    out: Annotated[Path, typer.Option("--out", help="The folder to write.")] = Path("demo-output"),
) -> None:
    """The main job from candidate to rollback, on real data; an interrupted run continues where it was.

    Example: `signoff demo --out demo-output`
    """
    from signoff.demo.example import SUBMITTED_AT, prepare  # noqa: PLC0415 - it makes models, which loads slowly
    from signoff.demo.page import write_pages  # noqa: PLC0415 - as above
    from signoff.demo.story import DemoStory, timeline  # noqa: PLC0415 - as above

    session: Session = context.obj
    console = session.console
    clock = SimulatedClock(SUBMITTED_AT)
    registered = settings(home=str(out / "home"), actor="demo", venue=VenueKind.SIMULATED.value)
    house = Installation(registered, clock, session.undertakings, ActorProof.UNAUTHENTICATED)
    console.print(
        Panel(
            "Real: prices of 20 S&P 500 stocks, models, every configuration tried, statistics, registry, signatures, "
            "ledger.\nSimulated: the six people and their keys, paper fills, the venue, and the clock, which runs "
            "through 2019 and 2020.",
            title="Signoff: from candidate to production and back",
            border_style="#1f4e79",
        )
    )
    with session.progress() as report:
        example = prepare(house.settings, out, report)
        story = DemoStory(house=house, example=example, console=console, set_time=clock.set, progress=report)
        state = story.tell()
        report("writing the pages", 0, 1)
        pages = write_pages(house, example, state, out)
    table = Table("When (UTC)", "Who", "What", box=None, pad_edge=False)
    for when, who, what in timeline(house.record, state):
        table.add_row(when, who, what)
    console.print()
    console.print(table)
    console.print(f"\nLook at {pages} first, then {out / 'memo' / 'deployment_memo.pdf'}.")
    for command in ("status", f"history {state.model}", "verify"):
        console.print(f"  signoff {command} --home {out / 'home'}")
    if session.is_json:
        session.answer(
            {
                "deployment": state.id,
                "state": state.state.value,
                "out": str(out),
                "rollback": None if state.rollback is None else state.rollback.trigger,
            }
        )
