"""The loader of the trading process: the approved bytes and no others, in every format, for rows that are right."""

import os
import pickle
import subprocess
import sys
from array import array

import approved_models
import numpy as np
import pytest
from approved_models import FEATURES, ROWS, pin_of_folder, python, version
from registered_models import lightgbm

from signoff.desk import formats
from signoff.desk.models import load
from signoff.domain.artifacts import OddArtifactError, OtherBytesError
from signoff.domain.errors import BadInputError, NotFoundError, UnavailableError

VALUES = np.ascontiguousarray(ROWS.to_numpy(), dtype=np.float64)


@pytest.fixture(scope="module")
def trees(tmp_path_factory):
    """A LightGBM version: its folder, its pin and what it gives for the rows."""
    folder = tmp_path_factory.mktemp("trees") / "1"
    return folder, *version(folder)


@pytest.fixture
def copied(trees, tmp_path):
    folder, pin, _ = trees
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path, pin


def test_what_can_be_registered_can_be_opened():
    from signoff.adapters.sandbox.models import FORMATS
    from signoff.desk import models

    assert set(FORMATS) == set(models.FORMATS) == set(formats.FORMATS) == set(approved_models.FORMATS)


@pytest.mark.parametrize("kind", approved_models.FORMATS)
def test_every_format_gives_what_its_library_gave(tmp_path, kind):
    pin, expected = version(tmp_path / "1", approved_models.FORMATS[kind])
    model = load(tmp_path / "1", pin)
    assert (model.format, model.features) == (kind, FEATURES)
    found = [model.predict(row) for row in VALUES]
    assert np.abs(np.array(found) - expected).max() <= {"xgboost-json": 1e-6, "lightgbm-text": 0}.get(kind, 1e-12)
    assert all(type(one) is float for one in found)


def test_the_fast_path_of_lightgbm_is_taken_and_equals_predict_bit_for_bit(trees):
    import lightgbm as library

    folder, pin, _ = trees
    model, booster = load(folder, pin), library.Booster(model_file=str(folder / "model.txt"))
    assert "_single_row" in model.answer.__qualname__
    rows = np.random.default_rng(0).normal(size=(200, 3))
    assert [model.predict(row) for row in rows] == list(booster.predict(rows, num_threads=1))


def test_threads_that_share_a_model_get_their_own_answers(trees):
    from concurrent.futures import ThreadPoolExecutor

    folder, pin, expected = trees
    model = load(folder, pin)
    rows = list(enumerate(VALUES)) * 200
    with ThreadPoolExecutor(8) as pool:
        wrong = [n for n, value in pool.map(lambda one: (one[0], model.predict(one[1])), rows) if value != expected[n]]
    assert wrong == []


def test_without_the_fast_path_predict_answers(trees, monkeypatch):
    monkeypatch.setattr(formats, "_single_row", lambda *_: None)
    folder, pin, expected = trees
    assert load(folder, pin).predict(VALUES[3]) == expected[3]


@pytest.mark.parametrize("name", ["model.txt", "feature_schema.json", "inference.json"])
@pytest.mark.parametrize("at", [0, -1])
def test_one_altered_byte_is_refused_with_the_file_and_both_digests(copied, name, at, monkeypatch):
    folder, pin = copied
    content = bytearray((folder / name).read_bytes())
    content[at] ^= 1
    (folder / name).write_bytes(content)
    monkeypatch.setattr(formats, "FORMATS", {})  # nothing is opened
    with pytest.raises(OtherBytesError, match=rf"{name}: expected sha256 \w{{64}} .*found sha256 \w{{64}}"):
        load(folder, pin)


@pytest.mark.parametrize(
    ("attack", "said"),
    [
        (lambda folder: (folder / "model.txt").unlink(), "model.txt: expected sha256 .* found no such file"),
        (lambda folder: (folder / "more.py").write_text(""), "more.py: expected no such file, found sha256"),
        (lambda folder: (folder / "model.txt").write_bytes(b""), "model.txt"),
        (lambda folder: (folder / "model.txt").rename(folder / "m.txt"), "m.txt: expected no such file"),
    ],
)
def test_missing_and_further_files_are_named(copied, attack, said):
    folder, pin = copied
    attack(folder)
    with pytest.raises(OtherBytesError, match=said):
        load(folder, pin)


def linked(folder):
    (folder / "model.txt").rename(folder.parent / "away.txt")
    (folder / "model.txt").symlink_to(folder.parent / "away.txt")


def linked_folder(folder):
    (folder / "more").symlink_to(folder.parent)


def pipe(folder):
    os.mkfifo(folder / "pipe")


def device(folder):
    (folder / "zero").symlink_to("/dev/zero")


@pytest.mark.parametrize("attack", [linked, linked_folder, pipe, device])
def test_links_pipes_and_devices_are_refused_even_with_the_right_bytes(trees, tmp_path, attack):
    folder = tmp_path / "inner"
    folder.mkdir()
    for file in trees[0].iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    attack(folder)
    with pytest.raises(OddArtifactError, match="expected a regular file"):
        load(folder, trees[1])


def test_a_folder_that_is_not_there_is_named(trees, tmp_path):
    with pytest.raises(NotFoundError, match=r"nowhere: expected a folder with the approved files"):
        load(tmp_path / "nowhere", trees[1])


@pytest.mark.parametrize("kind", approved_models.FORMATS)
def test_the_bytes_that_were_hashed_are_the_ones_that_load(tmp_path, monkeypatch, kind):
    """Between the check and the use, somebody replaces every file."""
    folder = tmp_path / "1"
    pin, expected = version(folder, approved_models.FORMATS[kind])
    really = formats.FORMATS[kind]

    def replaced(*given):
        for file in folder.iterdir():
            file.write_bytes(b"raise SystemExit('other code')\n")
        return really(*given)

    monkeypatch.setattr(formats, "FORMATS", {kind: replaced})
    assert load(folder, pin).predict(VALUES[0]) == pytest.approx(expected[0], abs=1e-6)


def test_a_python_model_finds_its_own_files_and_is_not_mixed_up_with_another(tmp_path):
    code = """
from pathlib import Path
from helping import factor
def load(folder):
    more = float((Path(folder) / "more.txt").read_text())
    return lambda frame: factor() * more * frame["a"].to_numpy()
"""
    models = []
    for number in (2, 3):

        def make(folder, number=number):
            (folder / "helping.py").write_text(f"def factor():\n    return {number}.0\n")
            (folder / "more.txt").write_text("10")
            return approved_models.registered_models.python(folder, code)

        pin, _ = version(tmp_path / str(number), make)
        models.append(load(tmp_path / str(number), pin))
    assert [model.predict(array("d", [1, 0, 0])) for model in models] == [20.0, 30.0]
    assert not {"helping", "my_model"} & set(sys.modules)


@pytest.mark.parametrize(
    ("loader", "said"),
    [
        ("json:loads", "module json among the approved files"),
        ("my_model:nothing", "has no attribute 'nothing'"),
        ("other:load", "module other among the approved files"),
    ],
)
def test_a_loader_that_has_no_approved_bytes_is_refused(tmp_path, loader, said):
    def make(folder):
        declared, output = approved_models.registered_models.python(folder)
        return {**declared, "loader": loader}, output

    pin, _ = version(tmp_path / "1", make)
    with pytest.raises(BadInputError, match=said):
        load(tmp_path / "1", pin)


def test_a_module_under_a_name_of_the_standard_library_is_refused(tmp_path):
    def make(folder):
        (folder / "json.py").write_text("")
        return approved_models.registered_models.python(folder)

    pin, _ = version(tmp_path / "1", make)
    with pytest.raises(BadInputError, match="found json of the standard library"):
        load(tmp_path / "1", pin)


CLASS = "class Twice:\n    def predict(self, table):\n        return 2.0 * table[:, 0]\n"


def pickled(folder, *, carries):
    """An instance of a class of the module `twice`, with or without that module beside it."""
    code = f"import pickle, sys; sys.path.insert(0, {str(folder)!r})\nfrom twice import Twice\n"
    (folder / "twice.py").write_text(CLASS)
    made = subprocess.run(
        [sys.executable, "-c", code + "sys.stdout.buffer.write(pickle.dumps(Twice()))"], capture_output=True, check=True
    )
    (folder / "model.pkl").write_bytes(made.stdout)
    if not carries:
        (folder / "twice.py").rename(folder.parent / "twice.py")
    for path in folder.glob("__pycache__/*"):
        path.unlink()
    if (folder / "__pycache__").exists():
        (folder / "__pycache__").rmdir()
    return {"format": "pickle", "model": "model.pkl"}, []


def test_a_pickle_finds_its_classes_among_the_approved_files(tmp_path):
    pin, _ = version(tmp_path / "1", lambda folder: pickled(folder, carries=True))
    assert load(tmp_path / "1", pin).predict(array("d", [3, 0, 0])) == 6.0


def test_a_pickle_whose_code_nobody_approved_is_refused(tmp_path, monkeypatch):
    pin, _ = version(tmp_path / "1", lambda folder: pickled(folder, carries=False))
    monkeypatch.syspath_prepend(str(tmp_path))  # where `twice.py` is, with whatever is in it
    with pytest.raises(BadInputError, match="found it in the module twice"):
        load(tmp_path / "1", pin)


def test_a_pickle_is_not_opened_before_its_digest_is_right(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    pin, _ = version(tmp_path / "1", approved_models.scikit_learn)
    (tmp_path / "1" / "model.pkl").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(OtherBytesError, match=r"model\.pkl"):
        load(tmp_path / "1", pin)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["lightgbm-text", "xgboost-json", "onnx", "python", "pickle"])
def test_a_library_that_is_missing_is_named_with_its_extra(tmp_path, monkeypatch, kind):
    pin, _ = version(tmp_path / "1", approved_models.FORMATS[kind])
    module, install = {
        "lightgbm-text": ("lightgbm", r"signoff\[lightgbm\]"),
        "xgboost-json": ("xgboost", r"signoff\[xgboost\]"),
        "onnx": ("onnxruntime", r"signoff\[onnx\]"),
        "python": ("polars", "polars"),
        "pickle": ("sklearn", "scikit-learn"),
    }[kind]
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)

    class Absent:
        def find_spec(self, name, path=None, target=None):
            if name.partition(".")[0] == module:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    with pytest.raises(UnavailableError, match=f"pip install '?{install}"):
        load(tmp_path / "1", pin)


def onnx_with_weights_beside(folder):
    import onnx

    declared, output = approved_models.registered_models.onnx(folder)
    model = onnx.load(folder / "model.onnx")
    (weights,) = model.graph.initializer
    weights.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weights), "weights"))
    onnx.save(model, folder / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    return declared, output


def test_the_weights_of_onnx_come_from_the_approved_bytes_and_never_from_the_working_directory(tmp_path, monkeypatch):
    pin, expected = version(tmp_path / "1", onnx_with_weights_beside)
    there = tmp_path / "elsewhere"
    there.mkdir()
    (there / "weights.bin").write_bytes(np.array([9.0, 9.0, 9.0]).tobytes())
    monkeypatch.chdir(there)
    assert load(tmp_path / "1", pin).predict(VALUES[1]) == pytest.approx(expected[1])

    (tmp_path / "1" / "weights.bin").unlink()
    with pytest.raises(BadInputError, match=r"among the approved files, found none named weights\.bin"):
        load(tmp_path / "1", pin_of_folder(tmp_path / "1"))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (array("d", [1, 2]), "Expected a row of 3 features.*found 2"),
        (array("d", [1, 2, 3, 4]), "found 4"),
        (array("d"), "found 0"),
        (np.zeros((1, 3)), "found 2 dimensions of 1 × 3"),
        (np.zeros(6)[::2], "3 that are not contiguous"),
        (np.zeros(3, dtype=np.float32), "float64, found the type 'f'"),
        (np.zeros(3, dtype=">f8"), "found the type '>d'"),
        (np.zeros(3, dtype=np.int64), "found the type 'l'"),
        (array("f", [1, 2, 3]), "found the type 'f'"),
        (bytes(24), "found the type 'B'"),
        ([1.0, 2.0, 3.0], "found list"),
        ("abc", "found str"),
        (None, "found NoneType"),
        ({"a": 1.0, "b": 2.0}, "found missing c"),
        ({"a": 1.0, "b": 2.0, "c": 3.0, "d": 4.0}, "found unknown d"),
        ({"a": 1.0, "b": 2.0, "C": 3.0}, "missing c and unknown C"),
        ({"a": 1.0, "b": 2.0, "c": "3"}, "Expected a float for the feature c, found str '3'"),
        ({"a": 1.0, "b": 2.0, "c": None}, "found NoneType"),
        ({"a": 1.0, "b": 2.0, "c": True}, "found bool"),
        ({"a": 1.0, "b": 2.0, "c": np.float32(3)}, "found float32"),
        ({"a": 1.0, "b": 2.0, "c": 1 << 60}, "found int"),
        (array("d", [1, float("nan"), 3]), "b is nan"),
        (array("d", [float("inf"), 2, -float("inf")]), "a is inf, c is -inf"),
    ],
)
def test_rows_that_the_model_does_not_take_are_refused(trees, row, said):
    model = load(*trees[:2])
    with pytest.raises(BadInputError, match=said):
        model.predict(row)


def test_a_mapping_is_put_into_the_registered_order(trees):
    model = load(*trees[:2])
    values = VALUES[5]
    assert model.predict({"c": values[2], "a": values[0], "b": values[1]}) == model.predict(values)
    assert model.predict({"a": 0, "b": 0, "c": 0}) == model.predict(np.zeros(3))


def test_huge_finite_features_are_no_fault(trees):
    load(*trees[:2]).predict(array("d", [1.7e308, 1.7e308, 0]))


def test_a_model_with_an_order_of_its_own_gets_its_own_order(tmp_path):
    pin, expected = version(tmp_path / "1", features=("c", "a", "b"))
    model = load(tmp_path / "1", pin)
    assert [model.predict(np.ascontiguousarray(row[[2, 0, 1]])) for row in VALUES] == list(expected)


@pytest.mark.parametrize("features", [("a", "b"), ("a", "b", "x"), ("a", "b", "c", "d", "e")])
def test_a_schema_that_is_not_the_models_is_refused(tmp_path, features):
    def make(folder):
        return lightgbm(folder)

    pin, _ = version(tmp_path / "1", make, features=features)
    if set(FEATURES) <= set(features):  # further registered features are not the model's; it takes its own
        assert load(tmp_path / "1", pin).predict(array("d", [1, 2, 3, 4, 5])) is not None
        return
    with pytest.raises(BadInputError, match="expected the 3 features that the model takes"):
        load(tmp_path / "1", pin)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def load(folder):\n    return lambda frame: 'up'\n", "found 1 of <U2"),
        ("def load(folder):\n    return lambda frame: [1.0, 2.0]\n", "found 2 of float64"),
        ("def load(folder):\n    return lambda frame: True\n", "found 1 of bool"),
        ("def load(folder):\n    return lambda frame: None\n", "found 1 of object"),
    ],
)
def test_an_answer_that_is_not_one_number_is_no_prediction(tmp_path, code, said):
    pin, _ = version(tmp_path / "1", python(code))
    with pytest.raises(ValueError, match=said):
        load(tmp_path / "1", pin).predict(VALUES[0])


@pytest.mark.parametrize("kind", ["lightgbm-text", "xgboost-json", "onnx", "pickle"])
def test_approved_bytes_that_are_no_model_say_so(tmp_path, kind):
    def make(folder):
        declared, output = approved_models.FORMATS[kind](folder)
        (folder / declared["model"]).write_bytes(b"not a model")
        return declared, output

    pin, _ = version(tmp_path / "1", make)
    with pytest.raises(BadInputError, match=f"Expected a model of the format {kind}"):
        load(tmp_path / "1", pin)
