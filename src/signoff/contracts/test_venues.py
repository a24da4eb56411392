"""What every venue promises: an order that was halted stays halted, and one model's halt touches no other's orders."""

from pathlib import Path

import pytest

from signoff.contracts.tried import VenueRig, venue_rigs
from signoff.domain.errors import SignoffError
from signoff.domain.flags import FlagsRevision
from signoff.domain.venue import VenueKind
from signoff.ports.venue import OpenOrder, OpenPosition

RIGS = dict(venue_rigs())


@pytest.fixture(params=RIGS)
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> VenueRig:
    """One venue, empty."""
    make = RIGS[request.param]
    if make is None:
        pytest.skip(f"the package of the venue {request.param} brings no rig: nothing of it was tried")
    return make(tmp_path)


def order(identity: str, symbol: str = "A") -> OpenOrder:
    """An order of one share."""
    return OpenOrder(client_order_id=identity, symbol=symbol, side="buy", quantity=1.0)


def revision(number: int) -> FlagsRevision:
    """A revision of the flags."""
    return FlagsRevision(number)


def test_a_venue_says_what_it_is(rig: VenueRig) -> None:
    assert rig.venue.kind in {VenueKind.SIMULATED, VenueKind.CONNECTED}


def test_an_order_is_open_until_it_is_cancelled(rig: VenueRig) -> None:
    rig.place(order("m:1"), revision(1))
    assert [one.client_order_id for one in rig.venue.open_orders("m:")] == ["m:1"]
    assert rig.venue.cancel("m:", revision(1)) == 1
    assert rig.venue.open_orders("m:") == ()


def test_a_fence_refuses_orders_of_its_revision_and_older_ones_alone(rig: VenueRig) -> None:
    rig.venue.fence("m:", revision(5))
    for old in (1, 5):
        with pytest.raises(SignoffError):
            rig.place(order(f"m:{old}"), revision(old))
    rig.place(order("m:6"), revision(6))
    assert [one.client_order_id for one in rig.venue.open_orders("m:")] == ["m:6"]


def test_a_lower_fence_does_not_loosen_a_higher_one(rig: VenueRig) -> None:
    rig.venue.fence("m:", revision(5))
    rig.venue.fence("m:", revision(3))
    with pytest.raises(SignoffError):
        rig.place(order("m:1"), revision(5))


def test_a_lifted_fence_takes_orders_of_its_revision_and_refuses_older_ones(rig: VenueRig) -> None:
    rig.venue.fence("m:", revision(5))
    rig.venue.lift("m:", revision(4))
    rig.place(order("m:4"), revision(4))
    with pytest.raises(SignoffError):
        rig.place(order("m:3"), revision(3))


def test_halting_one_model_leaves_another_alone(rig: VenueRig) -> None:
    rig.place(order("m:1"), revision(1))
    rig.place(order("m-x:1"), revision(1))
    rig.venue.fence("m:", revision(9))
    rig.venue.cancel("m:", revision(9))
    assert [one.client_order_id for one in rig.venue.open_orders("")] == ["m-x:1"]
    rig.place(order("m-x:2"), revision(1))


def test_positions_are_told_by_scope_with_their_sign_and_a_closed_one_is_gone(rig: VenueRig) -> None:
    rig.hold(OpenPosition(scope="m:", symbol="A", quantity=-2.0))
    rig.hold(OpenPosition(scope="m-x:", symbol="A", quantity=5.0))
    assert [one.quantity for one in rig.venue.positions("m:")] == [-2.0]
    assert len(rig.venue.positions("")) == 2
    rig.hold(OpenPosition(scope="m:", symbol="A", quantity=0.0))
    assert rig.venue.positions("m:") == ()


def test_every_call_may_be_repeated(rig: VenueRig) -> None:
    rig.place(order("m:1"), revision(1))
    for _ in range(3):
        rig.venue.fence("m:", revision(5))
        rig.venue.cancel("m:", revision(5))
        assert (rig.venue.open_orders("m:"), rig.venue.positions("m:")) == ((), ())
    for _ in range(2):
        rig.venue.lift("m:", revision(6))
    rig.place(order("m:2"), revision(6))


def test_a_scope_of_which_nothing_is_known_is_empty(rig: VenueRig) -> None:
    assert rig.venue.cancel("never:", revision(1)) == 0
    assert (rig.venue.open_orders("never:"), rig.venue.positions("never:")) == ((), ())
