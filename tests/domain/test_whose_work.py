"""Whose work a release rests on, whatever a source calls them."""

import pytest
from worlds import INTACT, NOW, REHEARSAL, after, opened, signature

from signoff.domain import decisions
from signoff.domain.conflict_of_interest import Trace, grounds_of, objection
from signoff.domain.deployment import IllegalHistoryError
from signoff.domain.errors import GuardError
from signoff.domain.events import ApprovalSigned, Barred, Because, OverrideSigned, Vote
from signoff.domain.look_alikes import look_alikes
from signoff.domain.people import Person
from signoff.domain.policy import Role
from signoff.domain.signatories import unsignable

LOOK_ALIKES = [
    "Q Ferrari",
    "Q.Ferrari",
    "q-ferrari",
    "QFERRARI",
    "Ｑ. Ｆｅｒｒａｒｉ",
    "Q. Ferr\N{CYRILLIC SMALL LETTER A}ri",
    "Q. F\N{CYRILLIC SMALL LETTER IE}rrar\N{CYRILLIC SMALL LETTER BYELORUSSIAN-UKRAINIAN I}",
    "Q. Ferr\N{GREEK SMALL LETTER ALPHA}ri",
    "Q. Ferrar\N{LATIN SMALL LETTER I WITH ACUTE}",
    "Q. Ferrarl",
    "Q.\N{ZERO WIDTH SPACE}Ferrari",
]
ENROLLED = {"R. Moreau": ("R. Moreau", "rmoreau", "r.moreau@example.com"), "C. Yamada": ("C. Yamada",)}


def barred(*known_as):
    return grounds_of([Trace(known_as=known_as, because=Because.WROTE, source="git")], ENROLLED)


@pytest.mark.parametrize("called", ["R. Moreau", "r.  MOREAU", "rmoreau", "R.Moreau@Example.com"])
def test_a_person_is_found_by_name_login_or_address_however_it_is_spelled(called):
    (ground,) = barred(called)
    assert (ground.name, ground.is_enrolled) == ("R. Moreau", True)


def test_two_names_of_one_author_may_mean_two_people_and_bar_both():
    assert {ground.name for ground in barred("C. Yamada", "rmoreau")} == {"R. Moreau", "C. Yamada"}


def test_whoever_nobody_is_enrolled_as_is_barred_under_the_name_that_the_source_has():
    (ground,) = barred("mfisher", "m.fisher@example.com")
    assert (ground.name, ground.is_enrolled) == ("mfisher", False)
    assert objection(("M. Fisher",), (), (ground,)) == "wrote it (git)"  # their names look alike
    assert objection(("M. Fischer",), (), (ground,)) is None
    assert objection(("M. Fisher", "M.Fisher@example.com"), (), (ground,)) == "wrote it (git)"


def test_a_source_that_names_nobody_bars_nobody():
    assert barred("", " ") == ()


def test_every_reason_is_told():
    grounds = (
        Barred(name="Kim", because=Because.WROTE, source="3 commits"),
        Barred(name="Kim", because=Because.PRODUCED_EVIDENCE, source="run 7"),
    )
    assert objection(("Kim",), (), grounds) == "wrote it (3 commits) and produced evidence for it (run 7)"


@pytest.mark.parametrize("spelling", ["Kim", "kim ", "Kim <kim@example.com>", "Ｋｉｍ"])
def test_names_are_compared_as_people_read_them_whether_they_have_grounds_or_not(spelling):
    ground = Barred(name=spelling, because=Because.WROTE, source="3 commits")
    assert objection(("Kim",), (spelling,), ()) is not None
    assert objection(("Kim",), (), (ground,)) is not None
    assert objection(("Kimberly",), (spelling,), (ground,)) is None


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_a_name_that_looks_like_theirs_is_theirs(name):
    ground = Barred(name="Q. Ferrari", because=Because.WROTE, source="3 commits")
    assert objection((name,), (), (ground,)) == "wrote it (3 commits)"
    assert objection((name,), ("Q. Ferrari",), ()) is not None
    (found,) = grounds_of(
        [Trace(known_as=(name,), because=Because.WROTE, source="git")], {"Q. Ferrari": ("Q. Ferrari",)}
    )
    assert (found.name, found.is_enrolled) == ("Q. Ferrari", True)


@pytest.mark.parametrize("name", ["Q. Fєrrari", "Ferrari, Q.", "Ferrari Q", "QFerrari", "Q. Fᴇʀʀᴀʀɪ", "Q. Fҽrrari"])
def test_letters_of_other_scripts_and_the_order_of_words_make_nobody_else(name):
    assert look_alikes(name, (), {"Q. Ferrari": ("Q. Ferrari",)}) == ("Q. Ferrari",)


@pytest.mark.parametrize(("one", "other"), [("J. Ong", "Jo Ng"), ("Anna Ma", "Ann Ama"), ("Li Na", "L. Ina")])
def test_the_breaks_between_words_set_people_apart(one, other):
    assert look_alikes(one, (), {other: (other,)}) == ()


@pytest.mark.parametrize("name", ["Q. Ferraro", "R. Ferrari", "Ferrari", "Quentin Ferrari", "Q. Ferrarini"])
def test_another_name_is_somebody_else(name):
    assert look_alikes(name, (), {"Q. Ferrari": ("Q. Ferrari",)}) == ()
    assert objection((name,), (), (Barred(name="Q. Ferrari", because=Because.WROTE, source="git"),)) is None


def test_a_login_that_looks_like_somebodys_name_is_told_and_one_is_not_ones_own_look_alike():
    enrolled = {"Q. Ferrari": ("Q. Ferrari", "qferrari"), "R. Moreau": ("R. Moreau",)}
    assert look_alikes("Quentin", ("q-ferrari",), enrolled) == ("Q. Ferrari",)
    assert look_alikes("Q. Ferrari", ("qferrari",), enrolled) == ()


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_two_names_that_look_alike_override_and_approve_as_one_person(name):
    state = opened(blocking=("pbo",))
    first = signature(Role.CTO, person="Q. Ferrari", verdict=Vote.OVERRIDE)
    state = after(state, *decisions.approvals.sign_override(state, first, NOW))
    with pytest.raises(GuardError, match="whose name looks like"):
        decisions.approvals.sign_override(state, signature(Role.RISK_MANAGER, person=name, verdict=Vote.OVERRIDE), NOW)


def test_a_history_in_which_two_look_alikes_signed_is_still_read():
    state = opened(blocking=("pbo",), barred=("Q. Ferrari",), grounds=())
    signed = OverrideSigned(signature=signature(Role.CTO, person="QFerrari", verdict=Vote.OVERRIDE))
    assert after(state, signed).overrides


def test_two_look_alikes_do_not_fill_two_roles():
    people = [
        Person(name=name, roles=(role,), key_id="k", public_key="p")
        for name, role in (("Q. Ferrari", Role.CTO), ("Q Ferrari", Role.RISK_MANAGER))
    ]
    (said,) = unsignable((Role.CTO, Role.RISK_MANAGER), people, (), ())
    assert said.startswith("fewer people can sign than roles are required")


@pytest.mark.parametrize("because", Because)
def test_none_of_them_may_sign_or_override_and_a_history_in_which_they_did_is_refused(because):
    grounds = (Barred(name="Kim", because=because, source="somewhere"),)
    blocked = opened(blocking=("pbo",), barred=("Kim",), grounds=grounds)
    overriding = signature(Role.CTO, person="Kim", verdict=Vote.OVERRIDE)
    with pytest.raises(GuardError, match=r"'independence'.*somewhere"):
        decisions.approvals.sign_override(blocked, overriding, NOW)
    with pytest.raises(IllegalHistoryError, match="signed by Kim"):
        after(blocked, OverrideSigned(signature=overriding))
    free = opened(barred=("Kim",), grounds=grounds)
    asked = after(free, *decisions.approvals.request_approval(free, "a" * 64, REHEARSAL, NOW))
    with pytest.raises(GuardError, match=r"'independence'.*somewhere"):
        decisions.approvals.approve(asked, signature(Role.CTO, person="Kim"), INTACT, REHEARSAL, NOW)
    with pytest.raises(IllegalHistoryError, match="signed by Kim"):
        after(asked, ApprovalSigned(signature=signature(Role.CTO, person="Kim")))
    assert decisions.approvals.reject(asked, signature(Role.CTO, person="Kim", verdict=Vote.REJECT))
