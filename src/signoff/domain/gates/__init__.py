"""The gates, one pure function each that compares evidence with the policy, and the assessment made of them."""

from signoff.domain.gates.assess import GATES, Gate, assess
from signoff.domain.gates.facts import facts

__all__ = ["GATES", "Gate", "assess", "facts"]
