"""Given a benchmark, when the memo is written, then 11.2 says so, until the registry holds other bytes."""

import pytest

pytest.importorskip("mlflow")

from registered_models import Models, python
from release_folder import make

from signoff.cli.main import main

pytestmark = pytest.mark.slow
OTHER = """
SCALE = 2.0

def load(folder):
    return lambda frame: SCALE * frame["a"].to_numpy()
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    place = tmp_path_factory.mktemp("measured")
    return Models(place, "momentum"), make(place / "release", sessions=700), place


def memo_of(models, folder, place, name):
    line = ["memo", str(folder), "--out", str(place / name), "--registry", models.uri, "--home", str(place / "home")]
    assert main(line) in {0, 1}
    return " ".join((place / name / "deployment_memo.md").read_text().split())


def test_a_dossier_carries_its_benchmark_to_the_memo_while_it_is_of_the_registered_bytes(world):
    models, folder, place = world
    for version, out in (("1.1.0", "benchmark_previous.json"), ("2.0.0", "benchmark.json")):
        models.register(version, python, metrics={"latency_p95_ms": 120.0})
        line = ["benchmark", "momentum", version, "--registry", models.uri, "--home", str(place / "home")]
        assert main([*line, "--out", str(folder / out), "--calls", "100"]) == 0
    said = memo_of(models, folder, place, "first")
    assert "measured by signoff benchmark on registered version 2, 20" in said
    assert "predictions/sec" in said
    assert "by signoff benchmark" in said.partition("1.2 What Changed?")[0]
    assert "not evidenced: the paper returns are the backtest's own less costs" in said

    models.register("2.0.0", lambda made: python(made, OTHER))
    said = memo_of(models, folder, place, "second")
    assert "not measured: benchmark.json does not count, it is of registered version 2, and the registry has" in said
    assert "not comparable, they were not measured alike" in said
    assert "measured by signoff benchmark" not in said.partition("11.2 ")[2]

    (folder / "benchmark.json").unlink()
    said = memo_of(models, folder, place, "third")
    assert "the dossier has no benchmark.json of signoff benchmark" in said
