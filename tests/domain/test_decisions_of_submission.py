"""What may be submitted, observed, reviewed and signed: each refusal by records and times alone."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from standing import signature, standing

from signoff.domain.artifacts import Artifact, Pin, PreviousCheck
from signoff.domain.conflict_of_interest import Independence
from signoff.domain.decisions import guards, notices, observation, rollback, signing, submission
from signoff.domain.deployment import State
from signoff.domain.dossier import DeploymentType, Header, NamedPerson
from signoff.domain.errors import BadInputError, GuardError, NotFoundError, RefusedError
from signoff.domain.events import Vote
from signoff.domain.evidence import PitEvidence
from signoff.domain.floor import Floor, Origin
from signoff.domain.people import Person as Enrolled
from signoff.domain.policy import ApprovalPolicy, OnUnknown, Policy, Role, Tier
from signoff.domain.statement import Decision

DAY = date(2019, 1, 4)
NOW = datetime(2019, 1, 4, 22, tzinfo=UTC)
LIVE = replace(standing(State.FULL), id="m-1", version="1")
HEADER = Header(
    model="m",
    version="2",
    previous_version="1",
    deployment_date=DAY,
    deployed_by=NamedPerson(name="Rae", role="quant", email="rae@x.example"),
    deployment_type=DeploymentType.UPGRADE,
)


@pytest.mark.parametrize(
    ("changed", "others", "words"),
    [
        ({}, (LIVE, standing(State.SHADOW)), "is shadow; one release a model at a time"),
        ({"deployment_type": DeploymentType.INITIAL}, (LIVE,), r"'initial', and v1 \(m-1\) of m is live"),
        ({"previous_version": None}, (LIVE,), "previous_version is missing, and v1"),
        ({"deployment_type": DeploymentType.HOTFIX}, (), "nothing of m is live that it could replace"),
        ({"deployment_type": DeploymentType.ROLLBACK}, (LIVE,), "v2 was never live with all of the capital"),
        ({"previous_version": "0"}, (LIVE,), r"is '0', and by the record v1 \(m-1\) of m is live"),
        ({}, (), "is '1', and by the record no version of m is live"),
    ],
)
def test_a_header_agrees_with_what_is_live_by_the_record(changed, others, words):
    with pytest.raises(RefusedError, match=words):
        submission.champion_of(replace(HEADER, **changed), others)


def test_the_champion_is_what_a_release_replaces():
    assert submission.champion_of(HEADER, [LIVE, standing(State.REJECTED)]) is LIVE
    initial = replace(HEADER, deployment_type=DeploymentType.INITIAL, previous_version=None)
    assert submission.champion_of(initial, []) is None


def test_a_release_is_submitted_under_the_policy_in_force():
    held, other = (Floor(origin=Origin.BUILT_IN, name=n, version="1", digest=n) for n in ("a", "b"))
    for ask, words in (
        (submission.under_the_policy_in_force, "^This release was assessed under the .* a 1.* installation's is"),
        (submission.foreseen_policy, "^this release was assessed under the .* a 1"),
    ):
        ask(held, held)
        with pytest.raises(RefusedError, match=words):
            ask(held, other)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"unread": ("no clone",)}, "Expected to read who wrote this release, and cannot: no clone"),
        ({"unnamed": ("run 1 names no user",)}, "to be an enrolled person, found: run 1 names no user"),
    ],
)
def test_whose_work_it_is_is_known_as_well_as_the_policy_asks(found, words):
    blocks = ApprovalPolicy(unread_commits=OnUnknown.BLOCK, unknown_makers=OnUnknown.BLOCK)
    with pytest.raises(RefusedError, match=words):
        submission.whose_work_is_known(Independence(grounds=(), **found), blocks)
    tells = ApprovalPolicy(unread_commits=OnUnknown.TELL, unknown_makers=OnUnknown.TELL)
    submission.whose_work_is_known(Independence(grounds=(), **found), tells)
    submission.whose_work_is_known(Independence(grounds=()), blocks)


def pin(digest):
    return Pin(model="m", number=1, run_id="r", files=(Artifact(path="model.pkl", sha256=digest * 64, size=1),))


def test_what_a_release_falls_back_to_is_the_live_versions_own_bytes():
    bound = replace(LIVE, bound=pin("a"))
    assert submission.falls_back_to(bound, pin("a")) is bound.bound
    assert submission.falls_back_to(None, pin("b")) == pin("b")
    assert submission.falls_back_to(bound, None) is None
    with pytest.raises(RefusedError, match=r"^Nothing was submitted: .*model\.pkl"):
        submission.falls_back_to(bound, pin("b"))


@pytest.mark.parametrize(
    ("check", "words"),
    [
        (None, "Expected a model registry to verify m v1 with, found none"),
        (PreviousCheck(version="1", run_id="r", is_working=False, detail="broken"), "cannot be redeployed: broken"),
        (PreviousCheck(version="1", run_id="", is_working=None, detail="away"), "cannot be redeployed: away"),
    ],
)
def test_a_version_that_does_not_run_today_is_not_redeployed(check, words):
    with pytest.raises(RefusedError, match=words):
        submission.redeployable("m", "1", check)


def replayed(**said):
    return PitEvidence(findings=(), dates_checked=9, features_checked=9, **said)


def test_other_files_or_another_replay_are_refused():
    for has_registry, advice in ((True, "Submit the release again"), (False, "No model registry is connected here")):
        with pytest.raises(RefusedError, match=f"changed: a, b. {advice}"):
            submission.refuse_other_files(LIVE, ("a", "b"), has_registry=has_registry)
    broken = replayed(error="no module", seed=7)
    with pytest.raises(RefusedError, match="with seed 7 it could not run: no module"):
        submission.same_leaks(LIVE, replayed(seed=1), broken)
    for validated, found in ((None, broken), (broken, broken), (replayed(seed=1), None)):
        submission.same_leaks(LIVE, validated, found)


def test_a_release_goes_on_with_its_own_bytes_alone():
    bound = replace(LIVE, bound=pin("a"))
    guards.as_approved(LIVE, None, has_registry=False)
    guards.as_approved(bound, None, has_registry=True)
    for found, has_registry, words in ((None, False, "no model registry is connected"), ("other bytes", True, "other")):
        with pytest.raises(GuardError, match=words) as refused:
            guards.as_approved(bound, found, has_registry=has_registry)
        assert refused.value.guard == guards.OTHER_BYTES


@pytest.mark.parametrize(
    ("session", "first", "close", "words"),
    [
        (DAY, None, None, r"2019-01-04 \(Friday\), on which it is closed"),
        (DAY, DAY + timedelta(days=1), NOW, "Expected a session from 2019-01-05 on"),
        (DAY, DAY, NOW + timedelta(microseconds=1), "which closes at 2019-01-04 22:00 UTC"),
    ],
)
def test_a_session_is_recorded_once_it_is_over_and_was_lived(session, first, close, words):
    observation.closed(LIVE, DAY, first=DAY, close=NOW, now=NOW)
    observation.closed(LIVE, DAY, first=None, close=NOW, now=NOW)
    with pytest.raises(RefusedError, match=words):
        observation.closed(LIVE, session, first=first, close=close, now=NOW)


@pytest.mark.parametrize(
    ("coming", "again"), [(DAY, "The next session is 2019-01-04; observe again after"), (None, "Observe again when")]
)
def test_where_no_session_has_closed_the_next_one_is_named(coming, again):
    with pytest.raises(NotFoundError, match=f"found none that has closed by 2019-01-04 22:00 UTC. {again}"):
        observation.refuse_without_session(LIVE, coming, None if coming is None else NOW, NOW)


def test_a_release_that_was_never_live_has_no_day_and_an_adopted_one_no_targets():
    assert observation.live_since(LIVE) == LIVE.live_since
    with pytest.raises(NotFoundError, match="it never entered shadow"):
        observation.live_since(standing(State.VALIDATED))
    assert observation.targets_of(LIVE) is LIVE.undertakings
    with pytest.raises(RefusedError, match="was adopted and has no targets"):
        observation.targets_of(replace(LIVE, undertakings=None))
    observation.was_lived(LIVE, has_sessions=True)
    with pytest.raises(RefusedError, match="no observed session yet"):
        observation.was_lived(LIVE, has_sessions=False)


def test_a_rehearsal_needs_a_registry_where_there_is_something_to_fall_back_to():
    rollback.rehearse(LIVE, has_registry=True)
    rollback.rehearse(None, has_registry=False)
    with pytest.raises(NotFoundError, match="registry to load m v1 from"):
        rollback.rehearse(LIVE, has_registry=False)
    notices.retry("n1", is_queued=True)
    with pytest.raises(NotFoundError, match="found 'n1'; nothing was changed"):
        notices.retry("n1", is_queued=False)


RAE = Enrolled(name="Rae", roles=(Role.CTO,), key_id="k" * 64, public_key="p")
DECISION = Decision(
    verdict=Vote.APPROVE,
    subject="a" * 64,
    model="m",
    version="2",
    deployment="m-2",
    policy=Policy(name="p", version="1"),
)
ASKED = DECISION.stated_by("Rae", Role.CTO, NOW)
EVER = timedelta(days=DECISION.policy.approvals.expires_days)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"subject": "b" * 64}, "says approve as cto of m-2 over bbbbbbbbbbbb"),
        ({"person": "Kim"}, "and what is asked for is approve as cto"),
        ({"reason": "x"}, "with its own conditions and reason"),
        ({"conditions": ("x",)}, "with its own conditions and reason"),
        ({"signed_at": NOW - signing.JUST_NOW - timedelta(seconds=1)}, "is presented within five minutes"),
        ({"signed_at": NOW + signing.JUST_NOW + timedelta(seconds=1)}, "is presented within five minutes"),
        ({"expires_at": NOW + EVER + timedelta(seconds=1)}, "another validity than the policy does"),
    ],
)
def test_an_envelope_says_what_was_asked_and_was_signed_just_now(changed, words):
    with pytest.raises(RefusedError, match=words):
        signing.says_what_was_asked(replace(ASKED, **changed), ASKED)
    for late in (-signing.JUST_NOW, signing.JUST_NOW):
        moved = replace(ASKED, signed_at=NOW + late, expires_at=NOW + late + EVER)
        signing.says_what_was_asked(moved, ASKED)


def test_one_signs_with_what_is_enrolled():
    assert signing.enrolled(RAE, "k" * 64) is None
    signing.with_a_key(RAE)
    signing.with_their_key(RAE, "k" * 64)
    keyless = replace(RAE, key_id="")
    for ask, words in (
        (lambda: signing.enrolled(RAE, "x" * 64), r"with key kkkkkkkkkkkkkkkk… and 0 authenticator\(s\)"),
        (lambda: signing.with_their_key(RAE, "x" * 64), "and the key given is xxxxxxxxxxxxxxxx…"),
        (lambda: signing.with_a_key(keyless), "Rae is enrolled without a key"),
    ):
        with pytest.raises(RefusedError, match=words):
            ask()


@pytest.mark.parametrize("verdict", Vote)
def test_a_weak_signature_outside_of_a_release_does_not_count(verdict):
    strong = Policy(name="p", version="1", approvals=ApprovalPolicy(minimum_tier=Tier.WEBAUTHN))
    given = signature(Role.CTO, verdict)
    signing.counts_outside_of_a_release(Policy(name="p", version="1"), given)
    if verdict in {Vote.ADOPT, Vote.REARM, Vote.PROPOSE_POLICY, Vote.CONFIRM_POLICY}:
        with pytest.raises(RefusedError, match=r"^This signature does not count: the policy takes"):
            signing.counts_outside_of_a_release(strong, given)
    else:
        signing.counts_outside_of_a_release(strong, given)


@pytest.mark.parametrize(("late", "is_same"), [(timedelta(), False), (signing.JUST_NOW + timedelta(seconds=1), True)])
def test_a_start_is_signed_as_asked_and_just_now(late, is_same):
    signing.starts(LIVE, "Rae", NOW, NOW + signing.JUST_NOW, is_what_was_asked=True)
    with pytest.raises(RefusedError, match="something else than the start of m-1"):
        signing.starts(LIVE, "Rae", NOW, NOW + late, is_what_was_asked=is_same)


def test_a_dossier_with_problems_is_refused_with_all_of_them():
    class Named:
        model, version = "m", "2"

    submission.without_problems(Named, ())
    with pytest.raises(BadInputError, match=r"The dossier of m v2 cannot be submitted: one; two\."):
        submission.without_problems(Named, ("one", "two"))
