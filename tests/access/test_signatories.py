"""Whoever checks or submits learns at once which role nobody can sign in."""

import pytest
from cast_of_six import PEOPLE

from signoff.domain.events import Barred, Because
from signoff.domain.people import Person
from signoff.domain.policy import Role
from signoff.domain.signatories import unsignable

REQUIRED = (Role.MODEL_OWNER, Role.RISK_MANAGER, Role.CTO)


def person(name, *roles, key="k", logins=()):
    return Person(name=name, roles=roles, key_id=key, public_key="p", logins=logins)


SIX = tuple(person(name, Role(role)) for role, name in PEOPLE.items())


def submitted(name, *known_as):
    return Barred(name=name, because=Because.SUBMITTED, source=name, known_as=(name, *known_as), is_enrolled=True)


def told(people, *grounds, required=REQUIRED):
    barred = {name for ground in grounds for name in (ground.name, *ground.known_as)}
    return unsignable(required, people, barred, grounds)


def test_nothing_is_said_where_each_role_has_a_person():
    assert told(SIX) == ()
    assert told(SIX, submitted("Q. Ferrari")) == ()


@pytest.mark.parametrize(
    ("people", "grounds", "words"),
    [
        (SIX, (submitted("R. Moreau"),), "as Risk manager: R. Moreau submitted it (R. Moreau)"),
        (SIX, (submitted("moreau-laptop", "r. moreau"),), "as Risk manager: R. Moreau submitted it"),
        (
            SIX,
            (Barred(name="C. Yamada", because=Because.WROTE, source="2 of the 2 commit(s) ab", is_enrolled=True),),
            "C. Yamada wrote it (2 of the 2 commit(s) ab)",
        ),
        (SIX[:2], (), "as Risk manager: no person holds that role"),
        ((*SIX[:2], person("R. Moreau", Role.RISK_MANAGER, key=""), *SIX[3:]), (), "R. Moreau has no key"),
        ((), (), "no person is enrolled, so no one can sign"),
    ],
)
def test_a_role_that_nobody_is_left_for_is_named_with_the_reason_and_what_to_do(people, grounds, words):
    said = " ".join(told(people, *grounds))
    assert words in said
    assert "signoff people add" in said


def test_one_person_does_not_count_for_two_roles():
    both = person("A. Both", Role.MODEL_OWNER, Role.RISK_MANAGER)
    (said,) = told((both, person("C. Yamada", Role.CTO)))
    assert "fewer people can sign than roles are required" in said
    assert told((both, person("B. Also", Role.MODEL_OWNER), person("C. Yamada", Role.CTO))) == ()
    swapped = (person("C. Yamada", Role.CTO), both, person("B. Also", Role.RISK_MANAGER))
    assert told(swapped) == ()
