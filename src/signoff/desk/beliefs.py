"""What a desk believes of its models, from signed notices alone; no network, no wall clock.

Rules, in order. A notice counts when a pinned key signed it. Nothing counts before a greeting that answers this
connection's own nonce, so no recording can stand in for a server. Within a connection the server's tick never goes
back. A lease runs from the earliest moment at which its notice can have been made: the start of the connection plus the
ticks since its greeting, so a notice that was held back on its way is worth less, and one held for a whole lease
nothing. A lower epoch or revision is never believed. A heartbeat renews only the revision that it names. Once the lease
is over there is no new risk; cancels and exits stay allowed, and nothing is flattened by itself.
"""

import base64
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from signoff.domain.flags import Flags, off

DOMAIN: Final = b"signoff.flags.v1\n"
LEASE_S: Final = 10.0
CLOSED: Final = "closed"
LOGGED: Final = frozenset(10**n for n in range(10))
log = logging.getLogger("signoff.desk")
Verify = Callable[[str, bytes, bytes], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """The flags of one model and until when, on the desk's monotonic clock, they hold."""

    flags: Flags
    closed: Flags
    until: float


@dataclass(slots=True)
class _Connection:
    """One connection: when it began here, what it must be answered with, and where the server's ticks stand."""

    began: float
    nonce: str
    boot: str = ""
    first_tick: int = 0
    last_tick: int = 0

    def made_at(self, tick: int) -> float:
        """The earliest moment, on our clock, at which a notice of this tick can have been made."""
        return self.began + (tick - self.first_tick) / 1000.0


class Beliefs:
    """Flags by model. `flags` is for the hot path; everything else for the thread that listens."""

    def __init__(self, verify: Verify, monotonic: Callable[[], float], *, lease_s: float = LEASE_S) -> None:
        self._verify, self._monotonic, self._lease_s = verify, monotonic, lease_s
        self._held: dict[str, Belief] = {}
        self._strangers: dict[str, Flags] = {}
        self._connection: _Connection | None = None
        self.refused: dict[str, int] = {}

    def flags(self, model: str) -> Flags:
        """The flags of a model; closed when nothing is known or the lease is over."""
        belief = self._held.get(model)
        if belief is None:
            return self._stranger(model)
        return belief.flags if self._monotonic() < belief.until else belief.closed

    def connect(self, nonce: str) -> None:
        """A new connection begins; what is believed stays until its lease is over."""
        self._connection = _Connection(began=self._monotonic(), nonce=nonce)

    def hear(self, kind: str, data: bytes) -> None:
        """One notice. What does not count is left aside and counted in `refused`."""
        said = self._opened(data)
        connection = self._connection
        if said is None or connection is None:
            return
        if kind == "greeting":
            self._greeted(connection, said)
        elif not connection.boot or said.get("boot") != connection.boot:
            self.refuse("another server's notice, or one before the greeting")
        elif (tick := said["tick_ms"]) < connection.last_tick:
            self.refuse("an older notice")
        else:
            connection.last_tick = tick
            until = connection.made_at(tick) + self._lease_s
            if until <= self._monotonic():
                self.refuse("held back for a whole lease")
            elif kind == "control":
                self._told(said["control"], until)
            elif kind == "heartbeat":
                self._renew(said["models"], until)

    def _opened(self, data: bytes) -> dict[str, Any] | None:
        try:
            sealed = json.loads(data)
            payload = sealed["payload"].encode()
            if not self._verify(sealed["keyid"], base64.b64decode(sealed["sig"]), DOMAIN + payload):
                self.refuse("not signed by a key of ours")
                return None
            said: dict[str, Any] = json.loads(payload)
            is_stamped = isinstance(said["tick_ms"], int) and isinstance(said["boot"], str)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            is_stamped = False
        if not is_stamped:
            self.refuse("no notice")
            return None
        return said

    def _greeted(self, connection: _Connection, said: Mapping[str, Any]) -> None:
        if connection.boot or said.get("nonce") != connection.nonce:
            self.refuse("a greeting that is not for us")
            return
        connection.boot = said["boot"]
        connection.first_tick = connection.last_tick = said["tick_ms"]

    def _told(self, control: Mapping[str, Any], until: float) -> None:
        try:
            flags = Flags(revision=control["rev"], **{k: v for k, v in control.items() if k != "rev"})
        except (KeyError, TypeError):
            self.refuse("no notice")
            return
        held = self._held.get(flags.model)
        if held is not None and (flags.revision < held.flags.revision or flags.epoch < held.flags.epoch):
            self.refuse("a lower revision")
        elif held is not None and flags.revision == held.flags.revision and flags != held.flags:
            self.refuse("the same revision with other flags")
            self._held[flags.model] = replace(held, until=0.0)
        else:
            closed = replace(flags, state=CLOSED, enabled=False, allocation_pct=0, shadow_mode=False)
            self._held[flags.model] = Belief(flags=flags, closed=closed, until=until)

    def _renew(self, models: Mapping[str, Iterable[int]], until: float) -> None:
        for model, named in models.items():
            held = self._held.get(model)
            if held is not None and tuple(named) == (held.flags.epoch, held.flags.revision) and held.until > 0:
                self._held[model] = replace(held, until=max(until, held.until))

    def _stranger(self, model: str) -> Flags:
        if model not in self._strangers:
            self._strangers[model] = replace(off(model), state=CLOSED)
        return self._strangers[model]

    def refuse(self, why: str) -> None:
        """Count what did not count, and log it the first time, the tenth, the hundredth and so on."""
        count = self.refused[why] = self.refused.get(why, 0) + 1
        if count in LOGGED:
            log.warning("flags refused, %d so far: %s", count, why)
