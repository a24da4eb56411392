"""The fixture `signoff_check`: a dossier, or returns, judged inside a project's own tests.

pytest loads this module in every run of an environment that has Signoff. Nothing heavy is imported until a test asks.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import run
from typing import Any, Final

import pytest

FIXTURE: Final = "signoff_check"
JUDGED: Final = pytest.StashKey[list[Any]]()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedDossier:
    """What `signoff check` found. `repr` is the table of gates, which a failing assertion prints."""

    passed: bool
    gates: tuple[Mapping[str, Any], ...]
    refused: tuple[str, ...]
    placeholders: tuple[str, ...]
    document: Mapping[str, Any] = field(repr=False)

    @property
    def blocking(self) -> tuple[str, ...]:
        """The gates that block."""
        return tuple(str(key) for key in self.document["blocking"])

    def __repr__(self) -> str:
        rows = [("gate", "status", "value", "threshold", "blocks"), *(_row(gate) for gate in self.gates)]
        widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines += [f"{gate['key']}: {gate['reason']}" for gate in self.gates if gate["outcome"] != "pass"]
        lines += [f"refused: {text}" for text in self.refused]
        what = f"{self.document['model']} v{self.document['version']}"
        verdict = "passes" if self.passed else "does not pass"
        return "\n".join((f"{what} {verdict}", *lines))


def _row(gate: Mapping[str, Any]) -> tuple[str, ...]:
    threshold = f"{gate['comparison']} {gate['threshold_text']}"
    blocks = "yes" if gate["blocking"] else "advisory"
    return (str(gate["key"]), str(gate["status"]), str(gate["statistic_text"]), threshold, blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignoffCheck:
    """The fixture: call it with a dossier's folder; `verdict` judges returns without a dossier."""

    root: Path
    judged: list[Any] = field(default_factory=list)
    """Everything that was judged, for the messages of assertions that fail."""

    def __call__(self, folder: str | Path, *, policy: str | Path | None = None) -> CheckedDossier:
        """Judge a dossier as `signoff check` does, in a process of its own. Paths are relative to the root of tests.

        Feature code is replayed there as on the command line, and what it does reaches no test.
        """
        more = () if policy is None else ("--policy", str(self.root / policy))
        line = (sys.executable, "-m", "signoff", "check", str(self.root / folder), "--json", *more)
        done = run(line, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
        document = _document(done.stdout)
        if done.returncode not in {0, 1} or "gates" not in document:
            said = _said(document, done.stderr)
            pytest.fail(f"signoff check {folder} ended with {done.returncode}: {said}", pytrace=False)
        found = CheckedDossier(
            passed=done.returncode == 0,
            gates=tuple(document["gates"]),
            refused=tuple(document.get("refused") or ()),
            placeholders=tuple(document.get("placeholders") or ()),
            document=document,
        )
        self.judged.append(found)
        return found

    def verdict(self, returns: Any, **options: Any) -> Any:  # noqa: ANN401 - as `signoff.evaluate`
        """`signoff.evaluate`: `signoff_check.verdict(returns, trials=…)`."""
        import signoff  # noqa: PLC0415 - nothing loads until a test asks

        found = signoff.evaluate(returns, **options)
        self.judged.append(found)
        return found


def _document(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _said(document: Mapping[str, Any], stderr: str) -> str:
    error = document.get("error")
    words: Sequence[str] = stderr.strip().splitlines()
    return str(error["message"]) if isinstance(error, dict) else " ".join(words) or "it said nothing"


@pytest.fixture(scope="session")
def signoff_check(pytestconfig: pytest.Config) -> SignoffCheck:
    """Judge a dossier: `verdict = signoff_check("release"); assert verdict.passed`."""
    return SignoffCheck(root=pytestconfig.rootpath, judged=pytestconfig.stash.setdefault(JUDGED, []))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """Put the gates into the message of an assertion that fails, whole: pytest cuts a long `repr` short."""
    if call.excinfo is None or FIXTURE not in getattr(item, "fixturenames", ()):
        return
    failed = [one for one in item.config.stash.get(JUDGED, []) if not one.passed]
    error = call.excinfo.value
    if failed and isinstance(error, AssertionError):
        error.args = (f"{error}\n{failed[-1]!r}",)
