"""What changed is read from the registry, and each change needs its reason."""

from dataclasses import replace
from datetime import date

import pytest
import sample

from signoff.domain.dossier import DeploymentType, Justifications
from signoff.domain.memo.changes import Category, changes, unjustified


def justified(**given: str):
    dossier = sample.dossier()
    return replace(dossier, rationale=replace(dossier.rationale, justifications=Justifications(**given)))


def test_the_same_version_twice_shows_no_change() -> None:
    assert {change.is_changed for change in changes(sample.CHAMPION, sample.CHAMPION)} == {False}


def test_each_category_is_described_by_what_moved() -> None:
    candidate = replace(sample.CANDIDATE, features=("f0", "f1", "new"))
    champion = replace(sample.CHAMPION, features=("f0", "f1", "gone", "old"))
    said = {change.category: change.text for change in changes(candidate, champion)}

    assert said == {
        Category.FEATURES: "4 → 3 features; added 1: new; removed 2: gone, old",
        Category.ARCHITECTURE: "random forest → gradient boosting",
        Category.TRAINING_DATA: ("2010-01-01 to 2010-12-31 → 2010-01-01 to 2011-12-31; look-back 365 days → 730 days"),
        Category.HYPERPARAMETERS: "depth 3 → 5; added rate = 0.1",
        Category.INFRASTRUCTURE: "image momentum:1 → momentum:2",
    }


@pytest.mark.parametrize(
    ("category", "changed"),
    [
        (Category.FEATURES, {"features": ("f0",)}),
        (Category.ARCHITECTURE, {"architecture": "boosting"}),
        (Category.TRAINING_DATA, {"training_end": date(2011, 12, 31)}),
        (Category.TRAINING_DATA, {"training_start": None}),
        (Category.HYPERPARAMETERS, {"parameters": {"depth": "4"}}),
        (Category.HYPERPARAMETERS, {"parameters": {}}),
        (Category.INFRASTRUCTURE, {"tags": {"image": "momentum:9"}}),
    ],
)
def test_a_change_without_a_justification_is_detected(category: Category, changed: dict) -> None:
    evidence = replace(sample.evidence(), candidate=replace(sample.CHAMPION, **changed))

    assert unjustified(evidence, justified()) == (category,)
    assert unjustified(evidence, justified(**{category.value: "  "})) == (category,)
    assert unjustified(evidence, justified(**{category.value: "because"})) == ()


def test_an_unjustified_change_is_a_notice_on_page_one_and_reads_not_provided() -> None:
    memo = sample.memo(dossier=justified(features="a", architecture="b", training_data="c", infrastructure="d"))
    rows = {row[0].text: row[2].text for row in sample.tables(memo, "1.2")[0].rows}

    assert memo.notices[-1] == "Changed without a justification: Hyperparameters."
    assert rows["Hyperparameters"] == "not provided"


def test_where_the_registry_lacks_a_version_every_category_needs_words() -> None:
    evidence = replace(sample.evidence(), champion=None)

    assert unjustified(evidence, justified(features="a")) == tuple(Category)[1:]


def test_an_initial_deployment_justifies_nothing() -> None:
    dossier = justified()
    header = replace(dossier.header, deployment_type=DeploymentType.INITIAL, previous_version=None)

    assert unjustified(replace(sample.evidence(), champion=None), replace(dossier, header=header)) == ()


def test_what_the_registry_knows_on_neither_side_is_unknown_and_not_unchanged() -> None:
    empty = replace(
        sample.CHAMPION, features=(), architecture="", training_start=None, training_end=None, parameters={}, tags={}
    )

    assert {(change.is_changed, change.text) for change in changes(empty, empty)} == {(None, "not provided")}
