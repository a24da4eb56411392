"""A section of the memo is one function: it is printed in every form, and what is red in it stands on page one."""

import pytest
from sample import assessment, dossier, evidence, release, standing

from signoff.domain.memo.compose import CHAPTERS, compose
from signoff.domain.memo.document import Cell, Fields, Mark, Section
from signoff.rendering.html import html
from signoff.rendering.markdown import markdown


def toast(given):
    """How brown the model likes its toast."""
    mark = Mark.MISSED if given.dossier.header.version == "2.0.0" else None
    return Section("13", "Toast", (Fields((("Browning", Cell("3 of 7", mark=mark, is_figure=True)),)),))


@pytest.fixture(scope="module")
def memo():
    whole = release()
    return compose(
        dossier(),
        whole.policy,
        evidence(),
        assessment(),
        standing(),
        evidence_digest="d" * 64,
        chapters=(*CHAPTERS, toast),
    )


def test_it_comes_after_those_of_the_template(memo):
    assert [section.number for section in memo.sections] == [*map(str, range(1, 13)), "13"]


def test_every_form_prints_it(memo):
    for content in (markdown(memo)[0], html(memo)):
        text = content.decode()
        assert "Toast" in text
        assert "3 of 7" in text


def test_what_is_red_in_it_stands_on_page_one(memo):
    assert "13" in str(memo.worst)
    assert "Browning" in str(memo.worst)
