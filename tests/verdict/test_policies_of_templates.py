"""`signoff init --template` writes a trial policy: it says only what differs from the defaults, and why."""

import json

import pytest
import yaml

from signoff.adapters.documents import load_dossier, load_policy
from signoff.adapters.templates import TEMPLATES
from signoff.cli.main import main
from signoff.domain.floor import BUILT_IN, differences
from signoff.domain.policy import Role


@pytest.fixture(params=TEMPLATES)
def template(request):
    return request.param


@pytest.fixture
def folder(template, tmp_path, capsys):
    assert main(["init", "mine", "1.0.0", "--dir", str(tmp_path / "release"), "--template", template, "--json"]) == 0
    written = json.loads(capsys.readouterr().out)["written"]
    assert {path.rpartition("/")[2] for path in written} == {
        *("dossier.yaml", "dossier.schema.json", "policy.yaml", "policy.schema.json")
    }
    return tmp_path / "release"


def leaves(node, prefix=""):
    for key, value in node.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


def test_every_choice_differs_from_the_default_and_has_its_reason(folder):
    path = folder / "policy.yaml"
    located = load_policy(path)
    lines = path.read_text().splitlines()
    said = {key for key in leaves(yaml.safe_load(path.read_text())) if key not in {"name", "version"}}
    changed = {one.path for one in differences(BUILT_IN, located.value)} - {"name", "version"}
    assert said == changed
    for key in said:
        _, _, reason = lines[located.line_of(key) - 1].partition("  # ")
        assert len(reason.split()) >= 3, key


def test_the_dossier_names_the_roles_that_sign_under_it(folder):
    policy = load_policy(folder / "policy.yaml").value
    dossier = load_dossier(folder, may_be_unfinished=True).value
    assert {one.role for one in dossier.plan.signatories} == set(policy.approvals.required)


def test_an_override_can_be_signed_by_as_many_people_as_it_takes(folder):
    approvals = load_policy(folder / "policy.yaml").value.approvals
    assert len(set(approvals.override_roles)) >= approvals.override_persons
    assert Role.RISK_MANAGER in approvals.override_roles


def test_point_in_time_blocks_under_every_template(folder):
    assert load_policy(folder / "policy.yaml").value.gates.point_in_time.blocking


def test_an_unknown_template_is_refused_with_those_that_there_are(tmp_path, capsys):
    assert main(["init", "mine", "1.0.0", "--dir", str(tmp_path / "release"), "--template", "hedge-fund"]) == 2
    said = capsys.readouterr().err
    assert all(name in said for name in TEMPLATES)
    assert not (tmp_path / "release").exists()


def test_a_policy_that_is_there_is_never_replaced(tmp_path, capsys):
    (tmp_path / "policy.yaml").write_text("mine")
    assert main(["init", "mine", "1.0.0", "--dir", str(tmp_path), "--template", "bank"]) == 2
    assert "policy.yaml" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["policy.yaml"]
