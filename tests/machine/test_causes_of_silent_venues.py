"""A venue that does not answer is named with its cause: by a rehearsal, by what it means for a release, in a sum."""

import desk_in_memory
import pytest
from desk_in_memory import POLICY, World

from signoff.adapters.venues.simulated import SimulatedBroker
from signoff.domain.errors import UnavailableError
from signoff.domain.rollback_drill import left_in_words, objections
from signoff.domain.venue import VenueKind, VenueReport, total

CAUSE = "The venue desk failed (open orders): ConnectionRefusedError: refused."


class Mute(SimulatedBroker):
    """A venue that halts orders, and does not say which are open."""

    def __init__(self, error):
        super().__init__()
        self.error = error

    def open_orders(self, _scope):
        raise self.error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (UnavailableError(CAUSE), "ConnectionRefusedError: refused"),
        (TimeoutError("no answer within 5 s"), "no answer within 5 s"),
        (ConnectionResetError(104, "Connection reset by peer"), "reset by peer"),
    ],
)
def test_a_rehearsal_says_why_it_does_not_know_which_orders_are_left(error, cause, monkeypatch):
    monkeypatch.setattr(desk_in_memory, "_staged", lambda _: Mute(error))
    house = World().opened().house()

    result = house.rehearse("m")

    assert result.residual_orders is None
    assert cause in result.left_because
    assert cause in left_in_words(result)
    rehearsal = house.record.latch("m").rehearsal
    assert any(cause in why for why in objections(rehearsal, POLICY, None, rehearsal.at.date()))


def silent(cause):
    return VenueReport(kind=VenueKind.CONNECTED, cause=cause)


FLAT = VenueReport(kind=VenueKind.CONNECTED, orders=0, positions=0)


@pytest.mark.parametrize(
    ("reports", "words"),
    [
        ([silent("refused"), silent("timed out")], "open orders and positions are unknown (refused; timed out)"),
        ([silent("refused"), silent("")], "open orders and positions are unknown (refused)"),
        (
            [FLAT, silent("refused"), silent("refused")],
            "open orders and positions are unknown for 2 of 3 (refused); of the others no open order and no position",
        ),
        ([FLAT, silent("")], "open orders and positions are unknown for 1 of 2; of the others no open order"),
    ],
)
def test_a_sum_over_models_names_the_cause_of_each_silence_once(reports, words):
    assert total(reports).startswith(words)
