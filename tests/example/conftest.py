"""The example needs the extra `demo`; where it is not installed its tests are not collected."""

from collections.abc import Iterator
from importlib.util import find_spec

import pytest

NEEDED = ("lightgbm", "mlflow", "skfolio")

collect_ignore_glob = ["test_*.py"] if any(find_spec(name) is None for name in NEEDED) else []


@pytest.fixture(scope="session")
def small() -> Iterator[None]:
    import small_study

    with pytest.MonkeyPatch.context() as patch:
        small_study.shrink(patch.setattr)
        yield


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def study(small, cache):
    """A finished small study; read it, and make a new one over `cache` to see what a second run does."""
    import small_study

    finished = small_study.study(cache)
    assert finished.tracks
    return finished
