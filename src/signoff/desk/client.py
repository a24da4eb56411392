"""The flags inside a trading process: a thread listens to the server, and a read takes under a microsecond.

`FlagClient(urls, token=..., keys=..., models=...)`, then `client.flags("momentum", "1.2.0")` before every order, with
the version that this process runs. Without a version, the flags are those of the only live version, and off while there
are several. `flags` raises no network error: the lease expires and the flags are closed.
"""

import http.client
import random
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from signoff.desk.leased_flags import CLOSED, LeasedFlags, Verify
from signoff.domain.flag_notices import NEWEST
from signoff.domain.flags import LEASE_S, Flags

SILENCE_S: Final = 5.0
FIRST_WAIT_S: Final = 0.1
MOST_WAIT_S: Final = 2.0
MOST_LINE: Final = 1 << 20


def pinned(keys: Mapping[str, str]) -> Verify:
    """A signature check against pinned public keys: key id to raw Ed25519 key, in hex."""
    public_keys = {name: Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)) for name, key in keys.items()}

    def verify(key_id: str, signature: bytes, content: bytes) -> bool:
        key = public_keys.get(key_id)
        if key is None:
            return False
        try:
            key.verify(signature, content)
        except InvalidSignature:
            return False
        return True

    return verify


class FlagClient:
    """Follows the flags of some models on the first of several servers that answers.

    If a server's notices keep every model closed for a whole lease, the client changes to the next server.
    """

    def __init__(
        self,
        urls: Sequence[str],
        *,
        token: str,
        keys: Mapping[str, str],
        models: Sequence[str],
        lease_s: float = LEASE_S,
    ) -> None:
        if not urls or not models:
            raise ValueError("expected at least one server and one model to follow")
        self._urls, self._token, self._models = tuple(urls), token, tuple(models)
        self._lease_s = lease_s
        self._beliefs = LeasedFlags(pinned(keys), time.monotonic, lease_s=lease_s)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="signoff-flags", daemon=True)
        self.flags = self._beliefs.flags

    def start(self) -> "FlagClient":
        """Begin to listen; all flags are closed until the first notice."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop listening; the present flags hold until their lease ends."""
        self._is_over.set()

    def wait_for(self, model: str, version: str | None = None, *, timeout_s: float = 10.0) -> Flags:
        """The flags once they are known; closed flags after the timeout."""
        deadline = time.monotonic() + timeout_s
        while (flags := self.flags(model, version)).state == CLOSED and time.monotonic() < deadline:
            time.sleep(0.01)
        return flags

    @property
    def refused(self) -> Mapping[str, int]:
        """Counts of refused notices and failed streams, by reason. Each reason is logged too."""
        return dict(self._beliefs.refused)

    def _follow(self) -> None:
        wait, turn = FIRST_WAIT_S, 0
        while not self._is_over.is_set():
            heard, patient_until = False, time.monotonic() + self._lease_s
            try:
                for kind, data in self._notices(self._urls[turn % len(self._urls)]):
                    self._beliefs.hear(kind, data)
                    heard = True
                    if self._is_over.is_set():
                        return
                    if self._is_anything_known():
                        patient_until = time.monotonic() + self._lease_s
                    elif time.monotonic() > patient_until:  # the server lags behind, or cannot read its record
                        turn += 1
                        break
                if not heard:
                    self._beliefs.refuse("a stream that ended before its first notice")
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._beliefs.refuse(_why(error))
                turn += 1
            wait = FIRST_WAIT_S if heard else min(2 * wait, MOST_WAIT_S)
            self._is_over.wait(wait * random.uniform(0.5, 1.0))  # noqa: S311 - so that desks do not return all at once

    def _is_anything_known(self) -> bool:
        return any(self.flags(model).state != CLOSED for model in self._models)

    def _notices(self, url: str) -> Iterator[tuple[str, bytes]]:
        nonce = secrets.token_hex(16)
        parts = urlsplit(url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        asked = [("nonce", nonce), ("notices", str(NEWEST.value)), *(("model", model) for model in self._models)]
        query = urlencode(asked, quote_via=quote)
        with closing(kind(parts.netloc, timeout=SILENCE_S)) as connection:
            self._beliefs.connect(nonce)
            headers = {"Authorization": f"Bearer {self._token}", "Accept": "text/event-stream"}
            connection.request("GET", f"{parts.path.rstrip('/')}/api/v1/stream?{query}", headers=headers)
            answer = connection.getresponse()
            if answer.status != http.client.OK:
                raise http.client.HTTPException(_refusal(answer.status))
            if not (answer.getheader("content-type") or "").startswith("text/event-stream"):
                raise http.client.HTTPException("an answer that is no stream: is it the address of the server?")
            yield from _events(answer)


def _why(error: Exception) -> str:
    """The meaning of a connection error, in fixed words that can be counted."""
    match error:
        case TimeoutError():
            return f"nothing came for {SILENCE_S:g} s: a proxy holds the stream back, or the server hangs"
        case ConnectionRefusedError():
            return "no server listens at the address"
        case http.client.IncompleteRead() | OSError():
            return f"the connection broke or was never there ({type(error).__name__})"
        case _:
            return str(error) or type(error).__name__


def _refusal(status: int) -> str:
    """The meaning of an answer that is not a stream, for the desk's operator."""
    match status:
        case http.client.UNAUTHORIZED:
            return "the server does not take this token (401): it is wrong, expired or revoked"
        case http.client.FORBIDDEN:
            return "this token may not read flags (403)"
        case _:
            return f"the server answered {status}"


def _events(answer: http.client.HTTPResponse) -> Iterator[tuple[str, bytes]]:
    kind, data = "", b""
    while line := answer.readline(MOST_LINE):
        line = line.rstrip(b"\r\n")
        if line.startswith(b"event: "):
            kind = line[7:].decode()
        elif line.startswith(b"data: "):
            data = line[6:]
        elif not line and data:
            yield kind, data
            kind, data = "", b""
