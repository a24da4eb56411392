"""Numbers that are finite, on time and wrong are found in the session in which they come, and healthy ones are not."""

from dataclasses import replace

import numpy as np
import pytest
from live_days import SESSION, SYMBOLS, days, measured, predictions, reading, world

from signoff.domain.monitoring import Baseline, Features, Level, TrainingFeature, observe
from signoff.domain.monitoring.measurement import Ahead, Earlier
from signoff.domain.monitoring.usual import IS_HIGH_BAD, IS_LOW_BAD, Layout, figures, unusual, usual
from signoff.domain.policy import Policy
from signoff.domain.profiles import ApprovedProfile, Pinned

POLICY = Policy(name="test", version="1")
N, LIVED, TRAINED = len(SYMBOLS), 20, 400
TODAY = slice(-N, None)
YESTERDAY = slice(-2 * N, -N)
BAD = {Level.UNKNOWN, Level.CRITICAL}


def walks(n, width, seed, keeps=0.97):
    """Values of each symbol that keep most of themselves from session to session."""
    rng = np.random.default_rng(seed)
    found = np.empty((n, width))
    found[0] = rng.normal(size=width)
    for row in range(1, n):
        found[row] = keeps * found[row - 1] + np.sqrt(1 - keeps**2) * rng.normal(size=width)
    return found


def columns(width=N):
    """A momentum, a volatility, a feature of once a month, a switch, and one that is the same for every symbol."""
    n = TRAINED + LIVED
    market = walks(n, 1, 5)
    return {
        "momentum": walks(n, width, 1),
        "volatility": np.exp(-1.5 + 0.3 * walks(n, width, 2, keeps=0.99)),
        "monthly": np.repeat(np.random.default_rng(3).normal(size=(n // 21 + 1, width)), 21, axis=0)[:n],
        "switch": (walks(n, width, 4, keeps=0.9) > 0).astype(float),
        "market": np.repeat(market, width, axis=1),
    }


def split(made, symbols):
    """The first sessions as training, the last as the window of the rollout."""
    width = len(symbols)
    trained, lived = (np.repeat(each, width) for each in (days(TRAINED, days(LIVED)[0] - 60), days(LIVED)))
    names = np.array(symbols)
    base = Baseline(
        columns={
            name: TrainingFeature(values=each[:TRAINED].ravel(), sessions=trained, symbols=np.tile(names, TRAINED))
            for name, each in made.items()
        },
        symbols=frozenset(symbols),
        cadence_s=86400.0,
        pinned=Pinned(sha256="a" * 64, features=tuple(made)),
    )
    live = Features(
        timestamps=lived.astype("datetime64[us]") + np.timedelta64(21, "h"),
        sessions=lived,
        symbols=np.tile(names, LIVED),
        columns={name: each[TRAINED:].ravel() for name, each in made.items()},
    )
    return base, live


BASELINE, LIVE = split(columns(), SYMBOLS)
PAST = walks(200, N, 9, keeps=0.9) * 0.01
TODAYS = (0.9 * PAST[-1] + 0.001 * np.random.default_rng(8).normal(size=N)).copy()
EARLIER = Earlier(
    timestamps=np.repeat(days(201)[:-1], N).astype("datetime64[us]") + np.timedelta64(21, "h"),
    sessions=np.repeat(days(201)[:-1], N),
    symbols=np.tile(np.array(SYMBOLS), 200),
    values=PAST.ravel(),
)
EVIDENCE = usual(PAST, alike=True)


def healthy(**changes):
    kept = {"baseline": BASELINE, "features": LIVE, "earlier": EARLIER, "predictions": predictions(values=TODAYS)}
    return measured(**(kept | changes))


def judged(base, **changes):
    return observe(replace(base, **changes), POLICY, {})


def feature(name, change):
    """The healthy session with one feature of today changed, given today's values and yesterday's."""
    column = LIVE.columns[name].copy()
    column[TODAY] = change(column[TODAY], column[YESTERDAY])
    return replace(LIVE, columns={**LIVE.columns, name: column})


def unknown(observed, key, *said):
    found = reading(observed, key)
    assert found.level in BAD, found
    assert found.detail
    assert found.n is not None
    for text in said:
        assert text in found.detail, found.detail
    assert any(key in reason for reason in observed.unmet)


def test_a_healthy_session_is_sound_in_every_reading():
    observed = judged(healthy())
    assert {r.key: r.detail for r in observed.readings if r.level in BAD} == {}
    assert observed.is_conclusive


FEATURES = {
    "1e300 for all": ("momentum", lambda now, _: np.full(N, 1e300), "features_out_of_range"),
    "1e9 for one": ("momentum", lambda now, _: np.append(1e9, now[1:]), "features_out_of_range"),
    "−1e9 for one": ("momentum", lambda now, _: np.append(-1e9, now[1:]), "features_out_of_range"),
    "a hundred times": ("momentum", lambda now, _: 100 * now, "features_out_of_range"),
    "a hundredth": ("momentum", lambda now, _: now / 100, "features_out_of_range"),
    "a thousandth of a volatility": ("volatility", lambda now, _: now / 1000, "features_out_of_range"),
    "all equal": ("momentum", lambda now, _: np.full(N, now[0]), "features_out_of_range"),
    "zeros": ("volatility", lambda now, _: np.zeros(N), "features_out_of_range"),
    "a volatility below zero": ("volatility", lambda now, _: -now, "features_out_of_range"),
    "a turned sign": ("momentum", lambda now, _: -now, "features_jumped"),
    "shuffled symbols": ("momentum", lambda now, _: now[::-1], "features_jumped"),
    "a hundred times a monthly one": ("monthly", lambda now, _: 100 * now, "features_out_of_range"),
    "one symbol's jump": ("volatility", lambda now, _: np.append(now[0] + 1.2, now[1:]), "features_jumped"),
    "a switch of two": ("switch", lambda now, _: 1 + now, "features_out_of_range"),
    "a market that differs by symbol": ("market", lambda now, _: now + np.linspace(-1, 1, N), "features_out_of_range"),
    "frozen": ("momentum", lambda _, before: before, "features_frozen"),
    "frozen but for noise": ("momentum", lambda _, before: before + 1e-13, "features_frozen"),
    "a frozen volatility": ("volatility", lambda _, before: before, "features_frozen"),
    "frozen but for one": ("momentum", lambda now, before: np.append(now[:1], before[1:]), "features_frozen"),
}


@pytest.mark.parametrize("kind", FEATURES)
def test_a_feature_that_is_wrong_for_a_day_is_named_though_the_month_hides_it(kind):
    name, change, key = FEATURES[kind]
    observed = judged(healthy(), features=feature(name, change))
    unknown(observed, key, name)
    assert not observed.is_conclusive


@pytest.mark.parametrize("back", [1, 2, 3, 5])
def test_a_session_that_comes_again_is_found_up_to_five_sessions_later(back):
    def again(values):
        found = values.copy()
        found[TODAY] = values[len(values) - (back + 1) * N : len(values) - back * N]
        return found

    rows = replace(LIVE, columns={name: again(column) for name, column in LIVE.columns.items()})
    unknown(judged(healthy(), features=rows), "features_frozen", "momentum", "of training")


@pytest.mark.parametrize("name", ["monthly", "switch", "market"])
def test_a_feature_that_stood_still_in_training_may_stand_still(name):
    observed = judged(healthy(), features=feature(name, lambda now, before: before if name != "market" else now))
    assert reading(observed, "features_frozen").level == Level.OK


@pytest.mark.parametrize("width", [1, 2, 5])
def test_a_model_of_few_symbols_is_held_against_its_own_past(width):
    names = SYMBOLS[:width]
    base, live = split(columns(width), names)
    own = {"baseline": base, "features": live, "previous_symbols": frozenset(names)}
    sound = judged(healthy(**own, predictions=predictions(width, values=TODAYS[:width]), earlier=Earlier()))
    assert {r.key for r in sound.readings if r.key.startswith("features") and r.level in BAD} == set()
    column = live.columns["volatility"].copy()
    column[-width:] *= 100
    damaged = replace(live, columns={**live.columns, "volatility": column})
    assert reading(judged(healthy(**own), features=damaged), "features_out_of_range").level == Level.UNKNOWN


def test_training_of_few_sessions_says_that_it_is_too_short():
    base, live = split({name: each[-3 - LIVED :] for name, each in columns().items()}, SYMBOLS)
    short = replace(
        base,
        columns={
            name: TrainingFeature(
                values=each.values[: 3 * N], sessions=each.sessions[: 3 * N], symbols=each.symbols[: 3 * N]
            )
            for name, each in BASELINE.columns.items()
        },
    )
    del live
    unknown(judged(healthy(baseline=short)), "features_out_of_range", "n 3, needs 20")


def test_the_first_session_of_a_release_has_nothing_to_have_moved_from_and_is_waited_for():
    rows = replace(
        LIVE,
        timestamps=LIVE.timestamps[TODAY],
        sessions=LIVE.sessions[TODAY],
        symbols=LIVE.symbols[TODAY],
        columns={name: column[TODAY] for name, column in LIVE.columns.items()},
    )
    first = judged(healthy(lived=1), features=rows, earlier=Earlier())
    assert reading(first, "features_frozen").is_young
    assert reading(first, "features_out_of_range").level == Level.OK
    later = judged(healthy(), features=rows)
    assert not reading(later, "features_frozen").is_young
    unknown(later, "features_frozen", "the features of 2019-01-31 are missing")


def told(values, **approved):
    base = healthy(predictions=predictions(values=np.asarray(values, dtype=float)))
    return judged(base, approved=ApprovedProfile(**approved) if approved else None)


ALIKE = {
    "all of one value": np.full(N, 0.003),
    "all zero": np.zeros(N),
    "all 123": np.full(N, 123.0),
    "all of one value and noise": 0.003 + 1e-12 * np.arange(N),
    "two values": np.where(np.arange(N) % 2, 0.01, -0.01),
    "three values": np.arange(N) % 3 / 100,
    "one and a single other": np.append(0.02, np.full(N - 1, 0.003)),
}


@pytest.mark.parametrize("kind", ALIKE)
@pytest.mark.parametrize("approved", [{}, {"predictions": EVIDENCE}], ids=["journal", "evidence"])
def test_predictions_that_are_alike_as_they_never_were_are_unknown(kind, approved):
    observed = told(ALIKE[kind], **approved)
    unknown(observed, "predictions_alike", "value", "evidence" if approved else "journal")
    assert not reading(observed, "predictions_alike").is_young


@pytest.mark.parametrize("kind", ["all of one value", "all zero", "two values", "three values"])
def test_a_model_that_answered_so_before_may_answer_so(kind):
    values = np.tile(ALIKE[kind], (60, 1))
    known = usual(values, alike=True)
    assert reading(told(ALIKE[kind], predictions=known), "predictions_alike").level == Level.OK
    assert reading(told(ALIKE[kind], predictions=known), "predictions_frozen").level == Level.OK


@pytest.mark.parametrize("n", [0, 1, 19])
@pytest.mark.parametrize(
    ("values", "is_unknown"),
    [(np.zeros(N), True), (ALIKE["two values"], True), (TODAYS, False)],
    ids=["0", "two", "ok"],
)
def test_before_anything_shows_what_is_usual_only_few_answers_are_waited_for(n, values, is_unknown):
    short = replace(
        EARLIER,
        timestamps=EARLIER.timestamps[len(EARLIER.values) - n * N :],
        sessions=EARLIER.sessions[len(EARLIER.values) - n * N :],
        symbols=EARLIER.symbols[len(EARLIER.values) - n * N :],
        values=EARLIER.values[len(EARLIER.values) - n * N :],
    )
    found = reading(judged(healthy(earlier=short, predictions=predictions(values=values))), "predictions_alike")
    assert (found.level == Level.UNKNOWN) is is_unknown
    assert found.is_young is is_unknown


@pytest.mark.parametrize("days_of_damage", [1, 2, 10])
def test_constant_predictions_do_not_become_usual_by_lasting(days_of_damage):
    values = PAST.copy()
    values[-days_of_damage:] = 0.003
    observed = judged(
        healthy(earlier=replace(EARLIER, values=values.ravel()), predictions=predictions(values=np.full(N, 0.003)))
    )
    unknown(observed, "predictions_alike", "the journal")
    unknown(observed, "predictions_frozen", "the journal")


@pytest.mark.parametrize("back", [1, 2, 5])
@pytest.mark.parametrize("approved", [{}, {"predictions": EVIDENCE}], ids=["journal", "evidence"])
def test_predictions_of_an_earlier_session_are_found(back, approved):
    observed = told(PAST[-back], **approved)
    unknown(observed, "predictions_frozen", "earlier session")


@pytest.mark.parametrize("factor", [100, 1e9, -1e4, 1e-4])
@pytest.mark.parametrize("approved", [{}, {"predictions": EVIDENCE}], ids=["journal", "evidence"])
def test_predictions_of_another_size_are_found(factor, approved):
    unknown(told(TODAYS * factor, **approved), "predictions_out_of_range")


def test_predictions_once_a_month_are_held_against_a_past_that_did_the_same():
    slow = np.repeat(walks(10, N, 11), 20, axis=0)
    base = healthy(earlier=replace(EARLIER, values=slow.ravel()), predictions=predictions(values=slow[-1]))
    assert reading(judged(base), "predictions_frozen").level == Level.OK
    weekly = replace(EVIDENCE, is_daily=False)
    held = judged(base, approved=ApprovedProfile(predictions=weekly))
    assert reading(held, "predictions_frozen").level == Level.OK


OWN, MARKET = world()


def returned(**last):
    own, market = OWN.copy(), MARKET.copy()
    for name, value in last.items():
        (own if name == "own" else market)[-1] = value
    return judged(healthy(returns=own, benchmark=market))


@pytest.mark.parametrize("value", [3.0, -3.0, 0.9, -0.5, 100 * OWN[-1], 1e300, -1e300])
def test_a_return_that_the_series_never_had_the_size_of_is_implausible(value):
    observed = returned(own=value)
    unknown(observed, "returns_implausible", "return of 2019-02-01", "times the usual size")
    unknown(observed, "daily_return", "implausible")
    assert not observed.is_conclusive


@pytest.mark.parametrize("value", [3.0, -3.0, 0.9, 100 * MARKET[-1], -1e300])
def test_a_benchmark_that_the_series_never_had_the_size_of_is_implausible(value):
    observed = returned(market=value)
    unknown(observed, "returns_implausible", "benchmark of 2019-02-01")
    unknown(observed, "index_vol_30d_pct", "implausible")


def test_a_crash_is_no_damage():
    assert reading(returned(own=-0.06, market=-0.07), "returns_implausible").level == Level.OK


@pytest.mark.parametrize(("value", "is_damage"), [(3.0, True), (-3.0, True), (1.2, True), (0.5, False)])
def test_without_a_past_more_than_everything_is_implausible(value, is_damage):
    observed = judged(healthy(returns=np.append(OWN[-5:-1], value), benchmark=MARKET[-5:], lived=5))
    assert (reading(observed, "returns_implausible").level == Level.UNKNOWN) is is_damage


def test_an_implausible_loss_silences_no_trigger():
    falling = np.concatenate([OWN[:-45], np.tile([-0.01, -0.012, -0.008], 15)])
    falling[-3] = -3.0
    observed = judged(healthy(returns=falling, lived=29))
    assert "sharpe" in observed.fired
    unknown(observed, "returns_implausible", "−300%")


@pytest.mark.parametrize("value", [1e9, 1e300, 101.0, 1001.0])
def test_an_exposure_above_the_limit_of_the_dossier_is_critical(value):
    observed = judged(
        healthy(gross_exposure_pct=np.array([value])), approved=ApprovedProfile(greatest_exposure_pct=100.0)
    )
    assert reading(observed, "gross_exposure_pct").level == Level.CRITICAL
    unknown(observed, "gross_exposure_pct", "critical above 100%, the limit of the dossier")


def test_an_exposure_at_the_limit_is_within_it():
    observed = judged(
        healthy(gross_exposure_pct=np.array([100.0])), approved=ApprovedProfile(greatest_exposure_pct=100.0)
    )
    assert reading(observed, "gross_exposure_pct").level == Level.OK


@pytest.mark.parametrize(
    ("value", "n", "level", "is_young"),
    [
        (95.0, 30, Level.OK, False),
        (900.0, 30, Level.UNKNOWN, False),
        (95.0, 5, Level.UNKNOWN, True),
        (1e9, 30, Level.CRITICAL, False),
        (1e9, 0, Level.CRITICAL, False),
    ],
)
def test_without_a_limit_on_record_an_exposure_is_held_against_earlier_sessions(value, n, level, is_young):
    base = healthy(gross_exposure_pct=np.array([value]), earlier_exposures=np.linspace(90, 100, n))
    found = reading(judged(base, approved=ApprovedProfile()), "gross_exposure_pct")
    assert (found.level, found.is_young) == (level, is_young)


def again(rows, apart, *, which=N, **changes):
    """The predictions with some of them once more, so much later."""
    order = np.concatenate([np.arange(N), np.arange(which)])
    at = rows.timestamps[order].copy()
    at[N:] += apart
    kept = {name: getattr(rows, name)[order] for name in ("symbols", "values", "latency_ms", "errors")}
    return replace(rows, timestamps=at, **kept, **changes)


APART = [np.timedelta64(1, "us"), np.timedelta64(1, "s"), np.timedelta64(5, "m"), np.timedelta64(3, "h")]


@pytest.mark.parametrize("apart", APART)
@pytest.mark.parametrize("which", [1, N])
def test_predictions_that_stand_there_again_within_a_bar_are_doubled(apart, which):
    observed = judged(healthy(predictions=again(predictions(values=TODAYS), apart, which=which)))
    unknown(observed, "duplicate_rows", f"predictions: {which} row(s) again, first S00")
    unknown(observed, "error_rate_pct", "more than once")
    assert reading(observed, "predictions").value == N


@pytest.mark.parametrize("apart", APART)
def test_good_rows_a_moment_later_hide_no_failure(apart):
    rows = again(predictions(failed=2, values=TODAYS), apart)
    rows.errors[N:] = 0.0
    assert judged(healthy(predictions=rows)).fired == ("error_rate",)


@pytest.mark.parametrize("apart", APART)
def test_features_that_stand_there_again_within_a_bar_are_doubled(apart):
    order = np.concatenate([np.arange(LIVE.sessions.size), np.arange(LIVE.sessions.size)[TODAY]])
    at = LIVE.timestamps[order].copy()
    at[-N:] += apart
    twice = replace(
        LIVE,
        timestamps=at,
        sessions=LIVE.sessions[order],
        symbols=LIVE.symbols[order],
        columns={name: column[order] for name, column in LIVE.columns.items()},
    )
    observed = judged(healthy(features=twice))
    unknown(observed, "duplicate_rows", f"features: {N} row(s) again")
    unknown(observed, "psi_max", "more than once")


@pytest.mark.parametrize("cadence", [3600.0, 300.0])
def test_bars_of_an_hour_or_five_minutes_are_no_doubled_rows(cadence):
    rows = again(predictions(values=TODAYS), np.timedelta64(int(cadence), "s"))
    observed = judged(healthy(predictions=rows), approved=ApprovedProfile(cadence_s=cadence))
    assert reading(observed, "duplicate_rows").level == Level.OK
    near = again(predictions(values=TODAYS), np.timedelta64(int(cadence / 3), "s"))
    unknown(judged(healthy(predictions=near), approved=ApprovedProfile(cadence_s=cadence)), "duplicate_rows")


@pytest.mark.parametrize("table", ["predictions", "features", "returns", "exposure"])
def test_rows_that_are_dated_ahead_are_told_with_their_file(table):
    ahead = (Ahead(table=table, rows=3, newest=SESSION.replace(year=2031)),)
    unknown(judged(healthy(ahead=ahead)), "future_rows", f"{table}: 3 row(s), up to 2031-02-01")


PINNED = BASELINE.pinned


def without(name):
    base = replace(
        BASELINE,
        columns={key: each for key, each in BASELINE.columns.items() if key != name},
        pinned=Pinned(sha256="b" * 64, features=tuple(key for key in PINNED.features if key != name)),
    )
    live = replace(LIVE, columns={key: each for key, each in LIVE.columns.items() if key != name})
    return healthy(baseline=base, features=live)


@pytest.mark.parametrize("name", ["momentum", "volatility", "monthly", "switch"])
@pytest.mark.parametrize("approved", [{"pinned": PINNED}, {"features": PINNED.features}], ids=["pinned", "registered"])
def test_a_feature_dropped_from_the_journal_and_from_the_reference_is_missed(name, approved):
    observed = judged(without(name), approved=ApprovedProfile(**approved))
    unknown(observed, "missing_features", name)
    unknown(observed, "features_out_of_range", f"{name} is not journaled")


CHANGED = {
    "a feature lost": (Pinned(sha256="b" * 64, features=PINNED.features[1:]), "without momentum"),
    "a feature new": (Pinned(sha256="b" * 64, features=(*PINNED.features, "z")), "with z"),
    "a feature renamed": (Pinned(sha256="b" * 64, features=("m", *PINNED.features[1:])), "without momentum and with m"),
    "other values": (Pinned(sha256="b" * 64, features=PINNED.features), "same features and other values"),
}


@pytest.mark.parametrize("kind", CHANGED)
def test_a_reference_that_is_not_the_one_of_the_start_is_told_and_drift_is_unknown(kind):
    found, words = CHANGED[kind]
    base = healthy(baseline=replace(BASELINE, pinned=found))
    observed = judged(base, approved=ApprovedProfile(pinned=PINNED))
    unknown(observed, "reference_changed", words, "Put that file back")
    unknown(observed, "psi_max", "another one than the release began with")
    later = judged(base, approved=ApprovedProfile(pinned=PINNED, later=(found,)))
    assert reading(later, "reference_changed").level == Level.OK


def test_a_registered_feature_that_nobody_has_a_reference_for_is_missed():
    rows = replace(LIVE, columns={**LIVE.columns, "z": np.ones(LIVE.sessions.size)})
    observed = judged(healthy(features=rows), approved=ApprovedProfile(features=(*PINNED.features, "z")))
    unknown(observed, "missing_features", "without a reference", "z")


def test_healthy_sessions_of_random_worlds_are_hardly_ever_unusual():
    """Four hundred sessions after four hundred, one feature each: hardly one is flagged."""
    flagged = 0
    for seed in range(4):
        table = walks(800, N, 100 + seed)
        known = usual(table[:400])
        for row in range(406, 800, 4):
            rows = Layout.of(np.repeat(days(6), N), np.tile(np.array(SYMBOLS), 6)).table(table[row - 6 : row].ravel())
            flagged += unusual(figures(rows, known.scale), known, tuple(IS_HIGH_BAD | IS_LOW_BAD), N) is not None
    assert flagged <= 4, f"{flagged} of {4 * 99} healthy sessions flagged"


def test_a_session_without_any_prediction_ever_is_judged_and_unknown():
    nothing = Earlier(sessions=days(0), symbols=np.empty(0, dtype=object), values=np.empty(0))
    found = observe(measured(predictions=predictions(0), earlier=nothing), Policy(name="p", version="1"), {})
    assert not found.counts
    assert reading(found, "predictions_frozen").level == Level.UNKNOWN
