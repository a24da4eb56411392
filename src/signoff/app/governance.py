"""The tag `governance_ready` of versions that are waiting or live, kept true to what is attached to them."""

from typing import Final

from signoff.app.record import Record
from signoff.domain.deployment import ENDED, State
from signoff.ports.registry import Registry

AT_STAKE: Final = frozenset(State) - ENDED


def check_governance(record: Record, registry: Registry | None) -> dict[str, list[str]]:
    """Set the tag, or remove it where a document is gone; the documents that each version lacks."""
    missing: dict[str, list[str]] = {}
    if registry is None:
        return missing
    for state in record.in_states(*AT_STAKE):
        if state.manifest is None or registry.version(state.registry_name, state.version) is None:
            continue
        if gone := registry.attach(state.registry_name, state.version, {}):
            missing[f"{state.model} v{state.version}"] = list(gone)
    return missing
