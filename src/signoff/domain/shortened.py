"""What a hotfix, or a redeployment of an earlier live version, leaves out by the policy.

Some rules always remain: the point-in-time and value-at-risk gates block, the risk manager and the head of trading
sign, shadow and the limited phase last at least one session each, and the rollback is rehearsed.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from signoff.domain.commitments import DeploymentType
from signoff.domain.policy import Loosening, Policy, Role, ShortenedPolicy, tighten

if TYPE_CHECKING:
    from signoff.domain.dossier import Dossier

ALWAYS_SIGNING: Final = (Role.RISK_MANAGER, Role.HEAD_OF_TRADING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortening:
    """One omission, with the rule of the policy for it."""

    rule: str
    text: str


def shortened(policy: Policy, kind: DeploymentType) -> Policy:
    """The policy for a release of this type; applying it twice changes nothing."""
    rule = _rule(policy, kind)
    if rule is None:
        return policy
    _, short = rule
    gates = policy.gates
    changed: dict[str, Any] = {name: replace(getattr(gates, name), blocking=False) for name in short.advisory_gates}
    changed |= {
        "var": replace(gates.var, blocking=True),
        "point_in_time": replace(gates.point_in_time, blocking=True),
    }
    phases = replace(
        policy.phases,
        shadow_days=min(policy.phases.shadow_days, short.shadow_days),
        limited_days=min(policy.phases.limited_days, short.limited_days),
    )
    approvals = replace(policy.approvals, roles=signing(short), compliance_required=False)
    hours = min(policy.sign_off.notice_hours, short.notice_hours)
    sign_off = replace(policy.sign_off, notice_hours=hours)
    return replace(policy, gates=replace(gates, **changed), phases=phases, approvals=approvals, sign_off=sign_off)


def effective(floor: Policy, dossier: "Dossier") -> tuple[Policy, tuple[Loosening, ...]]:
    """The policy of a release, and every attempt of its dossier to loosen it, none of which is applied.

    It is the floor for this type of deployment, with the dossier's stricter thresholds.
    """
    return tighten(shortened(floor, dossier.header.deployment_type), dossier.plan.tighten)


def shortenings(policy: Policy, kind: DeploymentType) -> tuple[Shortening, ...]:
    """What a release of this type leaves out under its policy, each with its rule."""
    rule = _rule(policy, kind)
    if rule is None:
        return ()
    name, short = rule
    gates = ", ".join(short.advisory_gates)
    signing_roles = ", ".join(role.title for role in policy.approvals.required)
    unit = policy.phases.days.value
    listed = (
        Shortening(rule=f"{name}.advisory_gates", text=f"these gates run and do not block: {gates}"),
        Shortening(rule=f"{name}.shadow_days", text=f"shadow mode lasts {policy.phases.shadow_days} {unit}"),
        Shortening(rule=f"{name}.limited_days", text=f"the limited phase lasts {policy.phases.limited_days} {unit}"),
        Shortening(
            rule=f"{name}.notice_hours", text=f"people are told {policy.sign_off.notice_hours:g} h before the start"
        ),
        Shortening(rule=f"{name}.roles", text=f"signed by {signing_roles} alone"),
    )
    return listed if short.advisory_gates else listed[1:]


def signing(short: ShortenedPolicy) -> tuple[Role, ...]:
    """The roles that sign, including those that always do, in the memo's order."""
    return tuple(role for role in Role if role in {*short.roles, *ALWAYS_SIGNING})


def shortening_of(kind: DeploymentType) -> str | None:
    """The part of the policy that shortens a release of this type, or None."""
    return {DeploymentType.HOTFIX: "hotfix", DeploymentType.ROLLBACK: "redeployment"}.get(kind)


def _rule(policy: Policy, kind: DeploymentType) -> tuple[str, ShortenedPolicy] | None:
    match kind:
        case DeploymentType.HOTFIX:
            return "hotfix", policy.hotfix
        case DeploymentType.ROLLBACK:
            return "redeployment", policy.redeployment
        case _:
            return None
