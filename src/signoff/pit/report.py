"""What a point-in-time replay found: a tuple of findings, one per leaking feature, that knows what was checked."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One feature that did not hold.

    `kind` is what gave it away:

    - "truncation": its value changes when rows of later timestamps are removed;
    - "knowledge_time": it uses rows that had happened and were not yet available;
    - "perturbation": it moves when what was not yet known is scrambled, though removing that changes nothing;
    - "nondeterminism": two runs on the same inputs disagree, so that nothing can be said of it.

    `first_date` is the earliest sampled date on which it showed, `size` the largest change; infinity stands for a value
    or row that appears or disappears, a computation that fails, and a change of text.
    """

    feature: str
    kind: str
    first_date: date | datetime
    size: float
    detail: str


class PitReport(tuple[Finding, ...]):  # noqa: SLOT001 - a tuple with a record of what was done
    """The findings; an empty report found nothing *on what it checked*, so read it with its counts.

    `features_checked` counts features with at least one value on a sampled date, `unchecked_features` names the others.
    `dates_perturbed` falls short of `dates_checked` where the computation refused scrambled values.
    """

    dates_checked: int
    features_checked: int
    dates_perturbed: int
    unchecked_features: tuple[str, ...]
    seed: int
    tolerance: float

    def __new__(
        cls,
        findings: Iterable[Finding],
        *,
        dates_checked: int,
        features_checked: int,
        dates_perturbed: int,
        unchecked_features: tuple[str, ...],
        seed: int,
        tolerance: float,
    ) -> Self:
        """A report over `findings`; the rest says what they rest on."""
        report = super().__new__(cls, findings)
        report.dates_checked = dates_checked
        report.features_checked = features_checked
        report.dates_perturbed = dates_perturbed
        report.unchecked_features = unchecked_features
        report.seed = seed
        report.tolerance = tolerance
        return report

    def __getnewargs_ex__(self) -> tuple[tuple[tuple[Finding, ...]], dict[str, object]]:
        """How to copy and unpickle it."""
        return (tuple(self),), vars(self)
