"""The same replays on a real Dask cluster of processes."""

import os
import signal
import sys
import time

import pytest
from distributed import LocalCluster
from test_versions import CENTRED, TRAILING, prices, same, version, versions

from signoff.pit import ReplayError, replay_versions
from signoff.pit.workers import DaskCluster


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address="127.0.0.1:0", silence_logs=50
    ) as local:
        yield local


@pytest.fixture
def inputs():
    return {"prices": prices(), "rates": prices(seed=1).drop("symbol")}


def test_a_cluster_gives_the_reports_of_one_process(cluster, inputs):
    told = []
    here = replay_versions(versions(), inputs, sample=30)

    there = replay_versions(
        versions(),
        inputs,
        sample=30,
        dates_per_chunk=4,
        cluster=cluster.scheduler_address,
        progress=lambda *at: told.append(at),
    )

    assert [finding.feature for finding in here["one"]] == ["ahead"]
    assert same(there, here)
    assert told[-1] == (60, 60)
    assert len(told) == 2 * 8


def test_groups_of_symbols_are_replayed_on_a_cluster(cluster, inputs):
    settings = {"sample": 10, "symbols_per_chunk": 2}

    here = replay_versions(versions(), inputs, **settings)

    assert same(replay_versions(versions(), inputs, **settings, cluster=cluster.scheduler_address), here)


def test_what_a_cluster_finished_is_not_replayed_in_one_process(cluster, inputs, tmp_path):
    journal, told = tmp_path / "replay.journal", []
    there = replay_versions(versions(), inputs, sample=8, journal=journal, cluster=cluster.scheduler_address)

    here = replay_versions(versions(), inputs, sample=8, journal=journal, progress=lambda *at: told.append(at))

    assert same(here, there)
    assert told == [(16, 16)]


def test_a_function_that_fails_on_a_worker_is_a_finding_as_in_one_process(cluster, inputs):
    def needs_everything(inputs):
        if inputs["prices"].height < 300:
            raise ValueError("expected 60 days")
        return version(mean=TRAILING)(inputs)

    here = replay_versions({"one": needs_everything}, inputs, sample=5)

    assert same(replay_versions({"one": needs_everything}, inputs, sample=5, cluster=cluster.scheduler_address), here)
    assert "expected 60 days" in here["one"][0].detail


def test_functions_of_a_file_that_only_this_process_can_import(cluster, inputs, tmp_path, monkeypatch):
    (tmp_path / "features_of_this_process.py").write_text(
        "import polars as pl\n"
        "WINDOW = 5\n"
        "def mean(): return pl.col('close').rolling_mean(WINDOW).over('symbol')\n"
        "def compute(inputs):\n"
        "    return inputs['prices'].sort('symbol', 'timestamp').select('timestamp', 'symbol', m=mean())\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    from features_of_this_process import compute

    try:
        report = replay_versions({"one": compute}, inputs, sample=5, cluster=cluster.scheduler_address)["one"]
    finally:
        del sys.modules["features_of_this_process"]

    assert report == ()
    assert (report.dates_checked, report.dates_perturbed) == (5, 5)


def test_a_worker_that_is_killed_is_replaced(cluster, inputs):
    def slow(inputs):
        time.sleep(0.02)
        return version(mean=TRAILING, ahead=CENTRED)(inputs)

    victim = next(iter(cluster.workers.values())).pid
    killed = []

    def progress(_done, _total):
        if not killed:
            killed.append(victim)
            os.kill(victim, signal.SIGKILL)

    there = replay_versions(
        {"one": slow}, inputs, sample=20, dates_per_chunk=1, cluster=cluster.scheduler_address, progress=progress
    )

    assert killed
    assert same(there, replay_versions({"one": slow}, inputs, sample=20))


@pytest.mark.parametrize("address", ["10.0.0.7", "10.0.0.7:8786", "tcp://10.0.0.7", "carrier://pigeon:1", ""])
def test_what_is_no_address_is_refused(inputs, address):
    with pytest.raises(ReplayError, match="expected a Dask scheduler's address"):
        replay_versions(versions(), inputs, sample=2, cluster=address)


def test_a_cluster_that_is_not_there_is_named():
    with pytest.raises(ReplayError, match=r"expected a Dask scheduler .* at tcp://127\.0\.0\.1:9, found"):
        list(DaskCluster("tcp://127.0.0.1:9", timeout_seconds=0.5).run([]))
