"""status, history: where things stand, and who did what."""

from typing import Annotated

import typer
from rich.table import Table

from signoff.app.record import deployment_stream, model_stream
from signoff.cli.session import Session
from signoff.domain.deployment import Deployment
from signoff.domain.events import Recorded
from signoff.rendering.story import sentence


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(status)
    app.command()(history)


def status(
    context: typer.Context,
    identity: Annotated[str | None, typer.Argument(help="One deployment; default all.")] = None,
) -> None:
    """Where things stand. Example: `signoff status`"""
    session: Session = context.obj
    record = session.house.record
    found = (record.deployment(identity),) if identity else record.deployments()
    document: dict[str, object] = {
        "deployments": [_document(state) for state in found],
        "flags": {m: dict(record.flags(m).as_keys()) for m in sorted({d.model for d in found})},
    }
    if not found:
        session.answer(document, "No release yet. Begin with: signoff init MODEL VERSION")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("Deployment", min_width=max(len(state.id) for state in found))
    for title in ("State", "Days", "Capital", "Waits for"):
        table.add_column(title)
    for state in found:
        table.add_row(state.id, state.state.value, str(state.phase_days), f"{state.allocation_pct}%", _waiting(state))
    session.answer(document, table)


def history(
    context: typer.Context, model: Annotated[str, typer.Argument(help="The model, or one deployment's id.")]
) -> None:
    """Who did what, in the ledger's order. Example: `signoff history momentum`"""
    session: Session = context.obj
    record = session.house.record
    streams = {deployment_stream(d.id) for d in record.deployments() if model in {d.model, d.id}} | {
        model_stream(model)
    }
    events = tuple(r for r in record.history() if r.stream in streams)
    session.answer(
        {"history": [_event_document(r) for r in events]},
        *(f"{r.at:%Y-%m-%d %H:%M:%S}Z  {r.actor:<18.18}  {sentence(r.event)}" for r in events),
        *(() if events else (f"Nothing on record for {model}. `signoff status` lists what there is.",)),
    )


def _document(state: Deployment) -> dict[str, object]:
    return {
        "deployment": state.id,
        "model": state.model,
        "version": state.version,
        "state": state.state.value,
        "phase_days": state.phase_days,
        "allocation_pct": state.allocation_pct,
        "waits_for": _waiting(state),
        "revision": state.revision,
        "pause_reasons": [reason.value for reason in state.pause_reasons],
    }


def _waiting(state: Deployment) -> str:
    match state.state.value:
        case "validated":
            return f"override of {', '.join(state.blocking)}"
        case "awaiting_approval":
            return ", ".join(role.value for role in state.missing_roles)
        case "approved":
            return "; ".join(c.text for c in state.open_conditions) or "start"
        case "shadow" | "limited":
            return "; ".join(state.unmet) or "advance"
        case _:
            return ""


def _event_document(recorded: Recorded) -> dict[str, object]:
    return {
        "at": recorded.at.isoformat(),
        "actor": recorded.actor,
        "stream": recorded.stream,
        "kind": recorded.event.kind,
        "what": sentence(recorded.event),
    }
