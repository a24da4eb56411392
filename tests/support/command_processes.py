"""The real command in a process of its own, with whatever a shell does to its streams."""

import os
import re
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from forked import captured


class StoppedAt:
    """Sends the process a signal `before` or `after` the first commit that holds an event of this kind."""

    def __init__(self, when, kind, number):
        self.when, self.kind, self.number = when, kind, int(number)

    def __call__(self):
        from signoff.app.record import Record

        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a run that nohup began ignores it
        commit, is_over = Record.commit, []

        def stopped(record, *changes, **named):
            is_meant = not is_over and any(e.kind == self.kind for change in changes for e in change.events)
            if is_meant and self.when == "before":
                is_over.append(1)
                os.kill(os.getpid(), self.number)
            commit(record, *changes, **named)
            if is_meant and self.when == "after":
                is_over.append(1)
                os.kill(os.getpid(), self.number)

        Record.commit = stopped


class Redirected:
    """Does to the streams what a shell does for words such as `<&-`, `>&-` and `2>/dev/full`."""

    FORM = re.compile(r"(?P<number>\d?)(?P<way>[<>])(?P<to>&-|/\S+)")

    def __init__(self, words):
        self.redirections = [self.FORM.fullmatch(word).groupdict() for word in words.split()]

    def __call__(self):
        for one in self.redirections:
            number = int(one["number"] or ("1" if one["way"] == ">" else "0"))
            if one["to"] == "&-":
                os.close(number)
            else:
                os.dup2(os.open(one["to"], os.O_WRONLY), number)


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


def redirected(*line, home, words):
    """What the console script says, in a fork, after what a shell does to its streams."""
    return captured(*map(str, line), "--home", str(home), first=Redirected(words))


def stopped_at(when, kind, number, *line, home):
    """What the console script says, in a fork, that gets a signal `before` or `after` it records such an event."""
    ended = captured(*map(str, line), "--home", str(home), first=StoppedAt(when, kind, number))
    ended.stdout, ended.stderr = ended.stdout.decode(), ended.stderr.decode()
    return ended
