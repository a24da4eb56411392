"""Killed before or after any commit, the same commands lead to the same end."""

import shutil
from datetime import timedelta

import firm_policy
import pytest
import release_folder
from cast_of_six import PEOPLE
from working_registry import WorkingRegistry

from signoff.adapters.clocks import WallClock
from signoff.adapters.store_sql import SqlStore
from signoff.app import notices
from signoff.app.grandfather import Adoption, adopt
from signoff.app.people import enrol
from signoff.app.record import deployment_stream, replay
from signoff.app.rollback_drill import rehearse
from signoff.config.settings import settings
from signoff.domain.deployment import State
from signoff.domain.events import RollbackCause
from signoff.domain.policy import Policy, Role
from signoff.installation import Installation


def opened(home):
    house = Installation(settings(home=str(home), actor="test", venue="simulated"), WallClock())
    return house.with_parts(registry=WorkingRegistry())


def story(house, folder, release):
    """Everything from enrolment to rollback, each command as a person would repeat it."""
    for role, name in PEOPLE.items():
        key = house.key_of(name)
        enrol(house.record, name=name, roles=(Role(role),), key_id=key.key_id, public_key=key.public_key, actor="t")
    firm_policy.install(house)
    signatories = tuple(house.signatory(role) for role in (Role.RISK_MANAGER, Role.CTO))
    adopt(
        house.record,
        Adoption(model="momentum", version="1.1.0", policy=Policy(name="p", version="1"), reason="r"),
        signatories,
    )
    if house.record.latch("momentum") is None:
        rehearse(
            house.record,
            house.stage(),
            model="momentum",
            policy=release.inputs.policy,
            undertakings=release.inputs.dossier.undertakings,
            actor="t",
        )
    state = house.approvals.submit(folder, release, actor="Q. Ferrari")
    for role in (Role.RISK_MANAGER, Role.CTO):
        if state.state is State.VALIDATED and role not in {s.role for s in state.overrides}:
            state = house.approvals.override(state.id, house.signatory(role), reason="a test")
    state = house.approvals.submit(folder, release, actor="Q. Ferrari")
    for role in PEOPLE:
        if state.state is State.AWAITING_APPROVAL and Role(role) in state.missing_roles:
            state = house.approvals.approve(state.id, house.signatory(Role(role)))
    if state.state is State.APPROVED:
        state = house.rollout.start(state.id, actor="t")
    if state.state in {State.SHADOW, State.ROLLING_BACK, State.ROLLED_BACK}:
        state = house.rollback.begin(state.id, RollbackCause.ERROR, "error_rate", "test", actor="t")
    house.deliver_notices()
    return state


@pytest.fixture
def release(pristine, tmp_path, unprinted):
    house = opened(tmp_path / "elsewhere")
    return house.assessor.assess(pristine, None)


def images(monkeypatch, home, folder):
    """Keep the home as it is on disk before and after each commit: what is left of a process that dies there."""
    kept, real = [], SqlStore.commit

    def keep(name):
        kept.append(shutil.copytree(home, folder / name))

    def commit(self, request):
        number = len(kept) // 2 + 1
        keep(f"{number}-before")
        try:
            return real(self, request)
        finally:
            keep(f"{number}-after")

    monkeypatch.setattr(SqlStore, "commit", commit)
    return kept


def differing(kept):
    """The images that differ in more than the index of the log, which SQLite writes anew when it recovers a file."""
    before = None
    for home in kept:
        files = {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}
        files.pop("signoff.db-shm", None)
        if files != before:
            yield home
        before = files


def outcome(house, state):
    kinds = [r.event.kind for r in house.record.history(deployment_stream(state.id))]
    return state.state, kinds


@pytest.mark.slow
def test_a_kill_at_every_commit_boundary_loses_and_repeats_nothing(release, pristine, tmp_path, monkeypatch):
    monkeypatch.setattr(Installation, "assessor", property(lambda house: _Known(release, house.policy_in_force)))
    monkeypatch.setattr(notices, "LEASE", timedelta(0))  # the dead process's lease is over
    with monkeypatch.context() as patch:
        kept = images(patch, tmp_path / "whole", tmp_path / "images")
        house = opened(tmp_path / "whole")
        expected = outcome(house, story(house, pristine, release))
    assert expected[0] is State.ROLLED_BACK
    assert len(kept) > 2 * 25
    for home in differing(kept):
        house = opened(home)
        state = story(house, pristine, release)
        assert outcome(house, state) == expected, home.name
        stored = {s.stream: s.state for s in house.store.streams("")}
        assert replay(house.record.history()) == stored


class _Known:
    """Gives the release that was assessed once; assessing is not what this test is about."""

    def __init__(self, release, in_force):
        self._release, self.in_force, self.registry = release, in_force, None

    def assess(self, *_, **__):
        return self._release

    def drawn_again(self, _folder, release):
        return release.inputs.evidence.pit


def test_the_folder_is_whole(pristine):
    assert (pristine / "backtest.parquet").exists()
    assert release_folder.DAYS > 1000
