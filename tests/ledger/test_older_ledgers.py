"""Ledgers that were written before a release said why people may not sign for it."""

import json
from dataclasses import replace

import pytest
from small_ledger import (
    DEPLOYMENT,
    STREAM,
    World,
    approved_release,
    enrolled,
    exported,
    key,
    memory_store,
    noticed,
    opened,
    signature,
    verified,
)

from signoff.app.record import replay
from signoff.app.signing import SigningPerson
from signoff.config.settings import settings
from signoff.domain.artifacts import Artifact, Pin
from signoff.domain.deployment import Deployment
from signoff.domain.events import ApprovalRequested, ApprovalSigned, Approved, Validated
from signoff.domain.floor import Origin
from signoff.domain.policy import ApprovalPolicy, GatePolicy, Policy, Role
from signoff.installation import Installation
from signoff.ledger import codec
from signoff.ledger.codec import decode_state
from signoff.ledger.manifest import manifest_of

SINCE = {
    "grounds",
    "unread",
    "logins",
    "unread_commits",
    "unknown_makers",
    "floor",
    "bound",
    "bound_previous",
    "unbound",
}


def without(value):
    match value:
        case dict():
            return {key: without(item) for key, item in value.items() if key not in SINCE}
        case list():
            return [without(item) for item in value]
        case _:
            return value


@pytest.fixture
def older():
    """A store as an older Signoff left it."""
    plain = codec._plain
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "_plain", lambda value: without(plain(value)))
        store = approved_release(memory_store())
    said = [json.loads(row.body)["event"] for row in store.rows()]
    assert not any(SINCE & event.keys() for event in said)
    return store


def test_they_verify_and_replay_as_they_are(older):
    result = verified(exported(older))
    assert result.exit_code == 0
    assert f"{DEPLOYMENT}: artefacts not bound: registered before Signoff bound artefacts." in result.facts
    state = decode_state(Deployment, older.load(STREAM).state)
    assert (state.id, state.barred, state.grounds, state.unread) == (DEPLOYMENT, ("Quinn",), (), ())
    assert SINCE.isdisjoint(json.loads(older.load(STREAM).state))
    assert set(json.loads(replay(codec.decode(row.body) for row in older.rows())[STREAM])) >= {"grounds", "unread"}


def test_a_release_that_is_bound_to_files_which_its_manifest_does_not_name_is_found():
    pin = Pin(model="m", number=1, run_id="r", files=(Artifact(path="model.txt", size=1, sha256="0" * 64),))
    plain = codec._plain

    def binding(value):
        said = plain(value)
        return {**said, "bound": plain(pin), "unbound": ""} if isinstance(value, Validated) else said

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "_plain", binding)
        store = approved_release(memory_store())
    found = [what for _, what in verified(exported(store)).findings]
    assert any("names other files than it is bound to: model.txt: expected sha256" in what for what in found), found


def test_they_go_on_under_this_signoff_and_verify(older):
    World(older, requests=100).happens(STREAM, noticed("dinner"))
    World(older, requests=101).happens("people", enrolled("Kim", Role.CTO))
    result = verified(exported(older))
    assert result.findings == ()


# What it said of the policy that releases are held to came with each of them.


def approved_by_one(store):
    """A release that an older Signoff held to the policy its submitter brought, which one person signed."""
    text = b"name: brought along\nversion: '9'\napprovals: {roles: [risk_manager], compliance_required: false}\n"
    files = {"inputs/policy.yaml": text, "evidence.csv": b"date,return\n"}
    package = manifest_of(files)
    for content in (package.to_bytes(), *files.values()):
        store.put_blob(content)
    policy = Policy(
        name="brought along",
        version="9",
        approvals=ApprovalPolicy(roles=(Role.RISK_MANAGER,), compliance_required=False),
        gates=replace(GatePolicy(), near_miss_pct=20.0),  # as the dossier tightened it
    )
    world = World(store)
    world.happens("people", enrolled("Rae", Role.RISK_MANAGER))
    world.happens("people", enrolled("Cam", Role.CTO))
    world.happens(STREAM, replace(opened(), policy=policy, dossier_digest=package.digest))
    world.happens(STREAM, Validated(results=(), package=package.digest))
    world.happens(STREAM, ApprovalRequested(manifest=package.digest))
    signed = signature(subject=package.digest)
    world.happens(STREAM, ApprovalSigned(signature=signed), Approved(manifest=package.digest))
    return store


@pytest.fixture
def old_home(tmp_path):
    plain = codec._plain
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "_plain", lambda value: without(plain(value)))
        store = approved_by_one(memory_store())
    return Installation(settings(home=str(tmp_path / "home"))).with_parts(store=store)


def test_an_old_home_adopts_the_policy_of_its_last_approved_release_unconfirmed(old_home):
    floor, policy = old_home.policy_in_force().floor, old_home.policy_in_force().policy
    assert (floor.origin, floor.source, floor.is_confirmed) == (Origin.LAST_APPROVED, DEPLOYMENT, False)
    assert "unconfirmed" in floor.words
    assert policy.approvals.roles == (Role.RISK_MANAGER,)
    assert policy.gates.near_miss_pct == 10.0  # the firm's file, not what one dossier made of it
    assert old_home.store.load("policy") is None  # nothing was written for the question


def test_until_two_people_confirm_one(old_home):
    firm = Policy(name="firm", version="1")
    rae, cam = (
        SigningPerson(person=n, role=r, signer=key(n)) for n, r in (("Rae", Role.RISK_MANAGER), ("Cam", Role.CTO))
    )
    in_force = old_home.policies.confirm(old_home.policies.propose(firm, rae).id, cam)
    assert (in_force.policy, in_force.floor.number) == (firm, 1)
    assert verified(exported(old_home.store)).findings == ()


def test_where_the_file_is_gone_the_policy_that_the_release_was_held_to_counts(old_home):
    blobs = old_home.store._blobs
    for name in [name for name, content in blobs.items() if content.startswith(b"name: brought")]:
        del blobs[name]
    assert old_home.policy_in_force().policy.gates.near_miss_pct == 20.0


def test_an_old_home_in_which_nothing_was_approved_has_the_built_in_policy(tmp_path):
    house = Installation(settings(home=str(tmp_path / "home"))).with_parts(store=memory_store())
    World(house.store).happens(STREAM, opened())
    assert house.policy_in_force().floor.origin is Origin.BUILT_IN
