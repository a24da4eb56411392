"""The only place that builds adapters and hands them to use cases."""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from random import random
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from signoff.adapters.anchors import FileAnchor, anchor_at
from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.clocks import WallClock
from signoff.adapters.documents import parse_policy
from signoff.adapters.folders import KeptFile, NoticeFile, ReleaseFolders, read_folder, write_file
from signoff.adapters.foreign_files import (
    open_regular,
    own_users,
    read_regular,
    refuse_foreign_database,
    refuse_foreign_home,
    refuse_link,
    refuse_open_folder,
)
from signoff.adapters.git_commits import GitCommits
from signoff.adapters.guarded import GuardedRegistry, GuardedRuns
from signoff.adapters.installed import InstalledNotifier, held
from signoff.adapters.kill_drop import KillDrop
from signoff.adapters.kill_journal import KillFolders
from signoff.adapters.ledger_keys import LedgerKeys
from signoff.adapters.outside import Outside, bare
from signoff.adapters.own_files import PRIVATE_FILE, close_to_others, make_private, make_private_inside
from signoff.adapters.signing_keys import KeyFile
from signoff.adapters.sqlite_files import sqlite_file
from signoff.adapters.store_memory import MemoryStore
from signoff.adapters.store_sql import SqlStore
from signoff.adapters.ttl_store_memory import MemoryTtlStore
from signoff.adapters.ttl_store_sql import SqlTtlStore
from signoff.adapters.unavailable_store import ShutStore
from signoff.adapters.venues.connected import ConnectedVenue
from signoff.adapters.venues.none import NoVenue
from signoff.adapters.venues.simulated import SimulatedBroker
from signoff.adapters.webhook import BySeverity, Pager, Webhook
from signoff.app.accounts import Accounts, KnownPeople
from signoff.app.approvals import ApprovalRound
from signoff.app.assess import Assessor
from signoff.app.audit import export, snapshot
from signoff.app.bound import STAYS_TAKEN, held_against
from signoff.app.champion import ALIAS
from signoff.app.credentials import Authenticators
from signoff.app.flag_cache import FlagCache, FlagSigner
from signoff.app.held import approved
from signoff.app.incremental_verification import NOTHING, parse_verified, verify_ledger
from signoff.app.kill import KillSwitch
from signoff.app.notices import IN_ORDER, Terms, deliver, reminder
from signoff.app.observe import Watch
from signoff.app.pacing import Pacing
from signoff.app.package import Publisher
from signoff.app.policy import Policies
from signoff.app.record import Caller, Record
from signoff.app.rollback import RollbackProcedure
from signoff.app.rollback_drill import RehearsalSandbox
from signoff.app.rollout import Rollout
from signoff.app.signing import SigningPerson
from signoff.app.undertaken import CommitsInFlight
from signoff.config.extensions import EntryPointGroup, gate, maker
from signoff.config.settings import Settings
from signoff.domain.benchmark import Benchmark
from signoff.domain.database_urls import sqlite_url
from signoff.domain.desks import desks
from signoff.domain.errors import NotFoundError, SignoffError, UnavailableError, described, is_fault
from signoff.domain.events import ActorProof
from signoff.domain.flags import KILLED, Flags, FlagsRevision, killed
from signoff.domain.floor import InForce
from signoff.domain.gates import GATES
from signoff.domain.monitoring import Baseline, Measurement
from signoff.domain.policy import Policy, Role
from signoff.domain.venue import VenueKind
from signoff.ledger.canonical import digest
from signoff.ledger.checkpoint import claimed
from signoff.ledger.floor import built_in
from signoff.ledger.keychain import KeyChain
from signoff.ledger.verification import KeptCheckpoint, StampCheck, Verification, deployments_in
from signoff.ports.anchor import Anchor
from signoff.ports.clock import Clock
from signoff.ports.kills import Reach
from signoff.ports.notices import Notifier, Receiver, Severity
from signoff.ports.registry import Registry
from signoff.ports.runs import Runs
from signoff.ports.store import Store
from signoff.ports.ttl_store import TtlStore
from signoff.ports.venue import OpenOrder, OrderHalt

# What reads tables takes as long to import as everything else, and a kill reads none.
if TYPE_CHECKING:
    from signoff.adapters.evidence.reader import FolderReader
    from signoff.adapters.live_folder import LiveFolder
    from signoff.adapters.sandbox.child import Sandbox

T = TypeVar("T")

# A rollback waits for a registered model to be tried; its first five minutes hold whatever the model does.
MODEL_SECONDS: Final = 120.0
# What says who may sign, what was signed, and who is known.
DECIDING = ("ledger.key", "ledger.pub", "people.known", "verified.json")
# Folders that are written to, and so must lie in the home itself.
INSIDE = ("anchors", "blobs", "releases", "uploads", "live")
# What another account could lock or read, and has no business with.
CLOSED = (
    "simulated_broker.lock",
    "simulated_broker.json",
    "notices.lock",
    "notices.jsonl",
    "people.known",
    "verified.json",
)
MAX_VERIFIED = 64 << 20
OBSERVING: Final = "observing"
# For whom a server started a child: the child takes the name once, and may then act under it as authenticated.
SENT_FOR: Final = "sent for"
# A worker that runs once a day counts as one that observes.
OBSERVED_WITHIN: Final = timedelta(hours=26)


class shared(cached_property[T]):  # noqa: N801 - named as what it extends
    """A part that is built once and used by every request, unless the installation was given another in its place."""

    def __get__(self, instance: "Installation | None", owner: type[Any] | None = None) -> T:  # type: ignore[override]
        """The part."""
        name = str(self.attrname)
        return cast(
            "T", instance.given[name] if instance and name in instance.given else super().__get__(instance, owner)
        )


def _shared() -> frozenset[str]:
    return frozenset(name for name, part in vars(Installation).items() if isinstance(part, shared))


@dataclass(frozen=True)
class Installation:
    """Everything an installation can do, built on first use. `proof` is of the names of those who act by it."""

    settings: Settings
    clock: Clock = field(default_factory=WallClock)
    undertakings: CommitsInFlight | None = None
    proof: ActorProof = ActorProof.UNRECORDED
    caller: Caller = field(default_factory=Caller)
    given: Mapping[str, object] = field(default_factory=dict, repr=False, compare=False)

    def known_by(self, proof: ActorProof) -> "Installation":
        """The same installation for those whose names rest on this."""
        return replace(self, proof=proof)

    def refuse_open_home(self) -> None:
        """Refuse a home that others may write to, and what decides something in it and is somebody else's.

        Root refuses another account's home unless it was named: it lies in whatever folder the command is run in.
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
        """The ledger with its state and outbox."""
        self._refuse_misplaced()
        self._make_home()
        return SqlStore(
            self.settings.database,
            sign=self.ledger_keys.sign_checkpoint,
            blobs=self.settings.blobs,
            open_note=self.ledger_keys.open,
            is_patient=True,
        )

    def _refuse_misplaced(self) -> None:
        """Refuse to begin a second ledger where an earlier version took signs of the home's path for those of a URL."""
        usual, known = self.settings.home / "signoff.db", self.settings.database
        misread = sqlite_file(f"sqlite:///{usual}") or usual
        if misread == usual or known != sqlite_url(str(usual)) or usual.exists():
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
            with suppress(OSError):  # whoever writes there says what is in the way
                make_private_inside(folder)
        for name in CLOSED:
            close_to_others(self.settings.home / name)

    @shared
    def shelf(self) -> TtlStore:
        """What may expire: sessions, challenges, stored answers, leases."""
        store = self.store
        return SqlTtlStore(store.database) if isinstance(store, SqlStore) else MemoryTtlStore()

    @cached_property
    def ledger_keys(self) -> LedgerKeys:
        """The keys of this installation's checkpoints, made with its ledger; a ledger without its keys is refused."""
        path = self.settings.home / "ledger.key"
        is_there = path.exists() or (self.settings.home / "ledger.pub").exists()
        if not is_there and (self.settings.home / "signoff.db").exists():
            raise UnavailableError(
                f"Expected the ledger's key at {path}, found none, and the ledger is there. A new key would break its "
                "chain of checkpoints: restore the key from a backup, or begin a new home."
            )
        return LedgerKeys.of(self.settings.home)

    @property
    def public_chain(self) -> KeyChain:
        """The public halves of the ledger's keys; no home is made for the question."""
        if not self.is_there:
            raise NotFoundError(
                f"Expected a ledger in {self.settings.home.absolute()}, found none, so that there is no key yet. Name "
                "the installation's home with --home."
            )
        return self.ledger_keys.chain

    @cached_property
    def ledger_key(self) -> KeyFile:
        """The key that signed when this process began: what it says to trading processes stays under one key."""
        return self.ledger_keys.present

    def key_of(self, person: str, path: Path | None = None) -> KeyFile:
        """A person's key, made on first use; in the home unless they keep it elsewhere."""
        return KeyFile.held(path or self.key_path(person))

    @cached_property
    def record(self) -> Record:
        return Record(self.store, self.clock, self.caller, self.undertakings, self.proof)

    @cached_property
    def accounts(self) -> Accounts:
        """Who comes in by what."""
        return Accounts(self.record, KnownPeople(self.record, KeptFile(self.settings.home / "people.known")))

    @cached_property
    def authenticators(self) -> Authenticators:
        """What people sign with in the browser."""
        provider = self.settings.oidc
        public_url = None if provider is None else provider.public_url
        return Authenticators(record=self.record, shelf=self.shelf, public_url=public_url)

    @shared
    def outside_registry(self) -> Outside:
        """The registry as a place outside: one budget and one breaker for versions and runs."""
        return Outside(f"the model registry at {bare(self.settings.registry)}", self.settings.registry_budget)

    @shared
    def registry(self) -> Registry | None:
        """The model registry, None where the extra is not installed or the registry does not exist.

        It is opened by the first call to it, so that no registry keeps a fence, a cancel or a kill from being done.
        """
        if self._has_no_registry:
            return None
        return GuardedRegistry(self.outside_registry, self._opened_registry, "signoff.adapters.mlflow_registry")

    def _opened_registry(self) -> Registry | None:
        from signoff.adapters.mlflow_registry import MlflowRegistry  # noqa: PLC0415 - an optional extra

        quick = replace(self.sandbox, seconds=min(self.sandbox.seconds, MODEL_SECONDS))
        known = self.settings
        return MlflowRegistry.open(known.registry, quick, known.registry_budget, artifacts=known.artifacts)

    def benchmark(self, model: str, version: str, *, calls: int) -> Benchmark:
        """Measure a registered version on this machine, in a child process of its own."""
        if self._has_no_registry:
            raise UnavailableError(
                f"Expected a model registry at {bare(self.settings.registry)}, found none: only a registered version "
                "is measured. Name the registry with --registry, and install `signoff[mlflow]`."
            )
        from signoff.adapters.mlflow_registry import MlflowRegistry  # noqa: PLC0415 - an optional extra

        known = self.settings
        opened = MlflowRegistry.open(known.registry, self.sandbox, known.registry_budget, artifacts=known.artifacts)
        if opened is None:
            raise UnavailableError(f"Expected a model registry at {bare(known.registry)}, found none there any more.")
        return opened.benchmark(model, version, calls=calls, now=self.clock.now)

    @property
    def _has_no_registry(self) -> bool:
        if find_spec("mlflow") is None:  # looked for, not imported, which takes over a second
            return True
        file = sqlite_file(self.settings.registry)
        return file is not None and not file.exists()

    @shared
    def runs(self) -> Runs | None:
        """The runs behind the registry, None where there is none."""
        if self._has_no_registry:
            return None
        return GuardedRuns(self.outside_registry, self._opened_runs, "signoff.adapters.mlflow_runs")

    def _opened_runs(self) -> Runs | None:
        from signoff.adapters.mlflow_runs import MlflowRuns  # noqa: PLC0415 - an optional extra

        known = self.settings
        return MlflowRuns.open(known.registry, known.registry_budget, artifacts=known.artifacts)

    @shared
    def reader(self) -> "FolderReader":
        from signoff.adapters.evidence.reader import FolderReader  # noqa: PLC0415 - it reads tables

        return FolderReader(self.runs, keep=self.settings.releases)

    @shared
    def releases(self) -> ReleaseFolders:
        return ReleaseFolders(self.settings.releases)

    @shared
    def broker(self) -> OrderHalt:
        """The venue that was chosen by name, or none."""
        match self.settings.venue.name:
            case VenueKind.NONE:
                return NoVenue()
            case VenueKind.SIMULATED:
                return self.simulated_venue
            case name:
                return ConnectedVenue(
                    name, lambda: maker(EntryPointGroup.VENUES, self.settings.venue, self.settings.home)
                )

    @cached_property
    def simulated_venue(self) -> SimulatedBroker:
        """The book of the simulated venue, for whoever places orders into it; an installation asks its own venue."""
        return SimulatedBroker(self.settings.home / "simulated_broker.json")

    @cached_property
    def assessor(self) -> Assessor:
        from signoff.adapters.feature_replay import FeatureReplays  # noqa: PLC0415 - it reads tables

        return Assessor(
            reader=self.reader,
            registry=self.registry,
            replay_features=FeatureReplays(self.sandbox),
            in_force=self.policy_in_force,
            gates=(*GATES, *(held(*gate(name), name) for name in self.settings.gates)),
        )

    @cached_property
    def policies(self) -> Policies:
        """The installation's policy."""
        return Policies(record=self.record, read=_read_policy)

    def policy_in_force(self) -> InForce:
        """The policy that releases are held to; a home that is not there yet is not made for the question."""
        return self.policies.in_force() if self.is_there else built_in()

    @property
    def is_there(self) -> bool:
        """Whether this installation has begun: its store is open, or its ledger's key exists."""
        keys = (self.settings.home / name for name in ("ledger.key", "ledger.pub"))
        return (
            "store" in {*self.given, *vars(self)}
            or (self.settings.home / "signoff.db").exists()
            or any(k.exists() for k in keys)
        )

    @cached_property
    def sandbox(self) -> "Sandbox":
        """Where code that comes with a dossier or from a registry runs: out of reach of all that is in the home."""
        from signoff.adapters.sandbox.child import Sandbox, installed_packages  # noqa: PLC0415 - it reads tables

        home, foreign = self.settings.home, self.settings.foreign_code
        return Sandbox(
            isolation=foreign.isolation,
            hidden=(
                Path("/etc/passwd"),
                *(home / name for name in ("ledger.key", "signoff.db", "people.known", "keys", "kills")),
            ),
            folders=(home,),
            packages=installed_packages(),
            seconds=foreign.seconds,
            memory_bytes=foreign.memory_mb << 20,
        )

    @cached_property
    def publisher(self) -> Publisher:
        return Publisher(record=self.record, registry=self.registry)

    @cached_property
    def approvals(self) -> ApprovalRound:
        known = self.settings
        return ApprovalRound(
            record=self.record,
            releases=self.releases,
            publisher=self.publisher,
            assessor=self.assessor,
            commits=GitCommits(tuple(map(Path, known.repositories)) if known.is_sent else None),
        )

    @cached_property
    def rollout(self) -> Rollout:
        return Rollout(
            record=self.record, approvals=self.approvals, reference=lambda model: self.feed(model).reference()
        )

    @cached_property
    def rollback(self) -> RollbackProcedure:
        return RollbackProcedure(
            record=self.record,
            orders=self.broker,
            journal=self.kills,
            registry=self.registry,
            releases=self.releases,
        )

    @shared
    def kills(self) -> KillFolders:
        """Kills that the ledger does not hold yet."""
        return KillFolders.beside(self.settings.home, fallback=self.settings.kill_fallback, drop=self.kill_drop)

    @property
    def kill_drop(self) -> KillDrop | None:
        """Where members of a group leave kills, None where no such folder is named."""
        known = self.settings
        if known.kill_drop is None:
            return None
        return KillDrop(folder=known.kill_drop, group=known.kill_group, home=known.home, now=self.clock.now)

    @cached_property
    def board(self) -> FlagCache:
        """The flags of every model, as trading processes are told them."""
        return FlagCache(
            self.record, self.kills, FlagSigner(key_id=self.ledger_key.key_id, sign=self.ledger_key.private.sign)
        )

    @property
    def kill_switch(self) -> KillSwitch:
        """Stops a model also where the record cannot be opened; the kill then waits in the journal until it can."""
        if self.kill_drop is not None and self.kill_drop.is_for_guests:
            shut = ShutStore(UnavailableError(f"The home {self.settings.home} is another account's."))
            record = Record(cast("Store", shut), self.clock, proof=self.proof)
            return KillSwitch(record=record, orders=NoVenue(), journal=self.kills)
        return KillSwitch(
            record=self._record_or_shut,
            orders=self.broker,
            journal=self.kills,
            policy=lambda: self.policies.in_force().policy,
        )

    @property
    def _record_or_shut(self) -> Record:
        try:
            return self.record
        except SignoffError as error:
            shut = error
        except OSError as error:
            shut = UnavailableError(f"The home {self.settings.home} cannot be used: {error.strerror}.")
        except BaseException as error:
            if not is_fault(error):
                raise
            shut = UnavailableError(f"The record in {self.settings.home} cannot be opened: {described(error)}.")
        return Record(cast("Store", ShutStore(shut)), self.clock, proof=self.proof)

    def for_request(self, caller: Caller) -> "Installation":
        """The same installation for one caller: what it does carries their request and heeds what they expect."""
        return replace(self, caller=caller, given={name: getattr(self, name) for name in _shared()})

    def with_parts(self, **parts: object) -> "Installation":
        """The same installation with these parts in the place of those that it would build, as `store=MemoryStore()`.

        What it shares among requests can be given: the store, the shelf, the registry, the broker and others.
        """
        if unknown := parts.keys() - _shared():
            raise TypeError(
                f"Expected parts out of {', '.join(sorted(_shared()))}, found {', '.join(sorted(unknown))}."
            )
        return replace(self, given={**self.given, **parts})

    def flags_of(self, models: Collection[str]) -> dict[str, Flags]:
        """The flags of each of these models by the record, and by kills in force that it does not hold yet."""
        told = self.record.flags_of(models)
        for kill in self.kills.pending():
            for model in models:
                names = desks(self.record.deployments(model)) if kill.reach is Reach.DESK else frozenset[str]()
                if told[model].state != KILLED and kill.covers(model, names):
                    told[model] = killed(told[model], 1)
        return told

    def feed(self, model: str) -> "LiveFolder":
        """The journal of one model's trading process."""
        from signoff.adapters.live_folder import LiveFolder  # noqa: PLC0415 - it reads tables

        return LiveFolder(
            self.settings.live(model),
            looks=self._looks.setdefault(model, {}),
            baselines=self._baselines.setdefault(model, {}),
            approved=lambda version: approved(self.record, model, version),
            now=self.clock.now,
        )

    @shared
    def _baselines(self) -> dict[str, dict[tuple[object, ...], tuple[Baseline, frozenset[str]]]]:
        """The training period of each model, as its file was last, kept while this process runs."""
        return {}

    @shared
    def _looks(self) -> dict[str, dict[tuple[object, ...], Measurement]]:
        """What was last read of each model's open session, kept while this process runs."""
        return {}

    def watch(self, model: str) -> Watch:
        """Monitoring of one model."""
        return Watch(record=self.record, feed=self.feed(model), calendar=ExchangeCalendar(), rollback=self.rollback)

    def sent_for(self, actor: str, until: timedelta) -> str:
        """A secret by which a child that this process starts may act in the name of somebody who came in here."""
        secret, now = token_urlsafe(24), self.clock.now()
        self.shelf.put(SENT_FOR, digest(secret.encode()), actor.encode(), now + until)
        return secret

    def is_sent_for(self, actor: str) -> bool:
        """Whether a server that knows this person started this process for them; its secret holds once."""
        if not self.settings.sent or not self.is_there:
            return False
        return self.shelf.take(SENT_FOR, digest(self.settings.sent.encode()), self.clock.now()) == actor.encode()

    def say_observing(self, *, is_observing: bool) -> None:
        """Leave word whether the last pass of a worker observed sessions, for who asks where things stand."""
        now = self.clock.now()
        self.shelf.put(OBSERVING, OBSERVING, str(is_observing).encode(), now + OBSERVED_WITHIN)

    def is_observing(self) -> bool:
        """Whether a worker observes sessions here: its last pass did, and was not too long ago."""
        try:
            return self.shelf.get(OBSERVING, OBSERVING, self.clock.now()) == str(True).encode()
        except SignoffError:
            return False

    def stage(self) -> RehearsalSandbox:
        """Where rehearsals play: nothing of production is touched."""
        return RehearsalSandbox(
            store=MemoryStore,
            orders=staged_orders if self.settings.venue.name == VenueKind.SIMULATED else lambda _: NoVenue(),
            journal=KillFolders(()),
            registry=self.registry,
        )

    @cached_property
    def notifier(self) -> Notifier:
        """Where notices go: the webhook of whoever runs this, else a file in the home; calls to their pager, if any."""
        messenger, pager = self._messenger, self._pager
        return messenger if pager is None else BySeverity(calls=pager, notices=messenger)

    @cached_property
    def _messenger(self) -> Receiver:
        if (chosen := self.settings.notifier) is not None:
            return InstalledNotifier(chosen.name, lambda: maker(EntryPointGroup.NOTIFIERS, chosen, self.settings.home))
        hook = self.settings.webhook
        if hook is None:
            return NoticeFile(self.settings.home / "notices.jsonl")
        return Webhook(url=hook.url, clock=self.clock, secret=hook.secret, allowed=hook.allowed)

    @cached_property
    def _pager(self) -> Pager | None:
        pager = self.settings.pager
        if pager is None:
            return None
        return Pager(url=pager.url, key=pager.key, clock=self.clock, allowed=pager.allowed)

    @cached_property
    def pacing(self) -> Pacing:
        """How soon each receiver of notices and calls is asked again."""
        places = {Severity.PAGE: (self._pager or self._messenger).place, Severity.NOTICE: self._messenger.place}
        return Pacing(receivers=places, shelf=self.shelf, clock=self.clock, jitter=random)

    def deliver_notices(self, severities: tuple[Severity, ...] = IN_ORDER) -> tuple[int, tuple[str, ...]]:
        """Send what is due, of these severities alone where any are given; how many were sent, and what went wrong."""
        attempts = self.settings.notice_attempts
        terms = Terms(attempts=attempts, jitter=random, pacing=self.pacing)
        sent, problems = deliver(self.record, self.notifier, severities=severities, terms=terms)
        return sent, (*problems, *reminder(self.record, self.shelf, attempts))

    def export(self) -> dict[str, bytes]:
        """Every file of an export of this installation's ledger."""
        return {name: b"".join(pieces) for name, pieces in self.export_pieces()}

    def export_pieces(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        """The same a piece at a time, for ledgers that do not fit into memory."""
        return export(self.record, chain=self.ledger_keys.chain, anchors=self.anchored, sign=self.ledger_keys.sign_text)

    def verify(
        self,
        *,
        is_full: bool = False,
        expected_fingerprint: str | None = None,
        kept: Sequence[KeptCheckpoint] = (),
        check_stamp: StampCheck | None = None,
    ) -> Verification:
        """Verify the ledger where it lives, from where it was verified last unless all of it is to be read."""
        place = self.settings.verified
        is_kept = place.exists() or place.is_symlink()
        since = NOTHING if is_full or kept or not is_kept else parse_verified(self._verified())
        result, verified = verify_ledger(
            snapshot(self.record, chain=self.ledger_keys.chain, anchors=self.anchored),
            since,
            expected_fingerprint=expected_fingerprint,
            kept=kept,
            check_stamp=check_stamp,
        )
        if verified is not None:
            with suppress(OSError):  # a convenience: without it the next time reads everything
                write_file(place, verified.to_bytes(), mode=PRIVATE_FILE)
        if is_full:
            result = replace(result, findings=(*result.findings, *self.altered_editions()))
        return self._held_against_registry(result)

    def altered_editions(self) -> Iterator[tuple[str, str]]:
        """Files of kept editions that are not what was issued; a folder that is not here is not asked for."""
        for state in self.record.deployments():
            here = [edition for edition, _ in state.editions if self.releases.folder(state.id, edition).is_dir()]
            for path in self.approvals.altered(state, here):
                yield f"releases/{state.id}/{path}", "it was altered since its edition was issued"

    def _held_against_registry(self, result: Verification) -> Verification:
        """The same, with what the registry has otherwise than the releases that are bound to it."""
        stored = {each.stream: each.state for each in self.record.stored_in(*STAYS_TAKEN)}
        told = tuple(held_against(deployments_in(stored), self.registry, ALIAS))
        return replace(
            result,
            findings=(*result.findings, *((where, what) for where, what, is_known in told if is_known)),
            inconclusive=(*result.inconclusive, *((where, what) for where, what, is_known in told if not is_known)),
        )

    def _verified(self) -> bytes:
        return read_regular(self.settings.verified, limit=MAX_VERIFIED, owners=own_users(self.settings.home))

    @property
    def anchored(self) -> dict[str, bytes]:
        """Checkpoints kept beside the database."""
        return read_folder(self.settings.anchors) if self.settings.anchors.is_dir() else {}

    def rotate_ledger_keys(self) -> KeyChain:
        """New keys sign the ledger from its next event on; the chain of keys that is then in force."""
        return self.store.with_tree(self.ledger_keys.hand_over)

    def anchor(self) -> None:
        """Copy the present checkpoint to where the database cannot reach."""
        self._anchored(FileAnchor(self.settings.anchors))

    def anchor_to(self, target: str, *, tsa_root: Path | None = None) -> str:
        """Keep the present checkpoint at a place that the operator names; where it is kept."""
        where = self._anchored(anchor_at(target, beside=self.settings.anchors, tsa_root=tsa_root))
        if where is None:
            raise NotFoundError("Expected a ledger with events, found an empty one; there is nothing to anchor yet.")
        if tsa_root is not None:
            write_file(self.settings.tsa_root, tsa_root.read_bytes())
        return where

    def _anchored(self, anchor: Anchor) -> str | None:
        if (checkpoint := self.store.checkpoint()) is None:
            return None
        return anchor.add(checkpoint, claimed(checkpoint).size)

    def signatory(self, role: Role, person: str | None = None, key: Path | None = None) -> SigningPerson:
        """Who signs in a role: the person named, or the only one enrolled in it."""
        people = self.record.people().by_name
        if person is None:
            holders = sorted(name for name, known in people.items() if role in known.roles)
            if len(holders) != 1:
                found = ", ".join(holders) or "nobody"
                raise NotFoundError(
                    f"Expected one person enrolled as {role.value}, found {found}. Name the person with --as NAME, or "
                    f"enrol with `signoff people add NAME --role {role.value} --public-key FILE`."
                )
            person = holders[0]
        return SigningPerson(person=person, role=role, signer=KeyFile.load(key or self.key_path(person)))

    def key_path(self, person: str) -> Path:
        """Where a person's private key is kept unless they say otherwise."""
        return self.settings.keys / f"{''.join(c if c.isalnum() else '-' for c in person.lower())}.pem"


def staged_orders(scope: str) -> OrderHalt:
    """A simulated broker with a few open orders of this scope, so that a rehearsal has something to cancel."""
    broker = SimulatedBroker()
    broker.place(
        (
            OpenOrder(client_order_id=f"{scope}rehearsal-{n}", symbol=symbol, side="buy", quantity=100.0)
            for n, symbol in enumerate(("AAPL", "JPM", "XOM"))
        ),
        flags_revision=FlagsRevision(0),
    )
    return broker


def _read_policy(content: bytes) -> Policy:
    return parse_policy(Path("inputs/policy.yaml"), content).value
