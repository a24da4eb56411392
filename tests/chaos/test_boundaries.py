"""Real processes killed at a few of their boundaries; `make chaos` walks through all of them."""

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def scripts(monkeypatch):
    """The scripts of `make chaos`, with the small world around the judge taken away again afterwards."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    import chaos_boundaries
    import small_world
    from processes import Forge

    small_world.install(put=monkeypatch.setattr)
    with Forge() as forge:
        yield chaos_boundaries, forge
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(BENCHMARKS)):
            del sys.modules[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "at"),
    [("kill", range(7, 8)), ("re-arm, the second person", range(5, 6)), ("worker: notices", range(3, 4))],
)
def test_an_act_cut_off_ends_as_one_that_was_not(scripts, tmp_path, name, at):
    chaos_boundaries, forge = scripts
    act = next(act for act in chaos_boundaries.ACTS if act.name == name)
    ready = chaos_boundaries.made_ready(tmp_path, act.ready)
    (tmp_path / "act").mkdir()
    found = chaos_boundaries.killed_everywhere(forge, act, ready, tmp_path / "act", at)
    assert found.wrong == []
    assert found.boundaries == len(at)
    assert found.told_refused == {}
