"""Replays of many versions: the same reports however they are cut and resumed."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from signoff.pit import ReplayError, check, replay_versions
from signoff.pit.digests import digest_of

CLOSE = pl.col("close")
TRAILING = CLOSE.rolling_mean(5)
CENTRED = CLOSE.rolling_mean(5, center=True, min_samples=1)


def prices(seed=0, days=60):
    rng = np.random.default_rng(seed)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [(start + timedelta(days=day), symbol) for day in range(days) for symbol in "ABCDE"]
    frame = pl.DataFrame(rows, schema=["timestamp", "symbol"], orient="row")
    return frame.with_columns(close=pl.Series(100 * np.exp(rng.normal(0, 0.02, len(rows)).cumsum())))


class Calls:
    """Counts computations; what it has counted is no part of the function that it counts."""

    n = 0

    def __reduce__(self):
        return (Calls, ())


def version(counter=None, **columns):
    def compute(inputs):
        if counter is not None:
            counter.n += 1
        frame = inputs["prices"].sort("symbol", "timestamp")
        return frame.select("timestamp", "symbol", **{name: made.over("symbol") for name, made in columns.items()})

    return compute


def ranked(inputs):
    return inputs["prices"].select("timestamp", "symbol", rank=CLOSE.rank().over("timestamp"))


def of_the_market(inputs):
    return inputs["rates"].unique("timestamp").with_columns(symbol=pl.lit("ALL"))


def versions():
    return {"one": version(mean=TRAILING, ahead=CENTRED), "two": version(mean=TRAILING)}


def same(reports, others):
    return reports == others and all(vars(reports[name]) == vars(others[name]) for name in reports)


@pytest.fixture
def inputs():
    return {"prices": prices(), "rates": prices(seed=1).drop("symbol")}


class Stopped(Exception):  # noqa: N818
    """The machine was switched off."""


def stop_after(dates):
    def progress(done, _total):
        if done >= dates:
            raise Stopped

    return progress


class TestCutting:
    @pytest.mark.parametrize("dates_per_chunk", [1, 3, 7, 100])
    def test_reports_are_those_of_check_however_the_dates_are_cut(self, inputs, dates_per_chunk):
        one_by_one = {name: check(compute, inputs, sample=20) for name, compute in versions().items()}

        together = replay_versions(versions(), inputs, sample=20, dates_per_chunk=dates_per_chunk)

        assert [finding.feature for finding in one_by_one["one"]] == ["ahead"]
        assert one_by_one["two"] == ()
        assert same(together, one_by_one)

    @pytest.mark.parametrize("symbols_per_chunk", [1, 2, 5])
    def test_symbols_may_be_replayed_apart(self, inputs, symbols_per_chunk):
        whole = replay_versions(versions(), inputs, sample=20)

        apart = replay_versions(versions(), inputs, sample=20, symbols_per_chunk=symbols_per_chunk)

        assert [finding.feature for finding in apart["one"]] == ["ahead"]
        assert apart["two"] == ()
        found, expected = apart["one"][0], whole["one"][0]
        assert (found.kind, found.first_date, found.size, found.of) == (
            expected.kind,
            expected.first_date,
            expected.size,
            expected.of,
        )

    def test_a_function_that_looks_across_symbols_is_not_replayed_apart(self, inputs):
        assert replay_versions({"rank": ranked}, inputs, sample=5)["rank"] == ()
        with pytest.raises(ReplayError, match=r"'rank'.*rank.*looks across symbols"):
            replay_versions({"rank": ranked}, inputs, sample=5, symbols_per_chunk=2)

    def test_features_of_a_symbol_that_no_input_has_are_not_replayed_apart(self, inputs):
        def market(inputs):
            return inputs["prices"].group_by("timestamp").agg(mean=CLOSE.mean()).with_columns(symbol=pl.lit("ALL"))

        with pytest.raises(ReplayError, match="features of ALL"):
            replay_versions({"market": market}, inputs, symbols_per_chunk=2)

    def test_progress_counts_dates_over_all_versions(self, inputs):
        told = []

        replay_versions(
            versions(),
            inputs,
            sample=6,
            dates_per_chunk=4,
            progress=lambda done, total: told.append((done, total)),
        )

        assert told == [(4, 12), (6, 12), (10, 12), (12, 12)]

    def test_impossible_requests_are_refused(self, inputs):
        with pytest.raises(ReplayError, match="none were given"):
            replay_versions({}, inputs)
        for wrong in ({"dates_per_chunk": 0}, {"symbols_per_chunk": 0}):
            with pytest.raises(ReplayError, match="per_chunk"):
                replay_versions(versions(), inputs, **wrong)
        with pytest.raises(ReplayError, match="no input has a column symbol"):
            replay_versions({"rates": of_the_market}, {"rates": inputs["rates"]}, symbols_per_chunk=1)


class TestJournal:
    def test_a_replay_that_was_stopped_half_way_does_only_the_rest(self, inputs, tmp_path):
        journal, computed = tmp_path / "replay.journal", Calls()
        settings = {"sample": 20, "dates_per_chunk": 2, "journal": journal}
        uninterrupted = replay_versions({"one": version(mean=TRAILING, ahead=CENTRED)}, inputs, sample=20)

        with pytest.raises(Stopped):
            replay_versions(
                {"one": version(computed, mean=TRAILING, ahead=CENTRED)}, inputs, **settings, progress=stop_after(10)
            )
        first, told = computed.n, []
        resumed = replay_versions(
            {"one": version(computed, mean=TRAILING, ahead=CENTRED)},
            inputs,
            **settings,
            progress=lambda *at: told.append(at),
        )

        assert same(resumed, uninterrupted)
        assert told[0] == (10, 20)
        assert first == computed.n - first == 4 + 10 * 2
        assert len(journal.read_text().splitlines()) == 10

    def test_a_torn_last_line_is_replayed_again(self, inputs, tmp_path):
        journal = tmp_path / "replay.journal"
        settings = {"sample": 12, "dates_per_chunk": 2, "journal": journal}
        whole = replay_versions(versions(), inputs, **settings)
        content = journal.read_bytes()

        for torn in (content[:-1], content[:-40], content[: content.rfind(b"\n", 0, -1) + 2]):
            journal.write_bytes(torn)
            told = []
            again = replay_versions(versions(), inputs, **settings, progress=lambda *at, told=told: told.append(at))

            assert same(again, whole)
            assert told == [(22, 24), (24, 24)]
            assert journal.read_bytes() == content

    @pytest.mark.parametrize(
        "change",
        [
            {"seed": 1},
            {"tolerance": 1e-6},
            {"dates_per_chunk": 3},
            {"versions": {"one": version(mean=TRAILING, ahead=CENTRED * 2), "two": version(mean=TRAILING * 2)}},
            {"inputs": {"prices": prices(seed=3), "rates": prices(seed=1).drop("symbol")}},
            {"inputs": {"prices": prices(), "rates": prices(seed=2).drop("symbol")}},
        ],
        ids=["seed", "tolerance", "chunks", "function", "input", "input that no feature shows"],
    )
    def test_what_was_finished_counts_only_for_the_same_inputs_function_and_settings(self, inputs, tmp_path, change):
        journal, told = tmp_path / "replay.journal", []
        asked = {"versions": versions(), "inputs": inputs, "sample": 12, "dates_per_chunk": 12}
        replay_versions(**asked, journal=journal)

        replay_versions(**(asked | change), journal=journal, progress=lambda *at: told.append(at))

        assert len(told) == (8 if "dates_per_chunk" in change else 2)

    def test_nothing_is_left_to_do_when_all_is_finished(self, inputs, tmp_path):
        journal, told = tmp_path / "replay.journal", []
        first = replay_versions(versions(), inputs, sample=6, journal=journal)

        again = replay_versions(versions(), inputs, sample=6, journal=journal, progress=lambda *at: told.append(at))

        assert same(again, first)
        assert told == [(12, 12)]

    def test_another_file_is_not_taken_for_a_journal(self, inputs, tmp_path):
        for content in ("hello\n", "[]\n", '{"chunk": "x", "dates": [1]}\n', json.dumps({"dates": []}) + "\n"):
            journal = tmp_path / "other"
            journal.write_text(content)

            with pytest.raises(ReplayError, match="other, line 1: expected a finished chunk"):
                replay_versions(versions(), inputs, sample=6, journal=journal)
            assert journal.read_text() == content

    def test_a_journal_that_cannot_be_written_is_refused_before_anything_is_replayed(self, inputs, tmp_path):
        computed = Calls()

        for place in (tmp_path, tmp_path / "nowhere" / "replay.journal"):
            with pytest.raises(ReplayError, match="expected a file that can be written"):
                replay_versions({"one": version(computed, mean=TRAILING)}, inputs, journal=place)

        assert computed.n == 0

    def test_a_process_that_is_killed_leaves_what_it_had_finished(self, inputs, tmp_path):
        journal = tmp_path / "replay.journal"
        program = (
            "import os, signal, sys\n"
            "from pathlib import Path\n"
            "sys.path.insert(0, sys.argv[1])\n"
            "from test_versions import prices, replay_versions, versions\n"
            "inputs = {'prices': prices(), 'rates': prices(seed=1).drop('symbol')}\n"
            "def progress(done, total):\n"
            "    if done == 8: os.kill(os.getpid(), signal.SIGKILL)\n"
            "settings = {'sample': 10, 'dates_per_chunk': 2, 'journal': Path(sys.argv[2]), 'progress': progress}\n"
            "replay_versions(versions(), inputs, **settings)"
        )
        here = str(Path(__file__).parent)
        ended = subprocess.run(
            [sys.executable, "-c", program, here, str(journal)],
            check=False,
            env={**os.environ, "PYTHONHASHSEED": "7"},
            timeout=120,
        )
        told = []

        resumed = replay_versions(
            versions(), inputs, sample=10, dates_per_chunk=2, journal=journal, progress=lambda *at: told.append(at)
        )

        assert ended.returncode == -signal.SIGKILL
        assert told[0] == (8, 20)
        assert same(resumed, replay_versions(versions(), inputs, sample=10))


def test_a_cluster_without_dask_says_what_to_install(inputs, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(ReplayError, match=r"install signoff\[dask\]"):
        replay_versions(versions(), inputs, sample=2, cluster="tcp://127.0.0.1:1")


def helper(x):
    return x + LEVEL


LEVEL = 1


def calls_a_helper(x):
    return helper(x)


def recursive(x):
    return recursive(x - 1) if x else 0


class Scaled:
    def __init__(self, factor):
        self.factor = factor

    def compute(self, x):
        return self.factor * x


class Added:
    def __call__(self, x):
        return x + 1


class TestDigests:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (lambda x: x + 1, lambda x: x + 2),
            (lambda x: x.sum(), lambda x: x.mean()),
            (lambda x: [y + 1 for y in x], lambda x: [y + 2 for y in x]),
            (lambda x, by=1: x + by, lambda x, by=2: x + by),
            (partial(helper, 1), partial(helper, 2)),
            (version(mean=TRAILING), version(mean=CENTRED)),
            (Scaled(1).compute, Scaled(2).compute),
            (np.arange(3), np.arange(3.0)),
            (prices(), prices(seed=1)),
            ({"a": 1}, {"b": 1}),
            ((1, 2), ((1,), 2)),
            ("1", 1),
            (1, True),
        ],
    )
    def test_different_things_differ(self, one, other):
        assert digest_of(one) != digest_of(other)

    @pytest.mark.parametrize(
        "make", [lambda: version(mean=TRAILING), lambda: {"a", "b", "c"}, prices, lambda: recursive]
    )
    def test_equal_things_agree(self, make):
        assert digest_of(make()) == digest_of(make())

    def test_a_function_differs_when_what_it_calls_or_reads_does(self, monkeypatch):
        before = digest_of(calls_a_helper)

        monkeypatch.setitem(globals(), "LEVEL", 2)
        other_level = digest_of(calls_a_helper)
        monkeypatch.setitem(globals(), "helper", lambda x: x)

        assert len({before, other_level, digest_of(calls_a_helper)}) == 3

    def test_an_object_that_is_called_differs_when_its_code_does(self, monkeypatch):
        before = digest_of(Added())

        monkeypatch.setattr(Added, "__call__", lambda _, x: x + 2)

        assert digest_of(Added()) != before

    def test_the_layout_of_a_frame_in_memory_is_no_difference(self):
        frame = prices()

        assert digest_of(pl.concat([frame[:10], frame[10:]], rechunk=False)) == digest_of(frame)
        assert digest_of(frame.cast({"symbol": pl.Categorical})) != digest_of(frame)
