"""Builds the adapters and passes them to use cases; no other module does."""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from random import random
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final, cast

from signoff.adapters.anchors import HomeAnchors
from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.documents import parse_policy
from signoff.adapters.folders import KeptFile, NoticeFile, ReleaseFolders, write_file
from signoff.adapters.foreign_files import (
    own_users,
    read_regular,
)
from signoff.adapters.git_commits import GitCommits
from signoff.adapters.guarded import GuardedRegistry, GuardedRuns
from signoff.adapters.installed import InstalledNotifier, held
from signoff.adapters.kill_journal import KillFolders
from signoff.adapters.outside import Outside, bare
from signoff.adapters.own_files import PRIVATE_FILE
from signoff.adapters.signing_keys import KeyFile
from signoff.adapters.sqlite_files import sqlite_file
from signoff.adapters.store_memory import MemoryStore
from signoff.adapters.unavailable_store import ShutStore
from signoff.adapters.venues.none import NoVenue
from signoff.adapters.venues.packaged import PackagedVenue
from signoff.adapters.venues.simulated import SimulatedBroker
from signoff.adapters.webhook import BySeverity, Pager, Webhook
from signoff.app.accounts import Accounts, KnownPeople
from signoff.app.approvals import ApprovalRound
from signoff.app.assess import Assessor
from signoff.app.credentials import Authenticators
from signoff.app.flag_cache import FlagCache, FlagSigner
from signoff.app.held import approved
from signoff.app.kill import KillSwitch
from signoff.app.notices import IN_ORDER, Terms, deliver, reminder
from signoff.app.observe import Watch
from signoff.app.own_ledger import OwnLedger, VerifiedFile
from signoff.app.pacing import Pacing
from signoff.app.package import Publisher
from signoff.app.policy import Policies
from signoff.app.record import Record
from signoff.app.rollback import RollbackProcedure
from signoff.app.rollback_drill import RehearsalSandbox
from signoff.app.rollout import Rollout
from signoff.app.signing import SigningPerson
from signoff.config.extensions import EntryPointGroup, gate, maker
from signoff.domain.benchmark import Benchmark
from signoff.domain.errors import NotFoundError, SignoffError, UnavailableError, described, is_fault
from signoff.domain.flags import FlagsRevision
from signoff.domain.floor import InForce
from signoff.domain.gates import GATES
from signoff.domain.monitoring import Baseline, Measurement
from signoff.domain.policy import Policy, Role
from signoff.domain.venue import VenueKind
from signoff.home import OBSERVING, Home, shared
from signoff.ledger.canonical import digest
from signoff.ledger.floor import built_in
from signoff.ledger.keychain import KeyChain
from signoff.ports.notices import Notifier, Receiver, Severity
from signoff.ports.registry import Registry
from signoff.ports.runs import Runs
from signoff.ports.store import Store
from signoff.ports.venue import OpenOrder, OrderHalt

# Importing the table readers takes as long as importing everything else, and a kill needs none.
if TYPE_CHECKING:
    from signoff.adapters.evidence.reader import FolderReader
    from signoff.adapters.live_folder import LiveFolder
    from signoff.adapters.sandbox.child import Sandbox

# A rollback waits at most this long for a registered model to run, so that it meets its first deadline of 5 minutes.
MODEL_SECONDS: Final = 120.0
MAX_VERIFIED = 64 << 20
# The name for which a server started a child process. The child reads it once, and acts under it as authenticated.
SENT_FOR: Final = "sent for"
# A worker that runs once a day still counts as observing.
OBSERVED_WITHIN: Final = timedelta(hours=26)


@dataclass(frozen=True)
class Installation(Home):
    """All parts of an installation, built on first use."""

    @shared
    def store(self) -> Store:
        """The ledger with its state and outbox."""
        return self._opened_store()

    @property
    def public_chain(self) -> KeyChain:
        """The public keys of the ledger; a missing home is not created."""
        if not self.is_there:
            raise NotFoundError(
                f"Expected a ledger in {self.settings.home.absolute()}, found none, so that there is no key yet. Name "
                "the installation's home with --home."
            )
        return self.ledger_keys.chain

    @cached_property
    def ledger_key(self) -> KeyFile:
        """The key that was current when this process began; all its notices to trading processes carry this one."""
        return self.ledger_keys.present

    def key_of(self, person: str, path: Path | None = None) -> KeyFile:
        """A person's key, made on first use; it is in the home unless `path` is given."""
        return KeyFile.held(path or self.key_path(person))

    @cached_property
    def accounts(self) -> Accounts:
        """Principals and their tokens."""
        return Accounts(self.record, KnownPeople(self.record, KeptFile(self.settings.home / "people.known")))

    @cached_property
    def authenticators(self) -> Authenticators:
        """The authenticators with which people sign in the browser."""
        provider = self.settings.oidc
        public_url = None if provider is None else provider.public_url
        return Authenticators(record=self.record, shelf=self.shelf, public_url=public_url)

    @shared
    def outside_registry(self) -> Outside:
        """The time budget and circuit breaker of the registry, shared by versions and runs."""
        return Outside(f"the model registry at {bare(self.settings.registry)}", self.settings.registry_budget)

    @shared
    def registry(self) -> Registry | None:
        """The model registry, None if the extra is not installed or the registry does not exist.

        The first call opens it, so that a broken registry cannot delay a fence, a cancel or a kill.
        """
        if self._has_no_registry:
            return None
        return GuardedRegistry(self.outside_registry, self._opened_registry, "signoff.adapters.mlflow_registry")

    def _opened_registry(self) -> Registry | None:
        from signoff.adapters.mlflow_registry import MlflowRegistry  # noqa: PLC0415 - an optional extra

        quick = replace(self.sandbox, seconds=min(self.sandbox.seconds, MODEL_SECONDS))
        settings = self.settings
        return MlflowRegistry.open(settings.registry, quick, settings.registry_budget, artifacts=settings.artifacts)

    def benchmark(self, model: str, version: str, *, calls: int) -> Benchmark:
        """Measure a registered version on this machine, in a child process of its own."""
        if self._has_no_registry:
            raise UnavailableError(
                f"Expected a model registry at {bare(self.settings.registry)}, found none: only a registered version "
                "is measured. Name the registry with --registry, and install `signoff[mlflow]`."
            )
        from signoff.adapters.mlflow_registry import MlflowRegistry  # noqa: PLC0415 - an optional extra

        settings = self.settings
        opened = MlflowRegistry.open(
            settings.registry, self.sandbox, settings.registry_budget, artifacts=settings.artifacts
        )
        if opened is None:
            raise UnavailableError(
                f"Expected a model registry at {bare(settings.registry)}, found none there any more."
            )
        return opened.benchmark(model, version, calls=calls, now=self.clock.now)

    @property
    def _has_no_registry(self) -> bool:
        if find_spec("mlflow") is None:  # not imported, since that takes over a second
            return True
        file = sqlite_file(self.settings.registry)
        return file is not None and not file.exists()

    @shared
    def runs(self) -> Runs | None:
        """The experiment tracker beside the registry, None without a registry."""
        if self._has_no_registry:
            return None
        return GuardedRuns(self.outside_registry, self._opened_runs, "signoff.adapters.mlflow_runs")

    def _opened_runs(self) -> Runs | None:
        from signoff.adapters.mlflow_runs import MlflowRuns  # noqa: PLC0415 - an optional extra

        settings = self.settings
        return MlflowRuns.open(settings.registry, settings.registry_budget, artifacts=settings.artifacts)

    @shared
    def reader(self) -> "FolderReader":
        from signoff.adapters.evidence.reader import FolderReader  # noqa: PLC0415 - it reads tables

        return FolderReader(self.runs, keep=self.settings.releases)

    @shared
    def releases(self) -> ReleaseFolders:
        return ReleaseFolders(self.settings.releases)

    @shared
    def broker(self) -> OrderHalt:
        """The venue that the settings name, or the one for "no venue connected"."""
        match self.settings.venue.name:
            case VenueKind.NONE:
                return NoVenue()
            case VenueKind.SIMULATED:
                return self.simulated_venue
            case name:
                return PackagedVenue(
                    name, lambda: maker(EntryPointGroup.VENUES, self.settings.venue, self.settings.home)
                )

    @cached_property
    def simulated_venue(self) -> SimulatedBroker:
        """The simulated venue's book, for callers that place orders into it; the installation itself uses `broker`."""
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
        """The policy in force; a missing home is not created."""
        return self.policies.in_force() if self.is_there else built_in()

    @cached_property
    def sandbox(self) -> "Sandbox":
        """The sandbox for code from a dossier or a registry; it cannot reach the home."""
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
        settings = self.settings
        return ApprovalRound(
            record=self.record,
            releases=self.releases,
            publisher=self.publisher,
            assessor=self.assessor,
            commits=GitCommits(tuple(map(Path, settings.repositories)) if settings.is_sent else None),
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

    @cached_property
    def board(self) -> FlagCache:
        """The flags of every model, as trading processes receive them."""
        return FlagCache(
            self.record, self.kills, FlagSigner(key_id=self.ledger_key.key_id, sign=self.ledger_key.private.sign)
        )

    @property
    def kill_switch(self) -> KillSwitch:
        """The kill switch. It works without the record; the kill then waits in the journal."""
        if self.kill_drop is not None and self.kill_drop.is_for_guests:
            shut = ShutStore(UnavailableError(f"The home {self.settings.home} belongs to another account."))
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
        """The training period of each model, as last read, cached in this process."""
        return {}

    @shared
    def _looks(self) -> dict[str, dict[tuple[object, ...], Measurement]]:
        """The last reading of each model's open session, cached in this process."""
        return {}

    def watch(self, model: str) -> Watch:
        """The monitoring of one model."""
        return Watch(record=self.record, feed=self.feed(model), calendar=ExchangeCalendar(), rollback=self.rollback)

    def sent_for(self, actor: str, until: timedelta) -> str:
        """A one-time secret with which a child process may act in the name of a person who signed in here."""
        secret, now = token_urlsafe(24), self.clock.now()
        self.shelf.put(SENT_FOR, digest(secret.encode()), actor.encode(), now + until)
        return secret

    def is_sent_for(self, actor: str) -> bool:
        """Whether a server started this process for this person; the secret works once."""
        if not self.settings.sent or not self.is_there:
            return False
        return self.shelf.take(SENT_FOR, digest(self.settings.sent.encode()), self.clock.now()) == actor.encode()

    def say_observing(self, *, is_observing: bool) -> None:
        """Note whether the last pass of a worker observed sessions, for `status`."""
        now = self.clock.now()
        self.shelf.put(OBSERVING, OBSERVING, str(is_observing).encode(), now + OBSERVED_WITHIN)

    def stage(self) -> RehearsalSandbox:
        """The sandbox of rehearsals, which touch nothing of production."""
        return RehearsalSandbox(
            store=MemoryStore,
            orders=staged_orders if self.settings.venue.name == VenueKind.SIMULATED else lambda _: NoVenue(),
            journal=KillFolders(()),
            registry=self.registry,
        )

    @cached_property
    def notifier(self) -> Notifier:
        """The receiver of notices: a webhook, else a file in the home; pages go to the pager, if there is one."""
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
        """The waits before each receiver of notices and pages is tried again."""
        places = {Severity.PAGE: (self._pager or self._messenger).place, Severity.NOTICE: self._messenger.place}
        return Pacing(receivers=places, shelf=self.shelf, clock=self.clock, jitter=random)

    def deliver_notices(self, severities: tuple[Severity, ...] = IN_ORDER) -> tuple[int, tuple[str, ...]]:
        """Send due notices of these severities, or of all; returns how many were sent, and the problems."""
        attempts = self.settings.notice_attempts
        terms = Terms(attempts=attempts, jitter=random, pacing=self.pacing)
        sent, problems = deliver(self.record, self.notifier, severities=severities, terms=terms)
        return sent, (*problems, *reminder(self.record, self.shelf, attempts))

    @cached_property
    def ledger(self) -> OwnLedger:
        """The ledger's export, verification, anchors and keys."""
        return OwnLedger(
            record=self.record,
            keys=self.ledger_keys,
            anchors=HomeAnchors(folder=self.settings.anchors, root_certificates=self.settings.tsa_root),
            verified=VerifiedFile(
                read=self._last_verified,
                write=lambda content: write_file(self.settings.verified, content, mode=PRIVATE_FILE),
            ),
            registry=self.registry,
            approvals=self.approvals,
            has_edition=lambda release, edition: self.releases.folder(release, edition).is_dir(),
        )

    def _last_verified(self) -> bytes | None:
        place = self.settings.verified
        if not (place.exists() or place.is_symlink()):
            return None
        return read_regular(place, limit=MAX_VERIFIED, owners=own_users(self.settings.home))

    def signatory(self, role: Role, person: str | None = None, key: Path | None = None) -> SigningPerson:
        """The person who signs in a role: the named one, or the only one enrolled in it."""
        people = self.record.people().by_name
        if person is None:
            holders = sorted(name for name, enrolled in people.items() if role in enrolled.roles)
            if len(holders) != 1:
                names = ", ".join(holders) or "nobody"
                raise NotFoundError(
                    f"Expected one person enrolled as {role.value}, found {names}. Name the person with --as NAME, or "
                    f"enrol with `signoff people add NAME --role {role.value} --public-key FILE`."
                )
            person = holders[0]
        return SigningPerson(person=person, role=role, signer=KeyFile.load(key or self.key_path(person)))

    def key_path(self, person: str) -> Path:
        """The default path of a person's private key."""
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
