"""Recording a version that was live before Signoff: which ones may be adopted, and by whom."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from signoff.domain.deployment import ENDED, Deployment
from signoff.domain.errors import BadInputError, RefusedError
from signoff.domain.names import name_objection
from signoff.domain.policy import Policy, Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """A version, the policy it is recorded under, and why."""

    model: str
    version: str
    policy: Policy
    reason: str

    @property
    def deployment(self) -> str:
        """The id under which the version goes on record."""
        return f"{self.model}-{self.version}-adopted"


def adopt(adoption: Adoption, released: Iterable[Deployment], roles: Iterable[Role]) -> None:
    """Refuse an invalid name, a model that is on record, and a signature in a role that may not adopt."""
    for name in (adoption.model, adoption.version):
        if (objection := name_objection(name)) is not None:
            raise BadInputError(f"{name[:40]!r} cannot be adopted under this name: {objection}.")
    if any(d.state not in ENDED for d in released):
        raise RefusedError(f"{adoption.model} has a release on record already; adopt only what Signoff never saw.")
    if wrong := [role.value for role in roles if role not in adoption.policy.approvals.override_roles]:
        allowed = ", ".join(adoption.policy.approvals.override_roles)
        raise RefusedError(f"Adopting is for the roles {allowed}; found {', '.join(wrong)}.")


def by_enough(adoption: Adoption, people: Collection[str]) -> None:
    """Refuse fewer people than an override takes; `people` has one name for each signature."""
    needed = adoption.policy.approvals.override_persons
    if len(set(people)) < needed:
        raise RefusedError(f"Adopting a live version takes {needed} different people, found {len(people)}.")
