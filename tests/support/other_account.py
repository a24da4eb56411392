"""What other local accounts of this machine do: `nobody`, who is of the group `nogroup`, and `daemon`, who is not."""

import os
import shutil
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from forked import context

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


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


def ran_as(user, *line):
    """A command of ours, run by this account; everything was imported before, since it may read none of our files."""
    with reachable_folder() as said:
        process = context.Process(target=become, args=(user, line, str(said), dict(os.environ)))
        process.start()
        process.join(120)
        assert process.exitcode is not None, "the command hangs"
        return Ran(process.exitcode, (said / "1").read_text(), (said / "2").read_text())


def become(user, line, said, environment):
    """The command itself, in the fork: once as root, which imports whatever it needs, then as this account."""
    os.environ.clear()
    os.environ.update(environment)
    from signoff.cli.main import main

    for stream in (1, 2):
        os.dup2(os.open(f"{said}/{stream}", os.O_WRONLY | os.O_CREAT, 0o644), stream)
    for scope in (["momentum"], ["--all"]):
        main(["kill", *scope, "--reason", "r", "--home", f"{said}/scratch"])
    main(["--json", "kill", "momentum", "--home", f"{said}/scratch"])
    for stream in (1, 2):
        os.ftruncate(stream, 0)
        os.lseek(stream, 0, os.SEEK_SET)
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
    os.chdir("/")
    sys.exit(main(list(line)))


def put(path, content, user, mode=0o600):
    """A file of this account's."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    os.chown(path, user, user)
    return path
