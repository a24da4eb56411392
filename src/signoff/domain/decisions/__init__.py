"""Decisions: pure functions from records and a request to the events that follow, one module a subject.

Every refusal names its guard, what was found and what to do. Nothing here can refuse a kill or the rollback of a live
release. A use case reads the records, decides here, and commits the events.
"""

from signoff.domain.decisions import (
    adoption,
    approvals,
    credentials,
    guards,
    kill,
    notices,
    observation,
    people,
    policy,
    requests,
    rollback,
    rollout,
    signing,
    submission,
)
