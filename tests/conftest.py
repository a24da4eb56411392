"""The order of the tests: the slow ones begin first, so that no worker ends long after the others; or `--shuffle`."""

from itertools import groupby
from random import Random

from hypothesis import HealthCheck, settings

# How long a machine takes to invent examples says nothing of what is tested.
settings.register_profile("busy", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_addoption(parser):
    parser.addoption("--shuffle", type=int, default=None, help="run modules, and the tests in each, in a random order")


def pytest_collection_modifyitems(config, items):
    if (seed := config.getoption("--shuffle")) is None:
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)
        return
    order = Random(seed)
    modules = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    order.shuffle(modules)
    for tests in modules:
        order.shuffle(tests)
    items[:] = [item for tests in modules for item in tests]
