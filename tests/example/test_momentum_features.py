import polars as pl
import pytest
import small_study
from polars.testing import assert_frame_equal

from momentum import features
from signoff.pit import check


@pytest.fixture(scope="module")
def inputs():
    return small_study.inputs()


@pytest.fixture(scope="module")
def computed(inputs):
    return features.compute(inputs)


def last_sessions(inputs, n):
    since = inputs["index"]["timestamp"].tail(n).min()
    return {name: table.filter(pl.col("timestamp") >= since) for name, table in inputs.items()}


def latest(frame):
    return frame.filter(pl.col("timestamp") == frame["timestamp"].max())


@pytest.mark.parametrize("session", [600, 1100, 1900])
def test_removing_the_future_changes_no_feature(inputs, computed, session):
    now = computed["timestamp"].unique().sort()[session]
    past = {name: table.filter(pl.col("timestamp") <= now) for name, table in inputs.items()}
    assert_frame_equal(
        latest(features.compute(past)), computed.filter(pl.col("timestamp") == now), rel_tol=1e-9, abs_tol=1e-12
    )


def test_the_point_in_time_replay_finds_no_leak(inputs):
    report = check(features.compute, inputs, sample=2)
    assert (tuple(report), report.dates_checked) == ((), 2)


def test_version_two_adds_twenty_five_features_to_the_fifty_of_version_one(computed):
    assert (len(set(features.FEATURES_V1)), len(set(features.FEATURES_V2))) == (50, 75)
    assert features.FEATURES_V2[:50] == features.FEATURES_V1
    assert computed.columns == ["timestamp", "symbol", *features.FEATURES_V2]


def test_version_one_alone_computes_what_it_is_within_version_two(inputs, computed):
    assert_frame_equal(features.compute_v1(inputs), computed.select("timestamp", "symbol", *features.FEATURES_V1))


@pytest.mark.parametrize(("compute", "closes"), [(features.compute_v1, 253), (features.compute, 505)])
def test_a_feature_looks_back_no_further_than_its_version_says(inputs, compute, closes):
    whole, short = latest(compute(inputs)), latest(compute(last_sessions(inputs, closes)))
    assert_frame_equal(short, whole, rel_tol=1e-6, abs_tol=1e-9)
    assert short.null_count().sum_horizontal().item() == 0
