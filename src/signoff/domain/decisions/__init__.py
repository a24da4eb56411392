"""What may happen next: pure guards from records and a request to the events that follow, one module a subject.

Every refusal names its guard, what it found and what to do. Nothing here can refuse a kill or the rollback of a live
release. A use case reads the records, asks here, and commits what follows.
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
