"""The background work, pass after pass, until a signal stops it. Any number of workers may run at once.

Every step reads the record, decides, and commits under its own idempotency key, so two workers do it once; the second
finds it done. The worker waits for an unreachable database.
"""

import logging
import signal
from collections.abc import Callable
from threading import Event
from time import monotonic
from types import FrameType
from typing import Final

from signoff.config.logs import about, log_lines
from signoff.domain.errors import SignoffError, described, is_fault
from signoff.worker.work import Pass, Worker

PASS_S: Final = 1.0
AWAY_S: Final = 5.0
TIDY_S: Final = 60.0
# Results of a pass for single releases; each gets a log line that names its release.
OF_RELEASES: Final = {
    "rollbacks": "rollback carried on",
    "late": "deadline missed",
    "observed": "session observed",
    "advanced": "advanced",
}
log = logging.getLogger("signoff.worker")


def follow(worker: Worker, *, is_observing: bool, is_advancing: bool, finish: Callable[[], Pass] = Pass) -> None:
    """Work until SIGTERM or Ctrl-C; the pass in progress ends first, and `finish` waits for the lanes."""
    log_lines()
    over = Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        over.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    log.info("started")
    tidied_at = float("-inf")
    while not over.is_set():
        began = monotonic()
        is_tidying = began - tidied_at >= TIDY_S
        has_worked = one_pass(worker, is_observing=is_observing, is_advancing=is_advancing, is_tidying=is_tidying)
        tidied_at = began if has_worked and is_tidying else tidied_at
        over.wait(PASS_S if has_worked else AWAY_S)
    tell(finish())
    log.info("stopped")


def one_pass(worker: Worker, *, is_observing: bool, is_advancing: bool, is_tidying: bool) -> bool:
    """One pass, logged if it did something; False if the database was unreachable."""
    try:
        done = worker.work(is_observing=is_observing, is_advancing=is_advancing, is_tidying=is_tidying)
    except SignoffError as error:
        log.warning("waiting", extra=about(because=str(error)))
        return False
    except BaseException as error:
        if not is_fault(error):
            raise
        log.warning("waiting", extra=about(because=described(error)), exc_info=error)
        return False
    tell(done)
    return True


def tell(done: Pass) -> None:
    """Log what a pass did, if anything."""
    document = done.document()
    for what, message in OF_RELEASES.items():
        for entry in document.pop(what):
            deployment_id, _, detail = entry.partition(": ")
            log.info(message, extra=about(deployment=deployment_id, detail=detail or None))
    for problem in document.pop("problems"):
        log.warning("not done", extra=about(because=problem))
    if document := {name: what for name, what in document.items() if what}:
        log.info("pass", extra=about(**document))
