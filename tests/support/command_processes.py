"""The real command in a process of its own, with whatever a shell does to its streams."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from forked import captured

# Sends this process a signal around the first commit that holds an event of this kind, then runs the command itself.
STOPPED_AT = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a run that nohup began ignores it
from signoff.app.record import Record
when, kind, number, *line = sys.argv[1:]
commit, is_over = Record.commit, []

def stopped(self, *changes, **named):
    is_meant = not is_over and any(e.kind == kind for change in changes for e in change.events)
    if is_meant and when == "before":
        is_over.append(1)
        os.kill(os.getpid(), int(number))
    commit(self, *changes, **named)
    if is_meant and when == "after":
        is_over.append(1)
        os.kill(os.getpid(), int(number))

Record.commit = stopped
sys.argv = ["signoff", *line]
from signoff.cli.main import run
run()
"""


def environment(**changes):
    """The present environment with these changes; None takes a variable away."""
    found = {name: value for name, value in os.environ.items() if changes.get(name, value) is not None}
    return found | {name: value for name, value in changes.items() if value is not None}


def command(*line, home, env=None, shell=""):
    """What a command says in a process; `shell` is what follows it on the line of a shell.

    Without either it is a fork of a process that has imported everything, which starts in a tenth of the time.
    """
    if env is None and not shell:
        return captured(*map(str, line), "--home", str(home))
    words = [sys.executable, "-m", "signoff", *map(str, line), "--home", str(home)]
    ran = ["sh", "-c", f'"$@" {shell}', "sh", *words]
    return subprocess.run(ran, capture_output=True, env=env or environment(), timeout=120, check=False)


@cache
def code_of_a_kill():
    """How a kill ends that nothing is in the way of: no face of it may change that."""
    with TemporaryDirectory() as folder:
        said = command("kill", "m", "--reason", "x", home=Path(folder) / "home")
    assert b"m is killed" in said.stdout, said.stderr
    return said.returncode


def stopped_at(when, kind, number, *line, home):
    """What a command says that gets a signal `before` or `after` it records an event of this kind."""
    words = [sys.executable, "-c", STOPPED_AT, when, kind, str(int(number)), *map(str, line), "--home", str(home)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
