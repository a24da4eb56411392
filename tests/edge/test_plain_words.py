"""What stands in a YAML file is what everybody reads in it: no text becomes a number, a date or a switch unseen."""

import pickle
from itertools import islice
from pathlib import Path

import pytest
import yaml
from damage import edit, refused
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from signoff.adapters.documents import effective_policy, load_dossier, load_policy, parse_policy, policy_text
from signoff.domain.dossier import Dossier
from signoff.domain.errors import BadInputError
from signoff.domain.policy import Policy
from signoff.ledger.floor import content_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "momentum"


@pytest.mark.parametrize("written", ["true", "'0.6'", "1:30", "010", "1_000", "0x10", "yes", "9" * 5000])
def test_only_a_plain_number_is_a_number(folder, written):
    edit(folder / "dossier.yaml", "sharpe: 0.60", f"sharpe: {written}")
    refused(folder, "validation.targets.sharpe", "expected a number")


@pytest.mark.parametrize(("written", "meant"), [("6e-1", 0.6), ("-.5", -0.5), ("1", 1.0), ("+2.", 2.0), ("0", 0.0)])
def test_numbers_read_as_they_look(folder, written, meant):
    edit(folder / "dossier.yaml", "sharpe: 0.60", f"sharpe: {written}")
    assert load_dossier(folder).value.validation.targets.sharpe == meant


@pytest.mark.parametrize("written", ["'no'", "no", "off", "0", "1", "'false'", "null"])
def test_a_gate_is_not_switched_by_anything_but_true_and_false(folder, written):
    edit(folder / "policy.yaml", "minimum_per_side: 30, blocking: true", f"minimum_per_side: 30, blocking: {written}")
    refused(folder, "policy.yaml:", "gates.spa.blocking", "true or false")


@pytest.mark.parametrize("written", ["2019-02-30", "0", "1546387200", "2019-01-02 00:00:00", "02/01/2019"])
def test_a_date_that_is_none_is_refused_with_its_line(folder, written):
    edit(folder / "dossier.yaml", "deployment_date: 2019-01-02", f"deployment_date: {written}")
    refused(folder, "dossier.yaml:6", "header.deployment_date", "date")


def test_tickers_that_are_words_elsewhere_stay_tickers(folder):
    edit(folder / "dossier.yaml", "excluded_symbols: []", "excluded_symbols: [ON, NO, Y]")
    assert load_dossier(folder).value.boundaries.restrictions.excluded_symbols == ("ON", "NO", "Y")


def test_a_version_that_reads_as_a_number_asks_for_quotes(folder):
    edit(folder / "dossier.yaml", "version: 2.0.0", "version: 2.0")
    refused(folder, "header.version", "quotes")


def test_several_possible_kinds_give_one_problem(folder):
    edit(folder / "dossier.yaml", "latency_sla_ms: 150", "latency_sla_ms: [1]")
    refused(folder, "1 problem", "infrastructure.configuration.latency_sla_ms", "[1]")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("header:\n", "header:\n  <<: {model: other}\n", ("header.<<", "unknown key")),
        ("header:", "? [a, b]\n: 2\nheader:", ("dossier.yaml:2", "name as key")),
        ("header:", "!!map\nheader:", ("tag",)),
        ("model_card: model_card.md", 'model_card: "a\\0b"', ("U+0000",)),
        ("model: momentum", 'model: "\\ud800"', ("found invalid Unicode character escape code",)),
        ("sign_off:", "---\nsign_off:", ("another document",)),
        ("    pbo: Most", "    pob: Most", ("validation.near_misses.pob", "'pbo'")),
    ],
)
def test_what_readers_cannot_see_is_refused(folder, old, new, words):
    edit(folder / "dossier.yaml", old, new)
    refused(folder, *words)


@pytest.mark.parametrize(
    "content", [b"[" * 1_900_000, b"- " * 900_000, b"{a: [" * 300_000, b"a: " * 40, b"{a: " * 31 + b"1" + b"}" * 31]
)
def test_nesting_without_end_is_refused(folder, content):
    (folder / "dossier.yaml").write_bytes(content)
    refused(folder, "dossier.yaml")


def test_a_file_that_is_far_too_large_is_not_read(folder):
    (folder / "dossier.yaml").write_bytes(b"# \n" * 1_000_000)
    refused(folder, "2,000,000 bytes")


def test_a_byte_order_mark_is_no_error(folder):
    path = folder / "dossier.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_dossier(path).value.model == "momentum"


def test_a_dossier_from_outside_of_its_folder_is_refused(folder, tmp_path):
    (folder / "dossier.yaml").rename(tmp_path / "elsewhere.yaml")
    (folder / "dossier.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    refused(folder, "points outside")


def test_a_name_that_no_file_can_have_is_a_file_that_is_not_there(folder):
    edit(folder / "dossier.yaml", "model_card: model_card.md", f"model_card: {'a' * 400}")
    from signoff.adapters.evidence.reader import FolderReader

    assert FolderReader().read(folder, None).links["a" * 400] is False


NUMBERS_TO_SOME = ["1", "1e5", "0x1f", "-", "1:30", "yes", "null", "~", "1_000", ".inf", "2018-01-02"]


@pytest.mark.parametrize("text", [*NUMBERS_TO_SOME, " a", "a: b # c", "é\n€", "'\"", "{a}"])
def test_a_policy_that_is_written_out_reads_as_it_was(text):
    policy = Policy(name=text, version=text)
    written = policy_text(content_of(policy))
    assert parse_policy(Path("policy.yaml"), written).value == policy
    assert yaml.safe_load(written)["name"] == text


def test_a_missing_dossier_and_policy_are_named(folder, tmp_path):
    with pytest.raises(BadInputError, match="no such file"):
        load_dossier(tmp_path)
    with pytest.raises(BadInputError, match=r"none\.yaml"):
        load_policy(folder / "none.yaml")
    with pytest.raises(BadInputError, match="found a folder"):
        load_policy(folder)


def test_an_unknown_key_of_the_policy_is_named_with_the_nearest(folder):
    edit(folder / "policy.yaml", "consecutive_days: 10", "consecutive_day: 10")
    refused(folder, "policy.yaml:", "triggers.sharpe.consecutive_day", "'consecutive_days'")


def test_a_method_that_nobody_knows_is_refused_before_anything_runs(folder):
    edit(folder / "policy.yaml", "method: historical", "method: guess")
    refused(folder, "policy.yaml:", "gates.var.method", "'historical'")


@pytest.mark.parametrize(
    ("old", "new", "alert"),
    [
        ("psi: {warning: 0.1, critical: 0.25", "psi: {warning: 0.3, critical: 0.25", "alerts.psi"),
        ("sharpe_30d: {warning: 1.0", "sharpe_30d: {warning: 0.1", "alerts.sharpe_30d"),
    ],
)
def test_a_warning_comes_before_what_is_critical(folder, old, new, alert):
    edit(folder / "policy.yaml", old, new)
    refused(folder, alert, "critical")


def test_loosening_a_default_says_that_the_policy_leaves_it_out(folder):
    (folder / "policy.yaml").write_text("name: small\nversion: '1'\n")
    edit(folder / "dossier.yaml", "triggers.latency_p95_ms: 150", "gates.pbo.threshold: 0.6")
    refused(folder, "policy.yaml (by default)", "≤ 0.5", "found 0.6", "dossier.yaml:")


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ("gates.pbo.threshold: -1", ("gates.pbo.threshold", "greater than or equal to 0", "-1")),
        ("approvals.expires_days: 20.5", ("approvals.expires_days", "integer", "20.5")),
        ("gates.pbo.threshold: .nan", ("gates.pbo.threshold", "finite")),
        ("gates.pbo.blocking: 1", ("gates.pbo.blocking", "no threshold")),
    ],
)
def test_a_tightening_keeps_within_the_bounds_of_what_it_tightens(folder, asked, words):
    edit(folder / "dossier.yaml", "triggers.latency_p95_ms: 150", asked)
    edit(folder / "dossier.yaml", "    approvals.expires_days: 21\n", "")
    refused(folder, *words)


def test_tightening_applies_and_leaves_the_rest():
    policy, dossier = load_policy(EXAMPLE / "policy.yaml"), load_dossier(EXAMPLE / "dossier")
    effective = effective_policy(policy, dossier)
    assert (policy.value.triggers.latency_p95_ms, effective.triggers.latency_p95_ms) == (200.0, 150.0)
    assert effective.gates == policy.value.gates


TREE = yaml.safe_load((EXAMPLE / "dossier" / "dossier.yaml").read_text())
WHOLE = pickle.dumps(TREE)
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.dates(),
    st.just([]),
    st.just({}),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)


def places(tree):
    """Every (container, key) of a tree."""
    keys = list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from places(tree[key])


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=st.integers(0, len(list(places(TREE))) - 1),
    how=st.sampled_from(["delete", "rename", "retype", "add"]),
    value=ANYTHING,
    name=st.text(max_size=8),
)
@example(where=0, how="retype", value=float("nan"), name="")
def test_any_mutation_of_a_dossier_gives_a_dossier_or_an_error_for_people(tmp_path, where, how, value, name):
    tree = pickle.loads(WHOLE)
    container, key = next(islice(places(tree), where, None))
    if how == "delete":
        del container[key]
    elif how == "retype" or isinstance(container, list):
        container[key] = value
    elif how == "rename":
        container[name] = container.pop(key)
    else:
        container[name] = value
    (tmp_path / "dossier.yaml").write_text(yaml.dump(tree, Dumper=yaml.CSafeDumper), encoding="utf-8")
    assert read_or_refused(tmp_path)


def read_or_refused(folder):
    """Whether a dossier came out, or else a refusal that names the file; anything else escapes."""
    try:
        return isinstance(load_dossier(folder).value, Dossier)
    except BadInputError as refusal:
        return "dossier.yaml" in str(refusal)


def test_what_contradicts_itself_is_said_without_jargon(folder):
    edit(
        folder / "dossier.yaml",
        "    sample_dates: 12",
        "    sample_dates: 12\n    audits: {training_labels: a.parquet}",
    )

    said = refused(folder, "dossier.yaml:", "name both, or neither")

    assert "Value error" not in said


def test_an_odd_number_of_partitions_is_refused_where_it_is_written(folder):
    edit(folder / "policy.yaml", "partitions: 16", "partitions: 15")
    refused(folder, "gates.pbo.partitions: expected a multiple of 2, found 15")
