"""Not measured, simulated, declared, stale, unknown: the same fact is told in the same word on every face."""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest
from cast_of_six import PEOPLE
from http_server import Served
from standing import way_to
from test_front_page import browser
from test_verbs_over_http import RELEASE, put

from signoff.app.observe import _told as told_of
from signoff.app.record import StreamChange, deployment_stream
from signoff.cli.main import main
from signoff.domain import decisions
from signoff.domain import events as e
from signoff.domain.deployment import State
from signoff.domain.memo.rollback_memo import compose_rollback
from signoff.domain.rollback_drill import recovery_time_in_words
from signoff.domain.venue import NO_VENUE, VenueKind
from signoff.rendering.markdown import markdown
from signoff.verbs.local import Local

# Each fact has one server for all of its faces, so one worker runs them.
FIRST = date(2019, 1, 3)
PSI = e.Reading(key="psi_max", value=None, level="unknown", detail="no drift could be measured", n=0, needed=200)
OLD = e.Reading(key="psi_max", value=None, level="unknown", detail="stale: the newest features are of 2018-12-28")


def seen(server, reading, sessions=2):
    """The release at full capital after so many sessions with this reading."""
    put(server.house, way_to(State.FULL))
    for n in range(sessions):
        state = server.house.record.deployment(RELEASE)
        day = e.Observed(
            session=FIRST + timedelta(days=n),
            counts=True,
            readings=(reading,),
            unmet=(f"psi_max is {reading.word}: {reading.detail}",),
            is_conclusive=False,
        )
        commit(server, state, decisions.observation.record_day(state, day), f"day {n}", told_of)


def commit(server, state, events, key, effects=None):
    change = StreamChange(stream=deployment_stream(RELEASE), state=state, events=events)
    server.house.record.commit(change, actor="t", key=key, effects=() if effects is None else effects(state, events))


def unknown(server):
    seen(server, PSI)


def stale(server):
    seen(server, OLD)


def declared(server):
    put(server.house, way_to(State.FULL))
    state = server.house.record.deployment(RELEASE)
    not_held = decisions.observation.declare_not_held(state, FIRST, "NYSE closed, storm", has_data=False, today=FIRST)
    commit(server, state, not_held, "not held")


def without_a_venue(server):
    """Rolled back as far as it goes without anybody's word."""
    put(server.house, way_to(State.FULL))
    server.house.rollback.begin(RELEASE, e.RollbackCause.ERROR, "t", "r", actor=PEOPLE["risk_manager"])


def terminal(*line):
    def read(server, capsys):
        capsys.readouterr()
        main([*line, "--home", str(server.settings.home), "--venue", server.settings.venue.name])
        return " ".join(capsys.readouterr().out.split())

    return read


def over_http(path):
    return lambda server, capsys: json.dumps(server.client().get(f"/api/v1/{path}").json())


def page(server, capsys):
    with browser(server) as visitor:
        return visitor.get("/").text


def flag(server, capsys):
    return json.dumps(Local(server.house, "t").flags("m"))


def memo(server, capsys):
    """The rollback memo as it would read if the release were rolled back now; nothing is recorded."""
    record = server.house.record
    state, now = record.deployment(RELEASE), record.now()
    told = tuple(recorded for _, recorded in record.told({deployment_stream(RELEASE)}))
    for event in decisions.rollback.begin_rollback(state, e.RollbackCause.ERROR, "t", "r", now):
        at = {"stream": deployment_stream(RELEASE), "revision": state.revision + 1, "at": now, "actor": "t"}
        told = (*told, e.Recorded(**at, event=event))
    composed = compose_rollback(
        deployment_id=state.id, model=state.model, version=state.version, restored_version=None, events=told
    )
    text, _ = markdown(composed)
    return " ".join(text.decode().replace("\\", "").split())


def notices(server, capsys):
    return json.dumps([effect.payload.decode() for effect in server.house.store.pending()])


STATUS = {"terminal": terminal("status"), "json": terminal("status", "--json"), "api": over_http("deployments")}
HISTORY = {"terminal": terminal("history", RELEASE), "json": terminal("history", RELEASE, "--json")}
CUT = "capital cut to 10% after 2 sessions without conclusive data"


def killed(server):
    put(server.house, way_to(State.FULL))
    server.house.kill_switch.kill("m", reason="drill", actor="t")


FACTS = {
    "a kill without a venue": (killed, "none", NO_VENUE, {"people": notices}),
    "a kill at the simulated venue": (killed, "simulated", "look at the simulated venue", {"people": notices}),
    "unknown reading": (unknown, "none", "psi_max: unknown", {**STATUS, "page": page, "people": notices}),
    "stale reading": (stale, "none", "psi_max: stale", {**STATUS, "page": page, "people": notices}),
    "unknown reading, in the memo": (unknown, "none", "| unknown |", {"memo": memo}),
    "stale reading, in the memo": (stale, "none", "| stale |", {"memo": memo}),
    "capital": (unknown, "none", CUT, {**STATUS, "flag": flag, "page": page, "people": notices, **HISTORY}),
    "declared session": (declared, "none", "declared that the session 2019-01-03 was not held", HISTORY),
    "no venue": (without_a_venue, "none", NO_VENUE, {**STATUS, "page": page, "memo": memo, "people": notices}),
    "simulated venue": (without_a_venue, "simulated", "at the simulated venue", {**HISTORY, "memo": memo}),
}
ROWS = [
    pytest.param(prepare, venue, words, read, id=f"{fact}-{face}")
    for fact, (prepare, venue, words, faces) in FACTS.items()
    for face, read in faces.items()
]


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    """A running server for each fact, begun when it is first asked for."""
    begun = {}

    def world(prepare, venue):
        if (prepare, venue) not in begun:
            server = Served(tmp_path_factory.mktemp(prepare.__name__) / "home", venue=venue)
            prepare(server)
            begun[prepare, venue] = server.start()
        return begun[prepare, venue]

    yield world
    for server in begun.values():
        server.stop()


@pytest.mark.parametrize(("prepare", "venue", "words", "read"), ROWS)
def test_a_fact_is_told_in_its_word(worlds, prepare, venue, words, read, capsys):
    said = read(worlds(prepare, venue), capsys)
    assert words.replace("_", " ") in said.replace("_", " "), said


def rehearsed(venue):
    return e.Rehearsed(
        seconds=tuple((step, 0.1) for step in e.Step),
        residual_orders=None if venue is VenueKind.NONE else 0,
        within_budget=True,
        venue=venue,
    )


@pytest.mark.parametrize(
    ("venue", "word"), [(VenueKind.NONE, "not measured"), (VenueKind.SIMULATED, "simulated"), (VenueKind.CONNECTED, "")]
)
def test_a_recovery_time_says_how_it_came_about(venue, word):
    said = recovery_time_in_words(rehearsed(venue))
    assert word in said
    if venue is not VenueKind.CONNECTED:
        assert said != recovery_time_in_words(replace(rehearsed(venue), venue=VenueKind.CONNECTED))
