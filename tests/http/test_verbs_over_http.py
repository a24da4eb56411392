"""Every verb of a release's life, given on a command line at a desk: the record changes, and no home is made."""

from dataclasses import replace
from datetime import UTC, date, datetime

import polars as pl
import pytest
from cast_of_six import PEOPLE
from standing import POLICY, START, way_to
from test_release_over_http import Desk

from signoff.app.record import StreamChange, deployment_stream, model_stream
from signoff.domain import events as e
from signoff.domain.deployment import State
from signoff.domain.venue import VenueKind

RELEASE = "m-2"
SESSION = date(2019, 1, 3)
OBSERVED = e.Observed(session=SESSION, counts=True, readings=(), is_conclusive=True)
# Adopted and in shadow again, as after a kill: nothing was ever submitted that could be looked up.
ADOPTED = [
    e.Adopted(deployment=RELEASE, model="m", version="2", policy=POLICY, signatures=(), reason="r"),
    e.PhaseEntered(phase=e.Phase.SHADOW, allocation_pct=0),
    OBSERVED,
    replace(OBSERVED, session=date(2019, 1, 4)),
]
PAUSED = [*way_to(State.LIMITED), e.Paused(reason=e.PauseReason.MANUAL, note="month end")]

WAITING = [
    *way_to(State.LIMITED),
    e.RollbackStarted(occasion=e.RollbackCause.ERROR, trigger="t", reason="r", from_phase=None, deadlines=()),
    *(e.StepDone(step=step, seconds=0.1, detail="", venue=VenueKind.NONE) for step in (e.Step.FENCE, e.Step.CANCEL)),
    e.RollbackStuck(step=e.Step.VERIFY_FLAT, detail="nobody knows"),
]

VERBS = {
    "reject": ("cto", way_to(State.AWAITING_APPROVAL), ["--role", "cto", "--reason", "algo registration missing"]),
    "rollout advance": ("head_of_trading", ADOPTED, []),
    "rollout pause": ("head_of_trading", way_to(State.LIMITED), ["--reason", "month end"]),
    "rollout resume": ("head_of_trading", PAUSED, []),
    "rollout rollback": ("head_of_trading", way_to(State.LIMITED), ["--for", "risk_breach", "--reason", "over limit"]),
    "rollout attest-flat": ("risk_manager", WAITING, ["--reason", "the broker's desk said so"]),
    "observe": ("model_owner", way_to(State.SHADOW), ["--session", str(SESSION)]),
    "rollout not-held": (
        "head_of_trading",
        way_to(State.SHADOW),
        ["--session", "2019-01-04", "--reason", "NYSE closed, storm"],
    ),
    "review": ("risk_manager", [*way_to(State.FULL), OBSERVED], ["--notes", "drift watched"]),
    "meet": (
        "risk_manager",
        way_to(State.APPROVED, conditional=True),
        ["--role", "risk_manager", "--condition", "daily review"],
    ),
    "post-mortem": ("risk_manager", way_to(State.ROLLED_BACK), ["--notes", "feed sent yesterday's prices"]),
}
LEAVES = {
    "reject": "approval_rejected",
    "rollout advance": "phase_entered",
    "rollout pause": "paused",
    "rollout resume": "resumed",
    "rollout rollback": "rollback_started",
    "rollout attest-flat": "flat_attested",
    "observe": "observed",
    "rollout not-held": "session_not_held",
    "review": "reviewed",
    "meet": "condition_met",
    "post-mortem": "post_mortem_held",
    "rehearse": "rehearsed",
}


def put(house, events):
    """A release that came here by these events, signed by the people of this server."""
    signed = (
        replace(event, signature=replace(event.signature, person=PEOPLE[event.signature.role]))
        if isinstance(event, e.ApprovalSigned)
        else event
        for event in events
    )
    release = StreamChange(stream=deployment_stream(RELEASE), state=None, events=tuple(signed))
    house.record.commit(release, actor="t", key="put", at=START)


def journal(folder):
    """One session as a trading process wrote it down."""
    folder.mkdir(parents=True)
    at, of = datetime(2019, 1, 3, 21, tzinfo=UTC), {"version": ["2"]}
    day = {"date": [SESSION], **of}
    tables = {
        "returns": {**day, "return": [0.001], "benchmark": [0.001]},
        "history": {"date": [date(2019, 1, 2)], **of, "return": [0.001], "benchmark": [0.0]},
        "predictions": {
            "timestamp": [at],
            **of,
            "symbol": ["A"],
            "prediction": [0.1],
            "latency_ms": [5.0],
            "error": [False],
        },
        "features": {"timestamp": [at], "symbol": ["A"], "x": [1.0]},
        "baseline_features": {"timestamp": [at], "symbol": ["A"], "x": [1.0]},
        "exposure": {**day, "gross_exposure_pct": [50.0]},
    }
    for name, columns in tables.items():
        pl.DataFrame(columns).write_parquet(folder / f"{name}.parquet")


def told(house, stream):
    return [r.event.kind for r in house.record.history(stream)]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_at_a_desk_changes_the_servers_record_and_makes_no_home(own_server, tmp_path, capsys, verb):
    role, events, further = VERBS[verb]
    house, home = own_server.house, tmp_path / "desk"
    put(house, events)
    journal(house.settings.live("m"))
    desk = Desk(own_server, role, home, capsys)
    before = told(house, deployment_stream(RELEASE))
    desk.ok(*verb.split(), RELEASE, *further, codes={0, 1})
    added = told(house, deployment_stream(RELEASE))[len(before) :]
    assert LEAVES[verb] in added
    assert sorted(path.name for path in home.iterdir()) == ["keys"]


def test_a_rehearsal_at_a_desk_is_walked_at_the_server(own_server, tmp_path, capsys):
    """No version is live before this one, so that no registry has to load one."""
    put(own_server.house, way_to(State.SHADOW))
    desk = Desk(own_server, "model_owner", tmp_path / "desk", capsys)
    desk.ok("rehearse", "m", codes={0, 1})
    assert told(own_server.house, model_stream("m")) == ["rehearsed"]
    assert sorted(path.name for path in (tmp_path / "desk").iterdir()) == ["keys"]
