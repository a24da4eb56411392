"""The desks of a model: those named by its releases that have not ended."""

from collections.abc import Iterable

from signoff.domain.deployment import ENDED, Deployment, age


def desks(releases: Iterable[Deployment]) -> frozenset[str]:
    """The desks of a model from its releases; once all have ended, the desk of the last one."""
    every = sorted(releases, key=age)
    present = {release.desk for release in every if release.state not in ENDED and release.desk is not None}
    if not present and every and every[-1].desk is not None:
        return frozenset({every[-1].desk})
    return frozenset(present)
