"""What every venue promises, the one that is none included; and the books that older Signoffs left."""

import json

import pytest

from signoff.adapters.venues.none import NoVenue, NoVenueError
from signoff.adapters.venues.simulated import SimulatedBroker
from signoff.config.settings import settings
from signoff.domain.errors import BadInputError, RefusedError, UnavailableError
from signoff.domain.venue import NO_VENUE, VenueKind, VenueReport, total
from signoff.installation import Installation
from signoff.ports.venue import OpenOrder, OpenPosition

QUESTIONS = {
    "fence": lambda venue: venue.fence("m:", 5),
    "cancel": lambda venue: venue.cancel("m:", 5),
    "open_orders": lambda venue: venue.open_orders("m:"),
    "positions": lambda venue: venue.positions("m:"),
    "lift": lambda venue: venue.lift("m:", 6),
}


def order(identity):
    return OpenOrder(client_order_id=identity, symbol="A", side="buy", quantity=1.0)


def position(scope, quantity=5.0, symbol="A"):
    return OpenPosition(scope=scope, symbol=symbol, quantity=quantity)


@pytest.fixture(params=["none", "memory", "file"])
def venue(request, tmp_path):
    made = {"none": NoVenue, "memory": SimulatedBroker, "file": lambda: SimulatedBroker(tmp_path / "book.json")}
    return made[request.param]()


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_venue_answers_however_often_it_is_asked_and_no_venue_says_that_it_is_none(venue, question):
    for _ in range(2):
        if venue.kind is VenueKind.NONE:
            with pytest.raises(NoVenueError, match=f"^{NO_VENUE}$"):
                QUESTIONS[question](venue)
        else:
            QUESTIONS[question](venue)


def test_what_one_model_has_open_is_halted_and_told_apart_from_another(venue):
    if venue.kind is VenueKind.NONE:
        return
    venue.place([order("m:1"), order("m-x:1")], flags_revision=1)
    venue.hold([position("m:"), position("m:", -2.0, "B"), position("m-x:")])
    venue.fence("m:", 5)
    with pytest.raises(RefusedError, match="fenced"):
        venue.place([order("m:2")], flags_revision=5)
    assert (venue.cancel("m:", 5), venue.open_orders("m:"), len(venue.open_orders(""))) == (1, (), 1)
    assert [p.quantity for p in venue.positions("m:")] == [5.0, -2.0]
    venue.hold([position("m:", 0.0)])
    assert [p.symbol for p in venue.positions("m:")] == ["B"]
    assert len(venue.positions("")) == 2
    venue.lift("m:", 6)
    venue.place([order("m:3")], flags_revision=6)


def test_a_book_survives_and_one_of_before_positions_is_read(tmp_path):
    book = tmp_path / "simulated_broker.json"
    old = {"client_order_id": "m:1", "symbol": "A", "side": "buy", "quantity": 1.0}
    book.write_text(json.dumps({"orders": [old], "fences": {"m:": 3}}))
    venue = SimulatedBroker(book)
    assert (len(venue.open_orders("m:")), venue.positions("m:")) == (1, ())
    venue.hold([position("m:")])
    assert [p.quantity for p in SimulatedBroker(book).positions("m:")] == [5.0]


@pytest.mark.parametrize("spoiled", ["[]", '{"orders": [], "fences": {}, "positions": [{"symbol": "A"}]}', "{"])
def test_a_book_that_is_none_leaves_positions_unknown_too(tmp_path, spoiled):
    book = tmp_path / "simulated_broker.json"
    book.write_text(spoiled)
    for ask in (SimulatedBroker(book).open_orders, SimulatedBroker(book).positions):
        with pytest.raises(UnavailableError, match="orders and positions are open is not known"):
            ask("m:")


@pytest.mark.parametrize(
    ("report", "words", "is_flat"),
    [
        (VenueReport(kind=VenueKind.NONE), NO_VENUE, False),
        (VenueReport(kind=VenueKind.NONE, orders=0, positions=0), NO_VENUE, False),
        (
            VenueReport(kind=VenueKind.SIMULATED, orders=0, positions=0),
            "no open order and no position at the simulated venue",
            True,
        ),
        (
            VenueReport(kind=VenueKind.SIMULATED, orders=2, positions=1),
            "2 open orders and 1 position at the simulated venue",
            False,
        ),
        (
            VenueReport(kind=VenueKind.SIMULATED),
            "open orders and positions are unknown: the simulated venue did not say",
            False,
        ),
        (
            VenueReport(kind=VenueKind.CONNECTED, orders=0),
            "no open order; positions are unknown: the venue did not say",
            False,
        ),
        (
            VenueReport(kind=VenueKind.CONNECTED, cause="BrokerError: the session is closed"),
            "open orders and positions are unknown: the venue failed (BrokerError: the session is closed)",
            False,
        ),
        (
            VenueReport(kind=VenueKind.SIMULATED, orders=0, cause="timed out"),
            "no open order at the simulated venue; positions are unknown: the simulated venue failed (timed out)",
            False,
        ),
        (VenueReport(kind=VenueKind.CONNECTED, orders=0, positions=0), "no open order and no position", True),
        (VenueReport(kind=VenueKind.CONNECTED, orders=0, positions=3), "no open order and 3 positions", False),
    ],
)
def test_what_a_venue_said_has_one_way_into_words(report, words, is_flat):
    assert (report.words, report.is_flat) == (words, is_flat)


def test_a_model_that_the_venue_did_not_speak_of_makes_no_zero_of_the_others():
    flat = VenueReport(kind=VenueKind.CONNECTED, orders=0, positions=0)
    silent = VenueReport(kind=VenueKind.CONNECTED, orders=4)
    said = "open orders and positions are unknown for 1 of 2; of the others no open order and no position"
    assert total([flat, silent]) == said
    assert total([flat, VenueReport(kind=VenueKind.CONNECTED, orders=2, positions=1)]) == "2 open orders and 1 position"
    assert total([]) == "open orders and positions are unknown: no venue was asked"


@pytest.mark.parametrize(
    ("given", "environment", "kind"),
    [
        (None, None, "none"),
        (None, "", "none"),
        (None, "simulated", "simulated"),
        ("none", "simulated", "none"),
        ("simulated", None, "simulated"),
    ],
)
def test_the_venue_is_chosen_by_name_and_is_none_unless_it_is(tmp_path, monkeypatch, given, environment, kind):
    monkeypatch.delenv("SIGNOFF_VENUE", raising=False)
    if environment is not None:
        monkeypatch.setenv("SIGNOFF_VENUE", environment)
    known = settings(home=str(tmp_path / "home"), venue=given)
    assert Installation(known).broker.kind.value == known.venue.name == kind


@pytest.mark.parametrize("wrong", ["connected", "Simulated", "ibkr", "simulated "])
def test_another_name_is_an_error_that_says_so_and_for_an_exit_it_is_passed_over(tmp_path, monkeypatch, wrong):
    home = str(tmp_path / "home")
    with pytest.raises(BadInputError, match=f"Expected --venue as none or simulated, found '{wrong}'"):
        settings(home=home, venue=wrong)
    monkeypatch.setenv("SIGNOFF_VENUE", wrong)
    with pytest.raises(BadInputError, match="Expected SIGNOFF_VENUE as none or simulated"):
        settings(home=home)
    exiting = settings(home=home, is_exit=True)
    assert (exiting.venue.name, len(exiting.problems)) == (VenueKind.NONE, 1)
