"""What a release was approved with, as far as its live data are held against it: a few figures, fit for an event.

The evidence and the registry say them when the release is validated, and its reference file when the rollout starts. So
nobody who writes the live files can move what they are held against.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """A figure of a session as `n` sessions showed it: its median, and what all but one in a thousand kept within."""

    least: float
    median: float
    most: float
    n: int

    @property
    def low(self) -> float:
        """As far below the least as that is below the median."""
        return self.least - (self.median - self.least) - self._rounding

    @property
    def high(self) -> float:
        """As far above the most as that is above the median."""
        return self.most + (self.most - self.median) + self._rounding

    @property
    def _rounding(self) -> float:
        return 1e-9 * max(abs(self.least), abs(self.most))


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What sessions of one column showed, by figure. `scale` is the spread of all of its values.

    `is_daily` says that it has a row for every day or session, so that one session may be held against the one before.
    """

    scale: float
    ranges: Mapping[str, Range] = field(default_factory=dict)
    is_daily: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What was validated: the features of the registered version, and how the predictions of the evidence behaved.

    `cadence_s` are the seconds between the predictions of a symbol that nine in ten exceed, None where nobody knows.
    """

    features: tuple[str, ...] = ()
    predictions: Usual | None = None
    cadence_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """The reference for drift as it was when the rollout began: the digest of its file, and its features."""

    sha256: str
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedProfile:
    """Everything that a release's live data are held against beside its policy.

    `pinned` is the reference of the release itself, `later` those with which further releases of the model started.
    """

    features: tuple[str, ...] = ()
    predictions: Usual | None = None
    cadence_s: float | None = None
    pinned: Pinned | None = None
    later: tuple[Pinned, ...] = ()
    greatest_exposure_pct: float | None = None
