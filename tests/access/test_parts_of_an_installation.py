"""An installation builds its parts, takes others in their place, and carries the caller as a value."""

from dataclasses import FrozenInstanceError

import pytest

from signoff.adapters.store_memory import MemoryStore
from signoff.app.people import grant
from signoff.app.record import Caller, CallerRequest, Expectation
from signoff.config.settings import settings
from signoff.domain.permissions import AccessRole
from signoff.installation import Installation

SEEN = Expectation("momentum-2", 3)


@pytest.fixture
def plain(tmp_path):
    return Installation(settings(home=str(tmp_path / "home")))


def test_a_given_part_stands_in_the_place_of_the_one_it_would_build(plain):
    store = MemoryStore()
    made = plain.with_parts(store=store)
    assert made.store is store
    assert made.record.store is store
    assert made.is_there
    assert not plain.is_there
    grant(made.record, "R. Moreau", frozenset({AccessRole.RISK}), actor="owner")
    assert not plain.settings.home.exists()


def test_parts_are_given_one_after_another_and_nothing_is_forgotten(plain):
    store, registry = MemoryStore(), object()
    made = plain.with_parts(store=store).with_parts(registry=registry)
    assert (made.store, made.registry) == (store, registry)
    assert plain.with_parts(registry=None).registry is None


@pytest.mark.parametrize("name", ["stroe", "record", "settings", "kill_switch", "feed"])
def test_a_part_that_is_not_shared_is_refused_by_name(plain, name):
    with pytest.raises(TypeError, match=f"Expected parts out of .*store.*, found {name}"):
        plain.with_parts(**{name: object()})


def test_a_request_shares_what_was_built_and_brings_its_caller(plain):
    house = plain.with_parts(store=MemoryStore())
    caller = Caller(CallerRequest("r1", "asked"), SEEN)
    asked = house.for_request(caller)
    assert (asked.record.caller, house.record.caller) == (caller, Caller())
    assert asked.record.key("otherwise") == "request:r1"
    for part in ("store", "shelf", "registry", "broker", "kills", "releases", "_looks", "_baselines"):
        assert getattr(asked, part) is getattr(house, part), part
    assert asked.record is not house.record


@pytest.mark.parametrize("value", [SEEN, CallerRequest("r", "a"), Caller(expected=SEEN)])
def test_what_a_caller_brings_never_changes(value):
    with pytest.raises(FrozenInstanceError):
        setattr(value, next(iter(type(value).__slots__)), "other")


def test_what_one_caller_expects_is_met_by_their_own_change_and_by_nobody_elses(plain):
    house = plain.with_parts(store=MemoryStore())
    mine, theirs = (house.for_request(Caller(expected=SEEN)).record for _ in range(2))
    grant(mine, "R. Moreau", frozenset({AccessRole.RISK}), actor="owner")
    assert (mine.has_changed.is_set(), theirs.has_changed.is_set()) == (True, False)
