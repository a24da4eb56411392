"""Causes that several gates share, each printed once with its gates.

A missing file stops three gates with the same words. Printed three times, they would look like three faults.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from signoff.domain.finding import Finding
from signoff.domain.outcome import Outcome

BELOW: Final = "See the cause below."
_END: Final = re.compile("(?<=[.])\\s+(?=[A-Z0-9\N{MINUS SIGN}])")


@dataclass(frozen=True, slots=True)
class SharedCause:
    """The sentences that these gates' reasons share, and what each gate adds, by its key."""

    words: str
    findings: tuple[Finding, ...]
    own: Mapping[str, str]


def shared_causes(findings: Iterable[Finding]) -> tuple[SharedCause, ...]:
    """The shared causes of gates that are inconclusive or broke, in the gates' order."""
    alike: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.outcome in {Outcome.INCONCLUSIVE, Outcome.ERROR}:
            alike.setdefault(_sentences(finding)[0], []).append(finding)
    return tuple(_cause(waiting) for waiting in alike.values() if len(waiting) > 1)


def _cause(waiting: Sequence[Finding]) -> SharedCause:
    reasons = [_sentences(finding) for finding in waiting]
    same = len(list(takewhile(lambda each: len(set(each)) == 1, zip(*reasons, strict=False))))
    own = {finding.key: " ".join(sentences[same:]) for finding, sentences in zip(waiting, reasons, strict=True)}
    return SharedCause(" ".join(reasons[0][:same]), tuple(waiting), own)


def _sentences(finding: Finding) -> list[str]:
    return _END.split(finding.reason)
