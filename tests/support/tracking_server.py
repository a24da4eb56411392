"""A real MLflow tracking server as a process of its own on loopback, with its artefacts served over HTTP."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

from real import require_mark


@contextmanager
def tracking_server(place, *, within=120.0):
    """The URI of a server whose database and artefacts lie in this folder; it ends with the block."""
    require_mark("An MLflow tracking server")
    port = _free_port()
    uri = f"http://127.0.0.1:{port}"
    line = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{place / 'served.db'}"),
        *("--artifacts-destination", (place / "served").as_uri()),
    ]
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (place / "server.log").open("wb") as log:
        process = subprocess.Popen(line, stdout=log, stderr=log, env=environment, start_new_session=True)
        try:
            _until_healthy(uri, process, place / "server.log", within)
            yield uri
        finally:
            _end(process)


def _free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _until_healthy(uri, process, log, within):
    end = time.monotonic() + within
    while True:
        assert process.poll() is None, f"the tracking server died: {log.read_text()[-3000:]}"
        assert time.monotonic() < end, log.read_text()[-3000:]
        try:
            with urlopen(f"{uri}/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (URLError, OSError):
            time.sleep(0.1)


def _end(process):
    """End the server and the workers of its group, which was made for it."""
    if process.poll() is None:
        os.killpg(process.pid, 15)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait(20)
