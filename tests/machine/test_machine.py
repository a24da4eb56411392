"""Walks through commands, crashes, races and clock jumps find nothing, and find every planted fault."""

import tempfile
from pathlib import Path

import pytest
from desk_in_memory import World
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from walks import MODELS, Walk

from signoff.adapters.signing_keys import KeyFile
from signoff.adapters.store_sql import SqlStore
from signoff.app import approvals, rollback_drill, rollout
from signoff.app.record import Record
from signoff.app.rollback import RollbackProcedure
from signoff.domain import decisions, deployment
from signoff.domain.deployment import IllegalHistoryError
from signoff.domain.events import ApprovalSigned, Approved
from signoff.domain.flags_of_releases import flags
from signoff.domain.limits import judged

LONG = "machine-long"
QUICK = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    report_multiple_bugs=False,
    phases=[Phase.generate],  # the walk that failed is printed as it is: making it small takes minutes
)


@pytest.fixture(autouse=True)
def remembered_rehearsals(monkeypatch):
    """Each rehearsal played once a test for the same release, champion and registry: it sees nothing else."""
    play, found = rollback_drill._played, {}

    def played(record, stage, opened, champion, actor):
        registry = stage.registry
        bound = None if champion is None else champion.bound
        key = (repr(opened), repr(bound), actor, registry.works, frozenset(registry.aliases.items()))
        if key not in found:
            found[key] = play(record, stage, opened, champion, actor)
        return found[key]

    monkeypatch.setattr(rollback_drill, "_played", played)


@pytest.mark.slow
def test_no_walk_breaks_an_invariant(desk):
    is_long = settings.default.max_examples == settings.get_profile(LONG).max_examples
    run_state_machine_as_test(Walk, settings=settings.get_profile(LONG) if is_long else QUICK)


class WalkOverSqlite(Walk):
    """The same walk over the store that people use."""

    def begin(self):
        self.folder = tempfile.TemporaryDirectory()
        place = Path(self.folder.name)
        key = KeyFile.held(place / "ledger.key")
        store = SqlStore(f"sqlite:///{place / 'signoff.db'}", sign=key.sign_checkpoint, blobs=place / "blobs")
        return World(store=store).opened(*MODELS)

    def teardown(self):
        super().teardown()
        self.folder.cleanup()


@pytest.mark.slow
def test_no_walk_over_sqlite_breaks_an_invariant(desk):
    run_state_machine_as_test(WalkOverSqlite, settings=settings(QUICK, max_examples=6, stateful_step_count=25))


def the_flags_forget_the_latch(patch):
    patch.setattr(Record, "flags", lambda self, model: flags(model, self.deployments(model), None))


def verifying_flat_does_not_look(patch):
    patch.setattr(RollbackProcedure, "_verified_flat", lambda *_: "no open order, surely")


def one_signature_is_enough(patch):
    def lax(state, signature, *_):
        return (ApprovalSigned(signature=signature), Approved(manifest=signature.subject))

    patch.setattr(decisions.approvals, "approve", lax)
    patch.setattr(decisions.rollout, "_free_to_trade", lambda *_: None)
    patch.setattr(deployment, "_must", lambda *_: None)


def changed_bytes_keep_their_signatures(patch):
    patch.setattr(
        approvals.ApprovalRound,
        "package",
        lambda self, state: decisions.guards.Package(manifest=state.manifest, changed=()),
    )


def the_old_champion_is_not_superseded(patch):
    patch.setattr(rollout, "Superseded", lambda by_deployment: None)
    real = rollout.StreamChange
    patch.setattr(
        rollout,
        "StreamChange",
        lambda stream, state, events: real(stream=stream, state=state, events=tuple(e for e in events if e)),
    )


def a_lifted_fence_lets_everything_through(patch):
    from desk_in_memory import Broker

    patch.setattr(Broker, "lift", lambda self, scope, epoch: self._fences.pop(scope, None))


def the_gate_ignores_the_phase(patch):
    from dataclasses import replace

    from signoff.desk import gate

    def lax(order, book, *, flags, **rest):
        shares = tuple(replace(s, shadow_mode=False, allocation_pct=100) for s in flags.versions)
        return judged(order, book, flags=replace(flags, versions=shares), **rest)

    patch.setattr(gate, "judged", lax)


def a_breach_is_recorded_whenever_somebody_looks(patch):
    from dataclasses import replace

    real = decisions.rollback.overdue
    patch.setattr(
        decisions.rollback,
        "overdue",
        lambda state, now: real(
            replace(state, rollback=replace(state.rollback, breached=())) if state.rollback else state, now
        ),
    )


FAULTS = [
    the_flags_forget_the_latch,
    verifying_flat_does_not_look,
    one_signature_is_enough,
    changed_bytes_keep_their_signatures,
    the_old_champion_is_not_superseded,
    a_lifted_fence_lets_everything_through,
    the_gate_ignores_the_phase,
    a_breach_is_recorded_whenever_somebody_looks,
]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_planted_fault_is_found(desk, monkeypatch, fault):
    fault(monkeypatch)
    with pytest.raises((AssertionError, IllegalHistoryError)):
        run_state_machine_as_test(Walk, settings=settings(QUICK, max_examples=400))
