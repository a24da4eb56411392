"""Who is connected, and who has to go: a peer that holds connections open keeps nobody else out.

A connection is *half* while it owes the rest of a request: its header, or a body of JSON. When an address holds too
many halves, the oldest of them is closed and the newcomer is let in. The newcomer may be a kill that shares its address
with a flood, behind one router.
"""

import logging
from collections import Counter
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Protocol

from signoff.config.logs import about
from signoff.config.settings import Peers

log = logging.getLogger("signoff.http")
HALVES_PER_ADDRESS: Final = 100
HALVES: Final = 4000
# A connection that was accepted just now had no turn to be read: a thousand desks that come back together are no flood.
GRACE_S: Final = 2.0
# Descriptors that stay free for the database, the files and the next newcomers.
RESERVE: Final = 256
IPV6_SITE: Final = 64
TOO_MANY: Final = (
    "Closed, since more unfinished requests were open than are allowed and this one was the oldest. Send a request as "
    "soon as its connection is open."
)


class Peer(Protocol):
    """One connection, as the crowd sees it."""

    address: str
    since: float

    def expire(self, now: float) -> None:
        """End what has taken longer than it may."""

    def refuse(self, status: int, detail: str) -> None:
        """Answer with a problem and close."""


@dataclass(slots=True)
class Neighbours:
    """The connections of one address; dicts, since they keep the order in which their members came."""

    every: dict[Peer, None] = field(default_factory=dict)
    halves: dict[Peer, None] = field(default_factory=dict)
    idle: dict[Peer, None] = field(default_factory=dict)


class Crowd:
    """Every open connection of one server, by address."""

    def __init__(self, limits: Peers, *, proxies: tuple[str, ...] = (), most_open: int = 1 << 20) -> None:
        self.limits = limits
        self._proxies = tuple(ip_network(named) for named in proxies)
        self._most_open = max(most_open - RESERVE, most_open // 2)
        self._most_halves = min(HALVES, self._most_open // 2)
        self._by_address: dict[str, Neighbours] = {}
        self._all = Neighbours()
        self._timed: dict[Peer, None] = {}
        self._refused: Counter[tuple[str, int]] = Counter()

    def enter(self, peer: Peer, now: float) -> None:
        """Count a connection in; whoever has to make room for it is closed."""
        for group in self._groups(peer):
            group.every[peer] = None
        self.count_half(peer, now)
        self._make_room(peer, now)

    def leave(self, peer: Peer) -> None:
        """Forget a connection that is closed."""
        for group in self._groups(peer):
            for members in (group.every, group.halves, group.idle):
                members.pop(peer, None)
        self._timed.pop(peer, None)
        if not self._by_address[peer.address].every:
            del self._by_address[peer.address]

    def count_half(self, peer: Peer, now: float) -> None:
        """Note that a connection owes the rest of a request from now on."""
        self.count_busy(peer)
        peer.since = now
        for group in self._groups(peer):
            group.halves[peer] = None
        self._timed[peer] = None

    def count_timed(self, peer: Peer, now: float) -> None:
        """Note that a connection sends something long or is closing: it is timed, and makes room for nobody."""
        self.count_busy(peer)
        peer.since = now
        self._timed[peer] = None

    def count_busy(self, peer: Peer) -> None:
        """Note that a connection is being answered, for as long as that takes."""
        for group in self._groups(peer):
            group.halves.pop(peer, None)
            group.idle.pop(peer, None)
        self._timed.pop(peer, None)

    def count_idle(self, peer: Peer) -> None:
        """Note that a connection was answered and may ask again."""
        self.count_busy(peer)
        for group in self._groups(peer):
            group.idle[peer] = None

    def is_full(self, peer: Peer) -> bool:
        """Whether there are more connections than may be, and none of them can make room."""
        own = self._by_address[peer.address]
        is_over = not self._is_proxy(peer.address) and len(own.every) > self.limits.per_address
        return is_over or len(self._all.every) > self._most_open

    def sweep(self, now: float) -> None:
        """End what has taken longer than it may, and say in the log what was refused since."""
        for peer in tuple(self._timed):
            peer.expire(now)
        for (address, status), count in self._refused.most_common(5):
            log.warning("connections were refused", extra=about(address=address, status=status, count=count))
        self._refused.clear()

    def note(self, peer: Peer, status: int) -> None:
        """Remember a refusal for the log: one line a sweep, whatever a flood does."""
        self._refused[peer.address, status] += 1

    def _make_room(self, newcomer: Peer, now: float) -> None:
        own = self._by_address[newcomer.address]
        if not self._is_proxy(newcomer.address):
            if len(own.every) > self.limits.per_address:
                _close_oldest(own, newcomer)
            elif len(own.halves) > HALVES_PER_ADDRESS:
                _close_stale(own, now)
        if len(self._all.every) > self._most_open:
            _close_oldest(self._all, newcomer)
        elif len(self._all.halves) > self._most_halves:
            _close_stale(self._all, now)

    def _groups(self, peer: Peer) -> tuple[Neighbours, Neighbours]:
        return self._by_address.setdefault(peer.address, Neighbours()), self._all

    def _is_proxy(self, address: str) -> bool:
        return is_within(address, self._proxies)


def site_of(host: str) -> str:
    """The address that counts as one peer: of IPv6 the network of a site, whose holder has every address in it."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ip_network((address, IPV6_SITE), strict=False))


def is_within(address: str, networks: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    """Whether an address, or the site of one, touches one of these networks."""
    try:
        own = ip_network(address)
    except ValueError:
        return False
    return any(own.version == known.version and own.overlaps(known) for known in networks)


def _close_stale(group: Neighbours, now: float) -> None:
    """Close the oldest half, unless it came so lately that it had no turn yet."""
    oldest = next(iter(group.halves))
    if now - oldest.since > GRACE_S:
        oldest.refuse(408, TOO_MANY)


def _close_oldest(group: Neighbours, newcomer: Peer) -> None:
    """Close the oldest half, or else the connection that has been idle longest."""
    for members in (group.halves, group.idle):
        oldest = next((peer for peer in members if peer is not newcomer), None)
        if oldest is not None:
            oldest.refuse(408, TOO_MANY)
            return
