"""Stop a model now, and arm it again. One person stops; two arm, and every live release re-enters at shadow."""

from dataclasses import dataclass

from signoff.app.approvals import Signatory
from signoff.app.record import Change, Record, deployment_stream, model_stream
from signoff.app.rollback import order_scope
from signoff.app.signing import sign
from signoff.domain.deployment import LIVE, Deployment
from signoff.domain.errors import RefusedError
from signoff.domain.events import Killed, Phase, PhaseEntered, Rearmed, RearmSigned, Verdict
from signoff.domain.flags import Flags
from signoff.domain.latch import Latch
from signoff.domain.policy import Policy
from signoff.ledger.canonical import digest
from signoff.ports.orders import OrderHalt


@dataclass(frozen=True, slots=True, kw_only=True)
class KillSwitch:
    """The latch of each model, and the orders behind it."""

    record: Record
    orders: OrderHalt

    def kill(self, model: str, *, reason: str, actor: str) -> tuple[Flags, int]:
        """Latch, fence and cancel. Needs nobody else, and nothing about the releases. Returns flags and open orders."""
        latch = self.record.latch(model) or Latch(model=model)
        event = Killed(model=model, reason=reason, epoch=latch.epoch + 1)
        self.record.commit(
            Change(stream=model_stream(model), state=latch if latch.revision else None, events=(event,)),
            actor=actor,
            key=f"kill:{model}:{event.epoch}",
        )
        scope, flags = order_scope(model), self.record.flags(model)
        self.orders.fence(scope, flags.revision)
        self.orders.cancel(scope, flags.revision)
        return flags, len(self.orders.open_orders(scope))

    def rearm(self, model: str, signatory: Signatory, *, reason: str) -> Latch:
        """Sign for arming again; the second person's signature arms."""
        latch = self.record.latch(model)
        if latch is None or not latch.is_latched:
            raise RefusedError(f"{model} is not killed; there is nothing to arm.")
        if any(s.person == signatory.person for s in latch.rearm_signatures):
            raise RefusedError(f"{signatory.person} has signed already; arming takes two different people.")
        live = tuple(d for d in self.record.deployments(model) if d.state in LIVE)
        policy = live[-1].policy if live else Policy(name="default", version="0")
        signature = sign(
            self.record,
            signatory.signer,
            person=signatory.person,
            role=signatory.role,
            verdict=Verdict.REARM,
            subject=digest(f"{model}:{latch.epoch}".encode()),
            model=model,
            version=",".join(d.version for d in live),
            deployment=model_stream(model),
            policy=policy,
            reason=reason,
        )
        persons = (*(s.person for s in latch.rearm_signatures), signatory.person)
        if len(persons) < policy.approvals.override_persons:
            self._commit(latch, (RearmSigned(signature=signature),), (), actor=signatory.person)
        else:
            self._commit(
                latch, (RearmSigned(signature=signature), Rearmed(persons=persons)), live, actor=signatory.person
            )
            self.orders.lift(order_scope(model), self.record.flags(model).revision)
        return self.record.latch(model) or latch

    def _commit(
        self,
        latch: Latch,
        events: tuple[RearmSigned | Rearmed, ...],
        live: tuple[Deployment, ...],
        *,
        actor: str,
    ) -> None:
        entered = PhaseEntered(phase=Phase.SHADOW, allocation_pct=0, reason="re-armed after a kill")
        self.record.commit(
            Change(stream=model_stream(latch.model), state=latch, events=events),
            *(Change(stream=deployment_stream(d.id), state=d, events=(entered,)) for d in live),
            actor=actor,
            key=f"rearm:{latch.model}:{latch.revision}",
        )
