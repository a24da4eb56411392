"""Causes that several gates wait for: said once, with the gates that wait for it.

A file that is missing stops three gates with the same words. Page one has no room to repeat them, and a reader who
meets them three times looks for three faults.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from signoff.domain.finding import Finding
from signoff.domain.outcome import Outcome

BELOW: Final = "The cause stands below."
_END: Final = re.compile("(?<=[.])\\s+(?=[A-Z0-9\N{MINUS SIGN}])")


@dataclass(frozen=True, slots=True)
class SharedCause:
    """The sentences with which the reasons of these gates begin, and what each of them adds, by its key."""

    words: str
    findings: tuple[Finding, ...]
    own: Mapping[str, str]


def shared_causes(findings: Iterable[Finding]) -> tuple[SharedCause, ...]:
    """The causes of two or more gates that are inconclusive or broke, in the gates' order."""
    alike: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.outcome in {Outcome.INCONCLUSIVE, Outcome.ERROR}:
            alike.setdefault(_sentences(finding)[0], []).append(finding)
    return tuple(_cause(waiting) for waiting in alike.values() if len(waiting) > 1)


def _cause(waiting: Sequence[Finding]) -> SharedCause:
    told = [_sentences(finding) for finding in waiting]
    same = len(list(takewhile(lambda each: len(set(each)) == 1, zip(*told, strict=False))))
    own = {finding.key: " ".join(sentences[same:]) for finding, sentences in zip(waiting, told, strict=True)}
    return SharedCause(" ".join(told[0][:same]), tuple(waiting), own)


def _sentences(finding: Finding) -> list[str]:
    return _END.split(finding.reason)
