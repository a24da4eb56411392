"""The glossary holds the words that the code has: every state, outcome and phase, and each term once."""

import re
from pathlib import Path

import pytest

from signoff.domain.deployment import State
from signoff.domain.events import Phase
from signoff.domain.outcome import Outcome

PAGE = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text()
TERMS = [
    term.strip()
    for row in re.findall(r"^\| ([^|]+) \|", PAGE, re.MULTILINE)
    for term in row.split(", ")
    if term.strip() not in {"term", "---"}
]


def test_each_term_is_explained_once():
    assert len(TERMS) > 50
    assert sorted(set(TERMS)) == sorted(TERMS)


@pytest.mark.parametrize("state", State)
def test_every_state_is_named(state):
    assert f"`{state.value}`" in PAGE


@pytest.mark.parametrize("word", [*Phase, *Outcome])
def test_every_phase_and_outcome_is_named(word):
    assert re.search(rf"\b{word.value.replace('_', ' ')}\b", PAGE)
