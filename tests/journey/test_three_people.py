"""A firm of three under the policy of `signoff init --template small-firm`: a release is approved and starts."""

import re

import pytest
import working_registry

from signoff.installation import Installation

MAKER, RISK, TRADING = "Q. Ferrari", "R. Moreau", "T. Haddad"


@pytest.fixture
def firm(own_desk, tmp_path, unprinted):
    """Three people, the policy of the template in force, and a dossier that names the two who sign."""
    desk = own_desk
    (desk.folder / "policy.yaml").unlink()
    made = tmp_path / "begun"
    desk.ok("init", "momentum", "2.0.0", "--dir", made, "--template", "small-firm")
    for name, role in ((MAKER, "model_owner"), (RISK, "risk_manager"), (TRADING, "head_of_trading")):
        desk.ok("people", "add", name, "--make-key", "--role", role)
    desk.ok("policy", "propose", made / "policy.yaml", "--as", RISK)
    desk.ok("policy", "confirm", "--as", TRADING)
    path = desk.folder / "dossier.yaml"
    others = r"    - \{role: (?:model_owner|lead_quant|cto|compliance), name: .*\}\n"
    path.write_text(re.sub(others, "", path.read_text()))
    return desk


def test_three_people_release_a_model_and_nobody_signs_for_their_own_work(firm, monkeypatch):
    desk = firm
    roles = ("--role", "risk_manager", "--role", "head_of_trading")
    desk.ok("grandfather", "momentum", "1.1.0", *roles, "--reason", "live before")
    with monkeypatch.context() as patch:
        patch.setattr(Installation, "registry", property(lambda _: working_registry.WorkingRegistry()))
        desk.ok("rehearse", "momentum", "--dossier", desk.folder)
    _, document, said = desk("submit", desk.folder, "--as", MAKER)
    assert document is not None, said
    identity = document["deployment"]
    assert document["cannot_sign"] == []
    if document["state"] == "validated":
        said = desk.refused("override", identity, "--role", "model_owner", "--reason", "mine")
        assert "risk_manager" in said
        for role in ("risk_manager", "head_of_trading"):
            document = desk.ok("override", identity, "--role", role, "--reason", "a test of the procedure")
    assert document["missing_roles"] == ["risk_manager", "head_of_trading"]
    assert desk("approve", identity, "--role", "model_owner")[0] != 0
    desk.ok("approve", identity, "--role", "risk_manager")
    assert desk("approve", identity, "--role", "head_of_trading", "--as", RISK)[0] != 0
    document = desk.ok("approve", identity, "--role", "head_of_trading")
    assert document["state"] == "approved"
    assert {one["person"] for one in document["approvals"]} == {RISK, TRADING}
    assert desk.ok("rollout", "start", identity, "--as", TRADING)["state"] == "shadow"
    desk("kill", "momentum", "--reason", "a drill")
    desk.ok("rearm", "momentum", "--role", "risk_manager", "--reason", "over")
    assert desk("rearm", "momentum", "--role", "head_of_trading", "--reason", "over")[0] == 0
    assert desk("verify")[0] in {0, 2}


def test_the_maker_who_also_holds_a_signing_role_leaves_it_unsignable_and_check_says_so(firm):
    desk = firm
    path = desk.folder / "dossier.yaml"
    path.write_text(path.read_text().replace("{name: Q. Ferrari,", f"{{name: {RISK},"))
    _, document, _ = desk("check", desk.folder)
    assert any("Risk manager" in text for text in document["cannot_sign"])
