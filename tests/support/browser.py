"""Debian's Chromium, which `make test-real` installs; where tests must not be passed over, its lack is a failure."""

import os
import shutil

import pytest
from real import require_mark

NAMES = ("chromium", "chromium-browser", "google-chrome")


def browser_path():
    require_mark("Chromium")
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None and not os.environ.get("CI"):
        pytest.skip("needs Chromium: apt-get install chromium")
    assert found is not None, "expected Chromium, found none: apt-get install chromium, or unset CI to skip its tests"
    return found
