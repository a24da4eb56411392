"""The approved profile of a release, with which its live data are compared."""

import numpy as np

from signoff.app.record import Record
from signoff.domain.deployment import ENDED, Deployment, age
from signoff.domain.evidence import Evidence
from signoff.domain.monitoring.cadence import cadence_s
from signoff.domain.monitoring.usual import Layout, usual
from signoff.domain.profiles import ApprovedProfile, Profile


def profile_of(evidence: Evidence) -> Profile:
    """The profile of a version from the registry and the evidence, recorded with its validation."""
    features = () if evidence.candidate is None else evidence.candidate.features
    rows = evidence.predictions
    if rows is None or not rows.timestamps.size:
        return Profile(features=features)
    order = np.argsort(rows.timestamps, kind="stable")
    layout = Layout.of(rows.timestamps[order].astype("datetime64[D]"), rows.symbols[order])
    return Profile(
        features=features,
        predictions=usual(layout.table(rows.prediction[order]), alike=True, days=layout.days),
        cadence_s=cadence_s(rows.timestamps, np.asarray(rows.symbols)),
    )


def approved(record: Record, model: str, version: str) -> ApprovedProfile | None:
    """The profile of a version's newest release; None without a release."""
    every = sorted(record.deployments(model), key=age)
    mine = [release for release in every if release.version == version]
    if not mine:
        return None
    release = next((each for each in reversed(mine) if each.state not in ENDED), mine[-1])
    return _of(release, [each for each in every if age(each) > age(release)])


def _of(release: Deployment, later: list[Deployment]) -> ApprovedProfile:
    profile, undertakings = release.profile or Profile(), release.undertakings
    return ApprovedProfile(
        features=profile.features,
        predictions=profile.predictions,
        cadence_s=profile.cadence_s,
        pinned=release.reference,
        later=tuple(each.started_with for each in later if each.started_with is not None),
        greatest_exposure_pct=None if undertakings is None else undertakings.position_limits.max_portfolio_weight_pct,
    )
