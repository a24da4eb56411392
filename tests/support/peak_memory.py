"""The most memory that a command of ours held, in a fork of a process that has imported everything and read nothing.

The fork begins with what that process holds, which every measured command has in common: compare two of them.
"""

import os
import resource
import tempfile
from pathlib import Path

from forked import become, context, umask


def measured(*line, within=120):
    """Exit status, what was said on both streams, and the most memory that the command held, in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        log, peak = Path(folder, "said"), Path(folder, "peak")
        process = context.Process(
            target=measuring, args=(line, (log, log), dict(os.environ), str(Path.cwd()), umask(), peak)
        )
        process.start()
        process.join(within)
        try:
            if process.exitcode is None:
                raise TimeoutError(f"{line} did not end in {within} s")
        finally:
            process.kill()
        said = log.read_text()
        assert peak.exists(), f"{line} was ended from outside ({process.exitcode}): {said}"
        return process.exitcode, said, int(peak.read_text())


def measuring(line, logs, environment, cwd, mask, peak):
    """The command itself, in the fork; its peak is written when it is over."""
    try:
        become(line, logs, environment, cwd, mask)
    finally:
        peak.write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))
