"""The approved figures that live data are compared with, few enough for an event.

They come from the evidence and the registry at validation, and from the reference file at the start of the rollout. So
a writer of live files cannot move them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The range of a figure over `n` sessions: its median, and the limits of all but one in a thousand."""

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
    """The usual ranges of one column, by figure. `scale` is the spread of all of its values.

    `is_daily` says that it has a row for every day or session, so that sessions can be compared with the one before.
    """

    scale: float
    ranges: Mapping[str, Range] = field(default_factory=dict)
    is_daily: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What was validated: the features of the registered version, and how the predictions of the evidence behaved.

    `cadence_s` are the seconds between the predictions of a symbol that nine in ten exceed, None if unknown.
    """

    features: tuple[str, ...] = ()
    predictions: Usual | None = None
    cadence_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """The drift reference at the start of the rollout: the digest of its file, and its features."""

    sha256: str
    features: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedProfile:
    """Everything beside the policy that a release's live data are compared with.

    `pinned` is the reference of the release, `later` are those of further releases of the model.
    """

    features: tuple[str, ...] = ()
    predictions: Usual | None = None
    cadence_s: float | None = None
    pinned: Pinned | None = None
    later: tuple[Pinned, ...] = ()
    greatest_exposure_pct: float | None = None
