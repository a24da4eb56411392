"""The evidence compared with the policy: every computed figure of sections 1 to 3 of the memo.

`Assessment` is made once by `assess` (domain/gates) and read by the memo, the check table and the machine-readable
output; nothing downstream computes a statistic again.
"""

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Final

from signoff.domain.charts import Chart
from signoff.domain.evidence import Days, Floats
from signoff.domain.finding import Finding
from signoff.domain.outcome import Outcome
from signoff.domain.quantity import Quantity
from signoff.domain.sampling import Sampling

CORRELATION_INTERVAL: Final = "95% interval by the jackknife on Fisher's scale, HAC"


class MetricStatus(StrEnum):
    """The status of a figure against its target; a near miss passes within the margin."""

    PASS = "pass"
    WARN = "near miss"
    MISSED = "missed"
    INCONCLUSIVE = "inconclusive"
    NOT_PROVIDED = "not provided"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One row of section 2.1: new against old against target.

    `notes` say how to read a figure, `figures` are their basis.
    """

    key: str
    title: str
    new: Quantity
    old: Quantity
    change: float | None
    target: Quantity
    target_sign: str
    status: MetricStatus
    notes: tuple[str, ...] = ()
    figures: tuple[Quantity, ...] = ()


class PitStatus(StrEnum):
    VERIFIED = "verified"
    CONDITIONAL = "conditional"
    FAILED = "failed"
    NOT_PROVIDED = "not provided"


@dataclass(frozen=True, slots=True, kw_only=True)
class PitSummary:
    status: PitStatus
    reason: str


class AnomalyKind(StrEnum):
    """The kinds of anomalies in a paper log."""

    ERROR = "error"
    NO_LATENCY = "no latency"
    UNPRICED = "unpriced order"
    MISSING_SESSION = "missing session"
    GAP = "gap"
    STALE_PRICE = "stale price"
    DUPLICATE_ORDER = "duplicate order"
    SLIPPAGE_OUTLIER = "slippage outlier"
    NOT_FINITE = "no number"
    CONSTANT_PREDICTION = "constant prediction"
    REPEATED_PREDICTION = "repeated prediction"
    NO_BAR = "no bar"
    OUTSIDE_BAR = "fill outside the bar"
    DISTRIBUTION = "distribution"
    VOLATILITY = "volatility"


@dataclass(frozen=True, slots=True, kw_only=True)
class Anomaly:
    """One kind of anomaly in a paper log: its count, a sentence, and its rows if it has any."""

    kind: AnomalyKind
    count: int
    text: str
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperCheck:
    """One check of the paper period with its sample size; `not_checked` says why it could not run."""

    name: str
    n: int
    not_checked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperSummary:
    """Section 2.4. Slippage is the implementation shortfall against the decision price; a positive one is a cost.

    `slippage` weighs orders by quantity; `slippage_per_trade` is the plain mean over orders with its standard error.
    `correlation_refused` says why a correlation with the backtest would be meaningless.
    """

    start: date
    end: date
    days: int
    sharpe: Quantity
    correlation: Quantity
    correlation_low: Quantity
    correlation_high: Quantity
    slippage: Quantity
    slippage_per_trade: Quantity
    slippage_buys: Quantity
    slippage_sells: Quantity
    latency_p50: Quantity
    latency_p95: Quantity
    latency_p99: Quantity
    error_rate: Quantity
    predictions: int
    orders: int
    anomalies: tuple[Anomaly, ...]
    checks: tuple[PaperCheck, ...] = ()
    correlation_refused: str = ""

    @property
    def anomalies_text(self) -> str:
        """The anomalies, the checks that ran, and those that could not; "None found" only if every check ran."""
        ran = ", ".join(f"{check.name} (n = {check.n:,})" for check in self.checks if not check.not_checked)
        unable = "; ".join(
            f"{check.name}: not checked: {check.not_checked}" for check in self.checks if check.not_checked
        )
        texts = [anomaly.text for anomaly in self.anomalies]
        if not ran:
            parts = [*texts, "Not checked."]
        elif texts:
            parts = [*texts, f"Checked: {ran}."]
        else:
            parts = [f"Nothing found in what was checked: {ran}." if unable else f"None found. Checked: {ran}."]
        return " ".join([*parts, *([f"{unable[0].upper()}{unable[1:]}."] if unable else [])])


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkSummary:
    """The figures of inference in section 11.2 and their source; `refused` says why they are missing."""

    median: Quantity
    p95: Quantity
    p99: Quantity
    memory: Quantity
    rate: Quantity
    words: str = ""
    refused: str = ""


class LatencyKind(StrEnum):
    """How a latency was measured; two of different kinds are not comparable."""

    BENCHMARK = "signoff benchmark"
    PAPER = "paper log"
    DECLARED = "declared in the registry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """The p95 of inference of both versions, each with its kind; `incomparable` says why no change is given."""

    new: LatencyKind | None = None
    old: LatencyKind | None = None
    incomparable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StressRow:
    """One named window of section 3.3; figures are not provided if the data do not cover the window.

    The first four are the model's; the portfolio's are the result of the latest positions held through the window.
    """

    title: str
    start: date
    end: date
    sharpe: Quantity
    max_drawdown: Quantity
    total_return: Quantity
    benchmark_return: Quantity
    portfolio_return: Quantity
    portfolio_drawdown: Quantity
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeRow:
    """One regime of section 3.3 with the statistic behind it."""

    title: str
    days: int
    sharpe: Quantity
    annual_return: Quantity
    p_value: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class RegimeContrast:
    """The test whether the Sharpe ratio differs between two regimes, behind a tick of section 3.3."""

    title: str
    difference: Quantity
    p_value: Quantity


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Curves:
    """The data for the pictures of the track record; a gate's own pictures are in its finding."""

    dates: Days
    new: Floats
    previous_dates: Days | None
    previous: Floats | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Assessment:
    """Everything computed about a release before people decide; `charts` and `time` are those of the track record."""

    findings: tuple[Finding, ...]
    period: tuple[date, date]
    metrics: tuple[MetricRow, ...]
    sharpe_difference: Quantity
    sharpe_difference_p: Quantity
    sharpe_difference_bootstrap_p: Quantity
    value_at_risk_new: Quantity
    value_at_risk_old: Quantity
    conditional_value_at_risk: Quantity
    latency_p95_new: Quantity
    latency_p95_old: Quantity
    pit: PitSummary
    paper: PaperSummary | None
    stress: tuple[StressRow, ...]
    regimes: tuple[RegimeRow, ...]
    trend_contrast: RegimeContrast
    volatility_contrast: RegimeContrast
    curves: Curves
    charts: tuple[Chart, ...] = ()
    latencies: Latencies = field(default_factory=Latencies)
    benchmark: BenchmarkSummary | None = None
    time: Sampling = field(default_factory=Sampling)

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """The findings that keep this release from production."""
        return tuple(finding for finding in self.findings if finding.blocks)

    @property
    def passed_gates(self) -> int:
        return sum(finding.outcome is Outcome.PASS for finding in self.memo_gates)

    @property
    def memo_gates(self) -> tuple[Finding, ...]:
        """The memo's own five gates, in its order."""
        return tuple(f for f in self.findings if f.key in {"spa", "dsr", "pbo", "walk_forward", "var"})

    def finding(self, key: str) -> Finding:
        """The finding of one gate."""
        return next(f for f in self.findings if f.key == key)
