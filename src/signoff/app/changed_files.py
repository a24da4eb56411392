"""Compare the files of approved versions in the registry with their pins while the releases trade.

Starts, advances and rollbacks compare them too. In between, a writer of the registry could change the model that a
restarted trading process loads. A look is cheap: files with an unchanged stamp are read again only once an hour. A
difference is an alarm, recorded once. It stops nothing, and nothing waits for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from signoff.app.bound import otherwise
from signoff.app.notices import Notice, effect
from signoff.app.record import Record, decided_again
from signoff.app.trouble import CHANNEL
from signoff.domain.artifacts import OddArtifactError
from signoff.domain.deployment import LIVE, SIGNED, Deployment, State
from signoff.domain.events import FilesChanged
from signoff.ledger.canonical import digest
from signoff.ports.registry import Registry

# A stamp may miss changed bytes: in a store that reports only sizes, or on a failing disk.
READ_AGAIN_S: Final = 3600.0
# Files that change all the time must not fill the ledger; people were notified by then.
MOST_ALARMS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The last reading of a version's files: their stamp, the time, and the difference from the pin."""

    stamp: str | None
    at: float
    found: str | None


def to_compare(releases: Iterable[Deployment]) -> tuple[Deployment, ...]:
    """The bound releases that trade, shadow or may start, and their fallbacks."""
    every = tuple(releases)
    at_work = [release for release in every if release.state in LIVE | SIGNED]
    fallbacks = {release.previous_deployment for release in at_work}
    return tuple(
        release
        for release in every
        if release.bound is not None
        and (release in at_work or (release.state is State.SUPERSEDED and release.id in fallbacks))
    )


def compared(registry: Registry, state: Deployment, last: Look | None, now: float) -> Look:
    """A look at the files of a bound release; they are read if their stamp changed or the last reading is old."""
    assert state.bound is not None
    try:
        stamp = registry.stamp(state.bound.model, state.version, number=state.bound.number)
    except OddArtifactError:
        stamp = None
    is_as_it_was = last is not None and last.stamp == stamp is not None
    if last is not None and is_as_it_was and now - last.at < READ_AGAIN_S:
        return last
    return Look(stamp=stamp, at=now, found=otherwise(registry, state.version, state.bound))


def sound_alarm(record: Record, state: Deployment, difference: str, *, actor: str) -> bool:
    """Record changed bytes under an approved number once, with a notice; whether this was the first time."""
    is_new = False

    def commit() -> None:
        nonlocal is_new
        present = record.deployment(state.id)
        is_new = difference not in present.changed_files and len(present.changed_files) < MOST_ALARMS
        if not is_new or present.bound is None:
            return
        event = FilesChanged(
            version=present.version,
            number=present.bound.number,
            approved_digest=present.bound.digest,
            found=difference,
        )
        key = digest(difference.encode())
        notice = Notice(
            deployment=present.id,
            notice=f"files changed, {key[:12]}",
            channel=CHANNEL if present.undertakings is None else present.undertakings.incident_channel,
            subject=f"ALARM: the files of {present.model} v{present.version} changed after approval",
            text=f"{present.id}, {present.state.value.replace('_', ' ')}: {difference} No start, advance or load takes "
            f"these bytes. Signoff does not know what a trading process has loaded: look there.",
        )
        record.append(
            present, (event,), actor=actor, key=f"files-changed:{present.id}:{key}", effects=(effect(notice),)
        )

    decided_again(commit)
    return is_new
