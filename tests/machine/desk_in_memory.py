"""A whole installation in memory for tests of the state machine: real use cases over fakes that can be made to fail.

Everything that outlives a process (store, folders, broker, registry, inbox) belongs to the `World`; the use cases are
built anew for every command, as after a restart. A `Fuse` ends the process at the n-th boundary: before or after any
commit, and before or after anything done at the broker, in the registry or in a folder.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standing import POLICY, ROLES, START
from undertakings import UNDERTAKINGS

from signoff.adapters.kill_journal import KillFolders
from signoff.adapters.signing_keys import KeyFile
from signoff.adapters.store_memory import MemoryStore
from signoff.adapters.venues.simulated import SimulatedBroker
from signoff.app.approvals import ApprovalRound
from signoff.app.grandfather import Adoption, adopt
from signoff.app.kill import KillSwitch
from signoff.app.observe import Watch
from signoff.app.package import Edition
from signoff.app.people import enrol
from signoff.app.record import Record
from signoff.app.rollback import RollbackProcedure, order_scope
from signoff.app.rollback_drill import RehearsalSandbox, rehearse
from signoff.app.rollout import Rollout
from signoff.app.signing import SigningPerson
from signoff.domain.artifacts import PreviousCheck
from signoff.domain.dossier import DeploymentType, EvidenceDeclaration, NamedPerson
from signoff.domain.errors import NotFoundError
from signoff.domain.events import Observed
from signoff.domain.evidence import RegisteredModel
from signoff.domain.monitoring import Measurement
from signoff.ledger.floor import built_in
from signoff.ledger.manifest import manifest_of
from signoff.ports.venue import OpenOrder

KEYS = {role: KeyFile(Ed25519PrivateKey.generate()) for role in ROLES}


class Crash(BaseException):
    """The process is gone; nothing may catch this."""


@dataclass
class Fuse:
    """Ends the process at a boundary, or lets another process do something just before a commit."""

    left: int | None = None
    interlude: Callable[[], None] | None = None

    def reach(self) -> None:
        if self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.left = None
                raise Crash

    def before_commit(self) -> None:
        interlude, self.interlude = self.interlude, None
        if interlude is not None:
            interlude()
        self.reach()


class Fused:
    """Anything with effects, with a boundary before and after each of the methods named."""

    def __init__(self, inner, fuse, *methods):
        self._inner, self._fuse, self._methods = inner, fuse, frozenset(methods)

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        if name not in self._methods:
            return found

        def fused(*arguments, **named):
            self._fuse.before_commit() if name == "commit" else self._fuse.reach()
            result = found(*arguments, **named)
            self._fuse.reach()
            return result

        return fused


@dataclass
class Clock:
    """A clock that people set; it runs on by a second whenever it is read, and may be set back."""

    moment: datetime = START
    seconds: float = 0.0

    def now(self):
        self.moment += timedelta(seconds=1)
        return self.moment

    def monotonic(self):
        self.seconds += 0.001
        return self.seconds


@dataclass
class Broker(SimulatedBroker):
    """Orders that are cancelled, unless the venue is stubborn and keeps them open."""

    def __init__(self):
        super().__init__()
        self.is_stubborn = False

    def cancel(self, scope, flags_revision):
        return len(self.open_orders(scope)) if self.is_stubborn else super().cancel(scope, flags_revision)


@dataclass
class Registry:
    """Which version every alias names, and whether versions can be loaded today."""

    aliases: dict = field(default_factory=dict)
    works: bool = True

    def version(self, model, version):
        return None

    def attach(self, model, version, files):
        return ()

    def verify(self, model, version):
        return PreviousCheck(version=version, run_id="r", is_working=self.works, detail="seen")

    def point(self, model, alias, version):
        self.aliases[model, alias] = version

    def registered(self, model, alias, versions):
        named = self.aliases.get((model, alias))
        return RegisteredModel(
            is_registered=True,
            numbers=dict.fromkeys(versions, 1),
            alias_number=None if named is None else 1,
            alias_version=named or "",
        )


@dataclass
class Folders:
    """Editions of releases by deployment; nothing is watched at its origin."""

    editions: dict = field(default_factory=dict)

    def write(self, deployment, edition, files):
        self.editions[deployment, edition] = dict(files)
        return self.folder(deployment, edition)

    def read(self, deployment, edition):
        try:
            return dict(self.editions[deployment, edition])
        except KeyError:
            raise NotFoundError(f"no {edition} of {deployment}") from None

    def folder(self, deployment, edition):
        return Path(deployment) / edition

    def origin(self, deployment):
        return None

    def remember_origin(self, deployment, folder, files):
        return None


@dataclass
class Inbox:
    """Who was told what; the same identity is told once, as the port asks."""

    told: dict = field(default_factory=dict)

    def send(self, identity, channel, subject, text, severity):
        self.told.setdefault(identity, (channel, subject, text))


QUINN = NamedPerson(name="Quinn", role="Researcher")


def dossier_of(model, version, previous, kind):
    """As much of a dossier as a submission reads."""
    header = SimpleNamespace(
        model=model,
        version=version,
        previous_version=previous,
        deployment_type=kind,
        deployed_by=QUINN,
        summary=None,
        desk=None,
    )
    return SimpleNamespace(
        model=model,
        version=version,
        header=header,
        undertakings=UNDERTAKINGS,
        governance=SimpleNamespace(commit_authors=(), commits=None),
        evidence=EvidenceDeclaration(),
        appendix=SimpleNamespace(contacts=SimpleNamespace(owner=QUINN, tech_lead=QUINN)),
        registered_model=None,
    )


EVIDENCE = SimpleNamespace(pit=None, candidate=None, champion=None, tracked=(), predictions=None)


def release_of(model, version, previous, kind=DeploymentType.UPGRADE, policy=POLICY):
    """A release whose gates all pass, with as much of it as the approval round reads."""
    files = {"inputs/dossier.yaml": f"{model} {version} {previous} {kind}".encode()}
    package = manifest_of(files)
    return SimpleNamespace(
        identity=f"{model}-{version}-{package.digest[:8]}",
        replay_seed=0,
        inputs=SimpleNamespace(
            dossier=dossier_of(model, version, previous, kind),
            policy=policy,
            files={},
            evidence=EVIDENCE,
            links={},
            floor=built_in().floor,
        ),
        assessment=SimpleNamespace(findings=()),
        figures=(),
        files=files,
        package=package,
    )


class Publisher:
    """A memo of one line."""

    def __init__(self, registry):
        self.registry = registry

    def publish(self, release, state):
        said = f"{state.id}: {len(state.approvals)} signatures"
        files = {"deployment_memo.pdf": said.encode(), **release.files}
        return Edition(files={**files, "manifest.json": manifest_of(files).to_bytes()}, certified=())

    def attach(self, state, files):
        return ()


class Feed:
    """What the next session will show."""

    def __init__(self, shown):
        self._shown = shown

    def measure(self, model, version, session, live_since, champion=None, phases=None):
        return replace(self._shown, session=session)

    def measure_open(self, model, version, session, live_since, phases=None):
        return Measurement(session=session, live_since=live_since)


class Calendar:
    """Every day is a session, and over as soon as it begins."""

    def days(self, name, start, end):
        return tuple(start + timedelta(days=n) for n in range((end - start).days + 1))

    def close(self, name, session):
        return datetime(session.year, session.month, session.day, tzinfo=UTC)

    def opens(self, name, start, end):
        return ()

    def zone(self, name):
        return "UTC"


HEALTHY = Observed(session=date(2019, 1, 1), counts=True, readings=(), is_conclusive=True)
DAYS = {
    "good": HEALTHY,
    "bad": replace(HEALTHY, fired=("error_rate",), unmet=("trigger holds: error_rate",)),
    "holding back": replace(HEALTHY, unmet=("psi_max is critical",)),
    "inconclusive": replace(HEALTHY, is_conclusive=False, unmet=("sharpe is unknown",)),
    "no data": replace(HEALTHY, counts=False, is_conclusive=False, unmet=("no data arrived",)),
}


@dataclass
class World:
    """What outlives every process."""

    store: object = field(default_factory=MemoryStore)
    fuse: Fuse = field(default_factory=Fuse)
    clock: Clock = field(default_factory=Clock)
    broker: Broker = field(default_factory=Broker)
    kills: KillFolders = field(default_factory=lambda: KillFolders(()))
    registry: Registry = field(default_factory=Registry)
    folders: Folders = field(default_factory=Folders)
    inbox: Inbox = field(default_factory=Inbox)
    submitted: dict = field(default_factory=dict)

    def opened(self, *models):
        """People enrolled, and version 1 of each model adopted."""
        house = self.house()
        for role, key in KEYS.items():
            enrol(
                house.record,
                name=role.value,
                roles=(role,),
                key_id=key.key_id,
                public_key=key.public_key,
                actor="t",
            )
        for model in models:
            adopt(
                house.record,
                Adoption(model=model, version="1", policy=POLICY, reason="it was live"),
                tuple(self.signatory(role) for role in ROLES[:2]),
            )
        return self

    def signatory(self, role):
        return SigningPerson(person=role.value, role=role, signer=KEYS[role])

    def house(self):
        return Installation(self)

    def restarted(self):
        """After a crash: nothing armed."""
        self.fuse.left = self.fuse.interlude = None
        return self


class Installation:
    """The use cases of one process."""

    def __init__(self, world):
        self.world, fuse = world, world.fuse
        self.record = Record(Fused(world.store, fuse, "commit", "done"), world.clock)
        self.orders = Fused(world.broker, fuse, "fence", "cancel", "lift")
        registry = self.registry = Fused(world.registry, fuse, "point", "attach")
        folders = Fused(world.folders, fuse, "write")
        self.approvals = ApprovalRound(
            record=self.record,
            releases=folders,
            publisher=Publisher(world.registry),
            assessor=_Assessor(world),
            commits=None,
        )
        self.rollout = Rollout(record=self.record, approvals=self.approvals)
        journal = Fused(world.kills, fuse, "write", "settle")
        self.rollback = RollbackProcedure(
            record=self.record, orders=self.orders, journal=journal, registry=registry, releases=None
        )
        self.kill_switch = KillSwitch(
            record=self.record, orders=self.orders, journal=journal, in_time=lambda settle: settle()
        )
        self.notifier = Fused(world.inbox, fuse, "send")

    def watch(self, shown):
        return Watch(record=self.record, feed=Feed(DAYS[shown]), calendar=Calendar(), rollback=self.rollback)

    def submit(self, model, version, previous, kind=DeploymentType.UPGRADE, policy=POLICY):
        release = release_of(model, version, previous, kind, policy)
        self.world.submitted[release.identity] = release
        return self.approvals.submit(Path(release.identity), release, actor="Quinn")

    def rehearse(self, model, **named):
        stage = RehearsalSandbox(
            store=MemoryStore,
            orders=_staged,
            journal=KillFolders(()),
            registry=self.world.registry,
        )
        return rehearse(self.record, stage, model=model, policy=POLICY, undertakings=UNDERTAKINGS, actor="t", **named)


class _Assessor:
    registry = None
    in_force = staticmethod(built_in)

    def __init__(self, world):
        self._world, self.registry = world, world.registry

    def assess(self, folder, policy, *, seed, validated=None):
        return self._world.submitted[folder.parts[0]]

    def drawn_again(self, folder, release):
        return release.inputs.evidence.pit


def _staged(scope):
    broker = SimulatedBroker()
    broker.place([OpenOrder(client_order_id=f"{scope}0", symbol="A", side="buy", quantity=1.0)], flags_revision=0)
    return broker


def order_id(model, number):
    return f"{order_scope(model)}{number}"
