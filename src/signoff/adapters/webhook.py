"""Notices posted to a messenger's or pager's webhook, named by whoever runs the installation and by nobody else.

A server that posts where it is told can be made to post inside its own network. So the address never comes from a
dossier, must be public unless its host is allowed by name, is looked up once and then used as it was checked, and no
redirect is followed.
"""

import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from types import ModuleType
from typing import Final
from urllib.parse import urlsplit

from signoff.domain.errors import BadInputError, UnavailableError
from signoff.ports.clock import Clock

SECONDS: Final = 10.0
# Through these, IPv4 addresses are reached from IPv6 (RFC 6052).
TRANSLATED: Final = ip_network("64:ff9b::/96")
# All that was ever given out to the internet; beyond it lie addresses of the site, of old translations and of nobody.
GIVEN_OUT: Final = ip_network("2000::/3")
SIGNATURE: Final = "signoff-signature"
Address = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Iterable[str]]


def look_up(host: str, port: int) -> Iterable[str]:
    """The addresses of a host."""
    return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One URL that every notice is posted to, as JSON with a `text` that chat tools show.

    Each request carries the notice's identity as `Idempotency-Key`, and, with a secret, `Signoff-Signature:
    t=SECONDS,v1=HMAC-SHA256(secret, "SECONDS.body")`, so that the receiver can drop repetitions and forgeries.
    """

    url: str
    clock: Clock
    secret: str | None = field(default=None, repr=False)
    allowed: frozenset[str] = frozenset()
    look_up: Lookup = look_up

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        is_web = parts.scheme in {"https", "http"} and parts.hostname is not None
        if not is_web or parts.username is not None or parts.fragment:
            raise BadInputError(
                f"Expected SIGNOFF_WEBHOOK_URL as https://HOST/PATH without a name or password in it, found one with "
                f"scheme {parts.scheme!r} and host {parts.hostname!r}."
            )
        if parts.scheme == "http" and parts.hostname not in self.allowed:
            raise BadInputError(
                f"Expected an https URL for the webhook at {parts.hostname}, found http: anybody between could read "
                f"and change notices. A host of your own is allowed by SIGNOFF_WEBHOOK_ALLOW={parts.hostname}."
            )

    def send(self, identity: str, channel: str, subject: str, text: str) -> None:
        """Post one notice. UnavailableError when it was not taken, and then it stays due."""
        told = {"identity": identity, "channel": channel, "subject": subject, "text": f"[{channel}] {subject}: {text}"}
        body = json.dumps(told).encode()
        host = self._host
        headers = {
            "content-type": "application/json",
            "host": host if self._has_usual_port else f"{host}:{self._port}",
            "idempotency-key": identity,
            "user-agent": "signoff",
        }
        if self.secret is not None:
            headers[SIGNATURE] = signature(self.secret, int(self.clock.now().timestamp()), body)
        httpx = _httpx()
        pinned = httpx.URL(self.url).copy_with(host=str(self._checked_address()))
        extensions = {"sni_hostname": host}
        try:
            with (
                httpx.Client(trust_env=False, timeout=SECONDS, follow_redirects=False) as client,
                client.stream("POST", pinned, content=body, headers=headers, extensions=extensions) as answer,
            ):
                status = answer.status_code
        except httpx.HTTPError as error:
            raise UnavailableError(f"the webhook at {host} cannot be reached ({type(error).__name__})") from error
        if not 200 <= status < 300:
            raise UnavailableError(f"the webhook at {host} answered {status} and did not take the notice")

    def _checked_address(self) -> Address:
        """An address of the host, none of whose addresses lies inside unless the host is allowed by name."""
        try:
            found = [ip_address(said.partition("%")[0]) for said in self.look_up(self._host, self._port)]
        except (OSError, ValueError) as error:
            raise UnavailableError(f"the webhook's host {self._host} has no address ({error})") from error
        if not found:
            raise UnavailableError(f"the webhook's host {self._host} has no address")
        inside = [address for address in found if not is_public(address)]
        if inside and self._host not in self.allowed:
            raise UnavailableError(
                f"the webhook's host {self._host} has the address {inside[0]}, which is not public; allow it with "
                f"SIGNOFF_WEBHOOK_ALLOW={self._host} if it is yours"
            )
        return found[0]

    @property
    def _host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def _port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def _has_usual_port(self) -> bool:
        return urlsplit(self.url).port is None


def signature(secret: str, at: int, body: bytes) -> str:
    """What a receiver compares with: the time in seconds, and the HMAC-SHA256 over time and body."""
    mac = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


def is_public(address: Address) -> bool:
    """Whether an address is one of the internet at large, also when it is written as one within another."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is not None:
            return is_public(inner)
        if address in TRANSLATED:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        return address in GIVEN_OUT and address.is_global
    return address.is_global and not address.is_multicast


def _httpx() -> ModuleType:
    try:
        import httpx  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise UnavailableError("Webhooks need the extra `signoff[server]`; install it.") from error
    return httpx
