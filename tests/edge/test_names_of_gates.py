"""SPA and DSR are other things to a quant: policies and dossiers may say the names of the field, and both are read."""

from pathlib import Path

import firm_policy
import pytest
import release_folder

from signoff.adapters.documents import load_dossier, load_policy, parse_policy
from signoff.domain.errors import BadInputError
from signoff.domain.names_of_gates import KEYS, NAMES, key_of, name_of, path_by_keys

TEXT = firm_policy.FILE.read_text()
RENAMED = TEXT.replace("  spa:", "  symmetric_accuracy:").replace("  dsr:", "  downside_sensitivity:")


def test_a_policy_by_the_new_names_is_the_same_policy(tmp_path):
    assert RENAMED != TEXT
    (tmp_path / "policy.yaml").write_text(RENAMED)
    assert load_policy(tmp_path / "policy.yaml").value == load_policy(firm_policy.FILE).value


@pytest.mark.parametrize("key", NAMES)
def test_one_gate_by_two_names_is_refused_with_its_line(key):
    twice = TEXT.replace(f"  {key}:", f"  {name_of(key)}: {{threshold: 0.5}}\n  {key}:", 1)
    with pytest.raises(BadInputError, match=rf"gates\.{name_of(key)}: {name_of(key)} and {key} are one gate"):
        parse_policy(Path("policy.yaml"), twice.encode())


def test_a_fault_under_a_new_name_keeps_its_line():
    wrong = RENAMED.replace("symmetric_accuracy: {threshold: ", "symmetric_accuracy: {threshold: x", 1)
    line = next(n for n, text in enumerate(wrong.splitlines(), 1) if "symmetric_accuracy" in text)
    with pytest.raises(BadInputError, match=f":{line} "):
        parse_policy(Path("policy.yaml"), wrong.encode())


def test_a_dossier_tightens_and_explains_by_either_name(tmp_path):
    folder = release_folder.make(tmp_path / "dossier", sessions=60)
    text = (folder / "dossier.yaml").read_text()
    assert "\n  tighten:" in text or "near_misses" in text
    by_keys = load_dossier(folder).value
    for key, name in NAMES.items():
        text = text.replace(f"gates.{key}.", f"gates.{name}.").replace(f"\n    {key}: ", f"\n    {name}: ")
    (folder / "dossier.yaml").write_text(text)
    assert load_dossier(folder).value == by_keys


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("gates.symmetric_accuracy.threshold", "gates.spa.threshold"),
        ("gates.downside_sensitivity", "gates.dsr"),
        ("gates.pbo.threshold", "gates.pbo.threshold"),
        ("triggers.symmetric_accuracy.below", "triggers.symmetric_accuracy.below"),
        ("gates", "gates"),
    ],
)
def test_a_path_names_the_gate_by_its_key(path, wanted):
    assert path_by_keys(path) == wanted


def test_each_name_has_its_key_and_other_gates_their_own():
    assert {key_of(name) for name in KEYS} == set(NAMES)
    assert (key_of("hansen_spa"), name_of("hansen_spa")) == ("hansen_spa", "hansen_spa")


@pytest.mark.parametrize(("typed", "nearest"), [("symetric_accuracy", "symmetric_accuracy"), ("pob", "pbo")])
def test_a_slip_in_a_name_is_told_with_the_nearest_of_both_spellings(typed, nearest):
    wrong = TEXT.replace("  spa:", f"  {typed}:", 1)
    with pytest.raises(BadInputError, match=rf"gates\.{typed}: unknown key; nearest known is '{nearest}'"):
        parse_policy(Path("policy.yaml"), wrong.encode())
