import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import small_study

from momentum import walkforward
from momentum.research import sharpe

YEARS = walkforward.LAST_YEAR - small_study.PREDICTED_FROM + 1
RUN = """
import sys
from pathlib import Path
import small_study
small_study.shrink(setattr)
small_study.study(Path(sys.argv[1])).tracks
"""


@pytest.fixture
def fits(monkeypatch):
    """Every model fitted from here on."""
    seen = []
    fit = walkforward.fit

    def counted(configuration, *data):
        seen.append(configuration.model_name)
        return fit(configuration, *data)

    monkeypatch.setattr(walkforward, "fit", counted)
    return seen


def returns(finished):
    return {name: track.returns.tobytes() for name, track in finished.tracks.items()}


def killed_after_the_first_model(folder):
    here = Path(__file__).parent
    with subprocess.Popen([sys.executable, "-c", RUN, str(folder)], cwd=here) as process:
        deadline = time.monotonic() + 60
        while process.poll() is None and not finished_files(folder) and time.monotonic() < deadline:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)


def finished_files(folder):
    return [path for path in folder.glob("*.npy") if ".part" not in path.name]


def test_a_second_run_fits_nothing_and_finds_the_same(study, cache, fits):
    began = time.perf_counter()
    assert returns(small_study.study(cache)) == returns(study)
    assert fits == []
    assert time.perf_counter() - began < 5


def test_configurations_that_differ_in_the_book_alone_share_one_model(study, tmp_path, fits):
    assert returns(small_study.study(tmp_path)) == returns(study)
    assert len(fits) == small_study.MODELS * YEARS


def test_a_run_killed_half_way_continues_where_it_was_and_ends_the_same(study, tmp_path, fits):
    killed_after_the_first_model(tmp_path)
    kept = finished_files(tmp_path)
    assert kept
    for path in kept:
        assert np.load(path, allow_pickle=False).shape == study.panel.closes.shape
    assert returns(small_study.study(tmp_path)) == returns(study)
    assert len(fits) == (small_study.MODELS - len(kept)) * YEARS


def test_a_file_left_half_written_is_not_believed(study, tmp_path):
    for path in finished_files(study.cache):
        (tmp_path / path.with_suffix(".part.npy").name).write_bytes(path.read_bytes()[:1000])
    assert returns(small_study.study(tmp_path)) == returns(study)


def test_other_prices_are_another_study(study, cache, monkeypatch):
    cheaper = small_study.inputs()
    cheaper["prices"] = cheaper["prices"].with_columns(close=cheaper["prices"]["close"] * 0.5)
    monkeypatch.setattr("momentum.data.inputs", lambda: cheaper)
    assert small_study.study(cache).key != study.key


def test_the_version_to_deploy_is_the_best_by_the_walk_forward_sharpe_ratio(study):
    best = max(small_study.TRIED, key=lambda c: sharpe(study.tracks[c.name].returns))
    assert study.chosen == best
