"""Notices posted to a messenger's webhook and calls to a pager, named by whoever runs the installation and nobody else.

A server that posts where it is told can be made to post inside its own network. So the address never comes from a
dossier, must be public unless its host is allowed by name, is looked up once and then used as it was checked, and no
redirect is followed.
"""

import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from types import ModuleType
from typing import ClassVar, Final
from urllib.parse import urlsplit

from signoff.domain.errors import BadInputError, UnavailableError
from signoff.ports.clock import Clock
from signoff.ports.notices import Notifier, Severity

SECONDS: Final = 10.0
# Through these, IPv4 addresses are reached from IPv6 (RFC 6052).
TRANSLATED: Final = ip_network("64:ff9b::/96")
# All that was ever given out to the internet; beyond it lie addresses of the site, of old translations and of nobody.
GIVEN_OUT: Final = ip_network("2000::/3")
SIGNATURE: Final = "signoff-signature"
# The longest that the Events API takes.
MOST_DEDUP: Final = 255
MOST_SUMMARY: Final = 1024
Address = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Iterable[str]]


def look_up(host: str, port: int) -> Iterable[str]:
    """The addresses of a host."""
    return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """One URL that the operator names, and the only way in which anything is posted to it."""

    url: str = field(repr=False)
    allowed: frozenset[str] = frozenset()
    look_up: Lookup = look_up
    kind: ClassVar[str]
    setting: ClassVar[str]

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        is_web = parts.scheme in {"https", "http"} and parts.hostname is not None
        if not is_web or parts.username is not None or parts.fragment:
            raise BadInputError(
                f"Expected {self.setting}_URL as https://HOST/PATH without a name or password in it, found one with "
                f"scheme {parts.scheme!r} and host {parts.hostname!r}."
            )
        if parts.scheme == "http" and parts.hostname not in self.allowed:
            raise BadInputError(
                f"Expected an https URL for the {self.kind} at {parts.hostname}, found http: anybody between could "
                f"read and change notices. A host of your own is allowed by {self.setting}_ALLOW={parts.hostname}."
            )

    def _post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Post a body. UnavailableError when it was not taken, and then it stays due."""
        host = self._host
        every = {
            "content-type": "application/json",
            "host": host if self._has_usual_port else f"{host}:{self._port}",
            "user-agent": "signoff",
            **headers,
        }
        httpx = _httpx()
        pinned = httpx.URL(self.url).copy_with(host=str(self._checked_address()))
        extensions = {"sni_hostname": host}
        try:
            with (
                httpx.Client(trust_env=False, timeout=SECONDS, follow_redirects=False) as client,
                client.stream("POST", pinned, content=body, headers=every, extensions=extensions) as answer,
            ):
                status = answer.status_code
        except httpx.HTTPError as error:
            raise UnavailableError(f"the {self.kind} at {host} cannot be reached ({type(error).__name__})") from error
        if not 200 <= status < 300:
            raise UnavailableError(f"the {self.kind} at {host} answered {status} and did not take the notice")

    def _checked_address(self) -> Address:
        """An address of the host, none of whose addresses lies inside unless the host is allowed by name."""
        try:
            found = [ip_address(said.partition("%")[0]) for said in self.look_up(self._host, self._port)]
        except (OSError, ValueError) as error:
            raise UnavailableError(f"the {self.kind}'s host {self._host} has no address ({error})") from error
        if not found:
            raise UnavailableError(f"the {self.kind}'s host {self._host} has no address")
        inside = [address for address in found if not is_public(address)]
        if inside and self._host not in self.allowed:
            raise UnavailableError(
                f"the {self.kind}'s host {self._host} has the address {inside[0]}, which is not public; allow it with "
                f"{self.setting}_ALLOW={self._host} if it is yours"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(Receiver):
    """Where notices are posted, as JSON with a `text` that chat tools show and a `severity`, notice or page.

    Each request carries the notice's identity as `Idempotency-Key`, and, with a secret, `Signoff-Signature:
    t=SECONDS,v1=HMAC-SHA256(secret, "SECONDS.body")`, so that the receiver can drop repetitions and forgeries.
    """

    clock: Clock
    secret: str | None = field(default=None, repr=False)
    kind: ClassVar[str] = "webhook"
    setting: ClassVar[str] = "SIGNOFF_WEBHOOK"

    def send(self, identity: str, channel: str, subject: str, text: str, severity: Severity) -> None:
        """Post one notice."""
        told = {
            "identity": identity,
            "severity": severity,
            "channel": channel,
            "subject": subject,
            "text": f"[{channel}] {subject}: {text}",
        }
        body = json.dumps(told).encode()
        headers = {"idempotency-key": identity}
        if self.secret is not None:
            headers[SIGNATURE] = signature(self.secret, int(self.clock.now().timestamp()), body)
        self._post(body, headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager(Receiver):
    """Whoever wakes people, by PagerDuty's Events API v2; the notice's identity makes a repetition one call."""

    key: str = field(repr=False)
    kind: ClassVar[str] = "pager"
    setting: ClassVar[str] = "SIGNOFF_PAGER"

    def __post_init__(self) -> None:
        Receiver.__post_init__(self)
        if not self.key:
            raise BadInputError("Expected the pager's routing key in the file that SIGNOFF_PAGER_KEY_FILE names.")

    def send(self, identity: str, channel: str, subject: str, text: str, severity: Severity) -> None:
        """Call people once; whatever goes to a pager is critical."""
        event = {
            "routing_key": self.key,
            "event_action": "trigger",
            "dedup_key": identity[:MOST_DEDUP],
            "client": "Signoff",
            "payload": {
                "summary": f"{subject}: {text}"[:MOST_SUMMARY],
                "source": identity.partition(":")[0],
                "severity": "critical",
                "custom_details": {"channel": channel, "text": text, "severity": severity},
            },
        }
        self._post(json.dumps(event).encode(), {})


@dataclass(frozen=True, slots=True, kw_only=True)
class BySeverity:
    """Calls go to one place and notices to another."""

    calls: Notifier
    notices: Notifier

    def send(self, identity: str, channel: str, subject: str, text: str, severity: Severity) -> None:
        """Deliver to whichever it is for."""
        place = self.calls if severity is Severity.PAGE else self.notices
        place.send(identity, channel, subject, text, severity)


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
        raise UnavailableError("Webhooks and pagers need the extra `signoff[server]`; install it.") from error
    return httpx
