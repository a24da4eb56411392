"""The installation's policy is changed by two different people who sign the same bytes, and by nobody else."""

import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from signoff.app.people import enrol
from signoff.app.policy import OPEN_FOR
from signoff.config.settings import settings
from signoff.domain.errors import NotFoundError, RefusedError, TamperedError
from signoff.domain.events import PolicyProposed
from signoff.domain.floor import BUILT_IN, Origin
from signoff.domain.installation_policy import evolve_policy
from signoff.domain.permissions import MATRIX, AccessRole, Permission
from signoff.domain.policy import ApprovalPolicy, Policy, Role, Tier
from signoff.installation import Installation
from signoff.ledger.codec import encode_state
from signoff.ledger.floor import content_of

MOREAU, YAMADA, HADDAD, BRANDT = "R. Moreau", "C. Yamada", "T. Haddad", "S. Brandt"
ROLE = {
    MOREAU: Role.RISK_MANAGER,
    YAMADA: Role.CTO,
    HADDAD: Role.HEAD_OF_TRADING,
    BRANDT: Role.COMPLIANCE,
    "A. Lindqvist": Role.MODEL_OWNER,
    "L. Okafor": Role.LEAD_QUANT,
}
OURS = Policy(name="ours", version="7")
THEIRS = Policy(name="theirs", version="8")


@pytest.fixture
def house(tmp_path, wall):
    return Installation(settings(home=str(tmp_path / "home")), clock=wall)


@pytest.fixture
def firm(house):
    for name, role in ROLE.items():
        enrolled(house, name, role, logins=("rmoreau",) if name == MOREAU else ())
    return house


def enrolled(house, name, *roles, logins=()):
    key = house.key_of(name)
    enrol(
        house.record,
        name=name,
        roles=roles,
        key_id=key.key_id,
        public_key=key.public_key,
        actor="owner",
        logins=logins,
        is_replacing=True,
    )


def hand(house, name, role=None):
    return house.signatory(role or ROLE[name], name)


def proposed(house, policy=OURS, by=MOREAU):
    return house.policies.propose(policy, hand(house, by)).id


def test_a_new_home_has_the_built_in_policy_and_nobody_confirmed_it(house):
    in_force = house.policies.in_force()
    assert (in_force.policy, in_force.floor.origin, in_force.floor.number) == (BUILT_IN, Origin.BUILT_IN, 0)
    assert "unconfirmed" in in_force.floor.words


def test_two_people_put_a_policy_in_force_and_its_versions_are_numbered(firm):
    firm.policies.confirm(proposed(firm), hand(firm, YAMADA))
    found = firm.policies.confirm(proposed(firm, THEIRS, by=HADDAD), hand(firm, BRANDT))
    assert (found.policy, found.floor.number, found.floor.confirmed_by) == (THEIRS, 2, (HADDAD, BRANDT))
    assert [(p.proposed_by, r.actor) for r, p in firm.policies.versions()] == [(MOREAU, YAMADA), (HADDAD, BRANDT)]
    assert firm.ledger.verify().findings == ()


def test_a_proposal_alone_changes_nothing(firm):
    proposed(firm)
    assert firm.policies.in_force().policy == BUILT_IN


def test_the_built_in_policy_itself_can_be_confirmed(firm):
    found = firm.policies.confirm(proposed(firm, BUILT_IN), hand(firm, YAMADA))
    assert found.floor.is_confirmed
    assert found.policy == BUILT_IN


def test_the_one_who_proposes_does_not_confirm(firm):
    with pytest.raises(RefusedError, match="another person"):
        firm.policies.confirm(proposed(firm), hand(firm, MOREAU))
    assert firm.policies.in_force().policy == BUILT_IN


def test_the_table_gives_the_policy_to_those_who_judge_and_lead():
    makers = {AccessRole.RISK, AccessRole.COMPLIANCE, AccessRole.HEAD_OF_TRADING, AccessRole.CTO}
    for verb in (Permission.PROPOSE_POLICY, Permission.CONFIRM_POLICY):
        assert {duty for duty in AccessRole if verb in MATRIX[duty]} == makers


def test_a_proposal_is_open_for_a_week(firm, wall):
    identity = proposed(firm)
    wall.pass_(days=7, seconds=-1)
    assert [p.id for p in firm.policies.standing().proposals] == [identity]
    wall.pass_(seconds=2)
    with pytest.raises(RefusedError, match="expired"):
        firm.policies.confirm(identity, hand(firm, YAMADA))
    assert firm.policies.standing().proposals == ()
    assert proposed(firm) == identity  # and may be made again
    assert firm.policies.confirm(identity, hand(firm, YAMADA)).policy == OURS
    assert timedelta(days=7) == OPEN_FOR


def test_a_confirmed_policy_closes_every_other_proposal(firm):
    first, second = proposed(firm), proposed(firm, THEIRS, by=HADDAD)
    firm.policies.confirm(first, hand(firm, YAMADA))
    with pytest.raises(NotFoundError):
        firm.policies.confirm(second, hand(firm, BRANDT))
    assert firm.policies.in_force().policy == OURS


def test_the_policy_in_force_is_not_proposed_again_nor_twice(firm):
    identity = proposed(firm)
    with pytest.raises(RefusedError, match="already, as " + identity):
        proposed(firm, by=HADDAD)
    firm.policies.confirm(identity, hand(firm, YAMADA))
    with pytest.raises(RefusedError, match="in force already"):
        proposed(firm, by=HADDAD)


def test_a_declined_proposal_cannot_be_confirmed(firm):
    identity = proposed(firm)
    firm.policies.decline(identity, actor=BRANDT)
    with pytest.raises(NotFoundError):
        firm.policies.confirm(identity, hand(firm, YAMADA))


def test_a_key_of_somebody_else_does_not_sign(firm):
    identity = proposed(firm)
    forged = replace(hand(firm, YAMADA), signer=firm.key_of(MOREAU))
    with pytest.raises(RefusedError, match="enrolled with key"):
        firm.policies.confirm(identity, forged)


def test_a_policy_that_asks_for_authenticators_is_not_changed_with_keys(firm):
    strong = Policy(name="strong", version="1", approvals=ApprovalPolicy(minimum_tier=Tier.WEBAUTHN))
    firm.policies.confirm(proposed(firm, strong), hand(firm, YAMADA))
    with pytest.raises(RefusedError, match="webauthn"):
        proposed(firm, OURS, by=HADDAD)


def test_a_proposal_that_was_altered_in_the_database_is_not_confirmed(firm):
    identity = proposed(firm)
    state = firm.record.policy()
    lax = content_of(Policy(name="ours", version="7", approvals=ApprovalPolicy(roles=(Role.CTO,))))
    altered = replace(state, proposals={identity: replace(state.proposals[identity], content=lax)})
    with closing(sqlite3.connect(firm.settings.home / "signoff.db")) as database, database:
        database.execute("UPDATE streams SET state = ? WHERE stream = 'policy'", (encode_state(altered),))
    with pytest.raises(TamperedError, match="not the one that"):
        firm.policies.confirm(identity, hand(firm, YAMADA))
    assert firm.record.policy().number == 0
    assert any("policy" in what for _, what in firm.ledger.verify().findings)


def test_of_two_people_who_confirm_at_once_one_does(firm):
    identity, outcomes = proposed(firm), []

    def confirm(name):
        try:
            firm.policies.confirm(identity, hand(firm, name))
            outcomes.append(name)
        except (RefusedError, NotFoundError) as error:
            outcomes.append(error)

    threads = [threading.Thread(target=confirm, args=(name,)) for name in (YAMADA, HADDAD, BRANDT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = (name for name in outcomes if isinstance(name, str))
    assert firm.policies.in_force().floor.confirmed_by == (MOREAU, winner)
    assert firm.policies.in_force().floor.number == 1
    assert firm.ledger.verify().findings == ()


def test_a_history_that_one_person_made_alone_cannot_be_replayed(firm):
    proposed(firm)
    (recorded,) = firm.record.history("policy")
    for change in ({"number": 2}, {"replaces": "a" * 64}, {"proposal": "0" * 16}, {"content": content_of(THEIRS)}):
        event = replace(recorded.event, **change)
        assert isinstance(event, PolicyProposed)
        with pytest.raises(ValueError, match="policy"):
            evolve_policy(None, replace(recorded, event=event))
