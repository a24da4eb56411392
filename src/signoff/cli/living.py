"""rollout, observe, kill, rearm, rehearse, review, worker: a release while it lives."""

from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from signoff.app.rehearse import rehearse as rehearse_rollback
from signoff.app.review import review as review_release
from signoff.app.rollback import is_unfinished
from signoff.cli.approving import Identity, InRole, Key, Reason
from signoff.cli.session import Session
from signoff.domain.deployment import Deployment, State
from signoff.domain.errors import NotFoundError
from signoff.domain.events import Occasion, PauseReason
from signoff.domain.flags import Flags
from signoff.domain.monitoring import Level

Model = Annotated[str, typer.Argument(help="The model's name.")]

rollout_app = typer.Typer(name="rollout", help="The phases of a release.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(rollout_app)
    for command in (observe, kill, rearm, rehearse, review, worker):
        app.command()(command)


@rollout_app.command()
def start(context: typer.Context, identity: Identity) -> None:
    """Enter shadow. Example: `signoff rollout start momentum-2.0.0-1a2b3c4d`"""
    session: Session = context.obj
    _answer(session, session.house.rollout.start(identity, actor=session.actor))


@rollout_app.command()
def advance(context: typer.Context, identity: Identity) -> None:
    """Go one phase further when every condition holds. Example: `signoff rollout advance momentum-2.0.0-1a2b3c4d`"""
    session: Session = context.obj
    _answer(session, session.house.rollout.advance(identity, actor=session.actor))


@rollout_app.command()
def pause(
    context: typer.Context,
    identity: Identity,
    reason: Annotated[PauseReason, typer.Option("--for", help="Why.")] = PauseReason.MANUAL,
    note: Annotated[str, typer.Option("--reason", help="In words.")] = "",
) -> None:
    """Stop the phase clock. Example: `signoff rollout pause momentum-2.0.0-1a2b3c4d --reason "month end"`"""
    session: Session = context.obj
    _answer(session, session.house.rollout.pause(identity, reason, note, actor=session.actor))


@rollout_app.command()
def resume(
    context: typer.Context,
    identity: Identity,
    reason: Annotated[PauseReason, typer.Option("--for", help="Which reason to take away.")] = PauseReason.MANUAL,
    note: Annotated[str, typer.Option("--reason", help="In words.")] = "",
) -> None:
    """Take one pause reason away. Example: `signoff rollout resume momentum-2.0.0-1a2b3c4d`"""
    session: Session = context.obj
    _answer(session, session.house.rollout.resume(identity, reason, note, actor=session.actor))


@rollout_app.command()
def rollback(
    context: typer.Context,
    identity: Identity,
    reason: Annotated[str, typer.Option("--reason", help="In words.")] = "ordered by a person",
    occasion: Annotated[Occasion, typer.Option("--for", help="The occasion of section 5.1.")] = Occasion.BUSINESS,
) -> None:
    """Go back to the previous version now; a rollback that was interrupted continues.

    Example: `signoff rollout rollback momentum-2.0.0-1a2b3c4d --for risk_breach --reason "exposure over limit"`
    """
    session: Session = context.obj
    state = session.house.rollback.begin(identity, occasion, "person", reason, actor=session.actor)
    session.house.deliver_notices()
    session.house.anchor()
    _answer(session, state)
    raise typer.Exit(1 if state.state is State.ROLLBACK_STUCK else 0)


def observe(
    context: typer.Context,
    identity: Identity,
    session_date: Annotated[
        datetime | None, typer.Option("--session", formats=["%Y-%m-%d"], help="Default: the next one not observed.")
    ] = None,
) -> None:
    """One monitoring pass: measure a session, record it, roll back if a trigger holds. Exit 1 on a breach.

    Example: `signoff observe momentum-2.0.0-1a2b3c4d`
    """
    session: Session = context.obj
    day: date | None = session_date.date() if session_date else None
    model = session.house.record.deployment(identity).model
    state, observed = session.house.watch(model).observe(identity, day, actor=session.actor)
    breaches = [r for r in observed.readings if r.level in {Level.CRITICAL, Level.UNKNOWN}]
    session.answer(
        {
            "deployment": identity,
            "session": observed.session,
            "state": state.state.value,
            "fired": list(observed.fired),
            "unmet": list(observed.unmet),
            "readings": {r.key: {"value": r.value, "level": r.level} for r in observed.readings},
        },
        f"{identity} on {observed.session}: {state.state.value}",
        *(
            f"  {r.key:<28}{'unknown' if r.value is None else f'{r.value:.4g}':>12}  {r.level}"
            for r in observed.readings
        ),
        *(f"  trigger holds: {name}" for name in observed.fired),
    )
    raise typer.Exit(1 if breaches or observed.fired else 0)


def kill(context: typer.Context, model: Model, reason: Reason) -> None:
    """Stop trading a model now: flags off, orders fenced and cancelled. One person, no prompt.

    Example: `signoff kill momentum --reason "orders at ten times the size"`
    """
    session: Session = context.obj
    flags, residual = session.house.kill_switch.kill(model, reason=reason, actor=session.actor)
    session.answer(
        _flags_document(flags) | {"open_orders": residual},
        f"{model} is killed: enabled {str(flags.enabled).lower()}, allocation {flags.allocation_pct}%, "
        f"{residual} open order(s) left. Re-arm with two people: signoff rearm {model} --role …",
    )


def rearm(
    context: typer.Context,
    model: Model,
    role: InRole,
    reason: Annotated[str, typer.Option("--reason", help="Why it is safe again.")] = "",
    key: Key = None,
) -> None:
    """Sign for arming a killed model again; the second person arms, and live releases re-enter at shadow.

    Example: `signoff rearm momentum --role risk_manager --reason "feed repaired"`
    """
    session: Session = context.obj
    signatory = session.house.signatory(role, session.person, key)
    latch = session.house.kill_switch.rearm(model, signatory, reason=reason)
    signed = ", ".join(s.person for s in latch.rearm_signatures)
    session.answer(
        {"model": model, "latched": latch.is_latched, "signed": [s.person for s in latch.rearm_signatures]},
        f"{model} is still killed; signed so far: {signed}"
        if latch.is_latched
        else f"{model} is armed again, in shadow",
    )


def rehearse(
    context: typer.Context,
    model: Model,
    directory: Annotated[Path | None, typer.Option("--dossier", help="The dossier whose plan is rehearsed.")] = None,
) -> None:
    """Rehearse the rollback with measured times: staging flags, simulated orders, the real previous version.

    Example: `signoff rehearse momentum --dossier release`
    """
    session: Session = context.obj
    house = session.house
    live = [d for d in house.record.deployments(model) if d.undertakings is not None]
    if directory is not None:
        inputs = house.assessor.reader.read(directory, None)
        policy, undertakings = inputs.policy, inputs.dossier.undertakings
    elif live and live[-1].undertakings is not None:
        policy, undertakings = live[-1].policy, live[-1].undertakings
    else:
        raise NotFoundError(f"Expected a release of {model} on record or --dossier DIR, found neither.")
    result = rehearse_rollback(
        house.record, house.stage(), model=model, policy=policy, undertakings=undertakings, actor=session.actor
    )
    session.answer(
        {
            "model": model,
            "within_budget": result.within_budget,
            "residual_orders": result.residual_orders,
            "seconds": {step.value: seconds for step, seconds in result.seconds},
        },
        *(f"  {step.value:<15}{seconds:>10.3f} s" for step, seconds in result.seconds),
        "within budget" if result.within_budget else "NOT within budget",
    )
    raise typer.Exit(0 if result.within_budget else 1)


def review(
    context: typer.Context,
    identity: Identity,
    notes: Annotated[str, typer.Option("--notes", help="Lessons learned.")] = "",
) -> None:
    """The 30-day review: targets against what happened. Exit 1 when a target was missed.

    Example: `signoff review momentum-2.0.0-1a2b3c4d --notes "drift watched on two features"`
    """
    session: Session = context.obj
    model = session.house.record.deployment(identity).model
    result = review_release(session.house.record, session.house.feed(model), identity, notes=notes, actor=session.actor)
    session.answer(
        {
            "deployment": identity,
            "targets_met": result.targets_met,
            "readings": {r.key: {"value": r.value, "level": r.level, "detail": r.detail} for r in result.readings},
        },
        *(
            f"  {r.key:<28}{'unknown' if r.value is None else f'{r.value:.4g}':>12}  {r.detail:<18} {r.level}"
            for r in result.readings
        ),
        "every target met" if result.targets_met else "targets missed",
    )
    raise typer.Exit(0 if result.targets_met else 1)


def worker(context: typer.Context) -> None:
    """One pass of the background work: finish rollbacks, send notices, check governance_ready, anchor the ledger.

    Example: `signoff worker`
    """
    session: Session = context.obj
    house = session.house
    unfinished = [d for d in house.record.deployments() if is_unfinished(d)]
    finished = [house.rollback.carry_out(d.id, actor="worker").id for d in unfinished]
    sent, problems = house.deliver_notices()
    unready = house.check_governance()
    house.anchor()
    session.answer(
        {"rollbacks": finished, "notices": sent, "problems": list(problems), "unready": unready},
        f"{len(finished)} rollback(s) finished, {sent} notice(s) sent",
        *problems,
        *(f"{version} is not governance_ready; missing: {', '.join(gone)}" for version, gone in unready.items()),
    )


def _answer(session: Session, state: Deployment) -> None:
    flags = session.house.record.flags(state.model)
    session.answer(
        {"deployment": state.id, "state": state.state.value, "phase_days": state.phase_days} | _flags_document(flags),
        f"{state.id} is {state.state.value}; enabled {str(flags.enabled).lower()}, allocation "
        f"{flags.allocation_pct}%, shadow {str(flags.shadow_mode).lower()}",
    )


def _flags_document(flags: Flags) -> dict[str, object]:
    return {"model": flags.model, "flags": dict(flags.as_keys()), "revision": flags.revision, "epoch": flags.epoch}
