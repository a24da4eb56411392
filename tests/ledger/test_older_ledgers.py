"""Ledgers that were written before a release said why people may not sign for it."""

import json

import pytest
from small_ledger import (
    DEPLOYMENT,
    STREAM,
    World,
    approved_release,
    enrolled,
    exported,
    memory_store,
    noticed,
    verified,
)

from signoff.app.record import replay
from signoff.domain.deployment import Deployment
from signoff.domain.policy import Role
from signoff.ledger import codec
from signoff.ledger.codec import decode_state

SINCE = {"grounds", "unread", "logins", "unread_commits", "unknown_makers"}


def without(value):
    match value:
        case dict():
            return {key: without(item) for key, item in value.items() if key not in SINCE}
        case list():
            return [without(item) for item in value]
        case _:
            return value


@pytest.fixture
def older():
    """A store as an older Signoff left it."""
    plain = codec._plain
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "_plain", lambda value: without(plain(value)))
        store = approved_release(memory_store())
    said = [json.loads(row.body)["event"] for row in store.rows()]
    assert not any(SINCE & event.keys() for event in said)
    return store


def test_they_verify_and_replay_as_they_are(older):
    assert verified(exported(older)).exit_code == 0
    state = decode_state(Deployment, older.load(STREAM).state)
    assert (state.id, state.barred, state.grounds, state.unread) == (DEPLOYMENT, ("Quinn",), (), ())
    assert SINCE.isdisjoint(json.loads(older.load(STREAM).state))
    assert set(json.loads(replay(codec.decode(row.body) for row in older.rows())[STREAM])) >= {"grounds", "unread"}


def test_they_go_on_under_this_signoff_and_verify(older):
    World(older, requests=100).happens(STREAM, noticed("dinner"))
    World(older, requests=101).happens("people", enrolled("Kim", Role.CTO))
    result = verified(exported(older))
    assert result.findings == ()
