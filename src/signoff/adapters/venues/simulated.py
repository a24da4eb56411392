"""The simulated venue, which is only a file: it accepts, fences and cancels orders, and fills none.

An operator must choose it by name, and every result that rests on it is called simulated. Orders survive a crash, so
that a rollback continues with the orders that are open. Positions are as given; only giving them again closes one.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Final

from signoff.adapters.folders import held, write_file
from signoff.adapters.foreign_files import read_regular
from signoff.adapters.own_files import PRIVATE_FILE
from signoff.domain.errors import RefusedError, UnavailableError
from signoff.domain.flags import FlagsRevision
from signoff.domain.venue import VenueKind
from signoff.ports.venue import OpenOrder, OpenPosition

# A venue that takes longer than this to answer counts as hung.
BOOK_S: Final = 2.0
MOST_BOOK: Final = 1 << 30


class SimulatedBroker:
    """Open orders and fences, kept in memory or, with a path, in a file that several processes may use at once."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._orders: dict[str, OpenOrder] = {}
        self._held: dict[tuple[str, str], OpenPosition] = {}
        self._fences: dict[str, int] = {}
        self._lock = RLock()

    @property
    def kind(self) -> VenueKind:
        """Simulated."""
        return VenueKind.SIMULATED

    def place(self, orders: Iterable[OpenOrder], flags_revision: FlagsRevision) -> None:
        """Accept orders made under a revision of the flags; a fenced scope refuses older ones."""
        with self._book():
            for order in orders:
                for scope, fence in self._fences.items():
                    if order.client_order_id.startswith(scope) and flags_revision <= fence:
                        raise RefusedError(
                            f"Order {order.client_order_id} was made under revision {flags_revision}; {scope}* is "
                            f"fenced at {fence}."
                        )
                self._orders[order.client_order_id] = order

    def fence(self, scope: str, flags_revision: FlagsRevision) -> None:
        """Refuse new orders of this scope made under this revision of the flags or an older one."""
        with self._book():
            self._fences[scope] = max(flags_revision, self._fences.get(scope, flags_revision))

    def cancel(self, scope: str, flags_revision: FlagsRevision) -> int:  # noqa: ARG002 - the port's signature
        """Cancel every open order of this scope."""
        with self._book():
            mine = [order_id for order_id in self._orders if order_id.startswith(scope)]
            for order_id in mine:
                del self._orders[order_id]
            return len(mine)

    def hold(self, positions: Iterable[OpenPosition]) -> None:
        """Take over a model's positions, symbol by symbol; a quantity of zero closes one."""
        with self._book():
            for position in positions:
                self._held[position.scope, position.symbol] = position

    def open_orders(self, scope: str) -> tuple[OpenOrder, ...]:
        """The open orders."""
        with self._read():
            return tuple(order for order_id, order in self._orders.items() if order_id.startswith(scope))

    def positions(self, scope: str) -> tuple[OpenPosition, ...]:
        """The open positions."""
        with self._read():
            return tuple(p for (of, _), p in self._held.items() if of.startswith(scope) and p.quantity != 0)

    def lift(self, scope: str, flags_revision: FlagsRevision) -> None:
        """Accept orders of this scope made under this revision or later; older ones stay refused."""
        with self._book():
            if scope in self._fences:
                self._fences[scope] = flags_revision - 1

    @contextmanager
    def _book(self) -> Iterator[None]:
        """The present book, changed by one thread of one process at a time and written back."""
        with self._alone():
            if self._path is None:
                yield
                return
            try:
                with held(self._path.with_suffix(".lock"), seconds=BOOK_S):
                    self._load()
                    try:
                        yield
                    finally:
                        self._save(self._path)
            except OSError as error:
                raise UnavailableError(
                    f"The broker's book {self._path} could not be written: {error.strerror}. Ask again; make room."
                ) from error

    @contextmanager
    def _read(self) -> Iterator[None]:
        with self._alone():
            try:
                self._load()
            except OSError as error:
                raise UnavailableError(
                    f"The broker's book {self._path} could not be read: {error.strerror}. Ask again."
                ) from error
            yield

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One thread at a time; a hung thread blocks the others only for a moment."""
        if not self._lock.acquire(timeout=BOOK_S):
            raise UnavailableError(f"The broker's book {self._path} was busy for {BOOK_S:g} s. Ask again.")
        try:
            yield
        finally:
            self._lock.release()

    def _load(self) -> None:
        if self._path is not None and self._path.exists():
            content = read_regular(self._path, limit=MOST_BOOK)
            try:
                document = json.loads(content)
                self._orders = {o["client_order_id"]: OpenOrder(**o) for o in document["orders"]}
                self._fences = document["fences"]
                positions = [OpenPosition(**p) for p in document.get("positions", ())]  # older books have none
                self._held = {(p.scope, p.symbol): p for p in positions}
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise UnavailableError(
                    f"The broker's book {self._path} is no book ({error}); which orders and positions are open is not "
                    "known. Restore it."
                ) from error

    def _save(self, path: Path) -> None:
        orders = [
            {"client_order_id": o.client_order_id, "symbol": o.symbol, "side": o.side, "quantity": o.quantity}
            for o in self._orders.values()
        ]
        positions = [{"scope": p.scope, "symbol": p.symbol, "quantity": p.quantity} for p in self._held.values()]
        book = {"orders": orders, "fences": self._fences, "positions": positions}
        write_file(path, json.dumps(book).encode(), mode=PRIVATE_FILE)
