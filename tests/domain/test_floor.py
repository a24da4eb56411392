"""Differences between two policies, and the policy that a release may be held to."""

import json
from dataclasses import replace

import pytest

from signoff.domain.dossier import DeploymentType
from signoff.domain.errors import TamperedError
from signoff.domain.floor import BUILT_IN, Floor, Origin, Tendency, differences, falls_short, subject_of
from signoff.domain.policy import (
    ApprovalPolicy,
    ChampionShare,
    OnUnknown,
    OrderGatePolicy,
    PhasePolicy,
    Policy,
    Role,
    UnknownEvent,
    thresholds,
    tighten,
)
from signoff.domain.shortened import shortened
from signoff.ledger.floor import content_of, read_content

UPGRADE = DeploymentType.UPGRADE


def having(**parts):
    return replace(BUILT_IN, **parts)


def gate(name, **parts):
    gates = BUILT_IN.gates
    return {"gates": replace(gates, **{name: replace(getattr(gates, name), **parts)})}


def test_a_policy_differs_from_itself_in_nothing():
    assert differences(BUILT_IN, Policy(name="default", version="1")) == ()


@pytest.mark.parametrize(
    ("changed", "path", "tendency"),
    [
        (gate("pbo", threshold=0.9), "gates.pbo.threshold", "looser"),
        (gate("spa", threshold=0.6), "gates.spa.threshold", "tighter"),
        (gate("dsr", blocking=False), "gates.dsr.blocking", "looser"),
        ({"approvals": ApprovalPolicy(roles=(Role.CTO,))}, "approvals.roles", "looser"),
        ({"approvals": ApprovalPolicy(webauthn_roles=(Role.CTO,))}, "approvals.webauthn_roles", "tighter"),
        ({"approvals": ApprovalPolicy(compliance_required=False)}, "approvals.compliance_required", "looser"),
        ({"approvals": ApprovalPolicy(unread_commits=OnUnknown.TELL)}, "approvals.unread_commits", "changed"),
        ({"version": "2"}, "version", "changed"),
        ({"order_gate": OrderGatePolicy(unknown_adv_usd=5e7)}, "order_gate.unknown_adv_usd", "looser"),
        ({"order_gate": OrderGatePolicy(unknown_vix=20.0)}, "order_gate.unknown_vix", "looser"),
        ({"order_gate": OrderGatePolicy(unknown_sector="Other")}, "order_gate.unknown_sector", "looser"),
        ({"order_gate": OrderGatePolicy(unknown_event=UnknownEvent.ASSUME_NONE)}, "order_gate.unknown_event", "looser"),
        ({"order_gate": OrderGatePolicy(max_age_days=5)}, "order_gate.max_age_days", "tighter"),
        (
            {"phases": PhasePolicy(champion_share_while_limited=ChampionShare.ALL)},
            "phases.champion_share_while_limited",
            "looser",
        ),
    ],
)  # fmt: skip
def test_each_changed_key_is_told_with_what_becomes_of_it(changed, path, tendency):
    (found,) = differences(BUILT_IN, having(**changed))
    assert (found.path, found.tendency) == (path, Tendency(tendency))


def test_a_policy_comes_back_from_the_bytes_that_people_sign():
    policy = having(name="Österreichische Firma", approvals=ApprovalPolicy(roles=(Role.CTO, Role.RISK_MANAGER)))
    assert read_content(content_of(policy)) == policy


def test_a_policy_that_people_signed_before_the_champions_share_was_in_it_leaves_it_the_rest():
    said = json.loads(content_of(BUILT_IN))
    del said["phases"]["champion_share_while_limited"]
    assert read_content(json.dumps(said)).phases.champion_share_while_limited is ChampionShare.REST


def test_what_people_sign_stands_for_one_version_in_one_place():
    content = content_of(BUILT_IN)
    signed = {subject_of(1, "", content), subject_of(2, "", content), subject_of(1, "a" * 64, content)}
    assert len(signed | {subject_of(1, "", content_of(having(version="2")))}) == 4


def test_a_release_may_be_held_to_stricter_thresholds_and_never_to_looser_ones():
    stricter, _ = tighten(BUILT_IN, {"gates.pbo.threshold": 0.1, "phases.shadow_days": 20})
    assert falls_short(BUILT_IN, UPGRADE, stricter) is None
    assert falls_short(stricter, UPGRADE, BUILT_IN) == "gates.pbo.threshold"


@pytest.mark.parametrize(
    "lax",
    [
        having(approvals=ApprovalPolicy(roles=(Role.CTO,))),
        having(approvals=ApprovalPolicy(override_roles=(Role.MODEL_OWNER, Role.CTO))),
        having(approvals=ApprovalPolicy(unread_commits=OnUnknown.TELL)),
        having(gates=replace(BUILT_IN.gates, var=replace(BUILT_IN.gates.var, blocking=False))),
        having(phases=replace(BUILT_IN.phases, calendar="24/7")),
        having(order_gate=OrderGatePolicy(unknown_adv_usd=1e9)),
    ],
)
def test_every_key_other_than_a_threshold_must_equal_the_policy(lax):
    assert falls_short(BUILT_IN, UPGRADE, lax) is not None


def test_a_substitute_that_becomes_laxer_is_told_as_looser():
    before = having(order_gate=OrderGatePolicy(unknown_adv_usd=1e7, unknown_vix=30.0, max_age_days=2))
    after = having(order_gate=OrderGatePolicy(unknown_adv_usd=1e8, unknown_vix=10.0, max_age_days=9))
    assert {found.tendency for found in differences(before, after)} == {Tendency.LOOSER}
    assert {found.tendency for found in differences(after, before)} == {Tendency.TIGHTER}


def test_a_dossier_can_name_no_substitute():
    assert not any(threshold.path.startswith("order_gate.") for threshold in thresholds(BUILT_IN))


def test_a_hotfix_is_held_to_what_the_policy_leaves_of_itself():
    kind = DeploymentType.HOTFIX
    assert falls_short(BUILT_IN, kind, shortened(BUILT_IN, kind)) is None
    assert falls_short(BUILT_IN, UPGRADE, shortened(BUILT_IN, kind)) is not None


def test_only_a_policy_that_two_people_confirmed_does_not_call_itself_unconfirmed_or_a_trial():
    for origin in Origin:
        floor = Floor(origin=origin, name="n", version="1", digest="d", number=1, confirmed_by=("A", "B"))
        assert floor.is_confirmed == ("unconfirmed" not in floor.words and "trial" not in floor.words)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("gates.pbo.threshold", 1.5, "gates.pbo.threshold is 1.5"),
        ("gates.pbo.threshold", float("nan"), "malformed"),
        ("gates.pbo.partitions", 7, "gates.pbo.partitions is 7"),
        ("gates.pbo.partitions", 22, "gates.pbo.partitions is 22"),
        ("gates.pbo.junk_share", 0.5, "gates.pbo.junk_share is 0.5"),
        ("gates.dsr.threshold", float("inf"), "malformed"),
        ("gates.var.limit_pct", 0.0, "gates.var.limit_pct is 0.0"),
        ("approvals.roles", [], r"approvals.roles is \(\)"),
        ("order_gate.unknown_vix", 0.0, "order_gate.unknown_vix is 0.0"),
        ("gates.pbo.blocking", "yes", "Expected `bool`"),
        ("gates.pbo.partitions", True, "Expected `int`"),
        ("gates.pbo.threshhold", 0.4, "a key that this Signoff does not know"),
    ],
)
def test_content_that_no_policy_may_say_is_refused(path, value, words):
    document = json.loads(content_of(BUILT_IN))
    *parts, last = path.split(".")
    node = document
    for part in parts:
        node = node[part]
    node[last] = value

    with pytest.raises(TamperedError, match=words):
        read_content(json.dumps(document))
