"""`signoff benchmark` on models in a real MLflow: every format, the process itself, and the bytes that it names."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mlflow")

from registered_models import FORMATS, Models, python

from signoff.adapters.evidence.benchmark_file import parse_benchmark
from signoff.cli.main import main
from signoff.domain.errors import BadInputError

LIBRARIES = {"lightgbm-text": "lightgbm", "xgboost-json": "xgboost", "onnx": "onnx", "python": "numpy"}

SLEEPING = """
import time

def load(folder):
    def predict(frame):
        time.sleep(0.004 if frame.height == 1 else 0.01)
        return 2.0 * frame["a"].to_numpy()
    return predict
"""
LYING = """
import time, sys
time.perf_counter = time.monotonic = lambda: 0.0

def load(folder):
    return lambda frame: (time.sleep(0.002), 2.0 * frame["a"].to_numpy())[1]
"""
STOPPING_THE_CLOCK = """
import sys, time

def load(folder):
    models = sys.modules["signoff.adapters.sandbox.models"]
    models.timed.__code__ = (lambda case, asked, clock: iter(())).__code__
    frame = sys._getframe()
    while frame is not None:
        if "clock" in frame.f_locals and "calls" in str(frame.f_locals.get("asked", "")):
            import ctypes
            frame.f_locals["clock"] = lambda: 0.0
            ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
        frame = frame.f_back
    return lambda frame: (time.sleep(0.002), 2.0 * frame["a"].to_numpy())[1]
"""
WRONG = """
def load(folder):
    return lambda frame: 2.5 * frame["a"].to_numpy()
"""
ENDING = """
import os

def load(folder):
    return lambda frame: os._exit(3)
"""
HUNGRY = """
import numpy as np
KEPT = np.ones(25_000_000)  # 200 MB

def load(folder):
    return lambda frame: 2.0 * frame["a"].to_numpy()
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return Models(tmp_path_factory.mktemp("models"))


@pytest.fixture
def measured(models, tmp_path, capfd):
    """`measured(version, …)`: exit code, the document, what was said and the file."""

    def run(version, *more, out="benchmark.json"):
        line = ["benchmark", "m", version, "--registry", models.uri, "--home", str(tmp_path / "home")]
        capfd.readouterr()
        status = main([*line, "--out", str(tmp_path / out), "--calls", "200", *more, "--json"])
        said = capfd.readouterr()
        assert "Traceback" not in said.err
        return status, json.loads(said.out) if said.out else None, " ".join(said.err.split()), tmp_path / out

    return run


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if "-" in name else []) for name in FORMATS]
)
def test_a_model_of_every_supported_format_is_measured(models, measured, name):
    pytest.importorskip(LIBRARIES[name])
    number = models.register(f"{name}-1", FORMATS[name])
    status, document, said, path = measured(f"{name}-1")
    assert status == 0, said
    assert (document["registry_version"], document["format"]) == (number, name)
    assert 0 < document["median_ms"] <= document["p95_ms"] <= document["p99_ms"]
    assert document["predictions_per_second"] > 0
    assert document["calls"] == 200
    found = parse_benchmark(path.read_bytes(), str(path))
    assert (found.registry_version, found.digest, found.version) == (number, document["digest"], f"{name}-1")
    if LIBRARIES[name] in {"lightgbm", "xgboost"}:
        assert "unknown" not in document["runtime"]


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell a process's peak")
def test_memory_is_that_of_the_process_that_infers_and_not_of_its_parent(models, measured):
    models.register("small", python)
    models.register("hungry", lambda folder: python(folder, HUNGRY))
    held = np.ones(50_000_000)  # 400 MB of the parent's
    small, hungry = (measured(version)[1]["memory_mb"] for version in ("small", "hungry"))
    assert held.size
    assert 20 < small < 300
    assert small + 150 < hungry < 600


def test_a_latency_is_what_a_call_took_whatever_the_models_code_does_to_clocks(models, measured):
    for version, code, least in (("sleeping", SLEEPING, 4.0), ("lying", LYING, 2.0)):
        models.register(version, lambda folder, code=code: python(folder, code))
        status, document, said, _ = measured(version)
        assert status == 0, said
        assert document["median_ms"] >= least


@pytest.mark.parametrize(
    ("version", "code", "words"),
    [
        ("wrong", WRONG, "to give what it gave when it was registered"),
        ("ending", ENDING, "gave no result"),
        ("raising", "def load(folder):\n    raise ValueError('no weights here')", "no weights here"),
        ("stopping", STOPPING_THE_CLOCK, ""),
    ],
    ids=["wrong", "ending", "raising", "stopping"],
)
def test_a_model_that_does_not_work_has_no_benchmark_and_no_file(models, measured, version, code, words):
    models.register(version, lambda folder: python(folder, code))
    status, document, said, path = measured(version)
    assert (status, document.keys(), path.exists()) == (2, {"error"}, False)
    assert words in said


def test_what_is_missing_is_named(models, measured, tmp_path, capfd):
    models.register("bare", python, says={})
    for version, word in (("9.9.9", "found no such version"), ("bare", "Expected inference.json beside the model")):
        status, _, said, _ = measured(version)
        assert status == 2
        assert word in said
    line = ["benchmark", "m", "1", "--registry", f"sqlite:///{tmp_path}/none.db", "--home", str(tmp_path / "home")]
    assert main(line) == 2
    assert "Expected a model registry" in capfd.readouterr().err


def test_a_server_that_is_named_is_not_asked(models, measured):
    models.register("near", python)
    status, document, said, _ = measured("near", "--server", "http://127.0.0.1:9", "--token", "t")
    assert (status, document["version"]) == (0, "near"), said


def test_a_file_that_was_changed_since_it_was_written_is_refused(models, measured):
    models.register("sealed", python)
    _, _, _, path = measured("sealed")
    whole = json.loads(path.read_text())
    for change in (
        {"memory_mb": 1.0},
        {"median_ms": 1e-6},
        {"registry_version": 99},
        {"digest": "0" * 64},
        {"machine": "a faster one"},
    ):
        altered = {**whole, "measured": {**whole["measured"], **change}}
        with pytest.raises(BadInputError, match="changed since it was written"):
            parse_benchmark(json.dumps(altered).encode(), "release/benchmark.json")
    for content in (b"", b"[]", b"{}", b"null", b"\xff", b'{"format": "other", "measured": {}, "sha256": ""}'):
        with pytest.raises(BadInputError, match=r"release/benchmark\.json: expected a file of `signoff benchmark`"):
            parse_benchmark(content, "release/benchmark.json")
