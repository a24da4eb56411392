"""The verbs that only look, over a home: releases, flags, models and histories. `Local` adds those that act."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from signoff.app.objections import unrehearsed, unsigned
from signoff.app.registry_findings import standing
from signoff.domain import decisions
from signoff.domain.deployment import Deployment, State
from signoff.home import Home
from signoff.verbs.release_documents import (
    DeploymentsPage,
    FlagsDocument,
    HistoryPage,
    ModelsPage,
    ReleaseDocument,
    deployment_document,
    event_document,
    flags_document,
    shares_document,
)

PAGE: Final = 100
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Looks:
    """Looks at a home's record."""

    house: Home
    actor: str

    def models(self, *, after: str | None = None, limit: int | None = None) -> ModelsPage:
        """Models a page at a time, by name."""
        shown, further = page_of({name: name for name in self.house.record.models()}, after, limit)
        return {"models": shown, "next": further}

    def deployment(self, deployment_id: str) -> ReleaseDocument:
        return self._released(self.house.record.deployment(deployment_id))

    def deployments(
        self,
        *,
        model: str | None = None,
        state: State | None = None,
        after: str | None = None,
        limit: int = PAGE,
    ) -> DeploymentsPage:
        page = self.house.record.page(model=model, state=state, after=after, limit=limit + 1)
        shown = page[:limit]
        flags_by_model = self.house.flags_of(sorted({d.model for d in shown}))
        return {
            "deployments": [deployment_document(d, flags_by_model[d.model]) for d in shown],
            "flags": {model: dict(flags.as_keys()) for model, flags in flags_by_model.items()},
            "versions": {model: shares_document(flags) for model, flags in flags_by_model.items()},
            "registry": {model: list(texts) for model, texts in self._registry().items() if model in flags_by_model},
            "killed": {name: why for name, why in self._killed().items() if model in {None, name}},
            "next": shown[-1].id if len(page) > limit else None,
            "observing": self.house.is_observing(),
        }

    def _killed(self) -> dict[str, str]:
        """The killed models in the ledger, and those of single kills that it does not have yet."""
        pending = {
            kill.model: f"{kill.actor}: {kill.reason}" for kill in self.house.kills.pending() if not kill.is_wide
        }
        return pending | self.house.record.killed()

    def _registry(self) -> dict[str, tuple[str, ...]]:
        return standing(self.house.shelf, self.house.clock.now())

    def flags(self, model: str, *, version: str | None = None) -> FlagsDocument:
        flags = self.house.flags_of((model,))[model]
        return flags_document(flags if version is None else flags.for_version(version))

    def history(self, name: str, *, after: int = 0, limit: int | None = None) -> HistoryPage:
        """The history of a model or one release, in the ledger's order, after the event with this number.

        `next` is the number of the last event returned, if there are more.
        """
        record = self.house.record
        page = record.told(record.streams_of(name), after=after, limit=None if limit is None else limit + 1)
        if not page and not after:
            decisions.requests.refuse_unknown_name(name, record.names())
        shown = page[:limit]
        return {
            "history": [event_document(recorded) for _, recorded in shown],
            "next": shown[-1][0] if len(page) > len(shown) else None,
        }

    def _released(self, state: Deployment) -> ReleaseDocument:
        flags = self.house.flags_of((state.model,))[state.model]
        objections = unrehearsed(self.house.record, state) if state.state is State.VALIDATED else ()
        return {
            **deployment_document(state, flags),
            "unrehearsed": list(objections),
            "cannot_sign": list(unsigned(self.house.record, state)),
            "flags": dict(flags.for_version(state.version).as_keys()),
            "versions": shares_document(flags),
            "flags_revision": flags.revision,
            "observing": self.house.is_observing(),
        }


def page_of(by_name: Mapping[str, T], after: str | None, limit: int | None) -> tuple[list[T], str | None]:
    """A page of these by name after the last page, and the `after` of the next page."""
    names = sorted(name for name in by_name if after is None or name > after)
    shown = names[:limit]
    return [by_name[name] for name in shown], shown[-1] if len(shown) < len(names) else None
