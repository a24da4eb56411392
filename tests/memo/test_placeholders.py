"""A summary may ask for figures by name, and wherever it is printed it carries its author's name."""

from dataclasses import replace
from io import BytesIO

import pytest
import sample
from contradicted import contradictions
from pypdf import PdfReader
from test_summary import FACTS, WORDS, assessed, known

from signoff.domain.memo.compose import compose
from signoff.domain.memo.document import Memo
from signoff.domain.quantity import Quantity
from signoff.rendering.html import html
from signoff.rendering.markdown import markdown
from signoff.rendering.pdf import pdf

MARK = (
    "declared by K. Example and not computed. Checked against the evidence: 0 figures, 0 gate outcomes; nothing else "
    "in these words was checked"
)


def memo(summary: str | None, more: tuple[Quantity, ...] = ()) -> Memo:
    r = sample.release()
    dossier = replace(r.dossier, header=replace(r.dossier.header, summary=summary))
    parts = (dossier, r.policy, r.evidence, r.assessment, r.standing)
    return compose(*parts, evidence_digest="", facts=(*assessed(), *more))


def text_of(content: bytes) -> str:
    return " ".join(PdfReader(BytesIO(content)).pages[0].extract_text().split())


@pytest.mark.parametrize(
    ("summary", "printed"),
    [
        ("Sharpe {metrics.sharpe.new}.", "Sharpe 0.66 ±0.41."),
        ("Sharpe { metrics.sharpe.new } against {metrics.sharpe.old}.", "Sharpe 0.66 ±0.41 against 0.61."),
        ("The previous Sharpe was {metrics.sharpe.old}.", "The previous Sharpe was 0.61."),
        ("A drawdown of {metrics.max_drawdown.new}.", "A drawdown of −24.1%."),
        ("p95 latency {latency_p95.new}.", "p95 latency 85 ms."),
        ("With {features.new} features.", "With 75 features."),
    ],
)
def test_a_named_figure_is_filled_in_as_the_memo_prints_it(summary: str, printed: str) -> None:
    found = memo(summary)

    assert found.tldr == printed
    assert not [notice for notice in found.notices if "summary" in notice]


def test_a_figure_that_rounds_apart_from_what_is_read_is_no_contradiction() -> None:
    """1.005 prints as 1.00 or 1.01: whichever stands there was computed, and nobody reads it again."""
    facts = (*known(), Quantity(name="metrics.odd.new", value=0.000049), Quantity(name="time.rows", value=1.005))

    assert contradictions("It is {metrics.odd.new} and {time.rows}.", facts, WORDS) == ()


def test_a_figure_that_nobody_provided_says_so() -> None:
    assert memo("Paper: {paper.extra}.", (Quantity(name="paper.extra", value=None),)).tldr == "Paper: not provided."


@pytest.mark.parametrize("name", ["metrics.sharp.new", "sharpe", "metrics.sharpe", "paper.nothing", "outcome.memo.x"])
def test_a_name_that_is_no_figure_is_refused_with_its_neighbours(name: str) -> None:
    (said,) = contradictions(f"Earned {{{name}}}.", FACTS, WORDS)

    assert said.startswith(f"“{{{name}}}” names no figure")
    assert "signoff check DIR --json" in said


def test_the_neighbours_of_a_misspelt_name_are_listed() -> None:
    (said,) = contradictions("Sharpe {metrics.sharpe.now}.", FACTS, WORDS)

    assert "the nearest are metrics.sharpe.new" in said


@pytest.mark.parametrize(
    "summary",
    [
        "Sharpe 1{metrics.sharpe.new}.",
        "Sharpe −{metrics.sharpe.new}.",
        "Sharpe minus {metrics.sharpe.new}.",
        "Sharpe {metrics.sharpe.new}0.",
        "Sharpe {metrics.sharpe.new}%.",
        "Drawdown {metrics.max_drawdown.new} bps.",
        "Sharpe {metrics.sharpe.new}{metrics.sharpe.old}.",
        "Sharpe twice {metrics.sharpe.new}.",
        "Sharpe {metrics.win_loss_ratio.new}.",
        "Hit rate {metrics.sharpe.new}.",
        "Sharpe {gates.deflated_sharpe.statistic}.",
        "Paper trading earned a Sharpe of {metrics.sharpe.new}.",
        "The previous version had a Sharpe of {metrics.sharpe.new}.",
        "Sharpe {stress.covid.sharpe}.",
        "Every gate passes with a Sharpe of {metrics.sharpe.new}.",
        "Sharpe {metrics.sharpe.new}, hit rate 99%.",
        "{gates.total} of {gates.total} gates pass.",
        "{gates.total} gates pass.",
    ],
)
def test_a_right_figure_in_wrong_words_is_a_contradiction(summary: str) -> None:
    assert contradictions(summary, FACTS, WORDS) != ()


def test_a_written_summary_carries_its_authors_name_in_every_format() -> None:
    found = memo("The best model that we ever had.")

    assert found.tldr_mark == MARK
    assert f"**TL;DR** ({MARK}): The best model that we ever had." in markdown(found)[0].decode()
    assert f"D{MARK[1:]}:</p><p>The best model that we ever had.</p>" in html(found).decode()
    assert f"D{MARK[1:]}: The best model that we ever had." in text_of(pdf(found))


def test_a_drafted_summary_is_nobodys_declaration() -> None:
    found = memo(None)

    assert found.tldr_mark == ""
    assert "declared by" not in found.tldr
    assert "**TL;DR**: Replaces" in markdown(found)[0].decode()


def test_a_summary_that_contradicts_the_evidence_says_so_in_its_mark() -> None:
    found = memo("Every gate passes.")

    assert "and what was checked contradicts the evidence" in found.tldr_mark
    assert any(
        notice.startswith("The summary contradicts the evidence: “Every gate passes”") for notice in found.notices
    )


def test_a_summary_that_nobody_held_against_the_evidence_says_so_in_its_mark() -> None:
    r = sample.release()
    dossier = replace(r.dossier, header=replace(r.dossier.header, summary="Net Sharpe 9.99."))

    found = compose(dossier, r.policy, r.evidence, r.assessment, r.standing, evidence_digest="")

    assert found.tldr_mark == "declared by K. Example; not checked against the evidence"
