"""The load, in a process of its own: connections that stay open and ask again as soon as they are answered, or streams.

It reads one plan as JSON and answers with JSON: the milliseconds of each request, what statuses came, and the names of
the commands that were acknowledged. It knows nothing of whose server it asks, so that both are asked in the same way.
"""

import asyncio
import json
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from typing import Any

WARM_UP = 6
CONTROL = re.compile(rb"event: control\ndata: (.*)\n\n")


def loaded(plan: dict[str, Any]) -> dict[str, Any]:
    """What a load process measured of this plan."""
    asked = subprocess.run(
        [sys.executable, __file__], input=json.dumps(plan), capture_output=True, text=True, check=False
    )
    assert asked.returncode == 0, asked.stderr
    found: dict[str, Any] = json.loads(asked.stdout)
    return found


async def carried_out(plan: dict[str, Any]) -> dict[str, Any]:
    if plan["kind"] == "streams":
        return await Streams(plan).run()
    requests = Requests(plan)
    began = time.perf_counter()
    await asyncio.gather(*(requests.ask(n, cycle) for n, cycle in enumerate(plan["connections"])))
    took = time.perf_counter() - began
    return {
        "seconds": took - requests.warming_s,
        "ms": requests.taken,
        "statuses": requests.statuses,
        "acknowledged": requests.acknowledged,
        "bytes": requests.bytes,
        "problem": requests.problem,
    }


class Requests:
    """Connections that each go round their own requests, to the end; `{n}` in a request is a name used once."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.taken: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.acknowledged: list[str] = []
        self.bytes, self.problem = 0, ""
        self.warm = asyncio.Barrier(len(plan["connections"]))
        self.warming_s = 0.0

    async def ask(self, number: int, cycle: list[dict[str, Any]]) -> None:
        connection = Connection(self.plan["port"], self.plan["headers"])
        came = time.perf_counter()
        for n in range(WARM_UP):
            await self.once(connection, cycle[n % len(cycle)], f"{self.plan['tag']}-{number}-{n}")
        await self.warm.wait()
        start = time.perf_counter()
        self.warming_s = start - came
        n = WARM_UP
        while time.perf_counter() - start < self.plan["seconds"] or n % len(cycle):
            name = f"{self.plan['tag']}-{number}-{n}"
            self.taken.append(await self.once(connection, cycle[n % len(cycle)], name))
            n += 1
        connection.close()

    async def once(self, connection: "Connection", request: dict[str, Any], name: str) -> float:
        began = time.perf_counter()
        status, content = await connection.ask(request, name)
        took = 1000 * (time.perf_counter() - began)
        self.statuses[status] += 1
        self.bytes = max(self.bytes, len(content))
        if status == request.get("expects", 200):
            self.acknowledged.append(name)
        else:
            self.problem = f"{status}: {content[:300].decode(errors='replace')}"
        return took


class Connection:
    """One connection that is kept open; opened again when the server closed it."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self.port, self.headers = port, headers
        self.reader: asyncio.StreamReader | None = None
        self.writer: asyncio.StreamWriter | None = None

    async def ask(self, request: dict[str, Any], name: str = "") -> tuple[int, bytes]:
        """Status and body; 0 for a connection that broke."""
        try:
            return await self._ask(request, name)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            return 0, str(error).encode()

    async def _ask(self, request: dict[str, Any], name: str) -> tuple[int, bytes]:
        if self.reader is None or self.writer is None:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)
        self.writer.write(self._written(request, name))
        quickly(self.writer)
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        content = await self._content(self.reader, head)
        if b"connection: close" in head:
            self.close()
        return int(head.split(b" ", 2)[1]), content

    def _written(self, request: dict[str, Any], name: str) -> bytes:
        body = request.get("body", "").replace("{n}", name).encode()
        headers = {"Host": f"127.0.0.1:{self.port}", **self.headers, **request.get("headers", {})}
        if body or request["method"] == "POST":
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items()).replace("{n}", name)
        return f"{request['method']} {request['path']} HTTP/1.1\r\n{lines}\r\n".encode() + body

    async def _content(self, reader: asyncio.StreamReader, head: bytes) -> bytes:
        if length := re.search(rb"\r\ncontent-length: *(\d+)", head):
            return await reader.readexactly(int(length[1]))
        content = b""
        if b"transfer-encoding: chunked" in head:
            while size := int(await reader.readuntil(b"\r\n"), 16):
                content += (await reader.readexactly(size + 2))[:-2]
            await reader.readexactly(2)
        return content

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


def quickly(writer: asyncio.StreamWriter) -> None:
    """Acknowledge at once what comes: a server that leaves Nagle's algorithm on would wait 40 ms for our kernel."""
    if hasattr(socket, "TCP_QUICKACK"):
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


class Streams:
    """Streams that are all open while one connection sends commands; when each heard of what each command led to."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.connecting: list[float] = []
        self.heard: list[list[tuple[float, bytes]]] = [[] for _ in range(plan["count"])]

    async def run(self) -> dict[str, Any]:
        gate, opened = asyncio.Semaphore(self.plan["at_once"]), asyncio.Event()
        began = time.perf_counter()
        tasks = [asyncio.create_task(self.follow(n, gate, opened)) for n in range(self.plan["count"])]
        await opened.wait()
        took = time.perf_counter() - began
        await asyncio.sleep(1)
        sent = await self.command()
        await asyncio.sleep(2)
        for task in tasks:
            task.cancel()
        return {"connect_ms": self.connecting, "connect_s": took, **self.arrivals(sent)}

    async def follow(self, number: int, gate: asyncio.Semaphore, opened: asyncio.Event) -> None:
        async with gate:
            began = time.perf_counter()
            reader, writer = await asyncio.open_connection("127.0.0.1", self.plan["port"], limit=2**24)
            lines = "".join(f"{key}: {value}\r\n" for key, value in self.plan["headers"].items())
            writer.write(f"GET {self.plan['path']} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode())
            await reader.readuntil(b"event: greeting\n")
            self.connecting.append(1000 * (time.perf_counter() - began))
        if len(self.connecting) == self.plan["count"]:
            opened.set()
        while content := await reader.read(2**20):
            self.heard[number].append((time.perf_counter(), content))

    async def command(self) -> dict[tuple[str, int], float]:
        """When each command was sent, by the model and the flags' revision that it led to."""
        connection = Connection(self.plan["port"], self.plan["headers"])
        sent = {}
        for n in range(self.plan["commands"]):
            request = self.plan["cycle"][n % len(self.plan["cycle"])]
            began = time.perf_counter()
            status, content = await connection.ask(request, f"{self.plan['tag']}-{n}")
            assert status == 200, content
            said = json.loads(content)
            sent[said["model"], said["flags_revision"]] = began
            await asyncio.sleep(self.plan["wait_s"])
        return sent

    def arrivals(self, sent: dict[tuple[str, int], float]) -> dict[str, Any]:
        taken, missing = [], 0
        for pieces in self.heard:
            first: dict[tuple[str, int], float] = {}
            for at, model, revision in controls(pieces):
                first.setdefault((model, revision), at)
            missing += sum(1 for what in sent if what not in first)
            taken += [1000 * (first[what] - began) for what, began in sent.items() if what in first]
        return {"ms": taken, "missing": missing, "commands": len(sent)}


def controls(pieces: list[tuple[float, bytes]]) -> list[tuple[float, str, int]]:
    """The notices in what a stream brought, with the moment at which each was whole."""
    found, rest = [], b""
    for at, piece in pieces:
        rest += piece
        while match := CONTROL.search(rest):
            said = json.loads(json.loads(match[1])["payload"])["control"]
            found.append((at, said["model"], said["rev"]))
            rest = rest[match.end() :]
    return found


if __name__ == "__main__":
    print(json.dumps(asyncio.run(carried_out(json.load(sys.stdin)))))
