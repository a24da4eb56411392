"""Our own commands as processes, forked from one that has imported everything, so that they start at once.

What runs in the fork is `signoff.cli.main.main`, as the console script runs it, with the present environment.
"""

import multiprocessing
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from signoff.cli.listing import PANELS

PRELOADED = [
    "signoff.cli.main",
    *sorted({f"signoff.cli.{one.module}" for listed in PANELS.values() for one in listed.values()}),
    "signoff.cli.interrupted",
    "signoff.http.server",
    "signoff.adapters.store_sql",
    "psycopg",
    "anyio",
]
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(PRELOADED)


class Command:
    """A command of ours, with what the tests ask of a process."""

    def __init__(self, *line, log, cwd=None, environment=None):
        known = dict(os.environ) if environment is None else environment
        self._process = context.Process(target=become, args=(line, (log, log), known, cwd, umask()))
        self._process.start()
        self.pid = self._process.pid

    def poll(self):
        """The exit status, None while it runs."""
        return self._process.exitcode

    def wait(self, seconds):
        """The exit status, once there is one."""
        self._process.join(seconds)
        if self._process.exitcode is None:
            raise TimeoutError(f"the process {self.pid} did not end in {seconds} s")
        return self._process.exitcode

    def terminate(self):
        self._process.terminate()

    def kill(self):
        self._process.kill()


def ran(*line, cwd="/", within=60, **environment):
    """How a command ended, and all that it said; nothing of this installation's settings reaches it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SIGNOFF_")}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder, "said")
        command = Command(*line, log=log, cwd=str(cwd), environment=inherited | environment)
        try:
            status = command.wait(within)
        finally:
            command.kill()
        return status, log.read_text()


def captured(*line, within=120, first=None):
    """How a command ended, and what it said on each stream, as `subprocess.run` tells it.

    With `first`, which the process calls before anything else, it is the console script to its very end.
    """
    with tempfile.TemporaryDirectory() as folder:
        streams = Path(folder, "stdout"), Path(folder, "stderr")
        target, known = (become, line) if first is None else (become_script, (first, *line))
        process = context.Process(target=target, args=(known, streams, dict(os.environ), str(Path.cwd()), umask()))
        process.start()
        process.join(within)
        try:
            if process.exitcode is None:
                raise TimeoutError(f"{line} did not end in {within} s")
        finally:
            process.kill()
        said, errors = (path.read_bytes() for path in streams)
        return subprocess.CompletedProcess(line, process.exitcode, said, errors)


def umask():
    """The mask of this process, which a fork of another process does not have."""
    present = os.umask(0o077)
    os.umask(present)
    return present


def become(line, logs, environment, cwd, mask):
    """The command itself, in the fork."""
    stand_in(logs, environment, cwd, mask)
    from signoff.cli.main import main

    sys.exit(main(list(line)))


def become_script(line, logs, environment, cwd, mask):
    """The console script, in the fork; at its end its streams are flushed as an interpreter flushes them."""
    first, *words = line
    stand_in(logs, environment, cwd, mask)
    first()
    sys.argv = ["signoff", *words]
    from signoff.cli.main import run

    try:
        run()
    except SystemExit as ended:
        code = ended.code or 0
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            code = 120
    os._exit(code)


def stand_in(logs, environment, cwd, mask):
    """Streams, folder, mask and environment of whoever asked for the process."""
    for stream, log in enumerate(logs, start=1):
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644), stream)
    os.umask(mask)
    if cwd is not None:
        os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
