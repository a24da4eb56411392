"""The open connections of a server, counted by address: a peer that holds connections open keeps no other peer out.

A connection is *half* while its request is incomplete: the rest of its header, or of a JSON body, is due. When an
address has too many halves, the oldest one is closed and the new connection is accepted, since that may be a kill which
shares its address with a flood, behind one router.
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
# New connections get this time to be read: a thousand desks that reconnect at once are not a flood.
GRACE_S: Final = 2.0
# File descriptors kept free for the database, files and new connections.
RESERVE: Final = 256
IPV6_SITE: Final = 64
TOO_MANY: Final = (
    "Closed, since more unfinished requests were open than are allowed and this one was the oldest. Send a request as "
    "soon as its connection is open."
)


class Peer(Protocol):
    """The part of a connection that the crowd uses."""

    address: str
    since: float

    def expire(self, now: float) -> None:
        """End the connection if its request took longer than allowed."""

    def refuse(self, status: int, detail: str) -> None:
        """Answer with a problem and close."""


@dataclass(slots=True)
class Neighbours:
    """The connections of one address, oldest first; dicts, since they keep the order of insertion."""

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
        """Add a new connection, and close another one where a limit is exceeded."""
        for group in self._groups(peer):
            group.every[peer] = None
        self.count_half(peer, now)
        self._make_room(peer, now)

    def leave(self, peer: Peer) -> None:
        """Remove a closed connection."""
        for group in self._groups(peer):
            for members in (group.every, group.halves, group.idle):
                members.pop(peer, None)
        self._timed.pop(peer, None)
        if not self._by_address[peer.address].every:
            del self._by_address[peer.address]

    def count_half(self, peer: Peer, now: float) -> None:
        """Note that the rest of a request is due on a connection from now on."""
        self.count_busy(peer)
        peer.since = now
        for group in self._groups(peer):
            group.halves[peer] = None
        self._timed[peer] = None

    def count_timed(self, peer: Peer, now: float) -> None:
        """Note that a connection sends an archive or is closing: it is timed, but never closed to make room."""
        self.count_busy(peer)
        peer.since = now
        self._timed[peer] = None

    def count_busy(self, peer: Peer) -> None:
        """Note that a connection is being answered, which has no time limit."""
        for group in self._groups(peer):
            group.halves.pop(peer, None)
            group.idle.pop(peer, None)
        self._timed.pop(peer, None)

    def count_idle(self, peer: Peer) -> None:
        """Note that a connection was answered and has no request open."""
        self.count_busy(peer)
        for group in self._groups(peer):
            group.idle[peer] = None

    def is_full(self, peer: Peer) -> bool:
        """Whether the connections still exceed a limit, since none of them could be closed to make room."""
        own = self._by_address[peer.address]
        is_over = not self._is_proxy(peer.address) and len(own.every) > self.limits.per_address
        return is_over or len(self._all.every) > self._most_open

    def sweep(self, now: float) -> None:
        """End overdue connections, and log the refusals since the last sweep."""
        for peer in tuple(self._timed):
            peer.expire(now)
        for (address, status), count in self._refused.most_common(5):
            log.warning("connections were refused", extra=about(address=address, status=status, count=count))
        self._refused.clear()

    def note(self, peer: Peer, status: int) -> None:
        """Count a refusal for the log, which gets at most five lines a sweep."""
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
    """The address that counts as one peer; for IPv6 the /64 network, since its holder has every address in it."""
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
    """Whether an address, or its IPv6 site, overlaps one of these networks."""
    try:
        own = ip_network(address)
    except ValueError:
        return False
    return any(own.version == network.version and own.overlaps(network) for network in networks)


def _close_stale(group: Neighbours, now: float) -> None:
    """Close the oldest half, unless it is within its grace period."""
    oldest = next(iter(group.halves))
    if now - oldest.since > GRACE_S:
        oldest.refuse(408, TOO_MANY)


def _close_oldest(group: Neighbours, newcomer: Peer) -> None:
    """Close the oldest half; without halves, close the connection that has been idle longest."""
    for members in (group.halves, group.idle):
        oldest = next((peer for peer in members if peer is not newcomer), None)
        if oldest is not None:
            oldest.refuse(408, TOO_MANY)
            return
