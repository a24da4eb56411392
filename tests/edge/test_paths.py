"""A path is a path: whatever signs of a URL, of a pattern or of a terminal stand in it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from command_processes import code_of_a_kill, command, environment

from signoff.adapters.artifact_places import ArtifactPlaces
from signoff.adapters.mlflow_registry import MlflowRegistry
from signoff.adapters.sqlite_files import sqlite_file
from signoff.config.settings import settings
from signoff.domain.database_urls import sqlite_url

NAMES = ["a%20b", "x?y=1", "a#b", "%2e", "a b", "mö→n", "new\nline", ":memory:", "file:x", "u:p@h", "p%252Fq", "\udcff"]


@pytest.mark.parametrize("name", NAMES)
def test_a_home_is_the_folder_of_exactly_this_name(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    env = environment() if name == "\udcff" else None  # an interpreter of its own decodes what is no text
    ran = command("kill", "m", "--reason", "x", "--json", home=name, env=env)
    assert ran.returncode == code_of_a_kill(), ran.stderr
    assert json.loads(ran.stdout)["recorded"] is True
    assert [found.name for found in tmp_path.iterdir()] == [name]
    assert (tmp_path / name / "signoff.db").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_the_url_of_a_file_names_that_file(name):
    assert sqlite_file(sqlite_url(f"{name}/signoff.db")) == Path(name) / "signoff.db"
    assert sqlite_file(settings(home=name).database) == Path(name) / "signoff.db"


@pytest.mark.parametrize("name", ["a%20b", "x?y=1", "a#b"])
def test_a_registry_is_the_file_of_exactly_this_name(tmp_path, name):
    pytest.importorskip("mlflow")
    from mlflow import MlflowClient

    file = tmp_path / name / "mlflow.db"
    file.parent.mkdir()
    MlflowClient(tracking_uri=sqlite_url(str(file))).create_registered_model("m")
    assert file.is_file()
    registry = MlflowRegistry.open(sqlite_url(str(file)))
    assert registry is not None
    assert registry.version("m", "1") is None
    assert MlflowRegistry.open(sqlite_url(str(tmp_path / name.replace("%20", " ") / "other.db"))) is None


def test_artefacts_are_looked_for_where_mlflow_reads_them(tmp_path):
    """A plain path has no fragment: what stands after # is part of it, for MLflow too."""
    (tmp_path / "registry" / "x#").mkdir(parents=True)
    places = ArtifactPlaces(registry=sqlite_url(str(tmp_path / "registry" / "mlflow.db")))
    places.check(str(tmp_path / "registry" / "x#y"))
    with pytest.raises(Exception, match="nothing there was read"):
        places.check(str(tmp_path / "registry" / "x#" / ".." / ".." / "home"))


def test_a_ledger_that_an_earlier_version_put_elsewhere_is_not_begun_again(tmp_path):
    home, misread = tmp_path / "a%20b", tmp_path / "a b"
    assert command("kill", "m", "--reason", "x", home=home).returncode == code_of_a_kill()
    misread.mkdir()
    (home / "signoff.db").rename(misread / "signoff.db")
    said = command("status", home=home)
    assert said.returncode == 2
    assert str(misread / "signoff.db").encode() in said.stderr
    assert not (home / "signoff.db").exists()
    assert command("kill", "m", "--reason", "x", home=home).returncode == code_of_a_kill()  # nothing keeps a kill


@pytest.mark.parametrize("home", [None, "/nonexistent", "/proc/1/nothing"])
def test_an_account_without_a_home_folder_works(tmp_path, home):
    env = environment(HOME=home, USER=None, LOGNAME=None, NUMBA_CACHE_DIR="/proc/nothing")
    code = (
        "import sys\n"
        "from signoff.cli.main import main\n"
        "home = ['--home', sys.argv[1]]\n"
        "for line in (['kill', 'm', '--reason', 'x'], ['status']):\n"
        "    print(line[0], main([*line, *home]), file=sys.stderr)\n"
    )
    line = [sys.executable, "-c", code, str(tmp_path / "h")]
    ran = subprocess.run(line, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert ran.stderr.splitlines()[-2:] == [f"kill {code_of_a_kill()}", "status 0"], ran.stderr


def test_compiled_code_that_no_folder_takes_is_compiled_again(tmp_path):
    """A package that only its installer writes to, and a service account without a home."""
    code = (
        "import numba.core.caching as c\n"
        "c.CacheImpl._locator_classes = []\n"  # as where no place can be written to
        "from signoff.stats import _stationary, _cscv\n"
        "print('loaded')\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert "loaded" in ran.stdout, ran.stderr
