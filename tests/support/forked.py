"""Our own commands as processes, forked from one that has imported everything, so that they start at once.

What runs in the fork is `signoff.cli.main.main`, as the console script runs it, with the present environment.
"""

import multiprocessing
import os
import sys

PRELOADED = [
    "signoff.cli.main",
    "signoff.cli.commands",
    "signoff.http.server",
    "signoff.adapters.store_sql",
    "psycopg",
    "anyio",
]
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(PRELOADED)


class Command:
    """A command of ours, with what the tests ask of a process."""

    def __init__(self, *line, log):
        self._process = context.Process(target=become, args=(line, str(log), dict(os.environ)))
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


def become(line, log, environment):
    """The command itself, in the fork."""
    told = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (1, 2):
        os.dup2(told, stream)
    os.environ.clear()
    os.environ.update(environment)
    from signoff.cli.main import main

    sys.exit(main(list(line)))
