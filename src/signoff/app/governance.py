"""The tag `governance_ready` of versions that are waiting or live, kept true to what is attached to them."""

from typing import Final

from signoff.app.bound import attached, is_registered
from signoff.app.record import Record
from signoff.domain.deployment import ENDED, Deployment, State
from signoff.ports.registry import Registry

AT_STAKE: Final = frozenset(State) - ENDED


def check_governance(record: Record, registry: Registry | None) -> dict[str, list[str]]:
    """Set the tag, or remove it where a document is gone; the documents that each version lacks."""
    states = record.in_states(*AT_STAKE)
    missing = {f"{state.model} v{state.version}": check_release(registry, state) for state in states}
    return {version: gone for version, gone in missing.items() if gone}


def check_release(registry: Registry | None, state: Deployment) -> list[str]:
    """The documents that one version lacks; none where the registry does not know it."""
    if registry is None or state.manifest is None or not is_registered(registry, state):
        return []
    return list(attached(registry, state, {}))
