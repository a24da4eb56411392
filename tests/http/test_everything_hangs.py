"""Venue, database, pager and messenger hang: what stops a model is done all the same, or says so soon."""

import fcntl
import os
import sqlite3
import time
from contextlib import closing, contextmanager

import pytest
from http_server import Served
from places import Place
from several_models import Several

from signoff.app.rollback import order_scope
from signoff.domain.deployment import State
from signoff.ports.venue import OpenOrder

BODY = {"occasion": "error", "reason": "r"}


@contextmanager
def locked(world):
    """The venue's book, kept by somebody who does not let go."""
    with (world.settings.home / "simulated_broker.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def fifo(world):
    """A FIFO that is never written to, where the venue's book belongs."""
    path = world.settings.home / "simulated_broker.json"
    kept = path.read_bytes() if path.exists() else None
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    yield
    path.unlink()
    if kept is not None:
        path.write_bytes(kept)


@contextmanager
def link(world):
    """A link to somewhere else, in the place of the venue's lock."""
    path = world.settings.home / "simulated_broker.lock"
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/full")
    yield
    path.unlink()


HANGING = {"a locked book": locked, "a FIFO": fifo, "a link": link}


@pytest.fixture
def world(tmp_path):
    served = Served(tmp_path / "home").start()
    world = Several(tmp_path / "home")
    world.client = served.client("head_of_trading")
    yield world
    world.stop()
    served.stop()


def order(world, model):
    placed = OpenOrder(client_order_id=f"{order_scope(model)}1", symbol="A", side="buy", quantity=1.0)
    world.house.simulated_venue.place([placed], flags_revision=world.house.record.flags(model).revision)


@pytest.mark.parametrize("hanging", HANGING)
def test_a_venue_that_hangs_makes_a_rollback_stuck_at_its_first_step_within_seconds(world, hanging):
    identity = world.release("m")
    order(world, "m")
    began = time.monotonic()
    with HANGING[hanging](world):
        answer = world.client.post(f"/api/v1/deployments/{identity}/rollback", json=BODY)
    assert answer.status_code == 200, answer.text
    assert answer.json()["state"] == "rollback_stuck"
    assert answer.json()["flags"]["models.m.enabled"] is False
    assert time.monotonic() - began < 25
    rollback = world.house.record.deployment(identity).rollback
    assert rollback.stuck_at.value == "fence"


@pytest.mark.parametrize("hanging", HANGING)
def test_while_the_venue_hangs_a_kill_is_answered_and_recorded_and_halted_once_it_is_back(world, hanging):
    world.release("m")
    order(world, "m")
    world.start()
    with HANGING[hanging](world):
        began = time.monotonic()
        answer = world.client.post("/api/v1/models/m/kill", json={"reason": "r"})
        assert answer.status_code == 200, answer.text
        assert time.monotonic() - began < 25
        assert answer.json()["open_orders"] is None
        world.until(lambda: world.is_killed("m"))
    world.until(lambda: world.house.broker.open_orders(order_scope("m")) == ())


def test_with_the_database_locked_a_kill_is_in_force_and_a_rollback_is_refused_soon(world):
    identity = world.release("m")
    with closing(sqlite3.connect(world.settings.home / "signoff.db", isolation_level=None)) as database:
        database.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        answer = world.client.post("/api/v1/models/m/kill", json={"reason": "r"})
        assert (answer.status_code, answer.json()["journaled"]) == (200, True)
        assert time.monotonic() - began < 10
        refused = world.client.post(f"/api/v1/deployments/{identity}/rollback", json=BODY, timeout=120)
        assert refused.status_code == 503
        assert time.monotonic() - began < 90
    world.start()
    world.until(lambda: world.is_killed("m"))


def test_a_pager_and_a_messenger_that_hang_keep_no_kill_and_no_deadline(tmp_path, monkeypatch):
    with Place("hangs") as place:
        (tmp_path / "key").write_text("k" * 32)
        monkeypatch.setenv("SIGNOFF_PAGER_KEY_FILE", str(tmp_path / "key"))
        for name in ("PAGER", "WEBHOOK"):
            monkeypatch.setenv(f"SIGNOFF_{name}_URL", place.url)
            monkeypatch.setenv(f"SIGNOFF_{name}_ALLOW", "127.0.0.1")
        world = Several(tmp_path / "home")
        leaving, late = world.leaving_alone("carry"), world.late("size")
        world.start()
        try:
            world.until(lambda: place.asked > 0)
            for model in ("value", "other", "m"):
                world.kill(model)
                began = time.monotonic()
                world.until(lambda model=model: world.is_killed(model))
                assert time.monotonic() - began < 6
            world.until(lambda: world.house.record.deployment(leaving).state is State.ROLLED_BACK)
            world.until(lambda: "deadline_breached" in world.kinds(late))
        finally:
            world.stop()
