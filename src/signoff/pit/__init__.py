"""Point in time: frames and a feature function in, leaks out. No I/O, no clock, no randomness of its own."""

from signoff.pit.errors import ReplayError
from signoff.pit.purge import purge
from signoff.pit.replay import check
from signoff.pit.report import Finding, PitReport, together
from signoff.pit.restatements import restatements
from signoff.pit.skew import skew
from signoff.pit.survivorship import survivorship

__all__ = [
    "Finding",
    "PitReport",
    "ReplayError",
    "check",
    "purge",
    "restatements",
    "skew",
    "survivorship",
    "together",
]
