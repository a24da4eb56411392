import desk_in_memory
import pytest
from hypothesis import HealthCheck, settings

from signoff.app import approvals, observe

# `pytest tests/machine --hypothesis-profile=machine-long` walks for as long as a night has.
settings.register_profile(
    "machine-long",
    max_examples=20_000,
    stateful_step_count=80,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)


@pytest.fixture
def desk(monkeypatch):
    """The desk in memory: what a dossier must say is not looked at here, and a measurement is what it shows."""
    monkeypatch.setattr(approvals, "submission_errors", lambda release: None)
    monkeypatch.setattr(observe, "observe", lambda shown, *_: shown)
    return desk_in_memory
