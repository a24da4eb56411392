"""Champion and candidate in one process: valid answers, declared fallbacks, a candidate that harms nobody, orders."""

import math
import os
import signal as signals
import time
from array import array
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from approved_models import ROWS, behaving, version

from signoff.desk.candidate import Candidate
from signoff.desk.fallbacks import Fallback, Output
from signoff.desk.hosting import Host, Hosted, ShadowVersion
from signoff.desk.journal import Journal, JournalFullError, Kind, WhenFull, check, read
from signoff.desk.models import load, registered_features
from signoff.desk.orders import Fill
from signoff.domain.errors import BadInputError, RefusedError, UnavailableError
from signoff.domain.flags import Flags, FlagState
from signoff.domain.limits import Order

VALUES = np.ascontiguousarray(ROWS.to_numpy(), dtype=np.float64)
ROW = array("d", [1.0, 2.0, 3.0])
NOW = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)
SMALL = {"segment_bytes": 1 << 20, "buffer_bytes": 1 << 18}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A champion of LightGBM, and the same model as a candidate."""
    place = tmp_path_factory.mktemp("versions")
    return {name: (place / name, version(place / name, number=n)[0]) for n, name in enumerate(("1.0.0", "1.1.0"), 1)}


@pytest.fixture
def journal(tmp_path):
    with Journal.open(tmp_path / "journal", **SMALL) as opened:
        yield opened


def hosted(folder, pin, name="1.0.0"):
    return Hosted(model=load(folder, pin), version=name, deployment=f"momentum-{name}")


def shadowed(folder, pin, name="1.1.0"):
    features = registered_features(folder, pin)
    return ShadowVersion(folder=folder, pin=pin, features=features, version=name, deployment=f"momentum-{name}")


def behaved(place, body, **more):
    folder = place / "odd"
    pin, _ = version(folder, behaving(body, **more), number=9)
    return folder, pin


def until(done, seconds=20):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)


def records(journal, kind=None):
    assert journal.wait_durable(journal.event(Kind.HEARTBEAT, "end", {}), 5)
    found = list(read(journal.folder))[:-1]
    return [one for one in found if kind is None or getattr(one, "kind", Kind.PREDICTION) is kind]


class Scripted:
    """A model whose answers are given; rows are checked by a real one."""

    def __init__(self, model, answers):
        self.row, self.features, self.pin = model.row, model.features, model.pin
        self.answers = iter(answers)

    def answer(self, row):
        said = next(self.answers)
        if isinstance(said, Exception):
            raise said
        return said


def scripted(folders, journal, answers, **more):
    champion = hosted(*folders["1.0.0"])
    return Host(replace(champion, model=Scripted(champion.model, answers)), journal, **more)


def test_the_champion_answers_and_the_journal_has_its_row(folders, journal):
    host = Host(hosted(*folders["1.0.0"]), journal)
    signal = host.predict("AAPL", VALUES[3])
    (record,) = records(journal)
    assert signal.value == record.value == hosted(*folders["1.0.0"]).model.predict(VALUES[3])
    assert (record.seq, record.version, record.deployment) == (signal.seq, "1.0.0", "momentum-1.0.0")
    assert record.features == VALUES[3].tobytes()
    assert record.latency_ns > 0
    assert (record.is_shadow, record.is_fallback, signal.is_fallback) == (False, False, False)


INVALID = [math.nan, math.inf, -math.inf, 1.5, -1.5, RuntimeError("broken"), ZeroDivisionError()]


@pytest.mark.parametrize("answer", INVALID, ids=repr)
@pytest.mark.parametrize(
    ("output", "value"),
    [
        ({"fallback": Fallback.FLAT}, 0.0),
        ({"fallback": Fallback.PREVIOUS_VALID}, 0.8),
        ({"fallback": Fallback.REDUCED}, 0.4),
        ({"fallback": Fallback.REDUCED, "reduced_by": 0.75}, 0.2),
        ({"fallback": Fallback.RULES, "baseline": lambda _symbol, row: row[0] / 10}, 0.1),
        ({"fallback": Fallback.REDUCED, "neutral": 0.5}, 0.65),
    ],
)
def test_an_answer_that_is_not_valid_executes_the_declared_fallback_and_journals_it(
    folders, journal, answer, output, value
):
    host = scripted(folders, journal, [0.8, answer], output=Output(lowest=-1, highest=1, **output))
    host.predict("AAPL", ROW)
    signal = host.predict("AAPL", ROW)
    assert signal.value == pytest.approx(value)
    assert signal.is_fallback
    assert "the model" in signal.reason
    _, record, why = records(journal)
    assert (record.value, record.is_fallback, record.seq) == (signal.value, True, signal.seq)
    assert why.kind is Kind.FALLBACK
    assert why.says == {"prediction": signal.seq, "fallback": output["fallback"].value, "reason": signal.reason}
    assert host.counted()["fallbacks"] == 1


@pytest.mark.parametrize("fallback", [Fallback.PREVIOUS_VALID, Fallback.REDUCED])
def test_without_a_valid_value_of_this_symbol_that_is_young_enough_the_desk_is_flat(folders, journal, fallback):
    output = Output(fallback=fallback, previous_s=0.05)
    host = scripted(folders, journal, [0.8, math.nan, math.nan], output=output)
    host.predict("AAPL", ROW)
    assert host.predict("MSFT", ROW)[:1] == (0.0,)
    time.sleep(0.06)
    signal = host.predict("AAPL", ROW)
    assert signal.value == 0.0
    assert "flat: found one 0.1 s old as the previous valid value" in signal.reason
    assert {one.says["fallback"] for one in records(journal, Kind.FALLBACK)} == {"flat"}


@pytest.mark.parametrize("said", [math.nan, 7.0, "up", None, KeyError("x")], ids=repr)
def test_a_baseline_that_fails_is_flat(folders, journal, said):
    def baseline(_symbol, _row):
        if isinstance(said, Exception):
            raise said
        return said

    output = Output(lowest=-1, highest=1, fallback=Fallback.RULES, baseline=baseline)
    signal = scripted(folders, journal, [math.nan], output=output).predict("AAPL", ROW)
    assert signal.value == 0.0
    assert "flat: the baseline" in signal.reason


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_features_that_are_not_finite_are_not_shown_to_the_model(folders, journal, odd):
    host = scripted(folders, journal, [])
    signal = host.predict("AAPL", array("d", [1, odd, 2]))
    assert (signal.value, signal.is_fallback) == (0.0, True)
    assert f"b is {odd}" in signal.reason


@pytest.mark.parametrize(
    ("ages", "said"),
    [
        ([6.0], "the features are 6.0 s old, and at most 5 s is allowed"),
        ([None], "the age of the features is unknown"),
        ([-10.0], "10.0 s in the future"),
        ([1.0, 2.0], "1.000 s older than the ones before: the clock goes backwards"),
    ],
)
def test_stale_features_are_a_fallback(folders, journal, ages, said):
    host = scripted(folders, journal, [0.5] * 2, output=Output(most_feature_age_s=5), wall=NOW.timestamp)
    *fresh, last = [host.predict("AAPL", ROW, at=None if age is None else NOW - timedelta(seconds=age)) for age in ages]
    assert not any(one.is_fallback for one in fresh)
    assert said in last.reason
    assert last.value == 0.0
    assert not host.predict("MSFT", ROW, at=NOW).is_fallback


@pytest.mark.parametrize("at", [NOW.replace(tzinfo=None), 1.0, "now"])
def test_a_time_without_a_zone_is_refused(folders, journal, at):
    with pytest.raises(BadInputError, match="a datetime with a zone"):
        scripted(folders, journal, []).predict("AAPL", ROW, at=at)


@pytest.mark.parametrize(
    ("symbol", "features"),
    [("AAPL", [1.0]), ("AAPL", array("d", [1])), ("AAPL", array("f", [1, 2, 3])), ("AAPL", {"a": 1.0}), ("AAPL", None)]
    + [(symbol, ROW) for symbol in ("", "X" * 65, "TSLA", "A\n", None, 7)],
)
def test_what_the_model_does_not_take_is_refused_counted_and_journaled(folders, journal, symbol, features):
    host = scripted(folders, journal, [], symbols={"AAPL", "MSFT"})
    with pytest.raises(BadInputError, match="Expected"):
        host.predict(symbol, features)
    (record,) = records(journal)
    assert (record.kind, record.says["what"], host.counted()["refused"]) == (Kind.REFUSED, "prediction", 1)


@pytest.mark.parametrize(
    "said",
    [
        {"fallback": "sometimes"},
        {"lowest": 1.0, "highest": -1.0},
        {"lowest": 0.5},
        {"fallback": Fallback.RULES},
        {"baseline": len},
        {"reduced_by": 1.0},
        {"neutral": math.nan},
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(said):
    with pytest.raises(BadInputError, match="Expected"):
        Output(**said)


def test_rows_that_are_longer_than_a_record_are_journaled_by_their_digest(tmp_path, journal):
    names = tuple(f"f{n}" for n in range(9000))
    pin, _ = version(tmp_path / "wide", behaving("return table.sum()"), features=names)
    host = Host(hosted(tmp_path / "wide", pin), journal)
    assert host.predict("AAPL", np.ones(9000)).value == 9000.0
    (record,) = records(journal)
    assert record.has_digest_alone
    assert len(record.features) == 32


def test_the_candidate_predicts_the_same_rows_and_both_are_in_the_journal(folders, journal):
    host = Host(hosted(*folders["1.0.0"]), journal, candidate=shadowed(*folders["1.1.0"]))
    try:
        until(lambda: host.candidate.is_ready)
        for n in range(50):
            host.predict(f"S{n % 5}", VALUES[n % 40])
        until(lambda: host.candidate.counts.answered == 50)
    finally:
        host.close()
    found = records(journal)
    assert check(journal.folder).gaps == ()
    mine = [(one.symbol, one.features, one.value) for one in found if not one.is_shadow]
    twins = [(one.symbol, one.features, one.value) for one in found if one.is_shadow]
    assert twins == mine
    assert {one.version for one in found if one.is_shadow} == {"1.1.0"}
    assert {one.deployment for one in found if one.is_shadow} == {"momentum-1.1.0"}
    assert all(one.latency_ns > 0 for one in found)
    assert host.candidate.counted() | {"offered": 50, "answered": 50, "lost": 0} == host.candidate.counted()


ODD = {
    "raises": ("raise ValueError('odd')", {}, "raised"),
    "answers NaN": ("return [float('nan')]", {}, "not_finite"),
    "answers infinity": ("return [float('inf')]", {}, "not_finite"),
    "answers text": ("return ['up']", {}, "raised"),
    "exits": ("os._exit(3)", {}, "crashed"),
    "raises SystemExit": ("raise SystemExit(0)", {}, "raised"),
    "kills itself": ("os.kill(os.getpid(), 11)", {}, "crashed"),
    "sleeps": ("time.sleep(1000)", {}, "hung"),
    "spins": ("while True: pass", {}, "hung"),
    "stops itself": ("os.kill(os.getpid(), 19)", {}, "hung"),
    "is slow": ("time.sleep(0.06); return [1.0]", {}, "slow"),
    "hangs as it loads": ("return [1.0]", {"first": "time.sleep(1000)"}, "hung"),
    "exits as it loads": ("return [1.0]", {"first": "os._exit(1)"}, "crashed"),
    "fails to load": ("return [1.0]", {"first": "raise OSError('no')"}, "not_loaded"),
}


@pytest.mark.parametrize("kind", ODD)
def test_whatever_the_candidate_does_the_champion_answers_at_once_and_it_is_counted(folders, tmp_path, journal, kind):
    body, more, count = ODD[kind]
    folder, pin = behaved(tmp_path, body, **more)
    alone = hosted(*folders["1.0.0"])
    host = Host(alone, journal, candidate=shadowed(folder, pin), time_box_s=0.3, start_s=3)
    longest, answers = 0.0, []
    try:
        deadline = time.monotonic() + 20
        while not host.candidate.counted()[count]:
            assert time.monotonic() < deadline, host.candidate.counted()
            began = time.perf_counter()
            answers.append(host.predict("AAPL", VALUES[len(answers) % 40]))
            longest = max(longest, time.perf_counter() - began)
            time.sleep(0.002)
    finally:
        host.close()
    assert [one.value for one in answers] == [alone.model.predict(VALUES[n % 40]) for n in range(len(answers))]
    assert not any(one.is_fallback for one in answers)
    assert longest < 0.25, "the champion waited for its candidate"
    assert check(journal.folder).gaps == ()


def test_a_candidate_that_hangs_is_killed_and_started_again_and_later_each_time(tmp_path, folders, journal):
    folder, pin = behaved(tmp_path, "time.sleep(1000)")
    host = Host(hosted(*folders["1.0.0"]), journal, candidate=shadowed(folder, pin), time_box_s=0.1)
    pids = set()
    try:
        until(lambda: host.predict("A", ROW) and not pids.add(host.candidate.pid) and host.candidate.counts.hung >= 3)
        assert "gave no answer for 0.1 s" in host.candidate.reason
        assert host.candidate._wait_s >= 0.4
    finally:
        host.close()
    pids.discard(None)
    assert len(pids) >= 3
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    counted = host.candidate.counted()
    assert counted["lost"] >= 3
    assert counted["offered"] == counted["answered"] + counted["raised"] + counted["lost"]


def test_rows_beyond_the_queue_are_counted_and_not_waited_for(tmp_path):
    folder, pin = behaved(tmp_path, "time.sleep(1000)")
    candidate = Candidate(folder, pin, 3, lambda *_: None, time_box_s=60, depth=8)
    try:
        until(lambda: candidate.is_ready)
        began = time.perf_counter()
        for _ in range(1000):
            candidate.offer("AAPL", memoryview(ROW).cast("B"))
        assert time.perf_counter() - began < 1
        assert (candidate.counts.offered, candidate.counts.full) == (8, 992)
    finally:
        candidate.close()
    assert candidate.counts.lost == 8


def test_the_candidates_process_ends_with_a_desk_that_is_killed(tmp_path):
    import subprocess
    import sys

    folder, _ = behaved(tmp_path, "time.sleep(1000)")
    code = f"""
import sys, time
sys.path[:] = {sys.path!r}
from pathlib import Path
from approved_models import pin_of_folder
from signoff.desk.candidate import Candidate
folder = Path({str(folder)!r})
candidate = Candidate(folder, pin_of_folder(folder), 3, print)
while not candidate.is_ready:
    time.sleep(0.01)
candidate.offer("A", memoryview(bytes(24)))
print(candidate.pid, flush=True)
time.sleep(1000)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as desk:
        child = int(desk.stdout.readline())
        os.kill(child, 0)
        os.kill(desk.pid, signals.SIGKILL)
        desk.wait()

    def is_gone():
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return True
        return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z"

    until(is_gone, 5)


def test_a_candidate_that_takes_other_features_does_not_run_and_it_is_said(tmp_path, folders, journal):
    pin, _ = version(tmp_path / "other", behaving("return [1.0]"), features=("x", "y"))
    host = Host(hosted(*folders["1.0.0"]), journal, candidate=shadowed(tmp_path / "other", pin))
    assert host.candidate is None
    assert not host.predict("A", ROW).is_fallback
    assert "takes other features" in records(journal, Kind.REFUSED)[0].says["reason"]


def order(signal, **changes):
    made = Order(
        client_order_id="o-1",
        symbol=signal.symbol,
        weight_change_pct=1.0,
        flags_revision=3,
        version=signal.version,
        prediction=signal.seq,
    )
    return replace(made, **changes)


def test_each_record_of_an_order_names_its_prediction_version_and_deployment(folders, journal):
    host = Host(hosted(*folders["1.0.0"]), journal)
    signal = host.predict("AAPL", ROW)
    made = order(signal)
    seq = host.submitted(made)
    assert journal.is_durable(seq)
    assert journal.is_durable(signal.seq)
    host.acknowledged(made)
    host.filled(Fill(client_order_id="o-1", symbol="AAPL", quantity=100, price=190.5))
    host.cancelled("o-1")
    _, *found = records(journal)
    assert [one.kind for one in found] == [Kind.ORDER, Kind.ACKNOWLEDGED, Kind.FILLED, Kind.CANCELLED]
    ids = {"order": "o-1", "version": "1.0.0", "prediction": signal.seq}
    assert all(one.says | ids == one.says and one.deployment == "momentum-1.0.0" for one in found)
    assert found[2].says | {"quantity": 100, "price": 190.5} == found[2].says


def test_an_order_of_a_shadow_prediction_is_refused_and_journaled(folders, journal):
    host = Host(hosted(*folders["1.0.0"]), journal, candidate=shadowed(*folders["1.1.0"]))
    try:
        until(lambda: host.candidate.is_ready)
        host.predict("AAPL", ROW)
        until(lambda: host.candidate.counts.answered == 1)
    finally:
        host.close()
    (twin,) = [one for one in records(journal) if getattr(one, "is_shadow", False)]
    wish = Order(
        client_order_id="o",
        symbol="AAPL",
        weight_change_pct=1.0,
        flags_revision=1,
        version="1.1.0",
        prediction=twin.seq,
    )
    with pytest.raises(RefusedError, match=r"of v1\.1\.0 in shadow: it is logged, never traded"):
        host.submitted(wish)
    with pytest.raises(RefusedError, match=r"in shadow"):
        host.submitted(replace(wish, version="1.0.0"))
    assert [one.says["what"] for one in records(journal, Kind.REFUSED)] == ["order", "order"]
    assert records(journal, Kind.ORDER) == []


WRONG = {
    "no prediction": {"prediction": 0},
    "a prediction of the future": {"prediction": 99},
    "no number": {"prediction": "1"},
    "another symbol": {"symbol": "MSFT"},
    "another version": {"version": "1.1.0"},
    "no version": {"version": ""},
    "no weight": {"weight_change_pct": math.nan},
}


@pytest.mark.parametrize("kind", WRONG)
def test_an_order_that_is_not_of_its_prediction_does_not_leave(folders, journal, kind):
    host = Host(hosted(*folders["1.0.0"]), journal)
    signal = host.predict("AAPL", ROW)
    with pytest.raises(RefusedError, match="does not leave: expected"):
        host.submitted(order(signal, **WRONG[kind]))
    host.submitted(order(signal))
    with pytest.raises(RefusedError, match="submitted already"):
        host.submitted(order(signal))


def flags_of(state):
    return lambda _version: Flags(
        model="momentum",
        revision=1,
        state=state,
        version="1.0.0",
        candidate=None,
        enabled=True,
        allocation_pct=100,
        shadow_mode=state is FlagState.SHADOW,
        kill_count=0,
    )


def test_a_version_that_control_puts_into_shadow_does_not_trade_what_it_predicted_before(folders, journal):
    host = Host(hosted(*folders["1.0.0"]), journal, flags=flags_of(FlagState.SHADOW))
    with pytest.raises(RefusedError, match=r"v1\.0\.0 is in shadow mode"):
        host.submitted(order(host.predict("AAPL", ROW)))
    host = Host(hosted(*folders["1.0.0"]), journal, flags=flags_of(FlagState.FULL))
    assert host.submitted(order(host.predict("AAPL", ROW)))


def test_no_order_leaves_while_the_disk_does_not_take_its_prediction(folders, tmp_path, monkeypatch):
    from signoff.desk import orders
    from signoff.desk.journal import writing

    monkeypatch.setattr(orders, "DURABLE_S", 0.2)
    journal = Journal.open(tmp_path / "stalling", **SMALL)
    host = Host(hosted(*folders["1.0.0"]), journal)
    really = writing.write_durably

    def fails(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(writing, "write_durably", fails)
    signal = host.predict("AAPL", ROW)
    with pytest.raises(
        UnavailableError, match=r"does not leave: expected its prediction 1 on the disk, found that Input"
    ):
        host.submitted(order(signal))
    began = time.monotonic()
    host.submitted(order(signal, client_order_id="exit"), is_exit=True)
    host.cancelled("exit")
    assert time.monotonic() - began < 0.15, "an exit waited for the disk"
    monkeypatch.setattr(writing, "write_durably", really)
    until(lambda: journal.state == "open")
    assert host.submitted(order(signal, client_order_id="again"))
    journal.close()


def test_exits_and_cancels_pass_a_journal_that_takes_nothing(folders, tmp_path, caplog):
    journal = Journal.open(tmp_path / "j", **SMALL)
    host = Host(hosted(*folders["1.0.0"]), journal)
    signal = host.predict("AAPL", ROW)
    journal.close()
    with pytest.raises(UnavailableError):
        host.predict("AAPL", ROW)
    for done in (
        lambda: host.submitted(order(signal), is_exit=True),
        lambda: host.acknowledged("o-1"),
        lambda: host.cancelled("o-1"),
        lambda: host.filled(Fill(client_order_id="o-1", symbol="AAPL", quantity=math.nan, price=1.0)),
    ):
        assert done() == 0
    assert host.counted()["unrecorded"] == 4
    assert "not recorded, 4 so far: FILLED of o-1" in caplog.text


def test_what_this_desk_did_not_submit_is_an_orphan(folders, journal):
    host = Host(hosted(*folders["1.0.0"]), journal)
    host.filled(Fill(client_order_id="from elsewhere", symbol="AAPL", quantity=1, price=1))
    assert records(journal)[0].says["is_orphan"]


@pytest.fixture
def full(tmp_path, monkeypatch):
    """What opens a journal whose disk takes nothing any more."""
    from signoff.desk.journal import writing

    monkeypatch.setattr(writing.Journal, "_swapped", lambda _: None)
    return lambda when: Journal.open(tmp_path / "full", when_full=when, **SMALL)


def many(host):
    return [host.predict("AAPL", ROW) for _ in range(5000)][-1]


def test_a_full_journal_refuses_predictions(folders, full):
    host = Host(hosted(*folders["1.0.0"]), full(WhenFull.REFUSE))
    with pytest.raises(JournalFullError):
        many(host)


def test_where_policy_goes_on_unlogged_what_was_dropped_is_not_traded(folders, full, monkeypatch):
    journal = full(WhenFull.DROP)
    host = Host(hosted(*folders["1.0.0"]), journal)
    signal = many(host)
    assert (signal.seq, journal.dropped > 0) == (0, True)
    monkeypatch.setattr(journal, "event", lambda *_: 0)
    with pytest.raises(RefusedError, match="expected the number of one of the last"):
        host.submitted(order(signal))


def test_the_desk_remembers_the_latest_predictions_and_no_more(folders, journal, monkeypatch):
    from signoff.desk import orders

    monkeypatch.setattr(orders, "REMEMBERED", 16)
    host = Host(hosted(*folders["1.0.0"]), journal)
    first, *_, last = [host.predict("AAPL", ROW) for _ in range(17)]
    with pytest.raises(RefusedError, match="one of the last 16 predictions"):
        host.submitted(order(first))
    assert host.submitted(order(last))


def test_versions_change_places_while_the_desk_predicts(folders, journal):
    one, other = folders["1.0.0"], folders["1.1.0"]
    host = Host(hosted(*one), journal, candidate=shadowed(*other))
    before = host.predict("AAPL", ROW)
    host.replace(hosted(*other, "1.1.0"), None)
    after = host.predict("AAPL", ROW)
    assert (before.version, after.version, host.candidate) == ("1.0.0", "1.1.0", None)
    assert host.counted()["shadow"]["not_ready"] == 1
    assert host.submitted(order(before))
    host.unavailable = "control names v1.2.0 as champion, which is not loaded"
    assert host.predict("AAPL", ROW).reason.startswith("control names v1.2.0")
