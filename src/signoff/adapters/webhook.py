"""Posts notices to a messenger's webhook and calls to a pager; only the operator names their addresses.

A caller who chooses the address could make a server post inside its own network. So the address never comes from a
dossier, it must be public unless its host is allowed by name, the address that was checked is the one that is used,
and no redirect is followed. Every address of the host is tried, in the system's order.
"""

import hashlib
import hmac
import json
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from queue import Empty, Queue
from threading import Thread
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar, cast
from urllib.parse import quote, urlsplit

from signoff.adapters.clocks import WallClock
from signoff.domain.errors import BadInputError, NotTakenError, UnavailableError
from signoff.domain.events import Delivery
from signoff.ports.clock import Clock
from signoff.ports.notices import Notifier, Receipt, Severity

if TYPE_CHECKING:
    from signoff.adapters.bounded_post import Post

LOOK_UP_S: Final = 5.0
# With these a receiver refuses every message for now; any other refusal concerns one message.
OF_RECEIVER: Final = frozenset({408, 425, 429, 502, 503, 504})
MOST_ASKED: Final = timedelta(days=1)
# A notice's id is sent in a header as it is, except for characters that headers cannot have.
IN_HEADERS: Final = "!#$&'()*+,/:;=?@[] "
# More digits than these are not a useful number of seconds.
DIGITS: Final = 9
# IPv4 addresses embedded in IPv6 (RFC 6052).
TRANSLATED: Final = ip_network("64:ff9b::/96")
# The global unicast range; outside of it are site-local, translated and unassigned addresses.
GIVEN_OUT: Final = ip_network("2000::/3")
SIGNATURE: Final = "signoff-signature"
# The longest key that the Events API accepts.
MOST_DEDUP: Final = 255
MOST_SUMMARY: Final = 1024
Address = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Iterable[str]]
T = TypeVar("T")


def look_up(host: str, port: int) -> Iterable[str]:
    """The addresses of a host, in the order in which the system would try them (RFC 6724)."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpReceiver:
    """One URL that the operator names; every post to it goes through here."""

    url: str = field(repr=False)
    allowed: frozenset[str] = frozenset()
    look_up: Lookup = look_up
    clock: Clock = field(default_factory=WallClock)
    # Addresses that failed last time are tried last, since one may accept a post and never answer.
    shunned: set[Address] = field(default_factory=set, repr=False, compare=False)
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

    @property
    def place(self) -> str:
        """The receiver's name, under which its requests to wait are shared."""
        return f"{self._host}:{self._port}"

    @property
    def _receipt(self) -> Receipt:
        return Receipt(Delivery.RECEIVER, f"the {self.kind} at {self._host}")

    def _post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Post a body. NotTakenError means that it was not accepted and stays due."""
        post = _bounded_post()
        addresses = sorted(self._checked_addresses(), key=self.shunned.__contains__)
        every = {"content-type": "application/json", "user-agent": "signoff", **headers}
        answer = post(self.url, addresses, every, body)
        self.shunned.difference_update(addresses)
        self.shunned.update(answer.failed)
        if answer.status is None:
            raise NotTakenError(
                f"the {self.kind} at {self._host} cannot be reached ({answer.problem})", is_of_receiver=True
            )
        if not 200 <= answer.status < 300:
            raise self._refusal(answer.status, answer.headers)

    def _refusal(self, status: int, headers: Mapping[str, str]) -> NotTakenError:
        asked = retry_after(headers, self.clock.now())
        later = "" if asked is None else f", and asked to be left alone for {asked.total_seconds():,.0f} s"
        return NotTakenError(
            f"the {self.kind} at {self._host} answered {status} and did not take the notice{later}",
            is_of_receiver=status in OF_RECEIVER or asked is not None,
            retry_after=asked,
        )

    def _checked_addresses(self) -> tuple[Address, ...]:
        """The addresses of the host; each must be public unless the host is allowed by name."""
        named = f"the {self.kind}'s host {self._host}"
        try:
            answers = within(LOOK_UP_S, lambda: tuple(self.look_up(self._host, self._port)))
            addresses = tuple(dict.fromkeys(ip_address(one.partition("%")[0]) for one in answers))
        except (OSError, ValueError) as error:
            raise NotTakenError(f"{named} has no address ({error})", is_of_receiver=True) from error
        if not addresses:
            raise NotTakenError(f"{named} has no address", is_of_receiver=True)
        inside = [address for address in addresses if not is_public(address)]
        if inside and self._host not in self.allowed:
            raise NotTakenError(
                f"{named} has the address {inside[0]}, which is not public; allow it with "
                f"{self.setting}_ALLOW={self._host} if it is yours",
                is_of_receiver=True,
            )
        return addresses

    @property
    def _host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def _port(self) -> int:
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(HttpReceiver):
    """A webhook for notices: JSON with a `text` that chat tools show and a `severity`, notice or page.

    Each request carries the notice's id as `Idempotency-Key`, and, with a secret, `Signoff-Signature:
    t=SECONDS,v1=HMAC-SHA256(secret, "SECONDS.body")`, so that the receiver can drop repetitions and forgeries.
    """

    secret: str | None = field(default=None, repr=False)
    kind: ClassVar[str] = "webhook"
    setting: ClassVar[str] = "SIGNOFF_WEBHOOK"

    def send(self, notice_id: str, channel: str, subject: str, text: str, severity: Severity) -> Receipt:
        """Post one notice."""
        message = {
            "identity": notice_id,
            "severity": severity,
            "channel": channel,
            "subject": subject,
            "text": f"[{channel}] {subject}: {text}",
        }
        body = json.dumps(message).encode()
        headers = {"idempotency-key": quote(notice_id, safe=IN_HEADERS)}
        if self.secret is not None:
            headers[SIGNATURE] = signature(self.secret, int(self.clock.now().timestamp()), body)
        self._post(body, headers)
        return self._receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager(HttpReceiver):
    """A pager, by PagerDuty's Events API v2; the notice's id makes repetitions one call."""

    key: str = field(repr=False)
    kind: ClassVar[str] = "pager"
    setting: ClassVar[str] = "SIGNOFF_PAGER"

    def __post_init__(self) -> None:
        HttpReceiver.__post_init__(self)
        if not self.key:
            raise BadInputError("Expected the pager's routing key in the file that SIGNOFF_PAGER_KEY_FILE names.")

    def send(self, notice_id: str, channel: str, subject: str, text: str, severity: Severity) -> Receipt:
        """Call people once; a call is always critical."""
        event = {
            "routing_key": self.key,
            "event_action": "trigger",
            "dedup_key": notice_id[:MOST_DEDUP],
            "client": "Signoff",
            "payload": {
                "summary": f"{subject}: {text}"[:MOST_SUMMARY],
                "source": notice_id.partition(":")[0],
                "severity": "critical",
                "custom_details": {"channel": channel, "text": text, "severity": severity},
            },
        }
        self._post(json.dumps(event).encode(), {})
        return self._receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class BySeverity:
    """Sends calls to one receiver and notices to another."""

    calls: Notifier
    notices: Notifier

    def send(self, notice_id: str, channel: str, subject: str, text: str, severity: Severity) -> Receipt | None:
        """Deliver to the receiver of this severity."""
        place = self.calls if severity is Severity.PAGE else self.notices
        return place.send(notice_id, channel, subject, text, severity)


def signature(secret: str, at: int, body: bytes) -> str:
    """The signature that a receiver checks: the time in seconds, and the HMAC-SHA256 over time and body."""
    mac = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256)
    return f"t={at},v1={mac.hexdigest()}"


def is_public(address: Address) -> bool:
    """Whether an address is public, also if it is embedded in another."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is not None:
            return is_public(inner)
        if address in TRANSLATED:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        return address in GIVEN_OUT and address.is_global
    return address.is_global and not address.is_multicast


def retry_after(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long a receiver asks to wait, given in seconds or as a date; None without a valid value.

    A date is compared with the answer's own date if it has one, so the clocks need not agree.
    """
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        seconds = int(value) if len(value) <= DIGITS else MOST_ASKED.total_seconds()
        asked = min(timedelta(seconds=min(seconds, MOST_ASKED.total_seconds())), MOST_ASKED)
    elif (until := _http_date(value)) is not None:
        asked = min(until - (_http_date(headers.get("date", "")) or now), MOST_ASKED)
    else:
        return None
    return asked if asked > timedelta(0) else None


def _http_date(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def within(seconds: float, call: Callable[[], T]) -> T:
    """The result of a call that cannot be interrupted; after the time it is abandoned with TimeoutError."""
    results: Queue[tuple[T | None, Exception | None]] = Queue()

    def run() -> None:
        try:
            results.put((call(), None))
        except Exception as error:  # noqa: BLE001 - the waiting caller raises it
            results.put((None, error))

    Thread(target=run, daemon=True, name="look up").start()
    try:
        result, wrong = results.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer came within {seconds:.0f} s") from None
    if wrong is not None:
        raise wrong
    return cast("T", result)


def _bounded_post() -> "Post":
    try:
        from signoff.adapters.bounded_post import post  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise UnavailableError("Webhooks and pagers need the extra `signoff[server]`; install it.") from error
    return post
