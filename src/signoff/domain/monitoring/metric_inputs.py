"""The inputs of metrics for one session: journal, policy, and computations that several metrics share.

Shared figures are computed once, so that figures of a session cannot contradict each other.
"""

from dataclasses import dataclass
from functools import cached_property

from signoff.domain.monitoring import quality
from signoff.domain.monitoring.measurement import Measurement
from signoff.domain.monitoring.operational import MIN_PREDICTIONS, Outcomes
from signoff.domain.monitoring.plausible import FeatureValues, PredictionValues
from signoff.domain.monitoring.readings import some
from signoff.domain.monitoring.returns import Exceptions, Track, var_exceptions
from signoff.domain.policy import Policy


@dataclass(frozen=True, kw_only=True, eq=False)
class MetricInputs:
    """The inputs of every metric. Sharpe ratios are in excess of `risk_free_pct` a year; `is_open` before the close."""

    measured: Measurement
    policy: Policy
    risk_free_pct: float = 0.0
    is_open: bool = False

    @property
    def has_data(self) -> bool:
        """Whether the session has predictions and a return of its own."""
        return self.outcomes.n > 0 and self.track.is_of_session

    @cached_property
    def track(self) -> Track:
        """The daily returns."""
        return Track.of(self.measured, self.policy.phases.session_rate(self.risk_free_pct))

    @cached_property
    def exceptions(self) -> Exceptions:
        """The value-at-risk exceptions of the trigger's window."""
        return var_exceptions(self.track, self.policy)

    @cached_property
    def outcomes(self) -> Outcomes:
        """The outcome of each prediction. In an open session it is unknown which ones are still to come."""
        measured = self.measured
        before = measured.baseline.symbols if measured.previous_symbols is None else measured.previous_symbols
        needed = min(MIN_PREDICTIONS, len(before)) or MIN_PREDICTIONS
        if self.is_open:
            return Outcomes.of(measured.session, measured.predictions, needed=needed)
        lost = quality.lost_symbols(measured)
        gone = f"no prediction for {some(list(lost))}, which the session before had" if lost else ""
        return Outcomes.of(measured.session, measured.predictions, gone, needed, quality.apart_s(measured))

    @cached_property
    def feature_values(self) -> FeatureValues:
        """The features of the newest sessions."""
        return FeatureValues.of(self.measured, quality.unjudged(self.measured))

    @cached_property
    def prediction_values(self) -> PredictionValues:
        """The predictions of the newest sessions."""
        return PredictionValues.of(self.measured, self.outcomes)
