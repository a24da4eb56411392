"""What every gate promises: a finding under its own key, the same each time, and no pass of what was not measured."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from signoff.adapters.installed import held
from signoff.contracts.small_release import dossier, evidence
from signoff.contracts.tried import gates
from signoff.domain.evidence import Evidence, Floats
from signoff.domain.gates import GATES, Gate
from signoff.domain.outcome import Outcome
from signoff.domain.policy import Policy

OWN = {gate.__name__: gate for gate in GATES}
BROUGHT = {name: held(gate, f"the package of {name}", name) for name, gate in gates()}
POLICY = Policy(name="contract", version="1")
DOSSIER, EVIDENCE = dossier(), evidence()
SPOILED: dict[str, Callable[[Floats], Floats]] = {
    "one row": lambda values: values[:1],
    "a constant": lambda values: np.full_like(values, 0.001),
    "not a number": lambda values: np.full_like(values, np.nan),
    "infinite": lambda values: np.full_like(values, np.inf),
}


@pytest.fixture(params=[*OWN, *BROUGHT])
def gate(request: pytest.FixtureRequest) -> Gate:
    """One gate."""
    return (OWN | BROUGHT)[request.param]


def spoiled(change: Callable[[Floats], Floats]) -> Evidence:
    """The evidence with a backtest, trials and predictions that say nothing, and a replay that looked at nothing."""
    backtest, trials, predictions, pit = EVIDENCE.backtest, EVIDENCE.trials, EVIDENCE.predictions, EVIDENCE.pit
    assert trials is not None
    assert predictions is not None
    assert pit is not None
    returns, said = change(backtest.returns), change(predictions.prediction)
    family = np.column_stack([change(column) for column in trials.returns.T])
    return replace(
        EVIDENCE,
        backtest=replace(backtest, returns=returns, dates=backtest.dates[: returns.size], benchmark=None),
        trials=replace(trials, returns=family, dates=trials.dates[: family.shape[0]]),
        predictions=replace(
            predictions,
            timestamps=predictions.timestamps[: said.size],
            symbols=predictions.symbols[: said.size],
            prediction=said,
            realized=change(predictions.realized),
        ),
        pit=replace(pit, dates_checked=0),
    )


def test_a_finding_names_its_figures_after_its_key_and_passes_only_where_they_do(gate: Gate) -> None:
    finding = gate(EVIDENCE, DOSSIER, POLICY)
    value, limit = finding.statistic.value, finding.threshold.value
    assert finding.title
    assert finding.method
    assert {figure.name.split(".")[1] for figure in (finding.statistic, *finding.figures)} == {finding.key}
    if finding.outcome is Outcome.PASS:
        assert value is not None
        assert limit is not None
        assert finding.comparison.holds(value, limit)
        assert finding.n > 0
    else:
        assert finding.reason


def test_the_same_evidence_gives_the_same_finding(gate: Gate) -> None:
    assert gate(EVIDENCE, DOSSIER, POLICY) == gate(EVIDENCE, DOSSIER, POLICY)


@pytest.mark.parametrize("change", SPOILED.values(), ids=SPOILED)
def test_evidence_that_says_nothing_passes_no_gate(gate: Gate, change: Callable[[Floats], Floats]) -> None:
    finding = gate(spoiled(change), DOSSIER, POLICY)
    assert finding.outcome is not Outcome.PASS
    assert finding.reason
