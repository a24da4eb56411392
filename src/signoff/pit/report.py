"""The report of the point-in-time checks: a tuple of findings with the counts of what was checked."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Self

from signoff.pit.coverage import ReplayCoverage


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayFinding:
    """One fault: of a feature, a column of an input, a fold, or the universe.

    `kind` is how it showed. In a replay, where `size` is the largest change of the feature:

    - "truncation": its value changes when rows of later timestamps are removed;
    - "knowledge_time": it uses what had happened and was not yet available;
    - "unmoved": it, or its order, stays the same whatever the inputs are, so it does not come from them;
    - "perturbation": it changes when unknown values are scrambled, though not when they are removed;
    - "nondeterminism": two runs on the same inputs disagree, so it cannot be judged.

    In the audits, each of which documents its sizes:

    - "restatement": a value published later is in the place of the one known then;
    - "survivorship": listed names are missing; "unlisted": names have rows outside their listing;
    - "purge", "embargo": training labels reach into a test window, or follow it too closely;
    - "skew": live and recomputed features differ; "missing": one side has no such row or feature;
    - "unverified": there was nothing to compare with, which is not a pass.

    `first_date` is the earliest date on which it showed. It showed on `n` of the `of` dates, rows or names that were
    looked at. Infinity stands for a value or row that appears or disappears, a computation that fails, other text.
    """

    feature: str
    kind: str
    first_date: date | datetime
    size: float
    detail: str
    n: int
    of: int

    @property
    def share(self) -> float:
        """The share of what was checked, between 0 and 1."""
        return self.n / self.of


class PitReport(tuple[ReplayFinding, ...]):  # noqa: SLOT001 - a tuple with a record of what was done
    """The findings; an empty report found nothing *in what it checked*, so read it with its counts.

    `checks` names the checks. `features_checked` counts features with a value on a sampled date, columns or folds;
    `unchecked_features` names the others. `rows_checked` counts the rows that an audit compared, and is 0 for a replay.
    `dates_perturbed` is below `dates_checked` if the computation refused scrambled values, and 0 for an audit. `seed`
    is None without a draw. `declared` are features declared to come from times alone: they are among those checked, but
    cannot be told from a stored table.
    """

    checks: tuple[str, ...]
    dates_checked: int
    features_checked: int
    rows_checked: int
    dates_perturbed: int
    unchecked_features: tuple[str, ...]
    seed: int | None
    tolerance: float
    declared: tuple[str, ...]
    covered: ReplayCoverage | None

    def __new__(
        cls,
        findings: Iterable[ReplayFinding],
        *,
        dates_checked: int,
        features_checked: int,
        rows_checked: int = 0,
        dates_perturbed: int = 0,
        unchecked_features: tuple[str, ...] = (),
        seed: int | None = None,
        tolerance: float = 0.0,
        checks: tuple[str, ...] = ("replay",),
        declared: tuple[str, ...] = (),
        covered: ReplayCoverage | None = None,
    ) -> Self:
        """A report over `findings` with its counts."""
        report = super().__new__(cls, findings)
        report.checks = checks
        report.dates_checked = dates_checked
        report.features_checked = features_checked
        report.rows_checked = rows_checked
        report.dates_perturbed = dates_perturbed
        report.unchecked_features = unchecked_features
        report.seed = seed
        report.tolerance = tolerance
        report.declared = declared
        report.covered = covered
        return report

    def __getnewargs_ex__(self) -> tuple[tuple[tuple[ReplayFinding, ...]], dict[str, object]]:
        """How to copy and unpickle it."""
        return (tuple(self),), vars(self)


def named_after(owner: str, report: PitReport) -> PitReport:
    """The report with every feature prefixed by its owner, such as the strategy."""
    renamed = PitReport(
        (replace(finding, feature=f"{owner}: {finding.feature}") for finding in report),
        dates_checked=report.dates_checked,
        features_checked=report.features_checked,
    )
    vars(renamed).update(vars(report))
    renamed.unchecked_features = tuple(f"{owner}: {name}" for name in report.unchecked_features)
    renamed.declared = tuple(f"{owner}: {name}" for name in report.declared)
    return renamed


def together(first: PitReport, *others: PitReport) -> PitReport:
    """All findings in one report, with the least counts of its parts, so that no part hides a zero."""
    reports = (first, *others)
    seeds = {report.seed for report in reports if report.seed is not None}
    return PitReport(
        (finding for report in reports for finding in report),
        checks=tuple(name for report in reports for name in report.checks),
        dates_checked=min(report.dates_checked for report in reports),
        features_checked=min(report.features_checked for report in reports),
        rows_checked=sum(report.rows_checked for report in reports),
        dates_perturbed=max(report.dates_perturbed for report in reports),
        unchecked_features=tuple(name for report in reports for name in report.unchecked_features),
        seed=seeds.pop() if len(seeds) == 1 else None,
        tolerance=max(report.tolerance for report in reports),
        declared=tuple(name for report in reports for name in report.declared),
    )
