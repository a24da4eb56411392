"""policy: the installation's policy. One person proposes it, another one confirms it."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from signoff.adapters.documents import policy_text
from signoff.adapters.folders import write_file
from signoff.adapters.templates import write_policy
from signoff.cli.session import Session, rows
from signoff.domain.errors import BadInputError
from signoff.domain.permissions import Permission
from signoff.domain.policy import Role
from signoff.verbs.local import SignPolicyAs
from signoff.verbs.release_documents import Document

policy_app = typer.Typer(
    name="policy", help="The installation's policy, which every release is held to.", no_args_is_help=True
)
OfProposal = Annotated[str | None, typer.Argument(help="The proposal's id; not needed where only one waits.")]
InRole = Annotated[
    Role | None, typer.Option("--role", help="The role signed in; default the first of yours that has a say.")
]
Key = Annotated[Path | None, typer.Option("--key", help="The private key; default <home>/keys/<person>.pem.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(policy_app)


@policy_app.command("show")
def show(
    context: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", help="Also write the policy in force as YAML.")] = None,
) -> None:
    """Show the policy in force, who confirmed it, and what a proposal would change.

    Example: `signoff policy show --out policy.yaml`
    """
    session: Session = context.obj
    document = session.verbs.policy()
    text = policy_text(json.dumps(document["policy"]))
    if out is not None:
        try:
            write_file(out, text)
        except OSError as error:
            raise BadInputError(
                f"Expected to write the policy to {out}, and cannot: {error.strerror}. Name another file."
            ) from error
    session.answer(document, *_shown(document), text.decode(), *_waiting(document))


@policy_app.command("propose")
def propose(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The policy as YAML.")],
    role: InRole = None,
    key: Key = None,
) -> None:
    """Sign for another policy; a second person confirms it within a week.

    Example: `signoff policy propose policy.yaml --as "R. Moreau"`
    """
    session: Session = context.obj
    document = session.verbs.propose_policy(file, _hand(session, role, key))
    session.answer(
        document,
        f"proposed {document['proposal']}: policy {document['name']} {document['version']}, digest "
        f"{str(document['digest'])[:12]}…",
        _table(document),
        f"It waits until {str(document['expires_at'])[:16]}Z for another person: signoff policy confirm "
        f"{document['proposal']} --as NAME",
    )


@policy_app.command("confirm")
def confirm(
    context: typer.Context,
    proposal: OfProposal = None,
    role: InRole = None,
    key: Key = None,
) -> None:
    """Sign a proposed policy as the second person; later submissions are held to it.

    Example: `signoff policy confirm 1f2e3d4c5b6a7980 --as "C. Yamada"`
    """
    session: Session = context.obj
    document = session.verbs.confirm_policy(proposal, _hand(session, role, key))
    session.answer(document, *_shown(document))


@policy_app.command("decline")
def decline(context: typer.Context, proposal: Annotated[str, typer.Argument(help="The proposal's id.")]) -> None:
    """Decline a proposed policy. Example: `signoff policy decline 1f2e3d4c5b6a7980 --as "C. Yamada"`"""
    session: Session = context.obj
    document = session.verbs_of(Permission.CONFIRM_POLICY).decline_policy(proposal)
    session.answer(document, f"declined {document['proposal']} of {document['proposed_by']}")


@policy_app.command("template")
def template(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="Where to write.")] = Path("policy.yaml"),
) -> None:
    """Write a commented policy to begin with, and its schema for the editor. Example: `signoff policy template`"""
    session: Session = context.obj
    written = write_policy(file)
    session.answer(
        {"written": [str(path) for path in written]},
        *(f"wrote {path}" for path in written),
        f"Edit {file}, try it with `signoff check DIR --policy {file}`, then: signoff policy propose {file}",
    )


def _hand(session: Session, role: Role | None, key: Path | None) -> SignPolicyAs:
    return SignPolicyAs(role=role, person=session.person, key=key)


def _shown(document: Document) -> tuple[str, ...]:
    says = str(document["says"])
    at = f" at {str(document['confirmed_at'])[:16]}Z" if document["confirmed_at"] else ""
    lines = [f"In force: {says}{at}", f"Digest: {document['digest']}"]
    if words := document.get("unknown_figures"):  # an older server does not send it
        lines.append(f"Order gate: {words}")
    if not document["is_confirmed"]:
        lines.append(
            "No two people have confirmed it. Propose it or another one: signoff policy propose FILE --as NAME"
        )
    pending = (
        f"PENDING: proposal {proposal['proposal']} of {proposal['proposed_by']} waits for a second person; `signoff "
        f"policy show` says what it would change. Confirm: signoff policy confirm {proposal['proposal']} --as NAME"
        for proposal in rows(document, "proposals")
    )
    return (*lines, *pending)


def _waiting(document: Document) -> tuple[object, ...]:
    shown: list[object] = []
    for proposal in rows(document, "proposals"):
        shown += [
            f"Proposed as {proposal['proposal']} by {proposal['proposed_by']} ({proposal['role']}), until "
            f"{proposal['expires_at'][:16]}Z: policy {proposal['name']} {proposal['version']}, digest "
            f"{proposal['digest'][:12]}…",
            _table(proposal),
        ]
    return tuple(shown) or ("No proposal waits for a second person.",)


def _table(proposal: Document) -> Table | str:
    changes = rows(proposal, "differences")
    if not changes:
        return "It changes no key; two people confirm the policy as it stands."
    table = Table("Key", "In force", "Proposed", "Becomes", box=None)
    for change in changes:
        table.add_row(change["path"], change["before"], change["after"], change["tendency"])
    return table
