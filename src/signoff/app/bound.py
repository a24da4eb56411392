"""Compare the registry with the pins of releases, so that the approved version is the one that is loaded.

A pin names the registry's own number and the digest of every file. Code that loads a pinned version checks it here; the
refusal names the file. A second registration under an approved version is an alarm, recorded once. A rollback checks
nothing here before its orders are cancelled, and a kill never does.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from signoff.app.notices import Notice, effect
from signoff.app.record import Record, decided_again
from signoff.app.trouble import CHANNEL
from signoff.domain import decisions
from signoff.domain.artifacts import OddArtifactError, Pin, PreviousCheck, refusal
from signoff.domain.deployment import Deployment, State
from signoff.domain.errors import UnavailableError
from signoff.domain.events import RegisteredAgain
from signoff.domain.evidence import RegisteredModel
from signoff.ports.registry import Registry

# States of releases that may trade, or are a fallback.
AT_STAKE: Final = frozenset(State) - {State.REJECTED, State.ROLLED_BACK}
# The version of a release that was approved and rolled back stays taken: registering it again is an alarm.
STAYS_TAKEN: Final = AT_STAKE | {State.ROLLED_BACK}


def otherwise(registry: Registry, version: str, pin: Pin) -> str | None:
    """How a pinned version in the registry differs from its pin, as text; None if every byte is as pinned."""
    try:
        registered = registry.artifacts(pin.model, version, number=pin.number)
    except OddArtifactError as error:
        return (
            f"the files of {pin.model} number {pin.number} in the registry are not the ones that were approved: {error}"
        )
    if registered is None:
        return (
            f"expected v{version} in the registry as {pin.words}, found no such number: deleted, or the model was "
            "renamed. Restore it, or release the version again."
        )
    if differences := pin.differences(registered.pin.files):
        return refusal(pin, differences)
    return None


def refuse_other_bytes(registry: Registry | None, state: Deployment) -> None:
    """Refuse a release whose registered version differs in any byte from the approved one."""
    if state.bound is not None:
        difference = None if registry is None else otherwise(registry, state.version, state.bound)
        decisions.guards.as_approved(state, difference, has_registry=registry is not None)


def checked(registry: Registry, model: str, version: str, pin: Pin | None) -> PreviousCheck:
    """Load and run a version; a pinned one only if its bytes are as pinned."""
    return registry.verify(model, version) if pin is None else registry.verify(model, version, pin=pin)


def is_registered(registry: Registry, state: Deployment) -> bool:
    """Whether the registry has a release's version; a bound one is found by its number."""
    if state.bound is None:
        return registry.version(state.registry_name, state.version) is not None
    return registry.version(state.registry_name, state.version, number=state.bound.number) is not None


def attached(registry: Registry, state: Deployment, documents: Mapping[str, bytes]) -> tuple[str, ...]:
    """Attach documents to a release's version, a bound one by its number; returns those still missing."""
    if state.bound is None:
        return registry.attach(state.registry_name, state.version, documents)
    return registry.attach(state.registry_name, state.version, documents, number=state.bound.number)


def point(registry: Registry, model: str, alias: str, version: str, pin: Pin | None) -> None:
    """Point an alias at a version; at a pinned one by its number."""
    if pin is None:
        registry.point(model, alias, version)
    else:
        registry.point(model, alias, version, number=pin.number)


def registered_again(state: Deployment, seen: RegisteredModel) -> tuple[int, ...]:
    """Numbers of later registrations under the version of a bound release."""
    if state.bound is None:
        return ()
    return tuple(n for n in seen.registrations.get(state.version, ()) if n > state.bound.number)


def stays_taken(state: Deployment) -> bool:
    """Whether another registration under a release's version is an alarm, in the release's present state."""
    return state.bound is not None and (
        state.state in AT_STAKE or (state.state in STAYS_TAKEN and state.manifest is not None)
    )


def again_words(state: Deployment, numbers: Iterable[int]) -> str:
    """The text of the alarm about a second registration."""
    assert state.bound is not None
    named = ", ".join(str(number) for number in numbers)
    return (
        f"{state.registry_name} v{state.version} was registered again, as number {named}: {state.id} is bound to "
        f"number {state.bound.number}, digest sha256:{state.bound.digest}, and that number alone is loaded. Find out "
        "who registered it, and give what they made a version of its own"
    )


def sound_alarm(record: Record, state: Deployment, seen: RegisteredModel, *, actor: str) -> tuple[int, ...]:
    """Record each further registration of an approved version once, with its notice; returns the new numbers."""
    if not (again := registered_again(state, seen)):
        return ()
    new: list[int] = []

    def commit() -> None:
        present = record.deployment(state.id)
        new[:] = [number for number in again if number not in present.registered_again]
        if not new or present.bound is None:
            return
        events = tuple(
            RegisteredAgain(version=present.version, number=number, approved_number=present.bound.number)
            for number in new
        )
        channel = CHANNEL if present.undertakings is None else present.undertakings.incident_channel
        notice = Notice(
            deployment=present.id,
            notice=f"registered again, number {', '.join(map(str, new))}",
            channel=channel,
            subject=f"ALARM: {present.model} v{present.version} was registered again",
            text=f"{again_words(present, new)}.",
        )
        record.append(
            present,
            events,
            actor=actor,
            key=f"registered-again:{present.id}:{','.join(map(str, new))}",
            effects=(effect(notice),),
        )

    decided_again(commit)
    return tuple(new)


def look(record: Record, registry: Registry | None, state: Deployment, alias: str, *, actor: str) -> None:
    """Look for other registrations of a release that is about to move, and sound the alarm."""
    if registry is not None and state.bound is not None:
        seen = registry.registered(state.registry_name, alias, (state.version,))
        sound_alarm(record, state, seen, actor=actor)


def held_against(
    releases: Iterable[Deployment], registry: Registry | None, alias: str
) -> Iterator[tuple[str, str, bool]]:
    """How the registry differs from each bound release: where, what, and whether it could be compared."""
    for state in releases:
        if state.bound is None or not stays_taken(state):
            continue
        where = f"registry {state.registry_name} v{state.version}"
        if registry is None:
            yield where, "no model registry is connected, so its artefacts were not compared; give --registry", False
            continue
        try:
            if state.state in AT_STAKE and (difference := otherwise(registry, state.version, state.bound)) is not None:
                yield where, difference, True
            seen = registry.registered(state.registry_name, alias, (state.version,))
        except UnavailableError as error:
            yield where, f"its artefacts were not compared: {error}", False
            continue
        if numbers := registered_again(state, seen):
            yield where, again_words(state, numbers), True
