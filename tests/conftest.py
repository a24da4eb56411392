"""The order of the tests: the slow ones begin first, so that no worker ends long after the others; or `--shuffle`.

A module whose fixtures are made once for all of it stays with one worker, which then makes them once; so does a folder
whose modules share a study or a home that was led to a stage.
"""

from itertools import groupby
from random import Random

import pytest
from hypothesis import HealthCheck, settings

SHARED_FOLDERS = {"example", "journey"}

# How long a machine takes to invent examples says nothing of what is tested.
settings.register_profile("busy", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_addoption(parser):
    parser.addoption("--shuffle", type=int, default=None, help="run modules, and the tests in each, in a random order")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    modules = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    for tests in modules:
        folder = tests[0].path.parent.name
        if folder in SHARED_FOLDERS or any(is_shared(item) for item in tests):
            for item in tests:
                if item.get_closest_marker("xdist_group") is None:
                    item.add_marker(pytest.mark.xdist_group(folder if folder in SHARED_FOLDERS else item.path.stem))
    if (seed := config.getoption("--shuffle")) is None:
        items.sort(key=lambda item: not any(map(item.get_closest_marker, ("slow", "xdist_group"))))
        return
    order = Random(seed)
    order.shuffle(modules)
    for tests in modules:
        order.shuffle(tests)
    items[:] = [item for tests in modules for item in tests]


def is_shared(item):
    """Whether the test asks for a fixture that is made once for its module."""
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    return any(made[-1].scope == "module" for made in fixtures)
