"""What is told of a release in each of its states."""

import pytest
from standing import standing

from signoff.domain.deployment import State
from signoff.verbs.documents import deployment_document


@pytest.mark.parametrize("state", State)
def test_only_a_release_that_trades_has_capital(state):
    said = deployment_document(standing(state))
    assert (said["allocation_pct"] > 0) is (state in {State.LIMITED, State.FULL})
