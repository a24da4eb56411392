from datetime import UTC, datetime, timedelta

import pytest
from fastapi.testclient import TestClient

from signoff.adapters.store_memory import MemoryStore
from signoff.adapters.ttl_store_memory import MemoryTtlStore
from signoff.app.people import enrol
from signoff.config.settings import settings
from signoff.domain.errors import UnavailableError
from signoff.domain.policy import Role
from signoff.http.app import create_app
from signoff.installation import Installation


class Wall:
    """A clock that tests move."""

    def __init__(self):
        self.at = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
        self.seconds = 100.0

    def now(self):
        return self.at

    def monotonic(self):
        """A second passes whenever somebody looks."""
        self.seconds += 1.0
        return self.seconds

    def pass_(self, **time):
        self.at += timedelta(**time)


class InterruptedShelf(MemoryTtlStore):
    """A shelf in the same database."""

    is_down = False

    def _unexpired(self, *asked):
        if self.is_down:
            raise UnavailableError("the database is away")
        return super()._unexpired(*asked)


class Interrupted(MemoryStore):
    """A store that can be taken away."""

    is_down = False

    def load(self, stream):
        if self.is_down:
            raise UnavailableError("the database is away")
        return super().load(stream)


@pytest.fixture
def wall():
    return Wall()


@pytest.fixture
def house(tmp_path, wall):
    made = Installation(settings(home=str(tmp_path / "home")), clock=wall)
    return made.with_parts(store=Interrupted(), shelf=InterruptedShelf())


@pytest.fixture
def moreau(house):
    enrol(house.record, name="R. Moreau", roles=(Role.RISK_MANAGER,), key_id="k", public_key="p", actor="owner")
    return "R. Moreau"


@pytest.fixture
def app(house):
    return create_app(house)


@pytest.fixture
def client(app):
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
