"""Every refusal of a decision, whole: which guard, what was expected and found; and every event that it gives, whole.

A guard's name is what programs read and its words are what people act on, so that both are said here to the letter.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from standing import standing
from undertakings import UNDERTAKINGS
from worlds import (
    INTACT,
    MANIFEST,
    NOW,
    PACKAGE,
    POLICY,
    REHEARSAL,
    after,
    approved,
    awaiting,
    day,
    lived,
    opened,
    shadowing,
    signature,
)

from signoff.domain import events as e
from signoff.domain.artifacts import PreviousCheck
from signoff.domain.conflict_of_interest import Independence
from signoff.domain.decisions import (
    adoption,
    approvals,
    credentials,
    guards,
    kill,
    notices,
    observation,
    people,
    requests,
    rollback,
    rollout,
    signing,
    submission,
)
from signoff.domain.decisions.adoption import Adoption
from signoff.domain.decisions.guards import Package
from signoff.domain.deployment import State
from signoff.domain.dossier import DeploymentType, Header, NamedPerson
from signoff.domain.errors import BadInputError, GuardError, NotFoundError, RefusedError
from signoff.domain.events import DeadlineName, PauseReason, Phase, RollbackCause, Step, Vote
from signoff.domain.evidence import PitEvidence
from signoff.domain.floor import Floor, Origin
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.people import People, Person, Proposal, ProviderIdentity, Token
from signoff.domain.permissions import AccessRole, ForbiddenError, Permission
from signoff.domain.policy import ApprovalPolicy, CertifiedSentence, OnUnknown, Policy, Role, SignOffPolicy, Tier
from signoff.domain.profiles import Pinned
from signoff.domain.statement import Decision
from signoff.domain.venue import VenueKind

CTO, RISK = Role.CTO, Role.RISK_MANAGER
LATCH = KillSwitchState(model="m", is_latched=True, kill_count=1, reason="smoke")
OTHER = Package(manifest="c" * 64, changed=())
CHANGED = Package(manifest=MANIFEST, changed=("a.csv", "b.csv"))
BLOCKED = opened(blocking=("pbo",))
STRICT = replace(POLICY, sign_off=SignOffPolicy(accepted_not_evidenced=(CertifiedSentence.RISK,)))


def limited(**options):
    state = lived(shadowing(**options), 7)
    return after(state, *rollout.advance(state, INTACT, None, NOW))


def retreating(state=None):
    state = limited() if state is None else state
    return after(state, *rollback.begin_rollback(state, RollbackCause.ERROR, "error_rate", "too many", NOW))


def rolled():
    state = retreating()
    for step in Step:
        state = after(state, *rollback.finish_step(state, step, 0.1, "ok", "1", NOW))
    return state


def at_step(step):
    state = retreating()
    for earlier in list(Step)[: list(Step).index(step)]:
        state = after(state, *rollback.finish_step(state, earlier, 0.1, "ok", "1", NOW), at=NOW + timedelta(seconds=9))
    return state


def rejected():
    return after(awaiting(), *approvals.reject(awaiting(), signature(CTO, verdict=Vote.REJECT)))


def signed_by(*roles, state=None, **changes):
    state = awaiting() if state is None else state
    for role in roles:
        state = after(state, *approvals.approve(state, signature(role, **changes), INTACT, REHEARSAL, NOW))
    return state


def conditional():
    state = awaiting()
    for role in state.policy.approvals.required:
        wants = {RISK: ("daily review", "a desk"), CTO: ("backups",)}.get(role, ())
        made = signature(role, verdict=Vote.CONDITIONAL if wants else Vote.APPROVE, conditions=wants)
        state = after(state, *approvals.approve(state, made, INTACT, REHEARSAL, NOW))
    return state


FEW = replace(POLICY, approvals=ApprovalPolicy(roles=(CTO, RISK)))
OVERRIDING = ", ".join(role.value for role in POLICY.approvals.override_roles)
UNREHEARSED = (
    "no rollback rehearsal counts for this release: no rehearsal is recorded. Run `signoff rehearse m`, then submit "
    "again."
)
VOID = "the files changed since they were submitted ({}); every approval is void. Submit again."


def override(state=BLOCKED, now=NOW, role=CTO, **changes):
    return approvals.sign_override(state, signature(role, verdict=Vote.OVERRIDE, **changes), now)


def approve(state=None, role=CTO, package=INTACT, rehearsal=REHEARSAL, now=NOW, **changes):
    return approvals.approve(
        awaiting() if state is None else state, signature(role, **changes), package, rehearsal, now
    )


def overridden(*roles, **changes):
    state = BLOCKED
    for role in roles:
        state = after(state, *override(state, role=role, **changes))
    return state


APPROVALS = {
    "override a release that waits": (
        lambda: override(awaiting()), "state",
        "cannot override: the release is awaiting_approval, expected validated.",
    ),
    "override what nothing blocks": (
        lambda: override(opened()), "nothing_to_override",
        "no gate blocks this release; ask for approval instead.",
    ),
    "override in another role": (
        lambda: override(role=Role.MODEL_OWNER), "role", f"role model_owner is not among {OVERRIDING}.",
    ),
    "override other bytes": (
        lambda: override(subject="c" * 64), "subject",
        f"the override signs cccccccccccc…, expected {PACKAGE[:12]}….",
    ),
    "override what has no package": (
        lambda: override(replace(BLOCKED, package=None)), "subject",
        f"the override signs {PACKAGE[:12]}…, expected nothing yet.",
    ),
    "override without a reason": (
        lambda: override(reason=" "), "reason", "an override needs a reason; it is printed on page one of the memo.",
    ),
    "override twice": (
        lambda: override(overridden(CTO), role=RISK, person="Cto"), "person_twice",
        "Cto has signed already; a person counts once over all roles.",
    ),
    "override twice in a role": (
        lambda: override(overridden(CTO), person="Somebody Else"), "role_twice", "role cto has signed already.",
    ),
    "ask while blocked": (
        lambda: approvals.request_approval(BLOCKED, MANIFEST, REHEARSAL, NOW), "gates",
        f"blocked by pbo; 2 more override signature(s) needed from the roles {OVERRIDING}, or let the release be "
        "rejected.",
    ),
    "ask while half blocked": (
        lambda: approvals.request_approval(overridden(CTO), MANIFEST, REHEARSAL, NOW), "gates",
        f"blocked by pbo; 1 more override signature(s) needed from the roles {OVERRIDING}, or let the release be "
        "rejected.",
    ),
    "ask twice": (
        lambda: approvals.request_approval(awaiting(), MANIFEST, REHEARSAL, NOW), "state",
        "cannot submit for approval: the release is awaiting_approval, expected validated.",
    ),
    "ask without a rehearsal": (
        lambda: approvals.request_approval(opened(), MANIFEST, None, NOW), "rehearsal", UNREHEARSED,
    ),
    "approve what is not asked": (
        lambda: approve(opened()), "state", "cannot approve: the release is validated, expected awaiting_approval.",
    ),
    "approve changed files": (lambda: approve(package=CHANGED), "bytes", VOID.format("a.csv, b.csv")),
    "approve another manifest": (lambda: approve(package=OTHER), "bytes", VOID.format("manifest.json")),
    "approve without a rehearsal": (lambda: approve(rehearsal=None), "rehearsal", UNREHEARSED),
    "approve other bytes": (
        lambda: approve(subject="c" * 64), "subject",
        f"the signature is over cccccccccccc…, expected {MANIFEST[:12]}….",
    ),
    "approve in another role": (
        lambda: approve(awaiting(policy=FEW), role=Role.MODEL_OWNER), "role",
        "role model_owner is not among cto, risk_manager, compliance.",
    ),
    "approve on a condition that is none": (
        lambda: approve(verdict=Vote.CONDITIONAL), "conditions",
        "a conditional approval needs at least one condition.",
    ),
    "approve until now": (
        lambda: approve(expires_at=NOW), "expiry", "the signature has expired already; sign again.",
    ),
    "approve one's own work": (
        lambda: approve(person="Quinn"), "independence",
        "Quinn submitted it, wrote it or produced evidence for it, and may not sign for this release.",
    ),
    "approve twice": (
        lambda: approve(signed_by(CTO), role=RISK, person="Cto"), "person_twice",
        "Cto has signed already; a person counts once over all roles.",
    ),
    "approve twice under a name that looks alike": (
        lambda: approve(signed_by(CTO), role=RISK, person="CTO"), "person_twice",
        "Cto, whose name looks like CTO, has signed already; a person counts once over all roles.",
    ),
    "approve twice in a role": (
        lambda: approve(signed_by(CTO), person="Another"), "role_twice", "role cto has signed already.",
    ),
    "approve below the tier": (
        lambda: approve(awaiting(policy=replace(POLICY, approvals=ApprovalPolicy(minimum_tier=Tier.WEBAUTHN)))),
        "tier",
        "the policy takes signatures of tier webauthn in the role cto, and this one is of tier key. Sign in the "
        "browser with an enrolled authenticator (/credentials enrols one).",
    ),
    "reject what is live": (
        lambda: approvals.reject(shadowing(), signature(CTO, verdict=Vote.REJECT)), "state",
        "the release is shadow; only one before its rollout can be rejected.",
    ),
    "reject in another role": (
        lambda: approvals.reject(awaiting(policy=FEW), signature(Role.MODEL_OWNER, verdict=Vote.REJECT)), "role",
        "role model_owner is not asked to sign this release.",
    ),
    "reject without a reason": (
        lambda: approvals.reject(awaiting(), signature(CTO, verdict=Vote.REJECT, reason="")), "reason",
        "a rejection needs a reason.",
    ),
    "meet a condition of what is not signed": (
        lambda: approvals.meet_condition(opened(), CTO, "x", "Cto", ""), "state",
        "the release is validated; conditions are met of one that is signed, or live.",
    ),
    "meet a condition that nobody set": (
        lambda: approvals.meet_condition(approved(), CTO, "x", "Cto", ""), "conditions",
        "no open condition 'x' of cto; open are: none.",
    ),
    "meet another's condition": (
        lambda: approvals.meet_condition(conditional(), RISK, "daily review", "Cto", ""), "conditions",
        "only Risk_Manager, who set this condition, can say that it is met.",
    ),
    "override in a role that may not": (
        lambda: approvals.overriding_role(BLOCKED, Role.MODEL_OWNER), "role",
        f"role model_owner may not override; the policy leaves it to {OVERRIDING}.",
    ),
}  # fmt: skip


def certified(state, **said):
    made = e.Certified(**({"certification": CertifiedSentence.RISK, "against": "nothing shows it"} | said))
    return after(state, e.MemoIssued(edition="approved", manifest=MANIFEST, certified=(made,)))


def on(state, at):
    return replace(state, undertakings=replace(UNDERTAKINGS, deployment_date=at))


def start(state=None, package=INTACT, latch=None, now=NOW, **options):
    return rollout.start(approved() if state is None else state, package, latch, now, **options)


def advance(state, package=INTACT, latch=None, **options):
    return rollout.advance(state, package, latch, NOW, **options)


def quiet(state, n, **changes):
    for _ in range(n):
        at = 1 if state.last_session is None else (state.last_session - date(2019, 1, 2)).days + 1
        state = after(state, *observation.record_day(state, day(at, **changes)))
    return state


SILENT = quiet(lived(limited(), 1), 5, counts=False, is_conclusive=False, unmet=("no data",))
UNHEARD = SILENT
for _day in SILENT.unjudged:
    UNHEARD = after(UNHEARD, e.SessionNotHeld(session=_day, reason="a holiday"))
KILLED = "m was killed (smoke); re-arm it first, with two people."

ROLLOUT = {
    "start what waits": (
        lambda: start(awaiting()), "state", "cannot start: the release is awaiting_approval, expected approved.",
    ),
    "start what was killed": (lambda: start(latch=LATCH), "kill_latch", KILLED),
    "start before its day": (
        lambda: start(on(approved(), date(2019, 1, 3))), "deployment_date",
        "the deployment date is 2019-01-03 (header.deployment_date), and it is 2019-01-02 21:00 UTC. Start it on that "
        "day, or submit the release with another date.",
    ),
    "start unrehearsed": (
        lambda: start(unrehearsed=("it is old", "it lost events")), "rehearsal",
        "no rollback rehearsal counts for this release: it is old; it lost events. Run `signoff rehearse m`, then "
        "start again.",
    ),
    "start untold": (
        lambda: start(approved(policy=STRICT)), "notices",
        "these notices of T-24h have no receipt: desk told. A worker sends them to the webhook; a person who told "
        "people says so with `signoff done m-2 ITEM` (policy, sign_off.notice_hours).",
    ),
    "start unsigned": (
        lambda: start(approved(policy=replace(POLICY, sign_off=replace(POLICY.sign_off, deployer_signs=True)))),
        "deployer",
        "whoever starts a rollout signs section 12; that signature is missing (policy, sign_off.deployer_signs). Start "
        "it as an enrolled person with a key: `signoff rollout start ID --as NAME`, or with --key FILE.",
    ),
    "start what expired": (
        lambda: start(now=NOW + timedelta(days=30)), "expiry",
        f"the approval of {approved().approvals[0].person} has expired; submit again.",
    ),
    "start on conditions": (
        lambda: start(conditional()), "approval_conditions",
        "conditions not met yet, which shadow waits for: "
        + "; ".join(
            f"{s.role.value}: {c}" for s in conditional().approvals for c in s.conditions
        ) + ".",
    ),
    "advance what is not live": (
        lambda: advance(approved()), "state", "the release is approved; only shadow and limited advance.",
    ),
    "advance before another": (
        lambda: advance(lived(shadowing(), 7), first=replace(limited(), id="m-1")), "one_candidate",
        "m-1 is limited; it goes first. Advance it, or roll it back.",
    ),
    "advance changed files": (lambda: advance(lived(shadowing(), 7), CHANGED), "bytes", VOID.format("a.csv, b.csv")),
    "advance what was killed": (lambda: advance(lived(shadowing(), 7), latch=LATCH), "kill_latch", KILLED),
    "advance on a bad day": (
        lambda: advance(lived(shadowing(), 7, unmet=("psi is critical", "x"))), "conditions",
        "not every condition holds: psi is critical; x.",
    ),
    "pause what is not live": (
        lambda: rollout.pause(approved(), PauseReason.MANUAL, ""), "state",
        "the release is approved; only a live one can be paused.",
    ),
    "pause for silence": (
        lambda: rollout.pause(shadowing(), PauseReason.SILENCE, ""), "reason",
        "a pause for silence comes with a cut of capital alone; pause for manual instead.",
    ),
    "resume what is not live": (
        lambda: rollout.resume(approved(), PauseReason.MANUAL, ""), "state",
        "the release is approved; only a live one can be resumed.",
    ),
    "resume what is not paused": (
        lambda: rollout.resume(shadowing(), PauseReason.MANUAL, ""), "paused",
        "not paused for manual; pause reasons are: none.",
    ),
    "resume a killed one from silence": (
        lambda: rollout.resume(SILENT, PauseReason.SILENCE, "", LATCH), "kill_latch", KILLED,
    ),
    "resume one whose last session was not held": (
        lambda: rollout.resume(UNHEARD, PauseReason.SILENCE, ""), "silence",
        f"expected the last observed session, {UNHEARD.last_session}, to be conclusive, found it declared as not held; "
        f"the last conclusive one is {UNHEARD.last_judged}. Resume after the next session that is heard.",
    ),
    "resume one that is silent": (
        lambda: rollout.resume(SILENT, PauseReason.SILENCE, ""), "silence",
        f"expected a conclusive last session, found 5 sessions without conclusive data up to {SILENT.last_session}: "
        f"{'; '.join(SILENT.concerns) or 'no session was judged'}. Mend the feed, let the sessions be observed "
        "(`signoff observe m-2 --session DATE`), then resume.",
    ),
}  # fmt: skip

ROLLBACK = {
    "roll back what was rejected": (
        lambda: rollback.begin_rollback(rejected(), RollbackCause.ERROR, "t", "r", NOW), "state",
        "the release is rejected; there is nothing to roll back.",
    ),
    "a step that is not next": (
        lambda: rollback.finish_step(retreating(), Step.REVERT, 0.1, "", "1", NOW), "order",
        f"step revert is not next; next is {next(iter(Step)).value}.",
    ),
    "a step of what is not rolled back": (
        lambda: rollback.finish_step(limited(), Step.FENCE, 0.1, "", "1", NOW), "order",
        "step fence is not next; next is none.",
    ),
    "attest what is live": (
        lambda: rollback.attest_flat(limited(), "Rae", "looked", VenueKind.NONE, NOW), "state",
        "the release is limited; only on its way back is it attested flat.",
    ),
    "attest without a reason": (
        lambda: rollback.attest_flat(at_step(Step.VERIFY_FLAT), "Rae", " ", VenueKind.NONE, NOW), "reason",
        "to attest that a model is flat takes a reason in words: what was looked at, and where.",
    ),
    "attest too early": (
        lambda: rollback.attest_flat(retreating(), "Rae", "looked", VenueKind.NONE, NOW), "order",
        f"verify_flat is not next, so that there is nothing to attest; the next step is {next(iter(Step)).value}.",
    ),
    "attest what is over": (
        lambda: rollback.attest_flat(rolled(), "Rae", "looked", VenueKind.NONE, NOW), "order",
        "verify_flat is not next, so that there is nothing to attest; the next step is none.",
    ),
    "a post-mortem of what is live": (
        lambda: rollback.hold_post_mortem(limited(), "x"), "state",
        "cannot hold a post-mortem: the release is limited, expected rolled_back.",
    ),
    "a post-mortem without words": (
        lambda: rollback.hold_post_mortem(rolled(), " "), "notes", "a post-mortem needs its findings in words.",
    ),
    "a cause that is the trigger": (
        lambda: rollback.hold_post_mortem(rolled(), "x", " error_rate "), "root_cause",
        "'error_rate' names the trigger, and not its cause. Say in words why it fired, or leave it.",
    ),
}  # fmt: skip


LIVED = quiet(lived(shadowing(), 2), 1, counts=False, is_conclusive=False, unmet=("no data",))
LAST = LIVED.last_session


def not_held(state=LIVED, session=LAST, reason="a holiday", today=date(2019, 3, 1), *, has_data=False):
    return observation.declare_not_held(state, session, reason, has_data=has_data, today=today)


OBSERVATION = {
    "observe what is not live": (
        lambda: observation.record_day(approved(), day(1)), "state",
        "the release is approved; only a live one is observed.",
    ),
    "observe twice": (
        lambda: observation.record_day(lived(shadowing(), 3), day(1)), "session",
        f"session {day(1).session} was observed already; last is {lived(shadowing(), 3).last_session}.",
    ),
    "observe again what is still bad": (
        lambda: observation.record_day(LIVED, day(2, counts=False, is_conclusive=False, unmet=("no data",))), "session",
        f"session {LAST} was looked at already and is still inconclusive: no data.",
    ),
    "observe what was not held": (
        lambda: observation.record_day(
            after(LIVED, *not_held()), day(2, counts=False, is_conclusive=False, unmet=("no data",))
        ),
        "not_held", f"session {LAST} was declared as not held, and no data tell otherwise.",
    ),
    "declare of what is not live": (
        lambda: not_held(approved()), "state", "the release is approved; sessions are declared for a live one alone.",
    ),
    "declare without a reason": (
        lambda: not_held(reason=" "), "reason", "a session that was not held needs a reason; it is kept on record.",
    ),
    "declare one to come": (
        lambda: not_held(session=date(2019, 3, 2)), "session",
        "expected a session up to 2019-03-01, found 2019-03-02; declare it once it is over.",
    ),
    "declare one before": (
        lambda: not_held(session=date(2019, 1, 1)), "session",
        "expected a session since 2019-01-02, when the release went live, found 2019-01-01.",
    ),
    "declare one with data": (
        lambda: not_held(has_data=True), "session",
        f"data were journaled for {LAST}, so it was held. Observe it instead.",
    ),
    "declare one that was judged": (
        lambda: not_held(session=LAST - timedelta(days=1)), "session",
        f"{LAST - timedelta(days=1)} is no session without conclusive data up to {LAST}; those are: {LAST}.",
    ),
    "declare one that was judged where all were": (
        lambda: not_held(lived(shadowing(), 3), session=day(1).session), "session",
        f"{day(1).session} is no session without conclusive data up to {day(2).session}; those are: none.",
    ),
}  # fmt: skip

NOTICES = {
    "done of what was adopted": (
        lambda: notices.mark_done(replace(approved(), undertakings=None), "x", "Rae", ""), "item",
        "m-2 was adopted, and announces nothing.",
    ),
    "done of what is not announced": (
        lambda: notices.mark_done(approved(), "x", "Rae", ""), "item",
        "expected an item of section 9, found 'x'; there are: desk told; announced; review held.",
    ),
    "done of what two are called": (
        lambda: notices.mark_done(
            replace(approved(), undertakings=replace(
                UNDERTAKINGS, communication=replace(UNDERTAKINGS.communication, after=("desk told",))
            )),
            "desk told", "Rae", "",
        ),
        "item", "'desk told' names 2 items of section 9; give each a name of its own.",
    ),
}  # fmt: skip
GUARDS = APPROVALS | ROLLOUT | ROLLBACK | OBSERVATION | NOTICES


@pytest.mark.parametrize("kind", GUARDS)
def test_a_guard_says_its_name_and_its_reason(kind):
    act, guard, words = GUARDS[kind]
    with pytest.raises(GuardError) as caught:
        act()
    assert (caught.value.guard, str(caught.value)) == (guard, f"Refused by guard '{guard}': {words}")


class TestEventsOfApproval:
    def test_each_gives_one_event(self):
        one = signature(CTO, verdict=Vote.OVERRIDE)
        assert approvals.sign_override(BLOCKED, one, NOW) == (e.OverrideSigned(signature=one),)
        assert approvals.request_approval(opened(), MANIFEST, REHEARSAL, NOW) == (
            e.ApprovalRequested(manifest=MANIFEST),
        )
        no = signature(CTO, verdict=Vote.REJECT)
        for state in (opened(), awaiting(), approved()):
            assert approvals.reject(state, no) == (e.ApprovalRejected(signature=no),)
        met = approvals.meet_condition(conditional(), RISK, "a desk", "Risk_Manager", "it is")
        assert met == (e.ConditionMet(role=RISK, condition="a desk", person="Risk_Manager", note="it is"),)
        live = after(conditional(), *met)
        assert approvals.meet_condition(live, CTO, "backups", "Cto", "")

    def test_the_last_signature_approves(self):
        *first, last = POLICY.approvals.required
        state, one = signed_by(*first), signature(last)

        assert approve(state, role=last) == (e.ApprovalSigned(signature=one), e.Approved(manifest=MANIFEST))
        assert approve() == (e.ApprovalSigned(signature=signature(CTO)),)
        with pytest.raises(GuardError, match=f"the approval of {state.approvals[0].person} has expired; submit again"):
            approve(state, role=last, now=NOW + timedelta(days=30), expires_at=NOW + timedelta(days=60))

    def test_a_condition_is_its_roles_and_its_own(self):
        state = conditional()
        for role, condition in ((CTO, "daily review"), (RISK, "backups"), (CTO, "nothing")):
            with pytest.raises(
                GuardError, match=f"no open condition '{condition}' of {role.value}; open are: "
            ) as said:
                approvals.meet_condition(state, role, condition, role.value.title(), "")
            assert set(str(said.value).rpartition("open are: ")[2].rstrip(".").split("; ")) == {
                "risk_manager: daily review",
                "risk_manager: a desk",
                "cto: backups",
            }
        met = after(state, *approvals.meet_condition(state, RISK, "a desk", "Risk_Manager", ""))
        with pytest.raises(GuardError, match="no open condition 'a desk' of risk_manager"):
            approvals.meet_condition(met, RISK, "a desk", "Risk_Manager", "")

    def test_a_signature_stands_until_it_expires_and_for_what_it_says(self):
        one = signature(CTO)
        again = replace(one, signed_at=NOW + timedelta(days=1), expires_at=NOW + timedelta(days=31))

        assert approvals.stands(again, (one,))
        assert not approvals.stands(replace(again, signed_at=one.expires_at), (one,))
        assert approvals.stands(replace(again, signed_at=one.expires_at - timedelta(seconds=1)), (one,))
        for other in ({"person": "X"}, {"role": RISK}, {"verdict": Vote.REJECT}, {"subject": "x"},
                      {"conditions": ("x",)}, {"reason": "x"}):  # fmt: skip
            assert not approvals.stands(replace(again, **other), (one,))
        assert not approvals.stands(again, ())
        assert approvals.stands(again, (signature(RISK), one))

    def test_a_tier_is_asked_of_a_role(self):
        policy = replace(POLICY, approvals=ApprovalPolicy(webauthn_roles=(CTO,)))

        assert approvals.too_weak(policy, signature(RISK)) is None
        assert approvals.too_weak(policy, signature(CTO, tier=Tier.WEBAUTHN)) is None
        assert approvals.too_weak(policy, signature(CTO)).startswith("the policy takes signatures of tier webauthn in")

    def test_who_it_is_barred_to_is_told_by_name(self):
        barred = Person(name="Lee", roles=(), key_id="", public_key="", logins=("quinn",))
        with pytest.raises(GuardError) as caught:
            approvals.independent(opened(), barred)
        assert str(caught.value) == (
            "Refused by guard 'independence': Lee submitted it, wrote it or produced evidence for it, and may not sign "
            "for this release."
        )
        assert approvals.independent(opened(), replace(barred, logins=())) is None


class TestEventsOfARollout:
    PINNED = Pinned(sha256="a" * 64, features=("x",))

    def test_it_starts_in_shadow(self):
        one = e.DeployerSigned(person="Rae", manifest=MANIFEST, signed_at=NOW, key_id="k", envelope="{}")
        why = "approved by every required role"

        assert start() == (e.PhaseEntered(phase=Phase.SHADOW, allocation_pct=0, reason=why),)
        assert start(deployer=one, reference=self.PINNED) == (
            one,
            e.PhaseEntered(phase=Phase.SHADOW, allocation_pct=0, reason=why, reference=self.PINNED),
        )
        assert start(on(approved(), NOW.date()))
        signs = replace(POLICY, sign_off=replace(POLICY.sign_off, deployer_signs=True))
        assert start(approved(policy=signs), deployer=one)[0] == one

    def test_changed_files_void_the_approvals(self):
        assert start(package=CHANGED, latch=LATCH) == (e.ApprovalsVoided(changed=("a.csv", "b.csv")),)
        assert start(package=OTHER) == (e.ApprovalsVoided(changed=("manifest.json",)),)

    def test_it_goes_on_to_limited_and_full(self):
        state = lived(shadowing(), 7)
        share = POLICY.phases.limited_allocation_pct
        entered = e.PhaseEntered(phase=Phase.LIMITED, allocation_pct=share, reason="shadow conditions all hold")

        assert advance(state) == advance(state, first=state) == (entered,)
        full = e.PhaseEntered(phase=Phase.FULL, allocation_pct=100, reason="limited conditions all hold")
        assert advance(lived(limited(), 14)) == (full,)

    @pytest.mark.parametrize(
        ("said", "accepted", "is_refused"),
        [
            ({}, (), True),
            ({}, (CertifiedSentence.RISK,), False),
            ({"against": ""}, (), False),
            ({"is_contradicted": True}, (CertifiedSentence.RISK,), True),
            ({"certification": CertifiedSentence.GATES}, (), False),
            ({"certification": CertifiedSentence.ROLLBACK}, (), False),
            ({"certification": CertifiedSentence.STAKEHOLDERS}, (), False),
        ],
    )
    def test_what_section_12_does_not_certify(self, said, accepted, is_refused):
        told = (*accepted, CertifiedSentence.STAKEHOLDERS)
        policy = replace(POLICY, sign_off=replace(POLICY.sign_off, accepted_not_evidenced=told))
        state = certified(approved(policy=policy), **said)
        if is_refused:
            with pytest.raises(GuardError) as caught:
                start(state)
            assert str(caught.value) == (
                "Refused by guard 'certification': section 12 does not certify what shadow waits for: risk: nothing "
                "shows it. Mend it and submit again; where evidence is lacking, the policy may accept that "
                "(sign_off.accepted_not_evidenced)."
            )
        else:
            assert start(state)


class TestEventsOfARollback:
    def test_it_begins_with_its_deadlines(self):
        budget = POLICY.rollback
        (started,) = rollback.begin_rollback(limited(), RollbackCause.ERROR, "error_rate", "too many", NOW)

        assert started == e.RollbackStarted(
            occasion=RollbackCause.ERROR,
            trigger="error_rate",
            reason="too many",
            from_phase=Phase.LIMITED,
            deadlines=(
                e.Deadline(name=DeadlineName.IMMEDIATE, due=NOW + timedelta(minutes=budget.immediate_minutes)),
                e.Deadline(name=DeadlineName.REVERT, due=NOW + timedelta(minutes=budget.revert_minutes)),
                e.Deadline(name=DeadlineName.REVIEW, due=NOW + timedelta(minutes=budget.review_minutes)),
                e.Deadline(name=DeadlineName.POST_MORTEM, due=NOW + timedelta(hours=budget.post_mortem_hours)),
            ),
        )
        for state in (retreating(), rolled()):
            assert rollback.begin_rollback(state, RollbackCause.ERROR, "t", "r", NOW) == ()

    @pytest.mark.parametrize("step", list(Step))
    def test_each_step_is_recorded_with_what_it_showed(self, step):
        state, late = retreating(), NOW + timedelta(days=9)
        for earlier in list(Step)[: list(Step).index(step)]:
            state = after(state, *rollback.finish_step(state, earlier, 0.1, "ok", "1", NOW))
        kind = tuple(VenueKind)[-1]
        found = rollback.finish_step(state, step, 2.5, "so", "1", NOW, kind, restored_digest="d")
        done = e.StepDone(
            step=step, seconds=2.5, detail="so", venue=kind, restored_digest="d" if step is Step.REVERT else None
        )
        last = (e.RolledBack(restored_version="1", restored_digest="d"),) if step is Step.REVIEW else ()

        assert found == (done, *last)
        name = rollback.DEADLINE_OF[step]
        due = next(d.due for d in state.rollback.deadlines if d.name == name)
        breached = rollback.finish_step(state, step, 2.5, "so", "1", late)
        assert e.DeadlineBreached(name=name, due=due) in breached
        assert sum(isinstance(one, e.DeadlineBreached) for one in breached) == 1
        assert breached[0].venue is VenueKind.NONE

    @pytest.mark.parametrize(
        ("name", "minutes"),
        [
            (DeadlineName.IMMEDIATE, POLICY.rollback.immediate_minutes),
            (DeadlineName.REVERT, POLICY.rollback.revert_minutes),
            (DeadlineName.REVIEW, POLICY.rollback.review_minutes),
            (DeadlineName.POST_MORTEM, 60 * POLICY.rollback.post_mortem_hours),
        ],
    )
    def test_a_deadline_is_over_after_it_and_told_once(self, name, minutes):
        state, due = retreating(), NOW + timedelta(minutes=minutes)
        breach = e.DeadlineBreached(name=name, due=due)

        assert breach not in rollback.overdue(state, due)
        assert breach in rollback.overdue(state, due + timedelta(microseconds=1))
        assert breach not in rollback.overdue(after(state, breach), due + timedelta(days=1))
        assert rollback.overdue(limited(), due) == ()
        if name is DeadlineName.POST_MORTEM:
            held = after(rolled(), e.PostMortemHeld(notes="n", root_cause=""))
            assert rollback.overdue(rolled(), due + timedelta(days=1)) == (breach,)
            assert rollback.overdue(held, due + timedelta(days=1)) == ()

    def test_a_call_is_repeated_and_escalated(self):
        every, escalate = POLICY.rollback.page_every_minutes, POLICY.rollback.escalate_after_minutes
        stuck = after(retreating(), e.RollbackStuck(step=Step.FENCE, detail="no answer"))

        def page(minutes):
            return rollback.page_due(stuck, NOW + timedelta(minutes=minutes))

        assert page(every - 0.01) is None
        assert page(every) == rollback.Page(number=1, minutes=every, is_escalated=every >= escalate)
        assert page(2 * every - 0.01).number == 1
        assert page(2 * every).number == 2
        assert not page(escalate - 0.01).is_escalated if escalate > every else True
        assert page(max(escalate, every)).is_escalated
        assert rollback.page_due(retreating(), NOW + timedelta(days=1)) is None
        assert rollback.page_due(limited(), NOW + timedelta(days=1)) is None

    def test_a_post_mortem_is_held_once_and_its_cause_may_follow(self):
        held = e.PostMortemHeld(notes="we saw", root_cause="")

        assert rollback.hold_post_mortem(rolled(), "we saw") == (held,)
        state = after(rolled(), held)
        assert rollback.hold_post_mortem(state, "we saw again") == ()
        assert rollback.hold_post_mortem(state, "we saw", " a bad feed ") == (
            e.PostMortemHeld(notes="we saw", root_cause="a bad feed"),
        )

    def test_a_person_attests_once_that_it_is_flat(self):
        state, kind = at_step(Step.VERIFY_FLAT), tuple(VenueKind)[-1]
        for seconds, took in ((69, 60.0), (0, 0.0)):
            done = rollback.attest_flat(state, "Rae", "we looked", kind, NOW + timedelta(seconds=seconds))
            assert done == (
                e.FlatAttested(person="Rae", reason="we looked", venue=kind),
                e.StepDone(step=Step.VERIFY_FLAT, seconds=took, detail="attested flat by Rae: we looked", venue=kind),
            )
        assert rollback.attest_flat(after(state, *done), "Rae", "again", kind, NOW) == ()

    def test_a_rehearsal_needs_the_registry(self):
        with pytest.raises(NotFoundError) as caught:
            rollback.rehearse(limited(), has_registry=False)
        assert str(caught.value) == (
            "Expected a model registry to load m v2 from, found none; a rehearsal runs the version that a release "
            "falls back to. Install `signoff[mlflow]` and give --registry."
        )
        assert rollback.rehearse(limited(), has_registry=True) is None
        assert rollback.rehearse(None, has_registry=False) is None


class TestEventsOfASession:
    def test_a_sound_day_ends_what_began_by_itself(self):
        note = "a conclusive day followed"
        paused = after(LIVED, e.Paused(reason=PauseReason.MANUAL, note="x"))
        found = observation.record_day(paused, day(3))

        assert found == (e.Resumed(reason=PauseReason.NO_DATA, note=note), replace(day(3), concerns=found[-1].concerns))
        assert [type(one) for one in observation.record_day(lived(shadowing(), 1), day(1))] == [e.Observed]

    @pytest.mark.parametrize(("counts", "reason"), [(True, PauseReason.INCONCLUSIVE), (False, PauseReason.NO_DATA)])
    def test_an_inconclusive_day_pauses_once(self, counts, reason):
        bad = {"counts": counts, "is_conclusive": False, "unmet": ("a", "b")}
        first = observation.record_day(lived(shadowing(), 1), day(1, **bad))

        assert first[0] == e.Paused(reason=reason, note="a; b")
        assert isinstance(first[1], e.Observed)
        again = observation.record_day(after(lived(shadowing(), 1), *first), day(2, **bad))
        assert not any(isinstance(one, e.Paused) and one.reason is reason for one in again)

    def test_an_earlier_session_that_is_judged_late_ends_no_pause(self):
        state = quiet(lived(shadowing(), 2), 2, counts=False, is_conclusive=False, unmet=("no data",))
        assert [type(one) for one in observation.record_day(state, day(2))] == [e.Observed]
        assert [type(one) for one in observation.record_day(state, day(3))] == [e.Resumed, e.Observed]

    def test_a_session_that_was_not_held_is_declared_once(self):
        declared = not_held()

        assert declared == (e.SessionNotHeld(session=LAST, reason="a holiday"),)
        assert not_held(after(LIVED, *declared)) == ()
        assert not_held(session=LAST + timedelta(days=1), today=LAST + timedelta(days=1))
        assert not_held(session=date(2019, 1, 2) if LIVED.live_since != LAST else LAST, state=shadowing())

    def test_data_tell_that_it_was_held(self):
        state = after(LIVED, *not_held())
        found = observation.record_day(state, day(2, counts=True, is_conclusive=False, unmet=("a",)))
        assert [type(one) for one in found] == [e.Observed]


RAE = Person(name="Rae", roles=(CTO,), key_id="r" * 64, public_key="p", logins=("rae",))
KIM = Person(name="Kim", roles=(), key_id="", public_key="", granted=(AccessRole.ADMINISTRATOR,))
FIRM = People(by_name={"Rae": RAE, "Kim": KIM}, subjects=(ProviderIdentity(issuer="i", subject="kim", name="Kim"),))
LEE = e.PersonEnrolled(name="Lee", roles=(Role.COMPLIANCE,), key_id="l" * 64, public_key="00" * 32)
WAITING = Proposal(id="p", change=LEE, proposed_by="Kim", expires_at=NOW)
LATE = datetime(2019, 1, 4, 22, tzinfo=UTC)
DAY = LATE.date()
HEADER = Header(
    model="m",
    version="2",
    previous_version="1",
    deployment_date=DAY,
    deployed_by=NamedPerson(name="Rae", role="quant", email="rae@x.example"),
    deployment_type=DeploymentType.UPGRADE,
)
FULL = replace(standing(State.FULL), id="m-1", version="1")
ADOPTED = Adoption(model="m", version="1", policy=POLICY, reason="it was live")


def token(holder="Rae", *, scopes=frozenset({Permission.KILL}), days=1, by=None, is_machine=False):
    return credentials.issue_token(FIRM, holder, scopes=scopes, days=days, by=by, is_machine=is_machine)


def decided(**changes):
    asked = Decision(verdict=Vote.APPROVE, subject="f" * 64, model="m", version="2", deployment="m-2", policy=POLICY)
    return replace(asked.stated_by("Rae", CTO, NOW), **changes)


FELL = PreviousCheck(version="1", run_id="r", is_working=False, detail="it fell")


def replayed(**changes):
    return PitEvidence(**({"findings": (), "dates_checked": 9, "features_checked": 2, "seed": 1} | changes))


def floor(name, version="1"):
    return Floor(origin=Origin.BUILT_IN, name=name, version=version, digest=name)


def closed(session=DAY, *, first=None, close=LATE, now=LATE):
    return observation.closed(limited(), session, first=first, close=close, now=now)


REFUSALS = {
    "the same name for other contents": (
        lambda: requests.is_the_same("a", "b"), RefusedError,
        "This request was made before under the same name with other contents; nothing was done.",
    ),
    "a release that moved on": (
        lambda: requests.is_as_seen(FULL, "m-1", FULL.revision + 1), RefusedError,
        f"Expected m-1 at revision {FULL.revision + 1}, found it at {FULL.revision}: another commit came first. Look "
        "at it again and repeat the request if it still makes sense.",
    ),
    "a release that nobody knows": (
        lambda: requests.refuse_unknown_release("m-3", ["m-2", "zzz"]), NotFoundError,
        "Expected the id of a deployment, found 'm-3'; known are: m-2, zzz. `signoff status` lists them.",
    ),
    "another's key": (
        lambda: people.takes_effect(FIRM, replace(LEE, key_id="r" * 64)), RefusedError,
        "This key is Rae's; one person signs with it under one name. Give Lee a key of their own.",
    ),
    "another's login": (
        lambda: people.takes_effect(FIRM, replace(LEE, logins=("lee", "rae"))), RefusedError,
        "rae is what Rae is known as; a login is one person's. Enrol Rae again without it first, or correct it.",
    ),
    "another's identity": (
        lambda: people.takes_effect(FIRM, e.SubjectBound(name="Rae", issuer="i", subject="kim")), RefusedError,
        "kim at i is bound to Kim; one identity is one person's.",
    ),
    "a key in use": (
        lambda: people.is_meant_to_replace(RAE, replace(LEE, name="Rae"), lambda _: None), RefusedError,
        f"Expected the key {'r' * 16}… of Rae, which is in use, found the key {'l' * 16}…. `signoff people add` "
        "without a key keeps it. With --replace-key it replaces it, and every signature made with the new key is then "
        "marked.",
    ),
    "a key that is none": (
        lambda: people.is_a_key(replace(LEE, public_key="00"), "l" * 64), BadInputError,
        f"Expected the public half of an Ed25519 key in hex with its own id, found '00'… with '{'l' * 16}'…. Let "
        "`signoff people add` send it.",
    ),
    "a proposal that is over": (
        lambda: people.open_proposal(replace(FIRM, proposals={"p": WAITING}), "p", NOW), NotFoundError,
        "Expected an open proposal, found 'p'; `signoff accounts proposals` lists them.",
    ),
    "one's own proposal": (
        lambda: people.confirm(FIRM, WAITING, "Kim"), RefusedError,
        "Kim proposed this; it takes a second person to confirm it.",
    ),
    "a proposal about oneself": (
        lambda: people.confirm(FIRM, WAITING, "Lee"), RefusedError,
        "This is about Lee; it takes another person to confirm it.",
    ),
    "nothing to withdraw": (
        lambda: people.withdraw(replace(RAE, granted=(AccessRole.AUDITOR,)), frozenset({RISK}), "x"), NotFoundError,
        "Rae holds none of these; they hold: cto, auditor.",
    ),
    "nothing to unbind": (
        lambda: people.unbind(FIRM, "i", "x"), NotFoundError,
        "No person is bound to x at i; `signoff accounts list` shows who is.",
    ),
    "an invitation that nobody needs": (
        lambda: people.invite(FIRM, e.DutiesGranted(name="Lee", duties=(AccessRole.ADMINISTRATOR,))), RefusedError,
        "An administrator can sign in already, so there is no bootstrap; they enrol the next one, and a second person "
        "confirms.",
    ),
    "an invitation that is used up": (
        lambda: people.invited(replace(FIRM, subjects=()), [], NOW), RefusedError,
        "This bootstrap link was used, is over, or is not needed any more. The owner of the installation makes another "
        "with `signoff accounts bootstrap NAME`.",
    ),
    "an identity that is another's": (
        lambda: people.come_in(
            FIRM, e.SubjectBound(name="Lee", issuer="i", subject="kim"),
            e.DutiesGranted(name="Lee", duties=(AccessRole.ADMINISTRATOR,)),
        ),
        RefusedError, "kim at i is bound to another person; sign in as Lee.",
    ),
    "a token of no day": (
        lambda: token(days=0), BadInputError, "Expected between 1 and 366 days for a token, found 0.",
    ),
    "a machine of a person's name": (
        lambda: token(is_machine=True), BadInputError,
        "'Rae' is a person; a machine's token needs a name of its own, such as desk-1.",
    ),
    "a token for another": (
        lambda: token("Kim", by=FIRM.principal("Rae")), ForbiddenError,
        "Rae cannot issue a token that acts for Kim; everybody issues their own.",
    ),
    "a token of nothing": (
        lambda: token(scopes=frozenset()), BadInputError,
        f"Expected scopes out of {', '.join(sorted(credentials.widest(FIRM, 'Rae', by=None, is_machine=False)))} for "
        "Rae, found no scope.",
    ),
    "a token of more than one may": (
        lambda: credentials.issue_token(
            replace(FIRM, by_name={**FIRM.by_name, "Lee": replace(KIM, name="Lee", granted=())}), "Lee",
            scopes=frozenset({Permission.KILL, Permission.SUBMIT}), days=1, by=None, is_machine=False,
        ),
        BadInputError, "Expected scopes out of none for Lee, found kill, submit.",
    ),
    "a token that is not there": (
        lambda: credentials.revoke_token(None, "t", None), NotFoundError,
        "Expected the id of a token, found 't'; `signoff token list` lists them.",
    ),
    "a token of another": (
        lambda: credentials.revoke_token(
            Token(id="t", digest="d", person="Kim", scopes=(), expires_at=NOW, is_machine=False), "t",
            FIRM.principal("Rae"),
        ),
        NotFoundError, "Expected the id of a token, found 't'; `signoff token list` lists them.",
    ),
    "an authenticator that nobody holds": (
        lambda: credentials.withdraw_authenticator(RAE, "c", "x"), NotFoundError,
        "Expected the id of an authenticator of Rae, found 'c'; there are: set().",
    ),
    "a killed model whose kill is not on record": (
        lambda: kill.rearm("m", LATCH, person="Rae", people=FIRM, now=NOW, is_ordered=True), RefusedError,
        "A kill of m is not in the ledger yet; arm it again once it is.",
    ),
    "a model that is not killed": (
        lambda: kill.rearm("m", None, person="Rae", people=FIRM, now=NOW, is_ordered=False), RefusedError,
        "m is not killed; there is nothing to arm.",
    ),
    "a model on its way back": (
        lambda: kill.reentering("m", [limited(), retreating()]), RefusedError,
        "m-2 is rolling_back; what it brings back would trade and never re-enter at shadow. Finish it with `signoff "
        "rollout rollback m-2`, then arm m again.",
    ),
    "a desk that nobody names": (
        lambda: kill.refuse_unknown_desk("d", ["b", "a"]), NotFoundError,
        "Expected a desk that a release names in its dossier, found 'd'; nothing was stopped. Known are a, b. `signoff "
        "kill --all` stops every model.",
    ),
    "a desk where none is named": (
        lambda: kill.refuse_unknown_desk("d", []), NotFoundError,
        "Expected a desk that a release names in its dossier, found 'd'; nothing was stopped. Known are none yet. "
        "`signoff kill --all` stops every model.",
    ),
    "a version under no name": (
        lambda: adoption.adopt(replace(ADOPTED, model=""), (), ()), BadInputError, "'' cannot be adopted under this",
    ),
    "a model on record": (
        lambda: adoption.adopt(ADOPTED, [rejected(), limited()], ()), RefusedError,
        "m has a release on record already; adopt only what Signoff never saw.",
    ),
    "a role that may not adopt": (
        lambda: adoption.adopt(ADOPTED, [rejected()], (CTO, Role.MODEL_OWNER)), RefusedError,
        f"Adopting is for the roles {OVERRIDING}; found model_owner.",
    ),
    "too few who adopt": (
        lambda: adoption.by_enough(ADOPTED, ["Rae", "Rae"]), RefusedError,
        "Adopting a live version takes 2 different people, found 2.",
    ),
    "a release beside another": (
        lambda: submission.champion_of(HEADER, [FULL, shadowing()]), RefusedError,
        "m v2 (m-2) is shadow; one release a model at a time. Finish it, reject it or roll it back first.",
    ),
    "an initial one beside a live one": (
        lambda: submission.champion_of(replace(HEADER, deployment_type=DeploymentType.INITIAL), [FULL]), RefusedError,
        "header.deployment_type is 'initial', and v1 (m-1) of m is live. Write 'upgrade', and name the previous "
        "version.",
    ),
    "one without a previous version": (
        lambda: submission.champion_of(replace(HEADER, previous_version=None), [FULL]), RefusedError,
        "header.previous_version is missing, and v1 (m-1) of m is live. Name what the release would fall back to.",
    ),
    "a hotfix of nothing": (
        lambda: submission.champion_of(replace(HEADER, deployment_type=DeploymentType.HOTFIX), []), RefusedError,
        "header.deployment_type is 'hotfix', and nothing of m is live that it could replace. Write 'initial', which "
        "leaves out nothing.",
    ),
    "a rollback of nothing": (
        lambda: submission.champion_of(replace(HEADER, deployment_type=DeploymentType.ROLLBACK), []), RefusedError,
        "header.deployment_type is 'rollback', and nothing of m is live that it could replace. Write 'initial', which "
        "leaves out nothing.",
    ),
    "a rollback to what was never live": (
        lambda: submission.champion_of(replace(HEADER, deployment_type=DeploymentType.ROLLBACK), [FULL]), RefusedError,
        "header.deployment_type is 'rollback', and v2 was never live with all of the capital and then replaced: it is "
        "not on record. Write 'upgrade', which leaves out nothing.",
    ),
    "another previous version": (
        lambda: submission.champion_of(replace(HEADER, previous_version="0"), [FULL]), RefusedError,
        "header.previous_version is '0', and by the record v1 (m-1) of m is live. Correct the dossier, or record what "
        "is live with `signoff grandfather`.",
    ),
    "a previous version where none is live": (
        lambda: submission.champion_of(HEADER, []), RefusedError,
        "header.previous_version is '1', and by the record no version of m is live. Correct the dossier, or record "
        "what is live with `signoff grandfather`.",
    ),
    "another policy": (
        lambda: submission.under_the_policy_in_force(floor("a"), floor("b")), RefusedError,
        f"This release was assessed under the {floor('a').words}, and the installation's is {floor('b').words}. "
        "Submit the folder again, which holds it to the policy in force.",
    ),
    "another policy than the one of a forecast": (
        lambda: submission.foreseen_policy(floor("a"), floor("b")), RefusedError,
        f"this release was assessed under the {floor('a').words}, and a submission is held to the {floor('b').words}",
    ),
    "commits that nobody can read": (
        lambda: submission.whose_work_is_known(
            Independence(grounds=(), unread=("a", "b")), ApprovalPolicy(unread_commits=OnUnknown.BLOCK)
        ),
        RefusedError,
        "Expected to read who wrote this release, and cannot: a; b. Name a clone that this installation can read and "
        "the whole range under governance.commits, or let the policy say approvals.unread_commits: tell, and the memo "
        "tells it.",
    ),
    "no registry to redeploy from": (
        lambda: submission.redeployable("m", "1", None), RefusedError,
        "Expected a model registry to verify m v1 with, found none; a version is redeployed only when it loads and "
        "runs. Install `signoff[mlflow]` and give --registry.",
    ),
    "a version that does not run": (
        lambda: submission.redeployable("m", "1", FELL), RefusedError,
        "m v1 cannot be redeployed: it fell.",
    ),
    "a replay that could not run": (
        lambda: submission.same_leaks(limited(), replayed(), replayed(error="no data", seed=3)), RefusedError,
        "Expected the point-in-time replay of m-2 to find on other dates what it found when it was validated, and with "
        "seed 3 it could not run: no data. Nothing was approved. `signoff check DIR --seed 3` repeats this replay; "
        "correct the features, reject this release and submit another.",
    ),
    "files that do not give it": (
        lambda: submission.refuse_other_files(limited(), ["a", "b"], has_registry=True), RefusedError,
        "The files kept for m-2 do not give what was validated; changed: a, b. Submit the release again.",
    ),
    "files that do not give it without a registry": (
        lambda: submission.refuse_other_files(limited(), ["a"], has_registry=False), RefusedError,
        "The files kept for m-2 do not give what was validated; changed: a. No model registry is connected here: if "
        "one was when it was validated, give --registry.",
    ),
    "a key that is not enrolled": (
        lambda: signing.enrolled(RAE, "x" * 64), RefusedError,
        f"Rae is enrolled with key {'r' * 16}… and 0 authenticator(s), and the key given is {'x' * 16}…. Sign with "
        "what is enrolled, or enrol the new one.",
    ),
    "another decision": (
        lambda: signing.says_what_was_asked(decided(verdict=Vote.REJECT, subject="e" * 64), decided()), RefusedError,
        "The envelope says reject as cto of m-2 over eeeeeeeeeeee…, and what is asked for is approve as cto of m-2 "
        "over ffffffffffff…, with its own conditions and reason. Sign what the server prepared for this request.",
    ),
    "an old envelope": (
        lambda: signing.says_what_was_asked(decided(signed_at=NOW - timedelta(minutes=5, seconds=1)), decided()),
        RefusedError,
        "The envelope was signed at 2019-01-02 20:54:59Z and it is 2019-01-02 21:00:00Z: a signature is presented "
        "within five minutes. Sign again.",
    ),
    "an envelope that lasts longer": (
        lambda: signing.says_what_was_asked(decided(expires_at=NOW + timedelta(days=99)), decided()), RefusedError,
        "The envelope gives itself another validity than the policy does. Sign again.",
    ),
    "a weak signature outside of a release": (
        lambda: signing.counts_outside_of_a_release(
            replace(POLICY, approvals=ApprovalPolicy(minimum_tier=Tier.WEBAUTHN)), signature(CTO, verdict=Vote.REARM)
        ),
        RefusedError,
        "This signature does not count: the policy takes signatures of tier webauthn in the role cto, and this one is "
        "of tier key. Sign in the browser with an enrolled authenticator (/credentials enrols one).",
    ),
    "a start without a key": (
        lambda: signing.with_a_key(KIM), RefusedError,
        "Kim is enrolled without a key, and who starts a rollout signs section 12. Enrol the public half of their "
        'key: `signoff people add "Kim" --public-key FILE`.',
    ),
    "a start with another key": (
        lambda: signing.with_their_key(RAE, "x" * 64), RefusedError,
        f"Rae is enrolled with key {'r' * 16}…, and the key given is {'x' * 16}…. Sign with what is enrolled.",
    ),
    "an envelope of another start": (
        lambda: signing.starts(approved(), "Rae", NOW, NOW, is_what_was_asked=False), RefusedError,
        f"The envelope signs something else than the start of m-2 over {MANIFEST[:12]}… by Rae, or was not made within "
        "the last five minutes. Sign again.",
    ),
    "a day without a session": (
        lambda: closed(close=None), RefusedError,
        f"Expected a session of {POLICY.phases.calendar} to observe for m, found 2019-01-04 (Friday), on which it is "
        "closed.",
    ),
    "a session before the first": (
        lambda: closed(first=DAY + timedelta(days=1)), RefusedError,
        "Expected a session from 2019-01-05 on, the day on which m-2 became live, found 2019-01-04: it was not lived, "
        "and counts for nothing. Leave --session out to observe the next one.",
    ),
    "a session that is open": (
        lambda: closed(close=LATE + timedelta(seconds=1)), RefusedError,
        "Expected a session that has closed by 2019-01-04 22:00 UTC to observe for m, found 2019-01-04, which closes "
        "at 2019-01-04 22:00 UTC: once it was observed, none before it can be. Observe it then, or leave --session out "
        "for an interim look.",
    ),
    "no session yet": (
        lambda: observation.refuse_without_session(LIVED, DAY, LATE, LATE), NotFoundError,
        f"Expected a session after {LAST} to observe for m, found none that has closed by 2019-01-04 22:00 UTC. The "
        "next session is 2019-01-04; observe again after its close at 2019-01-04 22:00 UTC.",
    ),
    "no session on the first day": (
        lambda: observation.refuse_without_session(shadowing(), None, LATE, LATE), NotFoundError,
        "Expected a session after 2019-01-01 to observe for m, found none that has closed by 2019-01-04 22:00 UTC. "
        "Observe again when the next session has closed.",
    ),
    "targets of what was adopted": (
        lambda: observation.targets_of(replace(limited(), undertakings=None)), RefusedError,
        "m-2 was adopted and has no targets to be reviewed against.",
    ),
    "a review of nothing": (
        lambda: observation.was_lived(limited(), has_sessions=False), RefusedError,
        "m-2 has no observed session yet; run `signoff observe m-2` first.",
    ),
    "a day since which nothing lives": (
        lambda: observation.live_since(approved()), NotFoundError,
        "Expected m-2 to be live, found it approved: it never entered shadow.",
    ),
    "a notice that is not there": (
        lambda: notices.retry("n", is_queued=False), NotFoundError,
        "Expected the id of a notice that was not sent yet, found 'n'; nothing was changed. `signoff notices` lists "
        "them.",
    ),
    "other bytes than the approved ones": (
        lambda: guards.as_approved(limited(), "it differs", has_registry=True), GuardError,
        "Refused by guard 'artifacts': it differs",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSALS)
def test_a_refusal_says_its_reason(kind):
    act, error, words = REFUSALS[kind]
    with pytest.raises(error) as caught:
        act()
    assert str(caught.value) == words or (words.endswith("under this") and str(caught.value).startswith(words))


def test_what_is_at_its_bounds_is_let_through():
    assert signing.says_what_was_asked(decided(), decided()) is None
    for back in (timedelta(minutes=5), -timedelta(minutes=5)):
        moved = decided(signed_at=NOW - back, expires_at=decided().expires_at - back)
        assert signing.says_what_was_asked(moved, decided()) is None
        assert signing.starts(approved(), "Rae", NOW - back, NOW, is_what_was_asked=True) is None
        with pytest.raises(RefusedError):
            signing.starts(approved(), "Rae", NOW - back * 1.01, NOW, is_what_was_asked=True)
    assert closed(first=DAY) is None
    assert observation.live_since(shadowing()) == NOW.date()
    assert requests.is_the_same("a", "a") is None
    assert requests.is_as_seen(FULL, "m-1", FULL.revision) is None
    assert requests.is_as_seen(FULL, "other", 99) is None
    assert adoption.by_enough(ADOPTED, ["Rae", "Kim"]) is None
    assert adoption.adopt(ADOPTED, [rejected()], (CTO,)) is None
    assert ADOPTED.deployment == "m-1-adopted"
    assert guards.as_approved(limited(), None, has_registry=False) is None
    assert kill.reentering("m", [limited(), rejected()]) == (limited(),)
    assert people.invite(replace(FIRM, subjects=()), e.DutiesGranted(name="Lee", duties=())) is None
    assert people.takes_a_place(RAE, "x") is True
    assert [people.takes_a_place(*given) for given in ((None, "x"), (KIM, "x"), (RAE, "r" * 64))] == [False] * 3


class TestNotices:
    def told(self, state, at):
        return after(state, e.ItemDone(item="desk told", person="Ada"), at=at)

    def test_they_are_due_so_many_hours_before_the_day_begins(self):
        hours = POLICY.sign_off.notice_hours

        assert notices.notices_due(approved()) is None
        assert notices.notices_due(on(approved(), date(2019, 1, 5))) == datetime(2019, 1, 5, tzinfo=UTC) - timedelta(
            hours=hours
        )

    def test_people_have_their_hours(self):
        hours = STRICT.sign_off.notice_hours
        state = self.told(approved(policy=STRICT), NOW)
        free = NOW + timedelta(hours=hours)

        assert notices.notice_objections(state, free) == ()
        assert notices.notice_objections(state, free - timedelta(seconds=1)) == (
            f"people were told at 2019-01-02 21:00 UTC, and have {hours:g} h: start at {free:%Y-%m-%d %H:%M} UTC or "
            "later",
        )
        assert notices.notice_objections(approved(), NOW) == ()
        assert notices.notice_objections(replace(approved(policy=STRICT), undertakings=None), NOW) == ()
        assert notices.mark_done(approved(), "announced", "Rae", "by phone") == (
            e.ItemDone(item="announced", person="Rae", note="by phone"),
        )
        assert notices.retry("n", is_queued=True) is None


class TestRedeployment:
    def versions(self, *states):
        return [replace(standing(state), version="1") for state in states]

    @pytest.mark.parametrize(
        ("states", "why"),
        [
            ((State.SUPERSEDED,), None),
            ((State.REJECTED, State.SUPERSEDED), None),
            ((State.SUPERSEDED, State.ROLLED_BACK), "v1 was itself rolled back"),
            (
                (State.FULL, State.REJECTED),
                "v1 was never live with all of the capital and then replaced: it is full, rejected",
            ),
            ((), "v1 was never live with all of the capital and then replaced: it is not on record"),
        ],
    )
    def test_a_version_comes_back_that_was_replaced_and_not_rolled_back(self, states, why):
        other = replace(standing(State.SUPERSEDED), version="2")
        assert submission.redeployment_objection("1", [*self.versions(*states), other]) == why


def test_a_policy_is_named_in_words():
    assert floor("a").words != floor("b").words
    assert Policy(name="p", version="1").approvals.override_persons == 2
