"""The home of an installation as a look at its record needs it; an adapter that writes is imported when asked for.

An `Installation` is a home with everything that acts. `status`, `history` and `flags` are answered from here, in a
fraction of the time that the whole takes to import.
"""

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar, cast

from signoff.adapters.clocks import WallClock
from signoff.adapters.foreign_files import (
    open_regular,
    own_users,
    refuse_foreign_database,
    refuse_foreign_home,
    refuse_link,
    refuse_open_folder,
)
from signoff.adapters.kill_drop import KillDrop
from signoff.adapters.kill_journal import KillFolders
from signoff.adapters.own_files import close_to_others, make_private, make_private_inside
from signoff.adapters.private_keys import is_usual
from signoff.adapters.sqlite_files import sqlite_file
from signoff.adapters.sqlite_looks import ShelfLooks, SqliteLooks, looked_at
from signoff.app.commits_in_flight import CommitsInFlight
from signoff.app.record import Caller, Record
from signoff.config.settings import Settings
from signoff.domain.database_urls import sqlite_url
from signoff.domain.desks import desks
from signoff.domain.errors import SignoffError, UnavailableError
from signoff.domain.events import ActorProof
from signoff.domain.flags import KILLED, Flags, killed
from signoff.ports.clock import Clock
from signoff.ports.kills import Reach
from signoff.ports.store import Store
from signoff.ports.ttl_store import TtlStore

if TYPE_CHECKING:
    from signoff.adapters.ledger_keys import LedgerKeys

T = TypeVar("T")

# Files that decide who may sign, what was signed, and who is known.
DECIDING: Final = ("ledger.key", "ledger.pub", "people.known", "verified.json")
# Folders that Signoff writes to; they must lie in the home itself and not be links.
INSIDE: Final = ("anchors", "blobs", "releases", "uploads", "live")
# Files that other accounts must neither lock nor read.
CLOSED: Final = (
    "simulated_broker.lock",
    "simulated_broker.json",
    "notices.lock",
    "notices.jsonl",
    "people.known",
    "verified.json",
)
OBSERVING: Final = "observing"


class shared(cached_property[T]):  # noqa: N801 - named as what it extends
    """A part that is built once and shared by every request, unless another was passed in `given`."""

    def __get__(self, instance: "Home | None", owner: type[Any] | None = None) -> T:  # type: ignore[override]
        """The part."""
        name = str(self.attrname)
        return cast(
            "T", instance.given[name] if instance and name in instance.given else super().__get__(instance, owner)
        )


def shared_parts(home: type["Home"]) -> frozenset[str]:
    """The names of the parts of a home that requests share."""
    return frozenset(name for kind in home.__mro__ for name, part in vars(kind).items() if isinstance(part, shared))


@dataclass(frozen=True)
class Home:
    """What a look needs, built on first use. `proof` says how the names of its actors were proven."""

    settings: Settings
    clock: Clock = field(default_factory=WallClock)
    undertakings: CommitsInFlight | None = None
    proof: ActorProof = ActorProof.UNRECORDED
    caller: Caller = field(default_factory=Caller)
    given: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)

    def known_by(self, proof: ActorProof) -> Self:
        """The same installation for actors whose names have this proof."""
        return replace(self, proof=proof)

    def refuse_open_home(self) -> None:
        """Refuse a home that others may write to, and deciding files in it that another account owns.

        Root refuses another account's default home, since it depends on the folder in which the command is run.
        """
        home = self.settings.home
        if self.settings.is_default_home:
            refuse_foreign_home(home)
        for folder in (home, self.settings.keys):
            refuse_open_folder(folder)
        for name in INSIDE:
            refuse_link(home / name)
        refuse_foreign_database(home / "signoff.db")
        for path in (home / name for name in DECIDING):
            with suppress(FileNotFoundError):
                os.close(open_regular(path, owners=own_users(home)))

    @shared
    def store(self) -> Store:
        """The ledger with its state and outbox. A plain SQLite file is read without the library that writes it."""
        looked = looked_at(self.settings.database)
        if looked is None:
            return self._opened_store()
        self._prepare()
        if not (self.settings.home / "ledger.pub").exists() and not is_usual(self.settings.home / "ledger.key"):
            _ = self.ledger_keys  # makes them, or says what is wrong with them
        return cast("Store", SqliteLooks(looked, otherwise=self._opened_store))

    def _opened_store(self) -> Store:
        from signoff.adapters.store_sql import SqlStore  # noqa: PLC0415 - a look can mostly do without

        self._prepare()
        return SqlStore(
            self.settings.database,
            sign=self.ledger_keys.sign_checkpoint,
            blobs=self.settings.blobs,
            open_note=self.ledger_keys.open,
            is_patient=True,
        )

    def _prepare(self) -> None:
        """Make what is missing of the home."""
        self._refuse_misplaced()
        self._make_home()

    def _refuse_misplaced(self) -> None:
        """Refuse a second ledger if an earlier version misread the home's path and put the ledger elsewhere."""
        usual, database = self.settings.home / "signoff.db", self.settings.database
        misread = sqlite_file(f"sqlite:///{usual}") or usual
        if misread == usual or database != sqlite_url(str(usual)) or usual.exists():
            return
        if misread.is_file() and any((self.settings.home / name).exists() for name in ("ledger.key", "ledger.pub")):
            raise UnavailableError(
                f"Expected the ledger at {usual}, found it at {misread}, where an earlier version put it. Move that "
                f"file, and {misread}-wal if there is one, to {usual}."
            )

    def _make_home(self) -> None:
        """Make the home and its folders for their owner alone, and close what an older version left open."""
        make_private(self.settings.home)
        for folder in (self.settings.blobs, self.settings.releases, self.settings.anchors):
            with suppress(OSError):  # the code that writes there reports the error
                make_private_inside(folder)
        for name in CLOSED:
            close_to_others(self.settings.home / name)

    @shared
    def shelf(self) -> TtlStore:
        """The store of values that expire: sessions, challenges, stored answers, leases."""
        if isinstance(store := self.store, SqliteLooks):
            return cast("TtlStore", ShelfLooks(store, otherwise=lambda: _shelf_of(store.store)))
        return _shelf_of(store)

    @cached_property
    def ledger_keys(self) -> "LedgerKeys":
        """The keys of this installation's checkpoints, made with its ledger; a ledger without its keys is refused."""
        from signoff.adapters.ledger_keys import LedgerKeys  # noqa: PLC0415 - it loads cryptography

        path = self.settings.home / "ledger.key"
        is_there = path.exists() or (self.settings.home / "ledger.pub").exists()
        if not is_there and (self.settings.home / "signoff.db").exists():
            raise UnavailableError(
                f"Expected the ledger's key at {path}, found none, and the ledger is there. A new key would break its "
                "chain of checkpoints: restore the key from a backup, or begin a new home."
            )
        return LedgerKeys.of(self.settings.home)

    @cached_property
    def record(self) -> Record:
        return Record(self.store, self.clock, self.caller, self.undertakings, self.proof)

    @property
    def is_there(self) -> bool:
        """Whether this installation exists: its store is open, or its database or ledger key exists."""
        keys = (self.settings.home / name for name in ("ledger.key", "ledger.pub"))
        return (
            "store" in {*self.given, *vars(self)}
            or (self.settings.home / "signoff.db").exists()
            or any(k.exists() for k in keys)
        )

    @shared
    def kills(self) -> KillFolders:
        """The journal of kills that the ledger lacks."""
        return KillFolders.beside(self.settings.home, fallback=self.settings.kill_fallback, drop=self.kill_drop)

    @property
    def kill_drop(self) -> KillDrop | None:
        """The folder where members of a group leave kills, None if the settings name none."""
        settings = self.settings
        if settings.kill_drop is None:
            return None
        return KillDrop(folder=settings.kill_drop, group=settings.kill_group, home=settings.home, now=self.clock.now)

    def flags_of(self, models: Collection[str]) -> dict[str, Flags]:
        """The flags of these models from the record, and from kills in force that the record lacks."""
        flags = self.record.flags_of(models)
        for kill in self.kills.pending():
            for model in models:
                names = desks(self.record.deployments(model)) if kill.reach is Reach.DESK else frozenset[str]()
                if flags[model].state != KILLED and kill.covers(model, names):
                    flags[model] = killed(flags[model], 1)
        return flags

    def is_observing(self) -> bool:
        """Whether a worker observes sessions: its last pass did, at most `OBSERVED_WITHIN` ago."""
        try:
            return self.shelf.get(OBSERVING, OBSERVING, self.clock.now()) == str(True).encode()
        except SignoffError:
            return False

    def for_request(self, caller: Caller) -> Self:
        """The same installation for one caller, with their idempotency key and expected revision."""
        return replace(self, caller=caller, given={name: getattr(self, name) for name in shared_parts(type(self))})

    def with_parts(self, **parts: object) -> Self:
        """The same installation with these parts instead of its own, such as `store=MemoryStore()`.

        Parts that requests share can be replaced: the store, the shelf, the registry, the broker and others.
        """
        known = shared_parts(type(self))
        if unknown := parts.keys() - known:
            raise TypeError(f"Expected parts out of {', '.join(sorted(known))}, found {', '.join(sorted(unknown))}.")
        return replace(self, given={**self.given, **parts})


def _shelf_of(store: Store) -> TtlStore:
    """The values that expire, in the store's own database."""
    from signoff.adapters.store_sql import SqlStore  # noqa: PLC0415 - as above
    from signoff.adapters.ttl_store_memory import MemoryTtlStore  # noqa: PLC0415
    from signoff.adapters.ttl_store_sql import SqlTtlStore  # noqa: PLC0415

    return SqlTtlStore(store.database) if isinstance(store, SqlStore) else MemoryTtlStore()
