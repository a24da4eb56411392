"""A memo looks the same every time, says what people wrote and executes none of it."""

import io
import subprocess
import sys
from dataclasses import replace
from datetime import date
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from pypdf import PdfReader

from signoff.domain.charts import (
    Band,
    BarChart,
    Chart,
    ChartLine,
    EquityChart,
    ExceptionChart,
    HistogramChart,
    Interval,
    IntervalChart,
    LinesChart,
    ReferenceLine,
    ScatterChart,
    Shade,
    UnderwaterChart,
)
from signoff.domain.evidence import PaperLog, Source
from signoff.domain.memo.document import (
    Bullets,
    Cell,
    CheckItem,
    Checklist,
    Code,
    Column,
    Fields,
    KeyFigure,
    Mark,
    Memo,
    Paragraph,
    Section,
    Table,
)
from signoff.domain.spreadsheets import inert
from signoff.rendering import palette, picture_cache
from signoff.rendering.attachments import paper_trading_logs, risk_matrix
from signoff.rendering.charts import svg
from signoff.rendering.html import html
from signoff.rendering.markdown import markdown
from signoff.rendering.pdf import pdf

NASTY = '#eval("1") <script>alert(1)</script> | *bold* $x$ =cmd() \\ [link](x) @ref `code` é 漢 −'


def memo(text="plain words"):
    rng = np.random.default_rng(3)
    days = np.arange(np.datetime64("2015-01-01"), np.datetime64("2018-01-01"))
    new, old = rng.normal(0.0005, 0.01, days.size), rng.normal(0.0003, 0.01, days.size)
    every = tuple((Cell(mark.value.lower()), Cell("", mark=mark)) for mark in Mark)
    charts = (
        EquityChart(
            "equity",
            "Growth of 1",
            (ChartLine("v1", days, old, is_new=False), ChartLine("v2", days, new, is_new=True)),
            (Band(date(2016, 1, 1), date(2016, 6, 1), "a crisis"),),
        ),
        UnderwaterChart("underwater", "Under water", (ChartLine("v2", days, new, is_new=True),)),
        LinesChart(
            "lines",
            "Lines",
            (ChartLine("v2", days, new, True, new - 0.1, new + 0.1),),
            ReferenceLine(0.0, "0"),
            "rolling",
        ),
        HistogramChart("logits", "Logits", rng.normal(0, 1, 500), ReferenceLine(0.0, "0"), "logit"),
        HistogramChart(
            "resamples",
            "Resamples",
            rng.normal(0, 1, 500),
            ReferenceLine(1.0, "observed"),
            "statistic",
            Shade.ABOVE,
            (ReferenceLine(1.6, "95%"),),
        ),
        ScatterChart("scatter", "Scatter", rng.normal(0, 1, 400), rng.normal(0, 1, 400), "inside", "outside", -0.2),
        IntervalChart(
            "intervals", "Intervals", (Interval("long", 0.5, 0.4, 0.6),), ReferenceLine(0.45, "45%"), "accuracy"
        ),
        BarChart("bars", "Bars", days[::63], rng.normal(0, 1, days[::63].size), "return %"),
        ExceptionChart("exceptions", "Exceptions", days, new, np.full(days.size, -0.016)),
    )
    blocks = (
        Paragraph(text),
        Paragraph(text, is_note=True),
        Bullets((text, "two")),
        Checklist((CheckItem(text, is_checked=True, note=text), CheckItem("open", is_checked=False))),
        Fields((("Label", Cell(text)), ("Lead", Cell("")), ("Gone", Cell("not provided", mark=Mark.NOT_PROVIDED)))),
        Table((Column("Word"), Column("Mark")), (*every, (Cell(text), Cell("1.23", is_figure=True))), text),
        Code(text),
        *charts,
    )
    return Memo(
        model="momentum",
        version="2.0.0",
        previous_version="1.1.0",
        deployment_date=date(2019, 1, 2),
        deployed_by=text,
        deployment_type="upgrade",
        decision=Mark.CONDITIONAL,
        notices=(f"Overridden: {text}",),
        tldr=text,
        key_figures=(KeyFigure("Gates", "4 of 5"), KeyFigure("Odd", text)),
        front=(Section("2.1", "Backtest", charts[:1]),),
        sections=(Section("1", text, blocks, (Section("1.1", "Inner", (Paragraph("inner"),)),)),),
        attachments=("one.pdf",),
        document_version="1.0",
        status=Mark.PENDING,
        evidence_digest="ab" * 32,
    )


def text_of(content):
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


@cache
def written():
    """The memo as text of its PDF, as a page and as Markdown; drawn once for all that only look at it."""
    return text_of(pdf(memo())), html(memo()).decode(), markdown(memo())[0].decode()


def test_a_memo_is_the_same_bytes_twice_and_in_another_process():
    here = Path(__file__).parent
    code = (
        f"import sys, hashlib; sys.path[:0] = [{str(here)!r}]\n"
        "from test_documents import *\n"
        "print(hashlib.sha256(pdf(memo()) + html(memo()) + markdown(memo())[0]).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    import hashlib

    first = hashlib.sha256(pdf(memo()) + html(memo()) + markdown(memo())[0]).hexdigest()
    assert first == hashlib.sha256(pdf(memo()) + html(memo()) + markdown(memo())[0]).hexdigest() == other


def test_what_people_wrote_is_shown_and_never_executed():
    page = html(memo(NASTY)).decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    shown = text_of(pdf(memo(NASTY)))
    assert '#eval("1")' in shown
    assert "<script>" in shown
    text, _ = markdown(memo(NASTY))
    assert rb"\<script\>" in text
    assert rb"\| \*bold\*" in text


@pytest.mark.parametrize("text", ["$x_$", "$\\frac{", "a $5 and $6 call", "<script>"])
def test_what_people_wrote_at_a_picture_is_no_formula_and_breaks_nothing(text):
    days = np.arange(np.datetime64("2015-01-01"), np.datetime64("2015-04-01"))
    band = Band(date(2015, 2, 1), date(2015, 3, 1), text)
    drawn = svg(EquityChart("equity", text, (ChartLine(text, days, np.full(days.size, 0.001), is_new=True),), (band,)))
    assert b"<script" not in drawn


def test_the_page_loads_nothing_from_anywhere():
    page = html(memo()).decode()
    assert "<script" not in page
    assert "http-equiv" not in page
    assert 'src="http' not in page


@pytest.mark.parametrize("mark", list(Mark))
def test_every_status_is_a_word_and_not_only_a_colour(mark):
    assert all(mark.value in text for text in written())


def test_a_status_is_not_said_twice():
    printed, page, _ = written()
    assert "<dt>Gone</dt><dd><span" in page
    assert "Gone NOT PROVIDED" in " ".join(printed.split())


def test_an_override_stands_on_page_one():
    first = PdfReader(io.BytesIO(pdf(memo()))).pages[0].extract_text()
    assert "Overridden" in first


@pytest.mark.parametrize("tone", sorted(palette.TONE))
def test_words_can_be_read_on_their_colours(tone):
    assert palette.contrast(palette.TONE[tone], palette.TONE_TINT[tone]) >= 4.5
    assert palette.contrast(palette.TONE[tone], "#ffffff") >= 4.5
    assert palette.contrast(palette.INK, "#ffffff") >= 4.5


def test_a_memo_with_nothing_in_it_still_renders():
    bare = replace(
        memo(), previous_version=None, front=(), sections=(), attachments=(), notices=(), key_figures=(), tldr=""
    )
    assert b"N/A" in markdown(bare)[0]
    assert pdf(bare).startswith(b"%PDF")
    assert html(bare)


def test_pictures_stay_small_when_the_history_is_long():
    days = np.arange(np.datetime64("1990-01-01"), np.datetime64("2018-01-01"))
    returns = np.random.default_rng(0).normal(0.0003, 0.01, days.size)
    chart = EquityChart("equity", "c", (ChartLine("v1", days, returns, is_new=True),))
    assert len(svg(chart)) < 300_000


def test_the_risk_matrix_holds_every_risk_and_no_formula(pristine_dossier):
    book = openpyxl.load_workbook(io.BytesIO(risk_matrix(pristine_dossier)))
    register = book["Register"]
    rows = list(register.iter_rows(min_row=2, values_only=True))
    assert [row[0] for row in rows] == [risk.risk for risk in pristine_dossier.risk.risks]
    matrix = "\n".join(str(cell) for row in book["Matrix"].iter_rows(values_only=True) for cell in row if cell)
    assert all(risk.risk in matrix for risk in pristine_dossier.risk.risks)
    assert all(cell.data_type != "f" for row in register.iter_rows() for cell in row)


@pytest.fixture
def pristine_dossier():
    from signoff.adapters.documents import load_dossier

    dossier = load_dossier(Path(__file__).parents[2] / "examples" / "momentum" / "dossier").value
    wild = replace(dossier.risk.risks[0], risk="=HYPERLINK(1)")
    return replace(dossier, risk=replace(dossier.risk, risks=(wild, *dossier.risk.risks[1:])))


@pytest.mark.parametrize(("first", "rest"), list(product("=+-@\t\r\n＝＋－＠", ["cmd", "1+1"])))
def test_no_cell_of_a_csv_becomes_a_formula(first, rest):
    assert inert(first + rest).startswith("'")
    assert inert(rest) == rest


def test_the_paper_log_is_written_as_it_was_read():
    nan = np.array([np.nan])
    log = PaperLog(
        source=Source(name="p", sha256="", size=0, rows=1),
        timestamps=np.array(["2018-12-31T21:00:00"], dtype="datetime64[us]"),
        symbols=np.array(["=AAPL"]),
        prediction=np.array([0.5]),
        latency_ms=np.array([1.5]),
        is_error=np.array([False]),
        side=np.array([""]),
        quantity=np.array([0.0]),
        decision_price=nan,
        fill_price=nan,
    )
    lines = paper_trading_logs(log, None).decode().splitlines()
    assert lines[1] == "2018-12-31T21:00:00.000000Z,'=AAPL,0.5,1.5,false,,0.0,,,"
    assert len(paper_trading_logs(None, None).splitlines()) == 1


def test_every_kind_of_picture_can_be_drawn():
    drawn = {type(block) for section in memo().sections for block in section.blocks if isinstance(block, Chart)}

    assert {kind.__name__ for kind in drawn} == {kind.__name__ for kind in Chart.__subclasses__()}


def test_a_chart_whose_figures_changed_is_drawn_anew():
    def chart(last):
        days = np.arange("2020-01-01", "2020-03-01", dtype="datetime64[D]")
        returns = np.append(np.full(days.size - 1, 0.001), last)
        return EquityChart("equity", "c", (ChartLine("v1", days, returns, is_new=True),))

    before = picture_cache.svg(chart(0.1))
    assert picture_cache.svg(chart(0.1)) is before
    assert picture_cache.svg(chart(0.2)) == svg(chart(0.2)) != before


def test_settings_in_the_current_folder_change_no_picture(tmp_path):
    code = (
        f"import sys, hashlib; sys.path[:0] = [{str(Path(__file__).parent)!r}]\n"
        "from test_documents import *\n"
        "print(hashlib.sha256(html(memo())).hexdigest())"
    )
    (tmp_path / "matplotlibrc").write_text("lines.linestyle: None\naxes.facecolor: black\nlines.linewidth: 0\n")
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path)
    import hashlib

    assert told.stdout.strip() == hashlib.sha256(html(memo())).hexdigest()


@pytest.mark.parametrize("control", ["\x1b", "\x07", "\x9b", "\r", "\u202e", "\ud800"])
def test_no_document_holds_a_character_that_a_terminal_obeys(control):
    said = memo(f"a{control}[31mb")
    lines = LinesChart("l", "L", (ChartLine(f"v{control}", *_line(said)),), ReferenceLine(0.0, "0"), control)
    said = replace(said, sections=(*said.sections, Section("2", "Chart", (lines,))))
    written_out = control.encode("unicode_escape").decode()
    page, (text, assets) = html(said).decode(), markdown(said)
    assert f"a{written_out}" in page
    assert written_out.replace("\\", "\\\\") in text.decode()
    assert all(control not in one for one in (page, text.decode(), *(a.decode() for a in assets.values())))
    assert written_out in text_of(pdf(said))


def _line(said):
    first = next(b for b in said.sections[0].blocks if isinstance(b, LinesChart)).lines[0]
    return first.dates, first.values, True, first.values - 0.1, first.values + 0.1
