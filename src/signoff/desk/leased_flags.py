"""What a desk believes of its models, from signed notices alone; no network, no wall clock.

Rules, in order. A notice counts when a pinned key signed it. Nothing counts before a greeting that answers this
connection's own nonce, so no recording can stand in for a server. Within a connection the server's tick never goes
back. A lease runs from the earliest moment at which its notice can have been made: the start of the connection plus the
ticks since its greeting, so a notice that was held back on its way is worth less, and one held for a whole lease
nothing. A smaller count of kills or revision is never believed. A heartbeat renews only the revision that it names.
Once the lease is over there is no new risk; cancels and exits stay allowed, and nothing is flattened by itself.

Flags answer for the version that asks. A connection speaks the format of its greeting. A server of an earlier release
speaks the first format, which has one set of flags for the whole model: those are believed only where one version is
alive, and then for that version alone.
"""

import base64
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from signoff.domain.flag_notices import DOMAINS, NEWEST, Format, NoControlError, read_control
from signoff.domain.flags import LEASE_S, UNKNOWN, Flags, FlagState, closed, off

CLOSED: Final = FlagState.CLOSED
LOGGED: Final = frozenset(10**n for n in range(10))
log = logging.getLogger("signoff.desk")
Verify = Callable[[str, bytes, bytes], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """The flags of one model and until when, on the desk's monotonic clock, they hold.

    `views` are the flags by the version that asks, with None for who names none; `unknown` for any other version.
    """

    flags: Flags
    views: Mapping[str | None, Flags]
    unknown: Flags
    closed: Flags
    until: float
    form: Format


def _belief(flags: Flags, until: float, form: Format) -> Belief:
    views: dict[str | None, Flags] = {share.version: flags.for_version(share.version) for share in flags.versions}
    unknown = closed(flags, flags.state if flags.is_off else UNKNOWN)
    shut = replace(closed(flags, CLOSED), versions=())
    return Belief(flags=flags, views={None: flags, **views}, unknown=unknown, closed=shut, until=until, form=form)


@dataclass(slots=True)
class _Connection:
    """One connection: when it began here, what it must be answered with, and where the server's ticks stand."""

    began: float
    nonce: str
    boot: str = ""
    form: Format = NEWEST
    first_tick: int = 0
    last_tick: int = 0

    def made_at(self, tick: int) -> float:
        """The earliest moment, on our clock, at which a notice of this tick can have been made."""
        return self.began + (tick - self.first_tick) / 1000.0


class LeasedFlags:
    """Flags by model. `flags` is for the hot path; everything else for the thread that listens."""

    def __init__(self, verify: Verify, monotonic: Callable[[], float], *, lease_s: float = LEASE_S) -> None:
        self._verify, self._monotonic, self._lease_s = verify, monotonic, lease_s
        self._held: dict[str, Belief] = {}
        self._strangers: dict[str, Flags] = {}
        self._connection: _Connection | None = None
        self.refused: dict[str, int] = {}

    def flags(self, model: str, version: str | None = None) -> Flags:
        """The flags of this version of a model; closed when nothing is known or the lease is over.

        Without a version: those of the only version alive, and off where several are.
        """
        belief = self._held.get(model)
        if belief is None:
            return self._stranger(model)
        if self._monotonic() < belief.until:
            return belief.views.get(version, belief.unknown)
        return belief.closed

    def connect(self, nonce: str) -> None:
        """A new connection begins; what is believed stays until its lease is over."""
        self._connection = _Connection(began=self._monotonic(), nonce=nonce)

    def hear(self, kind: str, data: bytes) -> None:
        """One notice. What does not count is left aside and counted in `refused`."""
        opened = self._opened(data)
        connection = self._connection
        if opened is None or connection is None:
            return
        form, said = opened
        if kind == "greeting":
            self._greeted(connection, form, said)
        elif form is not connection.form:
            self.refuse("a notice in another format than the greeting")
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
                self._told(form, said.get("control"), until)
            elif kind == "heartbeat":
                self._renew(said["models"], until)

    def _opened(self, data: bytes) -> tuple[Format, dict[str, Any]] | None:
        try:
            sealed = json.loads(data)
            payload = sealed["payload"].encode()
            form = self._format(sealed["keyid"], base64.b64decode(sealed["sig"]), payload)
            if form is None:
                self.refuse("not signed by a key of ours")
                return None
            said: dict[str, Any] = json.loads(payload)
            is_stamped = isinstance(said["tick_ms"], int) and isinstance(said["boot"], str)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            is_stamped, form, said = False, None, {}
        if form is None or not is_stamped:
            self.refuse("no notice")
            return None
        return form, said

    def _format(self, key_id: str, signature: bytes, payload: bytes) -> Format | None:
        """The format that these bytes are signed in, by a key of ours."""
        newest_first = sorted(DOMAINS, reverse=True)
        return next((form for form in newest_first if self._verify(key_id, signature, DOMAINS[form] + payload)), None)

    def _greeted(self, connection: _Connection, form: Format, said: Mapping[str, Any]) -> None:
        if connection.boot or said.get("nonce") != connection.nonce:
            self.refuse("a greeting that is not for us")
            return
        connection.boot, connection.form = said["boot"], form
        connection.first_tick = connection.last_tick = said["tick_ms"]

    def _told(self, form: Format, control: object, until: float) -> None:
        try:
            flags = read_control(form, control)
        except NoControlError:
            self.refuse("no notice")
            return
        held = self._held.get(flags.model)
        if held is not None and (flags.revision < held.flags.revision or flags.kill_count < held.flags.kill_count):
            self.refuse("a lower revision")
        elif held is not None and flags.revision == held.flags.revision and not _agrees(held, flags, form):
            self.refuse("the same revision with other flags")
            self._held[flags.model] = replace(held, until=0.0)
        else:
            self._held[flags.model] = _belief(flags, until, form)

    def _renew(self, models: Mapping[str, Iterable[int]], until: float) -> None:
        for model, named in models.items():
            held = self._held.get(model)
            if held is not None and tuple(named) == (held.flags.kill_count, held.flags.revision) and held.until > 0:
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


def _agrees(held: Belief, flags: Flags, form: Format) -> bool:
    """Whether these flags are the ones that are held; of another format, whether they tell of the same versions."""
    if form is held.form:
        return flags == held.flags
    one, other = held.flags, flags
    return (one.kill_count, one.state, one.version, one.candidate) == (
        other.kill_count,
        other.state,
        other.version,
        other.candidate,
    )
