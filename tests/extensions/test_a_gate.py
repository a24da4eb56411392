"""A gate is one file of another package: it judges beside the memo's own, and what it breaks or boasts blocks."""

import json
import re

import pytest
import release_folder
import toy_package

from signoff.adapters.documents import load_dossier
from signoff.cli.main import main
from signoff.domain.errors import BadInputError

NAMES = ("record_length", "breaks", "boasts", "misnamed", "leaves", "spells", "nears", "interrupts")


@pytest.fixture(scope="module")
def dossier(tmp_path_factory):
    return release_folder.make(tmp_path_factory.mktemp("release") / "dossier", sessions=300)


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    points = {name: ("gates", name) for name in NAMES}
    return toy_package.installed(tmp_path_factory.mktemp("site"), "toy_parts", **points)


@pytest.fixture
def checked(package, dossier, monkeypatch, capsys):
    def check(names, *options):
        toy_package.on_path(monkeypatch, package, "toy_parts")
        monkeypatch.setenv("SIGNOFF_GATES", names)
        code = main(["check", str(dossier), "--json", *options])
        return code, json.loads(capsys.readouterr().out)

    return check


def test_its_finding_stands_beside_the_others_and_names_its_package(checked, tmp_path):
    code, document = checked("record_length", "--junit", str(tmp_path / "junit.xml"))
    found = next(gate for gate in document["gates"] if gate["key"] == "record_length")
    assert (code, found["outcome"], found["blocking"]) == (1, "fail", True)
    assert "gate of toy_parts 1.0" in found["method"]
    assert found["title"] == "toy_parts 1.0: Length of the record"
    assert "The backtest has 300 sessions" in found["reason"]
    assert "record_length" in (tmp_path / "junit.xml").read_text()


def test_what_breaks_boasts_or_is_misnamed_is_an_error_that_blocks(checked):
    _, document = checked("breaks, boasts, misnamed, leaves, spells")
    said = {gate["key"]: gate for gate in document["gates"]}
    assert {said[name]["outcome"] for name in ("breaks", "boasts", "misnamed", "leaves", "spells")} == {"error"}
    assert "no such column" in said["breaks"]["reason"]
    assert "it says pass, and its statistic 1.0" in said["boasts"]["reason"]
    assert "expected a finding of the key misnamed" in said["misnamed"]["reason"]
    assert "SystemExit" in said["leaves"]["reason"]
    assert "expected outcome as Outcome, found 'pass'" in said["spells"]["reason"]


def test_a_near_miss_that_fails_and_an_interruption_are_faults_of_the_gate(checked):
    _, document = checked("nears, interrupts")
    said = {gate["key"]: gate for gate in document["gates"]}
    assert {said[name]["outcome"] for name in ("nears", "interrupts")} == {"error"}
    assert "it says near miss beside fail" in said["nears"]["reason"]
    assert "KeyboardInterrupt" in said["interrupts"]["reason"]


def test_a_near_miss_of_an_installed_gate_can_be_explained_and_one_of_no_gate_cannot(
    package, dossier, tmp_path, monkeypatch
):
    text = (dossier / "dossier.yaml").read_text()
    copied = tmp_path / "dossier.yaml"
    copied.write_text(re.sub(r"near_misses:", "near_misses:\n    record_length: few rows", text, count=1))
    with pytest.raises(BadInputError, match=r"near_misses\.record_length.*no gate has this name"):
        load_dossier(copied)
    toy_package.on_path(monkeypatch, package, "toy_parts")
    assert load_dossier(copied).value.validation.near_misses["record_length"] == "few rows"


def test_a_gate_of_no_package_is_refused_before_anything_is_judged(package, dossier, monkeypatch, capsys):
    toy_package.on_path(monkeypatch, package, "toy_parts")
    monkeypatch.setenv("SIGNOFF_GATES", "record_lenght")
    assert main(["check", str(dossier)]) == 2
    assert (
        "'record_lenght'; installed are: boasts, breaks, interrupts, leaves, misnamed, nears, record_length, spells"
        in capsys.readouterr().err
    )
