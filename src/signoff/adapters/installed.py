"""A notifier and gates of installed packages, checked like Signoff's own."""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property, wraps
from typing import Any, Final

from signoff.adapters.outside import Outside
from signoff.domain.dossier import Dossier
from signoff.domain.errors import NotTakenError, SignoffError, UnavailableError
from signoff.domain.evidence import Evidence
from signoff.domain.finding import Comparison, Finding
from signoff.domain.gates import Gate
from signoff.domain.outcome import Outcome
from signoff.domain.policy import Policy
from signoff.domain.quantity import Quantity, Unit
from signoff.ports.budget import Budget
from signoff.ports.notices import Receipt, Receiver, Severity

Find = Callable[[], tuple[Callable[[], Receiver], bool]]
BUDGET: Final = Budget(total_s=10.0)


class InstalledNotifier:
    """The notifier of this name. `find` loads and creates it; an undelivered message stays due."""

    def __init__(
        self, name: str, find: Callable[[], tuple[Callable[[], Receiver], bool]], budget: Budget = BUDGET
    ) -> None:
        self._name, self._find = name, find
        self._outside = Outside(f"the notifier {name}", budget)

    @property
    def place(self) -> str:
        """The notifier's name."""
        return f"notifier {self._name}"

    def send(self, notice_id: str, channel: str, subject: str, text: str, severity: Severity) -> Receipt | None:
        """Deliver one message."""
        try:
            receipt = self._outside.ask(
                f"send {notice_id}", lambda: self._receiver.send(notice_id, channel, subject, text, severity)
            )
        except SignoffError:
            raise
        except (Exception, SystemExit, KeyboardInterrupt) as error:
            raise NotTakenError(
                f"The notifier {self._name} failed: {type(error).__name__}: {error}. The message stays due.",
                is_of_receiver=True,
            ) from error
        if receipt is not None and not isinstance(receipt, Receipt):
            raise NotTakenError(
                f"The notifier {self._name} answered {receipt!r}: expected a Receipt or None. The message stays due.",
                is_of_receiver=True,
            )
        return receipt

    @cached_property
    def _receiver(self) -> Receiver:
        try:
            make, _ = self._find()
        except SignoffError as error:
            raise UnavailableError(str(error)) from error
        return make()


def held(gate: Gate, package: str, name: str) -> Gate:
    """A package's gate: its method names the package, and an exception or an invalid finding is an error."""

    @wraps(gate)
    def judged(evidence: Evidence, dossier: Dossier, policy: Policy) -> Finding:
        try:
            finding = gate(evidence, dossier, policy)
            fault = _fault(finding, name)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - a gate that breaks, however it breaks, must block
            return _broken(name, package, f"{type(error).__name__}: {error}")
        if fault:
            return _broken(name, package, fault)
        return replace(finding, title=f"{package}: {finding.title}", method=f"{finding.method}; gate of {package}")

    return judged


def _fault(finding: Any, name: str) -> str:  # noqa: ANN401 - whatever a foreign package answers
    """The fault of a gate's answer; "" without one."""
    if not isinstance(finding, Finding):
        return f"expected a Finding, found {type(finding).__name__}"
    kinds = {"outcome": Outcome, "comparison": Comparison, "is_blocking": bool, "n": int, "title": str, "reason": str}
    odd = [field for field, kind in kinds.items() if not isinstance(getattr(finding, field), kind)]
    if odd:
        return f"expected {odd[0]} as {kinds[odd[0]].__name__}, found {getattr(finding, odd[0])!r}"
    if finding.key != name:
        return f"expected a finding of the key {name}, as its entry point is called, found {finding.key}"
    figures = (finding.statistic, finding.threshold, *finding.figures)
    foreign = [figure.name for figure in figures if not figure.name.startswith(f"gates.{name}.")]
    return f"expected figures named gates.{name}.…, found {foreign[0]}" if foreign else _boast(finding)


def _boast(finding: Finding) -> str:
    """The fault of a pass that its own figures contradict; "" without one."""
    value, limit = finding.statistic.value, finding.threshold.value
    is_met = value is not None and limit is not None and finding.comparison.holds(value, limit)
    if finding.is_near_miss and finding.outcome is not Outcome.PASS:
        return f"it says near miss beside {finding.outcome.value}, and only a pass can be near"
    if finding.outcome is Outcome.PASS and not (is_met and finding.n > 0):
        return f"it says pass, and its statistic {value} {finding.comparison} {limit} over {finding.n} does not"
    return ""


def _broken(name: str, package: str, why: str) -> Finding:
    def unknown(part: str) -> Quantity:
        return Quantity(name=f"gates.{name}.{part}", value=None, unit=Unit.RATIO, digits=3)

    return Finding(
        key=name,
        title=name,
        outcome=Outcome.ERROR,
        statistic=unknown("statistic"),
        comparison=Comparison.AT_LEAST,
        threshold=unknown("threshold"),
        is_blocking=True,
        n=0,
        method=f"gate of {package}",
        reason=f"The gate could not be computed: {why}.",
    )
