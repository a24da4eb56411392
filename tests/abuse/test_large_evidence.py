"""Small files that unpack to very much: refused with file, limit and what was found, before they take memory."""

import gzip
import io
import pickle
import re
import shutil
import zlib
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pytest
import release_folder
from peak_memory import measured

from signoff.adapters.evidence.arrow_extent import _Table, extent_of_arrow
from signoff.adapters.evidence.file_formats import frame_of
from signoff.adapters.evidence.parquet_extent import _Thrift, extent_of_parquet
from signoff.adapters.results.conversion import ConversionRequest, convert
from signoff.domain.errors import BadInputError

REPORTED = {"a Parquet cell", "zeros"}

LARGE = 250_000_000
SPARE = 350 << 20


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return release_folder.make(tmp_path_factory.mktemp("release") / "dossier", sessions=300)


@pytest.fixture
def folder(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "dossier")


def ended(*command):
    """Exit status, what was said, and the most memory that the command held, in bytes."""
    status, said, most = measured(*command)
    return status, " ".join(said.split()), most


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """The memory of the command before it reads a table."""
    folder = release_folder.make(tmp_path_factory.mktemp("usual") / "dossier", sessions=300)
    (folder / "backtest.parquet").write_bytes(b"PAR1")
    return ended("check", str(folder))[2]


def one_cell():
    return pl.DataFrame({"date": [date(2020, 1, 1), date(2020, 1, 2)], "a": ["x" * LARGE, "y"]})


def written(frame, how, **options):
    getattr(frame, how)(file := io.BytesIO(), **options)
    return file.getvalue()


def with_a_lying_footer(content):
    """The same file, whose footer says of every large column that it unpacks to one byte."""
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    footer = bytearray(content[start:])
    for size in range(LARGE, LARGE + 200):
        true = bytearray()
        rest = 2 * size
        while rest:
            true.append((rest & 0x7F) | (0x80 if rest > 0x7F else 0))
            rest >>= 7
        lie = bytes([0x82] + [0x80] * (len(true) - 2) + [0x00])
        footer = footer.replace(bytes(true), lie)
    assert bytes(footer) != content[start:]
    return content[:start] + bytes(footer)


def gzipped(begin, piece=b"", times=0):
    """What begins so and goes on with one piece again and again, which is packed once."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(begin) + packer.flush(zlib.Z_FULL_FLUSH)
    again = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    check = zlib.crc32(begin)
    for _ in range(times):
        check = zlib.crc32(piece, check)
    size = (len(begin) + len(piece) * times) & 0xFFFFFFFF
    end = packer.flush() + check.to_bytes(4, "little") + size.to_bytes(4, "little")
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + first + again * times + end


def many_nulls():
    """A list of nulls, repeated: its items take no bytes."""
    items = pl.Series("a", [None], dtype=pl.Float64).new_from_index(0, 120_000_000)
    return pl.DataFrame({"date": [date(2020, 1, 1)], "a": [items]})


BOMBS = {
    "a Parquet cell": (".parquet", lambda: written(one_cell(), "write_parquet")),
    "a Parquet cell behind a lying footer": (
        ".parquet",
        lambda: with_a_lying_footer(written(one_cell(), "write_parquet", statistics=False)),
    ),
    "an Arrow cell": (".arrow", lambda: written(one_cell(), "write_ipc", compression="zstd")),
    "an Arrow cell in a stream": (".arrow", lambda: written(one_cell(), "write_ipc_stream", compression="lz4")),
    "a Feather cell": (".feather", lambda: written(one_cell(), "write_ipc", compression="zstd")),
    "a list without end": (".parquet", lambda: written(many_nulls(), "write_parquet")),
    "zeros": (".csv.gz", lambda: gzipped(b"date,a\n", bytes(1 << 20), 1000)),
    "a line without end": (".csv.gz", lambda: gzipped(b"date,a\n2020-01-01,", b"1" * (1 << 20), 100)),
    "rows without end": (".csv.gz", lambda: gzipped(b"date,a\n", b"2020-01-01,0\n" * 80_000, 1000)),
    "a gzip in many members": (".csv.gz", lambda: gzipped(b"date,a\n") + gzipped(bytes(1 << 24)) * 60),
    "a plain line": (".csv", lambda: b"date,a\n2020-01-01," + b"1" * 100_000_000),
    "columns without end": (".csv", lambda: b"date," + b",".join(b"%d" % n for n in range(400_000)) + b"\n"),
}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.abuse] * (n in REPORTED)) for n in BOMBS])
def test_what_unpacks_to_very_much_is_refused_before_it_takes_memory(folder, usual, name):
    suffix, make = BOMBS[name]
    (folder / "trials.parquet").unlink()
    path = folder / f"trials{suffix}"
    path.write_bytes(make())
    status, said, most = ended("check", str(folder))
    assert status == 2, said
    assert path.name in said
    assert "expected" in said
    assert "at most" in said
    assert "Traceback" not in said
    assert most - usual < SPARE + path.stat().st_size, f"{(most - usual) >> 20} MiB more"


def test_many_empty_elements_of_a_report_are_refused(folder, usual):
    (folder / "junit").mkdir(exist_ok=True)
    (folder / "junit" / "unit.xml").write_bytes(b"<testsuite>" + b"<a/>" * 12_000_000 + b"</testsuite>")
    status, said, most = ended("check", str(folder))
    assert (status, "unit.xml" in said, "at most" in said) == (2, True, True), said
    assert most - usual < SPARE


@pytest.mark.parametrize(
    ("mark", "encoding"), [("= 'x'", "ascii"), ('=\t"x"', "ascii"), ("\n=\n'x'", "ascii"), ("= 'x'", "utf-16")]
)
def test_many_attributes_of_a_report_are_refused_however_they_are_spelled(folder, usual, mark, encoding):
    (folder / "junit").mkdir(exist_ok=True)
    cases = "".join(f"<testcase {' '.join(f'a{n}{mark}' for n in range(2000))}/>" for _ in range(600))
    (folder / "junit" / "unit.xml").write_bytes(f"<testsuite>{cases}</testsuite>".encode(encoding))
    status, said, most = ended("check", str(folder))
    assert (status, "unit.xml" in said, "at most" in said) == (2, True, True), said
    assert most - usual < SPARE


def test_attributes_that_a_document_type_gives_are_refused(folder, usual):
    (folder / "junit").mkdir(exist_ok=True)
    given = "".join(f"<!ATTLIST testcase a{n} CDATA 'x'>" for n in range(1000))
    report = f"<!DOCTYPE testsuite [{given}]><testsuite>{'<testcase/>' * 20_000}</testsuite>"
    (folder / "junit" / "unit.xml").write_text(report)
    status, said, most = ended("check", str(folder))
    assert (status, "unit.xml" in said, "JUnit" in said) == (2, True, True), said
    assert most - usual < SPARE


def test_a_summary_longer_than_anybody_reads_is_refused(folder):
    path = folder / "dossier.yaml"
    path.write_text(
        re.sub(r"(?m)^  summary: (?:.*\n)(?:   +.*\n)*", f"  summary: '{'1' * 20_000}'\n", path.read_text())
    )
    status, said, _ = ended("check", str(folder))
    assert (status, "header.summary" in said, "at most 4,000 characters, found 20,000" in said) == (2, True, True), said


def test_suites_nested_without_end_are_refused(folder):
    (folder / "junit").mkdir(exist_ok=True)
    report = b"<testsuite>" * 200_000 + b"<testcase/>" + b"</testsuite>" * 200_000
    (folder / "junit" / "unit.xml").write_bytes(report)
    status, said, _ = ended("check", str(folder))
    assert (status, "unit.xml" in said, "Traceback" in said) == (2, True, False), said


def test_a_text_repeated_in_every_row_is_no_name(folder):
    rows = pl.read_parquet(folder / "predictions.parquet")
    text = pl.Series("symbol", ["x" * 1_000_000]).new_from_index(0, rows.height)
    rows.with_columns(text).write_parquet(folder / "predictions.parquet")
    status, said, _ = ended("check", str(folder))
    assert (status, "column symbol" in said, "1,000,000" in said) == (2, True, True), said


def test_a_name_is_short_since_each_takes_the_room_of_the_longest(folder):
    rows = pl.read_parquet(folder / "predictions.parquet")
    names = pl.when(pl.col("symbol") == "AAA").then(pl.lit("A" * 2000)).otherwise("symbol")
    rows.with_columns(names.alias("symbol")).write_parquet(folder / "predictions.parquet")
    status, said, _ = ended("check", str(folder))
    assert (status, "64 characters" in said, "row 1," in said) == (2, True, True), said


def test_an_encoding_of_unknown_unpacked_size_is_refused():
    content = written(pl.DataFrame({"a": np.random.default_rng(1).normal(size=1000)}), "write_parquet")
    plain, front_coded = b"\x15\xd0\x0f\x15\x00", b"\x15\xd0\x0f\x15\x0e"  # a thousand values, then the encoding
    assert content.count(plain) == 1
    with pytest.raises(BadInputError, match="DELTA_BYTE_ARRAY"):
        frame_of(content.replace(plain, front_coded), ".parquet", "x")


def with_one_row_group_named_often(content, times):
    """The same Parquet file, whose footer names its only row group many times."""
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    thrift = _Thrift(content, start, len(content) - 8)
    for field, kind in thrift.fields():
        if field == 4:
            break
        thrift.skip(kind)
    listed = thrift.at
    assert thrift.items() == (1, 12)
    first = thrift.at
    thrift.skip(12)
    row_group = content[first : thrift.at]
    footer = content[start:listed] + bytes([0xFC, times]) + row_group * times + content[thrift.at : -8]
    return content[:start] + footer + len(footer).to_bytes(4, "little") + b"PAR1"


def with_one_batch_named_often(content, times):
    """The same Arrow file, whose footer names its only batch many times."""
    end = len(content) - 10
    start = end - int.from_bytes(content[end : end + 4], "little")
    footer = _Table(content, start + int.from_bytes(content[start : start + 4], "little"))
    at, count = footer.vector(3, 24)
    assert count == 1
    moved, place = bytearray(content[:end]), footer._place(3)
    moved[place : place + 4] = (end - place).to_bytes(4, "little")
    moved += times.to_bytes(4, "little") + content[at : at + 24] * times
    return bytes(moved) + (len(moved) - start).to_bytes(4, "little") + b"ARROW1"


def test_a_row_group_named_many_times_is_refused_before_its_pages_are_followed_again():
    content = written(pl.DataFrame({"a": np.random.default_rng(1).normal(size=1000)}), "write_parquet")
    assert extent_of_parquet(with_one_row_group_named_often(content, 1), "x").values == 1000
    with pytest.raises(ValueError, match="its columns overlap"):
        extent_of_parquet(with_one_row_group_named_often(content, 100), "x")


def test_a_batch_named_many_times_is_refused_before_its_columns_are_counted_again():
    """Fifty thousand names of two thousand columns are a megabyte, and would take minutes to count."""
    content = written(pl.DataFrame({f"c{n}": [1.0] for n in range(2000)}), "write_ipc")
    assert extent_of_arrow(with_one_batch_named_often(content, 1), "x").values == 2000
    with pytest.raises(ValueError, match="its batches overlap"):
        extent_of_arrow(with_one_batch_named_often(content, 40_000), "x")


def test_an_import_is_held_to_the_same_limits(tmp_path, usual):
    path = tmp_path / "returns.csv.gz"
    path.write_bytes(gzipped(b"date,a\n", b"2020-01-01,0\n" * 80_000, 1000))
    status, said, most = ended("import", "pyfolio", str(path), "--out", str(tmp_path / "out"))
    assert (status, "returns.csv.gz" in said, "at most" in said) == (2, True, True), said
    assert most - usual < SPARE


def test_a_pickle_that_names_one_column_a_thousand_times_is_refused(tmp_path):
    days = np.arange(np.datetime64("2000-01-01"), np.datetime64("2002-01-01")).astype("datetime64[ns]")
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": np.zeros(days.size)}, index=pd.DatetimeIndex(days))
    long = pd.Series(["x" * 1_000_000] * days.size, index=frame.index, dtype=object)
    path = tmp_path / "returns.pickle"
    path.write_bytes(pickle.dumps(long))
    assert path.stat().st_size < 2_000_000
    with pytest.raises(BadInputError, match="letters"):
        convert(ConversionRequest(format="pyfolio", source=path))


def test_a_result_of_too_many_values_is_not_parsed(tmp_path):
    path = tmp_path / "lean.json"
    path.write_bytes(b'{"charts":[' + b"{}," * 11_000_000 + b"{}]}")
    with pytest.raises(BadInputError, match="at most 10,000,000 values"):
        convert(ConversionRequest(format="lean", source=path))


KINDS = {
    "numbers": {"a": np.arange(5000, dtype=float)},
    "names": {"a": ["AAPL", "MSFT"] * 2500},
    "few names": {"a": pl.Series(["buy", "sell"] * 2500, dtype=pl.Categorical)},
    "times": {"a": [datetime(2020, 1, 1, tzinfo=UTC)] * 5000},
    "nothing": {"a": [None] * 5000},
    "truths": {"a": [True, False] * 2500},
    "lists": {"a": [[1.0, 2.0]] * 5000},
    "structures": {"a": [{"x": 1, "y": "z"}] * 5000},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("how", "options"),
    [
        ("write_parquet", {}),
        ("write_parquet", {"compression": "uncompressed", "row_group_size": 700}),
        ("write_parquet", {"compression": "gzip", "data_page_size": 1000}),
        ("write_ipc", {}),
        ("write_ipc", {"compression": "zstd"}),
        ("write_ipc_stream", {"compression": "lz4"}),
    ],
)
def test_an_honest_file_is_counted_and_read(kind, how, options):
    frame = pl.DataFrame(KINDS[kind])
    content = written(frame, how, **options)
    extent = (extent_of_parquet if how == "write_parquet" else extent_of_arrow)(content, "x")
    assert extent.columns >= 1
    assert extent.values >= 5000
    assert frame_of(content, ".parquet" if how == "write_parquet" else ".arrow", "x").equals(frame)


def test_a_large_honest_table_is_read():
    """Ten years of two thousand configurations, and a thousand symbols: nothing near a limit."""
    rng = np.random.default_rng(1)
    frame = pl.DataFrame({f"c{n}": rng.normal(0, 0.01, 2520) for n in range(2000)})
    assert frame_of(written(frame, "write_parquet"), ".parquet", "x").equals(frame)
    repeated = pl.DataFrame({"symbol": ["AAPL"] * 500_000, "weight": [0.0] * 500_000})
    packed = gzip.compress(written(repeated, "write_csv"))
    assert frame_of(packed, ".csv.gz", "x").equals(repeated)
