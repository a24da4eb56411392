"""Compute the states of a ledger from its events alone; verification compares them with the stored states."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from signoff.domain.deployment import Deployment, evolve
from signoff.domain.events import Recorded
from signoff.domain.installation_policy import InstallationPolicy, evolve_policy
from signoff.domain.kill_switch import KillSwitchState, evolve_latch
from signoff.domain.people import People, evolve_people
from signoff.ledger.codec import encode_state

State = Deployment | KillSwitchState | People | InstallationPolicy
PEOPLE: Final = "people"
POLICY: Final = "policy"


def fold_of(stream: str) -> Callable[[State | None, Recorded], State]:
    """The function that folds an event into the state of this stream."""
    kind = stream.partition("/")[0]
    folds: Mapping[str, Callable[..., State]] = {
        "deployment": evolve,
        "model": evolve_latch,
        PEOPLE: evolve_people,
        POLICY: evolve_policy,
    }
    return folds[kind]


def replay(history: Iterable[Recorded]) -> dict[str, bytes]:
    """The state of every stream from its events alone, as canonical bytes."""
    states: dict[str, State] = {}
    for recorded in history:
        states[recorded.stream] = fold_of(recorded.stream)(states.get(recorded.stream), recorded)
    return {stream: encode_state(state) for stream, state in states.items()}
