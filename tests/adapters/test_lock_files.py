"""A lock file that a dossier names must pin something; which environment ran stays a declaration."""

import json

import pytest

from signoff.adapters.lock_files import pinned
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
    assert pinned(name, text.encode()) == count


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
