"""Only a test that carries the mark `real` starts a component over 100 MB; any other is told so, and starts none.

conftest.py says here which test runs. A script outside pytest may start what it likes.
"""

import pytest

_state = {"is_watched": False, "item": None}


def watch():
    """From here on a component needs a test that carries the mark."""
    _state["is_watched"] = True


def begin(item):
    _state["item"] = item


def require_mark(component):
    """Fail where the running test has no mark `real`, before the component starts."""
    item = _state["item"]
    if not _state["is_watched"] or (item is not None and item.get_closest_marker("real") is not None):
        return
    where = "while pytest collects" if item is None else f"in {item.nodeid}"
    pytest.fail(
        f"{component} is over 100 MB, and is started {where}: expected the mark `real` (pytest.mark.real on the module,"
        " the test or the parameter), found none. `make test` runs without such components; `make test-real` runs them."
    )
