"""The memo is shown once on paper and fits it, and a phone scrolls its tables and not the page."""

import io
import re
import subprocess
from dataclasses import replace
from html import escape
from pathlib import Path

import browser
import pytest
import sample
from pypdf import PdfReader

from signoff.domain.memo.document import Align, Cell, Column, Mark, Memo, Section, Table
from signoff.domain.quantity import count
from signoff.rendering.html import STYLE, html
from signoff.rendering.markdown import markdown
from signoff.rendering.once import ON_PAGE_ONE, once
from signoff.rendering.pdf import pdf
from signoff.rendering.validation_report import validation_sections
from signoff.rendering.words import words_beside

PAGE_PT = 476.0
INSET_PT = 7.0


def tables(memo: Memo) -> list[tuple[str, Table]]:
    every = [*memo.front, *(s for top in memo.sections for s in (top, *top.sections))]
    return [(s.number, block) for s in every for block in s.blocks if isinstance(block, Table)]


def least_width(cell: Cell) -> float:
    """What of a cell cannot be broken, in points: its longest word, or its badge."""
    word = max((len(word) for word in words_beside(cell).split()), default=0)
    badge = 0.0 if cell.mark is None else 4.9 * len(cell.mark.value) + 8.0
    if cell.is_figure:
        return max(4.94 * len(words_beside(cell)), badge)
    return max(4.1 * word, badge)


def needed(table: Table) -> float:
    """The least width of a table: a column is at least as wide as what in it cannot be broken."""
    titles = [4.3 * max(map(len, column.title.split())) for column in table.columns]
    held = [max([title, *(least_width(row[at]) for row in table.rows)]) for at, title in enumerate(titles)]
    return sum(held) + INSET_PT * len(held)


@pytest.mark.parametrize("memo", [sample.memo(), sample.bare_memo()], ids=["full", "bare"])
def test_no_badge_or_date_is_printed_over_its_neighbour(memo: Memo) -> None:
    assert not [
        (number, [column.title for column in table.columns], needed(table))
        for number, table in tables(memo)
        if needed(table) > PAGE_PT
    ]


def test_the_stress_table_as_it_was_would_be_found() -> None:
    titles = ("Window", "Period", "Sharpe", "Max DD", "Return", "Benchmark", "Portfolio today", "Note")
    gone = Cell("not provided", mark=Mark.NOT_PROVIDED)
    was = (Cell("2020 COVID crash"), Cell("2020-02-19 to 2020-03-23"), *(gone,) * 5, Cell("Not covered: 2018-12-31."))

    assert needed(Table(tuple(map(Column, titles)), (was,))) > PAGE_PT


def test_paper_shows_once_what_page_one_shows_and_says_where_it_stands() -> None:
    memo = once(sample.memo())
    notes = {
        s.number: s.blocks.count(ON_PAGE_ONE) for top in memo.sections for s in top.sections if ON_PAGE_ONE in s.blocks
    }

    assert notes == {"2.1": 2, "2.2": 1}


def test_another_table_or_picture_is_not_taken_for_the_one_of_page_one() -> None:
    given = sample.memo()
    table = Table((Column("Gate", Align.LEFT),), ((Cell("SPA"),),))
    other = replace(given, front=(Section("2.2", "Gates", (table,)),))

    assert once(other).sections == given.sections


def test_the_metrics_stand_once_in_the_page_and_the_pdf_and_in_their_section_in_markdown() -> None:
    memo = sample.memo()
    paper = "".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf(memo))).pages)

    assert html(memo).decode().count("Win Loss Ratio") == 1
    assert paper.count("Win Loss Ratio") == 1
    assert markdown(memo)[0].decode().count("Win Loss Ratio") == 1


def test_raw_figures_stand_in_the_validation_report_and_not_in_the_memo() -> None:
    raw = (count("gates.pbo.flat_halves", 7), count("gates.pbo.pesaran_timmermann", 9))
    findings = tuple(replace(f, figures=raw) if f.key == "pbo" else f for f in sample.FINDINGS)
    assessment = replace(sample.assessment(), findings=findings)
    memo = sample.memo(assessment=assessment)
    report = repr(validation_sections(assessment, sample.evidence()))

    for label in ("flat halves", "pesaran timmermann"):
        assert label not in markdown(memo)[0].decode()
        assert label not in html(memo).decode()
        assert label in report


def test_every_table_of_the_page_scrolls_by_itself() -> None:
    page = html(sample.memo()).decode()

    assert page.count("<table>") == page.count('<div class="scroll"><table>') > 10
    assert ".scroll { overflow-x: auto; }" in STYLE


@pytest.mark.slow
@pytest.mark.real
@pytest.mark.parametrize("memo", [sample.memo(), sample.bare_memo()], ids=["full", "bare"])
def test_a_page_of_390_pixels_does_not_scroll_sideways(memo: Memo, tmp_path: Path) -> None:
    long = replace(memo, model="momentum" * 12, tldr="x" * 400)
    framed = (
        f'<iframe id="f" width="390" height="800" srcdoc="{escape(html(long).decode(), quote=True)}"></iframe>'
        '<script>addEventListener("load", () => { const w = document.getElementById("f").contentDocument'
        ".documentElement; document.title = `${w.scrollWidth} of ${w.clientWidth}`; });</script>"
    )
    (tmp_path / "frame.html").write_text(framed)
    options = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
        "--virtual-time-budget=3000",
    ]

    shown = subprocess.run(
        [browser.browser_path(), *options, "--dump-dom", (tmp_path / "frame.html").as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout

    found = re.findall(r"<title>(\d+) of (\d+)</title>", shown)[-1]
    assert int(found[0]) <= int(found[1]) <= 390
