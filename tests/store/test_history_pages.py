"""Lists and histories are read page by page, and only what is shown is read."""

import pytest

from signoff.app.record import StreamChange, deployment_stream
from signoff.config.settings import settings
from signoff.domain.errors import NotFoundError
from signoff.domain.events import Adopted, Killed, Paused, PauseReason, Resumed
from signoff.domain.policy import Policy
from signoff.installation import Installation
from signoff.verbs.local import Local


@pytest.fixture
def house(tmp_path):
    house = Installation(settings(home=str(tmp_path / "home"), database=None))
    for model, version in (("alpha", "1"), ("beta", "1"), ("alpha", "2"), ("gamma", "1")):
        adopted(house, model, version)
    for n in range(3):
        for model in ("alpha", "beta"):
            paused(house, f"{model}-1-adopted", f"{model} {n}")
    killed(house, "alpha")
    return house


def adopted(house, model, version):
    identity = f"{model}-{version}-adopted"
    event = Adopted(
        deployment=identity,
        model=model,
        version=version,
        policy=Policy(name="p", version="1"),
        signatures=(),
        reason="live",
    )
    committed(house, deployment_stream(identity), None, event)


def paused(house, identity, note):
    about = {"reason": PauseReason.MANUAL, "note": note}
    state = house.record.deployment(identity)
    committed(house, deployment_stream(identity), state, Paused(**about), Resumed(**about))


def killed(house, model):
    event = Killed(model=model, reason="orders at ten times the size", epoch=1)
    committed(house, f"model/{model}", house.record.latch(model), event)


def committed(house, stream, state, *events):
    key = f"{stream}:{0 if state is None else state.revision}"
    house.record.commit(StreamChange(stream=stream, state=state, events=events), actor="R. Moreau", key=key)


def pages(house, name, limit):
    told, after = [], 0
    while after is not None:
        page = Local(house, "R. Moreau").history(name, after=after, limit=limit)
        assert len(page["history"]) <= limit
        told += page["history"]
        after = page["next"]
    return told


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
@pytest.mark.parametrize("name", ["alpha", "beta", "alpha-1-adopted"])
def test_pages_of_any_size_tell_what_the_whole_history_tells(house, name, limit):
    whole = Local(house, "R. Moreau").history(name)
    assert whole["next"] is None
    assert pages(house, name, limit) == whole["history"]


def test_a_models_history_holds_its_releases_and_its_kills_and_nothing_of_others(house):
    told = Local(house, "R. Moreau").history("alpha")["history"]
    assert {e["stream"] for e in told} == {"deployment/alpha-1-adopted", "deployment/alpha-2-adopted", "model/alpha"}
    expected = [r for r in house.record.history() if "alpha" in r.stream]
    assert [(e["stream"], e["revision"]) for e in told] == [(r.stream, r.revision) for r in expected]
    assert len(told) == 9


def test_the_last_page_names_none_after_it_even_when_it_is_full(house):
    whole = Local(house, "R. Moreau").history("beta")["history"]
    assert Local(house, "R. Moreau").history("beta", limit=len(whole))["next"] is None
    assert Local(house, "R. Moreau").history("beta", limit=len(whole) - 1)["next"] is not None


def test_what_is_written_meanwhile_moves_no_page(house):
    first = Local(house, "R. Moreau").history("beta", limit=2)
    paused(house, "beta-1-adopted", "late")
    paused(house, "gamma-1-adopted", "of another")
    rest = Local(house, "R. Moreau").history("beta", after=first["next"])
    assert first["history"] + rest["history"] == Local(house, "R. Moreau").history("beta")["history"]


def test_a_name_that_nobody_knows_is_refused_with_those_that_are_known(house):
    with pytest.raises(NotFoundError, match="found 'unknown', which nothing is on record of; known are: alpha"):
        Local(house, "R. Moreau").history("unknown", limit=5)


def test_a_page_after_the_last_event_of_a_known_name_is_empty(house):
    assert Local(house, "R. Moreau").history("alpha", after=10_000, limit=5) == {"history": [], "next": None}


def test_a_page_of_history_does_not_read_the_ledger_through(house, monkeypatch):
    whole = Local(house, "R. Moreau").history("alpha")["history"]

    def refused(*_, **__):
        raise AssertionError("the whole ledger was read")

    monkeypatch.setattr(type(house.store), "rows", refused)
    assert Local(house, "R. Moreau").history("alpha", limit=4)["history"] == whole[:4]


def test_the_flags_beside_a_list_are_those_of_each_model(house):
    page = Local(house, "R. Moreau").deployments()
    assert [d["deployment"] for d in page["deployments"]] == [
        "alpha-1-adopted",
        "alpha-2-adopted",
        "beta-1-adopted",
        "gamma-1-adopted",
    ]
    assert page["flags"] == {m: dict(house.record.flags(m).as_keys()) for m in ("alpha", "beta", "gamma")}
    assert page["flags"]["alpha"]["models.alpha.enabled"] is False
    assert page["flags"]["beta"]["models.beta.enabled"] is True


def test_the_flags_of_a_page_count_releases_that_are_on_another_page(house):
    page = Local(house, "R. Moreau").deployments(limit=1)
    assert page["flags"] == {"alpha": dict(house.record.flags("alpha").as_keys())}
    assert house.record.flags_of(["alpha", "unknown"]) == {m: house.record.flags(m) for m in ("alpha", "unknown")}
