"""The flags of a desk's models, from signed notices alone; no network, no wall clock.

Rules, in order. A notice counts if a pinned key signed it. Nothing counts before a greeting with this connection's own
nonce, so a recording cannot replace a server. Within a connection the server's tick never decreases. A lease begins at
the earliest time at which its notice can have been made: the start of the connection plus the ticks since its greeting.
A delay of the notice shortens its lease, and a delay of a whole lease voids it. A smaller kill count or revision is
refused. A heartbeat renews only the revision that it names. After the lease, no new risk is allowed; cancels and exits
stay allowed, and no position is closed automatically.

Flags are per version. A connection uses the format of its greeting. An older server uses the first format, with one set
of flags for the whole model: they count only if one version is live, and only for that version.
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
    """The flags of one model, and the end of their lease on the desk's monotonic clock.

    `views` are the flags by version, with None for callers without a version; `unknown` is for all other versions.
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
    """One connection: its start on our clock, its nonce, and the server's ticks."""

    began: float
    nonce: str
    boot: str = ""
    form: Format = NEWEST
    first_tick: int = 0
    last_tick: int = 0

    def made_at(self, tick: int) -> float:
        """The earliest time, on our clock, at which a notice with this tick can have been made."""
        return self.began + (tick - self.first_tick) / 1000.0


class LeasedFlags:
    """Flags by model. `flags` is for the hot path; the listening thread uses the rest."""

    def __init__(self, verify: Verify, monotonic: Callable[[], float], *, lease_s: float = LEASE_S) -> None:
        self._verify, self._monotonic, self._lease_s = verify, monotonic, lease_s
        self._held: dict[str, Belief] = {}
        self._strangers: dict[str, Flags] = {}
        self._connection: _Connection | None = None
        self.refused: dict[str, int] = {}

    def flags(self, model: str, version: str | None = None) -> Flags:
        """The flags of this version of a model; closed if they are unknown or the lease is over.

        Without a version: those of the only live version, and off if there are several.
        """
        belief = self._held.get(model)
        if belief is None:
            return self._stranger(model)
        if self._monotonic() < belief.until:
            return belief.views.get(version, belief.unknown)
        return belief.closed

    def connect(self, nonce: str) -> None:
        """Begin a new connection; present flags hold until their lease ends."""
        self._connection = _Connection(began=self._monotonic(), nonce=nonce)

    def hear(self, kind: str, data: bytes) -> None:
        """Take one notice. A notice that does not count is ignored and counted in `refused`."""
        opened = self._opened(data)
        connection = self._connection
        if opened is None or connection is None:
            return
        form, notice = opened
        if kind == "greeting":
            self._greeted(connection, form, notice)
        elif form is not connection.form:
            self.refuse("a notice in another format than the greeting")
        elif not connection.boot or notice.get("boot") != connection.boot:
            self.refuse("another server's notice, or one before the greeting")
        elif (tick := notice["tick_ms"]) < connection.last_tick:
            self.refuse("an older notice")
        else:
            connection.last_tick = tick
            until = connection.made_at(tick) + self._lease_s
            if until <= self._monotonic():
                self.refuse("held back for a whole lease")
            elif kind == "control":
                self._told(form, notice.get("control"), until)
            elif kind == "heartbeat":
                self._renew(notice["models"], until)

    def _opened(self, data: bytes) -> tuple[Format, dict[str, Any]] | None:
        try:
            sealed = json.loads(data)
            payload = sealed["payload"].encode()
            form = self._format(sealed["keyid"], base64.b64decode(sealed["sig"]), payload)
            if form is None:
                self.refuse("not signed by a key of ours")
                return None
            notice: dict[str, Any] = json.loads(payload)
            is_stamped = isinstance(notice["tick_ms"], int) and isinstance(notice["boot"], str)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            is_stamped, form, notice = False, None, {}
        if form is None or not is_stamped:
            self.refuse("no notice")
            return None
        return form, notice

    def _format(self, key_id: str, signature: bytes, payload: bytes) -> Format | None:
        """The format in which a pinned key signed these bytes."""
        newest_first = sorted(DOMAINS, reverse=True)
        return next((form for form in newest_first if self._verify(key_id, signature, DOMAINS[form] + payload)), None)

    def _greeted(self, connection: _Connection, form: Format, greeting: Mapping[str, Any]) -> None:
        if connection.boot or greeting.get("nonce") != connection.nonce:
            self.refuse("a greeting that is not for us")
            return
        connection.boot, connection.form = greeting["boot"], form
        connection.first_tick = connection.last_tick = greeting["tick_ms"]

    def _told(self, form: Format, control: object, until: float) -> None:
        try:
            flags = read_control(form, control)
        except NoControlError:
            self.refuse("no notice")
            return
        last = self._held.get(flags.model)
        if last is not None and (flags.revision < last.flags.revision or flags.kill_count < last.flags.kill_count):
            self.refuse("a lower revision")
        elif last is not None and flags.revision == last.flags.revision and not _agrees(last, flags, form):
            self.refuse("the same revision with other flags")
            self._held[flags.model] = replace(last, until=0.0)
        else:
            self._held[flags.model] = _belief(flags, until, form)

    def _renew(self, models: Mapping[str, Iterable[int]], until: float) -> None:
        for model, named in models.items():
            last = self._held.get(model)
            if last is not None and tuple(named) == (last.flags.kill_count, last.flags.revision) and last.until > 0:
                self._held[model] = replace(last, until=max(until, last.until))

    def _stranger(self, model: str) -> Flags:
        if model not in self._strangers:
            self._strangers[model] = replace(off(model), state=CLOSED)
        return self._strangers[model]

    def refuse(self, why: str) -> None:
        """Count a refusal, and log its first, tenth, hundredth … occurrence."""
        count = self.refused[why] = self.refused.get(why, 0) + 1
        if count in LOGGED:
            log.warning("flags refused, %d so far: %s", count, why)


def _agrees(belief: Belief, flags: Flags, form: Format) -> bool:
    """Whether these flags equal the present ones; in another format, whether they name the same versions."""
    if form is belief.form:
        return flags == belief.flags
    one, other = belief.flags, flags
    return (one.kill_count, one.state, one.version, one.candidate) == (
        other.kill_count,
        other.state,
        other.version,
        other.candidate,
    )
