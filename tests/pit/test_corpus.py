"""Every leaky pipeline of the corpus is caught and named, with date and size; no clean one raises an alarm."""

import corpus.clean
import corpus.leaky
import pytest
from corpus.registry import CLEAN, LEAKY


@pytest.mark.parametrize("name", LEAKY)
def test_a_leaky_pipeline_is_caught_and_named_with_date_and_size(name):
    pipeline, expected = LEAKY[name]
    leak = expected()

    found = pipeline()

    assert [(finding.feature, finding.kind, finding.first_date) for finding in found] == [
        (leak.feature, leak.kind, leak.first)
    ]
    assert found[0].size == pytest.approx(leak.size, rel=1e-6)
    assert 0 < found[0].share <= 1


@pytest.mark.parametrize("name", CLEAN)
def test_a_clean_pipeline_raises_no_alarm(name):
    report = CLEAN[name]()

    assert report == ()
    assert report.dates_checked > 0
    assert report.features_checked > 0


def test_the_corpus_holds_at_least_a_dozen_of_each():
    assert {corpus.leaky.__name__, corpus.clean.__name__} == {"corpus.leaky", "corpus.clean"}
    assert min(len(LEAKY), len(CLEAN)) >= 12
