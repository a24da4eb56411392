"""What another local account of this machine does: `nobody`, who is of the group `nogroup`, and `daemon`, who is not."""

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

NOBODY, DAEMON = 65534, 1
GROUP = "nogroup"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="acts as other accounts, which takes root")


@contextmanager
def reachable_folder():
    """A folder that every account can look into."""
    folder = Path(tempfile.mkdtemp(prefix="signoff-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def ran_as(user, *line, **environment):
    """A command of ours, run by this account."""
    return subprocess.run(
        [sys.executable, "-m", "signoff", *line],
        env={**os.environ, **environment},
        user=user,
        group=user,
        extra_groups=[],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def put(path, content, user, mode=0o600):
    """A file of this account's."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    os.chown(path, user, user)
    return path
