"""docs/errors.md names every kind of error with the code, exit code and status that it has."""

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import signoff
from signoff.domain.errors import SignoffError
from signoff.http.problems import status_of

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
ROW = re.compile(r"^\| `(\w+)` \| .+ \| (\d) \| (\d{3}) \|$", re.MULTILINE)


def kinds():
    for module in pkgutil.walk_packages(signoff.__path__, "signoff."):
        if not re.search(r"__main__|\.demo|\.migrations", module.name):
            importlib.import_module(module.name)
    waiting, found = [SignoffError], set()
    while waiting:
        waiting += (kind := waiting.pop()).__subclasses__()
        if kind is not SignoffError and kind.__module__.startswith("signoff."):
            found.add(kind)
    return found


@pytest.fixture(scope="module")
def found():
    return kinds()


def test_every_kind_of_error_stands_on_the_page_as_it_is(found):
    rows = {code: (int(ends), int(status)) for code, ends, status in ROW.findall(PAGE.read_text())}
    assert rows == {kind.code: (kind.exit_code, int(status_of(kind.__new__(kind)))) for kind in found}


def test_no_two_kinds_share_a_code_and_none_takes_its_own_from_its_class_name(found):
    assert len({kind.code for kind in found}) == len(found)
    assert all("code" in vars(kind) for kind in found)
