"""What is approved is what is loaded: the registry held against the pins of releases.

A pin names the registry's own number and the digest of every file. Whatever loads a pinned version asks here, and gets
a refusal that names the file. A second registration under an approved version is an alarm, put on record once. No exit
asks anything here before its orders are cancelled, and a kill never does.
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

# What may trade, or be fallen back to.
AT_STAKE: Final = frozenset(State) - {State.REJECTED, State.ROLLED_BACK}
# The version of a release that was approved and rolled back stays taken: another registration of it is an alarm.
STAYS_TAKEN: Final = AT_STAKE | {State.ROLLED_BACK}


def otherwise(registry: Registry, version: str, pin: Pin) -> str | None:
    """What is wrong with a pinned version in the registry, in words; None where every byte is as pinned."""
    try:
        found = registry.artifacts(pin.model, version, number=pin.number)
    except OddArtifactError as error:
        return (
            f"the files of {pin.model} number {pin.number} in the registry are not the ones that were approved: {error}"
        )
    if found is None:
        return (
            f"expected v{version} in the registry as {pin.words}, found no such number: deleted, or the model was "
            "renamed. Restore it, or release the version again."
        )
    if differences := pin.differences(found.pin.files):
        return refusal(pin, differences)
    return None


def refuse_other_bytes(registry: Registry | None, state: Deployment) -> None:
    """Refuse to go on with a release whose registered version is not, byte for byte, the one that was approved."""
    if state.bound is not None:
        found = None if registry is None else otherwise(registry, state.version, state.bound)
        decisions.guards.as_approved(state, found, has_registry=registry is not None)


def checked(registry: Registry, model: str, version: str, pin: Pin | None) -> PreviousCheck:
    """A version loaded and run; a pinned one only with its own bytes."""
    return registry.verify(model, version) if pin is None else registry.verify(model, version, pin=pin)


def is_registered(registry: Registry, state: Deployment) -> bool:
    """Whether the registry has a release's version; a bound one by its number."""
    if state.bound is None:
        return registry.version(state.registry_name, state.version) is not None
    return registry.version(state.registry_name, state.version, number=state.bound.number) is not None


def attached(registry: Registry, state: Deployment, documents: Mapping[str, bytes]) -> tuple[str, ...]:
    """Attach documents to a release's version, a bound one by its number; which of them are still missing."""
    if state.bound is None:
        return registry.attach(state.registry_name, state.version, documents)
    return registry.attach(state.registry_name, state.version, documents, number=state.bound.number)


def point(registry: Registry, model: str, alias: str, version: str, pin: Pin | None) -> None:
    """Let an alias name a version; a pinned one by its number."""
    if pin is None:
        registry.point(model, alias, version)
    else:
        registry.point(model, alias, version, number=pin.number)


def registered_again(state: Deployment, seen: RegisteredModel) -> tuple[int, ...]:
    """Numbers of other registrations that carry the version of a release that is bound to its own number."""
    if state.bound is None:
        return ()
    return tuple(n for n in seen.registrations.get(state.version, ()) if n > state.bound.number)


def stays_taken(state: Deployment) -> bool:
    """Whether another registration under a release's version is an alarm, whatever became of the release."""
    return state.bound is not None and (
        state.state in AT_STAKE or (state.state in STAYS_TAKEN and state.manifest is not None)
    )


def again_words(state: Deployment, numbers: Iterable[int]) -> str:
    """What a second registration is told as."""
    assert state.bound is not None
    named = ", ".join(str(number) for number in numbers)
    return (
        f"{state.registry_name} v{state.version} was registered again, as number {named}: {state.id} is bound to "
        f"number {state.bound.number}, digest sha256:{state.bound.digest}, and that number alone is loaded. Find out "
        "who registered it, and give what they made a version of its own"
    )


def sound_alarm(record: Record, state: Deployment, seen: RegisteredModel, *, actor: str) -> tuple[int, ...]:
    """Put each further registration of an approved version on record once, with its notice; the new ones."""
    if not (told := registered_again(state, seen)):
        return ()
    new: list[int] = []

    def commit() -> None:
        present = record.deployment(state.id)
        new[:] = [number for number in told if number not in present.registered_again]
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
    """Sound the alarm over a release that is about to move, where it is due."""
    if registry is not None and state.bound is not None:
        seen = registry.registered(state.registry_name, alias, (state.version,))
        sound_alarm(record, state, seen, actor=actor)


def held_against(
    releases: Iterable[Deployment], registry: Registry | None, alias: str
) -> Iterator[tuple[str, str, bool]]:
    """Of each bound release what the registry has otherwise: where, what, and whether it could be compared."""
    for state in releases:
        if state.bound is None or not stays_taken(state):
            continue
        where = f"registry {state.registry_name} v{state.version}"
        if registry is None:
            yield where, "no model registry is connected, so its artefacts were not compared; give --registry", False
            continue
        try:
            if state.state in AT_STAKE and (found := otherwise(registry, state.version, state.bound)) is not None:
                yield where, found, True
            seen = registry.registered(state.registry_name, alias, (state.version,))
        except UnavailableError as error:
            yield where, f"its artefacts were not compared: {error}", False
            continue
        if numbers := registered_again(state, seen):
            yield where, again_words(state, numbers), True
