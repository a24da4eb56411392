"""Section 1.2: what differs between the version that trades and the one that is to replace it, as the registry has it.

A category that the registry has for one version only has changed. One that it has for neither is printed as unknown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from signoff.domain.commitments import DeploymentType
from signoff.domain.dossier import Dossier, Justifications
from signoff.domain.evidence import Evidence, RegisteredVersion
from signoff.domain.memo.document import Block, Cell, Column, Mark, Paragraph, Table
from signoff.domain.memo.markup import ABSENT, NO_PREVIOUS, declared, lead_in, strong, words
from signoff.domain.quantity import NOT_PROVIDED

_INFRASTRUCTURE: Final = frozenset(
    {"infrastructure", "platform", "container", "image", "resources", "replicas", "autoscaling", "runtime", "python"}
)
_TRAINING: Final = frozenset({"training", "train"})


class Category(StrEnum):
    """The five rows of the table; values are the names in `rationale.justifications`."""

    FEATURES = "features"
    ARCHITECTURE = "architecture"
    TRAINING_DATA = "training_data"
    HYPERPARAMETERS = "hyperparameters"
    INFRASTRUCTURE = "infrastructure"

    @property
    def words(self) -> str:
        return self.value.replace("_", " ").title()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One category; `is_changed` is None if the registry cannot tell."""

    category: Category
    text: str
    is_changed: bool | None


def changes(candidate: RegisteredVersion | None, champion: RegisteredVersion | None) -> tuple[Change, ...]:
    """The five categories in the memo's order."""
    if candidate is None or champion is None:
        return tuple(Change(category=category, text=NOT_PROVIDED, is_changed=None) for category in Category)
    return (
        _features(champion.features, candidate.features),
        _architecture(champion.architecture, candidate.architecture),
        _training_data(champion, candidate),
        _settings(Category.HYPERPARAMETERS, _hyperparameters(champion), _hyperparameters(candidate)),
        _settings(Category.INFRASTRUCTURE, _infrastructure(champion), _infrastructure(candidate)),
    )


def unjustified(evidence: Evidence, dossier: Dossier) -> tuple[Category, ...]:
    """Categories that changed without a justification: any of them blocks submission.

    If the registry lacks one of the versions, every category needs a justification.
    """
    if dossier.header.deployment_type is DeploymentType.INITIAL:
        return ()
    is_blind = evidence.candidate is None or evidence.champion is None
    return tuple(
        change.category
        for change in changes(evidence.candidate, evidence.champion)
        if (change.is_changed or is_blind) and not justification(dossier.rationale.justifications, change.category)
    )


def is_declared(evidence: Evidence) -> str | None:
    """Why the differences between two versions are declared and not computed; None where the registry has both."""
    if evidence.candidate is not None and evidence.champion is not None:
        return None
    if not evidence.has_registry and evidence.candidate is None and evidence.champion is None:
        return "no registry: the differences are declared"
    lacking = "this version" if evidence.candidate is None else "the previous version"
    return f"{lacking} is not in the registry: the differences are declared"


def lacking_words(evidence: Evidence, lacking: tuple[Category, ...]) -> str:
    """A sentence with the categories that lack a justification; it says "changed" only where a change was computed."""
    names = ", ".join(category.words for category in lacking)
    if (because := is_declared(evidence)) is None:
        return f"Changed without a justification: {names}"
    return f"{because[0].upper()}{because[1:]}; nothing is declared of: {names}"


def justification(justifications: Justifications, category: Category) -> str | None:
    """The declared reason why a category changed."""
    match category:
        case Category.FEATURES:
            text = justifications.features
        case Category.ARCHITECTURE:
            text = justifications.architecture
        case Category.TRAINING_DATA:
            text = justifications.training_data
        case Category.HYPERPARAMETERS:
            text = justifications.hyperparameters
        case Category.INFRASTRUCTURE:
            text = justifications.infrastructure
    return text if text and text.strip() else None


def what_changed(dossier: Dossier, evidence: Evidence) -> tuple[Block, ...]:
    """The table, followed by the categories that lack a justification."""
    is_initial = dossier.header.deployment_type is DeploymentType.INITIAL
    rows = tuple(
        _row(change, dossier, is_initial=is_initial) for change in changes(evidence.candidate, evidence.champion)
    )
    table = Table((Column("Category"), Column("Change"), Column("Justification")), rows)
    lacking = unjustified(evidence, dossier)
    notes: list[str] = []
    if not is_initial and not lacking and (because := is_declared(evidence)) is not None:
        notes.append(f"{because[0].upper()}{because[1:]}.")
    if lacking and is_declared(evidence) is None:
        names = ", ".join(category.words for category in lacking)
        notes.append(f"Changed without a justification, which blocks submission: {names}.")
    elif lacking:
        notes.append(f"{lacking_words(evidence, lacking)}. This blocks submission.")
    lines = tuple(Paragraph(note, is_note=True) for note in notes)
    by = declared(dossier.header.deployed_by.name)
    return (lead_in(f"Changes from Previous Version (each justification {by})"), table, *lines)


def training_days(version: RegisteredVersion | None) -> int | None:
    """Calendar days of training data, both ends included."""
    if version is None or version.training_start is None or version.training_end is None:
        return None
    return (version.training_end - version.training_start).days + 1


def _row(change: Change, dossier: Dossier, *, is_initial: bool) -> tuple[Cell, ...]:
    reason = justification(dossier.rationale.justifications, change.category)
    title = strong(change.category.words)
    if is_initial:
        return title, Cell(NO_PREVIOUS), Cell(reason or "none needed")
    if change.is_changed is None:
        return title, ABSENT, words(reason)
    if not change.is_changed:
        return title, Cell(change.text), Cell(reason or "none needed")
    return title, Cell(change.text), Cell(reason) if reason else Cell(NOT_PROVIDED, mark=Mark.NOT_PROVIDED)


def _features(old: tuple[str, ...], new: tuple[str, ...]) -> Change:
    category = Category.FEATURES
    if not old and not new:
        return Change(category=category, text=NOT_PROVIDED, is_changed=None)
    before, after = set(old), set(new)
    added, removed = sorted(after - before), sorted(before - after)
    if not added and not removed:
        return Change(category=category, text=f"No change ({len(after)} features)", is_changed=False)
    parts = [f"{len(before)} → {len(after)} features"]
    parts += [f"added {len(added)}: {', '.join(added)}"] if added else []
    parts += [f"removed {len(removed)}: {', '.join(removed)}"] if removed else []
    return Change(category=category, text="; ".join(parts), is_changed=True)


def _architecture(old: str, new: str) -> Change:
    category = Category.ARCHITECTURE
    if not old and not new:
        return Change(category=category, text=NOT_PROVIDED, is_changed=None)
    if old == new:
        return Change(category=category, text=f"No change ({new})", is_changed=False)
    return Change(category=category, text=f"{old or NOT_PROVIDED} → {new or NOT_PROVIDED}", is_changed=True)


def _training_data(champion: RegisteredVersion, candidate: RegisteredVersion) -> Change:
    category = Category.TRAINING_DATA
    old = (champion.training_start, champion.training_end)
    new = (candidate.training_start, candidate.training_end)
    if not any(old) and not any(new):
        return Change(category=category, text=NOT_PROVIDED, is_changed=None)
    if old == new:
        return Change(category=category, text=f"No change ({_period(*new)})", is_changed=False)
    before, after = training_days(champion), training_days(candidate)
    look_back = f"look-back {_days(before)} → {_days(after)}" if before != after else f"look-back stays {_days(after)}"
    return Change(category=category, text=f"{_period(*old)} → {_period(*new)}; {look_back}", is_changed=True)


def _period(start: date | None, end: date | None) -> str:
    return f"{start or NOT_PROVIDED} to {end or NOT_PROVIDED}" if start or end else NOT_PROVIDED


def _days(days: int | None) -> str:
    return NOT_PROVIDED if days is None else f"{days:,} days"


def _settings(category: Category, old: Mapping[str, str], new: Mapping[str, str]) -> Change:
    if not old and not new:
        return Change(category=category, text=NOT_PROVIDED, is_changed=None)
    parts = [f"{key} {old[key]} → {new[key]}" for key in sorted(old.keys() & new.keys()) if old[key] != new[key]]
    parts += [f"added {key} = {new[key]}" for key in sorted(new.keys() - old.keys())]
    parts += [f"removed {key} = {old[key]}" for key in sorted(old.keys() - new.keys())]
    if not parts:
        return Change(category=category, text="No change", is_changed=False)
    return Change(category=category, text="; ".join(parts), is_changed=True)


def _hyperparameters(version: RegisteredVersion) -> Mapping[str, str]:
    return {k: v for k, v in version.parameters.items() if _topic(k) not in _INFRASTRUCTURE | _TRAINING}


def _infrastructure(version: RegisteredVersion) -> Mapping[str, str]:
    every = {**version.tags, **version.parameters}
    return {key: value for key, value in every.items() if _topic(key) in _INFRASTRUCTURE}


def _topic(key: str) -> str:
    return key.replace(".", "_").partition("_")[0].lower()
