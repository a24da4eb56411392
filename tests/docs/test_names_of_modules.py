"""Test modules and their helpers are imported by bare names, so each name stands once."""

from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_two_modules_of_tests_and_benchmarks_have_one_name():
    names = Counter(
        path.name
        for folder in ("tests", "benchmarks")
        for path in (ROOT / folder).rglob("*.py")
        if path.name not in {"__init__.py", "conftest.py"} and "node_modules" not in path.parts
    )
    assert [name for name, count in names.items() if count > 1] == []
