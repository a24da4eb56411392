"""Compare the registry with the record: find aliases moved by hand, and versions or models that are gone.

Whoever writes to the registry can move the alias `champion`, delete a version or rename a model without Signoff. Each
difference is notified once; the worker's answer, `status` and `/readyz` show it until it is gone. Signoff repairs
nothing here, since a person may have moved the alias on purpose.
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
from signoff.app.registry_findings import KIND, NAME, standing
from signoff.app.trouble import CHANNEL
from signoff.domain.deployment import Deployment, State, age
from signoff.domain.errors import ConflictError
from signoff.domain.evidence import RegisteredModel
from signoff.ledger.canonical import canonical, digest
from signoff.ports.registry import Registry
from signoff.ports.ttl_store import TtlStore

# Versions that may trade, or are a fallback, must stay in the registry; others may be deleted.
KEPT_IN_REGISTRY: Final = frozenset(State) - {State.REJECTED, State.ROLLED_BACK}
WAS_CHAMPION: Final = (State.SUPERSEDED, State.ROLLED_BACK)
SINCE: Final = "registry since"
TURN: Final = "turn"
FILES: Final = "files of "
# A worker that dies in its turn delays the others for this long.
LONGEST_TURN: Final = timedelta(minutes=10)
# Every pass repeats its findings; those of a worker that stopped expire after this.
KEPT: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """One difference between the registry and the record. `text` names the model, the version and both sides."""

    model: str
    text: str
    channel: str = CHANNEL


def discrepancies(record: Record, registry: Registry, model: str) -> tuple[Discrepancy, ...]:
    """Every difference of one model. While Signoff itself is about to point the alias, the alias is not compared."""
    before = _expected(record, model)
    releases = sorted(record.in_states(*STAYS_TAKEN, model=model), key=lambda d: (d.registry_name, age(d)))
    texts: list[str] = []
    for name, named in groupby(releases, key=lambda d: d.registry_name):
        every = [release for release in named if release.manifest is not None or release.was_adopted]
        mine = [release for release in every if release.state in KEPT_IN_REGISTRY]
        ended = [release for release in every if release not in mine and stays_taken(release)]
        if ended:
            texts += _again(ended, registry.registered(name, ALIAS, _versions(ended)))
        if not mine:
            continue
        seen = registry.registered(name, ALIAS, _versions(mine))
        texts += _gone(name, mine, seen)
        texts += _again(mine, seen)
        if before.is_as(_expected(record, model)) and (
            moved := _moved(name, before.champion, seen, _former(record, model))
        ):
            texts.append(moved)
    channel = next((d.undertakings.incident_channel for d in releases if d.undertakings is not None), CHANNEL)
    return tuple(Discrepancy(model=model, text=text, channel=channel) for text in texts)


def keep_changed(shelf: TtlStore, release: Deployment, difference: str | None, now: datetime) -> None:
    """Keep how a version's files differ from the approved ones, for the next look at its model; None if they do not."""
    name = f"{FILES}{release.id}"
    if difference is not None:
        shelf.put(KIND, name, difference.encode(), now + KEPT)
    elif shelf.get(KIND, name, now) is not None:
        shelf.drop(KIND, name)


def changed(record: Record, shelf: TtlStore, model: str) -> Iterator[Discrepancy]:
    """The releases of a model whose files differed from the approved ones at the last look."""
    now = record.now()
    for release in record.in_states(*KEPT_IN_REGISTRY, model=model):
        if release.bound is not None and (difference := shelf.get(KIND, f"{FILES}{release.id}", now)) is not None:
            channel = CHANNEL if release.undertakings is None else release.undertakings.incident_channel
            yield Discrepancy(model=model, text=f"{release.id}: {difference.decode().rstrip('.')}", channel=channel)


def _versions(releases: Iterable[Deployment]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(release.version for release in releases))


@contextmanager
def turn(shelf: TtlStore, now: datetime) -> Iterator[bool]:
    """Whether it is this worker's turn to compare the registry and notify; otherwise another worker does.

    The comparison belongs to the turn: an older comparison would end a difference that another worker has just
    notified.
    """
    token = uuid4().hex.encode()
    is_mine = shelf.add(KIND, TURN, token, now + LONGEST_TURN, now)
    try:
        yield is_mine
    finally:
        if is_mine and shelf.get(KIND, TURN, now) == token:
            shelf.drop(KIND, TURN)


def tell(
    record: Record, shelf: TtlStore, discrepancies_of: Mapping[str, tuple[Discrepancy, ...]], *, actor: str
) -> None:
    """Notify new differences, and keep the present ones; models that were not compared keep their differences.

    The shelf keeps when each difference was first found; one worker sets this time. It is part of the notice's
    idempotency key, so that two workers, or one that restarts after a crash, notify once.
    """
    now = record.now()
    earlier = standing(shelf, now)
    for model, each in discrepancies_of.items():
        for discrepancy in each:
            since = _since(shelf, discrepancy, now)
            if discrepancy.text not in earlier.get(model, ()):
                _tell(record, discrepancy, since, actor)
        for text in set(earlier.get(model, ())) - {discrepancy.text for discrepancy in each}:
            shelf.drop(SINCE, _name(model, text))
    present = {**earlier, **{model: tuple(d.text for d in each) for model, each in discrepancies_of.items()}}
    present = {model: texts for model, texts in present.items() if texts}
    if present:
        shelf.put(KIND, NAME, json.dumps(present).encode(), now + KEPT)
    elif earlier:
        shelf.drop(KIND, NAME)


def _since(shelf: TtlStore, discrepancy: Discrepancy, now: datetime) -> datetime:
    """When a difference was first found, by any worker."""
    name = _name(discrepancy.model, discrepancy.text)
    shelf.add(SINCE, name, now.isoformat().encode(), now + KEPT, now)
    shelf.prolong(SINCE, name, now + KEPT, now)
    content = shelf.get(SINCE, name, now)
    return now if content is None else datetime.fromisoformat(content.decode())


def _name(model: str, text: str) -> str:
    return digest(canonical([model, text]))


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
    with suppress(ConflictError):  # a worker of another name notified it
        record.commit(actor=actor, key=f"registry:{notice.identity}:{since.isoformat()}", effects=(notice,))


@dataclass(frozen=True, slots=True)
class _Expected:
    """What the record says of the alias; not settled while Signoff itself is about to point the alias."""

    champion: Deployment | None
    is_settled: bool

    def is_as(self, other: "_Expected") -> bool:
        """Whether the champion is unchanged, and no change of the alias is pending."""
        mine, its = (None if each.champion is None else each.champion.id for each in (self, other))
        return mine == its and self.is_settled and other.is_settled


def _expected(record: Record, model: str) -> _Expected:
    is_pending = any(effect.payload.decode() == model for effect in to_name(record))
    is_on_its_way_back, champion = champion_of(record, model)
    return _Expected(champion, is_settled=not is_pending and not is_on_its_way_back)


def _former(record: Record, model: str) -> frozenset[str]:
    """Versions that the alias may name while no release is at full: it stays when a champion leaves.

    A champion that was killed and re-armed is in shadow, and a rollback points the alias at the restored version.
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
    """Whether the registry number that a release is bound to still has its version."""
    numbers = seen.registrations.get(release.version, ())
    return release.bound is None or not numbers or release.bound.number in numbers


def _what_is_gone(name: str, release: Deployment) -> str:
    if release.bound is None:
        return f"no version of {name} has the tag version={release.version}"
    return f"number {release.bound.number} of {name}, which it is bound to, lacks the tag version={release.version}"


def _again(releases: Iterable[Deployment], seen: RegisteredModel) -> list[str]:
    """Later registrations under a version that is bound to an earlier number."""
    numbers_of = ((release, registered_again(release, seen)) for release in releases)
    return [again_words(release, numbers) for release, numbers in numbers_of if numbers]


def _moved(name: str, champion: Deployment | None, seen: RegisteredModel, former: frozenset[str]) -> str | None:
    """How the alias differs from the record, None if it does not."""
    alias = f"alias {ALIAS} of {name} names {seen.alias_words}, the record says"
    if not seen.is_registered or (champion is not None and champion.registry_name != name):
        return None
    if champion is None:
        is_left = seen.alias_number is None or seen.alias_version in former
        return None if is_left else f"{alias} that no release holds full capital: moved outside Signoff"
    expected, says = _number_of(champion, seen), f"{alias} v{champion.version}"
    if seen.alias_number is None:  # the missing version is reported instead; no alias could name it
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
    numbers = seen.registrations.get(champion.version, ())
    if champion.bound is not None and champion.bound.number in numbers:
        return champion.bound.number
    return seen.numbers.get(champion.version)


def alarms(record: Record, registry: Registry, model: str, *, actor: str) -> None:
    """Record every second registration under a bound version of the model, once."""
    for release in record.in_states(*STAYS_TAKEN, model=model):
        if stays_taken(release):
            seen = registry.registered(release.registry_name, ALIAS, (release.version,))
            sound_alarm(record, release, seen, actor=actor)
