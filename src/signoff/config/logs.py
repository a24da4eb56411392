"""Log lines of server, worker and their libraries as JSON.

A line has the time in UTC, the level, the logger and a message; the id of the request, the exception and the subject,
where there are any. No line holds a header, a body, a query or a webhook's URL. `httpx` would log each URL, so its
lines are dropped.
"""

import json
import logging
import sys
import threading
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final

REQUEST: Final = ContextVar[str | None]("request", default=None)
QUIET: Final = ("httpx", "httpcore", "mlflow", "alembic")
SAID: Final = "said"


class JsonLines(logging.Formatter):
    """One line for each record of any logger."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; other values are written as text."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request := REQUEST.get()) is not None:
            line["request"] = request
        line |= getattr(record, SAID, {})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def about(**fields: object) -> dict[str, object]:
    """The subject of a log line, for `extra`; None values are left out."""
    return {SAID: {name: value for name, value in fields.items() if value is not None}}


def log_lines() -> None:
    """Log everything in this process as JSON lines on standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    logging.captureWarnings(True)
    threading.excepthook = _of_a_thread
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def _of_a_thread(ended: threading.ExceptHookArgs) -> None:
    if ended.exc_value is not None:
        what = (ended.exc_type, ended.exc_value, ended.exc_traceback)
        logging.getLogger("signoff").error("a thread ended by an error", exc_info=what)
