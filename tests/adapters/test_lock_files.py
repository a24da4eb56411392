"""A lock file that a dossier names must pin something, and is compared with what the replay could import."""

import json

import pytest

from signoff.adapters.lock_files import pinned
from signoff.domain.environment import Distribution, Lock, PythonEnvironment, compared
from signoff.domain.errors import BadInputError

UV = '[[package]]\nname = "polars"\nversion = "1.2.3"\n\n[[package]]\nname = "numpy"\nversion = "2.0"\n'
PIPENV = json.dumps({"_meta": {}, "default": {"polars": {"version": "==1.2.3", "hashes": []}}, "develop": {}})
CONDA = "dependencies:\n  - python=3.11.7=h0\n  - numpy=2.0=py\n  - pip\n"


@pytest.mark.parametrize(
    ("name", "text", "count"),
    [
        ("requirements.txt", "# made by pip\npolars==1.2.3 \\\n    --hash=sha256:ab\nnumpy[extra] == 2.0\n", 2),
        ("requirements.lock.txt", "mine @ file:///wheels/mine.whl\n", 1),
        ("uv.lock", UV, 2),
        ("pylock.toml", '[[packages]]\nname = "polars"\nversion = "1"\n', 1),
        ("Pipfile.lock", PIPENV, 1),
        ("environment.yaml", CONDA, 2),
    ],
)
def test_what_pins_distributions_is_a_lock_file(name, text, count):
    assert len(pinned(name, text.encode())) == count


@pytest.mark.parametrize(
    ("name", "text", "pins"),
    [
        (
            "requirements.txt",
            "Foo_Bar==1.2.3 ; python_version > '3'\nb[x] == 2.0 # why\n",
            {"foo-bar": "1.2.3", "b": "2.0"},
        ),
        ("requirements.txt", "mine @ file:///wheels/mine.whl\n", {"mine": ""}),
        ("uv.lock", UV, {"polars": "1.2.3", "numpy": "2.0"}),
        ("Pipfile.lock", PIPENV, {"polars": "1.2.3"}),
        ("environment.yaml", CONDA, {"python": "3.11.7", "numpy": "2.0"}),
    ],
)
def test_a_lock_file_gives_each_distribution_its_version(name, text, pins):
    assert pinned(name, text.encode()) == {key: frozenset({version}) for key, version in pins.items()}


def environment(**versions):
    made = (Distribution(name=name, version=version, sha256="") for name, version in versions.items())
    return PythonEnvironment(python="3.12", distributions=tuple(made))


LOCK = Lock(
    path="requirements.txt", sha256="ab" * 32, pins={"foo-bar": frozenset({"1.0"}), "b": frozenset({"2.0", "2.1"})}
)


@pytest.mark.parametrize(
    ("captured", "said"),
    [
        (
            environment(Foo_Bar="1.0", b="2.1"),
            "of the 2 distributions of the replay, of 1 beside other versions; hashes and markers not compared",
        ),
        (
            environment(Foo_Bar="1.0"),
            "has the versions of the 1 distributions of the replay; hashes and markers not compared",
        ),
        (
            environment(Foo_Bar="1.1"),
            "of the replay differ from the lock: Foo_Bar==1.1 (the lock: 1.0)",
        ),
        (environment(b="3"), "1 of 1 distributions of the replay differ from the lock: b==3 (the lock: 2.0, 2.1)"),
        (
            environment(b="2.0", c="1"),
            "1 of 2 distributions of the replay differ from the lock: c==1 (not in the lock)",
        ),
        (environment(**{f"d{n}": "1" for n in range(7)}), "d4==1 (not in the lock); and 2 more"),
        (environment(), "not compared: no replay captured its distributions"),
        (None, "not compared: no replay captured its distributions"),
    ],
)
def test_what_the_replay_could_import_is_compared_with_the_lock_file(captured, said):
    assert compared(LOCK, captured).endswith(said)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("requirements.txt", b"hello"),
        ("requirements.txt", b"polars>=1\nnumpy\n"),
        ("requirements.txt", b""),
        ("uv.lock", b"hello"),
        ("uv.lock", b"version = 1\n"),
        ("Pipfile.lock", b"{]"),
        ("environment.yaml", b"name: x\n"),
        ("environment.yaml", b"a: [\n"),
        ("lock.json", b"[1, 2]"),
        ("requirements.txt", b"\xff\xfe\x00"),
    ],
)
def test_anything_else_is_refused_by_the_key_that_names_it(name, content):
    with pytest.raises(BadInputError, match=rf"^{name}: infrastructure\.lock names it"):
        pinned(name, content)
