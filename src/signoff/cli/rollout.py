"""rollout, observe, kill, rearm, rehearse, review, worker: a release during its rollout."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from signoff.cli.approving import DeploymentId, InRole, Key, Reason, Revision
from signoff.cli.session import Session, a_name, fields, rows
from signoff.domain.deployment import State
from signoff.domain.errors import BadInputError
from signoff.domain.events import ActorProof, PauseReason, RollbackCause
from signoff.domain.monitoring import Level
from signoff.domain.permissions import Permission
from signoff.domain.venue import NOBODY_ASKED, NOT_REHEARSED
from signoff.verbs.release_documents import Document
from signoff.worker.lanes import Lanes
from signoff.worker.loop import follow
from signoff.worker.work import Worker

NO_REPOSITORY = (
    "repository.txt is written from the link of a reference whose title names the repository (appendix.references in "
    "the dossier); it comes with the next version that has one."
)
Model = Annotated[str, typer.Argument(help="The model's name.", callback=a_name)]

rollout_app = typer.Typer(name="rollout", help="The phases of a release.", no_args_is_help=True)


def add_to(app: typer.Typer) -> None:
    """Register these commands."""
    app.add_typer(rollout_app)
    for command in (observe, kill, rearm, rehearse, review, post_mortem, done, worker):
        app.command()(command)


@rollout_app.command()
def start(context: typer.Context, deployment_id: DeploymentId, key: Key = None, revision: Revision = None) -> None:
    """Enter shadow. The person who starts it signs section 12 of the memo, if their own key is here.

    Example: `signoff rollout start momentum-2.0.0-1a2b3c4d --as "T. Haddad"`
    """
    session: Session = context.obj
    document = session.at(deployment_id, revision, Permission.START).start(deployment_id, key)
    signed = document.get("deployed_by")
    signing = f"{signed} signed section 12" if signed else "nobody signed section 12; the memo says so"
    _answer(session, document, signing)


@rollout_app.command()
def advance(context: typer.Context, deployment_id: DeploymentId, revision: Revision = None) -> None:
    """Go one phase further when every condition holds. Example: `signoff rollout advance momentum-2.0.0-1a2b3c4d`"""
    session: Session = context.obj
    _answer(session, session.at(deployment_id, revision, Permission.ADVANCE).advance(deployment_id))


@rollout_app.command()
def pause(
    context: typer.Context,
    deployment_id: DeploymentId,
    reason: Annotated[PauseReason, typer.Option("--for", help="Why.")] = PauseReason.MANUAL,
    note: Annotated[str, typer.Option("--reason", help="In words.")] = "",
    revision: Revision = None,
) -> None:
    """Stop the phase clock. Example: `signoff rollout pause momentum-2.0.0-1a2b3c4d --reason "month end"`"""
    session: Session = context.obj
    _answer(session, session.at(deployment_id, revision).pause(deployment_id, reason, note=note))


@rollout_app.command()
def resume(
    context: typer.Context,
    deployment_id: DeploymentId,
    reason: Annotated[PauseReason, typer.Option("--for", help="The reason to remove.")] = PauseReason.MANUAL,
    note: Annotated[str, typer.Option("--reason", help="In words.")] = "",
    revision: Revision = None,
) -> None:
    """Take one pause reason away. Example: `signoff rollout resume momentum-2.0.0-1a2b3c4d`"""
    session: Session = context.obj
    _answer(session, session.at(deployment_id, revision, Permission.RESUME).resume(deployment_id, reason, note=note))


@rollout_app.command("not-held")
def not_held(
    context: typer.Context,
    deployment_id: DeploymentId,
    session_date: Annotated[datetime, typer.Option("--session", formats=["%Y-%m-%d"], help="The session.")],
    reason: Annotated[str, typer.Option("--reason", help="Why the venue did not hold it.")],
    revision: Revision = None,
) -> None:
    """Declare that the venue did not hold a session: it is not silence, and no day of a phase. One person.

    Example: `signoff rollout not-held momentum-2.0.0-1a2b3c4d --session 2019-01-09 --reason "NYSE closed, storm"`
    """
    session: Session = context.obj
    _answer(
        session,
        session.at(deployment_id, revision, Permission.NOT_HELD).not_held(
            deployment_id, session_date.date(), reason=reason
        ),
    )


@rollout_app.command()
def rollback(
    context: typer.Context,
    deployment_id: DeploymentId,
    reason: Annotated[str, typer.Option("--reason", help="In words.")] = "ordered by a person",
    occasion: Annotated[
        RollbackCause, typer.Option("--for", help="The occasion of section 5.1.")
    ] = RollbackCause.BUSINESS,
    revision: Revision = None,
) -> None:
    """Go back to the previous version now; a rollback that was interrupted continues.

    Example: `signoff rollout rollback momentum-2.0.0-1a2b3c4d --for risk_breach --reason "exposure over limit"`
    """
    session: Session = context.obj
    document = session.at(deployment_id, revision).rollback(deployment_id, occasion, reason=reason)
    because = document.get("memo_owed_because")
    owed = f"the rollback is done; its memo is owed: {because} The worker tries again."
    _answer(session, document, *_stuck(document), *([owed] if because else []))
    raise typer.Exit(1 if document["state"] == State.ROLLBACK_STUCK.value else 0)


@rollout_app.command(name="attest-flat")
def attest_flat(
    context: typer.Context,
    deployment_id: DeploymentId,
    reason: Annotated[str, typer.Option("--reason", help="What you looked at, and where.")],
    revision: Revision = None,
) -> None:
    """Say that a model is flat where no venue can be asked; its rollback then continues. One person, on record.

    Flat is no open order, and no position unless the policy keeps them.

    Example: `signoff rollout attest-flat momentum-2.0.0-1a2b3c4d --reason "nothing open, the broker's desk says"`
    """
    session: Session = context.obj
    document = session.at(deployment_id, revision).attest_flat(deployment_id, reason=reason)
    because = document.get("memo_owed_because")
    owed = f"the memo of the rollback is owed: {because} The worker tries again."
    _answer(session, document, *_stuck(document), *([owed] if because else []))
    raise typer.Exit(1 if document["state"] == State.ROLLBACK_STUCK.value else 0)


def _stuck(document: Document) -> tuple[str, ...]:
    step, because = document.get("stuck_at"), document.get("stuck_because")
    return (f"stuck at {step}: {because}. Waits for {document['waits_for']}",) if because else ()


def observe(
    context: typer.Context,
    deployment_id: DeploymentId,
    session_date: Annotated[
        datetime | None, typer.Option("--session", formats=["%Y-%m-%d"], help="Default: the next one not observed.")
    ] = None,
    revision: Revision = None,
) -> None:
    """One monitoring pass: measure a session that has closed, record it, roll back if a trigger holds.

    Where none has closed, the errors and latencies of the open one are looked at, and act; nothing else is recorded.
    Exit 1 on a breach.

    Example: `signoff observe momentum-2.0.0-1a2b3c4d`
    """
    session: Session = context.obj
    document = session.at(deployment_id, revision, Permission.OBSERVE).observe(
        deployment_id, session_date.date() if session_date else None
    )
    readings, fired = fields(document, "readings"), rows(document, "fired")
    session.answer(
        document,
        f"{deployment_id} on {document['session']}: {document['state']}",
        *([str(document["interim"])] if document.get("interim") else []),
        *(_reading(key, r) for key, r in readings.items()),
        *(f"  trigger holds: {name}" for name in fired),
    )
    breaches = [r for r in readings.values() if r["level"] in {Level.CRITICAL, Level.UNKNOWN}]
    raise typer.Exit(1 if breaches or fired else 0)


def kill(
    context: typer.Context,
    reason: Reason,
    model: Annotated[str | None, typer.Argument(help="The model's name.", callback=a_name)] = None,
    is_all: Annotated[bool, typer.Option("--all", help="Every model.")] = False,
    desk: Annotated[
        str | None, typer.Option("--desk", help="Every model of this desk, as dossiers name it.", callback=a_name)
    ] = None,
) -> None:
    """Stop trading a model, the models of a desk, or all of them now: flags off, orders fenced and cancelled.

    One person, no prompt. An unknown name is stopped too, and exits 1.

    Example: `signoff kill momentum --reason "orders at ten times the size"`
    """
    session: Session = context.obj
    if (model is not None) + is_all + (desk is not None) != 1:
        raise BadInputError(
            "Expected one of MODEL, --desk NAME and --all, so that nothing else is stopped than was meant; found "
            f"{'none' if model is None and desk is None else 'more'}. Nothing was stopped."
        )
    with session.signals.finishing():
        verbs = session.verbs
        document: Document = (
            verbs.kill_many(reason=reason, desk=desk) if model is None else verbs.kill(model, reason=reason)
        )
    is_kept = document["journaled"] or document["recorded"] or document.get("handed_over") is not None
    if not is_kept and session.house.settings.server is None:  # a server that answered has the kill in force
        _tell_lost(session, model or ("Every model" if desk is None else f"Every model of {desk}"), document)
    elif model is None:
        session.answer(document, *_many_killed(document), *_where(session))
    else:
        session.answer(document, *_unrecognised(model, document), *_killed(model, document), *_where(session))
    if not is_kept or _stopped_nobody(document):
        raise typer.Exit(2)
    is_unknown = model is not None and document.get("known") is False
    if (
        is_unknown or document.get("flat") is not True
    ):  # an older server says nothing of a venue, and unknown is not flat
        raise typer.Exit(1)


def _tell_lost(session: Session, what: str, document: Document) -> None:
    """Warn that the kill is in force nowhere: only this process, which now ends, has it."""
    if "models" in document:
        whole: Document = {**document, "models": [{**part, "flags": {}} for part in rows(document, "models")]}
    else:
        whole = {**document, "flags": {}}
    house = session.house
    why = house.kills.objections() or (
        f"{house.settings.home}: expected a home that this account writes to, with room on its disk.",
    )
    lines = (
        f"{what} is NOT stopped by this command: the flags are what they were.",
        f"{_left(document)}.",
        *why,
        "NO DISK AND NO LEDGER took this kill: it is in force nowhere. Order it at a running server (--server URL), "
        "or mend what stands above and order it again.",
    )
    session.answer(whole, *lines)
    if session.is_json:
        for line in lines:
            session.console.tell(line)


def _unrecognised(model: str, document: Document) -> tuple[str, ...]:
    """A warning that the name is unknown, and may be misspelt; printed first, since the rest reads like success."""
    is_known, near = document.get("known"), document.get("nearest") or []
    if is_known:
        return ()
    if is_known is None:
        return (f"WHETHER {model!r} IS KNOWN CANNOT BE TOLD: the record cannot be read. Check the name yourself.",)
    assert isinstance(near, list)
    if document.get("models_known") == 0:
        nearest = "No model is on record here at all: is this the right --home, or --server?"
    elif near:
        nearest = f"Nearest names: {', '.join(near)}. If the name was a slip, stop the right one now."
    else:
        nearest = "No name on record is near it: `signoff status` lists what there is. If it was a slip, stop that now."
    return (
        f"NOTHING HERE IS KNOWN BY THE NAME {model!r}: no release, no rehearsal. {nearest} The kill stands under this "
        "name all the same.",
    )


def _where(session: Session) -> tuple[str, ...]:
    """The home that took the kill; empty if the user named a server."""
    settings = session.house.settings
    return () if settings.server is not None else (f"Home: {settings.home.absolute()}",)


def _killed(model: str, document: Document) -> tuple[str, ...]:
    if document.get("handed_over") is not None:
        return _handed_over(model, document)
    killed = (
        f"{model} is killed: {_standing(document)}; {_left(document)}. Re-arm with two people: signoff rearm {model} "
        "--role …"
    )
    return (killed, *_kept(document))


def _many_killed(document: Document) -> tuple[str, ...]:
    what = "Every model" if document["desk"] is None else f"Every model of {document['desk']}"
    if document.get("handed_over") is not None:
        return _handed_over(what, document)
    if _stopped_nobody(document):
        return ("No model is on record here, so there was nothing to stop. Is this the right --home, or --server?",)
    stopped = rows(document, "models")
    return (
        f"{what} is killed, {len(stopped)} known here: flags off; {_left(document)}. Re-arm each with two people: "
        "signoff rearm MODEL --role …",
        *(
            f"  {row['model']:<28}{'on record' if row['recorded'] else 'not on record yet':<19}{_left(row)}"
            for row in stopped
        ),
        *(() if document["complete"] else ("The record cannot be read; models that are not listed are stopped too.",)),
        *_kept(document),
    )


def _left(document: Document) -> str:
    """The open orders at the venue, in words; a server that is older than venues does not send them."""
    return str(document.get("left", NOBODY_ASKED))


def _stopped_nobody(document: Document) -> bool:
    """Whether a kill of all models found none, as in a wrong home."""
    is_whole = document.get("complete") is True and document.get("handed_over") is None
    return is_whole and document.get("models") == []


def _kept(document: Document) -> tuple[str, ...]:
    """The fate of a kill that is not in the ledger yet."""
    if document["recorded"]:
        return ()
    if document["journaled"]:
        return ("The ledger does not hold it yet; it will once the database answers.",)
    return (
        "NO DISK AND NO LEDGER took this kill: no other process has it. Order it at a running server (--server URL), "
        "or make room and order it again.",
    )


def _handed_over(what: str, document: Document) -> tuple[str, ...]:
    """The next steps of a kill that was left in the drop folder."""
    return (
        f"{what}: the kill lies in {document['handed_over']}, since this account cannot write to the installation's "
        "home. It is in force within about a second where the server or the worker runs, and else as soon as one does.",
        "It is recorded in the name of this file's owner. No order was cancelled from here: look at the broker.",
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
    document = session.verbs.rearm(model, session.hand(role, key), reason=reason)
    session.answer(
        document,
        f"{model} is still killed; signed so far: {', '.join(rows(document, 'signed'))}"
        if document["latched"]
        else f"{model} is armed again; its live releases are in shadow",
    )


def rehearse(
    context: typer.Context,
    model: Model,
    directory: Annotated[Path | None, typer.Option("--dossier", help="The dossier whose plan is rehearsed.")] = None,
) -> None:
    """Rehearse the rollback with measured times: staging flags, staged orders, the real previous version.

    Without a venue nothing is known of orders and positions, and the RTO is not rehearsed. Exit 1 when a step failed,
    took too long or left orders open, or when the policy takes no rehearsal with this venue.

    Example: `signoff rehearse momentum --dossier release`
    """
    session: Session = context.obj
    document = session.acting(Permission.REHEARSE).rehearse(model, directory)
    needed = document.get("rehearsal_venue")
    failed = f"{document.get('failed')} failed: {document.get('failed_because')}"
    refused = f"the policy takes no rehearsal with venue {document.get('venue')} (rollback.rehearsal_venue: {needed})"
    counts = document.get("counts", True)
    session.answer(
        document,
        *(f"  {step:<15}{_took(seconds)}" for step, seconds in fields(document, "seconds").items()),
        f"  RTO {document['rto']}; {document['left']}",
        *([failed] if document.get("failed") else []),
        *([] if counts else [refused]),
        str(document["budget"]),
    )
    raise typer.Exit(0 if document["within_budget"] and counts else 1)


def _took(seconds: float | None) -> str:
    return f"  {NOT_REHEARSED}" if seconds is None else f"{seconds:>10.3f} s"


def review(
    context: typer.Context,
    deployment_id: DeploymentId,
    notes: Annotated[str, typer.Option("--notes", help="Lessons learned.")] = "",
    revision: Revision = None,
) -> None:
    """The 30-day review: targets against what happened. Exit 1 unless every target was met.

    Example: `signoff review momentum-2.0.0-1a2b3c4d --notes "drift watched on two features"`
    """
    session: Session = context.obj
    document = session.at(deployment_id, revision, Permission.REVIEW).review(deployment_id, notes=notes)
    session.answer(
        document,
        *(_reading(key, r) for key, r in fields(document, "readings").items()),
        str(document.get("result") or ("every target met" if document["targets_met"] else "targets missed")),
    )
    raise typer.Exit(0 if document["targets_met"] else 1)


def worker(
    context: typer.Context,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until stopped, a pass a second.")] = False,
    observe_sessions: Annotated[
        bool, typer.Option("--observe/--no-observe", help="Observe sessions that have closed.")
    ] = True,
    advance_phases: Annotated[bool, typer.Option("--advance", help="Advance when every condition holds.")] = False,
) -> None:
    """The background work: record kills, finish rollbacks, watch deadlines, observe, send notices, anchor the ledger.

    Several may run at once, on one machine or many. Example: `signoff worker --watch`
    """
    session: Session = context.obj
    house = session.installation.known_by(ActorProof.PROGRAM)
    if watch:
        work = Worker(house, lanes=Lanes())
        follow(work, is_observing=observe_sessions, is_advancing=advance_phases, finish=work.finish)
        return
    work = Worker(house)
    did = work.work(is_observing=observe_sessions, is_advancing=advance_phases)
    session.answer(
        did.document(),
        f"{len(did.rollbacks)} rollback(s) finished, {len(did.observed)} session(s) observed, "
        f"{did.notices} notice(s) sent",
        *did.problems,
        *(f"{version} is not governance_ready; missing: {', '.join(gone)}" for version, gone in did.unready.items()),
        *((NO_REPOSITORY,) if any("repository.txt" in gone for gone in did.unready.values()) else ()),
        *(text for texts in did.differs.values() for text in texts),
    )


def post_mortem(
    context: typer.Context,
    deployment_id: DeploymentId,
    notes: Annotated[str, typer.Option("--notes", help="What was learned.")],
    root_cause: Annotated[
        str, typer.Option("--root-cause", help="Why it happened, in words; open until a person states it.")
    ] = "",
    revision: Revision = None,
) -> None:
    """Record the post-mortem of a rollback; the policy says when it is due.

    The root cause is a statement, and never the trigger's name; repeat the command to state it later.

    Example: `signoff post-mortem momentum-2.0.0-1a2b3c4d --notes "check added" --root-cause "feed sent old prices"`
    """
    session: Session = context.obj
    _answer(
        session,
        session.at(deployment_id, revision, Permission.REVIEW).post_mortem(
            deployment_id, notes=notes, root_cause=root_cause
        ),
    )


def done(
    context: typer.Context,
    deployment_id: DeploymentId,
    item: Annotated[str, typer.Argument(help="The item of section 9, in the dossier's own words.")],
    note: Annotated[str, typer.Option("--note", help="How it was done.")] = "",
    revision: Revision = None,
) -> None:
    """Record that you did an item of section 9: a meeting, a dashboard, a document, a message.

    Example: `signoff done momentum-2.0.0-1a2b3c4d "Performance review meeting" --as "A. Lindqvist"`
    """
    session: Session = context.obj
    document = session.at(deployment_id, revision, Permission.MARK_DONE).mark_done(deployment_id, item, note=note)
    _answer(session, document, f"on record as done: {item}")


def _answer(session: Session, document: Document, *further: str) -> None:
    cut = document.get("capital_cut")
    session.answer(
        document,
        f"{document['deployment']} is {document['state']}; {_standing(document)}",
        *((f"{cut}; `signoff rollout resume {document['deployment']} --for silence` restores it",) if cut else ()),
        *further,
    )


def _standing(document: Document) -> str:
    flags = {key.rpartition(".")[2]: value for key, value in fields(document, "flags").items()}
    return (
        f"enabled {str(flags['enabled']).lower()}, allocation {flags['allocation_pct']}%, "
        f"shadow {str(flags['shadow_mode']).lower()}"
    )


def _reading(key: str, reading: Mapping[str, Any]) -> str:
    """One figure: its value, level, data and reason. An older server may return less."""
    n, needed, age = reading.get("n"), reading.get("needed"), reading.get("age_days")
    counted = "" if n is None else f"n {n}" + (f" of {needed}" if needed is not None and n < needed else "")
    rests = ", ".join(part for part in (counted, "" if age is None else f"age {age} d") if part)
    word = reading.get("word", reading["level"])
    return f"  {key:<28}{_value(reading['value']):>12}  {word:<9}{rests:<20}  {reading['detail']}".rstrip()


def _value(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"
