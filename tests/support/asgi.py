"""Requests to an application in this process, for tests that make thousands: a quarter of the time of TestClient.

An answer is a status. What an endpoint raises counts as 500, as a server answers it.
"""

import asyncio
import json
from contextlib import contextmanager


@contextmanager
def running(app):
    """The application after its start; it ends with the block."""
    with asyncio.Runner() as runner:
        lifespan = app.router.lifespan_context(app)
        runner.run(lifespan.__aenter__())
        try:
            yield Straight(app, runner)
        finally:
            runner.run(lifespan.__aexit__(None, None, None))


class Straight:
    def __init__(self, app, runner):
        self.app, self._runner = app, runner

    def status_of(self, method, path, *, headers=None, json=None, content=b""):
        """The status of the answer to this request."""
        return self._runner.run(self._asked(method, path, dict(headers or {}), json, content))

    async def _asked(self, method, path, headers, document, content):
        if document is not None:
            content = json.dumps(document).encode()
            headers.setdefault("content-type", "application/json")
        named = {"host": "testserver", "content-length": str(len(content)), **headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in named.items()],
            "client": ("testclient", 50000),
            "server": ("testserver", 80),
            "state": {},
        }
        messages, over, found = [{"type": "http.request", "body": content, "more_body": False}], asyncio.Event(), []

        async def receive():
            if not messages:
                await over.wait()
                return {"type": "http.disconnect"}
            return messages.pop()

        async def send(message):
            if message["type"] == "http.response.start":
                found.append(message["status"])
            elif not message.get("more_body", False):
                over.set()

        try:
            await self.app(scope, receive, send)
        except Exception:  # noqa: BLE001 - a server answers whatever is raised
            found[:] = found or [500]
        return found[0]
