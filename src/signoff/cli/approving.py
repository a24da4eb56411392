"""people, submit, override, approve, reject, meet, adopt: the approval round."""

from pathlib import Path
from typing import Annotated

import typer

from signoff.app.adopt import Adoption
from signoff.app.adopt import adopt as adopt_version
from signoff.app.people import enrol
from signoff.cli.checking import Folder, PolicyFile
from signoff.cli.session import Session
from signoff.domain.deployment import Deployment, State
from signoff.domain.policy import Policy, Role

Identity = Annotated[str, typer.Argument(help="The deployment's id, as `signoff status` lists it.")]
InRole = Annotated[Role, typer.Option("--role", help="The role signed in.")]
Key = Annotated[Path | None, typer.Option("--key", help="The private key; default <home>/keys/<person>.pem.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is printed and kept.")]

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
) -> None:
    """Enrol a person: makes their key unless there is one, and records the public half.

    Example: `signoff people add "R. Moreau" --role risk_manager`
    """
    session: Session = context.obj
    path = key or session.house.key_path(name)
    held = session.house.key_of(name, path)
    enrol(
        session.house.record,
        name=name,
        roles=tuple(role),
        key_id=held.key_id,
        public_key=held.public_key,
        actor=session.actor,
    )
    session.answer(
        {"name": name, "roles": [r.value for r in role], "key_id": held.key_id, "key": str(path)},
        f"{name} may sign as {', '.join(role)}; the private key is {path} (key id {held.key_id[:16]}…).",
    )


@people_app.command("list")
def list_people(context: typer.Context) -> None:
    """List who may sign. Example: `signoff people list`"""
    session: Session = context.obj
    known = session.house.record.people().by_name.values()
    session.answer(
        {"people": [{"name": p.name, "roles": [r.value for r in p.roles], "key_id": p.key_id} for p in known]},
        *(f"{p.name}: {', '.join(p.roles)} (key {p.key_id[:16]}…)" for p in known),
        *(() if known else ("Nobody yet. Enrol with: signoff people add NAME --role ROLE",)),
    )


def submit(context: typer.Context, directory: Folder, policy: PolicyFile = None) -> None:
    """Open a release, run the gates, issue the memo for signature; prints the deployment id.

    Example: `signoff submit release --as "Q. Researcher"`
    """
    session: Session = context.obj
    house = session.house
    with session.progress() as report:
        release = house.assessor.assess(directory, policy, report)
        report("composing the memo and recording the submission", 0, 1)
        state = house.approvals.submit(directory, release, actor=session.actor)
    house.anchor()
    _answer(session, state)
    raise typer.Exit(0 if state.state is State.AWAITING_APPROVAL else 1)


def override(context: typer.Context, identity: Identity, role: InRole, reason: Reason, key: Key = None) -> None:
    """Take responsibility for the gates that block; the last signature needed issues the memo.

    Example: `signoff override momentum-2.0.0-1a2b3c4d --role cto --reason "capped at 10%, reviewed daily"`
    """
    session: Session = context.obj
    signatory = session.house.signatory(role, session.person, key)
    _answer(session, session.house.approvals.override(identity, signatory, reason=reason))


def approve(
    context: typer.Context,
    identity: Identity,
    role: InRole,
    condition: Annotated[list[str] | None, typer.Option("--condition", help="Approve only if …; may repeat.")] = None,
    key: Key = None,
) -> None:
    """Sign the manifest in a role.

    Example: `signoff approve momentum-2.0.0-1a2b3c4d --role risk_manager --condition "daily review in limited phase"`
    """
    session: Session = context.obj
    signatory = session.house.signatory(role, session.person, key)
    _answer(session, session.house.approvals.approve(identity, signatory, conditions=tuple(condition or ())))


def reject(context: typer.Context, identity: Identity, role: InRole, reason: Reason, key: Key = None) -> None:
    """End a release before its rollout; it sticks.

    Example: `signoff reject momentum-2.0.0-1a2b3c4d --role compliance --reason "algo registration missing"`
    """
    session: Session = context.obj
    signatory = session.house.signatory(role, session.person, key)
    _answer(session, session.house.approvals.reject(identity, signatory, reason=reason))


def meet(
    context: typer.Context,
    identity: Identity,
    role: InRole,
    condition: Annotated[str, typer.Option("--condition", help="The condition, in its own words.")],
    note: Annotated[str, typer.Option("--note", help="How it was met.")] = "",
) -> None:
    """Say that a condition of your own approval is met.

    Example: `signoff meet momentum-2.0.0-1a2b3c4d --role risk_manager --condition "daily review in limited phase"`
    """
    session: Session = context.obj
    person = session.person or session.house.signatory(role).person
    _answer(session, session.house.approvals.meet(identity, person=person, role=role, condition=condition, note=note))


def adopt(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="The model.")],
    version: Annotated[str, typer.Argument(help="The version that is live.")],
    role: Annotated[list[Role], typer.Option("--role", help="The roles signing, two at least; repeat.")],
    reason: Reason,
) -> None:
    """Record a version that was live before Signoff came. Never validated here, and said so.

    Example: `signoff adopt momentum 1.1.0 --role risk_manager --role cto --reason "live since 2017"`
    """
    session: Session = context.obj
    house = session.house
    adoption = Adoption(model=model, version=version, policy=Policy(name="default", version="1"), reason=reason)
    state = adopt_version(house.record, adoption, tuple(house.signatory(r) for r in role))
    _answer(session, state)


def _answer(session: Session, state: Deployment) -> None:
    missing = ", ".join(role.value for role in state.missing_roles)
    unrehearsed = session.house.approvals.unrehearsed(state) if state.state is State.VALIDATED else ()
    is_blocked = bool(state.blocking) and not state.is_overridden
    hints = {
        State.VALIDATED: f"blocked by {', '.join(state.blocking)}: signoff override {state.id} --role … --reason …"
        if is_blocked
        else f"no rehearsal stands ({'; '.join(unrehearsed)}): signoff rehearse {state.model}, then submit again",
        State.AWAITING_APPROVAL: f"waits for: {missing}: signoff approve {state.id} --role …",
        State.APPROVED: f"next: signoff rollout start {state.id}",
        State.REJECTED: f"rejected by {state.rejection.person if state.rejection else 'nobody'}",
    }
    session.answer(
        {
            "deployment": state.id,
            "state": state.state.value,
            "manifest": state.manifest,
            "blocking": list(state.blocking),
            "unrehearsed": list(unrehearsed),
            "missing_roles": [role.value for role in state.missing_roles],
            "approvals": [
                {"person": s.person, "role": s.role.value, "verdict": s.verdict.value, "conditions": list(s.conditions)}
                for s in state.approvals
            ],
        },
        f"{state.id} is {state.state.value}",
        *((hints[state.state],) if state.state in hints else ()),
    )
