"""A worker over a home: silence is told and acts, late data are judged, kills are told."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from several_models import Several
from standing import POLICY, way_to

from signoff.adapters.clocks import SimulatedClock
from signoff.app import observe
from signoff.app.record import StreamChange, deployment_stream
from signoff.cli.main import main
from signoff.domain import events as e
from signoff.domain.deployment import State
from signoff.domain.errors import BadInputError, NotFoundError, RefusedError
from signoff.domain.events import PauseReason
from signoff.installation import Installation
from signoff.verbs.local import Local
from signoff.worker.work import Worker

SESSIONS = [date(2019, 1, day) for day in (7, 8, 9, 10, 11, 14, 15, 16)]
GOOD = e.Observed(session=SESSIONS[0], counts=True, readings=(), is_conclusive=True)
UNKNOWN = (e.Reading(key="psi_max", value=None, level="unknown"),)
KINDS = {
    "good": GOOD,
    "none": replace(GOOD, counts=False, is_conclusive=False, unmet=("no data arrived for this session",)),
    "unknown": replace(GOOD, is_conclusive=False, readings=UNKNOWN, unmet=("psi_max is unknown",)),
    "bad": replace(GOOD, fired=("error_rate",), unmet=("trigger holds: error_rate",)),
}
RELEASE, ADOPTED = "m-2", "old-1-adopted"


class Feed:
    """What was journaled, by session."""

    def __init__(self, shown):
        self._shown = shown

    def sessions(self, model):
        return tuple(sorted(day for day, kind in self._shown.items() if kind != "none"))

    def measure(self, model, version, session, live_since, champion=None, phases=None):
        return replace(KINDS[self._shown.get(session, "none")], session=session)


class Desk:
    """A home of 2019 whose sessions show what a table says, and a worker that passes after each."""

    def __init__(self, home, monkeypatch):
        self.several, self.shown = Several(home), {}
        self.clock = SimulatedClock(datetime(2019, 1, 5, 12, tzinfo=UTC))
        self.house = Installation(self.several.settings, self.clock)
        monkeypatch.setattr(observe, "observe", lambda shown, *_: shown)
        monkeypatch.setattr(Installation, "feed", lambda house, model: Feed(self.shown))

    def live(self, state=State.FULL):
        change = StreamChange(stream=deployment_stream(RELEASE), state=None, events=tuple(way_to(state)))
        self.house.record.commit(change, actor="t", key="put")

    def adopted(self):
        born = e.Adopted(deployment=ADOPTED, model="old", version="1", policy=POLICY, signatures=(), reason="r")
        change = StreamChange(stream=deployment_stream(ADOPTED), state=None, events=(born,))
        self.house.record.commit(change, actor="t", key="adopted")

    def after(self, n, *, passes=1, **how):
        """The morning after the first n sessions, once a worker has passed."""
        morning = datetime.combine(SESSIONS[n - 1], datetime.min.time(), UTC) + timedelta(days=1, hours=6)
        self.clock.set(morning)
        for _ in range(passes):
            done = Worker(self.house).work(**{"is_observing": True} | how)
        return done

    def share(self, model="m"):
        return self.house.record.flags(model).allocation_pct

    def told(self, word):
        return [n for n in self.several.notices() if word in n["subject"] or word in n["text"]]


@pytest.fixture
def desk(tmp_path, monkeypatch):
    return Desk(tmp_path / "home", monkeypatch)


@pytest.mark.parametrize("kind", ["none", "unknown"])
def test_five_silent_sessions_at_full_capital_are_told_once_and_cut_it_to_the_limited_share_and_to_zero(desk, kind):
    desk.live()
    desk.shown.update(dict.fromkeys(SESSIONS[:5], kind))
    desk.after(1, passes=3)
    assert desk.share() == 100
    (first,) = desk.told("monitoring of 2019-01-07")
    concern = {"none": "no data", "unknown": "psi_max: unknown"}[kind]
    assert f"m v2, session 2019-01-07: New: {concern}." in first["text"]
    assert "After 1 more such session capital falls to 10%" in first["text"]
    desk.after(2, passes=3)
    assert desk.share() == 10
    (cut,) = desk.told("PAGE: capital cut to 10%")
    assert "capital cut to 10% after 2 sessions without conclusive data" in cut["text"]
    desk.after(4, passes=2)
    assert desk.share() == 10
    desk.after(5, passes=3)
    flags = desk.house.record.flags("m")
    assert (flags.enabled, flags.allocation_pct, flags.shadow_mode, flags.state) == (False, 0, False, "full")
    assert len(desk.told("PAGE: capital cut to 0%")) == 1
    assert len(desk.told("monitoring of")) == 1


def test_every_face_says_why_capital_was_cut(desk):
    desk.live()
    desk.after(2)
    why = "capital cut to 10% after 2 sessions without conclusive data"
    one = Local(desk.house, "A. Berg").deployment(RELEASE)
    assert (one["capital_cut"], one["silent_sessions"], one["allocation_pct"]) == (why, 2, 10)
    assert one["waits_for"] == f"{why}; silent for 2 sessions: no data"
    assert Local(desk.house, "A. Berg").flags("m")["reason"] == why
    assert [r.event.kind for r in desk.house.record.history(deployment_stream(RELEASE))].count("capital_cut") == 1


def test_sessions_that_a_person_declared_do_not_count(desk):
    desk.live()
    desk.after(1)
    local = Local(desk.house, "A. Berg")
    local.not_held(RELEASE, SESSIONS[0], reason="NYSE closed, storm")
    desk.clock.set(datetime.combine(SESSIONS[1], datetime.min.time(), UTC) + timedelta(hours=22))
    local.not_held(RELEASE, SESSIONS[1], reason="NYSE closed, storm")
    done = desk.after(3)
    assert done.observed == [f"{RELEASE}: {SESSIONS[2]}"]
    assert (desk.share(), local.deployment(RELEASE)["silent_sessions"]) == (100, 1)
    said = [told["what"] for told in local.history("m")["history"]]
    assert f"declared that the session {SESSIONS[0]} was not held: NYSE closed, storm" in said


def test_late_data_are_judged_and_a_trigger_in_them_acts(desk):
    desk.live()
    desk.after(1)
    desk.shown[SESSIONS[0]] = "bad"
    done = desk.after(1)
    assert done.observed == [f"{RELEASE}: {SESSIONS[0]}"]
    state = desk.house.record.deployment(RELEASE)
    assert state.rollback is not None
    assert state.rollback.trigger == "error_rate"


def test_late_data_end_the_silence_and_a_person_then_restores_the_capital(desk):
    desk.live()
    desk.after(2)
    desk.shown.update(dict.fromkeys(SESSIONS[:2], "good"))
    desk.after(2)
    assert len(desk.told("Ended: no data")) == 1
    assert desk.share() == 10
    local = Local(desk.house, "A. Berg")
    local.resume(RELEASE, e.PauseReason.SILENCE, note="feed mended")
    assert desk.share() == 100


def test_a_person_judges_a_late_session_by_hand(desk):
    desk.live()
    desk.after(2)
    desk.shown.update(dict.fromkeys(SESSIONS[:2], "good"))
    Local(desk.house, "A. Berg").observe(RELEASE, SESSIONS[0])
    assert desk.house.record.deployment(RELEASE).unjudged == (SESSIONS[1],)


def test_a_session_that_a_person_hid_is_judged_when_its_data_come(desk):
    desk.live()
    desk.after(1)
    Local(desk.house, "A. Berg").not_held(RELEASE, SESSIONS[0], reason="storm")
    desk.shown[SESSIONS[0]] = "bad"
    desk.after(1)
    assert desk.house.record.deployment(RELEASE).rollback is not None


def test_an_adopted_version_is_observed_from_the_last_closed_session_on(desk):
    desk.adopted()
    assert desk.after(6).observed == [f"{ADOPTED}: {SESSIONS[5]}"]
    assert desk.share("old") == 100
    assert len(desk.told("old v1, session 2019-01-14: New: no data")) == 1
    desk.after(7)
    assert desk.share("old") == 10


def test_a_trigger_of_its_policy_acts_on_an_adopted_version(desk):
    desk.adopted()
    desk.shown[SESSIONS[0]] = "bad"
    desk.after(1)
    assert desk.house.record.deployment(ADOPTED).rollback is not None
    assert not desk.house.record.flags("old").enabled


def test_a_journal_that_cannot_be_read_is_silence_for_the_worker_and_an_error_for_a_person(tmp_path):
    several = Several(tmp_path / "home")
    identity = several.release("m", State.FULL, ago=timedelta(days=21))
    with pytest.raises(BadInputError, match="live journal"):
        Local(several.house, "A. Berg").observe(identity)
    Worker(several.house).work(is_observing=True)
    state = several.house.record.deployment(identity)
    assert state.concerns == ("no data",)
    assert state.allocation_pct == 0
    (told,) = [n for n in several.notices() if "monitoring of" in n["subject"]]
    assert "no data arrived for this session" in told["text"]


def test_a_release_in_a_real_home_without_a_journal_loses_its_capital_to_a_worker_by_default(tmp_path):
    several = Several(tmp_path / "home")
    several.release("m", State.FULL, ago=timedelta(days=12))
    several.house.record.store.size()
    several.start()
    try:
        several.until(lambda: several.house.record.flags("m").allocation_pct == 0)
        several.until(lambda: any("capital cut to 0%" in n["subject"] for n in several.notices()))
    finally:
        several.stop()
    assert sum("capital cut to 10%" in n["subject"] for n in several.notices()) == 1


@pytest.mark.parametrize(("option", "is_observed"), [((), True), (("--no-observe",), False), (("--observe",), True)])
def test_the_worker_observes_unless_it_is_told_not_to_and_status_says_so(tmp_path, capsys, option, is_observed):
    several = Several(tmp_path / "home")
    identity = several.release("m", State.FULL, ago=timedelta(days=5))
    home = ["--home", str(several.settings.home), "--registry", several.settings.registry]
    main(["worker", *option, *home])
    assert ("observed" in several.kinds(identity)) is is_observed
    capsys.readouterr()
    main(["status", *home])
    assert ("Not observed" in capsys.readouterr().out) is not is_observed
    main(["status", *home, "--json"])
    assert json.loads(capsys.readouterr().out)["observing"] is is_observed


def told_of_kills(several):
    Worker(several.house).work(is_observing=False)
    Worker(several.house).work(is_observing=False)
    return [n for n in several.notices() if "kill" in n["subject"]]


@pytest.mark.parametrize("model", ["m", "a-name-that-nobody-knows"])
def test_a_kill_of_one_model_calls_people_once(tmp_path, model):
    several = Several(tmp_path / "home")
    several.release("m", State.FULL)
    several.house.kill_switch.kill(model, reason="orders at ten times the size", actor="A. Berg")
    (told,) = told_of_kills(several)
    assert told["severity"] == "page"
    assert told["subject"] == f"PAGE: {model} was killed"
    assert "A. Berg ordered at" in told["text"]
    assert f"to stop {model}: orders at ten times the size." in told["text"]
    assert ("No release of this name is on record" in told["text"]) is (model != "m")
    assert ("Live: v2 (full, 100%)" in told["text"]) is (model == "m")


def test_two_kills_of_one_model_are_two_calls(tmp_path):
    several = Several(tmp_path / "home")
    for reason in ("first", "second"):
        several.house.kill_switch.kill("m", reason=reason, actor="A. Berg")
    assert len(told_of_kills(several)) == 2


@pytest.mark.parametrize("models", [(), ("m",), tuple(f"m{n:02}" for n in range(25))])
def test_a_kill_of_everything_is_one_call_however_many_models_it_stops(tmp_path, models):
    several = Several(tmp_path / "home")
    for model in models:
        several.release(model, State.FULL)
    several.house.kill_switch.kill_many(reason="venue down", actor="A. Berg")
    (told,) = told_of_kills(several)
    assert ("It stopped nobody" in told["text"]) is (not models)
    assert ("and 5 more" in told["text"]) is (len(models) == 25)


def test_a_kill_of_a_desk_is_one_call(tmp_path):
    several = Several(tmp_path / "home")
    for model in ("m", "n"):
        opened, *rest = way_to(State.FULL)
        born = replace(opened, deployment=f"{model}-2", model=model, desk="alpha")
        change = StreamChange(stream=deployment_stream(f"{model}-2"), state=None, events=(born, *rest))
        several.house.record.commit(change, actor="t", key=f"put {model}")
    several.house.kill_switch.kill_many(reason="r", actor="A. Berg", desk="alpha")
    (told,) = told_of_kills(several)
    assert "every model of the desk alpha: r. Known here: m, n." in told["text"]


def test_a_kill_of_a_desk_that_nobody_knows_is_told_as_one_that_stopped_nobody(tmp_path):
    several = Several(tmp_path / "home")
    several.release("m", State.FULL)
    with pytest.raises(NotFoundError):
        several.house.kill_switch.kill_many(reason="r", actor="A. Berg", desk="alhpa")
    (told,) = told_of_kills(several)
    assert "It stopped nobody: no release on record names the desk 'alhpa'" in told["text"]


def test_a_kill_that_a_journal_kept_while_the_record_was_away_is_told_once(tmp_path):
    several = Several(tmp_path / "home")
    several.kill("m")
    (told,) = told_of_kills(several)
    assert told["subject"] == "PAGE: m was killed"


def test_a_version_that_was_brought_back_was_not_silent_while_another_one_traded(desk):
    desk.live()
    desk.shown.update(dict.fromkeys(SESSIONS[:2], "good"))
    desk.after(2)
    for n, event in enumerate((e.Superseded(by_deployment="m-3"), e.Reinstated(after_deployment="m-3"))):
        desk.clock.set(datetime(2019, 1, 8 + 5 * n, 22, tzinfo=UTC))
        change = StreamChange(
            stream=deployment_stream(RELEASE), state=desk.house.record.deployment(RELEASE), events=(event,)
        )
        desk.house.record.commit(change, actor="t", key=event.kind)
    assert desk.after(5).observed == []
    assert (desk.share(), desk.told("monitoring of"), desk.told("PAGE")) == (100, [], [])
    assert desk.after(7).observed == [f"{RELEASE}: {day}" for day in SESSIONS[5:7]]
    assert desk.share() == 10  # silence after its return acts as ever


def test_data_of_a_session_that_was_declared_as_not_held_are_judged_though_they_tell_nothing(desk):
    desk.live()
    desk.shown[SESSIONS[0]] = "good"
    desk.after(1)
    desk.clock.set(datetime.combine(SESSIONS[1], datetime.min.time(), UTC) + timedelta(hours=22))
    Local(desk.house, "A. Berg").not_held(RELEASE, SESSIONS[1], reason="said to be closed")
    desk.shown.update({SESSIONS[1]: "unknown", SESSIONS[2]: "unknown"})
    desk.after(3)
    desk.after(4)
    state = desk.house.record.deployment(RELEASE)
    assert (state.not_held, state.unjudged, desk.share()) == ((), tuple(SESSIONS[1:4]), 10)


def test_declarations_alone_bring_no_capital_back(desk):
    desk.live()
    desk.shown[SESSIONS[0]] = "good"
    desk.after(1)
    desk.after(6)
    assert desk.share() == 0
    local = Local(desk.house, "A. Berg")
    for day in SESSIONS[1:6]:
        local.not_held(RELEASE, day, reason="said to be closed")
    with pytest.raises(RefusedError, match="the last conclusive one is 2019-01-07"):
        local.resume(RELEASE, PauseReason.SILENCE, note="please")
    desk.shown[SESSIONS[6]] = "good"
    desk.after(7)
    local.resume(RELEASE, PauseReason.SILENCE, note="heard again")
    assert desk.share() == 100


@pytest.mark.parametrize(("day", "said"), [(date(2019, 1, 12), "Saturday"), (SESSIONS[5], "closes at")])
def test_only_a_session_that_is_over_is_declared(desk, day, said):
    desk.live()
    desk.after(5)
    desk.clock.set(datetime.combine(SESSIONS[5], datetime.min.time(), UTC) + timedelta(hours=15))
    with pytest.raises(RefusedError, match=said):
        Local(desk.house, "A. Berg").not_held(RELEASE, day, reason="said to be closed")


def test_nothing_is_declared_while_the_journal_cannot_be_read(desk, monkeypatch):
    desk.live()
    desk.after(1)

    def broken(*_):
        raise BadInputError("the live journal is junk")

    monkeypatch.setattr(Feed, "sessions", broken)
    with pytest.raises(BadInputError, match="junk"):
        Local(desk.house, "A. Berg").not_held(RELEASE, SESSIONS[0], reason="said to be closed")


def test_a_cut_of_a_killed_model_calls_nobody(desk):
    desk.live()
    desk.house.kill_switch.kill("m", reason="drill", actor="t")
    desk.after(2)
    assert desk.told("PAGE: capital cut") == []
    (told,) = desk.told("capital cut to 10%")
    assert "The model is killed and trades nothing." in told["text"]
