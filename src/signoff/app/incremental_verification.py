"""Verify a ledger in its home: all of it, or only what is new since the last verification.

Between verifications the home keeps the tree's right edge, and each stream's revision and digest of its state. New
events must continue these, so an old event, state or key that does not lead to them is found without reading it again.
Two faults are not found this way: an old event altered in the database while the signed tree holds the true one, and an
altered old blob. `--full` reads both. After any finding everything is read again, to name the fault. The kept record is
no evidence, since whoever writes to the home can change it. Auditors verify exports, which never use it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from signoff.app.audit import Snapshot
from signoff.app.record import PEOPLE, POLICY, State, fold_of
from signoff.domain.errors import SignoffError
from signoff.domain.events import Recorded
from signoff.ledger import export as names
from signoff.ledger.canonical import canonical, digest
from signoff.ledger.checkpoint import Checkpoint
from signoff.ledger.codec import decode, encode_state
from signoff.ledger.keychain import KeyChain
from signoff.ledger.merkle import Frontier
from signoff.ledger.source import Lines
from signoff.ledger.verification import (
    Audit,
    KeptCheckpoint,
    Passage,
    StampCheck,
    Verification,
    agrees,
    artifact_facts,
    check_blobs,
    check_checkpoints,
    check_earlier_key,
    check_leaves,
    check_mentioned,
    check_stamps,
    checkpoints_in,
    claimed_by,
    deployments_in,
    key_facts,
    read_chain,
)

# Raise this whenever states gain fields: states kept by an older Signoff are then read again and not called altered.
FORMAT: Final = 5


@dataclass(frozen=True, slots=True)
class VerifiedStream:
    """A verified stream: its revision, and the digests of its stored state and of the state that its events give."""

    revision: int
    lying: str
    replayed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """How far a ledger was verified."""

    tree: Frontier = field(default_factory=Frontier)
    keys: str = ""
    roots: Mapping[int, bytes] = field(default_factory=dict)
    streams: Mapping[str, VerifiedStream] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The record as kept in the home."""
        return canonical(
            {
                "format": FORMAT,
                "size": self.tree.size,
                "root": self.tree.root.hex(),
                "edge": [node.hex() for node in self.tree.edge],
                "keys": self.keys,
                "roots": {str(size): root.hex() for size, root in self.roots.items()},
                "streams": {name: [s.revision, s.lying, s.replayed] for name, s in self.streams.items()},
            }
        )


NOTHING: Final = Verified()


def parse_verified(content: bytes) -> Verified:
    """The kept record; `NOTHING` if it is malformed, so that everything is read."""
    try:
        record = json.loads(content)
        read = Verified(
            tree=Frontier(record["size"], tuple(bytes.fromhex(node) for node in record["edge"])),
            keys=record["keys"],
            roots={int(size): bytes.fromhex(root) for size, root in record["roots"].items()},
            streams={name: VerifiedStream(*seen) for name, seen in record["streams"].items()},
        )
        is_whole = read.to_bytes() == content and len(read.tree.edge) == read.tree.size.bit_count()
    except (ValueError, KeyError, TypeError, AttributeError, SignoffError):
        return NOTHING
    return read if is_whole else NOTHING


def verify_ledger(
    snapshot: Snapshot,
    since: Verified = NOTHING,
    *,
    expected_fingerprint: str | None = None,
    kept: Sequence[KeptCheckpoint] = (),
    check_stamp: StampCheck | None = None,
) -> tuple[Verification, Verified | None]:
    """The findings, and how far the ledger is then verified: None if there are findings."""
    check = _Check(snapshot, since, expected_fingerprint, kept, check_stamp)
    result = check.result()
    if since is not NOTHING and result.findings:
        whole, _ = verify_ledger(
            snapshot, expected_fingerprint=expected_fingerprint, kept=kept, check_stamp=check_stamp
        )
        return (whole if whole.findings else result), None
    if since is not NOTHING:
        skipped = f"Events up to {since.tree.size:,} and kept files were not read again (`signoff verify --full` does)."
        result = replace(result, facts=(*result.facts, skipped))
    is_open = any(where in {names.KEY, names.CHECKPOINT} for where, _ in result.inconclusive)
    return result, None if result.findings or is_open else check.verified()


class _Check:
    """One verification, continued from the last one."""

    def __init__(
        self,
        snapshot: Snapshot,
        since: Verified,
        expected: str | None,
        kept: Sequence[KeptCheckpoint],
        check_stamp: StampCheck | None,
    ) -> None:
        self.snapshot, self.since, self.kept, self.stamps = snapshot, since, kept, check_stamp
        self.audit, self.names = Audit(), frozenset(snapshot.names())
        self.chain = read_chain(snapshot.chain.to_bytes(), self.audit, expected)
        checkpoints = list(checkpoints_in(snapshot, self.names, self.audit))
        checkpoints += [(k.where, k.note, claimed_by(k.where, k.note, self.audit)) for k in kept]
        self.checkpoints = [
            (where, note, checkpoint)
            for where, note, checkpoint in checkpoints
            if self._can_be_checked(where, checkpoint)
        ]
        handed_over = {h.size for h in snapshot.chain.handovers}
        self.wanted = frozenset({checkpoint.size for _, _, checkpoint in self.checkpoints if checkpoint} | handed_over)
        self.states: dict[str, State] = {}
        self.recalled: set[str] = set()
        self.passage = self._begun()

    def result(self) -> Verification:
        """The result of the verification."""
        self._recall(PEOPLE)
        self._recall(POLICY)
        self._replay()
        if self.since.tree.size > self.snapshot.size:
            here, before = self.snapshot.size, self.since.tree.size
            self.audit.note(
                names.EVENTS, f"{before} events were verified before, and {here} are here; the end was cut off"
            )
        anchored = check_checkpoints(self.checkpoints, self._chain_since(), self.passage, self.audit)
        self._check_leaves()
        for earlier in self.kept:
            check_earlier_key(earlier, self.chain, self.audit)
        stamped = check_stamps(self.snapshot, self.names, self.stamps, self.audit)
        bound = artifact_facts(deployments_in(self.snapshot.states))
        facts = (*key_facts(self.chain), *stamped, *self._reach(), *bound)
        if self.since is NOTHING:
            check_blobs(self.snapshot, self.names, self.audit)
        check_mentioned(self.snapshot, self.names, self.passage, self.audit)
        self._check_states()
        return Verification(
            events=self.passage.tree.size,
            anchored=anchored,
            fingerprint=self.snapshot.chain.fingerprints[0],
            findings=tuple(dict.fromkeys(self.audit.found)),
            inconclusive=tuple(dict.fromkeys(self.audit.open)),
            facts=facts,
        )

    def verified(self) -> Verified:
        """Where the next verification may begin."""
        return Verified(
            tree=self.passage.tree,
            keys=self.snapshot.chain.to_bytes().decode(),
            roots=self.passage.roots,
            streams={name: self._seen(name, state) for name, state in self.snapshot.states.items()},
        )

    def _begun(self) -> Passage:
        since = self.since
        return Passage(
            self.audit,
            self.wanted,
            tree=since.tree,
            roots=dict(since.roots),
            revisions={name: seen.revision for name, seen in since.streams.items()},
            recall=self._recall,
        )

    def _can_be_checked(self, where: str, checkpoint: Checkpoint | None) -> bool:
        """Whether a checkpoint's root can be computed: it is new, or was checked before."""
        if checkpoint is None or checkpoint.size >= self.since.tree.size or checkpoint.size in self.since.roots:
            return True
        what = f"it covers {checkpoint.size} events, which are not read again; `signoff verify --full` reads them"
        self.audit.leave(where, what)
        return False

    def _chain_since(self) -> KeyChain | None:
        if self.chain is not None and not self.chain.to_bytes().decode().startswith(self.since.keys.rstrip("\n")):
            self.audit.note(names.KEY, "the keys do not begin with those that were verified before")
        return self.chain

    def _replay(self) -> None:
        """Fold the new events into the states that their streams had."""
        broken: set[str] = set()
        for recorded in self.passage.take(self._bodies()):
            if recorded.stream in broken:
                continue
            try:
                before = self.states.get(recorded.stream)
                self.states[recorded.stream] = fold_of(recorded.stream)(before, recorded)
            except (ValueError, LookupError, SignoffError) as error:
                broken.add(recorded.stream)
                self.audit.note(names.EVENTS, f"the history cannot be replayed: {error!r}")

    def _bodies(self) -> Iterator[bytes]:
        for row in self.snapshot.rows(after=self.since.tree.size):
            self.passage.leaves = iter((row.leaf.hex().encode(),))
            yield row.body
        self.passage.leaves = iter(())

    def _recall(self, stream: str) -> None:
        """Load a verified stream: its people's keys, its signed subjects, its state."""
        seen = self.since.streams.get(stream)
        if seen is None or stream in self.recalled:
            return
        self.recalled.add(stream)
        state: State | None = None
        try:
            for recorded in self._earlier(stream, seen.revision):
                self.passage.signatories.learn(recorded)
                state = fold_of(stream)(state, recorded)
        except (ValueError, LookupError, SignoffError):
            state = None
        if state is None or digest(encode_state(state)) != seen.replayed:
            self.audit.note(stream, f"its first {seen.revision} events are not the ones that were verified before")
        if state is not None:
            self.states[stream] = state

    def _earlier(self, stream: str, revision: int) -> Iterable[Recorded]:
        for row in self.snapshot.record.store.rows(stream=stream):
            recorded = decode(row.body)
            if recorded.revision > revision:
                return
            yield recorded

    def _check_leaves(self) -> None:
        if self.since is NOTHING:
            check_leaves(self.snapshot, self.passage, Lines(()), self.checkpoints, self.audit)
        elif self.passage.unlike:
            self.audit.note(names.EVENTS, "an event is not the one whose hash was kept beside it")

    def _check_states(self) -> None:
        for stream in sorted(self.snapshot.states.keys() | self.states.keys() | self.since.streams.keys()):
            lying = self.snapshot.states.get(stream)
            if stream in self.states:
                holds = agrees(lying, encode_state(self.states[stream]))
            else:
                seen = self.since.streams.get(stream)
                holds = lying is not None and seen is not None and digest(lying) == seen.lying
            if not holds:
                self.audit.note(names.STATES, f"the state of {stream} is not what its events lead to")

    def _seen(self, stream: str, lying: bytes) -> VerifiedStream:
        if stream not in self.states:
            return self.since.streams[stream]
        revision = self.passage.revisions[stream]
        return VerifiedStream(revision, digest(lying), digest(encode_state(self.states[stream])))

    def _reach(self) -> tuple[str, ...]:
        if self.since is NOTHING:
            return ()
        before = self.since.tree.size
        return (f"Only the {self.passage.tree.size - before} event(s) after the {before} verified before were read.",)
