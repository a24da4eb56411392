"""What section 12 guards: the day, the notices, the certifications, who starts, and conditions by their phase."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from undertakings import UNDERTAKINGS
from worlds import INTACT, MANIFEST, NOW, POLICY, REHEARSAL, after, approved, awaiting, lived, shadowing, signature

from signoff.app.notices import before_deployment
from signoff.domain import decisions
from signoff.domain import events as e
from signoff.domain.deployment import State, evolve, phase_blocked
from signoff.domain.errors import GuardError
from signoff.domain.events import Phase, RollbackCause
from signoff.domain.policy import CertifiedSentence, Role, SignOffPolicy

STRICT = replace(POLICY, sign_off=SignOffPolicy(accepted_not_evidenced=(CertifiedSentence.RISK,)))
BEFORE = UNDERTAKINGS.communication.before
HOUR = timedelta(hours=1)


def on(state, day):
    """The same release with a deployment date."""
    return replace(state, undertakings=replace(state.undertakings, deployment_date=day))


def told(state, at, **how):
    """The release once every notice of T-24h went out."""
    how = {"delivery": e.Delivery.RECEIVER, "receiver": "the webhook at h", **how}
    for item in state.undertakings.communication.before:
        state = after(state, e.NoticeSent(notice=item, audience=(), channel="email", **how), at=at)
    return state


def start(state, now=NOW, **how):
    return decisions.rollout.start(state, INTACT, None, now, **how)


def deployer(person="Quinn", manifest=MANIFEST):
    return e.DeployerSigned(person=person, manifest=manifest, signed_at=NOW, key_id="k", envelope="{}")


def issued(state, *certified):
    return after(state, e.MemoIssued(edition="approved", manifest=MANIFEST, certified=certified))


@pytest.mark.parametrize(("days", "is_early"), [(1, True), (30, True), (0, False), (-1, False), (-400, False)])
def test_a_start_before_the_deployment_date_is_refused_and_the_date_is_said(days, is_early):
    state = on(approved(), NOW.date() + timedelta(days=days))
    if is_early:
        with pytest.raises(GuardError, match=f"the deployment date is {state.deployment_date}"):
            start(state)
    else:
        assert start(state)


def test_a_release_that_an_older_signoff_opened_has_no_date_and_starts_as_before():
    assert approved().deployment_date is None
    assert start(approved())


def test_nothing_of_section_12_holds_up_a_rollback():
    state = issued(on(approved(policy=STRICT), date(2050, 1, 1)), e.Certified(certification="risk", against="none"))
    assert decisions.rollback.begin_rollback(state, RollbackCause.BUSINESS, "person", "r", NOW)


@pytest.mark.parametrize(("hours", "starts"), [(0, False), (23, False), (24, True), (100, True)])
def test_the_notices_hold_the_start_for_their_hours(hours, starts):
    state = told(approved(policy=STRICT), NOW - hours * HOUR)
    if starts:
        assert start(state)
    else:
        with pytest.raises(GuardError, match=r"people were told at .* UTC or later \(policy, sign_off.notice_hours\)"):
            start(state)


def test_a_policy_may_ask_for_no_hours_and_then_the_notices_must_have_gone_out():
    policy = replace(STRICT, sign_off=replace(STRICT.sign_off, notice_hours=0.0))
    assert start(told(approved(policy=policy), NOW))
    with pytest.raises(GuardError, match="these notices of T-24h have no receipt"):
        start(approved(policy=policy))


def test_a_file_in_the_home_is_nobodys_receipt_and_a_persons_word_is_one():
    state = told(approved(policy=STRICT), NOW - 48 * HOUR, delivery=e.Delivery.FILE)
    with pytest.raises(GuardError, match=f"these notices of T-24h have no receipt: {BEFORE[0]}"):
        start(state)
    for item in BEFORE:
        state = after(state, *decisions.notices.mark_done(state, item, "R. Moreau", "by telephone"), at=NOW - 24 * HOUR)
    assert start(state)


def test_an_item_that_nobody_announced_is_not_ticked_and_the_announced_are_named():
    with pytest.raises(GuardError, match=f"expected an item of section 9, found 'a party'; there are: {BEFORE[0]}"):
        decisions.notices.mark_done(approved(), "a party", "R. Moreau", "")


def test_a_name_that_two_items_have_ticks_neither():
    state = approved()
    told = replace(state.undertakings.communication, training={BEFORE[0]: True})
    state = replace(state, undertakings=replace(state.undertakings, communication=told))
    with pytest.raises(GuardError, match="names 2 items of section 9"):
        decisions.notices.mark_done(state, BEFORE[0], "R. Moreau", "")


@pytest.mark.parametrize(("hours", "is_due"), [(-25, False), (-24, True), (0, True), (50, True)])
def test_the_notices_are_due_a_day_before_the_deployment_and_not_with_the_approval(hours, is_due):
    state = on(approved(), date(2019, 6, 3))
    midnight = datetime(2019, 6, 3, tzinfo=NOW.tzinfo)
    assert bool(before_deployment(state, midnight + hours * HOUR)) == is_due


@pytest.mark.parametrize("certification", [c for c in CertifiedSentence if c.phase == "limited"])
def test_a_certification_of_the_limited_phase_lets_the_start_through_and_holds_the_advance(certification):
    lacking = e.Certified(certification=certification, against="not evidenced")
    policy = replace(POLICY, sign_off=SignOffPolicy(accepted_not_evidenced=(CertifiedSentence.STAKEHOLDERS,)))
    state = issued(approved(policy=policy), lacking)
    live = lived(after(state, *start(state)), policy.phases.shadow_days)
    with pytest.raises(GuardError, match=f"limited waits for: {certification.value}: not evidenced"):
        decisions.rollout.advance(live, INTACT, None, NOW)
    accepting = replace(live, policy=replace(policy, sign_off=SignOffPolicy()))
    assert decisions.rollout.advance(accepting, INTACT, None, NOW)


def test_what_the_evidence_contradicts_is_accepted_by_no_policy():
    contradicted = e.Certified(certification=CertifiedSentence.RISK, against="no", is_contradicted=True)
    with pytest.raises(GuardError, match="shadow waits for: risk: no"):
        start(issued(approved(), contradicted))
    assert start(issued(approved(), replace(contradicted, is_contradicted=False)))


def test_a_rehearsal_that_grew_old_since_the_approval_holds_the_start():
    with pytest.raises(GuardError, match="no rollback rehearsal counts for this release: too old"):
        start(approved(), unrehearsed=("too old",))


def test_who_starts_signs_where_the_policy_asks_and_may_be_barred_from_approving():
    policy = replace(POLICY, sign_off=SignOffPolicy(deployer_signs=True))
    with pytest.raises(GuardError, match="whoever starts a rollout signs section 12; that signature is missing"):
        start(approved(policy=policy))
    state = approved(policy=policy)
    assert "Quinn" in state.barred
    assert after(state, *start(state, deployer=deployer())).deployer.person == "Quinn"


def test_a_start_over_other_bytes_is_no_history():
    with pytest.raises(ValueError, match="signed for its start over other bytes"):
        after(approved(), deployer(manifest="c" * 64))


WORDS = {
    "daily review": Phase.SHADOW,
    "while limited: daily review": Phase.LIMITED,
    "  While Limited , daily review": Phase.LIMITED,
    "WHILE FULL: a second desk looks": Phase.FULL,
    "daily review while in the limited phase": Phase.SHADOW,
    "a second desk looks WHILE FULL": Phase.SHADOW,
    "Do not start while the full risk review is open": Phase.SHADOW,
    "Do not start anything until the desk agrees; it must stay valid while limited": Phase.SHADOW,
    "while limited trading hours last: no start": Phase.SHADOW,
    "while shadow, compare every day": Phase.SHADOW,
    "while full and while limited": Phase.SHADOW,
    "while full: two desks look, one while limited": Phase.LIMITED,
    "worth while fully reviewed": Phase.SHADOW,
    "daily review in limited phase": Phase.SHADOW,
}


@pytest.mark.parametrize("text", WORDS)
def test_a_condition_blocks_the_phase_that_it_names_and_else_the_start(text):
    assert phase_blocked(text) is WORDS[text]


def conditional(text):
    state = awaiting()
    for role in state.policy.approvals.required:
        on_condition = {"conditions": (text,), "verdict": e.Vote.CONDITIONAL} if role is Role.RISK_MANAGER else {}
        signed = signature(role, **on_condition)
        state = after(state, *decisions.approvals.approve(state, signed, INTACT, REHEARSAL, NOW))
    return state


def test_a_condition_of_the_limited_phase_is_met_while_the_release_is_in_shadow():
    state = conditional("while limited: daily review")
    live = lived(after(state, *start(state)), state.policy.phases.shadow_days)
    assert live.state is State.SHADOW
    with pytest.raises(GuardError, match="which limited waits for: risk_manager: while limited: daily review"):
        decisions.rollout.advance(live, INTACT, None, NOW)
    met = decisions.approvals.meet_condition(live, Role.RISK_MANAGER, "while limited: daily review", "Risk_Manager", "")
    assert decisions.rollout.advance(after(live, *met), INTACT, None, NOW)


def test_a_history_that_an_older_signoff_wrote_past_such_a_condition_is_still_replayed():
    state = conditional("a second desk looks while full")
    entered = e.PhaseEntered(phase=Phase.SHADOW, allocation_pct=0)
    assert after(state, entered).state is State.SHADOW
    with pytest.raises(ValueError, match="entered a phase with conditions open"):
        after(conditional("the full review is open"), entered)


def test_a_condition_without_a_phase_still_blocks_the_start():
    with pytest.raises(GuardError, match="which shadow waits for"):
        start(conditional("daily review in limited phase"))


def test_the_name_of_a_trigger_is_no_root_cause_and_a_statement_may_come_later():
    state = shadowing()
    state = after(state, *decisions.rollback.begin_rollback(state, RollbackCause.ERROR, "error_rate", "r", NOW))
    for step in e.Step:
        state = after(state, *decisions.rollback.finish_step(state, step, 1.0, "d", None, NOW))
    with pytest.raises(GuardError, match="names the trigger, and not its cause"):
        decisions.rollback.hold_post_mortem(state, "learned", "error_rate")
    (held,) = decisions.rollback.hold_post_mortem(state, "learned")
    assert held.root_cause == ""
    later = after(state, held)
    assert decisions.rollback.hold_post_mortem(later, "learned") == ()
    assert decisions.rollback.hold_post_mortem(later, "learned", "the feed sent old prices")[0].root_cause


def test_events_of_before_are_read_with_nothing_said_of_what_came_later():
    old = e.MemoIssued(edition="approved", manifest=MANIFEST)
    state = approved()
    recorded = e.Recorded(stream="deployment/m-2", revision=state.revision + 1, at=NOW, actor="t", event=old)
    assert evolve(state, recorded).certified == ()
