"""Keep the tag `governance_ready` of waiting and live versions true to their attached documents."""

from typing import Final

from signoff.app.bound import attached, is_registered
from signoff.app.record import Record
from signoff.domain.deployment import ENDED, Deployment, State
from signoff.ports.registry import Registry

AT_STAKE: Final = frozenset(State) - ENDED


def check_governance(record: Record, registry: Registry | None) -> dict[str, list[str]]:
    """Set the tag, or remove it if a document is gone; returns the documents that each version lacks."""
    states = record.in_states(*AT_STAKE)
    missing = {f"{state.model} v{state.version}": check_release(registry, state) for state in states}
    return {version: gone for version, gone in missing.items() if gone}


def check_release(registry: Registry | None, state: Deployment) -> list[str]:
    """The documents that one version lacks; empty if the registry lacks the version."""
    if registry is None or state.manifest is None or not is_registered(registry, state):
        return []
    return list(attached(registry, state, {}))
