"""The process in which a candidate predicts: it loads the approved version by itself and answers row after row.

It ends with the desk that started it. It prints nothing, reads no configuration and never sees an order.
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from signoff.desk.models import load
from signoff.desk.shadow_rows import ChildRows, ChildState, Status
from signoff.domain.artifacts import pin_of
from signoff.domain.errors import SignoffError

START: Final = (
    "import json, sys; brief = json.loads(sys.stdin.readline()); sys.path[:] = brief['path']; "
    "from signoff.desk.shadow import main; main(brief)"
)
NICE: Final = 5
POLL_S: Final = 0.0003
IDLE_POLL_S: Final = 0.005
BUSY_FOR_S: Final = 0.5
_PR_SET_PDEATHSIG: Final = 1


def brief_of(folder: Path, pin: Mapping[str, Any], rows: tuple[int, int], *, features: int, depth: int) -> bytes:
    """What the child is told on its standard input."""
    said = {
        "path": sys.path,
        "folder": str(folder),
        "pin": dict(pin),
        "rows": rows,
        "features": features,
        "depth": depth,
        "parent": os.getpid(),
    }
    return json.dumps(said).encode() + b"\n"


def main(brief: Mapping[str, Any]) -> None:
    """Load the version and answer until the desk ends."""
    _end_with(int(brief["parent"]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the desk decides when it ends
    with suppress(OSError):
        os.nice(NICE)
    rows = ChildRows(*brief["rows"], features=brief["features"], depth=brief["depth"])
    try:
        model = load(Path(brief["folder"]), pin_of(brief["pin"]))
    except SignoffError as error:
        rows.say(ChildState.FAILED, str(error))
        raise SystemExit(1) from error
    except BaseException as error:
        rows.say(ChildState.FAILED, f"{type(error).__name__}: {error}")
        raise
    rows.say(ChildState.READY)
    _answer(rows, model.answer, int(brief["parent"]))


def _answer(rows: ChildRows, predict: Any, parent: int) -> None:  # noqa: ANN401 - of whichever format
    busy_until = 0.0
    while True:
        content = rows.next()
        if content is None:
            if os.getppid() != parent:
                return
            time.sleep(POLL_S if time.monotonic() < busy_until else IDLE_POLL_S)
            continue
        busy_until = time.monotonic() + BUSY_FOR_S
        began = time.perf_counter_ns()
        try:
            value, status = predict(memoryview(content).cast("d")), Status.ANSWERED
        except BaseException:  # noqa: BLE001 - a candidate may raise anything; it is counted
            value, status = float("nan"), Status.RAISED
        rows.answer(status, value, time.perf_counter_ns() - began)


def _end_with(parent: int) -> None:
    """Let the kernel end this process with its parent, and end now where the parent is gone already."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        raise SystemExit(1)
