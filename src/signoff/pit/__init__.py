"""Point in time: frames and a feature function in, leaks out. No clock, no randomness of its own.

The checks do no I/O, except that replays of many versions may keep a journal (`journal`) and use a cluster (`workers`).
"""

from signoff.pit.errors import ReplayError
from signoff.pit.purge import purge
from signoff.pit.replay import check
from signoff.pit.report import PitReport, ReplayFinding, together
from signoff.pit.restatements import restatements
from signoff.pit.skew import skew
from signoff.pit.survivorship import survivorship
from signoff.pit.versions import replay_versions

__all__ = [
    "PitReport",
    "ReplayError",
    "ReplayFinding",
    "check",
    "purge",
    "replay_versions",
    "restatements",
    "skew",
    "survivorship",
    "together",
]
