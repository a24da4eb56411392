"""The simulated venue, which exists only in a file: it accepts, fences and cancels orders, and fills none.

It stands in for a real one where somebody chose it by name, and everything that rests on it is called simulated. Orders
survive a crash, so that a rollback continues against what was really open. It holds the positions that it was given;
nothing closes one but the call that gives it anew.
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

# A venue that takes longer than this to say anything is taken for one that hangs.
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
        """Take over what a model holds, symbol by symbol; a quantity of zero closes the position."""
        with self._book():
            for position in positions:
                self._held[position.scope, position.symbol] = position

    def open_orders(self, scope: str) -> tuple[OpenOrder, ...]:
        """What is still open."""
        with self._read():
            return tuple(order for order_id, order in self._orders.items() if order_id.startswith(scope))

    def positions(self, scope: str) -> tuple[OpenPosition, ...]:
        """What is still held."""
        with self._read():
            return tuple(p for (of, _), p in self._held.items() if of.startswith(scope) and p.quantity != 0)

    def lift(self, scope: str, flags_revision: FlagsRevision) -> None:
        """Accept orders of this scope again, made under this revision or later; the ones from before stay refused."""
        with self._book():
            if scope in self._fences:
                self._fences[scope] = flags_revision - 1

    @contextmanager
    def _book(self) -> Iterator[None]:
        """The book as it is now, to be changed by one thread of one process at a time, and written back."""
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
        """The book as it is now."""
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
        """One thread at a time, none of which waits long for another that hangs."""
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
                positions = [OpenPosition(**p) for p in document.get("positions", ())]  # older books know of none
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
