"""Lines of a log as JSON, one for each thing that happened: what server and worker say, and the libraries in them.

A line has the time in UTC, the level, the logger and a message; the request's id where one is being answered, the
exception where there is one, and whatever names the thing that it is about. What is in a header, a body or a query, or
in the address of a webhook, is in none of them: `httpx` would write each address that it asks.
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
    """One line for each record, whoever made it."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as JSON; what cannot be written as such is written as its words."""
        told: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request := REQUEST.get()) is not None:
            told["request"] = request
        told |= getattr(record, SAID, {})
        if record.exc_info:
            told["exception"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


def about(**said: object) -> dict[str, object]:
    """What a line is about, to be given as `extra`; what is unknown is left out."""
    return {SAID: {name: value for name, value in said.items() if value is not None}}


def log_lines() -> None:
    """Let this process say everything that it says in lines of JSON on standard error."""
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
