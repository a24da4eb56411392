"""A model registry that is away, hangs or answers nonsense: fence and cancel wait for nothing of it."""

import os
import time

import pytest

pytest.importorskip("mlflow")

from http_server import Served
from places import Place
from several_models import Several

from signoff.app.rollback import order_scope
from signoff.domain.deployment import State
from signoff.domain.errors import UnavailableError
from signoff.installation import Installation
from signoff.ports.venue import OpenOrder

READ_S = 2
KINDS = ("hangs", "trickles", "drops", "nonsense", "other", "away")


@pytest.fixture(autouse=True)
def budget(monkeypatch):
    """A fraction of the usual one, so that nobody waits for the tests."""
    monkeypatch.setenv("SIGNOFF_REGISTRY_READ_S", f"{READ_S}")
    monkeypatch.setenv("SIGNOFF_REGISTRY_TOTAL_S", f"{2 * READ_S}")


def order(house, model):
    placed = OpenOrder(client_order_id=f"{order_scope(model)}1", symbol="A", side="buy", quantity=1.0)
    house.simulated_venue.place([placed], flags_revision=house.record.flags(model).revision)


@pytest.mark.parametrize("kind", [pytest.param(k, marks=[pytest.mark.abuse] * (k == "hangs")) for k in KINDS])
def test_a_rollback_over_http_fences_and_cancels_in_seconds_and_is_stuck_within_the_budget(tmp_path, kind, monkeypatch):
    with Place(kind) as place:
        monkeypatch.setenv("SIGNOFF_REGISTRY", place.url)
        served = Served(tmp_path / "home").start()
        world = Several(tmp_path / "home")
        try:
            identity = world.release("m")
            order(world.house, "m")
            began = time.monotonic()
            body = {"occasion": "error", "reason": "r"}
            answer = served.client("head_of_trading").post(
                f"/api/v1/deployments/{identity}/rollback", json=body, timeout=90
            )
            assert answer.status_code == 200, answer.text
            assert answer.json()["state"] == "rollback_stuck"
            assert time.monotonic() - began < 60
            state = world.house.record.deployment(identity)
            took = {step.value: (at - state.rollback.started_at).total_seconds() for step, at in state.rollback.done}
            assert set(took) == {"fence", "cancel", "verify_flat"}
            assert max(took.values()) < READ_S  # whatever asked the registry took as long at the least
            assert world.house.broker.open_orders(order_scope("m")) == ()
            assert place.asked > 0
            pages = [e for e in world.house.store.pending() if e.kind == "page"]
            assert pages or any("rollback stuck at revert" in n["subject"] for n in world.notices())
        finally:
            served.stop()


@pytest.mark.parametrize("kind", ["hangs", "trickles"])
def test_meanwhile_the_worker_records_kills_and_missed_deadlines_at_once(tmp_path, kind):
    with Place(kind) as place:
        world = Several(tmp_path / "home", registry=place.url)
        leaving, late = world.leaving("m"), world.late("size")
        world.start()
        try:
            world.until(lambda: world.house.record.deployment(leaving).rollback.next_step.value == "revert")
            world.until(lambda: place.asked > 0)
            for model in ("value", "carry", "m"):
                world.kill(model)
                began = time.monotonic()
                world.until(lambda model=model: world.is_killed(model))
                assert time.monotonic() - began < 6
            world.until(lambda: "deadline_breached" in world.kinds(late))
            world.until(lambda: world.house.record.deployment(leaving).state is State.ROLLBACK_STUCK)
            world.until(lambda: any("rollback stuck at revert" in n["subject"] for n in world.notices()))
        finally:
            world.stop()


def test_a_registry_that_hangs_is_left_alone_after_some_calls_and_says_so(tmp_path):
    with Place("hangs") as place:
        house = Installation(Several(tmp_path / "home", registry=place.url).settings)
        for _ in range(3):
            with pytest.raises(UnavailableError, match=r"within 4 s|did not answer"):
                house.registry.version("m", "2")
        began = time.monotonic()
        with pytest.raises(UnavailableError, match="was not asked"):
            house.registry.version("m", "2")
        assert time.monotonic() - began < 1


def test_no_password_in_the_address_of_a_registry_is_in_what_is_said_of_it(tmp_path):
    with Place("drops") as place:
        uri = f"http://rae:secret@127.0.0.1:{place.port}"
        house = Installation(Several(tmp_path / "home", registry=uri).settings)
        for _ in range(4):
            with pytest.raises(UnavailableError) as told:
                house.registry.version("m", "2")
            assert "secret" not in str(told.value)


def test_a_registry_file_that_is_a_fifo_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "mlflow.db")
    house = Installation(Several(tmp_path / "home", registry=f"sqlite:///{tmp_path / 'mlflow.db'}").settings)
    with pytest.raises(UnavailableError, match="found a FIFO"):
        house.registry.version("m", "2")
