"""The ledger of an installation: its export, its verification, its anchors and the rotation of its keys."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from signoff.app.approvals import ApprovalRound
from signoff.app.audit import export, snapshot
from signoff.app.bound import STAYS_TAKEN, held_against
from signoff.app.champion import ALIAS
from signoff.app.incremental_verification import NOTHING, parse_verified, verify_ledger
from signoff.app.record import Record
from signoff.domain.errors import NotFoundError
from signoff.ledger.checkpoint import claimed
from signoff.ledger.keychain import KeyChain
from signoff.ledger.verification import KeptCheckpoint, StampCheck, Verification, deployments_in
from signoff.ports.anchor import Anchor, Anchors
from signoff.ports.registry import Registry


class Keys(Protocol):
    """The keys that sign checkpoints and exports."""

    @property
    def chain(self) -> KeyChain:
        """Every key, and the event from which it signs."""

    def sign_text(self, text: str) -> bytes:
        """A signature over the text of an export."""

    def hand_over(self, size: int, root: bytes) -> KeyChain:
        """Rotate the keys at a tree of this size and root."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedFile:
    """Where it is kept how far the ledger was verified; without it, the next verification reads everything."""

    read: Callable[[], bytes | None]
    write: Callable[[bytes], None]


@dataclass(frozen=True, kw_only=True)
class OwnLedger:
    """`has_edition` says whether the folder of an edition is kept beside the ledger."""

    record: Record
    keys: Keys
    anchors: Anchors
    verified: VerifiedFile
    registry: Registry | None
    approvals: ApprovalRound
    has_edition: Callable[[str, str], bool]

    def export(self) -> dict[str, bytes]:
        """Every file of an export of this ledger."""
        return {name: b"".join(pieces) for name, pieces in self.export_pieces()}

    def export_pieces(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Every file of an export in chunks, for ledgers that do not fit into memory."""
        return export(self.record, chain=self.keys.chain, anchors=self.anchored, sign=self.keys.sign_text)

    def verify(
        self,
        *,
        is_full: bool = False,
        expected_fingerprint: str | None = None,
        kept: Sequence[KeptCheckpoint] = (),
        check_stamp: StampCheck | None = None,
    ) -> Verification:
        """Verify the ledger in its home; only what is new since the last verification, unless `is_full`."""
        last = None if is_full or kept else self.verified.read()
        result, verified = verify_ledger(
            snapshot(self.record, chain=self.keys.chain, anchors=self.anchored),
            NOTHING if last is None else parse_verified(last),
            expected_fingerprint=expected_fingerprint,
            kept=kept,
            check_stamp=check_stamp,
        )
        if verified is not None:
            with suppress(OSError):
                self.verified.write(verified.to_bytes())
        if is_full:
            result = replace(result, findings=(*result.findings, *self.altered_editions()))
        return self._held_against_registry(result)

    def altered_editions(self) -> Iterator[tuple[str, str]]:
        """Files of kept editions that differ from the issued ones; folders that are missing are skipped."""
        for state in self.record.deployments():
            here = [edition for edition, _ in state.editions if self.has_edition(state.id, edition)]
            for path in self.approvals.altered(state, here):
                yield f"releases/{state.id}/{path}", "it was altered since its edition was issued"

    def _held_against_registry(self, result: Verification) -> Verification:
        """The result, with the differences between the registry and the bound releases."""
        stored = {each.stream: each.state for each in self.record.stored_in(*STAYS_TAKEN)}
        differences = tuple(held_against(deployments_in(stored), self.registry, ALIAS))
        return replace(
            result,
            findings=(*result.findings, *((where, what) for where, what, is_known in differences if is_known)),
            inconclusive=(
                *result.inconclusive,
                *((where, what) for where, what, is_known in differences if not is_known),
            ),
        )

    @property
    def anchored(self) -> Mapping[str, bytes]:
        """The checkpoints that are kept beside the database."""
        return self.anchors.kept()

    def rotate_keys(self) -> KeyChain:
        """Rotate the ledger's keys from its next event on; returns the new key chain."""
        return self.record.store.with_tree(self.keys.hand_over)

    def anchor(self) -> None:
        """Copy the present checkpoint to the anchors, out of the database's reach."""
        self._anchored(self.anchors.beside())

    def anchor_to(self, target: str, *, tsa_root: Path | None = None) -> str:
        """Anchor the present checkpoint at a place that the operator names; returns where."""
        where = self._anchored(self.anchors.at(target, tsa_root))
        if where is None:
            raise NotFoundError("Expected a ledger with events, found an empty one; there is nothing to anchor yet.")
        if tsa_root is not None:
            self.anchors.trust(tsa_root)
        return where

    def _anchored(self, anchor: Anchor) -> str | None:
        if (checkpoint := self.record.store.checkpoint()) is None:
            return None
        return anchor.add(checkpoint, claimed(checkpoint).size)
