"""Point the registry's alias `champion` at the version that trades at full allocation.

An outbox entry says that the champion of a model may have changed. The worker reads the champion from the record,
points the alias, and reads again, so that a delayed worker corrects itself. If a worker dies, the next one takes the
entry. While a model has no champion, or is rolling back, the alias stays: the rollback's own step points it.
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
    """The outbox entry of a commit that may change the champion; `cause` names that commit."""
    return Effect(identity=f"{KIND}:{cause}", kind=KIND, payload=model.encode())


def name_champions(record: Record, registry: Registry | None) -> tuple[str, ...]:
    """Carry out the due entries; returns the models whose alias was set. An unreachable registry is retried."""
    return tuple(name_champion(record, registry, effect) for effect in to_name(record))


def to_name(record: Record) -> tuple[Effect, ...]:
    """The due entries."""
    return tuple(effect for effect in record.store.pending() if effect.kind == KIND)


def name_champion(record: Record, registry: Registry | None, effect: Effect) -> str:
    """Carry out one entry; returns the model whose alias was set."""
    model = effect.payload.decode()
    record.store.done(effect.identity, _named(record, registry, model), record.now())
    return model


def _named(record: Record, registry: Registry | None, model: str) -> str:
    if registry is None:
        return "no registry"
    version, (_, champion) = None, champion_of(record, model)
    while champion is not None and champion.version != version:
        try:
            point(registry, champion.registry_name, ALIAS, champion.version, champion.bound)
        except NotFoundError:
            return f"v{champion.version} is not in the registry"
        version, (_, champion) = champion.version, champion_of(record, model)
    return "nothing to name" if version is None else f"v{version}"


def champion_of(record: Record, model: str) -> tuple[bool, Deployment | None]:
    """Whether a release of the model is rolling back, and the release at full; None during a rollback."""
    if record.in_states(*RETREATING, model=model):
        return True, None
    return False, next(iter(record.in_states(State.FULL, model=model)), None)
