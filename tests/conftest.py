"""The order of the tests, and which worker runs them.

The slow ones begin first, so that no worker ends long after the others; `--shuffle SEED` runs them in a random order.
A file stays with one worker, so that what is made once for all of it is made once; so does a folder whose files share
a study.
"""

import gc
from itertools import groupby
from random import Random

import budgets
import pytest
import real
from hypothesis import HealthCheck, settings

SHARED_FOLDERS = {"example"}

# Importing and collecting make a million things and no garbage.
gc.disable()

# How long a machine takes to invent examples says nothing of what is tested.
settings.register_profile("busy", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_addoption(parser):
    parser.addoption("--shuffle", type=int, default=None, help="run modules, and the tests in each, in a random order")
    parser.addoption("--budgets", action="store_true", help="print CPU seconds and budgets even of a part of the suite")


METER = pytest.StashKey[budgets.Meter]()


def pytest_configure(config):
    real.watch()
    config.stash[METER] = budgets.Meter()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item):
    before = budgets.cpu_s()
    real.begin(item)
    try:
        return (yield)
    finally:
        real.begin(None)
        item.config.stash[METER].spent[budgets.folder_of(item.nodeid)] += budgets.cpu_s() - before


def pytest_sessionfinish(session):
    """What a process spent beside its tests is importing and collecting; of many workers the controller only adds."""
    config = session.config
    is_worker = hasattr(config, "workeroutput")
    if not is_worker and config.getoption("numprocesses", None):
        return
    spent = config.stash[METER].spent
    spent[budgets.BESIDE] += budgets.cpu_s() - sum(spent.values())
    if is_worker:
        config.workeroutput["cpu"] = dict(spent)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node, error):
    meter = node.config.stash[METER]
    spent = getattr(node, "workeroutput", {}).get("cpu")
    if spent is None:
        meter.lost += 1
    else:
        meter.add(spent)


def pytest_terminal_summary(terminalreporter, config):
    is_whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    meter = config.stash[METER]
    if meter.spent and (is_whole or config.getoption("budgets")):
        terminalreporter.section("CPU seconds of each folder, and its budget")
        for line in budgets.table(meter.spent, budgets.read(), meter.lost):
            terminalreporter.write_line(line)


def pytest_collection_modifyitems(config, items):
    if (seed := config.getoption("--shuffle")) is None:
        slow = {item.path for item in items if item.get_closest_marker("slow") is not None}
        items.sort(key=lambda item: item.path not in slow)
        return
    order = Random(seed)
    modules = [list(tests) for _, tests in groupby(items, key=lambda item: item.path)]
    order.shuffle(modules)
    for tests in modules:
        order.shuffle(tests)
    items[:] = [item for tests in modules for item in tests]


def pytest_collection_finish():
    """Leave what is imported by now out of every later collection of garbage: it lives as long as the process."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.partition("::")[0]
            folder = path.rpartition("/")[0]
            return folder if folder.rpartition("/")[2] in SHARED_FOLDERS else path

    return ByFile(config, log)
