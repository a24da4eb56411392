"""Every free text of a dossier that the memo prints stands in a section that says whose word it is."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

import pytest
import sample
from sentences import PAGE_ONE, said
from test_honesty import RICH, composed

# Names of the release, what is parsed, and what names a test of a report: none of them is prose.
NO_PROSE = {"monitor", "model", "version", "previous_version", "test", "document_version"}


def texts(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every free text of a value, by its dotted path."""
    if isinstance(value, str):
        if not isinstance(value, Enum) and path.rpartition(".")[2] not in NO_PROSE:
            yield path, value
    elif is_dataclass(value):
        for field in fields(value):
            yield from texts(getattr(value, field.name), f"{path}.{field.name}".strip("."))
    elif isinstance(value, Mapping | tuple):
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, one in pairs:
            yield from texts(one, f"{path}.{key}")


def told(value: Any, path: str = "") -> Any:
    """The same value with each free text replaced by a word that names its path."""
    if isinstance(value, str):
        return word(path) if (path, value) in set(texts(value, path)) else value
    if is_dataclass(value):
        return replace(
            value, **{f.name: told(getattr(value, f.name), f"{path}.{f.name}".strip(".")) for f in fields(value)}
        )
    if isinstance(value, Mapping):
        return {key: told(one, f"{path}.{key}") for key, one in value.items()}
    return tuple(told(one, f"{path}.{n}") for n, one in enumerate(value)) if isinstance(value, tuple) else value


def word(path: str) -> str:
    return f"said<{path}>"


DOSSIER = told(RICH["dossier"])
SAID = said(composed({**RICH, "dossier": DOSSIER}))
PATHS = [path for path, _ in texts(RICH["dossier"])]
AUTHOR = f"declared by {word('header.deployed_by.name')}"


def test_the_sample_has_free_texts_of_every_chapter() -> None:
    assert len(PATHS) > 80
    assert {path.partition(".")[0] for path in PATHS} >= {
        *("rationale", "validation", "risk", "plan", "rollback", "boundaries", "infrastructure"),
        *("governance", "communication", "success", "appendix", "sign_off"),
    }


@pytest.mark.parametrize("path", [path for path in PATHS if not path.startswith("header.")])
def test_a_text_of_the_author_is_marked_where_it_stands(path: str) -> None:
    for one in (one for one in SAID if word(path) in one.text and one.place != PAGE_ONE):
        section = " ".join(other.text for other in SAID if other.place == one.place)
        is_link = re.search(re.escape(word(path)) + r" \((?:not checked|exists|does not exist)\)", one.text)

        assert AUTHOR in section.replace("Declared", "declared") or is_link, one


def test_page_one_prints_no_text_of_the_author_but_names() -> None:
    """Without a summary of people; `Deployed by` and the rows that are red or missing name people and things."""
    printed = {path for path in PATHS for one in SAID if one.place == PAGE_ONE and word(path) in one.text}

    assert all(
        re.search(r"\.(?:name|role|title|item)$|^(?:risk|infrastructure|governance)\.", path) for path in printed
    )
    assert sample.dossier().header.summary is None
