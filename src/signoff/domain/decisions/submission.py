"""What may be submitted: which release, in the place of which, under which policy."""

from collections.abc import Iterable

from signoff.domain.deployment import (
    Deployment,
    State,
)


def redeployment_objection(version: str, earlier: Iterable[Deployment]) -> str | None:
    """Why a version cannot be redeployed as one that was live before; None when it can.

    It must have held all of the capital and have been replaced by a newer one; what was rolled back since never returns
    in a hurry.
    """
    mine = [d for d in earlier if d.version == version]
    if any(d.state is State.ROLLED_BACK for d in mine):
        return f"v{version} was itself rolled back"
    if not any(d.state is State.SUPERSEDED for d in mine):
        found = ", ".join(d.state.value for d in mine) or "not on record"
        return f"v{version} was never live with all of the capital and then replaced: it is {found}"
    return None
