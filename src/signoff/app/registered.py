"""The registry held against the record: an alias that was moved by hand, a version or a registered model that is gone.

Whoever writes to the registry can move the alias `champion`, delete a version or rename a model without Signoff. People
are told of each difference once; the worker's answer, `status` and `/readyz` show it until it is gone. Nothing is put
back here: moving an alias without a person's word could undo what a person did on purpose.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final
from uuid import uuid4

from signoff.app.bound import STAYS_TAKEN, again_words, registered_again, sound_alarm, stays_taken
from signoff.app.champion import ALIAS, champion_of, to_name
from signoff.app.notices import Notice, effect
from signoff.app.record import Record
from signoff.app.trouble import CHANNEL
from signoff.domain.deployment import Deployment, State, age
from signoff.domain.errors import ConflictError
from signoff.domain.evidence import RegisteredModel
from signoff.ledger.canonical import canonical, digest
from signoff.ports.registry import Registry
from signoff.ports.ttl_store import TtlStore

# What never held capital may be tidied away in the registry; whatever may trade, or be fallen back to, may not.
KEPT_IN_REGISTRY: Final = frozenset(State) - {State.REJECTED, State.ROLLED_BACK}
WAS_CHAMPION: Final = (State.SUPERSEDED, State.ROLLED_BACK)
KIND: Final = "registry"
NAME: Final = "findings"
SINCE: Final = "registry since"
TURN: Final = "turn"
FILES: Final = "files of "
# A worker that died in its turn keeps the others from looking for so long.
LONGEST_TURN: Final = timedelta(minutes=10)
# What is found is found again in every pass; a worker that stopped must not keep an old finding for ever.
KEPT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """One difference between the registry and the record. `text` names the model, the version and both sides."""

    model: str
    text: str
    channel: str = CHANNEL


def discrepancies(record: Record, registry: Registry, model: str) -> tuple[Discrepancy, ...]:
    """Every difference of one model. While an alias is about to be named by Signoff itself, none of that alias."""
    before = _expected(record, model)
    releases = sorted(record.in_states(*STAYS_TAKEN, model=model), key=lambda d: (d.registry_name, age(d)))
    found: list[str] = []
    for name, named in groupby(releases, key=lambda d: d.registry_name):
        every = [release for release in named if release.manifest is not None or release.was_adopted]
        mine = [release for release in every if release.state in KEPT_IN_REGISTRY]
        ended = [release for release in every if release not in mine and stays_taken(release)]
        if ended:
            found += _again(ended, registry.registered(name, ALIAS, _versions(ended)))
        if not mine:
            continue
        seen = registry.registered(name, ALIAS, _versions(mine))
        found += _gone(name, mine, seen)
        found += _again(mine, seen)
        if before.is_as(_expected(record, model)) and (
            moved := _moved(name, before.champion, seen, _former(record, model))
        ):
            found.append(moved)
    channel = next((d.undertakings.incident_channel for d in releases if d.undertakings is not None), CHANNEL)
    return tuple(Discrepancy(model=model, text=text, channel=channel) for text in found)


def keep_changed(shelf: TtlStore, release: Deployment, found: str | None, now: datetime) -> None:
    """Keep which other files a release's version has now, for the next look at its model; None where it has none."""
    name = f"{FILES}{release.id}"
    if found is not None:
        shelf.put(KIND, name, found.encode(), now + KEPT)
    elif shelf.get(KIND, name, now) is not None:
        shelf.drop(KIND, name)


def changed(record: Record, shelf: TtlStore, model: str) -> Iterator[Discrepancy]:
    """The releases of a model whose files were last found to be others than the approved ones."""
    now = record.now()
    for release in record.in_states(*KEPT_IN_REGISTRY, model=model):
        if release.bound is not None and (kept := shelf.get(KIND, f"{FILES}{release.id}", now)) is not None:
            channel = CHANNEL if release.undertakings is None else release.undertakings.incident_channel
            yield Discrepancy(model=model, text=f"{release.id}: {kept.decode().rstrip('.')}", channel=channel)


def _versions(releases: Iterable[Deployment]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(release.version for release in releases))


@contextmanager
def turn(shelf: TtlStore, now: datetime) -> Iterator[bool]:
    """Whether it is this worker's turn to look at the registry and tell; another one looks meanwhile where it is not.

    Looking is part of the turn: who looked before a difference began would take it for gone once it was told.
    """
    token = uuid4().hex.encode()
    is_mine = shelf.add(KIND, TURN, token, now + LONGEST_TURN, now)
    try:
        yield is_mine
    finally:
        if is_mine and shelf.get(KIND, TURN, now) == token:
            shelf.drop(KIND, TURN)


def tell(record: Record, shelf: TtlStore, found: Mapping[str, tuple[Discrepancy, ...]], *, actor: str) -> None:
    """Tell people what was not told yet, and keep what stands; of a model that was not looked at, what is known stays.

    The shelf keeps since when each difference is known, and of two workers one decides on it. The notice is committed
    under that moment, so that two workers, or one that died in between and looks again, tell it once.
    """
    now = record.now()
    known = standing(shelf, now)
    for model, each in found.items():
        for discrepancy in each:
            since = _since(shelf, discrepancy, now)
            if discrepancy.text not in known.get(model, ()):
                _tell(record, discrepancy, since, actor)
        for text in set(known.get(model, ())) - {discrepancy.text for discrepancy in each}:
            shelf.drop(SINCE, _name(model, text))
    present = {**known, **{model: tuple(d.text for d in each) for model, each in found.items()}}
    present = {model: texts for model, texts in present.items() if texts}
    if present:
        shelf.put(KIND, NAME, json.dumps(present).encode(), now + KEPT)
    elif known:
        shelf.drop(KIND, NAME)


def _since(shelf: TtlStore, discrepancy: Discrepancy, now: datetime) -> datetime:
    """Since when a difference is known, by the first worker that found it."""
    name = _name(discrepancy.model, discrepancy.text)
    shelf.add(SINCE, name, now.isoformat().encode(), now + KEPT, now)
    shelf.prolong(SINCE, name, now + KEPT, now)
    kept = shelf.get(SINCE, name, now)
    return now if kept is None else datetime.fromisoformat(kept.decode())


def _name(model: str, text: str) -> str:
    return digest(canonical([model, text]))


def standing(shelf: TtlStore, now: datetime) -> dict[str, tuple[str, ...]]:
    """What a worker found last, by model; nothing where none has looked for a day."""
    kept = shelf.get(KIND, NAME, now)
    return {} if kept is None else {model: tuple(texts) for model, texts in json.loads(kept).items()}


def _tell(record: Record, discrepancy: Discrepancy, since: datetime, actor: str) -> None:
    notice = effect(
        Notice(
            deployment="",
            notice=f"registry, {discrepancy.text}, found {since:%Y-%m-%d %H:%M} UTC",
            channel=discrepancy.channel,
            subject=f"{discrepancy.model}: the model registry differs from the record",
            text=f"{discrepancy.text}. Signoff changes nothing there: put it right in the registry, or release the "
            "version through Signoff.",
        )
    )
    with suppress(ConflictError):  # a worker of another name told it
        record.commit(actor=actor, key=f"registry:{notice.identity}:{since.isoformat()}", effects=(notice,))


@dataclass(frozen=True, slots=True)
class _Expected:
    """What the record says of the alias; not settled while Signoff itself is about to point it."""

    champion: Deployment | None
    is_settled: bool

    def is_as(self, other: "_Expected") -> bool:
        """Whether the same release is the champion still, and nothing is under way."""
        mine, its = (None if each.champion is None else each.champion.id for each in (self, other))
        return mine == its and self.is_settled and other.is_settled


def _expected(record: Record, model: str) -> _Expected:
    is_pending = any(effect.payload.decode() == model for effect in to_name(record))
    is_on_its_way_back, champion = champion_of(record, model)
    return _Expected(champion, is_settled=not is_pending and not is_on_its_way_back)


def _former(record: Record, model: str) -> frozenset[str]:
    """Versions that the alias may still name where no release holds full capital: it stays when a champion leaves.

    A champion that was killed and armed again is in shadow, and a rollback names the version that it restored.
    """
    every = record.deployments(model)
    left = {release.version for release in every if release.state in WAS_CHAMPION or release.was_adopted}
    restored = {release.previous_version for release in every if release.state is State.ROLLED_BACK}
    return frozenset(version for version in left | restored if version is not None)


def _gone(name: str, releases: list[Deployment], seen: RegisteredModel) -> list[str]:
    missing = [release for release in releases if seen.numbers.get(release.version) is None]
    missing += [release for release in releases if release not in missing and not _has_pinned(release, seen)]
    if not missing:
        return []
    named = ", ".join(f"v{release.version} ({release.state.value.replace('_', ' ')})" for release in missing)
    hint = ""
    if seen.namesakes:
        hint = f"; {', '.join(seen.namesakes)} in the registry has every one of these versions: renamed to it?"
    if not seen.is_registered:
        return [
            f"registered model {name} is not in the registry, and {named} of it on record: deleted or renamed{hint}"
        ]
    return [
        f"{name} v{release.version}, on record as {release.state.value.replace('_', ' ')}, is not in the registry: "
        f"{_what_is_gone(name, release)}; deleted, or its tag was changed{hint}"
        for release in missing
    ]


def _has_pinned(release: Deployment, seen: RegisteredModel) -> bool:
    """Whether the number that a release is bound to still carries its version."""
    known = seen.registrations.get(release.version, ())
    return release.bound is None or not known or release.bound.number in known


def _what_is_gone(name: str, release: Deployment) -> str:
    if release.bound is None:
        return f"no version of {name} has the tag version={release.version}"
    return f"number {release.bound.number} of {name}, which it is bound to, has not the tag version={release.version}"


def _again(releases: Iterable[Deployment], seen: RegisteredModel) -> list[str]:
    """Registrations that came later and carry a version that is bound to an earlier number."""
    told = ((release, registered_again(release, seen)) for release in releases)
    return [again_words(release, numbers) for release, numbers in told if numbers]


def _moved(name: str, champion: Deployment | None, seen: RegisteredModel, former: frozenset[str]) -> str | None:
    """What is wrong with the alias, None where it names what the record says."""
    said = f"alias {ALIAS} of {name} names {seen.alias_words}, the record says"
    if not seen.is_registered or (champion is not None and champion.registry_name != name):
        return None
    if champion is None:
        is_left = seen.alias_number is None or seen.alias_version in former
        return None if is_left else f"{said} that no release holds full capital: moved outside Signoff"
    expected, says = _number_of(champion, seen), f"{said} v{champion.version}"
    if seen.alias_number is None:  # of a version that is gone, its absence is told, and nothing could name it
        return None if expected is None else f"{says}: removed outside Signoff"
    if seen.alias_version != champion.version:
        return f"{says}: moved outside Signoff"
    if seen.alias_number == expected:
        return None
    return (
        f"alias {ALIAS} of {name} names number {seen.alias_number}, the record says v{champion.version}, which number "
        f"{expected} is: moved or registered again outside Signoff"
    )


def _number_of(champion: Deployment, seen: RegisteredModel) -> int | None:
    """The number that the alias should name: the one that was approved, else the latest with the version's tag."""
    known = seen.registrations.get(champion.version, ())
    if champion.bound is not None and champion.bound.number in known:
        return champion.bound.number
    return seen.numbers.get(champion.version)


def alarms(record: Record, registry: Registry, model: str, *, actor: str) -> None:
    """Put every second registration under a bound version of the model on record, once."""
    for release in record.in_states(*STAYS_TAKEN, model=model):
        if stays_taken(release):
            seen = registry.registered(release.registry_name, ALIAS, (release.version,))
            sound_alarm(record, release, seen, actor=actor)
