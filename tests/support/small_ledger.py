"""Small ledgers for tests: people with keys, a release that one of them approves, and its export."""

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from signoff.adapters.signing_keys import KeyFile
from signoff.adapters.store_memory import MemoryStore
from signoff.app.record import fold_of, replay
from signoff.domain.dossier import (
    Commitments,
    Communication,
    DeploymentType,
    PositionLimits,
    Restrictions,
    Success,
)
from signoff.domain.events import (
    AnyEvent,
    ApprovalRequested,
    ApprovalSigned,
    Killed,
    NoticeSent,
    Opened,
    Paused,
    PauseReason,
    PersonEnrolled,
    Recorded,
    Signature,
    Validated,
    Vote,
)
from signoff.domain.policy import Policy, Role
from signoff.domain.statement import Statement
from signoff.ledger.canonical import canonical
from signoff.ledger.checkpoint import ORIGIN, key_line
from signoff.ledger.codec import decode, encode_state
from signoff.ledger.envelope import statement
from signoff.ledger.export import ANCHORS, CHECKPOINT, EVENTS, KEY, LEAVES, STATES, closed, states_file
from signoff.ledger.export import BLOBS as BLOB_FOLDER
from signoff.ledger.manifest import manifest_of
from signoff.ledger.merkle import leaf_hash
from signoff.ledger.source import FilesInMemory
from signoff.ledger.verification import Verification, verify_export
from signoff.ports.store import Append, Commit, Effect, Store

NOW = datetime(2019, 1, 2, 21, 0, tzinfo=UTC)
DEPLOYMENT = "m-2"
STREAM = f"deployment/{DEPLOYMENT}"
PACKAGE = manifest_of({"evidence.csv": b"date,return\n"})
BLOBS = (PACKAGE.to_bytes(), b"date,return\n")
UNDERTAKINGS = Commitments(
    communication=Communication(before=("a",), at_deployment=("b",), after=("c",), documents={}, training={}),
    assumptions=(),
    success=Success(
        sharpe=0.5,
        hit_rate_pct=50.0,
        max_drawdown_pct=-10.0,
        latency_p95_ms=100.0,
        review_date=date(2019, 2, 1),
        attendees=("all",),
    ),
    restrictions=Restrictions(min_adv_usd=0.0),
    position_limits=PositionLimits(max_portfolio_weight_pct=100.0, max_single_position_pct=10.0, max_sector_pct=40.0),
    incident_channel="#incidents",
)


def key(name: str) -> KeyFile:
    """A key that is the same in every run."""
    return KeyFile(Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()))


LEDGER_KEY = key("the ledger")


def paused(note: str = "") -> Paused:
    """An event of no consequence."""
    return Paused(reason=PauseReason.MANUAL, note=note)


def noticed(note: str = "") -> NoticeSent:
    """An event of no consequence, in whatever state a release is."""
    return NoticeSent(notice=note, audience=("desk",), channel="chat")


def killed(epoch: int = 1) -> Killed:
    return Killed(model="m", reason="test", epoch=epoch)


def enrolled(person: str, *roles: Role) -> PersonEnrolled:
    held = key(person)
    return PersonEnrolled(name=person, roles=roles, key_id=held.key_id, public_key=held.public_key)


def opened() -> Opened:
    return Opened(
        deployment=DEPLOYMENT,
        model="m",
        version="2",
        previous_version="1",
        previous_deployment=None,
        deployment_type=DeploymentType.UPGRADE,
        submitted_by="Quinn",
        barred=("Quinn",),
        policy=Policy(name="test", version="1"),
        undertakings=UNDERTAKINGS,
        dossier_digest=PACKAGE.digest,
    )


def signature(person: str = "Rae", role: Role = Role.RISK_MANAGER, **claims) -> Signature:
    """A signed approval; `said` are claims of the statement that differ from those of the record."""
    said = claims.pop("said", {})
    signer = claims.pop("signer", key(person))
    record = {
        "person": person,
        "role": role,
        "verdict": Vote.CONDITIONAL,
        "subject": PACKAGE.digest,
        "conditions": ("daily review",),
        "reason": "",
        "signed_at": NOW,
        "expires_at": NOW + timedelta(days=30),
        **claims,
    }
    payload = statement(Statement(**{**record, "deployment": DEPLOYMENT, "model": "m", "version": "2", **said}))
    return Signature(**record, key_id=key(person).key_id, envelope=signer.sign_statement(payload))


@dataclass
class World:
    """A store that is filled event by event, each stream with the state its events lead to."""

    store: Store
    requests: int = 0

    def happens(self, stream: str, *events: AnyEvent, actor: str = "t") -> None:
        found = self.store.load(stream)
        revision = found.revision if found else 0
        history = [decode(row.body) for row in self.store.rows(stream=stream)]
        state = None
        for recorded in history:
            state = fold_of(stream)(state, recorded)
        for offset, event in enumerate(events, start=1):
            recorded = Recorded(stream=stream, revision=revision + offset, at=NOW, actor=actor, event=event)
            state = fold_of(stream)(state, recorded)
        self.requests += 1
        append = Append(stream=stream, expected_revision=revision, events=events, state=encode_state(state))
        self.store.commit(replace(commit(append, key=f"k{self.requests}"), actor=actor))


def commit(*appends: Append, key: str = "k", request: str = "r", effects: tuple[Effect, ...] = ()) -> Commit:
    return Commit(key=key, request=request, at=NOW, actor="t", appends=appends, effects=effects)


def append(stream: str = "s", *events: AnyEvent, expected: int | None = None, state: bytes = b'{"state":1}') -> Append:
    return Append(stream=stream, expected_revision=expected, events=events or (paused(),), state=state)


def memory_store() -> MemoryStore:
    return MemoryStore(LEDGER_KEY.sign_checkpoint)


def approved_release(store: Store, signed: Signature | None = None, *, before: tuple[AnyEvent, ...] = ()) -> Store:
    """Six events: a person enrolled, a release opened, validated, put to signature and signed, and a notice."""
    for content in BLOBS:
        store.put_blob(content)
    world = World(store)
    for event in before or (enrolled("Rae", Role.RISK_MANAGER),):
        world.happens("people", event)
    world.happens(STREAM, opened(), Validated(results=(), package=PACKAGE.digest))
    world.happens(STREAM, ApprovalRequested(manifest=PACKAGE.digest))
    world.happens(STREAM, ApprovalSigned(signature=signed or signature()))
    world.happens(STREAM, noticed("lunch"))
    return store


def export_files(*, rows, states, checkpoint, public_key, anchors, blobs):
    """Every file of a small export by name, the manifest last; `public_key` is the key file."""
    held = {
        EVENTS: b"".join(row + b"\n" for row in rows),
        LEAVES: "".join(f"{leaf_hash(row).hex()}\n" for row in rows).encode(),
        STATES: states_file(states),
        CHECKPOINT: checkpoint,
        KEY: public_key,
        **{f"{ANCHORS}{name}": content for name, content in sorted(anchors.items())},
        **{f"{BLOB_FOLDER}{name}": content for name, content in blobs},
    }
    yield from ((name, b"".join(pieces)) for name, pieces in closed(FilesInMemory(held)))


def exported(store: Store, *, is_anchored: bool = True) -> dict[str, bytes]:
    """Every file of the export, anchored at its present end unless told otherwise."""
    note = store.checkpoint()
    assert note is not None
    return dict(
        export_files(
            rows=[row.body for row in store.rows()],
            states={s.stream: s.state for s in store.streams("")},
            checkpoint=note,
            public_key=key_line(ORIGIN, LEDGER_KEY.public_bytes),
            anchors={"000000000006": note} if is_anchored else {},
            blobs=((digest, store.blob(digest)) for digest in store.blobs()),
        )
    )


def relisted(files: dict[str, bytes]) -> dict[str, bytes]:
    """The files with a manifest made anew, as anybody can who alters an export."""
    rest = {name: content for name, content in files.items() if name != "manifest.json"}
    return {**rest, "manifest.json": manifest_of(rest).to_bytes()}


def verified(files: dict[str, bytes], fingerprint: str | None = None) -> Verification:
    return verify_export(files, replay, expected_fingerprint=fingerprint)


def rewritten(store: Store, *, without_last: int = 0) -> dict[str, bytes]:
    """What an insider with the ledger's key can make: the same history, cut and signed again."""
    world = World(memory_store())
    for content in BLOBS:
        world.store.put_blob(content)
    history = [decode(row.body) for row in store.rows()]
    for recorded in history[: len(history) - without_last]:
        world.happens(recorded.stream, recorded.event, actor=recorded.actor)
    return exported(world.store, is_anchored=False)


def resigned(signed: Signature, **changes) -> Signature:
    """The record of a signature altered without its envelope."""
    return replace(signed, **changes)


def sqlite_url(folder: Path) -> str:
    return f"sqlite:///{folder / 'signoff.db'}"


def spelled(value: object) -> str:
    return canonical(value).decode()
