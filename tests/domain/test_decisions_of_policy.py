"""How two people change the policy, who arms a killed model, who adopts a version: each refusal by records alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from standing import signature, standing

from signoff.domain.decisions import adoption, kill, policy
from signoff.domain.deployment import LIVE, RETREATING, State
from signoff.domain.errors import BadInputError, NotFoundError, RefusedError, TamperedError
from signoff.domain.events import Vote
from signoff.domain.installation_policy import InstallationPolicy, PolicyProposal
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.people import People, Person
from signoff.domain.permissions import DUTY_OF, MATRIX, Permission
from signoff.domain.policy import Policy, Role

NOW = datetime(2019, 1, 2, tzinfo=UTC)
OURS, THEIRS = Policy(name="ours", version="7"), Policy(name="theirs", version="8")
MOREAU = Person(name="R. Moreau", roles=(Role.RISK_MANAGER,), key_id="k", public_key="p", logins=("rmoreau",))
YAMADA = Person(name="C. Yamada", roles=(Role.CTO,), key_id="y", public_key="p")
FIRM = People(by_name={one.name: one for one in (MOREAU, YAMADA)})
PROPOSAL = PolicyProposal(
    id="p1",
    content="{}",
    signature=signature(Role.RISK_MANAGER, Vote.PROPOSE_POLICY, person="R. Moreau"),
    expires_at=NOW + timedelta(days=7),
)
WAITING = InstallationPolicy(number=3, content="{}", proposals={"p1": PROPOSAL})
MAY = [role for role in Role if Permission.PROPOSE_POLICY in MATRIX[DUTY_OF[role]]]


@pytest.mark.parametrize("role", [role for role in Role if role not in MAY])
def test_who_is_held_to_the_policy_has_no_say_in_it(role):
    with pytest.raises(RefusedError, match=f"two of .*risk_manager.*; found {role.value}"):
        policy.propose(WAITING, OURS, THEIRS, role)
    with pytest.raises(RefusedError, match=f"found {role.value}"):
        policy.confirm(FIRM, PROPOSAL, "C. Yamada", role)
    with pytest.raises(RefusedError, match=r"C\. Yamada may not decide on the policy"):
        policy.decline(replace(YAMADA, roles=(role,)))


@pytest.mark.parametrize("role", MAY)
def test_the_policy_in_force_is_not_proposed_again(role):
    with pytest.raises(RefusedError, match="in force already, as version 3"):
        policy.propose(WAITING, OURS, OURS, role)
    policy.propose(WAITING, OURS, THEIRS, role)
    policy.propose(WAITING, None, OURS, role)
    policy.decline(replace(YAMADA, roles=(role,)))


@pytest.mark.parametrize(
    "second",
    [
        MOREAU,
        replace(MOREAU, roles=(Role.RISK_MANAGER, Role.CTO)),
        *(Person(name=n, roles=(Role.CTO,), key_id="s", public_key="p") for n in ("rmoreau", "RMoreau", " rmoreau ")),
        Person(name="Second Account", roles=(Role.CTO,), key_id="s", public_key="p", logins=("r. moreau",)),
        Person(name="R Moreau", roles=(Role.CTO,), key_id="s", public_key="p"),
    ],
    ids=lambda one: repr((one.name, one.logins)),
)
def test_who_proposed_does_not_confirm_in_another_role_name_or_login(second):
    firm = replace(FIRM, by_name={**FIRM.by_name, second.name: second})
    with pytest.raises(RefusedError, match="proposed this policy, so another person has to confirm it"):
        policy.confirm(firm, PROPOSAL, second.name, Role.CTO)
    assert policy.confirm(FIRM, PROPOSAL, "C. Yamada", Role.CTO) == (MOREAU, None)


@pytest.mark.parametrize(
    ("first", "words"),
    [
        (None, "no longer holds the role risk_manager"),
        (replace(MOREAU, roles=()), "no longer holds the role risk_manager"),
        (replace(MOREAU, roles=(Role.CTO,)), "no longer holds the role risk_manager"),
        (replace(MOREAU, key_id="another"), "no longer holds the key"),
    ],
)
def test_a_proposer_who_lost_role_or_key_no_longer_counts(first, words):
    firm = People(by_name={"C. Yamada": YAMADA} | ({} if first is None else {"R. Moreau": first}))
    with pytest.raises(RefusedError, match=words):
        policy.confirm(firm, PROPOSAL, "C. Yamada", Role.CTO)


def test_a_proposal_is_found_while_it_is_open():
    almost = PROPOSAL.expires_at - timedelta(microseconds=1)
    assert policy.open_proposal(WAITING, "p1", almost) is PROPOSAL
    with pytest.raises(RefusedError, match=r"p1 of R\. Moreau expired at 2019-01-09 00:00Z"):
        policy.open_proposal(WAITING, "p1", PROPOSAL.expires_at)
    for state, known in ((WAITING, "p1"), (InstallationPolicy(), "none")):
        with pytest.raises(NotFoundError, match=f"found 'p2'; open are: {known}"):
            policy.open_proposal(state, "p2", almost)


def test_what_waits_already_is_not_proposed_twice():
    with pytest.raises(RefusedError, match="already, as p1"):
        policy.is_new(WAITING, "p1", NOW)
    policy.is_new(WAITING, "p2", NOW)
    policy.is_new(WAITING, "p1", PROPOSAL.expires_at)
    with pytest.raises(TamperedError, match="stored as p1 is not the one"):
        policy.refuse_other_bytes(PROPOSAL)


def signed(person="R. Moreau", role=Role.RISK_MANAGER, **changed):
    return signature(role, Vote.REARM, person=person, **{"expires_at": NOW + timedelta(days=1), **changed})


def latched(*signatures):
    return KillSwitchState(model="m", is_latched=True, rearm_signatures=signatures)


@pytest.mark.parametrize(
    ("latch", "is_ordered", "words"),
    [
        (latched(), True, "not in the ledger yet"),
        (None, False, "is not killed"),
        (KillSwitchState(model="m"), False, "is not killed"),
        (latched(signed()), False, r"^R\. Moreau has signed already"),
        (latched(signed(person="RMoreau", key_id="k")), False, "whose name looks like"),
    ],
)
def test_a_model_is_armed_once_it_is_killed_and_by_two_people(latch, is_ordered, words):
    people = replace(FIRM, by_name={**FIRM.by_name, "RMoreau": replace(MOREAU, name="RMoreau")})
    with pytest.raises(RefusedError, match=words):
        kill.rearm("m", latch, person="R. Moreau", people=people, now=NOW, is_ordered=is_ordered)


@pytest.mark.parametrize(
    "one",
    [
        signed(expires_at=NOW),
        signed(person="Nobody"),
        signed(role=Role.CTO),
        signed(key_id="old"),
    ],
)
def test_a_signature_for_arming_counts_while_role_and_key_are_held(one):
    latch = latched(signed(), one)
    assert kill.standing(latch, FIRM, NOW) == (signed(),)
    assert kill.rearm("m", latched(one), person="R. Moreau", people=FIRM, now=NOW, is_ordered=False) == latched(one)


@pytest.mark.parametrize("state", State)
def test_what_is_live_reenters_and_what_is_on_its_way_back_ends_first(state):
    release = standing(state)
    if state in RETREATING:
        with pytest.raises(RefusedError, match="what it brings back would trade and never re-enter"):
            kill.reentering("m", [release])
    else:
        assert kill.reentering("m", [release]) == ((release,) if state in LIVE else ())


@pytest.mark.parametrize("role", Role)
def test_a_model_is_armed_in_a_role_that_arms(role):
    if Permission.REARM in MATRIX[DUTY_OF[role]]:
        kill.signed_in_a_role_that_arms(role)
    else:
        with pytest.raises(RefusedError, match=f"takes a signature as one of .*; found {role.value}"):
            kill.signed_in_a_role_that_arms(role)


ADOPTION = adoption.Adoption(model="m", version="1", policy=OURS, reason="was live")
ALLOWED = OURS.approvals.override_roles


@pytest.mark.parametrize(
    ("changed", "released", "roles", "error", "words"),
    [
        ({"model": ".."}, (), ALLOWED, BadInputError, "cannot be adopted under this name"),
        ({"version": ""}, (), ALLOWED, BadInputError, "cannot be adopted under this name"),
        ({}, (State.FULL,), ALLOWED, RefusedError, "has a release on record already"),
        ({}, (State.ROLLED_BACK, State.SHADOW), ALLOWED, RefusedError, "has a release on record already"),
        ({}, (), (*ALLOWED, Role.MODEL_OWNER), RefusedError, "found model_owner"),
    ],
)
def test_a_version_that_signoff_never_saw_is_adopted_by_those_who_override(changed, released, roles, error, words):
    with pytest.raises(error, match=words):
        adoption.adopt(replace(ADOPTION, **changed), [standing(state) for state in released], roles)


def test_ended_releases_keep_no_version_from_being_adopted():
    adoption.adopt(ADOPTION, [standing(state) for state in (State.REJECTED, State.ROLLED_BACK)], ALLOWED)


@pytest.mark.parametrize("people", [(), ("Rae",), ("Rae", "Rae")])
def test_an_adoption_takes_as_many_people_as_an_override(people):
    adoption.by_enough(ADOPTION, ("Rae", "Kim"))
    with pytest.raises(RefusedError, match=f"takes 2 different people, found {len(people)}"):
        adoption.by_enough(ADOPTION, people)
