"""Verify an export: hash every byte as it is stored, check every signature, replay every state.

No parsed and re-written form is trusted: an event is hashed from its own bytes, and every control file must be
canonical. Events are read one by one, so memory grows with the number of releases, not of events.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from signoff.domain.artifacts import Artifact, Pin
from signoff.domain.deployment import Deployment, age
from signoff.domain.errors import SignoffError, TamperedError, UnavailableError
from signoff.domain.events import AnyEvent, ApprovalRequested, MemoIssued, Recorded, Validated
from signoff.ledger import checkpoint as notes
from signoff.ledger.canonical import canonical
from signoff.ledger.codec import decode, decode_state, holds
from signoff.ledger.export import (
    ANCHORS,
    BLOBS,
    CHECKPOINT,
    EVENTS,
    FOR_READING,
    KEY,
    LEAVES,
    MANIFEST,
    NOTE,
    STATES,
    SUMS,
    TABLE,
    statement_of,
    sums_of,
)
from signoff.ledger.keychain import KeyChain, parse_chain
from signoff.ledger.manifest import ARTIFACTS, Entry, parse
from signoff.ledger.merkle import Frontier, leaf_hash
from signoff.ledger.signatures import Signatories
from signoff.ledger.source import FilesInMemory, FileSource, Hashed, Lines, content
from signoff.ledger.table import header, line_of

INTACT: Final = 0
TAMPERED: Final = 1
UNANCHORED: Final = 2
STAMP: Final = ".tsr"
MOST_NAMED: Final = 20
MOST_IN_A_SENTENCE: Final = 3
FEWEST_DIGITS: Final = 16
NOT_VALIDATED: Final = "not validated yet"

Replay = Callable[[Iterable[Recorded]], Mapping[str, bytes]]
StampCheck = Callable[[bytes, bytes], str]
Finding = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """The result. `findings` say where and what; without findings, the ledger is intact up to `anchored` events.

    `inconclusive` lists what could not be checked, which is never good. `facts` are further statements.
    """

    events: int
    anchored: int
    fingerprint: str
    findings: tuple[Finding, ...]
    inconclusive: tuple[Finding, ...] = ()
    facts: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 intact, 1 tampered, 2 intact with a tail that no anchor covers or with unchecked parts."""
        if self.findings:
            return TAMPERED
        return INTACT if self.anchored == self.events and not self.inconclusive else UNANCHORED

    @property
    def summary(self) -> str:
        """One paragraph for people."""
        if self.findings:
            return f"TAMPERED: {len(self.findings)} finding(s) in {self.events} events."
        body = f"{self.events} events intact: bytes, tree, checkpoint, signatures, replay. Key {self.fingerprint}."
        body = " ".join((body, *_together(self.facts)))
        if self.inconclusive:
            body = f"INCONCLUSIVE: {len(self.inconclusive)} thing(s) could not be checked. {body}"
        if self.anchored == self.events:
            return body
        return f"{body} The last {self.events - self.anchored} event(s) are in no anchor yet."


def _together(facts: Iterable[str]) -> Iterator[str]:
    """The facts, with one sentence for all releases of which the same is said."""
    releases: dict[str, list[str]] = {}
    for fact in facts:
        release, _, rest = fact.partition(": ")
        releases.setdefault(rest, []).append(release)
    for rest, names in releases.items():
        more = f" and {len(names) - MOST_IN_A_SENTENCE} more" if len(names) > MOST_IN_A_SENTENCE else ""
        named = ", ".join(names[:MOST_IN_A_SENTENCE]) + more
        yield f"{named}: {rest}" if rest else named


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCheckpoint:
    """A checkpoint that an auditor kept, under their own name for it, and its key file."""

    where: str
    note: bytes
    key: bytes | None = None


@dataclass(slots=True)
class Audit:
    """The findings so far."""

    found: list[Finding] = field(default_factory=list)
    open: list[Finding] = field(default_factory=list)

    def note(self, where: str, what: str) -> None:
        """Add a finding."""
        self.found.append((where, what))

    def leave(self, where: str, what: str) -> None:
        """Add something that could not be checked."""
        self.open.append((where, what))


@dataclass(slots=True)
class Passage:
    """The history read so far: tree, revisions, signatures, and the roots at the signed sizes.

    It may begin in the middle. `recall` is then called with each event's stream, to load what came before.
    """

    audit: Audit
    wanted: frozenset[int] = frozenset()
    tree: Frontier = field(default_factory=Frontier)
    roots: dict[int, bytes] = field(default_factory=dict)
    revisions: dict[str, int] = field(default_factory=dict)
    signatories: Signatories = field(default_factory=Signatories)
    mentioned: dict[str, str] = field(default_factory=dict)
    leaves: Iterator[bytes] | None = None
    recall: Callable[[str], None] | None = None
    unlike: list[int] = field(default_factory=list)
    table: "hashlib._Hash | None" = None
    held: int = 0
    pins: dict[str, Pin] = field(default_factory=dict)
    pinned: list[tuple[str, Pin, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.roots[self.tree.size] = self.tree.root
        if self.table is not None:
            self.table.update(header())

    def take(self, bodies: Iterable[bytes]) -> Iterator[Recorded]:
        """Check each event and yield it; a malformed one becomes a finding and is skipped."""
        for body in bodies:
            leaf = leaf_hash(body)
            self.tree = self.tree.append(leaf)
            if self.leaves is not None and next(self.leaves, b"") != leaf.hex().encode():
                self.unlike.append(self.tree.size)
            if self.tree.size in self.wanted:
                self.roots[self.tree.size] = self.tree.root
            try:
                recorded = decode(body)
            except TamperedError as error:
                self.audit.note(f"{EVENTS} line {self.tree.size}", str(error))
                continue
            if self.recall is not None:
                self.recall(recorded.stream)
            self._check(recorded)
            if self.table is not None:
                self.table.update(line_of(self.tree.size, body))
            yield recorded
        self.roots[self.tree.size] = self.tree.root

    def _check(self, recorded: Recorded) -> None:
        where, expected = place(recorded), self.revisions.get(recorded.stream, 0) + 1
        if recorded.revision != expected:
            self.audit.note(where, f"expected revision {expected}, found {recorded.revision}")
        self.revisions[recorded.stream] = recorded.revision
        self.signatories.learn(recorded)
        for problem in self.signatories.problems(recorded):
            self.audit.note(where, problem)
        if (wanted := _mentioned(recorded.event)) is not None:
            self.mentioned.setdefault(wanted, where)
        self._pin(recorded, where)

    def _pin(self, recorded: Recorded, where: str) -> None:
        """Remember the manifest that must name the files of a bound release."""
        event = recorded.event
        if isinstance(event, Validated) and event.bound is not None:
            self.pins[recorded.stream] = event.bound
        if isinstance(event, Validated | ApprovalRequested) and (pin := self.pins.get(recorded.stream)) is not None:
            wanted = event.package if isinstance(event, Validated) else event.manifest
            self.pinned.append((wanted, pin, where))


def place(recorded: Recorded) -> str:
    """The place of an event, for people."""
    return f"{recorded.stream} revision {recorded.revision}"


def verify_export(
    files: Mapping[str, bytes] | FileSource,
    replay: Replay,
    *,
    expected_fingerprint: str | None = None,
    kept: Sequence[KeptCheckpoint] = (),
    check_stamp: StampCheck | None = None,
) -> Verification:
    """Check every file of an export. `replay` folds events into the expected states.

    `kept` are checkpoints that the caller kept earlier; `check_stamp` says when a note was stamped, or raises.
    """
    source: FileSource = FilesInMemory(files) if isinstance(files, Mapping) else files
    audit, names = Audit(), frozenset(source.names())
    chain = read_chain(content(source, KEY), audit, expected_fingerprint)
    checkpoints = list(checkpoints_in(source, names, audit))
    checkpoints += [(k.where, k.note, claimed_by(k.where, k.note, audit)) for k in kept]
    sizes = {checkpoint.size for _, _, checkpoint in checkpoints if checkpoint} | {
        h.size for h in (chain.handovers if chain else ())
    }
    leaves = Lines(source.chunks(LEAVES))
    passage = Passage(
        audit,
        frozenset(sizes),
        leaves=iter(leaves) if LEAVES in names else None,
        table=hashlib.sha256() if TABLE in names else None,
    )
    hashed = Hashed(source.chunks(EVENTS))
    lines = Lines(hashed)
    replayed = replayed_states(replay, passage.take(lines), audit)
    if lines.rest or hashed.size == 0:
        audit.note(EVENTS, "the last line is not whole")
    anchored = check_checkpoints(checkpoints, chain, passage, audit)
    check_leaves(source, passage, leaves, checkpoints, audit)
    for earlier in kept:
        check_earlier_key(earlier, chain, audit)
    facts = [*key_facts(chain), *check_stamps(source, names, check_stamp, audit)]
    facts += artifact_facts(deployments_in(replayed or {}))
    _check_files(source, names, hashed, passage, audit)
    _check_note(source, names, chain, audit)
    check_mentioned(source, names, passage, audit)
    check_states(content(source, STATES), replayed, audit)
    return Verification(
        events=passage.tree.size,
        anchored=anchored,
        fingerprint=chain.fingerprints[0] if chain else "",
        findings=tuple(dict.fromkeys(audit.found)),
        inconclusive=tuple(dict.fromkeys(audit.open)),
        facts=tuple(facts),
    )


def read_chain(key: bytes, audit: Audit, expected: str | None) -> KeyChain | None:
    """The keys of the ledger, None if they are malformed; one must have the expected fingerprint."""
    try:
        chain = parse_chain(key)
    except TamperedError as error:
        audit.note(KEY, str(error))
        return None
    except UnavailableError as error:
        audit.leave(KEY, str(error))
        return None
    if expected is not None and (doubt := _doubt(expected, chain.fingerprints)) is not None:
        audit.leave(KEY, doubt)
    elif expected is not None and not any(
        fingerprint.startswith(_plain(expected)) for fingerprint in chain.fingerprints
    ):
        audit.note(KEY, f"the ledger's key is {', then '.join(chain.fingerprints)}, expected {expected}")
    return chain


def key_facts(chain: KeyChain | None) -> tuple[str, ...]:
    """The facts about later keys and the number of signatures."""
    if chain is None:
        return ()
    facts = [
        f"Key {fingerprint} took over after {handover.size} events, signed by both."
        for handover, fingerprint in zip(chain.handovers, chain.fingerprints[1:], strict=True)
    ]
    if len(chain.present) > 1:
        facts.append(f"Checkpoints carry {len(chain.present)} signatures: Ed25519 and ML-DSA-44.")
    return tuple(facts)


def check_checkpoints(
    checkpoints: Iterable[tuple[str, bytes, notes.Checkpoint | None]],
    chain: KeyChain | None,
    passage: Passage,
    audit: Audit,
) -> int:
    """Compare every checkpoint and handover with the tree of the events; returns how many events anchors cover.

    The earlier root is computed from the same leaves as the present root. This replaces a consistency proof of RFC
    6962, which needs no leaves.
    """
    if chain is None:
        return 0
    for handover in chain.handovers:
        _check_root(f"{KEY} handover after {handover.size} events", handover.size, handover.root, passage, audit)
    anchored, has_own = 0, False
    for where, note, checkpoint in sorted(checkpoints, key=lambda entry: entry[2].size if entry[2] else 0):
        covered = 0 if checkpoint is None else _check_checkpoint(where, note, checkpoint, chain, passage, audit)
        has_own = has_own or where == CHECKPOINT
        anchored = anchored if where == CHECKPOINT else max(anchored, covered)
    if not has_own:
        audit.note(CHECKPOINT, "the checkpoint is missing; without it a ledger that was cut off looks whole")
    return anchored


def replayed_states(replay: Replay, history: Iterator[Recorded], audit: Audit) -> Mapping[str, bytes] | None:
    """The states from the history, None if it cannot be replayed; the history is always read to its end."""
    try:
        return replay(history)
    except (ValueError, LookupError, SignoffError) as error:
        audit.note(EVENTS, f"the history cannot be replayed: {error!r}")
        return None
    finally:
        for _ in history:
            pass


def check_states(content: bytes, replayed: Mapping[str, bytes] | None, audit: Audit) -> None:
    """Compare the stored states with those computed from the events."""
    try:
        states = _states(content)
    except (ValueError, RecursionError, SignoffError) as error:
        audit.note(STATES, f"malformed states: {error}")
        return
    if replayed is None:
        return
    for stream in sorted(states.keys() | replayed.keys()):
        if not agrees(states.get(stream), replayed.get(stream)):
            audit.note(STATES, f"the state of {stream} is not what its events lead to")


def agrees(state: bytes | None, replayed: bytes | None) -> bool:
    """Whether a stored state agrees with its events; an older Signoff's state may lack fields."""
    if state is None or replayed is None or state == replayed:
        return state == replayed
    try:
        document = json.loads(state)
    except (ValueError, RecursionError):
        return False
    return isinstance(document, dict) and canonical(document) == state and holds(json.loads(replayed), document)


def _doubt(expected: str, fingerprints: tuple[str, ...]) -> str | None:
    """Why an expected fingerprint is unusable: anyone can make a key that begins with a few given digits."""
    digits = _plain(expected)
    candidates = ", ".join(fingerprints)
    if not digits or set(digits) - set("0123456789abcdef"):
        return f"expected a fingerprint in hexadecimal digits, found {expected!r}; the ledger's keys are {candidates}"
    if len(digits) >= FEWEST_DIGITS:
        return None
    begins = [fingerprint for fingerprint in fingerprints if fingerprint.startswith(digits)]
    met = f"beginning with it: {', '.join(begins)}" if begins else f"none begins with it: {candidates}"
    return (
        f"{expected} is ambiguous: {len(digits)} digits do not tell one key from another, and {FEWEST_DIGITS} at least "
        f"are needed; of the ledger's keys, {met}"
    )


def _plain(fingerprint: str) -> str:
    """The digits of a fingerprint, without separators."""
    return "".join(fingerprint.lower().replace(":", "").split())


def checkpoints_in(
    source: FileSource, names: frozenset[str], audit: Audit
) -> Iterator[tuple[str, bytes, notes.Checkpoint | None]]:
    for name in sorted(names):
        if name == CHECKPOINT or (name.startswith(ANCHORS) and not name.endswith(STAMP)):
            note = content(source, name)
            yield name, note, claimed_by(name, note, audit)


def claimed_by(where: str, note: bytes, audit: Audit) -> notes.Checkpoint | None:
    try:
        return notes.claimed(note)
    except TamperedError as error:
        audit.note(where, str(error))
        return None


def _check_checkpoint(
    where: str, note: bytes, checkpoint: notes.Checkpoint, chain: KeyChain, passage: Passage, audit: Audit
) -> int:
    """The size that a checkpoint covers, 0 if it is invalid."""
    try:
        chain.verified(note, checkpoint)
    except TamperedError as error:
        audit.note(where, str(error))
        return 0
    except UnavailableError as error:
        audit.leave(where, str(error))
        return 0
    if where == CHECKPOINT and checkpoint.size < passage.tree.size:
        audit.note(where, f"covers {checkpoint.size} events, and {passage.tree.size} are here")
        return 0
    return checkpoint.size if _check_root(where, checkpoint.size, checkpoint.root, passage, audit) else 0


def _check_root(where: str, size: int, root: bytes, passage: Passage, audit: Audit) -> bool:
    if size > passage.tree.size:
        audit.note(where, f"covers {size} events, and only {passage.tree.size} are here; the end was cut off")
        return False
    if passage.roots.get(size) != root:
        since = f" among events {passage.held + 1} to {size}" if passage.held else ""
        audit.note(where, f"its root is not the root of the first {size} events; an event was altered{since}")
        return False
    passage.held = max(passage.held, size)
    return True


def check_earlier_key(checkpoint: KeptCheckpoint, chain: KeyChain | None, audit: Audit) -> None:
    if checkpoint.key is None or chain is None:
        return
    try:
        earlier = parse_chain(checkpoint.key)
    except TamperedError as error:
        audit.note(checkpoint.where, str(error))
        return
    if not chain.begins_with(earlier):
        audit.note(KEY, f"the keys that came with {checkpoint.where} are not the beginning of the keys here")


def check_stamps(
    source: FileSource, names: frozenset[str], check_stamp: StampCheck | None, audit: Audit
) -> Iterator[str]:
    """Check the time stamps of the notes; yields when each was stamped."""
    for name in sorted(name for name in names if name.startswith(ANCHORS) and name.endswith(STAMP)):
        note = name.removesuffix(STAMP)
        if note not in names:
            audit.note(name, "the stamped checkpoint is missing")
        elif check_stamp is None:
            audit.leave(name, "the time stamp cannot be checked without its authority's root; give --tsa-root FILE")
        else:
            try:
                yield f"{note} existed on {check_stamp(content(source, note), content(source, name))}."
            except TamperedError as error:
                audit.note(name, str(error))
            except UnavailableError as error:
                audit.leave(name, str(error))


def _check_files(source: FileSource, names: frozenset[str], events: Hashed, passage: Passage, audit: Audit) -> None:
    """Compare every file with the manifest, and every blob with its name."""
    entries = _listed(content(source, MANIFEST), audit)
    listed = {entry.path: (entry.size, entry.sha256) for entry in entries or ()}
    for name in sorted(names - {MANIFEST, NOTE}):
        if name not in _KNOWN and not name.startswith((ANCHORS, BLOBS)):
            audit.note(name, "unexpected file in an export")
        hashed = events if name == EVENTS else _drained(source, name)
        _check_blob(name, hashed, audit)
        if name == TABLE and passage.table is not None and hashed.sha256 != passage.table.hexdigest():
            audit.note(name, "its lines differ from the events")
        if entries is not None and listed.pop(name, None) != (hashed.size, hashed.sha256):
            audit.note(name, _UNLISTED)
    for name in sorted(listed):
        audit.note(name, _UNLISTED)
    if SUMS in names and content(source, SUMS) != sums_of(e for e in entries or () if e.path != SUMS):
        audit.note(SUMS, "it lists other files than the manifest")


_KNOWN: Final = frozenset({EVENTS, LEAVES, STATES, CHECKPOINT, KEY, MANIFEST, NOTE, *FOR_READING})
_UNLISTED: Final = "its bytes are not the ones the manifest lists"


def check_blobs(source: FileSource, names: frozenset[str], audit: Audit) -> None:
    for name in sorted(name for name in names if name.startswith(BLOBS)):
        _check_blob(name, _drained(source, name), audit)


def _check_blob(name: str, hashed: Hashed, audit: Audit) -> None:
    if name.startswith(BLOBS) and hashed.sha256 != name.removeprefix(BLOBS):
        audit.note(name, "its bytes no longer have the hash that names it")


def _check_note(source: FileSource, names: frozenset[str], chain: KeyChain | None, audit: Audit) -> None:
    """Files that no event references count only if the signed manifest lists them."""
    if chain is None:
        return
    if NOTE not in names:
        for name in sorted(names & FOR_READING):
            audit.note(name, f"it is for reading, and no signature of the ledger vouches for it: {NOTE} is missing")
        return
    try:
        signed = notes.text_of(content(source, NOTE), chain.present)
    except TamperedError as error:
        audit.note(NOTE, str(error))
    except UnavailableError as error:
        audit.leave(NOTE, str(error))
    else:
        if signed != statement_of(content(source, MANIFEST)):
            audit.note(NOTE, "it was signed for another manifest")


def check_leaves(
    source: FileSource,
    passage: Passage,
    leaves: Lines,
    checkpoints: Iterable[tuple[str, bytes, notes.Checkpoint | None]],
    audit: Audit,
) -> None:
    """Report each event whose hash is not the signed one."""
    if passage.leaves is None:
        return
    more = sum(1 for _ in passage.leaves)
    if more or leaves.rest:
        audit.note(LEAVES, f"it has {more} more hashes than there are events, or an incomplete one")
    if not passage.unlike:
        return
    tree = Frontier()
    for line in Lines(source.chunks(LEAVES)):
        tree = tree.append(_unhexed(line))
    signed = {
        (checkpoint.size, checkpoint.root)
        for where, _, checkpoint in checkpoints
        if checkpoint is not None and where == CHECKPOINT
    }
    if (tree.size, tree.root) not in signed:
        audit.note(LEAVES, f"its hashes differ from the events from line {passage.unlike[0]} on, and were not signed")
        return
    for line_number in passage.unlike[:MOST_NAMED]:
        audit.note(f"{EVENTS} line {line_number}", "it is not the event whose hash was signed")
    if (rest := len(passage.unlike) - MOST_NAMED) > 0:
        audit.note(EVENTS, f"{rest} further lines are not the events whose hashes were signed")


def _unhexed(line: bytes) -> bytes:
    try:
        return bytes.fromhex(line.decode())
    except ValueError:
        return b""


def _drained(source: FileSource, name: str) -> Hashed:
    hashed = Hashed(source.chunks(name))
    for _ in hashed:
        pass
    return hashed


def _listed(manifest: bytes, audit: Audit) -> tuple[Entry, ...] | None:
    try:
        return parse(manifest).entries
    except TamperedError as error:
        audit.note(MANIFEST, str(error))
        return None


def check_mentioned(source: FileSource, names: frozenset[str], passage: Passage, audit: Audit) -> None:
    """Check that every manifest that an event names is here, with every file that it lists."""
    for wanted, where in passage.mentioned.items():
        if f"{BLOBS}{wanted}" not in names:
            audit.note(where, f"the manifest {wanted[:12]}… that it names is missing from the blobs")
            continue
        for path in _missing(content(source, f"{BLOBS}{wanted}"), names):
            audit.note(where, f"{path} of manifest {wanted[:12]}… is missing from the blobs")
    for wanted, pin, where in passage.pinned:
        if f"{BLOBS}{wanted}" in names:
            for difference in pin.differences(_artifacts(content(source, f"{BLOBS}{wanted}"))):
                audit.note(where, f"the manifest {wanted[:12]}… names other files than it is bound to: {difference}")


def artifact_facts(states: Iterable[Deployment]) -> tuple[str, ...]:
    """The registered version that each release is bound to, or why it is bound to none, by the ledger alone."""
    facts: list[str] = []
    for state in sorted(states, key=age):
        if state.bound is None:
            facts.append(f"{state.id}: artefacts not bound: {state.unbound or NOT_VALIDATED}.")
            continue
        alone = state.bound.files if state.was_adopted else state.bound.by_digest_alone
        named = f"; by digest alone: {', '.join(file.path for file in alone)}" if alone else ""
        facts.append(f"{state.id}: bound to {state.bound.words}{named}.")
    return tuple(facts)


def deployments_in(states: Mapping[str, bytes]) -> Iterator[Deployment]:
    """The releases among the states of a ledger; `check_states` reports malformed ones."""
    for stream, state in states.items():
        if stream.startswith("deployment/"):
            with suppress(TamperedError):
                yield decode_state(Deployment, state)


def _artifacts(manifest: bytes) -> Iterator[Artifact]:
    """The files of a registered version that a manifest names."""
    with suppress(TamperedError):
        for entry in parse(manifest).entries:
            if entry.path.startswith(ARTIFACTS):
                yield Artifact(path=entry.path.removeprefix(ARTIFACTS), size=entry.size, sha256=entry.sha256)


def _mentioned(event: AnyEvent) -> str | None:
    match event:
        case Validated():
            return event.package
        case ApprovalRequested() | MemoIssued():
            return event.manifest
        case _:
            return None


def _missing(manifest: bytes, names: frozenset[str]) -> tuple[str, ...]:
    try:
        entries = parse(manifest).entries
    except TamperedError:
        return ("(unreadable manifest)",)
    return tuple(e.path for e in entries if e.is_kept and f"{BLOBS}{e.sha256}" not in names)


def _states(content: bytes) -> dict[str, bytes]:
    document = json.loads(content)
    if not isinstance(document, dict) or not all(isinstance(state, str) for state in document.values()):
        raise TamperedError("expected the state of each stream as text")
    if canonical(document) != content:
        raise TamperedError("the states are not in their canonical form")
    return {stream: state.encode() for stream, state in document.items()}
