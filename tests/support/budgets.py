"""The CPU seconds that the tests of each folder took, beside the budget of the folder in tests/budgets.toml."""

import os
import tomllib
from collections import defaultdict
from pathlib import Path

BUDGETS = Path(__file__).parents[1] / "budgets.toml"
# A machine that is busy takes longer for the same work: a folder is over where no such excuse is enough.
TOLERANCE = 1.5
BESIDE = "imports, collection"


def cpu_s():
    """Of this process and of every child that it has waited for."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def folder_of(nodeid):
    """The folder below tests/; elsewhere the folder of the file itself."""
    parts = nodeid.partition("::")[0].split("/")[:-1]
    return parts[1] if parts[:1] == ["tests"] and len(parts) > 1 else "/".join(parts) or "."


class Meter:
    """The CPU seconds of a run by folder, from this process and from the workers that report theirs."""

    def __init__(self):
        self.spent = defaultdict(float)
        self.lost = 0

    def add(self, spent):
        for folder, seconds in spent.items():
            self.spent[folder] += seconds


def read(path=BUDGETS):
    return tomllib.loads(path.read_text(encoding="utf-8"))["cpu_seconds"]


def row(folder, seconds, budget):
    if budget is None:
        return f"{folder:<24}{seconds:>8.1f}       -  NO BUDGET: add it to tests/budgets.toml"
    return f"{folder:<24}{seconds:>8.1f}{budget:>8g}{'  OVER' if seconds > TOLERANCE * budget else ''}"


def table(spent, budgets, lost=0):
    """The dearest folder first; what took no time worth a line is left out, unless it lacks a budget."""
    rows = [f"{'folder':<24}{'spent':>8}{'budget':>8}"]
    rows += [row(folder, spent[folder], budgets.get(folder)) for folder in sorted(spent, key=lambda f: -spent[f])]
    rows.append(f"{'together':<24}{sum(spent.values()):>8.1f}{sum(budgets.values()):>8g}")
    if lost:
        rows.append(f"{lost} worker(s) died and told nothing: the figures are too low")
    return rows
