"""Walks through commands, crashes, races and clock jumps find nothing, and find every planted fault."""

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test
from walks import Walk

QUICK = settings(
    max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)


def chosen():
    """A few walks, or as many as the profile that was asked for says."""
    profile = settings.default
    return QUICK if profile.stateful_step_count == settings.get_profile("default").stateful_step_count else profile


@pytest.mark.slow
def test_no_walk_breaks_an_invariant(desk):
    run_state_machine_as_test(Walk, settings=chosen())
