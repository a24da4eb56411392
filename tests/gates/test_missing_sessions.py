"""A record without its worst days is another record: the calendar says which sessions a table lacks."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from small_dossier import every_day, month_ends, returns, small, weekdays, weeks

from signoff.adapters.calendars import ExchangeCalendar
from signoff.adapters.evidence.reader import FolderReader
from signoff.cli.main import main
from signoff.domain.errors import BadInputError
from signoff.domain.gates.sessions import calendar_sessions, differences
from signoff.domain.gates.uncertainty import annual_ratio
from signoff.domain.outcome import Outcome


def sessions(exchange, first, last):
    start, end = (np.datetime64(day).astype("datetime64[D]").item() for day in (first, last))
    return np.array(ExchangeCalendar().days(exchange, start, end), dtype="datetime64[D]")


NEW_YORK = sessions("XNYS", "2000-01-03", "2018-12-31")  # 4,779 sessions
LONDON = sessions("XLON", "2008-01-02", "2018-12-31")
TOKYO = sessions("XTKS", "2008-01-04", "2018-12-28")


def noise(size, seed=4):
    return np.random.default_rng(seed).standard_t(4, size) * 0.01 + 0.0005


def judged(tmp_path, tables, **options):
    inputs = FolderReader().read(small(tmp_path / "dossier", tables, **options), None)
    return calendar_sessions(inputs.evidence, inputs.dossier, inputs.policy), inputs


def without_worst(dates, values, count):
    kept = np.sort(np.argsort(values)[count:])
    return dates[kept], values[kept]


def figure(finding, name):
    return {quantity.name: quantity.value for quantity in finding.figures}[f"gates.sessions.{name}"]


COMPLETE = {
    "New York": (NEW_YORK, {}, "XNYS"),
    "London": (LONDON, {}, "XLON"),
    "Tokyo": (TOKYO, {}, "XTKS"),
    "Tokyo, declared": (TOKYO, {"calendar": "XTKS"}, "XTKS"),
    "every weekday": (weekdays(2000), {}, "24/5"),
    "every day": (every_day(2000), {}, "24/7"),
    "weeks": (weeks(600), {}, ""),
    "weeks whose Friday is a holiday": (weeks(600) - (np.arange(600) % 40 == 7), {}, ""),
    "months": (month_ends(200), {}, ""),
}


@pytest.mark.parametrize("kind", COMPLETE)
def test_a_table_with_every_session_passes(tmp_path, kind):
    dates, declared, calendar = COMPLETE[kind]
    found, inputs = judged(tmp_path, {"backtest.parquet": returns(dates, noise(dates.size))}, evidence=declared)
    assert found.outcome is Outcome.PASS, found.reason
    assert (figure(found, "missing"), figure(found, "while_shut")) == (0, 0)
    assert inputs.evidence.backtest.time.calendar == calendar


def test_the_worst_144_of_4779_days_left_out_turn_the_sharpe_ratio_and_block(tmp_path):
    own = noise(NEW_YORK.size)
    assert NEW_YORK.size == 4779
    dates, values = without_worst(NEW_YORK, own, 144)
    found, inputs = judged(tmp_path, {"backtest.parquet": returns(dates, values)})
    whole = replace(inputs.evidence.backtest, dates=NEW_YORK, returns=own)
    assert annual_ratio(inputs.evidence.backtest) > annual_ratio(whole) + 0.5
    assert found.blocks
    gone = np.setdiff1d(NEW_YORK, dates)
    assert figure(found, "missing") == 144
    assert "lacks 144 of 4,779 sessions of XNYS" in found.reason
    assert all(str(day) in found.reason for day in gone[:5])
    assert "and 139 more" in found.reason


LEFT_OUT = {
    "the worst 20 of Tokyo": (TOKYO, 20, {}),
    "the worst 20 of London, declared": (LONDON, 20, {"calendar": "XLON"}),
    "the worst 30 of every day": (every_day(3000), 30, {}),
    "the worst 10 of every weekday": (weekdays(2000), 10, {}),
    "the worst 6 months": (month_ends(240), 6, {}),
    "the worst 8 weeks": (weeks(700), 8, {}),
}


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_leaving_out_the_worst_blocks_on_every_calendar(tmp_path, kind):
    dates, count, declared = LEFT_OUT[kind]
    own = noise(dates.size)
    own[[0, -1]] = 0.01  # the first and the last stay
    kept, values = without_worst(dates, own, count)
    found, _ = judged(tmp_path, {"backtest.parquet": returns(kept, values)}, evidence=declared)
    assert found.blocks
    assert figure(found, "missing") == count
    first = np.setdiff1d(dates, kept)[0]
    assert str(first - (4 if "weeks" in kind else 0))[:7] in found.reason  # a week is named by its Monday


def test_the_most_that_may_be_missing_is_the_policys(tmp_path):
    own = noise(NEW_YORK.size)
    dates, values = without_worst(NEW_YORK, own, 9)  # 9 of 4,779 are 0.19%
    tables = {"backtest.parquet": returns(dates, values)}
    assert judged(tmp_path / "a", tables)[0].outcome is Outcome.PASS

    def stricter(text):
        return text.replace("gates:\n", "gates:\n  sessions: {limit_pct: 0.1, blocking: true}\n", 1)

    found, inputs = judged(tmp_path / "b", tables, policy=stricter)
    assert inputs.policy.gates.sessions.limit_pct == 0.1
    assert found.blocks
    assert "0.19%" in found.reason or "0.19" in found.statistic.text


FEW = {"one": (1, "1 of 4,779"), "five": (5, "5 of 4,779"), "nine": (9, "9 of 4,779")}


@pytest.mark.parametrize("kind", FEW)
def test_what_may_be_missing_is_printed_by_date_all_the_same(tmp_path, kind):
    count, said = FEW[kind]
    dates, values = without_worst(NEW_YORK, noise(NEW_YORK.size), count)
    found, inputs = judged(tmp_path, {"backtest.parquet": returns(dates, values)})
    gone = np.setdiff1d(NEW_YORK, dates)
    named = ", ".join(str(day) for day in gone[:5]) + (f" and {count - 5} more" if count > 5 else "")
    assert found.outcome is Outcome.PASS
    assert differences(inputs.evidence) == (f"backtest.parquet lacks {said} sessions of XNYS ({named}).",)


def test_a_table_with_every_session_differs_in_nothing(tmp_path):
    _, inputs = judged(tmp_path, {"backtest.parquet": returns(NEW_YORK, noise(NEW_YORK.size))})
    assert differences(inputs.evidence) == ()


def test_a_record_that_is_too_short_to_be_judged_still_says_what_it_lacks(tmp_path):
    short = np.delete(NEW_YORK[:120], 60)
    found, _ = judged(tmp_path, {"backtest.parquet": returns(short, noise(short.size))})
    assert found.outcome is Outcome.INCONCLUSIVE
    assert found.reason.endswith(f"backtest.parquet lacks 1 of 120 sessions of XNYS ({NEW_YORK[60]}).")


def test_check_prints_the_dates_though_the_gate_passes(tmp_path, capsys):
    dates, values = without_worst(NEW_YORK, noise(NEW_YORK.size), 2)
    folder = small(tmp_path / "dossier", {"backtest.parquet": returns(dates, values)})
    main(["--home", str(tmp_path / "home"), "check", str(folder)])
    printed = " ".join(capsys.readouterr().out.split())
    first, second = np.setdiff1d(NEW_YORK, dates)
    assert f"Sessions: backtest.parquet lacks 2 of 4,779 sessions of XNYS ({first}, {second})." in printed


def test_rows_while_the_market_is_shut_are_listed_and_block(tmp_path):
    holidays = np.setdiff1d(np.arange(NEW_YORK[0], NEW_YORK[-1]), NEW_YORK)
    holidays = holidays[np.is_busday(holidays)][:60]
    dates = np.sort(np.concatenate([NEW_YORK, holidays]))
    found, _ = judged(tmp_path, {"backtest.parquet": returns(dates, noise(dates.size))})
    assert found.blocks
    assert figure(found, "while_shut") == 60
    assert f"has 60 rows while it is shut ({holidays[0]}" in found.reason


def test_weekends_that_were_carried_on_are_left_out_before_the_calendar_is_asked(tmp_path):
    dates = every_day(900)
    values = noise(900)
    values[~np.is_busday(dates)] = 0.0
    found, inputs = judged(tmp_path, {"backtest.parquet": returns(dates, values)})
    assert not found.blocks
    assert figure(found, "while_shut") == 0
    assert f"{int((~np.is_busday(dates)).sum())} " in " ".join(inputs.evidence.backtest.left_out)


def test_another_calendar_than_the_declared_one_is_seen(tmp_path):
    tables = {"backtest.parquet": returns(TOKYO, noise(TOKYO.size))}
    found, _ = judged(tmp_path, tables, evidence={"calendar": "XNYS"})
    assert found.blocks
    assert "evidence.calendar" in found.reason
    assert figure(found, "missing") == np.setdiff1d(sessions("XNYS", TOKYO[0], TOKYO[-1]), TOKYO).size


@pytest.mark.parametrize("table", ["backtest_previous", "paper_returns"])
def test_every_table_of_returns_is_looked_at(tmp_path, table):
    own = noise(NEW_YORK.size)
    dates, values = without_worst(NEW_YORK, own[::-1], 100)
    tables = {"backtest.parquet": returns(NEW_YORK, own), f"{table}.parquet": returns(dates, values)}
    found, _ = judged(tmp_path, tables)
    assert found.blocks
    assert f"{table}.parquet lacks 100" in found.reason


def test_two_rows_of_one_month_are_one_too_many(tmp_path):
    dates = np.sort(np.concatenate([month_ends(200), month_ends(200)[[50, 90]] - 5]))
    found, _ = judged(tmp_path, {"backtest.parquet": returns(dates, noise(dates.size))})
    assert found.blocks
    assert figure(found, "while_shut") == 2
    assert "beyond the first of a month" in found.reason


def test_a_third_of_the_days_left_out_is_no_daily_table(tmp_path):
    dates, values = without_worst(NEW_YORK, noise(NEW_YORK.size), 1700)
    with pytest.raises(BadInputError, match=r"evidence\.frequency"):
        judged(tmp_path, {"backtest.parquet": returns(dates, values)})


def test_trials_and_backtest_have_the_same_sessions(tmp_path):
    own = noise(600)
    dates = weekdays(600)
    tables = {
        "backtest.parquet": returns(dates, own),
        "trials.parquet": pl.DataFrame({"date": dates[1:], "a": own[1:]}),
    }
    with pytest.raises(BadInputError, match="expected trials to have the dates"):
        judged(tmp_path, tables)
