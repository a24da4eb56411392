"""status, history: the present state, and who did what."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer
from rich.table import Table

from signoff import __version__
from signoff.cli.session import Session, a_name, rows
from signoff.domain.deployment import LIVE, State
from signoff.domain.errors import NotFoundError
from signoff.domain.events import ActorProof
from signoff.domain.recognition import Recognition, recognition
from signoff.verbs.looks import Looks
from signoff.verbs.release_documents import Document

if TYPE_CHECKING:
    from signoff.verbs.catalogue import Verbs

MOST_PAGES: Final = 50
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.command()(status)
    app.command()(history)
    app.command()(version)


def version() -> None:
    """Print the version of Signoff."""
    print(__version__)  # noqa: T201


def status(
    context: typer.Context,
    deployment_id: Annotated[str | None, typer.Argument(help="One deployment; default all.", callback=a_name)] = None,
    model: Annotated[str | None, typer.Option("--model", help="Only releases of this model.", callback=a_name)] = None,
    state: Annotated[State | None, typer.Option("--state", help="Only releases in this state.")] = None,
    after: Annotated[str | None, typer.Option("--after", help="Go on after this deployment.", callback=a_name)] = None,
    limit: Limit = 100,
) -> None:
    """Where things stand. Example: `signoff status --model momentum`"""
    session: Session = context.obj
    if deployment_id:
        one = session.looks.deployment(deployment_id)
        of_model = str(one["model"])
        of_its_model = session.looks.deployments(model=of_model, limit=1)
        document: Document = {
            "deployments": [one],
            "flags": {of_model: one["flags"]},
            "versions": {of_model: one.get("versions", {})},
            "registry": of_its_model.get("registry", {}),
            "killed": of_its_model.get("killed", {}),
            "next": None,
            "observing": one.get("observing"),
        }
    else:
        document = session.looks.deployments(model=model, state=state, after=after, limit=limit or 100)
    releases = rows(document, "deployments")
    killed_there = cast("Mapping[str, str]", document.get("killed") or {})  # an older server does not say
    killed = tuple(f"KILLED: {name}, by {why}" for name, why in killed_there.items())
    if not releases:
        if model is not None and state is None and after is None and model not in killed_there:
            _refuse_unknown(session, model)
        session.answer(document, *killed, "No release yet. Begin with: signoff init MODEL VERSION")
        return
    table = Table(box=None, pad_edge=False)
    table.add_column("Deployment", min_width=max(len(d["deployment"]) for d in releases))
    for title in ("State", "Days", "Capital", "Waits for"):
        table.add_column(title)
    for d in releases:
        table.add_row(d["deployment"], d["standing"], str(d["phase_days"]), f"{d['allocation_pct']}%", d["waits_for"])
    further = document["next"]
    stuck = (f"{d['deployment']} is stuck: {d['stuck_because']}" for d in releases if d.get("stuck_because"))
    restored = (
        f"{d['deployment']} restored digest sha256:{d['restored_digest']}" for d in releases if d.get("restored_digest")
    )
    bound = (
        f"{d['deployment']}: {artifacts['words']}"
        for d in releases
        if deployment_id and (artifacts := d.get("artifacts"))
    )
    found_there = cast("Mapping[str, list[str]]", document.get("registry") or {})  # an older server does not say
    registry_lines = (f"Registry: {text}." for texts in found_there.values() for text in texts)
    session.answer(
        document,
        table,
        *killed,
        *stuck,
        *restored,
        *bound,
        *registry_lines,
        *_unobserved(document),
        *((f"There is more: signoff status --after {further}",) if further else ()),
    )


def history(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="The model, or one deployment's id.", callback=a_name)],
    limit: Limit = None,
) -> None:
    """Who did what, in the ledger's order.

    A name given on the machine itself is marked [unauthenticated], since it was not checked.

    Example: `signoff history momentum`
    """
    session: Session = context.obj
    document = session.looks.history(model, limit=limit)
    events = rows(document, "history")
    session.answer(
        document,
        *(f"{_moment(e['at'])}  {e['actor']:<18.18}  {e['what']}{_proof(e)}" for e in events),
        *(() if events else (f"Nothing on record for {model}. `signoff status` lists what there is.",)),
    )


def _proof(event: Mapping[str, object]) -> str:
    """The mark of an unchecked name; an older server does not send it."""
    return "  [unauthenticated]" if event.get("proof") == ActorProof.UNAUTHENTICATED.value else ""


def _unobserved(document: Document) -> tuple[str, ...]:
    """A warning that live releases are not observed; an older server does not send it."""
    is_live = any(d["state"] in {state.value for state in LIVE} for d in rows(document, "deployments"))
    if not is_live or document.get("observing") is not False:
        return ()
    return (
        "Not observed: no worker observes the sessions of live releases here, so that silence cuts no capital and no "
        "trigger acts. `signoff worker --watch` does.",
    )


def _moment(text: str) -> str:
    return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S}Z"


def _refuse_unknown(session: Session, model: str) -> None:
    """Refuse an unknown model if other models are known; a rehearsed one has no release yet."""
    looks = session.looks
    recognition = looks.house.record.recognised(model) if isinstance(looks, Looks) else _recognised(looks, model)
    if recognition.is_known is False and recognition.models:
        near = f" Nearest names: {', '.join(recognition.nearest)}." if recognition.nearest else ""
        raise NotFoundError(
            f"Expected a model on record, found none by the name {model!r}.{near} `signoff status` lists them all."
        )


def _recognised(verbs: "Verbs", model: str) -> Recognition:
    """Whether a name is known, by a server's releases."""
    models: dict[str, str] = {}
    after: str | None = None
    for _ in range(MOST_PAGES):
        page = verbs.deployments(after=after)
        models |= {str(one["deployment"]): str(one["model"]) for one in rows(page, "deployments")}
        if (after := page["next"]) is None:
            break
    return recognition(model, models)
