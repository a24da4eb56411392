"""Reads test reports in JUnit's XML: how many tests of each suite ran, and how many passed.

A test that was skipped, failed, broke or did not run has not passed. No report hides another: two files for one suite
are refused, and so is a test without a suite.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException, DTDForbidden
from defusedxml.ElementTree import iterparse

from signoff.adapters.folder_files import read_inside, unreadable
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import ReportedTest, Source, SuiteName, SuiteResult
from signoff.ledger.canonical import digest

FOLDER: Final = "junit"
MAX_BYTES: Final = 50_000_000
# Each parsed element or attribute takes fifty times its bytes.
MAX_MARKS: Final = 1_000_000
MAX_DEPTH: Final = 50
MAX_LEVELS: Final = 200
_ELEMENT: Final = re.compile(b"<")
# Blanks may stand before the quote, and zero bytes between the letters of UTF-16.
_ATTRIBUTE: Final = re.compile(rb"=[\0 \t\r\n]*[\"']")
_UNMET: Final = frozenset({"failure", "error", "skipped"})
_NOT_RUN: Final = frozenset({"notrun", "disabled", "suppressed"})
_KNOWN: Final = ", ".join(name.value for name in SuiteName)


@dataclass(frozen=True, slots=True)
class Reports:
    """The results in a folder's reports, and their bytes by relative path."""

    suites: dict[SuiteName, SuiteResult]
    files: dict[str, bytes]


def read_reports(folder: Path) -> Reports:
    """Every `junit/*.xml` beneath a dossier folder; a suite is named by its file, or by its `testsuite` elements."""
    reports = Reports({}, {})
    for path in sorted((folder / FOLDER).glob("*.xml")):
        content = _read(path, folder)
        relative = path.relative_to(folder).as_posix()
        counted = _counted(path, content)
        source = Source(name=relative, sha256=digest(content), size=len(content), rows=sum(map(len, counted.values())))
        for name, cases in counted.items():
            if name in reports.suites:
                raise BadInputError(
                    f"{path}: expected one report for the {name.value} tests, found another in "
                    f"{reports.suites[name].source.name}. Merge the two, so that neither hides the other."
                )
            reports.suites[name] = SuiteResult(
                passed=sum(case.has_passed for case in cases), total=len(cases), source=source, cases=tuple(cases)
            )
        reports.files[relative] = content
    return reports


def _read(path: Path, folder: Path) -> bytes:
    try:
        content = read_inside(path, folder, limit=MAX_BYTES)
    except OSError as error:
        raise unreadable(path, error) from error
    for mark, what in ((_ELEMENT, "elements"), (_ATTRIBUTE, "attributes")):
        if (count := sum(1 for _ in mark.finditer(content))) > MAX_MARKS:
            raise BadInputError(
                f"{path}: expected a JUnit report of at most {MAX_MARKS:,} {what}, found about {count:,}. Split it by "
                "suite."
            )
    return content


def _counted(path: Path, content: bytes) -> dict[SuiteName, list[ReportedTest]]:
    try:
        # A document type can add attributes to every element that the report never spells out.
        root = _parsed(path, content)
    except DTDForbidden as error:
        raise BadInputError(
            f"{path}: expected a JUnit report, found a document type declaration (<!DOCTYPE …>), by which a file can "
            "make itself larger without end. Write the report without it."
        ) from error
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise BadInputError(
            f"{path}: expected a JUnit report, found no such XML ({error}). Run the tests again."
        ) from error
    if _tag(root) not in {"testsuite", "testsuites"}:
        raise BadInputError(f"{path}: expected a JUnit report, found <{_tag(root)}>. Export the tests as JUnit XML.")
    suites: dict[SuiteName, list[ReportedTest]] = {}
    for name, case, day in _every_case(root, path):
        if name is None:
            raise BadInputError(
                f"{path}: expected tests of a suite named {_KNOWN}, found the test {case.get('name')!r} in none of "
                "them. Name the file or the testsuite after the suite."
            )
        suites.setdefault(name, []).append(
            ReportedTest(case.get("classname", ""), case.get("name", ""), _has_passed(case), _day(case) or day)
        )
    if not suites:
        raise BadInputError(f"{path}: expected tests, found a report without any. Run them again, or remove the file.")
    return suites


def _parsed(path: Path, content: bytes) -> Element:
    """The report's elements; refused if they are nested deeper than in any report."""
    depth, root = 0, Element("none")
    for event, element in iterparse(BytesIO(content), ("start", "end"), forbid_dtd=True):
        depth += 1 if event == "start" else -1
        if depth > MAX_LEVELS:
            raise BadInputError(
                f"{path}: expected a JUnit report, found one in which elements are nested more than {MAX_LEVELS} deep. "
                "Flatten it."
            )
        root = element
    return root


def _every_case(root: Element, path: Path) -> Iterator[tuple[SuiteName | None, Element, str]]:
    own = _named(path.stem)
    try:
        yield from _cases(root, own, _day(root), is_fixed=own is not None)
    except ValueError as error:
        raise BadInputError(f"{path}: expected a JUnit report, found one in which {error}. Flatten it.") from error


def _cases(
    node: Element, name: SuiteName | None, day: str, *, is_fixed: bool, depth: int = 0
) -> Iterator[tuple[SuiteName | None, Element, str]]:
    """Every test with suite and day: the file's, else those of the nearest element that names one."""
    if depth > MAX_DEPTH:
        raise ValueError(f"suites are nested more than {MAX_DEPTH} deep")
    for child in node:
        if _tag(child) == "testcase":
            yield (name or _named(node.get("name", ""))), child, day
        elif _tag(child) == "testsuite":
            own = name if is_fixed else _named(child.get("name", "")) or name
            yield from _cases(child, own, _day(child) or day, is_fixed=is_fixed, depth=depth + 1)


def _has_passed(case: Element) -> bool:
    if {_tag(child) for child in case} & _UNMET:
        return False
    return not {case.get("status", "").lower(), case.get("result", "").lower()} & _NOT_RUN


def _day(node: Element) -> str:
    """The day of an element's timestamp; "" without a readable one."""
    try:
        return str(datetime.fromisoformat(node.get("timestamp", "").strip()).date())
    except ValueError:
        return ""


def _named(text: str) -> SuiteName | None:
    """The suite in a name, by whole words: `unit-tests` is unit; `community` is no suite."""
    words = re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower())
    return next((name for name in SuiteName if name.value in words), None)


def _tag(node: Element) -> str:
    return str(node.tag).rpartition("}")[2]
