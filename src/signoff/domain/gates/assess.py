"""Compares a release's evidence with the policy: every gate, and every figure beside the gates."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from signoff.domain.assessment import Assessment, Curves
from signoff.domain.dossier import Dossier
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import Evidence
from signoff.domain.finding import Finding
from signoff.domain.gates.definition import GateDefinition
from signoff.domain.gates.deflated_sharpe import DEFLATED_SHARPE, deflated_sharpe
from signoff.domain.gates.dsr import DSR, downside_sensitivity
from signoff.domain.gates.figures import absent
from signoff.domain.gates.hansen_spa import HANSEN_SPA, hansen_spa
from signoff.domain.gates.high_sharpe import too_high, unused
from signoff.domain.gates.inference import benchmark_summary, inference_latencies
from signoff.domain.gates.metrics import NO_PREVIOUS, metric_rows, on_shared_dates, sharpe_comparison
from signoff.domain.gates.once import one_assessment
from signoff.domain.gates.paper import paper_summary
from signoff.domain.gates.pbo import PBO, backtest_overfitting
from signoff.domain.gates.point_in_time import POINT_IN_TIME, point_in_time, point_in_time_integrity
from signoff.domain.gates.reach import outside, with_reach
from signoff.domain.gates.regimes import regime_contrasts, regime_rows
from signoff.domain.gates.sessions import SESSIONS, calendar_sessions
from signoff.domain.gates.spa import SPA, symmetric_accuracy
from signoff.domain.gates.stress import stress_rows
from signoff.domain.gates.track import track_charts
from signoff.domain.gates.value_at_risk import (
    VAR,
    conditional_value_at_risk_figure,
    value_at_risk_compliance,
    value_at_risk_figure,
)
from signoff.domain.gates.walk_forward import WALK_FORWARD, walk_forward
from signoff.domain.outcome import Outcome
from signoff.domain.policy import Policy, VarGate
from signoff.domain.quantity import Quantity, Unit
from signoff.stats.returns import LARGEST, returns_up_to

Gate = Callable[[Evidence, Dossier, Policy], Finding]
Progress = Callable[[str, int, int], None]

OWN: Final[tuple[tuple[GateDefinition, Gate], ...]] = (
    (SPA, symmetric_accuracy),
    (DSR, downside_sensitivity),
    (PBO, backtest_overfitting),
    (WALK_FORWARD, walk_forward),
    (VAR, value_at_risk_compliance),
    (POINT_IN_TIME, point_in_time_integrity),
    (DEFLATED_SHARPE, deflated_sharpe),
    (HANSEN_SPA, hansen_spa),
    (SESSIONS, calendar_sessions),
)
GATES: Final[tuple[Gate, ...]] = tuple(gate for _, gate in OWN)
DEFINITIONS: Final[Mapping[str, GateDefinition]] = {definition.key: definition for definition, _ in OWN}


def _is_of_record(finding: Finding) -> bool:
    return finding.key in DEFINITIONS and DEFINITIONS[finding.key].is_of_record


def silent(_step: str, _done: int, _total: int) -> None:
    """Report no progress."""


def assess(
    evidence: Evidence,
    dossier: Dossier,
    policy: Policy,
    progress: Progress = silent,
    *,
    gates: Sequence[Gate] = GATES,
) -> Assessment:
    """Every computed figure of sections 1 to 3 of the memo; `progress` is told of each gate as it begins.

    `policy` is the effective one (`domain/shortened.effective`), computed once by the reader of the dossier.
    """
    if evidence.backtest.dates.size == 0:
        raise BadInputError(
            f"{evidence.backtest.source.name}: expected daily returns, found no rows; add the backtest to the dossier"
        )
    with returns_up_to(evidence.largest_return or LARGEST), one_assessment():
        return _assessed(evidence, dossier, policy, progress, gates)


def _assessed(
    evidence: Evidence, dossier: Dossier, policy: Policy, progress: Progress, gates: Sequence[Gate]
) -> Assessment:
    var = policy.gates.var
    high = too_high(evidence, dossier, policy)
    compared = sharpe_comparison(evidence.backtest, evidence.backtest_previous)
    trend, volatility = regime_contrasts(evidence.backtest)
    header = dossier.header
    latency_new, latency_old, latencies = inference_latencies(evidence, header.version, header.previous_version)
    return Assessment(
        findings=_beside_each_other(tuple(_judged(evidence, dossier, policy, progress, gates))),
        period=evidence.backtest.period,
        time=evidence.backtest.time,
        metrics=metric_rows(evidence, dossier.validation.targets, high, unused(dossier, policy, high)),
        sharpe_difference=compared.difference,
        sharpe_difference_p=compared.p_value,
        sharpe_difference_bootstrap_p=compared.bootstrap_p,
        value_at_risk_new=value_at_risk_figure("risk.value_at_risk.new", evidence.backtest, var),
        value_at_risk_old=_value_at_risk_old(evidence, var),
        conditional_value_at_risk=conditional_value_at_risk_figure(
            "risk.conditional_value_at_risk.new", evidence.backtest, var
        ),
        latency_p95_new=latency_new,
        latency_p95_old=latency_old,
        latencies=latencies,
        benchmark=benchmark_summary(evidence, header.version),
        pit=point_in_time(
            evidence.pit,
            dossier.validation.pit,
            header.deployed_by.name,
            minimum_share=policy.gates.point_in_time.minimum_replayed_share,
        ),
        paper=paper_summary(evidence, header.version),
        stress=stress_rows(evidence, dossier.risk.stress_windows),
        regimes=regime_rows(evidence.backtest),
        trend_contrast=trend,
        volatility_contrast=volatility,
        curves=_curves(evidence),
        charts=track_charts(evidence, f"v{header.version}", header.previous_version and f"v{header.previous_version}"),
    )


def _judged(
    evidence: Evidence, dossier: Dossier, policy: Policy, progress: Progress, gates: Sequence[Gate]
) -> Iterator[Finding]:
    high = too_high(evidence, dossier, policy)
    beyond = outside(evidence, dossier.validation.prediction_horizon or 1)
    keys = set[str]()
    for done, gate in enumerate(gates):
        progress(gate.__name__.replace("_", " "), done, len(gates))
        finding = _with_left_out(gate(evidence, dossier, policy), evidence)
        if finding.key in keys:
            raise BadInputError(f"Expected one gate of the key {finding.key}, found two. Name each gate once.")
        keys.add(finding.key)
        if _is_of_record(finding):
            finding = with_reach(finding, beyond, dossier)
        yield high.on(finding) if high is not None and _is_of_record(finding) else finding
    progress("the figures beside the gates", len(gates), len(gates))


def _beside_each_other(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """The findings, in which a PBO that passes mentions a deflated Sharpe ratio that fails."""
    deflated = next((one for one in findings if one.key == "deflated_sharpe"), None)
    if deflated is None or deflated.outcome is not Outcome.FAIL:
        return findings
    note = (
        f"The {deflated.title} of {deflated.statistic.text} fails ({deflated.comparison.value} "
        f"{deflated.threshold.text} is needed): many failing trials lower PBO, so this pass alone is no sign of skill."
    )
    return tuple(
        replace(one, reason=f"{one.reason} {note}") if one.key == "pbo" and one.outcome is Outcome.PASS else one
        for one in findings
    )


def _with_left_out(finding: Finding, evidence: Evidence) -> Finding:
    """A verdict on the record, with the rows that were not judged."""
    notes = evidence.backtest.left_out
    if not notes or not _is_of_record(finding):
        return finding
    return replace(finding, reason=f"{finding.reason} Left out of {'; of '.join(notes)}.")


def _value_at_risk_old(evidence: Evidence, gate: VarGate) -> Quantity:
    if evidence.backtest_previous is None:
        return absent("risk.value_at_risk.old", NO_PREVIOUS, unit=Unit.PERCENT, digits=2)
    shared, _ = on_shared_dates(evidence.backtest_previous, evidence.backtest)
    return value_at_risk_figure("risk.value_at_risk.old", shared, gate)


def _curves(evidence: Evidence) -> Curves:
    backtest, previous = evidence.backtest, evidence.backtest_previous
    return Curves(
        dates=backtest.dates,
        new=backtest.returns,
        previous_dates=None if previous is None else previous.dates,
        previous=None if previous is None else previous.returns,
    )
