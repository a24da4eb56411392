"""Point in time: frames and a feature function in, leaks out. No I/O, no clock, no randomness of its own."""

from signoff.pit.errors import ReplayError
from signoff.pit.replay import check
from signoff.pit.report import Finding, PitReport

__all__ = ["Finding", "PitReport", "ReplayError", "check"]
