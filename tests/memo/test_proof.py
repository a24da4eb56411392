"""The audit trail holds by a journal alone, and periods that share no moment are not compared."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from signoff.domain.events import Observed, Reading
from signoff.domain.evidence import PaperLog, Predictions, Source
from signoff.domain.memo.proof import NO_JOURNAL, NO_PAPER, ProofOutcome, journaled, paper_log, performance_breach
from signoff.domain.policy import Policy

FIRST = date(2019, 1, 2)
SOURCE = Source(name="x.parquet", sha256="cd" * 32, size=1, rows=1)
HOUR = np.timedelta64(1, "h")


def reading(key: str, value: float | None, level: str = "ok") -> Reading:
    return Reading(key=key, value=value, level=level)


def session(day: int = 0, *, predictions: float | None = 20, lost: float = 0, gaps: float = 0, **more) -> Observed:
    readings = (
        reading("predictions", predictions, "ok" if predictions else "unknown"),
        reading("symbols_lost", lost, "unknown" if lost else "ok"),
        reading("prediction_gaps", gaps, "unknown" if gaps else "ok"),
    )
    found = Observed(
        session=FIRST + timedelta(days=day), counts=bool(predictions), readings=readings, is_conclusive=True
    )
    return replace(found, **more)


def days(start: str, n: int, symbols: tuple[str, ...] = ("A", "B")) -> tuple[np.ndarray, np.ndarray]:
    moments = np.datetime64(start, "us") + np.arange(n) * np.timedelta64(1, "D")
    return np.repeat(moments, len(symbols)), np.tile(np.array(symbols), n)


def predicted(start: str, n: int = 5, symbols: tuple[str, ...] = ("A", "B")) -> Predictions:
    at, names = days(start, n, symbols)
    return Predictions(
        source=SOURCE, timestamps=at, symbols=names, prediction=np.ones(at.size), realized=np.ones(at.size)
    )


def logged(start: str, n: int = 5, symbols: tuple[str, ...] = ("A", "B"), ordered: float = 1.0) -> PaperLog:
    at, names = days(start, n, symbols)
    ones = np.ones(at.size)
    return PaperLog(
        source=SOURCE,
        timestamps=at,
        symbols=names,
        prediction=ones,
        latency_ms=ones,
        is_error=np.zeros(at.size, dtype=np.bool_),
        side=np.full(at.size, "buy"),
        quantity=ordered * ones,
        decision_price=ones,
        fill_price=ones,
    )


@pytest.mark.parametrize("observed", [(), (session(predictions=None),), (session(predictions=0),)])
def test_without_a_journaled_prediction_there_is_no_live_journal(observed: tuple) -> None:
    assert journaled(observed).predictions == NO_JOURNAL
    assert NO_JOURNAL.words == "not evidenced: no live journal"


def test_a_journal_proves_that_predictions_are_logged_and_nothing_of_trades() -> None:
    trail = journaled([session(0), session(1)])

    assert trail.predictions.words == (
        "checked: 2 sessions, 2019-01-02 to 2019-01-03, 40 predictions; no symbol of the session before is missing"
    )
    assert trail.trades.words == "not evidenced: the live journal holds no orders"
    assert trail.reproducibility.words == "not evidenced: no journaled prediction was recomputed"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (session(1, predictions=0), "1 of 3 sessions, 2019-01-02 to 2019-01-04 have no journaled prediction"),
        (session(1, predictions=None), "have no journaled prediction, the first 2019-01-03"),
        (session(1, lost=2), "lack predictions, the first 2019-01-03"),
        (session(1, gaps=1), "hold predictions that are no number, the first 2019-01-03"),
    ],
)
def test_one_session_that_lacks_predictions_refutes_that_all_are_logged(broken: Observed, said: str) -> None:
    proof = journaled([session(0), broken, session(2)]).predictions

    assert proof.outcome is ProofOutcome.REFUTED
    assert said in proof.detail


def test_a_session_that_was_looked_at_again_counts_as_it_was_seen_last() -> None:
    assert journaled([session(0, predictions=None), session(0)]).predictions.outcome is ProofOutcome.PROVEN


@pytest.mark.parametrize(
    ("paper", "predictions"),
    [
        (logged("2018-10-01"), predicted("2017-01-01")),
        (logged("2017-01-01"), predicted("2018-10-01")),
        (replace(logged("2018-10-01"), timestamps=logged("2018-10-01").timestamps + HOUR), predicted("2018-10-01")),
    ],
    ids=["paper after", "paper before", "other clock"],
)
def test_periods_without_a_moment_in_common_are_not_comparable(paper: PaperLog, predictions: Predictions) -> None:
    proof = paper_log(paper, predictions)

    assert proof.outcome is ProofOutcome.NOT_COMPARABLE
    assert "missing" not in proof.words
    assert "no moment in common" in proof.words


def test_an_order_whose_prediction_is_not_in_the_evidence_refutes_the_log() -> None:
    made = predicted("2018-10-01")
    kept = np.arange(made.timestamps.size) != 4
    fewer = replace(
        made,
        timestamps=made.timestamps[kept],
        symbols=made.symbols[kept],
        prediction=made.prediction[kept],
        realized=made.realized[kept],
    )
    proof = paper_log(logged("2018-10-01"), fewer)
    assert proof.outcome is ProofOutcome.REFUTED
    assert "9 of 10 orders a prediction; 1 lines have no prediction" in proof.detail


def test_one_large_prediction_hides_no_other_value() -> None:
    made, log = predicted("2018-10-01"), logged("2018-10-01")
    large = made.prediction.copy()
    large[0] = 1e6
    shown = -large
    shown[0] = 1e6
    proof = paper_log(replace(log, prediction=shown), replace(made, prediction=large))
    assert proof.outcome is ProofOutcome.REFUTED
    assert "9 lines have another value" in proof.detail


@pytest.mark.parametrize(
    ("paper", "predictions", "found"),
    [
        (logged("2018-10-01"), predicted("2018-10-01"), ProofOutcome.PROVEN),
        (logged("2018-10-03"), predicted("2018-10-01"), ProofOutcome.PROVEN),
        (logged("2018-10-01", symbols=("A",)), predicted("2018-10-01"), ProofOutcome.REFUTED),
        (replace(logged("2018-10-01"), prediction=np.full(10, np.nan)), predicted("2018-10-01"), ProofOutcome.REFUTED),
    ],
    ids=["whole", "overlap", "a symbol is gone", "orders without prediction"],
)
def test_what_both_cover_is_compared(paper: PaperLog, predictions: Predictions, found: ProofOutcome) -> None:
    assert paper_log(paper, predictions).outcome is found


def valued(*values: float) -> np.ndarray:
    return np.array([*values, *([1.0] * (10 - len(values)))])


@pytest.mark.parametrize(
    ("in_log", "predicted_as", "others"),
    [
        (valued(0.5), valued(), "1 line has"),
        (valued(), valued(0.5, 0.5), "2 lines have"),
        (valued(-1.0), valued(1.0), "1 line has"),
        (valued(1.0 + 3e-6), valued(), "1 line has"),
        (valued(np.nan), valued(), "1 line has"),
        (valued(0.5), valued(np.nan), "1 line has"),
        (valued(np.inf), valued(), "1 line has"),
        (np.zeros(10), valued(), "10 lines have"),
        (1e-5 * valued(2.0), 1e-5 * valued(), "1 line has"),
    ],
    ids=["one", "two", "sign", "beyond", "no value", "no prediction", "infinite", "all zero", "small figures"],
)
def test_a_line_with_another_value_than_its_prediction_refutes_the_log(
    in_log: np.ndarray, predicted_as: np.ndarray, others: str
) -> None:
    log = replace(logged("2018-10-01", ordered=0.0), prediction=in_log)

    proof = paper_log(log, replace(predicted("2018-10-01"), prediction=predicted_as))

    assert proof.outcome is ProofOutcome.REFUTED
    assert f"10 of 10 predictions 2018-10-01 to 2018-10-05 have their line, {others} another value" in proof.detail
    assert "(tolerance 1e-06 of it)" in proof.detail


@pytest.mark.parametrize("in_log", [valued(), valued(1.0 + 5e-7), valued().astype(np.float32).astype(np.float64)])
def test_a_value_as_a_table_rounds_it_is_the_prediction(in_log: np.ndarray) -> None:
    proof = paper_log(replace(logged("2018-10-01"), prediction=in_log), predicted("2018-10-01"))

    assert proof.outcome is ProofOutcome.PROVEN
    assert "each with the value of its prediction" in proof.detail


def test_lines_with_other_values_beside_symbols_that_are_gone_are_both_told() -> None:
    log = replace(logged("2018-10-01", symbols=("A",)), prediction=np.full(5, 2.0))

    assert "5 of 10 predictions 2018-10-01 to 2018-10-05 have their line, 5 lines have another value" in (
        paper_log(log, predicted("2018-10-01")).detail
    )


def test_no_paper_log_is_no_evidence() -> None:
    assert paper_log(None, predicted("2018-10-01")) == paper_log(logged("2018-10-01"), None) == NO_PAPER


def test_a_breach_of_performance_is_named_with_its_day_and_figures() -> None:
    low = session(readings=(reading("rolling_sharpe_30d", -0.31, "critical"),))
    policy = Policy(name="firm", version="1")

    assert performance_breach([session(0), low], policy) == (
        "2019-01-02: rolling Sharpe ratio −0.31, critical below 0.5"
    )


@pytest.mark.parametrize(
    "observed",
    [
        (),
        (session(readings=(reading("rolling_sharpe_30d", 0.7, "warning"),)),),
        (session(readings=(reading("rolling_sharpe_30d", None, "unknown"),)),),
        (session(fired=("latency_p95",)),),
        (
            session(0, readings=(reading("rolling_sharpe_30d", -0.31, "critical"),)),
            *(session(n) for n in range(1, 31)),
        ),
    ],
    ids=["nothing observed", "warning", "unknown", "latency alone", "long ago"],
)
def test_no_other_reading_is_a_breach_of_performance(observed: tuple) -> None:
    assert performance_breach(observed, Policy(name="firm", version="1")) == ""
