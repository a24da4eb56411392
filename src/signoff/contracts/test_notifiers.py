"""What every notifier promises: a message goes out, its receipt names who took it, and its place holds no secret."""

from pathlib import Path

import pytest

from signoff.contracts.tried import notifiers
from signoff.domain.events import Delivery
from signoff.ports.notices import Receiver, Severity

MADE = dict(notifiers())


@pytest.fixture(params=MADE)
def notifier(request: pytest.FixtureRequest, tmp_path: Path) -> Receiver:
    """One notifier, to which nothing was given yet."""
    make = MADE[request.param]
    if make is None:
        pytest.skip(f"the package of the notifier {request.param} brings no rig: nothing of it was tried")
    return make(tmp_path)


@pytest.mark.parametrize("severity", Severity)
def test_a_message_is_taken_and_its_receipt_says_how(notifier: Receiver, severity: Severity) -> None:
    receipt = notifier.send("n-1", "#desk", "m v2: limited", "The rollout advanced.\nSecond line, 5% ≤ 10%.", severity)
    if receipt is not None:
        assert receipt.delivery is not Delivery.UNRECORDED
        assert receipt.receiver


def test_the_same_message_may_be_sent_again(notifier: Receiver) -> None:
    for _ in range(2):
        notifier.send("n-1", "#desk", "subject", "text", Severity.NOTICE)


def test_a_place_is_named_and_is_always_the_same(notifier: Receiver) -> None:
    place = notifier.place
    notifier.send("n-2", "#desk", "subject", "text", Severity.NOTICE)
    assert place
    assert notifier.place == place
    assert "@" not in place.partition("://")[2].partition("/")[0]
