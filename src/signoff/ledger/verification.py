"""Is this export what was signed? Every byte is hashed as it lies there, every signature checked, the machine replayed.

Nothing here trusts a parsed and re-written form: an event is hashed from its own bytes, and every control file must be
in its one canonical form.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from signoff.domain.errors import SignoffError, TamperedError
from signoff.domain.events import (
    Adopted,
    AnyEvent,
    ApprovalRejected,
    ApprovalRequested,
    ApprovalSigned,
    MemoIssued,
    OverrideSigned,
    PersonEnrolled,
    RearmSigned,
    Recorded,
    Signature,
    Validated,
)
from signoff.domain.policy import Tier
from signoff.ledger import checkpoint as notes
from signoff.ledger.canonical import canonical, digest
from signoff.ledger.codec import decode, holds
from signoff.ledger.envelope import Statement, key_id, verify
from signoff.ledger.export import ANCHORS, BLOBS, CHECKPOINT, EVENTS, KEY, MANIFEST, STATES
from signoff.ledger.holders import Holders
from signoff.ledger.manifest import Manifest, differences, parse
from signoff.ledger.merkle import Frontier, leaf_hash
from signoff.ledger.webauthn import verify_decision

INTACT: Final = 0
TAMPERED: Final = 1
UNANCHORED: Final = 2

Replay = Callable[[Iterable[Recorded]], Mapping[str, bytes]]
Finding = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was found. `findings` name where and what; without any, the ledger is intact up to `anchored` events."""

    events: int
    anchored: int
    fingerprint: str
    findings: tuple[Finding, ...]

    @property
    def exit_code(self) -> int:
        """0 intact, 1 tampered, 2 intact with a tail that no anchor covers."""
        if self.findings:
            return TAMPERED
        return INTACT if self.anchored == self.events else UNANCHORED

    @property
    def summary(self) -> str:
        """One sentence for people."""
        if self.findings:
            return f"TAMPERED: {len(self.findings)} finding(s) in {self.events} events."
        body = f"{self.events} events intact: bytes, tree, checkpoint, signatures, replay. Key {self.fingerprint}."
        if self.anchored == self.events:
            return body
        return f"{body} The last {self.events - self.anchored} event(s) are in no anchor yet."


@dataclass
class _Audit:
    """Findings as they are collected."""

    found: list[Finding] = field(default_factory=list)

    def note(self, where: str, what: str) -> None:
        self.found.append((where, what))


def verify_export(
    files: Mapping[str, bytes], replay: Replay, *, expected_fingerprint: str | None = None
) -> Verification:
    """Check every file of an export. `replay` folds events into the states that must be found."""
    audit = _Audit()
    _check_manifest(files, audit)
    bodies = _bodies(files.get(EVENTS, b""), audit)
    trees = list(_trees(bodies))
    name, public_key = _key(files, audit)
    fingerprint = key_id(public_key) if public_key else ""
    if expected_fingerprint is not None and not _is_named(fingerprint, expected_fingerprint):
        audit.note(KEY, f"the ledger's key is {fingerprint}, expected {expected_fingerprint}")
    _check_checkpoint(files.get(CHECKPOINT, b""), CHECKPOINT, trees, name, public_key, audit, must_be_last=True)
    anchored = max(
        (
            _check_checkpoint(files[anchor], anchor, trees, name, public_key, audit, must_be_last=False)
            for anchor in sorted(files)
            if anchor.startswith(ANCHORS)
        ),
        default=0,
    )
    history = _decoded(bodies, audit)
    _check_revisions(history, audit)
    _check_signatures(history, audit)
    _check_names(files, audit)
    _check_blobs(files, history, audit)
    _check_replay(files.get(STATES, b""), history, replay, audit)
    return Verification(
        events=len(bodies), anchored=anchored, fingerprint=fingerprint, findings=tuple(dict.fromkeys(audit.found))
    )


def _is_named(fingerprint: str, expected: str) -> bool:
    return len(expected) >= 16 and fingerprint.startswith(expected.lower())


def _check_manifest(files: Mapping[str, bytes], audit: _Audit) -> None:
    rest = {name: content for name, content in files.items() if name != MANIFEST}
    try:
        manifest = parse(files.get(MANIFEST, b""))
    except TamperedError as error:
        audit.note(MANIFEST, str(error))
        return
    for path in differences(manifest, rest):
        audit.note(path, "its bytes are not the ones the manifest lists")


def _bodies(content: bytes, audit: _Audit) -> list[bytes]:
    if not content.endswith(b"\n"):
        audit.note(EVENTS, "the last line is not whole")
    return content.split(b"\n")[:-1]


def _trees(bodies: Iterable[bytes]) -> Iterator[Frontier]:
    """The tree after 0, 1, 2 … events."""
    tree = Frontier()
    yield tree
    for body in bodies:
        tree = tree.append(leaf_hash(body))
        yield tree


def _key(files: Mapping[str, bytes], audit: _Audit) -> tuple[str, bytes]:
    try:
        return notes.parse_key_line(files.get(KEY, b""))
    except TamperedError as error:
        audit.note(KEY, str(error))
        return "", b""


def _check_checkpoint(
    note: bytes,
    where: str,
    trees: list[Frontier],
    name: str,
    public_key: bytes,
    audit: _Audit,
    *,
    must_be_last: bool,
) -> int:
    """The size that a checkpoint covers, 0 when it does not hold."""
    try:
        said = notes.open_note(note, name, public_key)
    except TamperedError as error:
        audit.note(where, str(error))
        return 0
    if said.size >= len(trees):
        audit.note(where, f"covers {said.size} events, and only {len(trees) - 1} are here; the end was cut off")
    elif must_be_last and said.size != len(trees) - 1:
        audit.note(where, f"covers {said.size} events, and {len(trees) - 1} are here")
    elif trees[said.size].root != said.root:
        audit.note(where, f"its root is not the root of the first {said.size} events; an event was altered")
    else:
        return said.size
    return 0


def _decoded(bodies: Iterable[bytes], audit: _Audit) -> list[Recorded]:
    history = []
    for line, body in enumerate(bodies, start=1):
        try:
            history.append(decode(body))
        except TamperedError as error:
            audit.note(f"{EVENTS} line {line}", str(error))
    return history


def signatures_of(event: AnyEvent) -> tuple[Signature, ...]:
    """The signatures that an event carries."""
    match event:
        case OverrideSigned() | ApprovalSigned() | ApprovalRejected() | RearmSigned():
            return (event.signature,)
        case Adopted():
            return event.signatures
        case _:
            return ()


def _check_revisions(history: Iterable[Recorded], audit: _Audit) -> None:
    reached: dict[str, int] = {}
    for recorded in history:
        expected = reached.get(recorded.stream, 0) + 1
        if recorded.revision != expected:
            audit.note(f"{recorded.stream} revision {recorded.revision}", f"revision {expected} was to follow")
        reached[recorded.stream] = recorded.revision


def _check_signatures(history: Iterable[Recorded], audit: _Audit) -> None:
    """Each signature by the key and role that its person had been enrolled with by then, over what was asked."""
    people: dict[str, PersonEnrolled] = {}
    asked: dict[str, tuple[str, ...]] = {}
    holders = Holders()
    for recorded in history:
        if isinstance(recorded.event, PersonEnrolled):
            people[recorded.event.name] = recorded.event
        if problem := holders.take(recorded.event):
            audit.note(f"{recorded.stream} revision {recorded.revision}", problem)
        asked[recorded.stream] = _asked(recorded.event, asked.get(recorded.stream, ()))
        for signature in signatures_of(recorded.event):
            problem = _problem(signature, people.get(signature.person), holders, recorded.stream)
            problem = problem or _misplaced(recorded.event, asked[recorded.stream])
            if problem:
                audit.note(f"{recorded.stream} revision {recorded.revision}", problem)


def _asked(event: AnyEvent, before: tuple[str, ...]) -> tuple[str, ...]:
    """The digests that a release has put to signature so far, the present one last."""
    match event:
        case Validated():
            return (event.package,)
        case ApprovalRequested():
            return (*before, event.manifest)
        case _:
            return before


def _misplaced(event: AnyEvent, asked: tuple[str, ...]) -> str | None:
    """Why a signature that holds does not belong here: it was given for other bytes."""
    match event:
        case ApprovalSigned():
            fitting = asked[-1:]
        case OverrideSigned():
            fitting = asked[:1]
        case ApprovalRejected():
            fitting = asked
        case _:
            return None
    signature = event.signature
    if signature.subject in fitting:
        return None
    return f"the signature of {signature.person} is over {signature.subject[:12]}…, which was not put to signature here"


def _problem(signature: Signature, person: PersonEnrolled | None, holders: Holders, stream: str) -> str | None:
    if person is None:
        return f"{signature.person} signed before being enrolled"
    if signature.role not in person.roles:
        return f"{signature.person} signed as {signature.role}, a role not held"
    try:
        said = _said(signature, person, holders)
    except TamperedError as error:
        return f"the signature of {signature.person} does not hold: {error}"
    if said.deployment not in {stream, stream.removeprefix("deployment/")}:
        return f"the signature of {signature.person} was given for {said.deployment}"
    claims = ("subject", "person", "role", "verdict", "conditions", "reason", "signed_at", "expires_at")
    differing = [claim for claim in claims if getattr(said, claim) != getattr(signature, claim)]
    return f"the envelope of {signature.person} says another {', '.join(differing)}" if differing else None


def _said(signature: Signature, person: PersonEnrolled, holders: Holders) -> Statement:
    """What was signed, by the key or the authenticator that counted by then; TamperedError when none of them signed."""
    if signature.tier is Tier.WEBAUTHN:
        credential = holders.credential(person.name, signature.key_id)
        if credential is None:
            raise TamperedError("It was made with an authenticator that did not count for them by then.")
        return verify_decision(signature.envelope, credential)
    if signature.key_id != person.key_id:
        raise TamperedError("It names another key than the one enrolled.")
    return verify(signature.envelope, person.public_key)


def _check_names(files: Mapping[str, bytes], audit: _Audit) -> None:
    known = {EVENTS, STATES, CHECKPOINT, KEY, MANIFEST}
    for name in files:
        if name not in known and not name.startswith((ANCHORS, BLOBS)):
            audit.note(name, "an export has no such file")


def _check_blobs(files: Mapping[str, bytes], history: Iterable[Recorded], audit: _Audit) -> None:
    for name, content in files.items():
        if name.startswith(BLOBS) and digest(content) != name.removeprefix(BLOBS):
            audit.note(name, "its bytes no longer have the hash that names it")
    for recorded in history:
        wanted = _mentioned(recorded.event)
        if wanted is None:
            continue
        kept = files.get(f"{BLOBS}{wanted}")
        where = f"{recorded.stream} revision {recorded.revision}"
        if kept is None:
            audit.note(where, f"the manifest {wanted[:12]}… that it names is missing from the blobs")
            continue
        for path in _missing(kept, files):
            audit.note(where, f"{path} of manifest {wanted[:12]}… is missing from the blobs")


def _mentioned(event: AnyEvent) -> str | None:
    match event:
        case Validated():
            return event.package
        case ApprovalRequested() | MemoIssued():
            return event.manifest
        case _:
            return None


def _missing(content: bytes, files: Mapping[str, bytes]) -> tuple[str, ...]:
    try:
        manifest: Manifest = parse(content)
    except TamperedError:
        return ("(unreadable manifest)",)
    return tuple(e.path for e in manifest.entries if f"{BLOBS}{e.sha256}" not in files)


def _check_replay(content: bytes, history: list[Recorded], replay: Replay, audit: _Audit) -> None:
    try:
        said = _states(content)
    except (ValueError, RecursionError, SignoffError) as error:
        audit.note(STATES, f"these are no states: {error}")
        return
    try:
        replayed = replay(history)
    except (ValueError, LookupError, SignoffError) as error:
        audit.note(EVENTS, f"the history cannot be replayed: {error!r}")
        return
    for stream in sorted(said.keys() | replayed.keys()):
        if not _agrees(said.get(stream), replayed.get(stream)):
            audit.note(STATES, f"the state of {stream} is not what its events lead to")


def _agrees(said: bytes | None, replayed: bytes | None) -> bool:
    """Whether a state says nothing but what its events lead to; an older Signoff's state says less than ours."""
    if said is None or replayed is None or said == replayed:
        return said == replayed
    try:
        told = json.loads(said)
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and canonical(told) == said and holds(json.loads(replayed), told)


def _states(content: bytes) -> dict[str, bytes]:
    said = json.loads(content)
    if not isinstance(said, dict) or not all(isinstance(state, str) for state in said.values()):
        raise TamperedError("expected the state of each stream as text")
    if canonical(said) != content:
        raise TamperedError("they are not in their canonical form")
    return {stream: state.encode() for stream, state in said.items()}
