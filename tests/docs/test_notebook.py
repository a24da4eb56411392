"""The notebook in examples: its cells run in order, and show what it shows, pictures included."""

import ast
import contextlib
import io
import json
from pathlib import Path

import pytest

NOTEBOOK = json.loads((Path(__file__).parents[2] / "examples" / "verdict.ipynb").read_text())
CODE = [cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code"]


def shown(cell, scope):
    """What a cell prints, and the value of its last line, as a notebook shows them."""
    body = ast.parse("".join(cell["source"])).body
    last = ast.Expression(body.pop().value) if isinstance(body[-1], ast.Expr) else None
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        exec(compile(ast.Module(body, []), "<cell>", "exec"), scope)
        value = None if last is None else eval(compile(last, "<cell>", "eval"), scope)
    return told.getvalue(), value


@pytest.fixture(scope="module")
def ran():
    scope = {}
    return [(cell, *shown(cell, scope)) for cell in CODE]


def kept(cell, kind, part):
    found = [output for output in cell["outputs"] if output["output_type"] == kind]
    return "".join(found[0][part] if part == "text" else found[0]["data"][part]) if found else ""


def test_every_cell_shows_again_what_the_notebook_shows(ran):
    assert [cell["execution_count"] for cell in CODE] == list(range(1, len(CODE) + 1))
    for cell, told, value in ran:
        assert told == kept(cell, "stream", "text")
        assert ("" if value is None else repr(value)) == kept(cell, "execute_result", "text/plain")


def test_a_verdict_shows_itself_with_its_pictures(ran):
    ((cell, _, verdict),) = [one for one in ran if type(one[2]).__name__ == "Verdict"]
    page = kept(cell, "execute_result", "text/html")
    assert page.count("&lt;svg") == verdict._repr_html_().count("&lt;svg") >= 4
    assert "PBO" in page
