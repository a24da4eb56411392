"""What the memo says is tracked is what monitoring reads, each of it and nothing more."""

import live_days
import numpy as np

from signoff.domain.live_metrics import MetricGroup, tracked
from signoff.domain.monitoring import DailyReturns, observe
from signoff.domain.monitoring.measurement import Earlier
from signoff.domain.policy import Policy


def earlier(n: int = 60) -> Earlier:
    """So many sessions of predictions before this one, each of its own: what is usual is known."""
    rng, at = np.random.default_rng(5), live_days.days(n + 1)[:-1]
    sessions, names = np.repeat(at, len(live_days.SYMBOLS)), np.array(live_days.SYMBOLS * n)
    return Earlier(
        timestamps=sessions.astype("datetime64[us]"),
        sessions=sessions,
        symbols=names,
        values=rng.uniform(-1, 1, names.size),
    )


def keys(**changes) -> set[str]:
    observed = observe(live_days.measured(earlier=earlier(), **changes), Policy(name="firm", version="1"), {})
    return {reading.key for reading in observed.readings}


def test_the_catalogue_is_what_an_observation_reads() -> None:
    assert {each.key for each in tracked(has_champion=False)} == keys()


def test_against_a_champion_one_reading_more_is_read() -> None:
    healthy = live_days.measured(lived=40)
    champion = DailyReturns(dates=healthy.live.dates, returns=np.full(healthy.live.dates.size, 0.001))

    assert {each.key for each in tracked(has_champion=True)} == keys(lived=40, champion=champion)
    assert [each.key for each in tracked(has_champion=True) if each.group is MetricGroup.CHAMPION] == [
        "less_champion_bps"
    ]
