"""Nobody gets past the signatures."""

from dataclasses import replace
from datetime import timedelta

import pytest
from worlds import INTACT, MANIFEST, NOW, REHEARSAL, after, approved, awaiting, opened, signature

from signoff.domain import decisions
from signoff.domain.deployment import State
from signoff.domain.errors import GuardError
from signoff.domain.events import ApprovalsVoided, Vote
from signoff.domain.policy import Role


def refused_by(guard):
    return pytest.raises(GuardError, match=f"guard '{guard}'")


def test_a_release_is_approved_only_when_every_required_role_has_signed():
    state = awaiting()
    for role in state.policy.approvals.required:
        assert state.state is State.AWAITING_APPROVAL
        state = after(state, *decisions.approvals.approve(state, signature(role), INTACT, REHEARSAL, NOW))
    assert state.state is State.APPROVED


@pytest.mark.parametrize("person", ["Quinn", "Author"])
def test_the_submitter_and_the_authors_of_the_code_may_not_sign(person):
    with refused_by("independence"):
        decisions.approvals.approve(awaiting(), signature(Role.CTO, person=person), INTACT, REHEARSAL, NOW)


@pytest.mark.parametrize("written", ["QUINN", " quinn ", "Quinn <quinn@firm.example>", "\uff31uinn"])
def test_whoever_may_not_sign_may_not_by_another_spelling(written):
    state = replace(awaiting(), barred=(written,))
    with refused_by("independence"):
        decisions.approvals.approve(state, signature(Role.CTO, person="Quinn"), INTACT, REHEARSAL, NOW)
    assert decisions.approvals.approve(state, signature(Role.CTO, person="Quinton"), INTACT, REHEARSAL, NOW)


def test_a_person_with_two_roles_signs_once():
    state = awaiting()
    state = after(state, *decisions.approvals.approve(state, signature(Role.CTO, person="Kim"), INTACT, REHEARSAL, NOW))
    with refused_by("person_twice"):
        decisions.approvals.approve(state, signature(Role.RISK_MANAGER, person="Kim"), INTACT, REHEARSAL, NOW)


def test_a_signature_over_other_bytes_counts_for_nothing():
    with refused_by("subject"):
        decisions.approvals.approve(awaiting(), signature(Role.CTO, subject="c" * 64), INTACT, REHEARSAL, NOW)


def test_a_changed_byte_refuses_the_next_signature():
    changed = decisions.guards.Package(manifest=MANIFEST, changed=("inputs/backtest.parquet",))
    with refused_by("bytes"):
        decisions.approvals.approve(awaiting(), signature(Role.CTO), changed, REHEARSAL, NOW)


def test_a_changed_byte_voids_every_approval_at_the_start():
    state = approved()
    changed = decisions.guards.Package(manifest=MANIFEST, changed=("deployment_memo.pdf",))
    events = decisions.rollout.start(state, changed, None, NOW)
    assert events == (ApprovalsVoided(changed=("deployment_memo.pdf",)),)
    state = after(state, *events)
    assert state.state is State.AWAITING_APPROVAL
    assert state.approvals == ()


def test_an_approval_that_expired_does_not_start_a_rollout():
    with refused_by("expiry"):
        decisions.rollout.start(approved(), INTACT, None, NOW + timedelta(days=31))


def test_a_rejection_sticks():
    state = awaiting()
    state = after(state, *decisions.approvals.reject(state, signature(Role.COMPLIANCE, verdict=Vote.REJECT)))
    assert state.state is State.REJECTED
    with refused_by("state"):
        decisions.approvals.approve(state, signature(Role.CTO), INTACT, REHEARSAL, NOW)


def test_a_rejection_needs_a_reason():
    with refused_by("reason"):
        decisions.approvals.reject(awaiting(), signature(Role.CTO, verdict=Vote.REJECT, reason=" "))


def test_a_condition_keeps_the_rollout_from_starting_until_its_author_says_it_is_met():
    state = awaiting()
    for role in state.policy.approvals.required:
        conditional = role is Role.RISK_MANAGER
        signed = signature(
            role,
            verdict=Vote.CONDITIONAL if conditional else Vote.APPROVE,
            conditions=("daily review",) if conditional else (),
        )
        state = after(state, *decisions.approvals.approve(state, signed, INTACT, REHEARSAL, NOW))
    with refused_by("approval_conditions"):
        decisions.rollout.start(state, INTACT, None, NOW)
    with refused_by("conditions"):
        decisions.approvals.meet_condition(state, Role.RISK_MANAGER, "daily review", "Cto", "")
    met = decisions.approvals.meet_condition(state, Role.RISK_MANAGER, "daily review", "Risk_Manager", "agreed")
    assert decisions.rollout.start(after(state, *met), INTACT, None, NOW)


def test_a_blocked_release_needs_its_overrides_before_anyone_is_asked_to_sign():
    state = opened(blocking=("pbo",))
    with refused_by("gates"):
        decisions.approvals.request_approval(state, MANIFEST, REHEARSAL, NOW)
    for role in (Role.CTO, Role.RISK_MANAGER):
        state = after(state, *decisions.approvals.sign_override(state, signature(role, verdict=Vote.OVERRIDE), NOW))
    assert decisions.approvals.request_approval(state, MANIFEST, REHEARSAL, NOW)


def test_one_person_does_not_override_twice():
    state = opened(blocking=("pbo",))
    one = signature(Role.CTO, person="Kim", verdict=Vote.OVERRIDE)
    state = after(state, *decisions.approvals.sign_override(state, one, NOW))
    with refused_by("person_twice"):
        decisions.approvals.sign_override(state, signature(Role.RISK_MANAGER, person="Kim", verdict=Vote.OVERRIDE), NOW)


def test_an_override_that_has_expired_counts_no_more_and_may_be_signed_again():
    state, later = opened(blocking=("pbo",)), NOW + timedelta(days=31)
    for role in (Role.CTO, Role.RISK_MANAGER):
        state = after(state, *decisions.approvals.sign_override(state, signature(role, verdict=Vote.OVERRIDE), NOW))
    with refused_by("gates"):
        decisions.approvals.request_approval(state, MANIFEST, replace(REHEARSAL, at=later), later)
    for role in (Role.CTO, Role.RISK_MANAGER):
        again = signature(role, verdict=Vote.OVERRIDE, expires_at=later + timedelta(days=30))
        state = after(state, *decisions.approvals.sign_override(state, again, later))
    assert decisions.approvals.request_approval(state, MANIFEST, replace(REHEARSAL, at=later), later)


def test_a_release_does_not_start_on_an_override_that_has_expired():
    state = opened(blocking=("pbo",))
    for role in (Role.CTO, Role.RISK_MANAGER):
        brief = signature(role, verdict=Vote.OVERRIDE, expires_at=NOW + timedelta(days=1))
        state = after(state, *decisions.approvals.sign_override(state, brief, NOW))
    state = after(state, *decisions.approvals.request_approval(state, MANIFEST, REHEARSAL, NOW))
    for role in state.policy.approvals.required:
        state = after(state, *decisions.approvals.approve(state, signature(role), INTACT, REHEARSAL, NOW))
    assert decisions.rollout.start(state, INTACT, None, NOW)
    with refused_by("expiry"):
        decisions.rollout.start(state, INTACT, None, NOW + timedelta(days=2))


def test_an_override_needs_a_role_that_may():
    with refused_by("role"):
        decisions.approvals.sign_override(
            opened(blocking=("pbo",)), signature(Role.MODEL_OWNER, verdict=Vote.OVERRIDE), NOW
        )
