"""`signoff.evaluate` takes what people have in memory, and answers with a frozen verdict."""

import json
import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from datetime import date

import numpy as np
import pandas as pd
import polars as pl
import pytest

import signoff
from signoff.domain.errors import BadInputError, SignoffError

DAYS = pd.bdate_range("2015-01-01", "2018-12-31")
TRIED = np.random.default_rng(7).normal(0.0002, 0.01, (len(DAYS), 6))
BEST = pd.Series(TRIED[:, 2], index=DAYS, name="return")
FRAME = pd.DataFrame(TRIED, index=DAYS, columns=[f"t{n}" for n in range(6)])


@pytest.fixture(scope="module")
def whole():
    return signoff.evaluate(BEST, trials=FRAME)


def polars_of(frame):
    return pl.DataFrame({"date": DAYS.date.tolist(), **{name: frame[name].to_numpy() for name in frame.columns}})


FORMS = {
    "pandas and pandas": (BEST, FRAME, {}),
    "a frame with a column of dates": (BEST.rename_axis("Date").reset_index(), FRAME, {}),
    "polars": (polars_of(FRAME[["t2"]]), polars_of(FRAME), {}),
    "arrays and dates": (TRIED[:, 2], TRIED, {"dates": DAYS}),
    "arrays and days of numpy": (TRIED[:, 2], TRIED, {"dates": DAYS.to_numpy().astype("datetime64[D]")}),
    "a Series and an array": (BEST, TRIED, {}),
    "lists": (TRIED[:, 2].tolist(), TRIED.tolist(), {"dates": DAYS.date.tolist()}),
    "values by date": (dict(zip(DAYS.date.tolist(), TRIED[:, 2].tolist(), strict=True)), FRAME, {}),
    "columns by name": ({"date": DAYS.date.tolist(), "return": TRIED[:, 2]}, {n: FRAME[n] for n in FRAME}, {}),
    "texts as dates": (pd.Series(TRIED[:, 2], index=DAYS.strftime("%Y-%m-%d")), FRAME, {}),
    "percentages": (BEST * 100, FRAME * 100, {"unit": "percent"}),
    "newest first": (BEST[::-1], FRAME[::-1], {}),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_the_same_data_has_the_same_verdict(whole, name):
    returns, trials, more = FORMS[name]
    found = signoff.evaluate(returns, trials=trials, **more)
    assert {key: one.value for key, one in found.findings.items()} == pytest.approx(
        {key: one.value for key, one in whole.findings.items()}
    )
    assert found.understood.trials == 6


def test_a_verdict_shows_itself(whole, tmp_path):
    text = repr(whole)
    assert text.count("\n") < 50
    assert max(map(len, text.splitlines())) <= 100
    assert "PBO" in text
    shown = whole._repr_html_()
    assert "&lt;svg" in shown
    assert "<script" not in shown
    page = whole.to_html(tmp_path / "verdict.html")
    assert (tmp_path / "verdict.html").read_text() == page
    assert page.count("<svg") >= 4
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)
    assert json.loads(whole.to_json()) == json.loads(json.dumps(whole.document, default=str))
    assert whole.plot()._repr_svg_().startswith("<svg")
    whole.plot("pbo_logits").save(tmp_path / "pbo.svg")
    assert (tmp_path / "pbo.svg").read_text().startswith("<svg")
    with pytest.raises(KeyError, match="equity"):
        whole.plot("nothing")


def test_a_verdict_is_frozen(whole):
    with pytest.raises(FrozenInstanceError):
        whole.outcome = "pass"
    with pytest.raises(TypeError):
        whole.findings["pbo"] = None
    with pytest.raises(FrozenInstanceError):
        whole.findings["pbo"].value = 0.0


def test_a_finding_says_why(whole):
    pbo = whole.findings["pbo"]
    assert pbo.outcome in {"pass", "fail"}
    assert f"{100 * pbo.value:.1f}%" in pbo.why
    assert whole.finding("downside_sensitivity") is whole.findings["dsr"]
    assert whole.metrics["sharpe"].low < whole.metrics["sharpe"].value < whole.metrics["sharpe"].high


def test_a_frame_of_the_gates(whole):
    frame = whole.to_frame()
    assert list(frame.index) == list(whole.findings)
    assert frame.loc["pbo", "value"] == whole.findings["pbo"].value


def test_without_trials_overfitting_is_unknown_and_nothing_passes():
    found = signoff.evaluate(BEST.abs() * 0.2 + BEST)
    assert "pbo" not in found.findings
    assert "pbo" in found.blocking
    assert not found.passed
    (missing,) = [one for one in found.missing if one.key == "pbo"]
    assert missing.needs.startswith("trials=")
    assert "Overfitting: unknown." in found.headline


def test_a_benchmark_of_prices_gives_the_difference_of_sharpe_ratios():
    prices = pd.Series(100 * np.cumprod(1 + TRIED[:, 4]), index=DAYS, name="close")
    found = signoff.evaluate(BEST, benchmark=prices)
    assert found.metrics["sharpe_over_benchmark"].low is not None
    assert found.understood.rows == len(DAYS) - 1
    assert any("benchmark" in note for note in found.understood.dropped)


def test_periods_and_zones_of_pandas_are_read():
    months = pd.period_range("2005-01", "2018-12", freq="M")
    monthly = pd.Series(np.random.default_rng(1).normal(0.01, 0.03, len(months)), index=months)
    assert signoff.evaluate(monthly).understood.frequency == "monthly"
    every = pd.date_range("2016-01-01", "2018-12-31", tz="UTC")
    crypto = pd.Series(np.random.default_rng(2).normal(0.001, 0.03, len(every)), index=every)
    found = signoff.evaluate(crypto)
    assert (found.understood.rows_a_year, found.understood.zone, found.understood.calendar) == (365, "UTC", "24/7")
    york = crypto[crypto.index.day_of_week < 5].tz_localize(None).tz_localize("America/New_York")
    assert signoff.evaluate(york).understood.zone == "America/New_York"


def test_a_zone_decides_the_days_that_trials_and_benchmark_are_held_against():
    tokyo = BEST.tz_localize("Asia/Tokyo")
    found = signoff.evaluate(tokyo, trials=FRAME, benchmark=FRAME["t4"])
    assert (found.understood.rows, found.understood.dropped) == (len(DAYS), ())
    assert found.findings["pbo"].value == signoff.evaluate(BEST, trials=FRAME).findings["pbo"].value


WRONG = {
    "percent or fraction": (BEST * 100, {}, 'unit="percent"'),
    "returns or equity": (pd.Series(np.linspace(0.1, 0.4, len(DAYS)), index=DAYS), {}, "equity=True"),
    "a sum of returns": (BEST.cumsum(), {}, "equity=False"),
    "one and a return": (1 + BEST, {}, "equity=True"),
    "no dates": (TRIED[:, 2], {}, "dates="),
    "an index that counts": (BEST.reset_index(drop=True), {}, "index to the dates"),
    "dates of another length": (TRIED[:, 2], {"dates": DAYS[:-1]}, "dates"),
    "many columns": (FRAME, {}, "column="),
    "nothing": (None, {}, "found none"),
    "an object": (object(), {}, "found object"),
    "no rows": (BEST[:0], {}, "found none"),
    "one row": (BEST[:1], {}, "two returns"),
    "nothing that varies": (BEST * 0, {}, "vary"),
    "a hole": (BEST.where(BEST.index != DAYS[9]), {}, "row 10"),
    "a masked value": (np.ma.masked_array(TRIED[:, 2], mask=DAYS[4] == DAYS), {"dates": DAYS}, "row 5"),
    "complex numbers": (TRIED[:, 2] * 1j, {"dates": DAYS}, "found ndarray"),
    "three dimensions": (TRIED[:, :, None], {"dates": DAYS}, "found ndarray"),
    "a number": (3, {}, "found int"),
    "two levels of an index": (BEST.to_frame().assign(k=1).set_index("k", append=True), {}, "2 levels"),
    "trials that are not aligned": (BEST, {"trials": {"a": BEST, "b": BEST[5:]}}, "other dates in 'b'"),
    "a hole in a trial": (BEST, {"trials": FRAME.assign(t4=FRAME["t4"].where(FRAME.index != DAYS[50]))}, "row 51"),
    "a benchmark of other days": (BEST, {"benchmark": BEST.set_axis(DAYS + pd.Timedelta(days=3))}, "every day"),
    "no zone": (BEST, {"zone": "Mars"}, "zone="),
    "no calendar": (BEST, {"calendar": "MARS"}, "calendar="),
    "no policy": (BEST, {"policy": 3}, "found int"),
    "an unknown unit": (BEST, {"unit": "bps"}, "unit="),
    "an unknown gate": (BEST, {"gates": ["sharp"]}, "'sharp'"),
    "too low a rate": (BEST, {"risk_free_pct": -9}, "risk_free_pct="),
    "trials on other days": (
        BEST,
        {"trials": FRAME.set_index(DAYS + pd.Timedelta(days=3000))},
        "dates of the backtest",
    ),
    "another frequency": (BEST, {"frequency": "monthly"}, 'frequency="monthly"|frequency='),
    "dates that read in two ways": (
        pd.Series([0.01, -0.01, 0.02], index=["01/02/2018", "02/03/2018", "03/04/2018"]),
        {},
        'dates="day-first"',
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_judged_is_refused_in_words_that_name_the_argument(name):
    returns, more, said = WRONG[name]
    with pytest.raises(SignoffError, match=said) as refused:
        signoff.evaluate(returns, **more)
    words = str(refused.value)
    assert isinstance(refused.value, BadInputError)
    assert not any(strange in words for strange in ("dossier.yaml", "Nothing was written", "--", "signoff import"))


@pytest.mark.parametrize("jump", [1.35, 0.6])
def test_a_true_jump_of_an_equity_curve_is_taken_as_the_message_says_it(jump):
    wild = BEST.copy()
    wild.iloc[100] = jump
    equity = (1e5 * (1 + wild).cumprod()).rename("equity")
    with pytest.raises(SignoffError) as refused:
        signoff.evaluate(equity)
    (said,) = re.findall(r'extremes=\["(\S+?)"\]', str(refused.value))
    assert signoff.evaluate(equity, extremes=[said]).understood.rows == len(DAYS) - 1
    with pytest.raises(SignoffError, match="extremes="):
        signoff.evaluate(equity, extremes=[f"{DAYS[7].date()}=1.5"])


def test_a_column_that_is_called_benchmark_can_be_judged():
    assert signoff.evaluate(BEST.rename("benchmark")).understood.rows == len(DAYS)


def test_what_is_cut_so_that_trials_and_returns_have_the_same_days_is_said():
    late = FRAME.assign(t4=FRAME["t4"].where(FRAME.index > DAYS[20]))
    found = signoff.evaluate(BEST, trials=late)
    assert found.understood.rows == len(DAYS) - 21
    assert any("21 rows of the returns" in note for note in found.understood.dropped)
    assert any("the first 21 rows" in note for note in found.understood.dropped)


def test_what_was_said_of_the_returns_settles_what_trials_do_not_show():
    small = 0.1 * (1 + FRAME).cumprod()
    with pytest.raises(SignoffError, match="equity=True"):
        signoff.evaluate(small["t2"], trials=small)
    assert signoff.evaluate(small["t2"], trials=small, equity=True).understood.trials == 6


def test_a_true_extreme_return_is_taken_where_it_is_said():
    wild = BEST.copy()
    wild.iloc[100] = 1.35
    with pytest.raises(SignoffError, match=r'extremes=\["\d{4}-\d\d-\d\d=1.35"\]'):
        signoff.evaluate(wild)
    assert signoff.evaluate(wild, extremes=[f"{DAYS[100].date()}=1.35"]).understood.rows == len(DAYS)


def flat(returns):
    return returns.where(returns > 0, 0.0)


@pytest.mark.parametrize("change", [np.abs, lambda r: -np.abs(r), flat, lambda r: r.round(2), lambda r: r * 0.1 + 0.01])
def test_records_at_the_edge_are_shown_in_every_form(change):
    found = signoff.evaluate(change(BEST))
    assert json.loads(found.to_json())["outcome"] == found.outcome != "pass"
    assert found.to_html().endswith("</html>\n")
    assert found.outcome.upper() in repr(found)


def test_only_the_gates_that_are_asked_for_count():
    found = signoff.evaluate(BEST + 0.002, gates=["walk_forward", "downside_sensitivity"])
    assert set(found.findings) == {"walk_forward", "dsr"}
    assert found.passed
    advisory = signoff.evaluate(BEST, trials=FRAME, gates="deflated_sharpe")
    assert (advisory.findings["deflated_sharpe"].outcome, advisory.outcome) == ("fail", "fail")
    assert not advisory.document["gates"][0]["blocking"]
    asked = signoff.evaluate(BEST + 0.002, gates=["spa"])
    assert asked.outcome == "inconclusive"
    assert not asked.passed


def test_the_package_shows_its_public_names_and_loads_nothing_for_them():
    assert dir(signoff) == ["BadInputError", "SignoffError", "Verdict", "__version__", "evaluate"]
    program = "import sys, signoff; dir(signoff); print(len([n for n in sys.modules if n.split('.')[0] in "
    program += "{'numpy', 'polars', 'pandas', 'signoff'}]))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.strip() == "1"
    with pytest.raises(AttributeError):
        signoff.nothing  # noqa: B018


def test_pandas_is_not_loaded_for_arrays():
    program = """
import sys, numpy as np, signoff
days = np.arange("2015-01-01", "2018-01-01", dtype="datetime64[D]")
days = days[np.is_busday(days)]
found = signoff.evaluate(np.random.default_rng(0).normal(0, 0.01, days.size), dates=days)
repr(found), found.to_json()
print(found.understood.rows == days.size, "pandas" in sys.modules, "matplotlib" in sys.modules)
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert ended.stdout.split() == ["True", "False", "False"]


def test_the_example_of_the_docstring_is_true():
    import doctest

    from signoff.verdict import evaluation

    results = doctest.DocTestRunner(verbose=False)
    for test in doctest.DocTestFinder().find(evaluation.evaluate, "evaluate", globs={}):
        results.run(test)
    assert results.summarize(verbose=False).failed == 0
    assert results.tries > 0


def test_dates_of_python_are_dates():
    days = [date(2015, 1, 1) + (date(2015, 1, 2) - date(2015, 1, 1)) * n for n in range(800)]
    found = signoff.evaluate(TRIED[:800, 0], dates=days)
    assert found.understood.rows_a_year == 365
