"""What the metrics of daily returns say, whole, and the bounds of their windows, by hand and by other derivations."""

from dataclasses import replace
from datetime import date
from statistics import fmean, median, stdev

import numpy as np
import pytest
from live_days import SESSION, days, measured, world

from signoff.domain.monitoring import DailyReturns, returns
from signoff.domain.monitoring.readings import NOT_YET, Figure
from signoff.domain.monitoring.returns import (
    Exceptions,
    LowSharpeStreak,
    Track,
    VarException,
    _largest,
    _pairs,
    _unit,
    days_below,
    implausible,
    rolling_sharpe,
    sharpe_floor,
    var_exception,
    var_exceptions,
)
from signoff.domain.policy import Policy
from signoff.domain.profiles import Range
from signoff.domain.thresholds import Sign, ThresholdKind
from signoff.stats.sequential import mean_difference_sequence

POLICY = Policy(name="test", version="1")
OWN, MARKET = world()
DAY = days(600)


def track(rate=0.0, **changes):
    return Track.of(measured(**changes), rate)


def altered(values, **at):
    """Some entries changed, counted from the end: `b1` is the last."""
    found = values.copy()
    for back, value in at.items():
        found[-int(back[1:])] = value
    return found


def less(kept, table=None):
    table = measured().live if table is None else table
    benchmark = None if table.benchmark is None else table.benchmark[kept]
    return replace(table, dates=table.dates[kept], returns=table.returns[kept], benchmark=benchmark)


class TestRollingSharpe:
    def test_it_is_that_of_the_last_window(self):
        own = OWN[-30:].tolist()

        assert rolling_sharpe(OWN, 30) == pytest.approx(fmean(own) / stdev(own) * 252**0.5)
        assert rolling_sharpe(OWN, 30, 365.0) == pytest.approx(fmean(own) / stdev(own) * 365**0.5)
        assert rolling_sharpe(OWN[-30:], 30) == rolling_sharpe(OWN, 30)

    @pytest.mark.parametrize(
        ("values", "window"),
        [(OWN[:29], 30), (np.zeros(30), 30), (np.full(30, 0.1), 30), (altered(OWN, b30=np.nan), 30), (OWN[:1], 1)],
    )
    def test_it_does_not_exist_for_too_few_or_equal_ones_or_beside_no_number(self, values, window):
        assert rolling_sharpe(values, window) is None

    def test_no_number_before_the_window_changes_nothing(self):
        assert rolling_sharpe(altered(OWN, b31=np.nan), 30) == rolling_sharpe(OWN, 30)


class TestVarException:
    def derived(self, own, market, level):
        """Least squares of the last 250 sessions, and type 7 quantiles of sorted lists."""

        def quantile(values, share):
            ordered, at = sorted(values), (len(values) - 1) * share
            low = int(at)
            return ordered[low] + (at - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])

        near, market_near = own[:-1][-250:], market[:-1][-250:]
        beta = np.polyfit(market_near, near, 1)[0] if np.ptp(market_near) > 0 else 0.0
        limit = quantile(own[:-1][-500:].tolist(), 1 - level)
        rest = quantile((near - beta * market_near).tolist(), 1 - level)
        is_exception = own[-1] < limit
        return is_exception, bool(is_exception and own[-1] - beta * market[-1] < rest), limit, rest

    @pytest.mark.parametrize("n", [101, 180, 251, 400, 501, 600])
    @pytest.mark.parametrize("level", [0.95, 0.99])
    @pytest.mark.parametrize("loss", [0.0, -0.015, -0.05])
    def test_by_another_derivation(self, n, level, loss):
        own, market = altered(OWN[-n:], b1=OWN[-1] + loss), MARKET[-n:]
        is_exception, is_attributed, limit, rest = self.derived(own, market, level)

        found = var_exception(own, market, level)

        assert (found.is_exception, found.is_attributed) == (is_exception, is_attributed)
        assert found.value_at_risk == pytest.approx(limit)
        assert found.residual_value_at_risk == pytest.approx(rest)

    def test_a_market_that_never_moves_has_no_beta(self):
        own, flat = altered(OWN, b1=-0.2), np.full(600, 2.0**-10)
        is_exception, is_attributed, limit, rest = self.derived(own, flat, 0.95)

        assert var_exception(own, flat, 0.95) == VarException(
            is_exception=is_exception,
            is_attributed=is_attributed,
            value_at_risk=pytest.approx(limit),
            residual_value_at_risk=pytest.approx(rest),
        )

    def test_a_return_at_its_limit_is_no_exception(self):
        limit = var_exception(OWN, MARKET, 0.95).value_at_risk

        assert not var_exception(altered(OWN, b1=limit), MARKET, 0.95).is_exception
        assert var_exception(altered(OWN, b1=np.nextafter(limit, -1)), MARKET, 0.95).is_exception

    @pytest.mark.parametrize(
        ("own", "market", "is_known"),
        [
            (OWN[:100], MARKET[:100], False),
            (OWN[:101], MARKET[:101], True),
            (OWN, MARKET[1:], False),
            (altered(OWN, b501=np.nan), MARKET, False),
            (altered(OWN, b502=np.nan), MARKET, True),
            (OWN, altered(MARKET, b251=np.nan), False),
            (OWN, altered(MARKET, b252=np.nan), True),
            (altered(OWN, b1=np.nan), MARKET, False),
            (OWN, altered(MARKET, b1=np.inf), False),
        ],
    )
    def test_what_it_needs(self, own, market, is_known):
        assert (var_exception(own, market, 0.95) is not None) is is_known


class TestTrack:
    def test_history_and_live_are_one_series_in_order(self):
        base = measured()
        made = Track.of(replace(base, live=less(slice(None, None, -1))), 0.0001)

        assert made.dates.tolist() == DAY.tolist()
        assert made.returns.tolist() == OWN.tolist()
        assert made.benchmark.tolist() == MARKET.tolist()
        assert (made.rate, made.odd, made.odd_market) == (0.0001, {}, {})
        assert (made.is_of_session, made.n_lived, made.newest) == (True, 20, SESSION)
        assert (made.missing.tolist(), made.doubled.tolist()) == ([], [])
        assert Track.of(base).rate == 0.0

    def test_gains_that_nobody_makes_are_no_number_and_losses_are_of_everything_at_most(self):
        made = track(returns=altered(OWN, b1=3.0, b2=-3.0, b3=-0.9), benchmark=altered(MARKET, b4=-2.0, b5=2.0))

        assert np.isnan(made.returns[-1])
        assert made.returns[-3:-1].tolist() == [-0.9, -1.0]
        assert list(made.odd) == [597, 598, 599]
        assert list(made.odd_market) == [595, 596]
        assert np.isnan(made.benchmark[595:597]).all()

    @pytest.mark.parametrize(("value", "kept"), [(0.9, np.nan), (-0.9, -0.9), (-1.5, -1.0), (1.5, np.nan)])
    def test_an_implausible_gain_is_no_number_however_small(self, value, kept):
        made = track(returns=altered(OWN, b1=value))
        assert list(made.odd) == [599]
        assert made.returns[-1] == pytest.approx(kept, nan_ok=True)

    def test_a_series_without_a_benchmark_or_without_rows(self):
        base = measured()
        bare = Track.of(replace(base, live=replace(base.live, benchmark=None)))
        empty = Track.of(replace(base, live=DailyReturns(), history=DailyReturns()))

        assert np.isnan(bare.benchmark).sum() == 20
        assert (empty.is_of_session, empty.n_lived, empty.newest, empty.flaw(1)) == (False, 0, None, "n 0, needs 1")

    def test_missing_are_the_lived_sessions_without_a_number(self):
        own = track(returns=altered(OWN, b3=np.nan), lived=20)
        gone = Track.of(replace(measured(), live=less(np.delete(np.arange(20), [5, 19]))))

        assert own.missing.tolist() == [date(2019, 1, 30)]
        assert gone.missing.tolist() == [date(2019, 1, 18), date(2019, 2, 1)]
        assert not gone.is_of_session

    def test_known_rows_are_numbers_and_the_worst_of_doubled_ones(self):
        live = less(np.array([*range(20), 19, 18]))
        live = replace(live, returns=np.append(live.returns[:-2], [-0.5, 0.5]))
        made = Track.of(replace(measured(returns=altered(OWN, b4=np.nan)), live=live))
        dates, values, benchmark = made.known()

        assert dates.tolist() == DAY.tolist()
        assert values[-1] == -0.5
        assert values[-2] == OWN[-2]
        assert benchmark[-1] == MARKET[-1]
        assert made.doubled.tolist() == [date(2019, 1, 31), date(2019, 2, 1)]
        beside, _, _ = track().known(altered(MARKET, b7=np.nan))
        assert beside.tolist() == np.delete(DAY, 593).tolist()

    @pytest.mark.parametrize(
        ("changes", "n", "options", "said"),
        [
            ({}, 600, {}, ""),
            ({}, 601, {}, "n 600, needs 601"),
            ({}, 601, {"needed": 600}, ""),
            ({}, 30, {"end": 29}, "n 29, needs 30"),
            ({}, 30, {"end": 30}, ""),
            ({}, 30, {"end": 29, "needed": 28}, ""),
            ({"returns": altered(OWN, b30=np.nan)}, 30, {}, "the return of 2019-01-03 is no number"),
            ({"returns": altered(OWN, b31=np.nan)}, 30, {}, ""),
            ({"returns": altered(OWN, b1=np.nan)}, 30, {"end": 599}, ""),
            ({"returns": altered(OWN, b1=np.nan)}, 30, {}, "the return of 2019-02-01 is no number"),
            (
                {"returns": altered(OWN, b20=-3.0)}, 20, {},
                "the return of 2019-01-13 is implausible: −300% is ",
            ),
            ({"returns": altered(OWN, b20=-3.0)}, 19, {}, ""),
            ({"returns": altered(OWN, b1=-3.0)}, 30, {"end": 599}, ""),
        ],
    )  # fmt: skip
    def test_why_a_figure_over_some_rows_is_unknown(self, changes, n, options, said):
        found = track(**changes).flaw(n, **options)
        assert found.startswith(said) if said else found == ""

    def test_the_benchmark_has_flaws_of_its_own(self):
        made = track(benchmark=altered(MARKET, b2=np.nan, b9=5.0))

        assert made.flaw(30) == ""
        assert made.flaw(2, values=made.benchmark) == "the benchmark of 2019-01-31 is no number"
        assert made.flaw(9, values=made.benchmark).startswith("the benchmark of 2019-01-24 is implausible: 500% is ")

    def test_stale_doubled_and_missing_rows_are_flaws_within_the_window_alone(self):
        stale = Track.of(replace(measured(), live=less(slice(0, 19))))
        twice = Track.of(replace(measured(), live=less(np.sort(np.append(np.arange(20), 10)))))
        gone = Track.of(replace(measured(), live=less(np.delete(np.arange(20), 10))))

        assert stale.flaw(5) == "stale: the newest return is of 2019-01-31"
        assert stale.flaw(5, end=598) == ""
        assert (twice.flaw(9), twice.flaw(10)) == ("", "2019-01-23 occurs more than once")
        assert twice.flaw(11) == "2019-01-23 occurs more than once"
        assert twice.flaw(3, end=591) == "2019-01-23 occurs more than once"
        assert twice.flaw(3, end=590) == ""
        assert (gone.flaw(9), gone.flaw(10)) == ("", "the return of 2019-01-23 is missing")
        assert gone.flaw(3, end=590) == ""
        assert gone.flaw(3, end=591) == "the return of 2019-01-23 is missing"

    @pytest.mark.parametrize(
        ("n", "lived", "window", "is_young"), [(5, 5, 6, True), (5, 5, 5, False), (6, 5, 7, True), (5, 6, 7, False)]
    )
    def test_a_figure_is_young_where_only_time_is_missing(self, n, lived, window, is_young):
        kept = {"returns": OWN[-n:], "benchmark": MARKET[-n:], "lived": min(n, lived), "expected": days(lived)}
        made = track(**kept)
        figure = made.figure(1.0, window, made.flaw(window))

        assert (figure.n, figure.needed, figure.as_of, figure.is_young) == (min(n, window), window, SESSION, is_young)

    def test_a_figure_that_is_unknown_for_another_reason_is_not_young(self):
        made = track(returns=OWN[-5:], benchmark=MARKET[-5:], lived=5)

        assert made.aged(Figure(n=5, needed=6)).is_young
        assert not made.aged(Figure(n=5, needed=6, why="broken")).is_young
        assert not made.aged(Figure(n=6, needed=6)).is_young
        assert not made.aged(Figure(n=5, needed=5)).is_young
        for bare in (Figure(n=5), Figure(needed=6), Figure()):
            assert made.aged(bare) == bare
        assert (
            not track(returns=OWN[-5:], benchmark=MARKET[-5:], lived=5, expected=days(6))
            .aged(Figure(n=5, needed=6))
            .is_young
        )


class TestExceptions:
    LOST = altered(OWN, b2=MARKET[-2] * 0.8 - 0.08, b5=MARKET[-5] * 0.8 - 0.08)

    def test_they_are_counted_in_the_triggers_window(self):
        window = POLICY.triggers.var.window_days

        calm = var_exceptions(track(), POLICY)

        assert calm == Exceptions(exceptions=1, attributed=0, why="")
        assert var_exceptions(track(returns=self.LOST), POLICY) == Exceptions(exceptions=3, attributed=2, why="")
        for back, found in ((window, 1), (window + 1, 0)):
            lost = altered(OWN, **{f"b{back}": -0.09})
            counted = var_exceptions(track(returns=lost, lived=window + 5), POLICY)
            calm = var_exceptions(track(lived=window + 5), POLICY)
            assert counted.exceptions - calm.exceptions == found

    def test_what_the_market_explains_is_not_attributed(self):
        market = altered(MARKET, b2=-0.09)
        found = var_exceptions(track(returns=altered(OWN, b2=-0.072), benchmark=market), POLICY)

        assert found == Exceptions(exceptions=2, attributed=0, why="")

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"lived": 0}, "no session was lived yet"),
            ({"returns": OWN[-100:], "benchmark": MARKET[-100:]}, "n 100, needs 101"),
            ({"returns": altered(OWN, b501=np.nan)}, "the return of 2017-09-19 is no number"),
            ({"benchmark": altered(MARKET, b251=np.nan)}, "the benchmark of 2018-05-27 is no number"),
        ],
    )
    def test_why_the_count_may_be_incomplete(self, changes, why):
        assert var_exceptions(track(**changes), POLICY).why == why

    def test_each_session_of_the_window_must_be_sound(self):
        """Of 600 sessions the first of the window rests on row 580 − 501 on; of 20 lived ones none on row 78."""
        assert "is no number" in var_exceptions(track(returns=altered(OWN, b520=np.nan)), POLICY).why
        assert var_exceptions(track(returns=altered(OWN, b521=np.nan)), POLICY).why == ""

    def test_as_a_figure_they_are_sure(self):
        made, found = track(), Exceptions(exceptions=3, attributed=1, why="late")

        assert returns.exceptions(made, found, 3) == Figure(
            value=3, n=501, needed=101, as_of=SESSION, why="late", sure=3
        )
        short = track(returns=OWN[-50:], benchmark=MARKET[-50:], lived=50)
        assert returns.exceptions(short, var_exceptions(short, POLICY), 0) == Figure(
            value=0, n=50, needed=101, as_of=SESSION, why="n 50, needs 101", sure=0, is_young=True
        )


FALLING = np.concatenate([OWN[:-45], np.tile([-0.01, -0.012, -0.008], 15)])


class TestBelow:
    def test_the_floor_is_the_triggers(self):
        floor = sharpe_floor(POLICY)
        assert (floor.key, floor.kind, floor.sign, floor.value) == (
            "rolling_sharpe_30d",
            ThresholdKind.TRIGGER,
            Sign.BELOW,
            POLICY.triggers.sharpe.below,
        )

    @pytest.mark.parametrize("lived", [19, 20, 21, 29, 40])
    def test_sessions_count_from_the_minimum_of_lived_ones_on(self, lived):
        least = POLICY.triggers.sharpe.minimum_days

        assert days_below(track(returns=FALLING, lived=lived), POLICY) == LowSharpeStreak(
            days=max(0, lived - least + 1), why=""
        )

    def test_the_streak_is_counted_back_by_windows_of_lived_sessions_alone(self):
        rng = np.random.default_rng(5)
        own, lived, window = rng.normal(0, 0.01, 600), 60, POLICY.triggers.sharpe.window_days
        own[-60:-12] += 0.004
        own[-12:] -= 0.012
        expected = 0
        for back in range(lived - POLICY.triggers.sharpe.minimum_days + 1):
            part = own[600 - lived : 600 - back][-window:].tolist()
            if not fmean(part) / stdev(part) * 252**0.5 < POLICY.triggers.sharpe.below:
                break
            expected += 1

        assert 0 < expected < 41
        assert days_below(track(returns=own, lived=lived), POLICY).days == expected

    def test_the_rate_is_taken_off(self):
        own = np.tile([0.001, 0.003], 300)

        assert days_below(track(returns=own, lived=29), POLICY).days == 0
        assert days_below(track(0.01, returns=own, lived=29), POLICY).days == 29 - 19

    def test_returns_that_do_not_vary_end_it(self):
        still = np.concatenate([OWN[:-29], np.full(29, -0.01)])
        assert days_below(track(returns=still, lived=29), POLICY) == LowSharpeStreak(
            days=0, why="the 29 returns up to 2019-02-01 do not vary"
        )

    def test_as_a_figure(self):
        least = POLICY.triggers.sharpe.minimum_days
        known = Figure(value=10, n=29, needed=least, as_of=SESSION, sure=10)

        assert returns.below(track(returns=FALLING, lived=29), POLICY) == known
        young = returns.below(track(returns=FALLING[-least + 1 :], benchmark=MARKET[-19:], lived=least - 1), POLICY)
        assert (young.value, young.n, young.why, young.detail) == (
            0, least - 1, "", f"the trigger judges from {least} lived sessions on",
        )  # fmt: skip
        stale = Track.of(replace(measured(returns=FALLING), live=less(slice(0, 19), measured(returns=FALLING).live)))
        assert returns.below(stale, POLICY).why == "stale: the newest return is of 2019-01-31"


class TestFigures:
    def test_of_a_healthy_day(self):
        made = track(0.0001)
        excess = (OWN[-30:] - 0.0001).tolist()

        assert returns.daily_return(made) == Figure(value=OWN[-1], n=1, needed=1, as_of=SESSION)
        assert returns.sharpe(made, POLICY) == Figure(
            value=pytest.approx(fmean(excess) / stdev(excess) * 252**0.5), n=30, needed=30, as_of=SESSION
        )
        assert returns.sharpe(made, POLICY, 7).n == 7
        assert returns.volatility(made, POLICY) == Figure(
            value=pytest.approx(stdev(MARKET[-30:].tolist()) * 252**0.5 * 100), n=30, needed=30, as_of=SESSION
        )
        assert returns.missing(made) == Figure(value=0, n=20, as_of=SESSION)
        assert returns.too_large(made) == Figure(value=0, n=600, needed=1, as_of=SESSION)

    def test_sessions_of_every_day_are_365_a_year(self):
        daily = replace(POLICY, phases=replace(POLICY.phases, calendar="24/7"))
        made = track()

        for of in (returns.sharpe, returns.volatility):
            assert of(made, daily).value == pytest.approx(of(made, POLICY).value * (365 / 252) ** 0.5)

    def test_of_a_day_without_a_return(self):
        empty = Track.of(measured(history=DailyReturns(), live=DailyReturns(), expected=days(0)))

        assert returns.daily_return(empty) == Figure(n=0, needed=1, why="n 0, needs 1")
        assert returns.too_large(empty).why == "no return is on record: n 0, needs 1"
        still = track(returns=np.full(600, 0.001))
        assert returns.sharpe(still, POLICY).why == "the 30 returns do not vary"
        assert returns.volatility(track(benchmark=altered(MARKET, b1=np.nan)), POLICY).value is None

    def test_missing_ones_are_named(self):
        gone = Track.of(replace(measured(), live=less(np.delete(np.arange(20), [3, 5, 6, 7]))))

        assert returns.missing(gone) == Figure(
            value=4,
            n=20,
            as_of=SESSION,
            detail="of 20 lived sessions without a return: 2019-01-16, 2019-01-18, 2019-01-19 and 1 more",
        )
        assert returns.too_large(gone).why == "the return of 2019-01-16 is missing"

    def test_implausible_ones_are_named(self):
        found = returns.too_large(track(returns=altered(OWN, b1=3.0), benchmark=altered(MARKET, b2=-2.0)))

        assert (found.value, found.n, found.why) == (2, 600, "")
        first, second = found.detail.split(", benchmark")
        assert first.startswith("return of 2019-02-01: 300% is ")
        assert second.startswith(" of 2019-01-31: −200% is ")


class TestImplausible:
    def test_the_usual_size_is_the_lower_median_of_the_moves_before(self):
        values = np.array([0.01, -0.03, 0.0, np.nan, 0.02, 0.05, -0.04, 0.06])

        def before(row, sessions, needed):
            held = sorted(abs(x) for x in values[max(0, row - sessions) : row] if np.isfinite(x) and x != 0)
            return held[(len(held) - 1) // 2] if len(held) >= needed else np.nan

        for sessions, needed in ((3, 2), (5, 3), (4, 1), (8, 4)):
            expected = [before(row, sessions, needed) for row in range(8)]
            assert _unit(values, sessions, needed) == pytest.approx(expected, nan_ok=True)
        assert _unit(np.empty(0), 3, 1).size == 0

    @pytest.mark.parametrize(
        ("n", "most", "median_", "found"),
        [(10_000, 8.0, 1.0, 15.0), (20_000, 8.0, 1.0, 15.0), (1250, 8.0, 1.0, 31.0), (10_000, 2.0, 0.5, 3.5)],
    )
    def test_the_largest_is_as_far_again_as_forty_years_would_show(self, n, most, median_, found):
        assert _largest(Range(least=0.0, median=median_, most=most, n=n)) == pytest.approx(found)

    @pytest.mark.parametrize(("value", "is_odd"), [(1.0, False), (-1.0, False), (1.01, True), (-1.01, True)])
    def test_without_a_past_a_return_of_more_than_everything_is_odd(self, value, is_odd):
        found = implausible(np.array([0.01, value]))
        shown = f"{100 * value:.4g}%".replace("-", "−")
        assert found == ({1: f"{shown} in a session is more than everything"} if is_odd else {})

    def test_a_size_beyond_any_number_is_more_than_everything(self):
        assert implausible(altered(1e-12 * OWN, b1=1e300), 580) == {599: "1e+302% in a session is more than everything"}
        assert implausible(np.zeros(600), 580) == {}
        assert implausible(altered(np.zeros(600), b1=0.5), 580) == {}

    def test_the_bound_with_a_past(self):
        """The size of each return over the median size of the sixty, or in a storm the five, before it."""
        sizes = np.abs(OWN)

        def unit(row):
            near, storm = sizes[max(0, row - 60) : row], sizes[max(0, row - 5) : row]
            known = [
                sorted(part.tolist())[(part.size - 1) // 2]
                for part, least in ((near, 20), (storm, 3))
                if part.size >= least
            ]
            return max(known) if known else np.nan

        ratios = np.array([sizes[row] / unit(row) for row in range(3, 580)])
        most, middle = np.quantile(ratios, 0.999), median(ratios.tolist())
        grown = most * (10_000 / 577) ** (1 / 3)
        limit = (2 * grown - middle) * unit(599)

        assert implausible(altered(OWN, b1=0.999 * limit), 580) == {}
        found = implausible(altered(OWN, b1=-1.001 * limit), 580)
        assert found == {
            599: f"−{100.1 * limit:.4g}% is {1.001 * limit / unit(599):.3g} times the usual size, "
            f"at most {most:.3g} times in 577 sessions"
        }

    def test_of_few_past_rows_all_but_the_last_month_show_what_is_usual(self):
        values = altered(OWN[:140], b1=0.9)

        assert list(implausible(values, 0)) == [139]
        assert list(implausible(values, 102)) == [139]
        assert "in 107 sessions" in implausible(values, 102)[139]
        assert "in 100 sessions" in implausible(values, 103)[139]
        assert implausible(altered(OWN[:132], b1=0.9)) == {}


class TestChampion:
    THEIRS = np.random.default_rng(3).normal(0, 0.01, 40)

    def compared(self, edge=0.0, lived=40, dates=None, theirs=None, **changes):
        own = OWN.copy()
        own[-40:] = self.THEIRS + edge + np.random.default_rng(4).normal(0, 0.001, 40)
        champion = DailyReturns(
            name="champion's returns",
            dates=days(40) if dates is None else dates,
            returns=self.THEIRS if theirs is None else theirs,
        )
        return track(returns=own, lived=lived, champion=champion, **changes)

    def test_it_is_the_confidence_sequence_of_the_pairs(self):
        made = self.compared(0.005)
        expected = mean_difference_sequence(made.returns[-40:], self.THEIRS)
        low, high = (f"{1e4 * bound:+.1f}".replace("-", "−") for bound in (expected.lower, expected.upper))

        assert returns.less_champion(made) == Figure(
            value=pytest.approx(1e4 * expected.estimate),
            n=40,
            needed=20,
            as_of=SESSION,
            detail=f"95% confidence sequence {low} to {high} bps a day after 40 sessions, widened by their "
            "autocorrelation (94% where they are as skewed as an option seller's)",
        )
        assert returns.less_champion(self.compared(-0.005)).is_critical

    @pytest.mark.parametrize(("lived", "is_there"), [(19, False), (20, True)])
    def test_it_appears_with_twenty_lived_sessions(self, lived, is_there):
        assert (returns.less_champion(self.compared(lived=lived)) is not NOT_YET) is is_there
        assert returns.less_champion(track(lived=40)) is NOT_YET

    def test_it_ends_with_the_champions_last_return(self):
        found = returns.less_champion(self.compared(dates=days(40) - 5))

        assert (found.n, found.as_of, found.why) == (35, date(2019, 1, 27), "")

    def test_pairs_are_the_lived_sessions_that_both_have(self):
        made = self.compared(lived=30)
        pairs = _pairs(made, made.measured.champion)

        assert pairs.dates.tolist() == days(30).tolist()
        assert pairs.own.tolist() == made.returns[-30:].tolist()
        assert pairs.other.tolist() == self.THEIRS[-30:].tolist()
        assert pairs.why == ""

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"dates": days(40) - 60}, "the champion has no return of a lived session"),
            ({"dates": np.sort(np.append(days(39), days(3)[0]))}, "2019-01-30 occurs more than once"),
            ({"theirs": altered(THEIRS, b3=np.nan)}, "a return of 2019-01-30 is no number"),
            ({"theirs": altered(THEIRS, b3=7.0)}, "a return of 2019-01-30 is no number"),
            (
                {"dates": np.delete(days(40), 37), "theirs": np.delete(THEIRS, 37)},
                "the champion's return of 2019-01-30 is missing",
            ),
        ],
    )
    def test_why_they_cannot_be_compared(self, changes, why):
        found = returns.less_champion(self.compared(**changes))
        assert (found.why, found.value, found.needed) == (why, None, 20)

    def test_what_was_journaled_is_left_as_it_is(self):
        theirs = altered(self.THEIRS, b3=7.0)
        returns.less_champion(self.compared(theirs=theirs))
        own, market = altered(OWN, b1=3.0), altered(MARKET, b2=5.0)
        track(returns=own, benchmark=market)

        assert (theirs[-3], own[-1], market[-2]) == (7.0, 3.0, 5.0)

    def test_few_pairs_are_too_few(self):
        found = returns.less_champion(self.compared(dates=days(19), theirs=self.THEIRS[-19:]))
        assert (found.n, found.needed, found.value, found.why) == (19, 20, None, "")

    def test_pairs_that_never_differ_have_no_sequence(self):
        own = np.concatenate([OWN[:-40], self.THEIRS])
        champion = DailyReturns(name="champion's returns", dates=days(40), returns=self.THEIRS)
        found = returns.less_champion(track(returns=own, lived=40, champion=champion))

        assert found.value is None
        assert "the first 20 differences" in found.why
