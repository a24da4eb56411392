"""A version that was adopted after the close of a session did not live it."""

from datetime import timedelta

import pytest
from desk_in_memory import World


@pytest.fixture
def house(desk):
    return World().opened("m").house()


@pytest.mark.parametrize("later", [1, 2, 10, 40])
def test_what_is_observed_first_is_a_later_session(house, later):
    watch, (state,) = house.watch("good"), house.record.deployments("m")
    adopted = house.record.now().date()
    assert watch.first_due(state, adopted) is None
    house.world.clock.moment += timedelta(days=later)
    due = watch.first_due(state, adopted + timedelta(days=later))
    assert due == adopted + timedelta(days=later)
    seen, _ = watch.observe(state.id, due, actor="t")
    assert seen.last_session == due
