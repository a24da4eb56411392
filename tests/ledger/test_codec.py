"""Canonical bytes and back: one spelling of each event, and none of what JSON cannot hold."""

import json
from datetime import UTC, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from small_ledger import NOW, killed, opened, paused, signature

from signoff.domain.deployment import Deployment, evolve
from signoff.domain.errors import BadInputError, TamperedError
from signoff.domain.events import (
    ApprovalSigned,
    Deadline,
    DeadlineBreached,
    DeadlineName,
    GateResult,
    Level,
    Phase,
    Reading,
    Recorded,
    Rehearsed,
    Reviewed,
    RollbackCause,
    RollbackStarted,
    Step,
    Validated,
)
from signoff.domain.outcome import Outcome
from signoff.ledger.canonical import canonical, digest
from signoff.ledger.codec import decode, decode_state, encode, encode_state

SAMPLES = (
    opened(),
    paused('ünïcode 😀 \u2028 \\ " \x1f'),
    killed(),
    ApprovalSigned(signature=signature()),
    Rehearsed(seconds=((Step.FENCE, 0.25), (Step.CANCEL, 1e-7)), residual_orders=0, within_budget=True),
    Reviewed(readings=(Reading(key="sharpe", value=None, level=Level.UNKNOWN),), targets_met=False),
    RollbackStarted(
        occasion=RollbackCause.ERROR,
        trigger="error_rate",
        reason="",
        from_phase=Phase.LIMITED,
        deadlines=(Deadline(name=DeadlineName.IMMEDIATE, due=NOW),),
    ),
)


def recorded(event, at=NOW) -> Recorded:
    return Recorded(stream="deployment/m-2", revision=1, at=at, actor="t", event=event)


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.kind)
def test_an_event_comes_back_as_it_was(event):
    assert decode(encode(recorded(event))) == recorded(event)


def test_the_bytes_of_an_event_are_these():
    assert encode(recorded(paused("x"), at=NOW + timedelta(microseconds=5))) == (
        b'{"actor":"t","at":"2019-01-02T21:00:00.000005Z","event":{"kind":"paused","note":"x","reason":"manual"},'
        b'"revision":1,"schema":1,"stream":"deployment/m-2"}'
    )


def test_an_event_of_another_zone_is_kept_in_utc():
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    assert encode(recorded(paused(), at=tokyo)) == encode(recorded(paused()))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{"schema":1}',
        encode(recorded(paused())) + b" ",
        encode(recorded(paused())).replace(b'"schema":1', b'"schema":2'),
        encode(recorded(paused())).replace(b'"kind":"paused"', b'"kind":"unheard_of"'),
        encode(recorded(paused())).replace(b'"note":""', b'"note":"","other":""'),
        encode(recorded(paused())).replace(b'"revision":1', b'"revision":"1"'),
        encode(recorded(paused())).replace(b'"revision":1', b'"revision":true'),
        encode(recorded(paused())).replace(b'"revision":1', b'"revision":1e999'),
        encode(recorded(paused())).replace(b'"revision":1', b'"revision":123456789012345678901234567890'),
        encode(recorded(paused())).replace(b'"note":""', b'"note":' + b"[" * 5000 + b"]" * 5000),
        encode(recorded(killed())).replace(b'"epoch":1', b'"epoch":"1"'),
        encode(recorded(paused())).replace(b".000000Z", b"Z"),
        encode(recorded(paused())).replace(b'{"actor"', b'{"actor":"u","actor"'),
    ],
)
def test_other_bytes_are_refused(body):
    with pytest.raises(TamperedError):
        decode(body)


def test_an_event_written_before_a_field_had_a_default_is_still_read():
    older = encode(recorded(paused())).replace(b'"note":"",', b"")
    assert b"note" not in older
    assert decode(older) == recorded(paused())


@pytest.mark.parametrize("value", [1e15, 9007199254740992.0, 1e16, -1e20, 1e21, 5e-324])
def test_large_numbers_survive(value):
    event = Reviewed(readings=(Reading(key="volume_usd", value=value, level=Level.OK),), targets_met=True)
    assert decode(encode(recorded(event))) == recorded(event)


WORDS = [
    *((Reviewed(readings=(Reading(key="x", value=1.0, level=one),), targets_met=True), one) for one in Level),
    *((DeadlineBreached(name=one, due=NOW), one) for one in DeadlineName),
    *(
        (
            Validated(
                results=(GateResult(key="x", outcome=one, is_blocking=True, statistic=1.0, threshold=1.0, n=9),),
                package="p",
            ),
            one,
        )
        for one in Outcome
    ),
]


@pytest.mark.parametrize(("event", "word"), WORDS, ids=lambda one: one.kind if hasattr(one, "kind") else str(one))
def test_a_word_of_a_list_is_written_as_before_and_another_one_is_refused(event, word):
    written = encode(recorded(event))
    assert b'"%s"' % str(word).encode() in written
    assert decode(written) == recorded(event)
    with pytest.raises(TamperedError):
        decode(written.replace(b'"%s"' % str(word).encode(), b'"fine"'))


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(BadInputError, match="zone"):
        encode(recorded(paused(), at=NOW.replace(tzinfo=None)))


REFUSED = (
    float("nan"),
    -float("inf"),
    2**60,
    {"a": [float("nan")]},
    "\ud800",
    {"\ud800": 1},
    {1: 2},
    {None: 0},
    {"a"},
    b"a",
)


@pytest.mark.parametrize("value", REFUSED, ids=repr)
def test_what_json_cannot_hold_is_refused(value):
    with pytest.raises(BadInputError, match="Expected a value that JSON can hold"):
        canonical(value)


def test_canonical_json_is_that_of_the_rfc():
    # RFC 8785, section 3.2.2 and 3.2.3.
    value = {
        "numbers": [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/",
        "literals": [None, True, False],
    }
    assert canonical(value) == (
        b'{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        b'"string":"\xe2\x82\xac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )


def test_the_digest_of_nothing_is_known():
    assert digest(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_state_comes_back_as_it_was():
    state = evolve(None, recorded(opened()))
    content = encode_state(state)
    assert decode_state(Deployment, content) == state
    assert encode_state(decode_state(Deployment, content)) == content


def test_a_state_of_another_kind_is_refused():
    with pytest.raises(TamperedError, match="no Deployment"):
        decode_state(Deployment, b'{"id":1}')


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-(2.0**53) + 1, 2.0**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(json_values)
def test_canonical_form_is_a_fixed_point(value):
    content = canonical(value)
    assert canonical(json.loads(content)) == content


@given(json_values | st.floats(allow_nan=False, allow_infinity=False).map(lambda value: [value, -value]))
def test_canonical_bytes_are_those_of_the_library(value):
    assert canonical(value) == rfc8785.dumps(value)


def test_names_are_ordered_by_their_utf_16_code_units():
    assert canonical({"\ufb33": 1, "\U0001f600": 2, "z": 3}).decode() == '{"z":3,"\U0001f600":2,"\ufb33":1}'


@pytest.mark.parametrize("value", [np.float64(0.1), Step.FENCE, {Step.FENCE: True}, (1, "a"), {}, [], -0.0], ids=repr)
def test_kinds_of_numbers_text_and_lists_are_written_as_what_they_are(value):
    assert canonical(value) == rfc8785.dumps(value)


@pytest.mark.parametrize(
    "value",
    [float("nan"), -float("inf"), 2**53, {1: 2}, {None: 1}, {"a": b"x"}, {1, 2}, "\ud800", {"\ud800": 1}, object],
    ids=ascii,
)
def test_what_json_cannot_hold_is_refused_here_as_by_the_library(value):
    with pytest.raises((rfc8785.CanonicalizationError, UnicodeEncodeError)):
        rfc8785.dumps(value)
    with pytest.raises(BadInputError, match="found one that it cannot"):
        canonical(value)


@given(st.floats(1, 9), st.integers(-330, 307), st.sampled_from([1, -1]))
def test_a_number_of_any_size_is_written_as_by_the_library(mantissa, power, sign):
    value = float(f"{sign * mantissa!r}e{power}")
    assert canonical(value) == rfc8785.dumps(value)


WALL = NOW.replace(tzinfo=None)


@given(st.datetimes(WALL.replace(year=1970), WALL.replace(year=2100), timezones=st.timezones()))
def test_every_instant_survives(at):
    body = encode(recorded(paused(), at=at))
    assert decode(body).at == at.astimezone(UTC)
    assert encode(decode(body)) == body


def test_the_ledger_does_no_io():
    folder = Path(__file__).parents[2] / "src/signoff/ledger"
    forbidden = ("import os", "import time", "pathlib", "sqlalchemy", "datetime.now", "open(")
    said = {path.name: [w for w in forbidden if w in path.read_text()] for path in folder.glob("*.py")}
    assert not any(said.values()), said
