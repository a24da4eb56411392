"""One POST to the first of several addresses that answers, with one deadline for the whole request.

A timeout on each read would let a receiver that sends one byte a second go on for ever. So one deadline covers
connecting, writing and reading, and only the head of the answer is read. The next address is tried only if the request
cannot have been received.
"""

import ssl
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from time import monotonic
from typing import Any, Final

import httpcore
import httpx

TOTAL_S: Final = 10.0
# Connecting to one address, and to all of them together; the rest of the time is for the answer.
CONNECT_S: Final = 3.0
CONNECTING_S: Final = 6.0
MOST_ADDRESSES: Final = 20
# Bytes per write; each write is checked against the deadline, also for a receiver that reads slowly.
WRITTEN: Final = 1024
# Far above the head of any honest answer.
MOST_READ: Final = 1 << 16
# With these errors, no part of the request was sent.
BEFORE_SENDING: Final = (httpcore.ConnectError, httpcore.ConnectTimeout)
FAILURES: Final = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.UnsupportedProtocol,
    httpx.InvalidURL,
    OSError,
    ValueError,
)
Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A receiver's answer; the status is None where no address answered. `failed` are the addresses that failed."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    failed: tuple[Address, ...] = ()
    problem: str = ""


Post = Callable[[str, Sequence[Address], Mapping[str, str], bytes], Answer]


def post(url: str, addresses: Sequence[Address], headers: Mapping[str, str], body: bytes) -> Answer:
    """Post a body to the host of a URL; the addresses are tried in this order."""
    began, failed, problems = monotonic(), list[Address](), list[str]()
    tried = addresses[:MOST_ADDRESSES]
    for n, address in enumerate(tried):
        left = CONNECTING_S - (monotonic() - began)
        if left <= 0:
            break
        pinned = _Pinned(address, began + TOTAL_S, min(CONNECT_S, left / (len(tried) - n)))
        try:
            status, answer_headers = _answer(pinned, url, headers, body)
        except FAILURES as error:
            failed.append(address)
            problems.append(f"{type(error).__name__} at {address}")
            if not isinstance(error, BEFORE_SENDING):
                break
            continue
        return Answer(status=status, headers=answer_headers, failed=tuple(failed))
    return Answer(failed=tuple(failed), problem=", ".join(problems))


def _answer(pinned: "_Pinned", url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Mapping[str, str]]:
    """The head of the answer; its body is not read."""
    meant = httpx.URL(url)
    target = httpcore.URL(scheme=meant.raw_scheme, host=meant.raw_host, port=meant.port, target=meant.raw_path)
    every = [(b"host", meant.netloc), *((name.encode(), value.encode("ascii")) for name, value in headers.items())]
    with (
        httpcore.ConnectionPool(ssl_context=_trust(), network_backend=pinned, max_connections=1) as pool,
        pool.stream("POST", target, headers=every, content=body) as answer,
    ):
        answer_headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}
        return answer.status, answer_headers


@cache
def _trust() -> ssl.SSLContext:
    return httpx.create_ssl_context(trust_env=False)


class _Pinned(httpcore.NetworkBackend):
    """Connects to one address, whatever host the URL names, and applies the deadline."""

    def __init__(self, address: Address, ends: float, connect_s: float) -> None:
        self._address, self._ends, self._connect_s = address, ends, connect_s
        self._real = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,  # noqa: ARG002 - the address was looked up and checked
        port: int,
        timeout: float | None = None,  # noqa: ARG002 - one deadline covers everything
        local_address: str | None = None,  # noqa: ARG002
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Connect."""
        stream = self._real.connect_tcp(str(self._address), port, timeout=self._connect_s)
        return _Bounded(stream, self._ends, self._connect_s)


class _Bounded(httpcore.NetworkStream):
    """A stream with a limit on the bytes read and a deadline."""

    def __init__(self, stream: httpcore.NetworkStream, ends: float, handshake_s: float) -> None:
        self._stream, self._ends, self._handshake_s = stream, ends, handshake_s
        self._read = 0

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        """Read the available bytes."""
        if self._read >= MOST_READ:
            raise httpcore.ReadError(f"more than {MOST_READ:,} bytes and no answer")
        received = self._stream.read(min(max_bytes, MOST_READ - self._read), timeout=self._left(httpcore.ReadTimeout))
        self._read += len(received)
        return received

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        """Write all of it."""
        for start in range(0, len(buffer), WRITTEN):
            self._stream.write(buffer[start : start + WRITTEN], timeout=self._left(httpcore.WriteTimeout))

    def close(self) -> None:
        """Close it."""
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        """Perform the TLS handshake, before any part of the request is sent."""
        left = self._left(httpcore.ConnectTimeout)
        secured = self._stream.start_tls(ssl_context, server_hostname, min(left, self._handshake_s))
        return _Bounded(secured, self._ends, self._handshake_s)

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - as httpcore has it
        """Information about the stream."""
        return self._stream.get_extra_info(info)

    def _left(self, late: type[Exception]) -> float:
        if (left := self._ends - monotonic()) <= 0:
            raise late(f"not done within {TOTAL_S:.0f} s")
        return left
