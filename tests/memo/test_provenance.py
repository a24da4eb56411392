"""To which registered version a release is bound, and which run made its evidence, is never more than is known."""

from dataclasses import replace

import pytest
import sample

from signoff.domain.artifacts import MOST_KEPT, Artifact, Pin
from signoff.domain.dossier import Justifications
from signoff.domain.evidence import TrackedTable
from signoff.domain.memo.changes import is_declared, lacking_words, unjustified, what_changed
from signoff.domain.memo.document import Fields, Mark, Paragraph, Table
from signoff.domain.memo.provenance import bound_artifacts, made_by

FILES = tuple(Artifact(path=path, size=size, sha256="0" * 64) for path, size in (("a", 3), ("b", MOST_KEPT + 1)))
PIN = Pin(model="m", number=7, run_id="r7", files=FILES)


def tracked(name, *ids):
    return TrackedTable(name=name, runs=len(ids), users={}, ids=ids)


def evidence(**changes):
    return replace(sample.evidence(), **changes)


def bound(**changes):
    return replace(sample.CANDIDATE, pin=PIN, number=7, run_id="r7", **changes)


def test_a_bound_version_is_printed_by_number_digest_and_file():
    fields, table = bound_artifacts(evidence(candidate=bound()))[:2]
    assert isinstance(fields, Fields)
    assert PIN.words in fields.rows[0][1].text
    assert isinstance(table, Table)
    assert [(row[0].text, row[3].text) for row in table.rows] == [("a", "bytes"), ("b", "digest alone")]


@pytest.mark.parametrize(
    ("has_registry", "said"),
    [(False, "no registry was connected"), (True, "the version was not in the registry")],
)
def test_a_version_that_is_not_bound_says_why(has_registry, said):
    (fields, *_) = bound_artifacts(evidence(candidate=None, has_registry=has_registry))
    assert fields.rows[0][1].text == f"artefacts not bound: {said}"


@pytest.mark.parametrize("name", ["backtest", "predictions", "paper"])
@pytest.mark.parametrize(
    ("ids", "said", "mark"),
    [
        ((), "declared", None),
        (("r7",), "run r7, the run of the registered version", None),
        (("r6",), "run r6, not the run of the registered version (r7)", Mark.FAIL),
        (("r7", "r6"), "run r7, r6, not the run of the registered version (r7)", Mark.FAIL),
    ],
)
def test_evidence_says_which_run_made_it_or_that_this_is_declared(name, ids, said, mark):
    given = evidence(candidate=bound(), tracked=(tracked(name, *ids), tracked("trials", "r7")))
    if getattr(given, name) is None:
        assert made_by(given, name).mark is Mark.NOT_PROVIDED
        return
    cell = made_by(given, name)
    assert (cell.text, cell.mark) == (said, mark)


def test_a_run_without_a_registered_version_is_declared():
    cell = made_by(evidence(candidate=None, tracked=(tracked("backtest", "r7"),)), "backtest")
    assert "declared" in cell.text


def undeclared():
    dossier = sample.dossier()
    return replace(dossier, rationale=replace(dossier.rationale, justifications=Justifications()))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"candidate": None, "champion": None}, "no registry: the differences are declared"),
        (
            {"candidate": None, "champion": None, "has_registry": True},
            "this version is not in the registry: the differences are declared",
        ),
        (
            {"champion": None, "has_registry": True},
            "the previous version is not in the registry: the differences are declared",
        ),
    ],
)
def test_differences_that_nobody_computed_are_declared_and_never_called_changed(changes, said):
    given = evidence(**changes)
    assert is_declared(given) == said
    lacking = unjustified(given, undeclared())
    assert len(lacking) == 5
    told = lacking_words(given, lacking)
    notes = [block.text for block in what_changed(undeclared(), given) if isinstance(block, Paragraph)]
    for text in (told, *notes):
        assert said[1:] in text
        assert "changed between" not in text.lower()
        assert "Changed without" not in text


def test_differences_that_the_registry_shows_are_not_called_declared():
    assert is_declared(evidence()) is None
