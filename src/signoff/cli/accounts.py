"""token, accounts: what programs come in by, and who may do what."""

from typing import Annotated

import typer
from rich.table import Table

from signoff.app.accounts import TOKEN_DAYS
from signoff.cli.session import Session
from signoff.domain.access import MATRIX, PERSONAL, Duty, Verb, permitted

token_app = typer.Typer(
    name="token", help="Tokens for programs and for people at a command line.", no_args_is_help=True
)
accounts_app = typer.Typer(name="accounts", help="Who may do what.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(token_app)
    app.add_typer(accounts_app)


@token_app.command("issue")
def issue(
    context: typer.Context,
    holder: Annotated[str, typer.Argument(help="The person's name, or a machine's own, such as desk-1.")],
    scope: Annotated[list[Verb] | None, typer.Option("--scope", help="A verb; repeat. Default: all of theirs.")] = None,
    days: Annotated[int, typer.Option(help="For how long.")] = TOKEN_DAYS,
    machine: Annotated[bool, typer.Option("--machine", help="For a desk, a pipeline or a worker.")] = False,
) -> None:
    """Issue a token; its secret is printed once and kept nowhere.

    Example: `signoff token issue desk-1 --machine --scope read_flags --scope kill`
    """
    session: Session = context.obj
    house = session.house
    own = MATRIX[Duty.MACHINE] - PERSONAL if machine else permitted(house.record.people().named(holder).duties)
    scopes = frozenset(scope) if scope else own
    issued = house.accounts.issue_token(holder, scopes=scopes, actor=session.actor, days=days, is_machine=machine)
    session.answer(
        {"token": issued.secret, "id": issued.token.id, "expires_at": issued.token.expires_at.isoformat()},
        f"{issued.secret}",
        f"acts for {holder} until {issued.token.expires_at:%Y-%m-%d}; it is shown this once. Give it as SIGNOFF_TOKEN.",
    )


@token_app.command("list")
def list_tokens(context: typer.Context) -> None:
    """List tokens that are valid or expired of late. Example: `signoff token list`"""
    session: Session = context.obj
    known = sorted(session.house.record.people().tokens.values(), key=lambda token: token.expires_at)
    table = Table("Id", "For", "Until", "May", box=None)
    for token in known:
        table.add_row(token.id, token.person, f"{token.expires_at:%Y-%m-%d}", ", ".join(token.scopes))
    session.answer(
        {"tokens": [{"id": t.id, "for": t.person, "expires_at": t.expires_at.isoformat()} for t in known]},
        table if known else "No token yet. Issue one with: signoff token issue NAME",
    )


@token_app.command("revoke")
def revoke(context: typer.Context, identity: Annotated[str, typer.Argument(help="The token's id.")]) -> None:
    """End a token at once. Example: `signoff token revoke 1f2e3d4c5b6a7980`"""
    session: Session = context.obj
    session.house.accounts.revoke_token(identity, actor=session.actor)
    session.answer({"revoked": identity}, f"token {identity} is revoked")


@accounts_app.command("matrix")
def matrix(context: typer.Context) -> None:
    """Show who may do what. Example: `signoff accounts matrix`"""
    session: Session = context.obj
    table = Table("", *(duty.value.replace("_", " ") for duty in Duty), box=None)
    for verb in Verb:
        table.add_row(verb.value, *("yes" if verb in MATRIX[duty] else "" for duty in Duty))
    session.answer({duty.value: sorted(MATRIX[duty]) for duty in Duty}, table)


@accounts_app.command("list")
def list_accounts(context: typer.Context) -> None:
    """List who may do what by which duties. Example: `signoff accounts list`"""
    session: Session = context.obj
    known = sorted(session.house.record.people().by_name.values(), key=lambda person: person.name)
    session.answer(
        {"accounts": [{"name": p.name, "duties": sorted(p.duties)} for p in known]},
        *(f"{p.name}: {', '.join(sorted(p.duties)) or 'no duty'}" for p in known),
        *(() if known else ("Nobody yet. Begin with: signoff accounts grant NAME --duty DUTY",)),
    )


@accounts_app.command("grant")
def grant(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The person's name.")],
    duty: Annotated[list[Duty], typer.Option("--duty", help="A duty; repeat for several.")],
) -> None:
    """Give a person duties beside those of their roles. Example: `signoff accounts grant "N. Weiss" --duty auditor`"""
    session: Session = context.obj
    session.house.accounts.grant(name, frozenset(duty), actor=session.actor)
    duties = sorted(session.house.record.people().named(name).duties)
    session.answer({"name": name, "duties": duties}, f"{name} acts as {', '.join(duties)}")


@accounts_app.command("bind")
def bind(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="An enrolled person's name.")],
    issuer: Annotated[str, typer.Option("--issuer", help="The identity provider's issuer URL.")],
    subject: Annotated[str, typer.Option("--subject", help="The person's `sub` there; an e-mail is not one.")],
) -> None:
    """Let a person sign in at the server through the identity provider.

    Example: `signoff accounts bind "R. Moreau" --issuer https://id.example.com --subject 8f14e45f`
    """
    session: Session = context.obj
    session.house.accounts.bind(name, issuer=issuer.rstrip("/"), subject=subject, actor=session.actor)
    session.answer({"name": name, "issuer": issuer, "subject": subject}, f"{subject} at {issuer} comes in as {name}")
