"""A summary that asks for figures by name holds no other, and the memo says under it what each of them is."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import sample
from contradicted import contradictions
from pypdf import PdfReader
from test_summary import FACTS

from signoff.domain.evidence import Predictions, Returns, Trials
from signoff.domain.gates.facts import facts
from signoff.domain.memo.compose import compose
from signoff.domain.memo.computed_lines import gates_line
from signoff.domain.memo.document import Memo
from signoff.domain.memo.summary import known_words, summary_contradictions, summary_figures
from signoff.domain.outcome import Outcome
from signoff.rendering.html import html
from signoff.rendering.markdown import markdown
from signoff.rendering.pdf import pdf

SYMBOLS = np.array(["AAPL", "0700.HK", "BRK.B", "AAPL"])
PASSING = tuple(replace(f, outcome=Outcome.PASS, is_near_miss=False) for f in sample.PASSING)


def measured():
    """The sample's evidence with predictions, trials and costs."""
    full = sample.evidence()
    days = sample.DAYS
    instants = days[:4].astype("datetime64[us]")
    floats = np.ones(4)
    return replace(
        full,
        backtest=Returns(
            source=sample.source("backtest.csv"),
            dates=days,
            returns=sample.RETURNS,
            turnover=np.full(days.size, 0.5),
            cost=np.full(days.size, 0.0005),
        ),
        predictions=Predictions(
            source=sample.source("predictions.csv"),
            timestamps=instants,
            symbols=SYMBOLS,
            prediction=floats,
            realized=floats,
        ),
        trials=Trials(
            source=sample.source("trials.csv"), dates=days[:2], names=("a", "b", "c"), returns=np.zeros((2, 3))
        ),
    )


def parts(summary: str, **findings: object) -> tuple:
    r = sample.release()
    dossier = replace(r.dossier, header=replace(r.dossier.header, summary=summary, model="momentum-30"))
    assessment = replace(r.assessment, findings=findings.get("findings", PASSING))
    return dossier, r.policy, measured(), assessment


def held(summary: str) -> tuple[str, ...]:
    given = parts(summary)
    return summary_contradictions(*given, facts(given[3]))


def memo(summary: str, findings: tuple = PASSING) -> Memo:
    dossier, policy, evidence, assessment = parts(summary, findings=findings)
    return compose(
        dossier,
        policy,
        evidence,
        assessment,
        sample.standing(),
        evidence_digest="9f2c" * 16,
        facts=facts(assessment),
    )


@pytest.mark.parametrize(
    ("rest", "named"),
    [
        ("the previous one had 0.65", "0.65"),
        ("the predecessor had 0.65", "0.65"),
        ("a hit rate of 70%", "70%"),
        ("+15% on v1.1.0", "+15%"),
        ("over ten thousand predictions", "ten thousand"),
        ("over 1,260 predictions", "1,260"),
        ("on 20 US stocks", "20"),
        ("on twenty US stocks", "twenty"),
        ("two hundred trials", "two hundred"),
        ("costs of 5bps", "5bps"),
        ("a latency of 85ms", "85ms"),
        ("$3M a year", "$3M"),
        ("2.5x the old one", "2.5x"),
        ("nine of nine gates pass", "nine"),
        ("9/9 gates pass", "9/9"),
        ("a Sharpe of ½", "½"),
        ("a Sharpe of ０．６５", "0.65"),
        ("a Sharpe of ٠.٦٥", "0.65"),
        ("a Sharpe figure 2.4", "2.4"),
        ("70 separate wins", "70"),
        ("2000 bps a year", "2000"),
        ("a win ratio of 2:10", "2:10"),
        ("half the drawdown", "half"),
        ("twice the Sharpe", "twice"),
        ("a tenfold Sharpe", "tenfold"),
        ("the Sharpe doubled", "doubled"),
        ("dozens of wins", "dozens"),
        ("A11 gates", "A11"),
        ("a Sharpe of 2.0", "2.0"),
        ("the 30-day record has 30", "30"),
        ("the two thousand trials", "two thousand"),
        ("#1 of all models", "#1"),
        ("a hit rate of seventy percent", "seventy"),
        ("version 2.4 Sharpe", "2.4"),
        ("the v2.4 Sharpe", "v2.4"),
        ("step 95 percent", "95"),
        ("the Q4 ratio", "Q4"),
        ("May 95", "95"),
        ("2017-99 wins", "-99"),
        ("up by half", "by half"),
        ("a third better", "a third better"),
        ("two thirds of windows", "two"),
    ],
)
def test_a_bare_figure_is_refused_by_name(rest: str, named: str) -> None:
    found = contradictions(f"Sharpe {{metrics.sharpe.new}}, {rest}.", FACTS, known_words(sample.dossier()))

    assert any(f"“{named}" in said or named in said for said in found), found
    assert any("summary_figures" in said for said in found), found


def test_the_refusal_of_a_bare_figure_gives_the_nearest_name() -> None:
    (said,) = contradictions("Hit rate {metrics.hit_rate.new}, Sharpe 0.65.", FACTS, ())

    assert said == (
        "“0.65” is a bare figure in a summary that asks for its figures by name; the nearest is {metrics.sharpe.new} "
        "(0.66 ±0.41); `signoff check DIR --json` lists all under summary_figures."
    )


@pytest.mark.parametrize(
    "text",
    [
        "momentum-30 v2.0.0 replaces v1.1.0 with a Sharpe of {metrics.sharpe.new}.",
        "momentum-30 2.0 replaces 1.1 on 2019-01-02: Sharpe {metrics.sharpe.new}.",
        "Version 2.0, of 2 January 2019: Sharpe {metrics.sharpe.new}.",
        "Sharpe {metrics.sharpe.new} since 2018, see section 2.1.",
        "Trades 24/7; notices go out at T-24h. Sharpe {metrics.sharpe.new}.",
        "The 30-day Sharpe is watched; the backtest has {metrics.sharpe.new}.",
        "0700.HK and AAPL are in the universe; Sharpe {metrics.sharpe.new}.",
        "Meets 15c3-5 and FINRA 3110; Sharpe {metrics.sharpe.new}.",
        "The two versions differ in their features: {features.old} and {features.new}.",
        "A two-sided test gives p {sharpe_difference.p_value}.",
        "Trades {counts.symbols} US stocks by {counts.predictions} predictions over {counts.trading_days} days.",
        "{counts.trials} trials were run, at costs of {costs.backtest}.",
        "Latency must stay below {declared.configuration.latency_sla_ms}.",
        "Paper Sharpe {paper.sharpe} over {paper.orders} orders.",
        "Paper Sharpe {paper.sharpe} against {metrics.sharpe.new} in the backtest.",
        "Sharpe {metrics.sharpe.new} after {metrics.sharpe.old} of the previous version.",
        "Drawdown {metrics.max_drawdown.new}, hit rate {metrics.hit_rate.new}, p95 latency {latency_p95.new}.",
        "Sharpe {metrics.sharpe.new} above its target {metrics.sharpe.target}.",
        "One model, one desk: Sharpe {metrics.sharpe.new}.",
        "{gates.passed} of {gates.total} gates pass.",
        "{gates.pbo.trials} configurations were tried, and PBO is {gates.pbo.statistic}.",
    ],
)
def test_names_dates_and_figures_by_name_are_accepted(text: str) -> None:
    assert held(text) == ()


PBO_FAILS = tuple(replace(f, outcome=Outcome.FAIL) if f.key == "pbo" else f for f in PASSING)


@pytest.mark.parametrize(
    "text",
    [
        "No gate was changed.",
        "No gates were loosened for this release.",
        "No threshold was changed.",
        "A near miss counts as a pass within the margin.",
        "PBO fails because the trials resemble each other; we ask for an override of PBO.",
        "We ask for an override of PBO.",
        "An override of PBO is asked for.",
        "PBO's failure is explained in section 2.2.",
        "The failing gate is PBO.",
        "The failure of PBO is due to similar trials.",
        "PBO does not pass: the trials are copies.",
        "PBO is too high and fails.",
        "PBO stands at {gates.pbo.statistic} and fails its limit of {gates.pbo.threshold}.",
        "PBO of {gates.pbo.statistic} is above the limit of {gates.pbo.threshold}.",
        "Paper Sharpe {paper.sharpe} over {paper.days}.",
        "Paper Sharpe {paper.sharpe} over {paper.days}, at a slippage of {paper.slippage}.",
        "Sharpe {metrics.sharpe.new} against {metrics.sharpe.old} for v1.1.0.",
        "Sharpe {metrics.sharpe.new} (target {metrics.sharpe.target}).",
        "Replaces v1.1.0 by v2.0.0: Sharpe {metrics.sharpe.new}, drawdown {metrics.max_drawdown.new}.",
        "Trades {counts.symbols} US stocks; {counts.predictions} predictions, {counts.trading_days} trading days.",
        "The universe has {counts.symbols} stocks, costs are {costs.backtest}, latency must stay under "
        "{declared.configuration.latency_sla_ms}.",
        "DSR {gates.dsr.outcome}; PBO {gates.pbo.outcome}.",
        "All gates but one pass.",
        "All gates except PBO pass; we ask for an override.",
        "Five of six gates pass, PBO fails.",
        "Asks for {plan.allocation} of capital after {plan.shadow_days} in shadow.",
        "It was trained on two more regimes.",
        "We retrained the model on new data and added features.",
        "The deployment starts on 2 January 2019 at 09:30, T-24h notices go out the day before.",
        "The model goes live in Q1 2019.",
        "Paper trading ran for {paper.days} with a correlation of {paper.correlation}.",
        "In bear markets the Sharpe is {regimes.bear.sharpe}.",
        "VaR is {risk.value_at_risk.new} at {risk.value_at_risk.level}.",
        "Hit rate {metrics.hit_rate.new} over {counts.predictions} predictions.",
        "The two-stage rollout begins in shadow; Sharpe {metrics.sharpe.new}.",
        "The desk may cancel at any time.",
        "Nothing else was changed.",
        "None of the features was removed.",
        "No features were dropped.",
        "No other model is affected.",
        "All features are point-in-time.",
        "Every prediction is logged.",
        "Each trade is attributed.",
        "No data after the training window was used.",
        "The previous model stays available as fallback.",
        "The model passes through shadow first.",
        "Orders pass the pre-trade controls before they reach the broker.",
        "Time will tell.",
        "PBO fails; all other gates pass.",
        "Apart from PBO, all gates pass.",
        "With the exception of PBO every gate passes.",
        "PBO, alone, fails.",
        "Only PBO fails.",
        "PBO is the only gate that fails.",
        "PBO missed its threshold by a little.",
        "We know that PBO fails.",
        "We propose to override PBO for the reasons in section 2.2.",
        "The risk manager overrode PBO.",
        "PBO was waived by the CTO.",
        "DSR improved and SPA held, while PBO fails.",
        "The unit tests pass and coverage grew.",
        "No test was removed.",
        "Higher-frequency data are used since 2018.",
        "PBO (CSCV over {gates.pbo.trials} trials) fails.",
        "The model has {features.new} features, {features.added} more than before.",
        "Sharpe {metrics.sharpe.new}, beyond its target of {metrics.sharpe.target}; PBO fails.",
        "Paper trading was profitable.",
        "Paper trading beat the backtest.",
    ],
)
def test_a_true_sentence_is_accepted_while_pbo_fails(text: str) -> None:
    given = parts(text, findings=PBO_FAILS)

    assert summary_contradictions(*given, facts(given[3])) == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("counts.symbols", "3"),
        ("counts.predictions", "4"),
        ("counts.trading_days", "365"),
        ("counts.trials", "3"),
        ("costs.backtest", "10.0 bps"),
        ("declared.configuration.latency_sla_ms", "100.0 ms"),
        ("declared.limits.max_single_position_pct", "10.0%"),
        ("registered.depth", "5"),
    ],
)
def test_counts_costs_and_declared_numbers_have_names(name: str, text: str) -> None:
    given = parts("x")
    (found,) = [fact for fact in summary_figures(*given, facts(given[3])) if fact.name == name]

    assert found.text == text


def test_a_name_that_is_a_figure_opens_no_gap() -> None:
    given = parts("Sharpe {metrics.sharpe.new}, seen by Sharpe 2.4 and by 95% sure.")
    header = replace(given[0].header, deployed_by=replace(given[0].header.deployed_by, name="Sharpe 2.4"))
    dossier = replace(
        given[0], header=header, success=replace(given[0].success, attendees=("95% sure", "R2 D2", "7.5 x"))
    )

    assert len(summary_contradictions(dossier, *given[1:], facts(given[3]))) == 2


KEYED = (
    ("{metrics.sharpe.new}", "0.66 ±0.41 is the Sharpe of the new version v2.0.0 (metrics.sharpe.new)"),
    ("v1.1.0 had {metrics.sharpe.new}", "is the Sharpe of the new version v2.0.0 (metrics.sharpe.new)"),
    ("{metrics.sharpe.old}", "0.61 is the Sharpe of the previous version v1.1.0 (metrics.sharpe.old)"),
    ("{metrics.sharpe.target}", "0.60 is the target of the Sharpe (metrics.sharpe.target)"),
    ("{metrics.sharpe.change}", "8.2% is the change of the Sharpe (metrics.sharpe.change)"),
    ("PBO {gates.pbo.threshold}", "50.0% is the threshold of the gate PBO (gates.pbo.threshold)"),
    ("PBO {gates.pbo.statistic}", "47.0% is the statistic of the gate PBO (gates.pbo.statistic)"),
    ("{gates.pbo.trials}", "36 is the trials of the gate PBO (gates.pbo.trials)"),
    ("PBO {gates.pbo.outcome}", "“passes” is the outcome of the gate PBO (gates.pbo.outcome)"),
    ("paper Sharpe {paper.sharpe}", "0.90 ±2.16 is the sharpe of paper trading (paper.sharpe)"),
    ("{counts.symbols} stocks", "3 is the number of symbols among the predictions (counts.symbols)"),
    (
        "{declared.configuration.latency_sla_ms}",
        "100.0 ms is the latency sla ms of the dossier, declared and not measured "
        "(declared.configuration.latency_sla_ms)",
    ),
    ("{latency_p95.old}", "120 ms is the latency p95 of the previous version v1.1.0 (latency_p95.old)"),
    ("2020: {stress.covid_2020.sharpe}", "−1.20 is the sharpe of “2020 COVID crash” (stress.covid_2020.sharpe)"),
)


@pytest.mark.parametrize(("text", "key"), KEYED)
def test_the_memo_says_what_each_figure_of_the_summary_is(text: str, key: str) -> None:
    _, figures, _ = memo(text).computed

    assert figures.startswith("Figures: ")
    assert key in figures


@pytest.mark.parametrize(("text", "key"), KEYED)
def test_the_memo_says_of_no_figure_what_another_one_is(text: str, key: str) -> None:
    own = key.partition("is the ")[2]
    others = {other.partition("is the ")[2] for _, other in KEYED} - {own}

    assert not [other for other in others if other in memo(text).computed[1]]


def test_a_summary_without_figures_by_name_has_no_key() -> None:
    assert not any("Figures:" in line for line in memo("Faster than before.").computed)


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({}, "Computed: 6 of 6 gates pass."),
        ({"pbo": Outcome.FAIL}, "Computed: 5 of 6 gates pass; fails: PBO."),
        ({"var": Outcome.INCONCLUSIVE}, "Computed: 5 of 6 gates pass; inconclusive: VaR Compliance."),
        ({"dsr": Outcome.ERROR}, "Computed: 5 of 6 gates pass; ended in an error: DSR."),
        ({"deflated_sharpe": Outcome.FAIL}, "Computed: 5 of 6 gates pass; fails: Deflated Sharpe Ratio (advisory)."),
        (
            {"pbo": Outcome.FAIL, "var": Outcome.INCONCLUSIVE},
            "Computed: 4 of 6 gates pass; fails: PBO; inconclusive: VaR Compliance.",
        ),
    ],
)
def test_the_computed_line_names_every_gate_that_does_not_pass(changed: dict[str, Outcome], line: str) -> None:
    findings = tuple(replace(f, outcome=changed.get(f.key, Outcome.PASS)) for f in PASSING)

    for summary in ("All is well.", "Every gate passes.", "Sharpe {metrics.sharpe.new}."):
        assert memo(summary, findings).computed[0] == line


def test_the_computed_line_names_near_misses_and_overridden_gates() -> None:
    near = tuple(replace(f, is_near_miss=f.key == "spa") for f in PASSING)
    failed = tuple(replace(f, outcome=Outcome.FAIL) if f.key in {"pbo", "deflated_sharpe"} else f for f in PASSING)

    assert gates_line(near) == "Computed: 6 of 6 gates pass; near misses, which pass within the margin: SPA."
    assert gates_line(failed, is_overridden=True).endswith("(advisory); overridden: PBO.")
    assert "overridden" not in gates_line(failed)
    assert "overridden" not in gates_line(near, is_overridden=True)


def test_the_computed_lines_stand_in_every_format() -> None:
    found = memo("Sharpe {metrics.sharpe.new}.", sample.FINDINGS)

    written = markdown(found)[0].decode(), html(found).decode()
    printed = " ".join(PdfReader(BytesIO(pdf(found))).pages[0].extract_text().split())
    for line in found.computed:
        assert all(line in text.replace("\\", "") for text in written)
        assert line in printed


SIGNS = (
    ("Paper trading was profitable.", -1.77, 0.66, False),
    ("Paper trading made money.", -1.77, 0.66, False),
    ("Paper trading ended in the black.", -0.1, 0.66, False),
    ("Paper trading was not a loss.", -0.1, 0.66, False),
    ("The paper period was profitable.", -0.1, 0.66, False),
    ("Profitable on paper.", -0.1, 0.66, False),
    ("Paper trading lost money.", 0.9, 0.66, False),
    ("Paper trading was unprofitable.", 0.9, 0.66, False),
    ("Paper trading beat the backtest.", 0.5, 0.66, False),
    ("Paper trading outperformed its backtest.", 0.5, 0.66, False),
    ("Paper trading was better than the backtest.", 0.5, 0.66, False),
    ("Paper trading fell short of the backtest.", 0.9, 0.66, False),
    ("Paper trading was profitable.", 0.9, 0.66, True),
    ("Paper trading was not profitable.", -1.77, 0.66, True),
    ("Paper trading lost money.", -1.77, 0.66, True),
    ("Paper trading was loss-making, and fell short of the backtest.", -1.77, 0.66, True),
    ("Paper trading beat the backtest.", 0.9, 0.66, True),
    ("Paper trading lost two sessions to an outage.", 0.9, 0.66, True),
    ("Paper trading was profitable.", None, 0.66, True),
    ("Paper trading ran for two months.", -1.77, 0.66, True),
)


@pytest.mark.parametrize(("text", "paper", "backtest", "is_so"), SIGNS)
def test_words_that_give_paper_trading_a_sign_are_held_against_it(
    text: str, paper: float | None, backtest: float, *, is_so: bool
) -> None:
    values = {"paper.sharpe": paper, "metrics.sharpe.new": backtest}
    known = [replace(fact, value=values.get(fact.name, fact.value)) for fact in FACTS]
    found = [said for said in contradictions(text, known, ()) if "Sharpe ratio of paper" in said]

    assert (not found) is is_so, found


@pytest.mark.parametrize(
    ("summary", "said"),
    [
        ("Better.", "0 figures, 0 gate outcomes"),
        ("Sharpe {metrics.sharpe.new}.", "1 figure, 0 gate outcomes"),
        ("Sharpe {metrics.sharpe.new}; SLA {declared.configuration.latency_sla_ms}.", "1 figure, 0 gate outcomes"),
        ("Sharpe 0.66 against 0.61, PBO 47.0%.", "3 figures, 0 gate outcomes"),
        ("PBO passes and VaR Compliance fails. The model is loved.", "0 figures, 2 gate outcomes"),
        ("PBO is a fine gate.", "0 figures, 0 gate outcomes"),
        ("Paper trading was profitable.", "0 figures, 0 gate outcomes, 1 word on the result of paper trading"),
        ("The improvement is not significant.", "0 figures, 0 gate outcomes"),
        ("Latency is significantly lower.", "0 figures, 0 gate outcomes"),
    ],
)
def test_the_mark_counts_what_was_held_and_nothing_else(summary: str, said: str) -> None:
    assert memo(summary, sample.FINDINGS).tldr_mark == (
        f"declared by K. Example and not computed. Checked against the evidence: {said}; nothing else in these words "
        "was checked"
    )


@pytest.mark.parametrize("summary", ["It is significantly better.", "Every gate passes.", "Sharpe 9.99."])
def test_the_mark_says_that_what_was_held_is_contradicted(summary: str) -> None:
    mark = memo(summary, sample.FINDINGS).tldr_mark

    assert mark.endswith("nothing else in these words was checked, and what was checked contradicts the evidence")
    assert ("1 word on significance" in mark) == ("significant" in summary)


def test_a_sign_without_a_figure_is_declared() -> None:
    dossier, policy, evidence, assessment = parts("Paper trading was profitable.")
    found = compose(
        *(dossier, policy, evidence, replace(assessment, paper=None), sample.standing()),
        evidence_digest="9f2c" * 16,
        facts=[fact for fact in facts(assessment) if not fact.name.startswith("paper.")],
    )

    assert "paper trading" not in found.tldr_mark


@pytest.mark.parametrize(
    "outcomes",
    [{}, {"pbo": Outcome.FAIL}, {"deflated_sharpe": Outcome.FAIL}, {"dsr": Outcome.ERROR, "var": Outcome.INCONCLUSIVE}],
)
def test_page_one_counts_gates_in_one_way(outcomes: dict[str, Outcome]) -> None:
    findings = tuple(replace(f, outcome=outcomes.get(f.key, Outcome.PASS)) for f in PASSING)
    found = memo("{gates.passed} of {gates.total} gates pass.", findings)
    count = found.tldr.removesuffix(" gates pass.")

    assert found.computed[0].startswith(f"Computed: {count} gates pass")
    assert next(figure.text for figure in found.key_figures if figure.label == "Gates") == count
    assert not [notice for notice in found.notices if "gates pass" in notice]


def test_the_memos_own_five_are_counted_only_where_they_are_named() -> None:
    given = parts("{gates.passed} of the memo's five gates pass.", findings=PBO_FAILS)

    assert any("5 of the memo's five gates" in said for said in summary_contradictions(*given, facts(given[3])))
