"""people, submit, override, approve, reject, clear-condition, grandfather: the approval round."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.text import Text

from signoff.adapters.folders import write_file
from signoff.adapters.signing_keys import KeyFile, load_public
from signoff.cli.checking import Folder, cannot_sign
from signoff.cli.session import Session, a_name, rows
from signoff.domain.deployment import State, block_words
from signoff.domain.errors import BadInputError, RefusedError, UnavailableError
from signoff.domain.events import PersonEnrolled, Phase
from signoff.domain.permissions import Permission
from signoff.domain.policy import Role
from signoff.ledger.envelope import key_id
from signoff.verbs.release_documents import Document

DeploymentId = Annotated[
    str, typer.Argument(help="The deployment's id, as `signoff status` lists it.", callback=a_name)
]
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
    for command in (submit, override, approve, reject, clear_condition, grandfather):
        app.command()(command)


@people_app.command("key")
def make_key(context: typer.Context, key: Key = None) -> None:
    """Make your own key on your own machine, and write its public half beside it, for the person who enrols you.

    Example: `signoff people key --key moreau.pem`, then `signoff people add "R. Moreau" --public-key moreau.pem.pub`
    """
    session: Session = context.obj
    path = key or session.key_path(session.actor)
    key_file = KeyFile.held(path)
    public = path.with_name(f"{path.name}.pub")
    try:
        write_file(public, key_file.public_pem)
    except OSError as error:
        raise UnavailableError(f"Cannot write the public key to {public}: {error.strerror}.") from error
    session.answer(
        {"key": str(path), "public_key": str(public), "key_id": key_file.key_id},
        f"the private key is {path}; it stays with you (key id {key_file.key_id[:16]}…)",
        f"give {public} to the person who enrols you, for: signoff people add NAME --public-key {public}",
    )


@people_app.command("add")
def add_person(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The person's name, as the dossier writes it.")],
    role: Annotated[
        list[Role] | None, typer.Option("--role", help="A role; repeat for several. Without one they approve nothing.")
    ] = None,
    public_key: Annotated[
        Path | None, typer.Option("--public-key", help="The public half of the person's own key.")
    ] = None,
    is_making: Annotated[
        bool,
        typer.Option("--make-key", help="Make their private key here: every signature made with it is marked."),
    ] = False,
    is_replacing: Annotated[
        bool,
        typer.Option("--replace-key", help="Replace their key in use: what the new one signs is marked."),
    ] = False,
    key: Annotated[
        Path | None, typer.Option("--key", help="With --make-key, where it is; default <home>/keys/<person>.pem.")
    ] = None,
    login: Annotated[
        list[str] | None,
        typer.Option("--login", help="What git or MLflow calls them; may repeat."),
    ] = None,
) -> None:
    """Enrol a person by the public half of a key that they made themselves (`signoff people key`).

    A person who is enrolled already keeps their key if none is given. You may enrol yourself with your own key.

    Example: `signoff people add "R. Moreau" --role risk_manager --public-key moreau.pub --login rmoreau`
    """
    session: Session = context.obj
    logins, roles = tuple(dict.fromkeys(login or ())), tuple(dict.fromkeys(role or ()))
    their_key = _their_key(session, name, public_key, key, is_making=is_making)
    person = PersonEnrolled(
        name=name,
        roles=roles,
        key_id=their_key.key_id,
        public_key=their_key.public_key,
        logins=logins,
        key_made_by=their_key.made_by,
        replaces_key=is_replacing,
    )
    document = session.verbs.enrol(person)
    where = "" if their_key.path is None else f"; the private key is {their_key.path}"
    marked = document.get("key_made_by") or their_key.made_by
    as_whom = f" as {', '.join(roles)}" if roles else ", and approves nothing,"
    done = f"{name} may sign{as_whom} with the key id {their_key.key_id[:16]}…{where}."
    if "proposal" in document:
        done = f"proposed {document['proposal']}: {document['says']}. A second person confirms{where}."
    mark = (f"{marked} made this private key: every signature made with it is marked.",) if marked else ()
    if replaced := document.get("key_replaced"):
        mark = (*mark, f"This key was replaced {replaced}: every signature made with it is marked.")
    mark = (*mark, *alike_warning(name, document))
    session.answer({**document, "key": None if their_key.path is None else str(their_key.path)}, done, *mark)


def alike_warning(name: str, document: Document) -> tuple[Text, ...]:
    """A warning about an enrolled person with a similar name; an older server sends none."""
    if not document.get("looks_like"):
        return ()
    others = ", ".join(rows(document, "looks_like"))
    warning = (
        f"WARNING: the name {name} looks like {others}, enrolled already. Signoff treats them as one person: they "
        "count once, and what bars one bars the other. If they are two people, enrol them under names that differ."
    )
    return (Text(warning, style="bold red"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Key:
    """The key that a person is enrolled with; `path` is that of the private half, if it is here."""

    public_key: str
    made_by: str = ""
    path: Path | None = None

    @property
    def key_id(self) -> str:
        return key_id(bytes.fromhex(self.public_key))


def _their_key(session: Session, name: str, public: Path | None, private: Path | None, *, is_making: bool) -> _Key:
    """The key to enrol: given by the person, enrolled already, one's own, or made for them, which is marked."""
    if public is not None:
        if is_making or private is not None:
            raise BadInputError("Expected --public-key alone, found --make-key or --key beside it; leave one out.")
        return _Key(public_key=load_public(public))
    path = private or session.key_path(name)
    if is_making:
        return _Key(public_key=KeyFile.held(path).public_key, made_by=session.actor, path=path)
    if private is None and (enrolled := _enrolled_key(session, name)):
        return _Key(public_key=enrolled)
    if name == session.actor:
        return _Key(public_key=KeyFile.held(path).public_key, path=path)
    raise BadInputError(
        f"Expected the public half of {name}'s own key, found none; no person was enrolled. Let them run `signoff "
        f"people key` and give the file as --public-key FILE. `--make-key` makes their private key here instead, and "
        "marks every signature made with it."
    )


def _enrolled_key(session: Session, name: str) -> str:
    """The public key of an enrolled person; empty for others, and from an older server."""
    people = rows(session.verbs.people(), "people")
    return next((str(p.get("public_key") or "") for p in people if p["name"] == name), "")


@people_app.command("list")
def list_people(context: typer.Context) -> None:
    """List who may sign. Example: `signoff people list`"""
    session: Session = context.obj
    document = session.verbs.people()
    people = rows(document, "people")
    session.answer(
        document,
        *(f"{p['name']}: {', '.join(p['roles'])} (key {p['key_id'][:16]}…){_made(p)}" for p in people),
        *(() if people else ("No person yet. Enrol with: signoff people add NAME --role ROLE --public-key FILE",)),
    )


def _made(person: dict[str, Any]) -> str:
    maker = f", made by {person['key_made_by']}" if person.get("key_made_by") else ""
    return f"{maker} (key replaced {person['key_replaced']})" if person.get("key_replaced") else maker


def submit(context: typer.Context, directory: Folder, policy: FirmPolicy = None) -> None:
    """Open a release, run the gates, issue the memo for signature; prints the deployment id.

    Example: `signoff submit release --as "Q. Researcher"`
    """
    session: Session = context.obj
    with session.progress() as report:
        document = session.acting(Permission.SUBMIT).submit(directory, policy, report)
    _answer(session, document)
    raise typer.Exit(0 if document["state"] == State.AWAITING_APPROVAL.value else 1)


def override(
    context: typer.Context,
    deployment_id: DeploymentId,
    role: InRole,
    reason: Reason,
    key: Key = None,
    revision: Revision = None,
) -> None:
    """Take responsibility for the gates that block; the last signature needed issues the memo.

    Example: `signoff override momentum-2.0.0-1a2b3c4d --role cto --reason "capped at 10%, reviewed daily"`
    """
    session: Session = context.obj
    _answer(
        session, session.at(deployment_id, revision).override(deployment_id, session.hand(role, key), reason=reason)
    )


def approve(
    context: typer.Context,
    deployment_id: DeploymentId,
    role: InRole,
    condition: Annotated[list[str] | None, typer.Option("--condition", help="Approve only if …; may repeat.")] = None,
    key: Key = None,
    revision: Revision = None,
    yes: Annotated[bool, typer.Option("--yes", help="Sign what is shown without being asked.")] = False,
) -> None:
    """Sign the manifest in a role, after its content is shown; at a terminal you are asked first.

    A condition blocks the start until it is met; one that begins with "while limited:" or "while full:" blocks that
    phase.

    Example: `signoff approve momentum-2.0.0-1a2b3c4d --role risk_manager --condition "while limited: daily review"`
    """
    session: Session = context.obj
    verbs, conditions, hand = session.at(deployment_id, revision), tuple(condition or ()), session.hand(role, key)
    if session.reached is None:
        session.house.signatory(role, hand.person, key)  # a person who cannot sign need not read
    shown = verbs.to_sign(deployment_id)
    for line in _to_sign(session, shown, role, conditions):
        session.console.tell(line)
    is_asked = not (yes or session.is_json) and sys.stdin.isatty() and session.console.is_terminal
    if is_asked and shown["manifest"] and not typer.confirm("Sign this?"):
        raise RefusedError("Nothing was signed.")
    manifest = shown["manifest"]
    document = verbs.approve(deployment_id, hand, conditions=conditions, manifest=str(manifest) if manifest else None)
    signed = (s for s in rows(document, "approvals") if s["role"] == role.value)
    _answer(
        session,
        {**document, "to_sign": shown},
        *(f"the signature of {s['person']} as {s['role']} stands, signed {s['signed_at'][:19]}Z" for s in signed),
    )


def _to_sign(session: Session, shown: Document, role: Role, conditions: tuple[str, ...]) -> Iterator[str]:
    """The content to sign, which every signatory is shown first."""
    manifest, memo = shown["manifest"], shown["memo"]
    yield f"to be signed as {role.value}: {shown['deployment']}, manifest {manifest or 'none: no memo was issued yet'}"
    where = f"{session.reached}{memo}" if memo and session.reached else memo
    yield f"  the memo: {where or 'not found: read it before you sign'}"
    gates = rows(shown, "gates")
    for gate in gates:
        blocks = "" if gate["outcome"] == "pass" else ", blocks" if gate["blocking"] else ", advisory"
        outcome = "near miss" if gate.get("near_miss") else str(gate["outcome"]).replace("_", " ")
        yield f"  gate {gate['gate']}: {outcome}{blocks}"
    if not gates:
        yield "  gates: not sent by this server; the memo has them"
    if overriding := rows(shown, "overridden_by"):
        yield f"  overridden by: {', '.join(overriding)}"
    for one in rows(shown, "open_conditions"):
        phase = one.get("blocks", Phase.SHADOW.value)
        blocks = "the start" if phase == Phase.SHADOW.value else phase
        yield f"  open condition of {one['role']}, blocks {blocks}: {one['condition']}"
    if not rows(shown, "open_conditions"):
        yield "  open conditions: none"
    for text in conditions:
        yield f"  your condition, {block_words(text)}: {text}"


def reject(
    context: typer.Context,
    deployment_id: DeploymentId,
    role: InRole,
    reason: Reason,
    key: Key = None,
    revision: Revision = None,
) -> None:
    """End a release before its rollout; it sticks.

    Example: `signoff reject momentum-2.0.0-1a2b3c4d --role compliance --reason "algo registration missing"`
    """
    session: Session = context.obj
    _answer(session, session.at(deployment_id, revision).reject(deployment_id, session.hand(role, key), reason=reason))


def clear_condition(
    context: typer.Context,
    deployment_id: DeploymentId,
    role: InRole,
    condition: Annotated[str, typer.Option("--condition", help="The condition, in its own words.")],
    note: Annotated[str, typer.Option("--note", help="How it was met.")] = "",
    revision: Revision = None,
) -> None:
    """Say that a condition of your own approval is met.

    Example: `signoff clear-condition momentum-2.0.0-1a2b3c4d --role risk_manager --condition "daily review"`
    """
    session: Session = context.obj
    _answer(
        session,
        session.at(deployment_id, revision).meet(deployment_id, session.hand(role), condition=condition, note=note),
    )


def grandfather(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="The model.", callback=a_name)],
    version: Annotated[str, typer.Argument(help="The version that is live.", callback=a_name)],
    role: Annotated[list[Role], typer.Option("--role", help="The roles signing, two people's; at a server one's own.")],
    reason: Reason,
) -> None:
    """Record a version that was live before Signoff came. Never validated here, and said so.

    Example: `signoff grandfather momentum 1.1.0 --role risk_manager --role cto --reason "live since 2017"`
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
    """The path of the memo to sign, or of the signed one; a server shows it at its address instead."""
    if document["state"] not in {State.AWAITING_APPROVAL.value, State.APPROVED.value} or session.reached is not None:
        return ()
    issued = (session.house.settings.releases / str(document["deployment"]) / edition for edition in EDITIONS)
    memos = (folder / "deployment_memo.pdf" for folder in issued)
    return tuple(f"the memo: {path}" for path in memos if path.is_file())[:1]


def _answer(session: Session, document: Document, *further: str) -> None:
    deployment_id, missing = document["deployment"], ", ".join(rows(document, "missing_roles"))
    unrehearsed, blocking = rows(document, "unrehearsed"), ", ".join(rows(document, "blocking"))
    also = f"; no rehearsal stands either ({'; '.join(unrehearsed)}): signoff rehearse {document['model']}"
    also = also if unrehearsed else ""
    hints = {
        State.VALIDATED.value: f"no rehearsal stands ({'; '.join(unrehearsed)}): signoff rehearse {document['model']}, "
        "then submit again"
        if document["is_free"]
        else f"blocked by {blocking}; waits for {document['waits_for']}: signoff override {deployment_id} --role … "
        f"--reason …{also}",
        State.AWAITING_APPROVAL.value: f"waits for: {missing}: signoff approve {deployment_id} --role …",
        State.APPROVED.value: f"next: signoff rollout start {deployment_id}",
        State.REJECTED.value: f"rejected by {document['rejected_by'] or 'nobody'}, and these bytes stay rejected. Mend "
        f"what was rejected (`signoff history {deployment_id}` says why) and submit the folder again: other bytes open "
        "a release of their own",
    }
    hint = hints.get(str(document["state"]))
    held_to = document.get("policy")
    further = (*further, *_memo(session, document))
    floor = (f"held to the {held_to['says']}",) if isinstance(held_to, dict) else ()
    unread = (f"not known, and told in the memo: {text}" for text in rows(document, "unread"))
    session.answer(
        document,
        f"{deployment_id} is {document['state']}",
        *((hint,) if hint else ()),
        *cannot_sign(document),
        *further,
        *floor,
        *unread,
    )
