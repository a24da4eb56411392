"""A trading host and an auditor install little: what they need runs where nothing else can be imported."""

import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
LISTS = ROOT / "requirements"
DESK = """
import signoff.desk
from signoff.desk.client import FlagClient
from signoff.desk.gate import OrderGate
from signoff.desk import open, Output
from signoff.desk.journal import Journal
import signoff.desk.shadow
from signoff.domain.limits import Book, Order, PositionLimits
"""
VERIFIER = "from signoff.verify import run"


def listed(name):
    lines = (LISTS / name).read_text().splitlines()
    return [line.partition("==")[0] for line in lines if line and line[0].isalpha()]


def alone(folder, names):
    """A folder with Signoff and these distributions, as pip would lay them out; how many bytes the latter are."""
    size = 0
    for name in names:
        for file in distribution(name).files:
            source, target = Path(file.locate()), folder / file
            if ".." in file.parts or file.suffix == ".pyc" or not source.is_file():
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(source)
            size += source.stat().st_size
    (folder / "signoff").symlink_to(ROOT / "src" / "signoff")
    return size


def run(folder, code):
    line = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(folder)!r}); {code.strip()}"]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("requirements", "code", "packages", "megabytes"),
    [("desk.txt", DESK.replace("\n", "; ").strip("; "), 4, 30), ("verifier.txt", VERIFIER, 5, 30)],
)
def test_what_is_listed_is_enough_and_small(tmp_path, requirements, code, packages, megabytes):
    names = listed(requirements)
    own = sum(path.stat().st_size for path in (ROOT / "src" / "signoff").rglob("*") if path.suffix not in {".pyc", ""})
    size = alone(tmp_path, names) + own
    assert len(names) == packages
    assert size < megabytes * 1e6, f"{size / 1e6:.1f} MB"
    done = run(tmp_path, code)
    assert done.returncode == 0, done.stderr


def test_without_one_of_them_it_does_not_run(tmp_path):
    alone(tmp_path, [name for name in listed("desk.txt") if name != "cryptography"])
    assert "No module named 'cryptography'" in run(tmp_path, "from signoff.desk.client import FlagClient").stderr


def test_the_lists_name_the_versions_that_are_tested():
    tested = (LISTS / "demo.txt").read_text()
    for name in ("desk.txt", "verifier.txt"):
        pins = [line.split()[0] for line in (LISTS / name).read_text().splitlines() if "==" in line]
        assert pins
        assert [pin for pin in pins if pin not in tested] == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, unpacked."""
    made = next(WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel"))))
    folder = tmp_path_factory.mktemp("unpacked")
    with ZipFile(made) as archive:
        archive.extractall(folder)
    return folder


def test_a_wheel_installs_one_package(wheel):
    assert {path.name.partition("-")[0] for path in wheel.iterdir()} == {"signoff"}


def test_the_demonstration_finds_its_model_in_the_wheel(wheel, tmp_path):
    """The files that it copies into the dossier, and the package that it imports."""
    code = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from signoff.demo import example
from signoff.config.settings import settings
class Enough(Exception): pass
def stop(*_): raise Enough
try:
    example.prepare(settings(home=sys.argv[2] + "/home"), Path(sys.argv[2]), stop)
except Enough:
    pass
import momentum
source = Path(momentum.__file__).parent
print(source.relative_to(sys.argv[1]), all((source / name).is_file() for name in (*example.COPIED, example.POLICY)))
"""
    line = [sys.executable, "-c", code, str(wheel), str(tmp_path)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout.split() == ["signoff/demo/carried/momentum", "True"], done.stderr
