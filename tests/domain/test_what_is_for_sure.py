"""What an error rate is for sure while predictions are missing: those that are missing count as good."""

from datetime import date

import numpy as np
import pytest

from signoff.domain.monitoring.operational import Outcomes, error_rate


def outcomes(n, failed, needed):
    errors = np.arange(n) < failed
    no = np.zeros(n, dtype=bool)
    return Outcomes(
        session=date(2019, 2, 1),
        symbols=np.array([f"S{each}" for each in range(n)]),
        failed=errors,
        unknown=no,
        unflagged=no,
        unpredicted=no,
        untimed=no,
        latency_ms=np.full(n, 12.0),
        doubled=0,
        incomplete="",
        needed=needed,
    )


@pytest.mark.parametrize(
    ("n", "failed", "needed", "sure"),
    [
        (20, 0, 20, 0.0),
        (20, 1, 20, 5.0),
        (10, 1, 20, 5.0),
        (10, 9, 20, 45.0),
        (40, 1, 20, 2.5),
        (3, 3, 20, 100.0),
        (3, 2, 20, 10.0),
        (0, 0, 20, None),
    ],
)
def test_a_rate_is_sure_only_of_the_least_that_it_can_be(n, failed, needed, sure):
    found = error_rate(outcomes(n, failed, needed))
    assert found.sure == sure
    assert found.value == (100.0 * failed / n if n else None)
