"""`signoff`: where every command begins and ends.

Exit codes: 0 done, 1 refused or not passed, 2 bad input, 128 and the signal's number when stopped by one. Neither what
cannot be printed nor a signal ends in a traceback; the commands themselves are loaded only once both are seen to.
"""

import gc
import sys

from signoff.cli.interruption import Interrupted, Signals
from signoff.output import keep_streams, problem_of


def run() -> None:
    """The entry point of the console script."""
    keep_streams()
    signals = Signals().heed()
    try:
        code = main(sys.argv[1:], signals)
    except Interrupted as stopped:
        code = stopped.exit_code
        sys.stderr.write("Stopped before anything was done. Nothing was recorded.\n")
    signals.ignore()
    if (problem := problem_of(sys.stdout)) is not None:
        sys.stderr.write(
            f"The answer could not be written to standard output ({problem.strerror}). The exit code {code} says what "
            "became of the command.\n"
        )
    sys.stderr.flush()
    sys.exit(code)


def main(arguments: list[str], signals: Signals | None = None) -> int:
    """Run one command and return its exit code.

    The garbage collector waits until the command is loaded: it takes a fifth of the time and finds nothing to free.
    """
    gc.disable()
    try:
        from signoff.cli.commands import invoke  # noqa: PLC0415 - a signal may cut off what it loads

        return invoke(arguments, signals or Signals())
    finally:
        gc.enable()
