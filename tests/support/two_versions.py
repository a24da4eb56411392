"""A champion and its candidate on record, in whatever phase a test needs, without the weeks that lead there."""

from dataclasses import replace

from standing import way_to

from signoff.app.record import StreamChange, deployment_stream
from signoff.domain import events as e
from signoff.domain.deployment import State

MODEL, CHAMPION, CANDIDATE = "momentum", "1.1.0", "1.2.0"
IDENTITY = f"{MODEL}-{CANDIDATE}"
STREAM = deployment_stream(IDENTITY)


def candidate(record, state, *, policy=None):
    """The candidate goes on to this state; its earlier events are on record or follow now."""
    events = tuple(_named(event, policy) for event in way_to(state))
    stored = record.history(STREAM)
    known = len(stored)
    assert [r.event.kind for r in stored] == [event.kind for event in events[:known]], "this state comes earlier"
    before = record.deployment(IDENTITY) if known else None
    changes = [StreamChange(stream=STREAM, state=before, events=events[known:])]
    if state is State.FULL:
        champion = next(d for d in record.deployments(MODEL) if d.version == CHAMPION)
        over = (e.Superseded(by_deployment=IDENTITY),)
        changes.append(StreamChange(stream=deployment_stream(champion.id), state=champion, events=over))
    record.commit(*changes, actor="t", key=f"{IDENTITY} to {state.value}")


def _named(event, policy):
    if not isinstance(event, e.Opened):
        return event
    named = replace(event, deployment=IDENTITY, model=MODEL, version=CANDIDATE, previous_version=CHAMPION)
    return named if policy is None else replace(named, policy=policy)


def flat(flags):
    """The three flat flags of an answer in bulk, by name: the value, or the error that is in its place."""
    entries = {entry["key"]: entry for entry in flags["flags"]}
    names = ("enabled", "allocation_pct", "shadow_mode")
    return tuple(_value(entries[f"models.{MODEL}.{name}"]) for name in names)


def _value(entry):
    return entry.get("errorCode", entry.get("value"))
