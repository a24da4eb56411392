"""A Sharpe ratio above that of any traded strategy: a wrong file, a leak or a wrong unit, unless it is declared.

Every statistic finds such a ratio excellent. So a person has to declare why it is true and up to which ratio, and the
signers read that declaration.
"""

from dataclasses import dataclass, replace

from signoff.domain.dossier import Dossier, HighSharpe
from signoff.domain.evidence import Evidence
from signoff.domain.finding import Finding
from signoff.domain.gates.uncertainty import annual_ratio
from signoff.domain.outcome import Outcome
from signoff.domain.policy import Policy
from signoff.domain.quantity import Quantity, Unit, number
from signoff.stats.errors import StatisticsError


@dataclass(frozen=True, slots=True, kw_only=True)
class TooHigh:
    """An annual Sharpe ratio of the backtest above the policy's limit, with its author's declaration."""

    sharpe: float
    limit: float
    declared: HighSharpe | None
    author: str

    @property
    def is_declared(self) -> bool:
        """Whether the author declares a ratio as high as this one."""
        return self.declared is not None and self.sharpe <= self.declared.up_to

    @property
    def words(self) -> str:
        """What was expected and found, and what to do; or who declared the ratio, and why."""
        ratio = f"The backtest's annual Sharpe ratio is {_ratio(self.sharpe)}"
        limit = f"the policy's limit of {_ratio(self.limit)} (gates.largest_sharpe)"
        if self.declared is not None and self.is_declared:
            return (
                f"{ratio}, above {limit}. Declared by {self.author} up to {_ratio(self.declared.up_to)}: "
                f"“{self.declared.reason}”."
            )
        declared, remedy = "", "declare evidence.high_sharpe with up_to and reason"
        if self.declared is not None:
            declared = f", and above the {_ratio(self.declared.up_to)} that is declared"
            remedy = "raise evidence.high_sharpe.up_to"
        return (
            f"{ratio}, expected at most {limit}{declared}. Check for look-ahead, missing costs and values that are no "
            f"returns. If the ratio is true, {remedy} in dossier.yaml."
        )

    def on(self, finding: Finding) -> Finding:
        """The finding of a gate that judges the record: no verdict without a declaration, else with the declaration."""
        if self.is_declared:
            return replace(finding, reason=f"{finding.reason} {self.words}")
        figures = (
            Quantity(name=f"gates.{finding.key}.annual_sharpe", value=self.sharpe, unit=Unit.RATIO),
            Quantity(name=f"gates.{finding.key}.largest_sharpe", value=self.limit, unit=Unit.RATIO),
        )
        outcome = Outcome.INCONCLUSIVE if finding.outcome is Outcome.PASS else finding.outcome
        return replace(
            finding,
            outcome=outcome,
            is_near_miss=False,
            reason=f"{self.words} {finding.reason}",
            figures=(*finding.figures, *figures),
        )


def too_high(evidence: Evidence, dossier: Dossier, policy: Policy) -> TooHigh | None:
    """The ratio of the backtest if it is above the policy's limit; None if not, or if it cannot be computed."""
    limit = policy.gates.largest_sharpe
    try:
        sharpe = annual_ratio(evidence.backtest)
    except (StatisticsError, ArithmeticError, ValueError, TypeError, AttributeError):
        return None  # each gate refuses what it cannot compute
    if not sharpe > limit:
        return None
    return TooHigh(
        sharpe=sharpe,
        limit=limit,
        declared=dossier.evidence.high_sharpe,
        author=dossier.header.deployed_by.name,
    )


def unused(dossier: Dossier, policy: Policy, high: TooHigh | None) -> str:
    """That a declared high ratio is not needed; empty if none is declared or if it is needed."""
    if dossier.evidence.high_sharpe is None or high is not None:
        return ""
    return (
        "evidence.high_sharpe of dossier.yaml had no use: the backtest's annual Sharpe ratio is not above the policy's "
        f"limit of {_ratio(policy.gates.largest_sharpe)} (gates.largest_sharpe)."
    )


def _ratio(sharpe: float) -> str:
    return number(sharpe, Unit.RATIO)
