"""token, accounts: the tokens of programs, and the access roles of people."""

from typing import Annotated

import typer
from rich.table import Table

from signoff.app.accounts import TOKEN_DAYS
from signoff.cli.session import Session, rows
from signoff.domain.errors import BadInputError
from signoff.domain.permissions import MATRIX, AccessRole, Permission
from signoff.domain.policy import Role
from signoff.verbs.release_documents import Document

token_app = typer.Typer(
    name="token", help="Tokens for programs and for people at a command line.", no_args_is_help=True
)
accounts_app = typer.Typer(name="accounts", help="Who may do what.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The person's name.")]
Issuer = Annotated[str, typer.Option("--issuer", help="The identity provider's issuer URL.")]
Subject = Annotated[str, typer.Option("--subject", help="The person's `sub` there; an e-mail is not one.")]
OfProposal = Annotated[str, typer.Argument(help="The proposal's id, as `signoff accounts proposals` lists it.")]


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(token_app)
    app.add_typer(accounts_app)


@token_app.command("issue")
def issue(
    context: typer.Context,
    holder: Annotated[str, typer.Argument(help="The person's name, or a machine's own, such as desk-1.")],
    scope: Annotated[
        list[Permission] | None, typer.Option("--scope", help="A verb; repeat. Default: all of theirs.")
    ] = None,
    days: Annotated[int, typer.Option(help="For how long.")] = TOKEN_DAYS,
    machine: Annotated[bool, typer.Option("--machine", help="For a desk, a pipeline or a worker.")] = False,
) -> None:
    """Issue a token; its secret is printed once and kept nowhere.

    Example: `signoff token issue desk-1 --machine --scope read_flags --scope kill`
    """
    session: Session = context.obj
    document = session.verbs.issue_token(holder, tuple(scope or ()), days=days, is_machine=machine)
    session.answer(
        document,
        f"{document['token']}",
        f"acts for {holder} until {str(document['expires_at'])[:10]}; it is shown this once. Give it as SIGNOFF_TOKEN.",
    )


@token_app.command("list")
def list_tokens(context: typer.Context) -> None:
    """List valid and recently expired tokens. Example: `signoff token list`"""
    session: Session = context.obj
    document = session.verbs.tokens()
    tokens = sorted(rows(document, "tokens"), key=lambda token: str(token["expires_at"]))
    table = Table("Id", "For", "Until", "May", box=None)
    for token in tokens:
        table.add_row(token["id"], token["for"], token["expires_at"][:10], ", ".join(token["scopes"]))
    session.answer(document, table if tokens else "No token yet. Issue one with: signoff token issue NAME")


@token_app.command("revoke")
def revoke(context: typer.Context, token_id: Annotated[str, typer.Argument(help="The token's id.")]) -> None:
    """End a token at once. Example: `signoff token revoke 1f2e3d4c5b6a7980`"""
    session: Session = context.obj
    session.answer(session.verbs.revoke_token(token_id), f"token {token_id} is revoked")


@accounts_app.command("matrix")
def matrix(context: typer.Context) -> None:
    """Show who may do what. Example: `signoff accounts matrix`"""
    session: Session = context.obj
    table = Table("", *(duty.value.replace("_", " ") for duty in AccessRole), box=None)
    for verb in Permission:
        table.add_row(verb.value, *("yes" if verb in MATRIX[duty] else "" for duty in AccessRole))
    session.answer({duty.value: sorted(MATRIX[duty]) for duty in AccessRole}, table)


@accounts_app.command("list")
def list_accounts(context: typer.Context) -> None:
    """List people with their duties. Example: `signoff accounts list`"""
    session: Session = context.obj
    document = session.verbs.people()
    people = sorted(rows(document, "people"), key=lambda person: str(person["name"]))
    session.answer(
        {"accounts": [{key: p[key] for key in ("name", "duties", "is_bound")} for p in people]},
        *(
            f"{p['name']}: {', '.join(p['duties']) or 'no duty'}{'' if p['is_bound'] else ' (cannot sign in yet)'}"
            for p in people
        ),
        *(() if people else ("No person yet. Begin with: signoff accounts grant NAME --duty DUTY",)),
    )


@accounts_app.command("grant")
def grant(
    context: typer.Context,
    name: Name,
    duty: Annotated[list[AccessRole], typer.Option("--duty", help="A duty; repeat for several.")],
) -> None:
    """Give a person duties beside those of their roles; at a server this is a proposal, which a second person confirms.

    Example: `signoff accounts grant "N. Weiss" --duty auditor`
    """
    session: Session = context.obj
    document = session.verbs.grant(name, tuple(duty))
    _done_or_proposed(session, document, f"{name} acts as {', '.join(map(str, _duties(document)))}")


@accounts_app.command("bind")
def bind(context: typer.Context, name: Name, issuer: Issuer, subject: Subject) -> None:
    """Let a person sign in at the server through the identity provider; at a server this is a proposal.

    Example: `signoff accounts bind "R. Moreau" --issuer https://id.example.com --subject 8f14e45f`
    """
    session: Session = context.obj
    document = session.verbs.bind(name, issuer=issuer, subject=subject)
    _done_or_proposed(session, document, f"{subject} at {issuer} signs in as {name}")


@accounts_app.command("unbind")
def unbind(context: typer.Context, issuer: Issuer, subject: Subject) -> None:
    """End the sign-in of an identity of the provider; it takes effect at once.

    Example: `signoff accounts unbind --issuer https://id.example.com --subject 8f14e45f`
    """
    session: Session = context.obj
    session.answer(session.verbs.unbind(issuer=issuer, subject=subject), f"{subject} at {issuer} can no longer sign in")


@accounts_app.command("withdraw")
def withdraw(
    context: typer.Context,
    name: Name,
    duty: Annotated[list[AccessRole] | None, typer.Option("--duty", help="A duty granted; repeat for several.")] = None,
    role: Annotated[list[Role] | None, typer.Option("--role", help="A role signed in; repeat for several.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is kept.")] = "",
) -> None:
    """Take duties or roles from a person at once; their earlier signatures stand.

    Example: `signoff accounts withdraw "N. Weiss" --duty auditor --reason "left the firm"`
    """
    session: Session = context.obj
    powers = (*(duty or ()), *(role or ()))
    if not powers:
        raise BadInputError("Expected at least one --duty or --role to withdraw, found none.")
    document = session.verbs.withdraw(name, powers, reason=reason)
    duties = ", ".join(map(str, _duties(document)))
    session.answer(document, f"{name} acts as {duties} now" if duties else f"{name} has no access role now")


@accounts_app.command("proposals")
def proposals(context: typer.Context) -> None:
    """List changes of people that wait for a second person. Example: `signoff accounts proposals`"""
    session: Session = context.obj
    document = session.verbs.proposals()
    waiting = sorted(rows(document, "proposals"), key=lambda proposal: str(proposal["expires_at"]))
    table = Table("Id", "Would", "Proposed by", "Until", box=None)
    for proposal in waiting:
        table.add_row(proposal["proposal"], proposal["says"], proposal["proposed_by"], proposal["expires_at"][:10])
    session.answer(document, table if waiting else "Nothing waits for a second person.")


@accounts_app.command("confirm")
def confirm(context: typer.Context, proposal: OfProposal) -> None:
    """Let a proposed change take effect, as the second person. Example: `signoff accounts confirm 1f2e3d4c5b6a7980`"""
    session: Session = context.obj
    document = session.verbs.confirm(proposal)
    session.answer(document, f"confirmed: {document['says']}")


@accounts_app.command("decline")
def decline(context: typer.Context, proposal: OfProposal) -> None:
    """Decline a proposed change. Example: `signoff accounts decline 1f2e3d4c5b6a7980`"""
    session: Session = context.obj
    document = session.verbs.decline(proposal)
    session.answer(document, f"declined: {document['says']}")


@accounts_app.command("bootstrap")
def bootstrap(context: typer.Context, name: Name) -> None:
    """Make the one-time link by which the first administrator signs in; it holds for an hour.

    Example: `signoff accounts bootstrap "T. Adeyemi"`
    """
    session: Session = context.obj
    document = session.verbs.invite(name)
    provider = session.house.settings.oidc
    link = f"{provider.public_url if provider else 'https://YOUR-SERVER'}/auth/sign-in?bootstrap={document['secret']}"
    session.answer(
        {**document, "link": link},
        link,
        f"{name} opens it once, within the hour, and is the administrator from then on. It is shown this once.",
        "A second person must confirm what an administrator changes: make one, for example with "
        '`signoff accounts grant "NAME" --duty administrator`, and bind them.',
    )


def _duties(document: Document) -> list[str]:
    """The duties in a document; empty for a proposal."""
    return rows(document, "duties") if "duties" in document else []


def _done_or_proposed(session: Session, document: Document, done: str) -> None:
    proposed = f"proposed {document.get('proposal')}: {document.get('says')}; it waits for `signoff accounts confirm`"
    session.answer(document, proposed if "proposal" in document else done)
