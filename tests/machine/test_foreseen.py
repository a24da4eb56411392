"""`check` says what `submit` would refuse, in the same words, and records nothing."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from desk_in_memory import World, release_of

from signoff.app import approvals
from signoff.domain.dossier import DeploymentType
from signoff.domain.errors import RefusedError, UnavailableError

FOLDER = Path("release")


@pytest.fixture
def world(desk, monkeypatch):
    monkeypatch.setattr(approvals, "refusals", lambda release: ("header.summary: it is not so",))
    return World().opened("m")


def foreseen(world, release):
    return world.house().approvals.foreseen(FOLDER, release, actor="quinn")[1:]


def under_another_policy(release):
    release.inputs.floor = replace(release.inputs.floor, digest="ff" * 32)
    return release


@pytest.mark.parametrize(
    ("release", "said"),
    [
        (release_of("m", "2", None, DeploymentType.INITIAL), "header.deployment_type is 'initial', and v1"),
        (release_of("m", "2", None), "header.previous_version is missing"),
        (release_of("m", "2", "0.9"), "header.previous_version is '0.9'"),
        (release_of("n", "2", None, DeploymentType.HOTFIX), "header.deployment_type is 'hotfix', and nothing"),
        (release_of("m", "2", "1", DeploymentType.ROLLBACK), "header.deployment_type is 'rollback'"),
    ],
)
def test_what_the_record_speaks_against_is_foreseen_as_submit_refuses_it(world, release, said):
    before = list(world.store.rows())

    (found,) = foreseen(world, release)

    assert found.startswith(said)
    assert list(world.store.rows()) == before
    with pytest.raises(RefusedError) as refused:
        world.house().approvals.submit(FOLDER, release, actor="quinn")
    assert str(refused.value) == found


def test_another_policy_than_the_installations_is_foreseen(world):
    (found,) = foreseen(world, under_another_policy(release_of("m", "2", "1")))

    assert "a submission is held to the built-in policy" in found


def test_nothing_is_foreseen_of_a_release_that_submit_takes(world):
    release = release_of("m", "2", "1")

    assert foreseen(world, release) == ()
    world.house().approvals.submit(FOLDER, release, actor="quinn")
    assert foreseen(world, release) == ()  # it is under way by itself, and no other release stands against it


def test_what_the_dossier_itself_says_comes_first(world):
    found = world.house().approvals.foreseen(FOLDER, release_of("m", "2", "0.9"), actor="quinn")

    assert found[0] == "header.summary: it is not so"


def test_a_record_that_cannot_be_read_is_said_and_keeps_nothing_else_from_being_said(world):
    def gone(identity):
        raise UnavailableError("the ledger is locked")

    rounds = replace(world.house().approvals, record=SimpleNamespace(find=gone))

    assert rounds.foreseen(FOLDER, release_of("m", "2", "1"), actor="quinn") == (
        "header.summary: it is not so",
        "the record cannot be read: the ledger is locked",
    )
