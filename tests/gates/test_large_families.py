"""A large family of trials: it is judged without many copies of it, and one that is too large is refused."""

import tracemalloc
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import release_folder
from evidence_folder import load_evidence

from signoff.adapters.evidence import reader
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import Evidence, Trials
from signoff.domain.gates.trials import family
from signoff.stats import probability_of_backtest_overfitting
from signoff.stats.errors import InputError


def trials(evidence, days, columns):
    rng = np.random.default_rng(3)
    return Trials(
        source=evidence.backtest.source,
        dates=np.arange(days).astype("datetime64[D]"),
        names=tuple(f"t{n}" for n in range(columns)),
        returns=rng.normal(0, 0.01, (days, columns)),
    )


@pytest.mark.parametrize("at_any_leverage", [True, False])
def test_the_distinct_trials_are_found_without_a_copy_of_all_of_them(evidence, at_any_leverage):
    found = trials(evidence, 1000, 4000)
    given = replace(evidence, trials=found)
    tracemalloc.start()
    try:
        judged = family(given, at_any_leverage=at_any_leverage)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert judged.size == 4000
    assert most < 2.5 * found.returns.nbytes


def test_copies_are_dropped_wherever_they_stand(evidence):
    found = trials(evidence, 30, 300)
    found.returns[:, 200] = found.returns[:, 3]
    found.returns[:, 299] = 2 * found.returns[:, 5]
    given = replace(evidence, trials=found)
    assert (family(given, at_any_leverage=False).size, family(given, at_any_leverage=True).size) == (299, 298)


def test_a_family_that_is_too_large_is_refused_with_its_rows_and_columns(tmp_path, monkeypatch):
    folder = release_folder.make(tmp_path / "dossier", sessions=300)
    assert isinstance(load_evidence(folder), Evidence)
    monkeypatch.setattr(reader, "MOST_TRIALS", 2000)
    with pytest.raises(BadInputError, match=r"trials\.parquet.*at most 2,000 returns.*2,400 \(8 columns of 300 rows\)"):
        load_evidence(folder)


def test_the_limit_counts_returns_and_not_dates(tmp_path, monkeypatch):
    folder = release_folder.make(tmp_path / "dossier", sessions=300)
    monkeypatch.setattr(reader, "MOST_TRIALS", 2400)
    assert load_evidence(folder).trials.returns.size == 2400


def test_the_sums_of_many_partitions_are_counted_before_they_are_made():
    returns = np.random.default_rng(1).normal(0, 0.01, (48, 9000))
    with pytest.raises(InputError, match="MiB of sums"):
        probability_of_backtest_overfitting(returns, partitions=24)


def test_a_family_in_a_csv_is_held_to_the_same_limit(tmp_path, monkeypatch):
    folder = release_folder.make(tmp_path / "dossier", sessions=300)
    frame = pl.read_parquet(folder / "trials.parquet")
    (folder / "trials.parquet").unlink()
    frame.write_csv(folder / "trials.csv")
    monkeypatch.setattr(reader, "MOST_TRIALS", 2399)
    with pytest.raises(BadInputError, match=r"trials\.csv"):
        load_evidence(folder)
