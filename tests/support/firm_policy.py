"""The firm's policy put in force as people do it: one proposes, another confirms."""

from pathlib import Path

from cast_of_six import PEOPLE

from signoff.adapters.documents import load_policy
from signoff.domain.policy import Role
from signoff.verbs.local import Local, PolicyHand

FILE = Path(__file__).parents[2] / "examples" / "momentum" / "policy.yaml"
MAKERS = ("risk_manager", "cto")


def install(house, file=FILE):
    """Put a policy in force by two of the six people, unless it is already; the policy."""
    policy = load_policy(file).value
    if (in_force := house.policies.in_force()).floor.is_confirmed and in_force.policy == policy:
        return policy
    local = Local(house, "t")
    first, second = (PolicyHand(role=Role(role), person=PEOPLE[role]) for role in MAKERS)
    local.confirm_policy(local.propose_policy(file, first)["proposal"], second)
    return policy
