"""The firm's policy put in force as people do it: one proposes, another confirms."""

from pathlib import Path

from cast_of_six import PEOPLE

from signoff.adapters.documents import load_policy
from signoff.domain.policy import Role
from signoff.verbs.local import Local, SignPolicyAs

FILE = Path(__file__).parents[2] / "examples" / "momentum" / "policy.yaml"
MAKERS = ("risk_manager", "cto")


def install(house, file=FILE, by=MAKERS, people=PEOPLE):
    """Put a policy in force by two people, whatever of it was done before; the policy."""
    policy, local = load_policy(file).value, Local(house, "t")
    standing = house.policies.standing()
    if standing.in_force.floor.is_confirmed and standing.in_force.policy == policy:
        return policy
    first, second = (SignPolicyAs(role=Role(role), person=people[role]) for role in by)
    if not standing.proposals:
        local.propose_policy(file, first)
    local.confirm_policy(None, second)
    return policy
