"""A small release in place of what is around Signoff: the registry is a folder, a memo is a line, sessions are given.

Installed in a fork before the command begins, and in the judge. Store, shelf, ledger, journal of kills, folders of
releases, broker, outbox and every use case are the product's own; only what would cost seconds and has no effects
(assessing, typesetting) and what belongs to others (the registry, the trading journal) is replaced.
"""

import json
import sys
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))

import signed_in
from undertakings import UNDERTAKINGS

from signoff.adapters import clocks
from signoff.adapters.folders import write_file
from signoff.app import approvals, notices, observe, package, rollback
from signoff.app.assess import Assessor
from signoff.app.package import Edition, Publisher
from signoff.domain.commitments import DeploymentType
from signoff.domain.dossier import EvidenceDeclaration, NamedPerson
from signoff.domain.events import Observed
from signoff.domain.evidence import RegisteredModel, RegisteredVersion
from signoff.domain.floor import Origin
from signoff.domain.memo.standing import PreviousCheck
from signoff.domain.policy import ApprovalPolicy, DayCount, PhasePolicy, Policy, Role
from signoff.http import idempotency as commands
from signoff.installation import Installation
from signoff.ledger.floor import unconfirmed
from signoff.ledger.manifest import manifest_of
from signoff.ports.calendar import TradingDays

Put = Callable[[Any, str, Any], None]

MODEL: Final = "momentum"
QUINN: Final = NamedPerson(name="Quinn", role="Researcher")
EVIDENCE: Final = SimpleNamespace(pit=None, candidate=None, champion=None, tracked=(), predictions=None)
ROLES: Final = (Role.RISK_MANAGER, Role.HEAD_OF_TRADING, Role.CTO)
POLICY: Final = Policy(
    name="chaos",
    version="1",
    approvals=ApprovalPolicy(roles=ROLES, compliance_required=False),
    phases=PhasePolicy(days=DayCount.CALENDAR, shadow_days=1, limited_days=1),
)
FLOOR: Final = unconfirmed(POLICY, Origin.TRIAL).floor
GOOD: Final = Observed(session=date(2019, 1, 1), counts=True, readings=(), is_conclusive=True)
SILENT: Final = replace(GOOD, counts=False, is_conclusive=False, unmet=("no data arrived",))
BAD: Final = replace(GOOD, fired=("error_rate",), unmet=("trigger holds: error_rate",))


class FolderRegistry:
    """Aliases and attached documents as files, each written whole: every call is an effect that can be cut off."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def version(self, model: str, version: str) -> RegisteredVersion:
        return RegisteredVersion(
            model=model,
            version=version,
            run_id="r",
            experiment="e",
            parameters={},
            metrics={},
            features=(),
            training_start=None,
            training_end=None,
            git_commit=None,
            architecture="",
            tags={},
            aliases=(),
            artifacts=(),
            model_uri="",
        )

    def registered(self, model: str, alias: str, versions: Collection[str]) -> RegisteredModel:
        path = self._folder / model / f"{alias}.alias"
        numbers = {version: number for number, version in enumerate(sorted(versions), start=1)}
        named = json.loads(path.read_bytes()) if path.exists() else ""
        return RegisteredModel(
            is_registered=True,
            numbers=numbers,
            registrations={version: (number,) for version, number in numbers.items()},
            alias_number=numbers.get(named),
            alias_version=named,
        )

    def verify(self, model: str, version: str) -> PreviousCheck:  # noqa: ARG002 - the port's signature
        return PreviousCheck(version=version, run_id="r", is_working=True, detail="works")

    def attach(self, model: str, version: str, files: dict[str, bytes]) -> tuple[str, ...]:
        for name, content in files.items():
            write_file(self._folder / model / version / name, content)
        return ()

    def point(self, model: str, alias: str, version: str) -> None:
        write_file(self._folder / model / f"{alias}.alias", json.dumps(version).encode())

    def aliases(self) -> dict[str, str]:
        return {path.name: json.loads(path.read_bytes()) for path in self._folder.rglob("*.alias")}

    def attached(self) -> list[str]:
        return sorted(
            path.name
            for path in self._folder.rglob("*")
            if path.is_file() and path.name[0] != "." and path.suffix != ".alias"
        )


def release(version: str = "2.0.0", previous: str = "1.1.0") -> Any:
    """A release whose gates all pass, with as much of it as the approval round reads."""
    files = {"inputs/dossier.yaml": f"{MODEL} {version} after {previous}".encode()}
    header = SimpleNamespace(
        model=MODEL,
        version=version,
        previous_version=previous,
        deployment_type=DeploymentType.UPGRADE,
        deployed_by=QUINN,
        desk=None,
        summary=None,
    )
    dossier = SimpleNamespace(
        model=MODEL,
        version=version,
        header=header,
        undertakings=UNDERTAKINGS,
        governance=SimpleNamespace(commit_authors=(), commits=None),
        evidence=EvidenceDeclaration(),
        appendix=SimpleNamespace(contacts=SimpleNamespace(owner=QUINN, tech_lead=QUINN)),
        registered_model=None,
    )
    package = manifest_of(files)
    return SimpleNamespace(
        identity=f"{MODEL}-{version}-{package.digest[:8]}",
        replay_seed=0,
        inputs=SimpleNamespace(dossier=dossier, policy=POLICY, files={}, evidence=EVIDENCE, links={}, floor=FLOOR),
        assessment=SimpleNamespace(findings=()),
        figures=(),
        files=files,
        package=package,
    )


def publish(self: Publisher, release: Any, state: Any) -> Edition:  # noqa: ARG001 - a method's place
    """A memo of one line, with the documents that the registry asks for."""
    said = f"{state.id}: {len(state.approvals)} signatures".encode()
    files = {
        "deployment_memo.pdf": said,
        "attachments/backtest_report.pdf": b"report",
        "attachments/validation_results.pdf": b"results",
        **release.files,
    }
    return Edition(files={**files, "manifest.json": manifest_of(files).to_bytes()}, certified=())


def install(
    *, shown: str = "good", lease_s: float = 120, ahead_s: float = 0, answer_s: float = 0.2, put: Put = setattr
) -> None:
    """Put the small world around whatever runs in this process; its clock may be ahead of the machine's.

    `put` replaces one attribute, so that a test can have every one of them put back.
    """
    put(Installation, "registry", property(lambda house: FolderRegistry(house.settings.home.parent / "registry")))
    put(Assessor, "assess", lambda *_, **__: release())
    put(Assessor, "drawn_again", lambda *_: None)
    put(approvals, "submission_errors", lambda _: None)
    put(Publisher, "publish", publish)
    for module in (rollback, package):
        put(module, "rendered", lambda memo: {"deployment_memo.md": repr(memo.decision).encode()})
    leases(lease_s, put)
    seen = {"good": GOOD, "bad": BAD, "no data": SILENT}[shown]
    put(observe, "observe", lambda measured, *_: replace(seen, session=measured))
    feed = SimpleNamespace(measure=lambda _m, _v, session, *_r, **_n: session, reference=lambda: None)
    put(Installation, "feed", lambda *_: feed)
    # A day is over a month before it begins, so that every act of a day can follow the one before it.
    early = timedelta(days=30)
    put(TradingDays, "close", lambda _, session: datetime.combine(session - early, time(), tzinfo=UTC))
    offset(ahead_s, put)
    put(commands, "UNDER_WAY", timedelta(seconds=answer_s))


def leases(lease_s: float, put: Put = setattr) -> None:
    """Let the outbox lease notices for so long, so that a measurement need not wait minutes for the dead."""
    put(notices, "LEASE", timedelta(seconds=lease_s))


def offset(ahead_s: float, put: Put = setattr) -> None:
    """Let this process's wall clock be ahead, or behind. Its monotonic clock stays."""
    if ahead_s:
        put(clocks.WallClock, "now", lambda _: datetime.now(UTC) + timedelta(seconds=ahead_s))


def session_of(house: Installation, name: str) -> str:
    """The number of a new session of somebody who signed in just now."""
    number, _ = signed_in.begun(house, name)
    return number
