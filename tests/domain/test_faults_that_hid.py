"""Seven changes of the code that once passed every test together, each with the test in which it is wrong."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from small_ledger import killed
from worlds import INTACT, MANIFEST, NOW, POLICY, REHEARSAL, after, awaiting, lived, opened, shadowing, signature

from signoff.domain import decisions
from signoff.domain.deployment import State
from signoff.domain.errors import GuardError, TamperedError
from signoff.domain.events import Recorded, RollbackCause, Vote
from signoff.domain.monitoring.returns import var_exception
from signoff.domain.policy import Role
from signoff.ledger.codec import decode, encode
from signoff.ledger.manifest import parse
from signoff.ledger.verification import _missing


def recorded(event):
    return Recorded(stream="s", revision=1, at=NOW, actor="t", event=event)


OVERRIDING = (Role.RISK_MANAGER, Role.CTO)
EXPIRY = NOW + timedelta(days=1)


@pytest.fixture
def overridden():
    """A release whose blocking gate two people took responsibility for, until a day from now; every role signed it."""
    state = opened(blocking=("pbo",))
    for role in OVERRIDING:
        signed = signature(role, verdict=Vote.OVERRIDE, expires_at=EXPIRY)
        state = after(state, *decisions.approvals.sign_override(state, signed, NOW))
    state = after(state, *decisions.approvals.request_approval(state, MANIFEST, REHEARSAL, NOW))
    for role in state.policy.approvals.required:
        state = after(state, *decisions.approvals.approve(state, signature(role), INTACT, REHEARSAL, NOW))
    return state


def test_an_override_that_expires_after_the_start_blocks_no_advance(overridden):
    state = lived(after(overridden, *decisions.rollout.start(overridden, INTACT, None, NOW)), 7)
    state = after(state, *decisions.rollout.advance(state, INTACT, None, EXPIRY + timedelta(days=1)))
    assert state.state is State.LIMITED


def test_an_override_that_expired_before_the_start_blocks_it(overridden):
    with pytest.raises(GuardError):
        decisions.rollout.start(overridden, INTACT, None, EXPIRY)


def test_the_four_deadlines_of_a_rollback_are_those_of_the_memo():
    (begun,) = decisions.rollback.begin_rollback(shadowing(), RollbackCause.BUSINESS, "person", "test", NOW)
    due = {deadline.name: deadline.due - NOW for deadline in begun.deadlines}
    assert due == {
        "immediate": timedelta(minutes=5),
        "revert": timedelta(minutes=15),
        "review": timedelta(hours=2),
        "post_mortem": timedelta(hours=48),
    }


def test_a_role_that_is_not_asked_rejects_nothing():
    few = replace(POLICY.approvals, roles=(Role.RISK_MANAGER, Role.CTO), compliance_required=False)
    state = awaiting(policy=replace(POLICY, approvals=few))
    others = set(Role) - {Role.RISK_MANAGER, Role.CTO}
    for role in others:
        with pytest.raises(GuardError, match="guard 'role'"):
            decisions.approvals.reject(state, signature(role, verdict=Vote.REJECT))


@pytest.mark.parametrize(("earlier", "is_forecast"), [(99, False), (100, True), (101, True)])
def test_value_at_risk_needs_a_hundred_earlier_sessions(earlier, is_forecast):
    rng = np.random.default_rng(3)
    returns, benchmark = rng.normal(0, 0.01, (2, earlier + 1))
    assert (var_exception(returns, benchmark, 0.95) is not None) is is_forecast


def test_beta_is_that_of_250_sessions():
    """A loss as large as the market's explains itself with a beta of one, and with none it does not.

    The last 60 sessions move against the market, the 190 before them with it twice over.
    """
    rng = np.random.default_rng(5)
    market = rng.normal(0, 0.01, 301)
    noise = rng.normal(0, 0.0005, 301)
    beta = np.where(np.arange(301) < 240, 2.0, -1.0)
    returns = beta * market + noise
    market[-1], returns[-1] = -0.05, -0.07
    told = var_exception(returns, market, 0.95)
    by_hand = np.cov(returns[50:300], market[50:300], ddof=1)[0, 1] / np.var(market[50:300], ddof=1)
    assert told.is_exception
    assert told.residual_value_at_risk == pytest.approx(
        np.quantile(returns[50:300] - by_hand * market[50:300], 0.05), rel=1e-12
    )


@pytest.mark.parametrize("wrong", [b"true", b'"1"', b"1.0", b"null"])
def test_a_number_of_the_ledger_is_a_number(wrong):
    assert decode(encode(recorded(killed())))
    with pytest.raises(TamperedError):
        decode(encode(recorded(killed())).replace(b'"epoch":1', b'"epoch":' + wrong))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"not JSON", b'{"entries": 1}'])
def test_a_manifest_that_cannot_be_read_is_a_finding(content):
    with pytest.raises(TamperedError):
        parse(content)
    assert _missing(content, frozenset()) == ("(unreadable manifest)",)
