"""The registry's alias `champion` follows the record: it names the version that trades at full allocation.

An entry of the outbox says that the champion of a model may have changed; which version it is now, the record says when
the entry is carried out, and says again afterwards, so that a worker that was held up in between corrects itself. One
that dies leaves the entry to the next. While a model has no champion, or is on its way back, the alias stays: the
rollback's own step points it.
"""

from typing import Final

from signoff.app.bound import point
from signoff.app.record import Record
from signoff.domain.deployment import RETREATING, Deployment, State
from signoff.domain.errors import NotFoundError
from signoff.ports.registry import Registry
from signoff.ports.store import Effect

ALIAS: Final = "champion"
KIND: Final = "champion"


def naming(model: str, cause: str) -> Effect:
    """What follows in the registry from a commit that made or unmade a champion; `cause` names that commit."""
    return Effect(identity=f"{KIND}:{cause}", kind=KIND, payload=model.encode())


def name_champions(record: Record, registry: Registry | None) -> tuple[str, ...]:
    """Carry out what is due; the models whose alias was set. A registry that is away is asked again next time."""
    return tuple(name_champion(record, registry, effect) for effect in to_name(record))


def to_name(record: Record) -> tuple[Effect, ...]:
    """What is due."""
    return tuple(effect for effect in record.store.pending() if effect.kind == KIND)


def name_champion(record: Record, registry: Registry | None, effect: Effect) -> str:
    """Carry out one entry; the model whose alias was set."""
    model = effect.payload.decode()
    record.store.done(effect.identity, _named(record, registry, model), record.now())
    return model


def _named(record: Record, registry: Registry | None, model: str) -> str:
    if registry is None:
        return "no registry"
    said, (_, champion) = None, champion_of(record, model)
    while champion is not None and champion.version != said:
        try:
            point(registry, champion.registry_name, ALIAS, champion.version, champion.bound)
        except NotFoundError:
            return f"v{champion.version} is not in the registry"
        said, (_, champion) = champion.version, champion_of(record, model)
    return "nothing to name" if said is None else f"v{said}"


def champion_of(record: Record, model: str) -> tuple[bool, Deployment | None]:
    """Whether a release of the model is on its way back, and the one that holds full capital; none is while it is."""
    if record.in_states(*RETREATING, model=model):
        return True, None
    return False, next(iter(record.in_states(State.FULL, model=model)), None)
