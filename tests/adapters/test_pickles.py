"""Pickles are read as descriptions: what they hold is found, and nothing that they name ever runs."""

import io
import os
import pickle
import pickletools
import random
import struct
import subprocess
import sys
import tracemalloc
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest

from signoff.adapters.results import pickles
from signoff.adapters.results.pandas_pickles import INDEX, read_pickle
from signoff.domain.errors import BadInputError

FILES = Path(__file__).parent / "files"
GENERATIONS = sorted(p.name for p in FILES.glob("pandas_*.pickle") if "series" not in p.name)
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize("name", GENERATIONS)
def test_every_generation_of_pandas_is_read_alike(name):
    found = read_pickle((FILES / name).read_bytes(), name)
    days = [datetime(2020, 1, day, tzinfo=NEW_YORK) for day in (1, 2, 3, 6, 7)]
    frame = found.frame
    assert frame[INDEX].to_list() == days
    assert frame["close"].to_list() == days
    assert frame["returns"].to_list() == [0.0, 0.01, 0.02, 0.03, 0.04]
    assert frame["count"].to_list() == [0, 1, 2, 3, 4]
    assert frame["name"].to_list() == frame["kind"].to_list() == list("abcde")
    assert frame["flag"].to_list() == [True, False, True, True, False]
    assert frame["price"].to_list() == [0.0, 1.0, 2.0, 3.0, 4.0]
    np.testing.assert_array_equal(frame["maybe"].to_numpy(), [0.5, np.nan, 1.5, 2.5, 3.5])
    assert found.left_out == ("orders",)


def test_there_are_generations_to_read():
    assert {name.split("_")[1].split(".")[0] for name in GENERATIONS} == {"1", "2", "3"}


@pytest.mark.parametrize("name", sorted(p.name for p in FILES.glob("pandas_*_series.pickle")))
def test_a_series_keeps_its_name_and_a_time_without_a_zone_stays_one(name):
    frame = read_pickle((FILES / name).read_bytes(), name).frame
    assert frame.columns == [INDEX, "returns"]
    assert frame[INDEX].dtype.time_zone is None


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_any_protocol_gives_what_pandas_gives(protocol, zone):
    index = pd.date_range("2020-03-01", periods=300, freq="D", tz=zone)
    values = np.random.default_rng(protocol).normal(size=(300, 4))
    table = pd.DataFrame(values, index=index, columns=["a", "b", "c", "d"])
    frame = read_pickle(pickle.dumps(table, protocol), "x").frame
    np.testing.assert_array_equal(frame.drop(INDEX).to_numpy(), values)
    assert frame[INDEX].to_list() == [time.to_pydatetime() for time in index]


def test_columns_of_several_levels_are_named_by_them():
    columns = pd.MultiIndex.from_product([[5, 10], ["x", "y"]], names=["fast", None])
    frame = read_pickle(pickle.dumps(pd.DataFrame(np.eye(4), columns=columns)), "x").frame
    assert frame.columns == [INDEX, "fast=5, x", "fast=5, y", "fast=10, x", "fast=10, y"]
    assert frame[INDEX].to_list() == [0, 1, 2, 3]


class Calls:
    """Pickles as a call of anything with anything."""

    def __init__(self, function, *args):
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args


class Builds:
    """Pickles as something listed whose state or items are hostile."""

    def __reduce__(self):
        return np.dtype, ("f8",), Calls(os.system, "true")


def touching(path):
    return f"touch {path}"


HOSTILE = {
    "os.system": lambda p: Calls(os.system, touching(p)),
    "posix.system by a chain": lambda p: Calls(getattr, Calls(__import__, "os"), "system"),
    "eval": lambda p: Calls(eval, f"open({str(p)!r}, 'w')"),
    "exec": lambda p: Calls(exec, f"open({str(p)!r}, 'w')"),
    "open": lambda p: Calls(open, str(p), "w"),
    "subprocess": lambda p: Calls(subprocess.call, ["touch", str(p)]),
    "pandas.read_pickle": lambda p: Calls(pd.read_pickle, str(p)),
    "numpy.load": lambda p: Calls(np.load, str(p), None, True),
    "pickle.loads": lambda p: Calls(pickle.loads, pickle.dumps(Calls(os.system, touching(p)))),
    "functools.partial": lambda p: Calls(__import__("functools").partial, os.system, touching(p)),
    "operator.methodcaller": lambda p: Calls(__import__("operator").methodcaller, "system", touching(p)),
    "a state that calls": lambda p: Builds(),
    "within a table": lambda p: pd.DataFrame({"returns": [0.1], "x": [Calls(os.system, touching(p))]}),
}


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("attack", HOSTILE)
def test_a_hostile_pickle_is_refused_by_name_and_runs_nothing(attack, protocol, tmp_path):
    canary = tmp_path / "canary"
    content = pickle.dumps(HOSTILE[attack](canary), protocol)
    with pytest.raises(BadInputError, match=r"calls .*not on the closed list\. Nothing of it was run"):
        read_pickle(content, "perf.pickle")
    assert not canary.exists()


@pytest.mark.parametrize(
    "attribute", ["__init__", "__class__", "__subclasses__", "mro", "key", "_unpickle.__globals__"]
)
def test_an_attribute_of_a_listed_name_is_not_listed_with_it(attribute):
    from zoneinfo import ZoneInfo as Zone

    content = pickle.dumps(Calls(getattr, Zone, attribute), 4)
    with pytest.raises(BadInputError, match=f"ZoneInfo.{attribute}, which is not on the closed list"):
        read_pickle(content, "x")
    chained = pickle.dumps(Calls(getattr, Calls(getattr, Zone, "_unpickle"), "__globals__"), 4)
    with pytest.raises(BadInputError, match="not on the closed list"):
        read_pickle(chained, "x")


def test_a_name_spelled_with_dots_or_from_the_memo_is_seen_whole():
    for code in (
        b"cos\nsystem\n(S'true'\ntR.",
        b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x8c\x04true\x85R.",
        b"\x80\x04\x8c\x06system\x94\x8c\x02os\x940h\x01h\x00\x93\x8c\x04true\x85R.",
        b"\x80\x04\x8c\x08builtins\x8c\x0eslice.__init__\x93.",
        b"(S'true'\nios\nsystem\n.",
        b"\x80\x02\x82\x01.",
        b"\x80\x02Pnumpy\n.",
    ):
        with pytest.raises(BadInputError, match="Nothing of it was run"):
            read_pickle(code, "x")


def test_importing_is_never_needed(tmp_path):
    """The proof by a process that has neither pandas nor numpy's unpickling at hand: nothing listed is imported."""
    (tmp_path / "pandas.py").write_text("raise SystemExit('pandas was imported')")
    (tmp_path / "zipline.py").write_text("raise SystemExit('zipline was imported')")
    code = (
        "import sys; from pathlib import Path; from signoff.adapters.results.pandas_pickles import read_pickle; "
        f"print(read_pickle(Path({str(FILES / 'zipline_perf.pickle')!r}).read_bytes(), 'x').frame.height)"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": path}, check=True, capture_output=True, text=True
    )
    assert done.stdout.strip() == "21"


def bomb_of_keys(depth):
    """Tuples within tuples as a key: hashing it would take 2**depth steps."""
    code = b"\x80\x04}(" + b")" + b"".join(b"\x94h" + bytes([n]) + b"h" + bytes([n]) + b"\x86" for n in range(depth))
    return code + b"K\x01u."


@pytest.mark.parametrize(
    "content",
    [
        b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.",
        b"\x80\x05\x96" + struct.pack("<Q", 1 << 40) + b"x.",
        b"\x80\x04r\xff\xff\xff\x7f.",
        b"\x80\x04]" + b"r\xff\xff\xff\x7f" + b".",
        b"\x80\x04\x8b" + struct.pack("<i", 1 << 30) + b"x.",
        b"I" + b"9" * 100_000 + b"\n.",
        b"\x80\x04" + b"(" * 100_000 + b".",
        b"\x80\x04" + b")\x85" * 0 + b"".join([b")", *[b"\x85"] * 200_000]) + b".",
        bomb_of_keys(60),
        b"\x80\x04]\x94h\x00a.",
    ],
)
def test_a_bomb_does_not_go_off(content):
    tracemalloc.start()
    with pytest.raises(BadInputError):
        read_pickle(content, "bomb.pickle")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 100_000_000


def nested(depth=200):
    """Tuples within tuples that share: small to hold, endless to write out, hash, compare or lay flat."""
    value = ()
    for _ in range(depth):
        value = (value, value)
    return value


class Told:
    """Pickles as a described thing of pandas or numpy with whatever arguments and state."""

    def __init__(self, name, *args, state=None):
        self.name, self.args, self.state = name, args, state


class Teller(pickle._Pickler):
    """Writes `Told` as a call of its name, so that a test can say anything at all."""

    def save(self, value, save_persistent_id=True):
        if not isinstance(value, Told):
            super().save(value, save_persistent_id)
            return
        if isinstance(value, Reference):
            module, _, name = value.name.rpartition(".")
            self.write(f"c{module}\n{name}\n".encode())
            return
        module, _, name = value.name.rpartition(".")
        self.write(f"c{module}\n{name}\n".encode())
        super().save(value.args)
        self.write(b"R")
        if value.state is not None:
            super().save(value.state)
            self.write(b"b")


def told(value):
    written = io.BytesIO()
    Teller(written, 2).dump(value)
    return written.getvalue()


def of_table(columns, index, *blocks):
    manager = Told("pandas.core.internals.managers.BlockManager", tuple(blocks), [columns, index])
    return Told("pandas.DataFrame", state={"_mgr": manager})


def index_of(kind, **said):
    return Told("pandas.core.indexes.base._new_Index", Reference(f"pandas.{kind}"), said)


class Reference(Told):
    """A name that is not called."""


def counted(stop):
    return index_of("RangeIndex", start=0, stop=stop, step=1, name=None)


def objects(items, shape):
    kind = Told("numpy.dtype", "O8", False, True, state=(3, "|", None, None, None, -1, -1, 63))
    first = Told("numpy._core.multiarray._reconstruct", Reference("numpy.ndarray"), (0,), b"b")
    first.state = (1, shape, kind, False, items)
    return first


def floats_of(data, shape, code="f8"):
    kind = Told("numpy.dtype", code, False, True, state=(3, "<", None, None, None, -1, -1, 0))
    return Told("numpy._core.numeric._frombuffer", data, kind, shape, "C")


def block_of(values):
    return Told("pandas._libs.internals._unpickle_block", values, Told("builtins.slice", 0, 1, 1), 2)


EIGHT = bytearray(8)


@pytest.mark.parametrize(
    "described",
    [
        lambda: of_table(counted(1 << 60), counted(1), block_of(floats_of(EIGHT, (1, 1)))),
        lambda: of_table(counted(1), counted(1 << 60), block_of(floats_of(EIGHT, (1, 1)))),
        lambda: of_table(counted(1), counted(1), block_of(floats_of(EIGHT, nested()))),
        lambda: of_table(counted(1), counted(1), block_of(floats_of(EIGHT, (1, 1), nested()))),
        lambda: of_table(counted(1), counted(1), block_of(floats_of(EIGHT, (1 << 62, 1 << 62)))),
        lambda: of_table(counted(1), counted(1), block_of(objects([1.0], nested()))),
        lambda: of_table(index_of("MultiIndex", levels=[nested()], codes=[], names=[nested()]), counted(1)),
        lambda: Told("pandas.Series", state={"_mgr": nested(), "_name": nested()}),
        lambda: Told("builtins.getattr", nested(), "x"),
        lambda: Told("builtins.getattr", Reference("numpy.dtype"), nested()),
        nested,
    ],
)
def test_what_is_small_to_hold_and_endless_to_look_at_is_not_looked_at(described):
    with pytest.raises(BadInputError):
        read_pickle(told(described()), "x")


def test_labels_and_values_that_nest_for_ever_are_called_by_what_they_are():
    columns = index_of("Index", data=objects([nested(), "returns"], (2,)), name=None)
    values = Told(
        "pandas._libs.internals._unpickle_block", floats_of(bytearray(16), (2, 1)), Told("builtins.slice", 0, 2, 1), 2
    )
    found = read_pickle(told(of_table(columns, counted(1), values)), "x")
    assert found.frame.columns == [INDEX, "tuple", "returns"]
    odd = block_of(objects([nested()], (1, 1)))
    assert read_pickle(told(of_table(counted(1), counted(1), odd)), "x").left_out == ("0",)


def test_too_many_steps_and_too_many_bytes_are_refused(monkeypatch):
    monkeypatch.setattr(pickles, "MAX_STEPS", 50)
    with pytest.raises(BadInputError, match="50 steps"):
        read_pickle(pickle.dumps(list(range(100))), "x")
    monkeypatch.setattr(pickles, "MAX_BYTES", 10)
    with pytest.raises(BadInputError, match="10 bytes"):
        read_pickle(pickle.dumps(list(range(100))), "x")


def test_a_shape_that_lies_about_its_bytes_is_refused():
    content = pickle.dumps(pd.DataFrame({"a": np.arange(5.0)}), 4)
    lying = content.replace(b"K\x01K\x05\x86", b"K\x01K\x09\x86")
    assert lying != content
    with pytest.raises(BadInputError, match="more or fewer bytes"):
        read_pickle(lying, "x")
    vast = content.replace(b"K\x01K\x05\x86", b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86")
    with pytest.raises(BadInputError, match="more or fewer bytes"):
        read_pickle(vast, "x")


@pytest.mark.parametrize(
    "value", [{"returns": [1.0]}, [1, 2], np.arange(3.0), pd.Index([1, 2]), 7, "text", None, pd.Timestamp("2020-01-01")]
)
def test_a_pickle_of_something_else_says_what_it_is(value):
    with pytest.raises(BadInputError, match=r"expected a (Series or DataFrame of pandas|pickle of pandas)"):
        read_pickle(pickle.dumps(value), "x")


@pytest.mark.parametrize("content", [b"", b"date,return\n2018-01-01,0.1\n", b"PAR1", b"\x80\x04", b"\x00" * 50, b"."])
def test_what_is_no_pickle_is_refused(content):
    with pytest.raises(BadInputError, match="expected a"):
        read_pickle(content, "x")


@pytest.mark.parametrize("name", ["zipline_perf.pickle", GENERATIONS[0], GENERATIONS[-1]])
def test_any_damage_is_a_refusal_or_a_table(name):
    good, draw, refusals = (FILES / name).read_bytes(), random.Random(6), 0
    for n in range(150):
        bad = bytearray(good[: draw.randrange(1, len(good))] if n % 3 == 0 else good)
        for _ in range(n % 3 * 2):
            bad[draw.randrange(len(bad))] = draw.randrange(256)
        try:
            assert isinstance(read_pickle(bytes(bad), "x").frame, pl.DataFrame)
        except BadInputError as error:
            refusals += "\n" not in str(error)
    assert refusals > 50


def test_the_list_holds_nothing_that_reads_runs_or_imports():
    verbs = ("eval", "exec", "import", "open", "load", "system", "partial", "read_", "call", "run", "compile")
    assert not [name for name in pickles.KNOWN if any(verb in name.rpartition(".")[2].lower() for verb in verbs)]
    assert any(opcode.name == "REDUCE" for opcode in pickletools.opcodes)


def test_pickles_of_pandas_through_a_file_are_the_same(tmp_path):
    series = pd.Series([0.1, 0.2], index=pd.to_datetime(["2020-01-01", "2020-01-02"]), name="r")
    series.to_pickle(tmp_path / "r.pickle")
    series.to_pickle(written := io.BytesIO())
    assert read_pickle((tmp_path / "r.pickle").read_bytes(), "x").frame.equals(
        read_pickle(written.getvalue(), "x").frame
    )
