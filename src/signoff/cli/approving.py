"""people, submit, override, approve, reject, meet, adopt: the approval round."""

from pathlib import Path
from typing import Annotated, Final

import typer

from signoff.adapters.signing_keys import KeyFile
from signoff.cli.checking import Folder
from signoff.cli.session import Session, a_name, rows
from signoff.domain.deployment import State
from signoff.domain.policy import Role
from signoff.verbs.documents import Document

Identity = Annotated[str, typer.Argument(help="The deployment's id, as `signoff status` lists it.", callback=a_name)]
Revision = Annotated[
    int | None,
    typer.Option(
        "--revision", min=0, help="The revision decided on, as `signoff status --json` tells it; else refused."
    ),
]
InRole = Annotated[Role, typer.Option("--role", help="The role signed in.")]
Key = Annotated[Path | None, typer.Option("--key", help="The private key; default <home>/keys/<person>.pem.")]
FirmPolicy = Annotated[
    Path | None,
    typer.Option("--policy", help="Refused unless it equals the installation's policy."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is printed and kept.")]

EDITIONS: Final = ("approved", "submitted")
people_app = typer.Typer(name="people", help="Who may sign in which role.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(people_app)
    for command in (submit, override, approve, reject, meet, adopt):
        app.command()(command)


@people_app.command("add")
def add_person(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The person's name, as the dossier writes it.")],
    role: Annotated[list[Role], typer.Option("--role", help="A role; repeat for several.")],
    key: Key = None,
    login: Annotated[
        list[str] | None,
        typer.Option("--login", help="What git or MLflow calls them; may repeat."),
    ] = None,
) -> None:
    """Enrol a person: makes their key unless there is one, and records the public half.

    Example: `signoff people add "R. Moreau" --role risk_manager --login rmoreau --login r.moreau@example.com`
    """
    session: Session = context.obj
    path = key or session.key_path(name)
    held = KeyFile.held(path)
    logins = tuple(dict.fromkeys(login or ()))
    document = session.verbs.enrol(name, tuple(role), key_id=held.key_id, public_key=held.public_key, logins=logins)
    done = f"{name} may sign as {', '.join(role)}; the private key is {path} (key id {held.key_id[:16]}…)."
    if "proposal" in document:
        done = (
            f"proposed {document['proposal']}: {document['says']}. A second person confirms; the private key is {path}."
        )
    session.answer({**document, "key": str(path)}, done)


@people_app.command("list")
def list_people(context: typer.Context) -> None:
    """List who may sign. Example: `signoff people list`"""
    session: Session = context.obj
    document = session.verbs.people()
    known = rows(document, "people")
    session.answer(
        document,
        *(f"{p['name']}: {', '.join(p['roles'])} (key {p['key_id'][:16]}…)" for p in known),
        *(() if known else ("Nobody yet. Enrol with: signoff people add NAME --role ROLE",)),
    )


def submit(context: typer.Context, directory: Folder, policy: FirmPolicy = None) -> None:
    """Open a release, run the gates, issue the memo for signature; prints the deployment id.

    Example: `signoff submit release --as "Q. Researcher"`
    """
    session: Session = context.obj
    with session.progress() as report:
        document = session.verbs.submit(directory, policy, report)
    _answer(session, document)
    raise typer.Exit(0 if document["state"] == State.AWAITING_APPROVAL.value else 1)


def override(
    context: typer.Context,
    identity: Identity,
    role: InRole,
    reason: Reason,
    key: Key = None,
    revision: Revision = None,
) -> None:
    """Take responsibility for the gates that block; the last signature needed issues the memo.

    Example: `signoff override momentum-2.0.0-1a2b3c4d --role cto --reason "capped at 10%, reviewed daily"`
    """
    session: Session = context.obj
    _answer(session, session.at(identity, revision).override(identity, session.hand(role, key), reason=reason))


def approve(
    context: typer.Context,
    identity: Identity,
    role: InRole,
    condition: Annotated[list[str] | None, typer.Option("--condition", help="Approve only if …; may repeat.")] = None,
    key: Key = None,
    revision: Revision = None,
) -> None:
    """Sign the manifest in a role.

    Example: `signoff approve momentum-2.0.0-1a2b3c4d --role risk_manager --condition "daily review in limited phase"`
    """
    session: Session = context.obj
    document = session.at(identity, revision).approve(
        identity, session.hand(role, key), conditions=tuple(condition or ())
    )
    signed = (s for s in rows(document, "approvals") if s["role"] == role.value)
    _answer(
        session,
        document,
        *(f"the signature of {s['person']} as {s['role']} stands, signed {s['signed_at'][:19]}Z" for s in signed),
    )


def reject(
    context: typer.Context,
    identity: Identity,
    role: InRole,
    reason: Reason,
    key: Key = None,
    revision: Revision = None,
) -> None:
    """End a release before its rollout; it sticks.

    Example: `signoff reject momentum-2.0.0-1a2b3c4d --role compliance --reason "algo registration missing"`
    """
    session: Session = context.obj
    _answer(session, session.at(identity, revision).reject(identity, session.hand(role, key), reason=reason))


def meet(
    context: typer.Context,
    identity: Identity,
    role: InRole,
    condition: Annotated[str, typer.Option("--condition", help="The condition, in its own words.")],
    note: Annotated[str, typer.Option("--note", help="How it was met.")] = "",
    revision: Revision = None,
) -> None:
    """Say that a condition of your own approval is met.

    Example: `signoff meet momentum-2.0.0-1a2b3c4d --role risk_manager --condition "daily review in limited phase"`
    """
    session: Session = context.obj
    _answer(session, session.at(identity, revision).meet(identity, session.hand(role), condition=condition, note=note))


def adopt(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="The model.", callback=a_name)],
    version: Annotated[str, typer.Argument(help="The version that is live.", callback=a_name)],
    role: Annotated[list[Role], typer.Option("--role", help="The roles signing, two people's; at a server one's own.")],
    reason: Reason,
) -> None:
    """Record a version that was live before Signoff came. Never validated here, and said so.

    Example: `signoff adopt momentum 1.1.0 --role risk_manager --role cto --reason "live since 2017"`
    """
    session: Session = context.obj
    document = session.verbs.adopt(model, version, tuple(map(session.hand, role)), reason=reason)
    if "waits_for_persons" in document:
        session.answer(document, "signed; a second person runs the same command with the same reason, within a day")
        return
    signed = ", ".join(f"{s['person']} ({s['role']})" for s in rows(document, "approvals"))
    _answer(
        session,
        document,
        f"Nothing of it was validated here: no gate ran and no memo was signed. It stands on the word of {signed}.",
    )


def _memo(session: Session, document: Document) -> tuple[str, ...]:
    """Where the memo lies that is signed, or that was; a server shows it at its address instead."""
    if document["state"] not in {State.AWAITING_APPROVAL.value, State.APPROVED.value} or session.reached is not None:
        return ()
    issued = (session.house.settings.releases / str(document["deployment"]) / edition for edition in EDITIONS)
    found = (folder / "deployment_memo.pdf" for folder in issued)
    return tuple(f"the memo: {path}" for path in found if path.is_file())[:1]


def _answer(session: Session, document: Document, *further: str) -> None:
    identity, missing = document["deployment"], ", ".join(rows(document, "missing_roles"))
    unrehearsed, blocking = rows(document, "unrehearsed"), ", ".join(rows(document, "blocking"))
    hints = {
        State.VALIDATED.value: f"no rehearsal stands ({'; '.join(unrehearsed)}): signoff rehearse {document['model']}, "
        "then submit again"
        if document["is_free"]
        else f"blocked by {blocking}; waits for {document['waits_for']}: signoff override {identity} --role … "
        "--reason …",
        State.AWAITING_APPROVAL.value: f"waits for: {missing}: signoff approve {identity} --role …",
        State.APPROVED.value: f"next: signoff rollout start {identity}",
        State.REJECTED.value: f"rejected by {document['rejected_by'] or 'nobody'}",
    }
    hint = hints.get(str(document["state"]))
    held_to = document.get("policy")
    further = (*further, *_memo(session, document))
    floor = (f"held to the {held_to['says']}",) if isinstance(held_to, dict) else ()
    unread = (f"not known, and told in the memo: {text}" for text in rows(document, "unread"))
    session.answer(
        document, f"{identity} is {document['state']}", *((hint,) if hint else ()), *further, *floor, *unread
    )
