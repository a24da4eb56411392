"""Who is enrolled, let in and given what: each refusal by the records alone, without a store."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from signoff.domain.decisions import credentials, people
from signoff.domain.errors import BadInputError, NotFoundError, RefusedError
from signoff.domain.events import Credential, DutiesGranted, PersonEnrolled, SubjectBound
from signoff.domain.people import Bootstrap, People, Person, Proposal, ProviderIdentity, Token
from signoff.domain.permissions import MATRIX, AccessRole, ForbiddenError, Permission, Principal
from signoff.domain.policy import Role

NOW = datetime(2019, 1, 2, tzinfo=UTC)
AUTHENTICATOR = Credential(
    id="c1",
    key_id="a" * 64,
    public_key="p",
    algorithm="ES256",
    rp_id="x",
    origin="https://x",
    aaguid="",
    attestation="none",
    is_backup_eligible=False,
    is_backed_up=False,
    label="laptop",
)
RAE = Person(name="Rae", roles=(Role.CTO,), key_id="r" * 64, public_key="p", logins=("rae",))
KIM = Person(name="Kim", roles=(), key_id="", public_key="", granted=(AccessRole.ADMINISTRATOR,))
FIRM = People(by_name={"Rae": RAE, "Kim": KIM}, subjects=(ProviderIdentity(issuer="i", subject="kim", name="Kim"),))


def enrolment(**changed):
    said = {"name": "Lee", "roles": (Role.COMPLIANCE,), "key_id": "l" * 64, "public_key": "00" * 32, **changed}
    return PersonEnrolled(**said)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (enrolment(key_id="r" * 64), "This key is Rae's"),
        (enrolment(logins=("rae", "lee")), "^rae is what Rae is known as"),
        (enrolment(name="Kim"), "approves nothing"),
        (DutiesGranted(name="Rae", duties=(AccessRole.ADMINISTRATOR,)), "approves nothing"),
        (SubjectBound(name="Rae", issuer="i", subject="kim"), "kim at i is bound to Kim"),
        (SubjectBound(name="Nobody", issuer="i", subject="x"), "Expected an enrolled person, found 'Nobody'"),
    ],
)
def test_what_no_second_person_could_make_right_is_refused(change, words):
    with pytest.raises((RefusedError, NotFoundError), match=words):
        people.takes_effect(FIRM, change)


@pytest.mark.parametrize(
    "change",
    [
        enrolment(),
        enrolment(name="Rae", key_id="r" * 64, logins=("rae",)),
        enrolment(key_id=""),
        DutiesGranted(name="Lee", duties=(AccessRole.AUDITOR,)),
        SubjectBound(name="Kim", issuer="i", subject="kim"),
    ],
)
def test_what_is_nobody_elses_takes_effect(change):
    people.takes_effect(FIRM, change)


@pytest.mark.parametrize(("actor", "words"), [("Kim", "second person"), ("Lee", "another person")])
def test_neither_who_proposed_nor_whom_it_is_about_confirms(actor, words):
    waiting = Proposal(id="p", change=enrolment(), proposed_by="Kim", expires_at=NOW)
    with pytest.raises(RefusedError, match=words):
        people.confirm(FIRM, waiting, actor)
    people.confirm(FIRM, waiting, "Rae")


@pytest.mark.parametrize("late", [timedelta(), timedelta(seconds=1)])
def test_a_proposal_is_open_until_its_time(late):
    waiting = Proposal(id="p", change=enrolment(), proposed_by="Kim", expires_at=NOW)
    firm = replace(FIRM, proposals={"p": waiting})
    assert people.open_proposal(firm, "p", NOW - timedelta(microseconds=1)) is waiting
    for identity, at in (("p", NOW + late), ("q", NOW - timedelta(days=1))):
        with pytest.raises(NotFoundError, match=f"open proposal, found '{identity}'"):
            people.open_proposal(firm, identity, at)


@pytest.mark.parametrize(("key", "found"), [("n" * 64, "the key nnnn"), ("", "no key")])
def test_a_key_in_use_is_replaced_only_where_that_is_said(key, found):
    with pytest.raises(RefusedError, match=f"in use since 2019-01-02 00:00 UTC, found {found}"):
        people.is_meant_to_replace(RAE, enrolment(name="Rae", key_id=key), lambda _: NOW)
    people.is_meant_to_replace(RAE, enrolment(name="Rae", key_id=key, replaces_key=True), lambda _: 1 / 0)
    people.is_meant_to_replace(KIM, enrolment(name="Kim", key_id=key), lambda _: 1 / 0)
    people.is_meant_to_replace(None, enrolment(key_id=key), lambda _: 1 / 0)


@pytest.mark.parametrize("change", [enrolment(key_id="0"), enrolment(public_key="00"), enrolment(public_key="")])
def test_a_public_key_has_its_own_id(change):
    with pytest.raises(BadInputError, match="with its own id"):
        people.is_a_key(change, "l" * 64)
    people.is_a_key(enrolment(), "l" * 64)
    people.is_a_key(enrolment(key_id="", public_key=""), None)


def test_what_is_withdrawn_was_held():
    event = people.withdraw(RAE, frozenset({Role.CTO, AccessRole.AUDITOR}), "left")
    assert (event.roles, event.duties, event.reason) == ((Role.CTO,), (), "left")
    for person, held in ((RAE, "cto"), (KIM, "administrator"), (replace(RAE, roles=()), "nothing")):
        with pytest.raises(NotFoundError, match=f"they hold: {held}"):
            people.withdraw(person, frozenset({AccessRole.AUDITOR}), "left")


@pytest.mark.parametrize(("is_used", "expires"), [(True, 1), (False, 0), (False, -1)])
def test_an_invitation_works_once_in_its_time_and_while_it_is_needed(is_used, expires):
    known = Bootstrap(name="Lee", digest="d", expires_at=NOW + timedelta(hours=expires), is_used=is_used)
    unbound = replace(FIRM, subjects=())
    good = replace(known, is_used=False, expires_at=NOW + timedelta(hours=1))
    assert people.invited(unbound, [good], NOW) is good
    for firm, given in ((unbound, [known]), (unbound, []), (FIRM, [good])):
        with pytest.raises(RefusedError, match="bootstrap link was used, is over"):
            people.invited(firm, given, NOW)


def token(**changed):
    return {"scopes": frozenset({Permission.KILL}), "days": 1, "by": None, "is_machine": False, **changed}


@pytest.mark.parametrize(
    ("holder", "changed", "error", "words"),
    [
        ("Rae", {"days": 0}, BadInputError, "between 1 and 366 days"),
        ("Rae", {"days": 367}, BadInputError, "found 367"),
        ("Rae", {"scopes": frozenset()}, BadInputError, "found no scope"),
        ("Rae", {"scopes": frozenset({Permission.SUBMIT})}, BadInputError, "found submit"),
        ("Rae", {"is_machine": True}, BadInputError, "is a person"),
        ("Nobody", {}, NotFoundError, "enrolled person"),
        ("Kim", {"by": FIRM.principal("Rae")}, ForbiddenError, "acts for Kim"),
        (
            "ci",
            {"is_machine": True, "scopes": frozenset({Permission.SUBMIT}), "by": FIRM.principal("Rae")},
            BadInputError,
            "submit",
        ),
    ],
)
def test_a_token_holds_for_a_while_and_gives_what_is_ones_own(holder, changed, error, words):
    with pytest.raises(error, match=words):
        credentials.issue_token(FIRM, holder, **token(**changed))


@pytest.mark.parametrize("days", [1, 366])
def test_the_bounds_of_a_tokens_days_are_allowed(days):
    credentials.issue_token(FIRM, "Rae", **token(days=days))
    assert credentials.widest(FIRM, "ci", by=None, is_machine=True) <= MATRIX[AccessRole.MACHINE]


def test_one_ends_ones_own_token_and_an_administrator_any():
    held = Token(id="t", digest="d", person="Rae", scopes=(), expires_at=NOW, is_machine=False)
    for by in (None, FIRM.principal("Rae"), FIRM.principal("Kim")):
        credentials.revoke_token(held, "t", by)
    for given, by in ((held, Principal(name="Lee", duties=frozenset())), (None, None), (None, FIRM.principal("Kim"))):
        with pytest.raises(NotFoundError, match="id of a token, found 't'"):
            credentials.revoke_token(given, "t", by)


@pytest.mark.parametrize("count", [10, 11])
def test_nobody_holds_more_than_ten_authenticators(count):
    credentials.register_authenticator(replace(RAE, credentials=(AUTHENTICATOR,) * 9))
    with pytest.raises(RefusedError, match="Rae holds 10 authenticators already; withdraw one first"):
        credentials.register_authenticator(replace(RAE, credentials=(AUTHENTICATOR,) * count))


@pytest.mark.parametrize(
    ("identity", "reason", "words"),
    [("c2", "lost", "there are: {'c1'}"), ("c1", " ", "Expected a reason"), ("", "x", "there are")],
)
def test_a_withdrawal_says_why_and_names_what_is_held(identity, reason, words):
    holder = replace(RAE, credentials=(AUTHENTICATOR,))
    assert credentials.withdraw_authenticator(holder, "c1", "lost").credential == "c1"
    with pytest.raises(BadInputError, match=words):
        credentials.withdraw_authenticator(holder, identity, reason)
