"""A PostgreSQL that takes what it is sent and never answers: nobody waits for it without end."""

import os
import signal
import time

import pytest

pytest.importorskip("psycopg")

from postgres import fresh_database
from sqlalchemy import text

from signoff.adapters import database
from signoff.adapters.database import Database
from signoff.domain.errors import UnavailableError

pytestmark = pytest.mark.real


@pytest.fixture
def stopped(monkeypatch):
    """A database whose one connection is stopped in the middle, as by a machine that swaps itself to death."""
    monkeypatch.setattr(database, "ANSWER_S", 1.0)
    there = Database(fresh_database())
    with there.reading() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar()
    os.kill(backend, signal.SIGSTOP)
    yield there
    os.kill(backend, signal.SIGCONT)
    there.engine.dispose()


@pytest.mark.parametrize("how", ["reading", "writing", "adding"])
def test_a_question_to_a_server_that_hangs_ends_within_its_budget(stopped, how):
    began = time.monotonic()
    with getattr(stopped, how)() as connection:  # on a new connection, once the old one was given up
        assert connection.execute(text("SELECT 1")).scalar() == 1
    assert time.monotonic() - began < 20


def test_a_statement_that_hangs_in_the_middle_is_given_up_with_its_cause(monkeypatch):
    monkeypatch.setattr(database, "ANSWER_S", 1.0)
    there = Database(fresh_database())
    with pytest.raises(UnavailableError, match="no answer within 1 s"):
        _asked_while_it_hangs(there)
    with there.reading() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1
    there.engine.dispose()


def test_a_statement_that_is_slow_and_answers_is_waited_for(monkeypatch):
    monkeypatch.setattr(database, "ANSWER_S", 5.0)
    there = Database(fresh_database())
    with there.reading() as connection:
        assert connection.execute(text("SELECT 1 FROM pg_sleep(1.2)")).scalar() == 1
    there.engine.dispose()


def _asked_while_it_hangs(there):
    with there.reading() as connection:
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar()
        os.kill(backend, signal.SIGSTOP)
        try:
            connection.execute(text("SELECT 1"))
        finally:
            os.kill(backend, signal.SIGCONT)
