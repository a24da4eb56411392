"""Under a summary that people wrote stand the figures that its words could be false about, in every format."""

from dataclasses import replace

import numpy as np
import pytest
import sample
from test_placeholders import text_of

from signoff.domain.costs import Costs
from signoff.domain.gates.facts import facts
from signoff.domain.memo.compose import compose
from signoff.domain.memo.document import Memo
from signoff.domain.memo.summary import computed
from signoff.rendering.html import html
from signoff.rendering.markdown import markdown
from signoff.rendering.pdf import pdf


def memo(costs: Costs = Costs.BEFORE, summary: str | None = "Better, not by luck.", paper: float | None = None) -> Memo:
    r = sample.release()
    old = r.evidence.backtest_previous or r.evidence.backtest
    evidence = replace(
        r.evidence,
        backtest=replace(r.evidence.backtest, costs=costs),
        backtest_previous=replace(old, costs=costs),
        paper_returns=None if paper is None else replace(r.evidence.backtest, returns=np.full(3, paper)),
    )
    dossier = replace(r.dossier, header=replace(r.dossier.header, summary=summary))
    given = facts(r.assessment)
    return compose(dossier, r.policy, evidence, r.assessment, r.standing, evidence_digest="9f" * 32, facts=given)


def test_the_p_value_of_the_difference_stands_under_the_words_in_every_format() -> None:
    found = memo()
    line = "Sharpe difference to v1.1.0: 0.05, p = 0.71. Returns: before costs. Paper trading: Sharpe 0.90 ±2.16"

    assert found.computed[-1].startswith(line)
    assert line in html(found).decode()
    assert line in text_of(pdf(found))
    assert "p = 0.71" in markdown(found)[0].decode()


@pytest.mark.parametrize(
    ("costs", "said"),
    [(Costs.BEFORE, "Returns: before costs."), (Costs.NOT_STATED, "Returns: costs not stated."), (Costs.DECLARED, "")],
)
def test_returns_that_are_not_net_are_called_that(costs: Costs, said: str) -> None:
    line = memo(costs).computed[-1]

    assert said in line
    assert ("Returns:" in line) == bool(said)


@pytest.mark.parametrize(
    ("paper", "sign"), [(0.001, "positive"), (-0.001, "negative"), (0.0, "zero"), (None, "not measured")]
)
def test_paper_trading_has_its_sharpe_ratio_and_the_sign_of_its_return(paper: float | None, sign: str) -> None:
    assert f"return {sign}" in memo(paper=paper).computed[-1]


def test_what_there_is_not_is_not_said() -> None:
    r = sample.release()
    dossier = replace(r.dossier, header=replace(r.dossier.header, summary="Better.", previous_version=None))
    evidence = replace(r.evidence, backtest=replace(r.evidence.backtest, costs=Costs.DECLARED), backtest_previous=None)

    assert len(computed(dossier, r.policy, evidence, replace(r.assessment, paper=None), facts(r.assessment))) == 1
    assert len(memo(summary=None).computed) == 1
