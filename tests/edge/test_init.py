"""What `signoff init` leaves behind is a start, and harms nothing that is there."""

import json
from datetime import date
from pathlib import Path

import pytest

from signoff.adapters.documents import load_policy
from signoff.adapters.schema import dossier_schema, policy_schema
from signoff.adapters.templates import write_dossier, write_policy
from signoff.domain.errors import BadInputError
from signoff.domain.policy import Policy

TODAY = date(2026, 1, 2)

EXAMPLE = Path(__file__).parents[2] / "examples" / "momentum"


@pytest.mark.parametrize("name", ['we"ird', "a\nb: c", "../up", "", "x" * 65])
def test_a_name_that_would_break_the_file_is_refused(tmp_path, name):
    with pytest.raises(BadInputError, match="nothing was written"):
        write_dossier(name, "1.0.0", tmp_path / "new", today=TODAY)
    with pytest.raises(BadInputError, match="nothing was written"):
        write_dossier("mine", name, tmp_path / "new", today=TODAY)
    assert not (tmp_path / "new").exists()


def test_a_dossier_brings_no_policy(tmp_path):
    written = write_dossier("mine", "1.0.0", tmp_path, today=TODAY)
    assert {path.name for path in written} == {"dossier.yaml", "dossier.schema.json"}


def test_the_policy_of_the_firm_is_kept(tmp_path):
    (tmp_path / "policy.yaml").write_text("name: ours\nversion: '3'\n")
    with pytest.raises(BadInputError, match="nothing was written"):
        write_policy(tmp_path / "policy.yaml")
    assert load_policy(tmp_path / "policy.yaml").value.name == "ours"


def test_a_place_that_is_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInputError, match="--dir"):
        write_dossier("mine", "1.0.0", tmp_path / "file", today=TODAY)
    with pytest.raises(BadInputError, match="another folder"):
        write_policy(tmp_path / "file" / "policy.yaml")


def test_the_editor_finds_the_schema_beside_the_file(tmp_path):
    for path in (*write_dossier("mine", "1.0.0", tmp_path, today=TODAY), *write_policy(tmp_path / "policy.yaml")):
        if path.suffix == ".yaml":
            header = path.read_text().splitlines()[0]
            schema = header.removeprefix("# yaml-language-server: $schema=")
            assert json.loads((tmp_path / schema).read_text())["title"].startswith("Signoff")


def test_the_policy_that_init_writes_has_the_defaults_but_for_the_sharpe_trigger(tmp_path):
    write_policy(tmp_path / "policy.yaml")
    written = load_policy(tmp_path / "policy.yaml").value
    default = Policy(name=written.name, version=written.version)
    assert (written.gates, written.approvals, written.phases) == (default.gates, default.approvals, default.phases)
    assert (written.alerts, written.rollback, written.success) == (default.alerts, default.rollback, default.success)
    assert written.triggers.var == default.triggers.var


def test_the_schemas_refuse_unknown_keys_as_the_records_do():
    for schema in (dossier_schema(), policy_schema()):
        records = [schema, *schema["$defs"].values()]
        assert all(r["additionalProperties"] is False for r in records if r.get("type") == "object")


def test_the_example_points_at_files_that_exist():
    from signoff.adapters.documents import load_dossier

    dossier = load_dossier(EXAMPLE / "dossier").value
    beside = {path.name for path in EXAMPLE.iterdir()}
    assert dossier.governance.model_card in beside
    assert {r.evidence for r in dossier.governance.requirements} <= beside
    assert {r.link for r in dossier.appendix.references if "://" not in r.link} <= beside
