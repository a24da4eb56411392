"""The flags of every model in memory, as trading processes receive them: signed, ordered, and ahead of the database.

The cache follows the ledger, event by event. A kill enters it at once, with or without the database. While the database
is unreachable, the cache keeps its last flags and says how old they are. If the ledger is unreadable, it publishes only
kills, and all leases expire. Every notice carries its server's boot id and a tick of that server's monotonic clock, so
that a reader recognises old notices without a wall clock.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import Final
from uuid import uuid4

from signoff.app.order_halt import recorded_as
from signoff.app.record import Record, deployment_stream, fold_of, model_stream
from signoff.domain.deployment import Deployment, IllegalHistoryError
from signoff.domain.desks import desks
from signoff.domain.errors import SignoffError, TamperedError, UnavailableError
from signoff.domain.events import Killed
from signoff.domain.flag_notices import DOMAINS, NEWEST, Format, control_in
from signoff.domain.flags import KILLED, LEASE_S, Flags, killed, off
from signoff.domain.flags_of_releases import flags
from signoff.domain.kill_switch import KillSwitchState
from signoff.domain.recognition import Recognition, recognition
from signoff.ledger.canonical import canonical
from signoff.ledger.codec import decode, decode_state
from signoff.ledger.text import encoded
from signoff.ports.kills import Kill, KillJournal, Reach

ALGORITHM: Final = "ed25519"
# A model may have been added since a reading that is older than this.
FRESH_S: Final = 10.0
DEPLOYMENT: Final = deployment_stream("")
MODEL: Final = model_stream("")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagSigner:
    """The key that signs notices."""

    key_id: str
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class LedgerReading:
    """What changed in the ledger since the last reading: its size, the changed states, the recorded kills.

    `over` are kills of single models that were settled as parts of wider kills before this reading.
    """

    size: int
    states: Mapping[str, Deployment | KillSwitchState]
    recorded: frozenset[str]
    over: frozenset[str] = frozenset()


class FlagCache:
    """Flags by model. `refresh` reads the database, `listen` the journal; all other methods read memory."""

    def __init__(self, record: Record, journal: KillJournal, seal: FlagSigner) -> None:
        self._record, self._journal, self._seal = record, journal, seal
        self._boot, self._began = uuid4().hex, record.clock.monotonic()
        self._lock, self._reading = Lock(), Lock()
        self._size = -1
        self._states: dict[str, Deployment | KillSwitchState] = {}
        self._streams: dict[str, set[str]] = {}
        self._pending: dict[str, Kill] = {}
        self._wide: dict[str, Kill] = {}
        self._parts: dict[tuple[str, str], str] = {}
        self._is_parted = True
        self._late: set[str] = set()
        self._over: set[str] = set()
        self._asked: set[str] = set()
        self._recorded: set[str] = set()
        self._told: dict[str, Flags] = {}
        self._good_at: float | None = None
        self._is_readable = True

    @property
    def boot(self) -> str:
        """The id of this run of the server."""
        return self._boot

    @property
    def age_s(self) -> float | None:
        """Seconds since the database was last read, None before the first time."""
        good_at = self._good_at
        return None if good_at is None else self._record.clock.monotonic() - good_at

    @property
    def is_known(self) -> bool:
        """Whether the last attempt to read the record succeeded; if not, every model is off."""
        return self._good_at is not None and self._is_readable

    def models(self) -> tuple[str, ...]:
        """Every model that has flags."""
        return tuple(flags.model for flags in self.told())

    def told(self) -> tuple[Flags, ...]:
        """The flags of every model, by name."""
        with self._lock:
            return tuple(flags for _, flags in sorted(self._told.items()) if self._counts(flags))

    def flags(self, model: str) -> Flags | None:
        """The flags of a model, None if it is unknown."""
        with self._lock:
            flags = self._told.get(model)
            return flags if flags is not None and self._counts(flags) else None

    def releases(self) -> tuple[Deployment, ...]:
        """Every release, as of the last reading."""
        with self._lock:
            return tuple(state for state in self._states.values() if isinstance(state, Deployment))

    def recognised(self, name: str) -> Recognition:
        """What the last reading knows of a name; it is called unknown only if the record can be read now."""
        with self._lock:
            states = tuple(self._states.values())
        releases = {state.id: state.model for state in states if isinstance(state, Deployment)}
        rehearsed = {
            state.model for state in states if isinstance(state, KillSwitchState) and state.rehearsal is not None
        }
        result = recognition(name, releases, frozenset(rehearsed))
        is_fresh = self.is_known and (age_s := self.age_s) is not None and age_s <= FRESH_S
        return result if is_fresh or result.is_known else replace(result, is_known=None, models=None)

    def latch(self, model: str) -> KillSwitchState | None:
        """A model's kill switch as of the last reading; a kill in force may be ahead of it."""
        with self._lock:
            state = self._states.get(model_stream(model))
            return state if isinstance(state, KillSwitchState) else None

    def ordered(self) -> tuple[Kill, ...]:
        """Kills in force that the last reading of the record lacks."""
        with self._lock:
            return tuple(self._pending.values())

    @property
    def unrecorded(self) -> int:
        """The number of kills in force that are not on record; a kill of many models counts once."""
        with self._lock:
            parts = set(self._parts.values())
            return len(self._wide) + sum(name not in parts for name in self._pending)

    def stopped_by(self, kill: Kill) -> tuple[str, ...]:
        """The models here that a kill stops."""
        with self._lock:
            return self._stopped_by(kill)

    def kill(self, kill: Kill) -> tuple[str, ...]:
        """Put a kill in force; returns the models whose flags changed."""
        return self._ordered((kill,))

    def listen(self) -> tuple[str, ...]:
        """Put in force the kills that other processes of this home journaled; needs no database.

        A kill of many models leaves the journal once it is recorded for each of them.
        """
        pending = self._journal.pending()
        with self._lock:
            left = {kill.id for kill in pending}
            gone = self._wide.keys() - left
            self._wide = {name: kill for name, kill in self._wide.items() if name not in gone}
            self._over |= {part for (whole, _), part in self._parts.items() if whole in gone and part in self._late}
            self._parts = {key: part for key, part in self._parts.items() if key[0] not in gone}
            self._late -= self._over
        return self._ordered(pending)

    def collect(self) -> tuple[str, ...]:
        """Move handed-over kills into the journal; `listen` puts them in force."""
        self._journal.collect()
        return ()

    def refresh(self) -> tuple[str, ...]:
        """Read the ledger; returns the models whose flags changed. An unreachable database changes none.

        A kill stays in force until a state that holds it was read, even if its file is gone.
        """
        with self._reading:
            try:
                reading = self._read()
            except UnavailableError:
                return ()
            except SignoffError:
                return self.lose()
            self._good_at = self._record.clock.monotonic()
            return self._kept(reading)

    def lose(self) -> tuple[str, ...]:
        """Publish only kills until the ledger is readable again; returns the models that are no longer published."""
        with self._lock:
            was_readable, self._is_readable = self._is_readable, False
            return tuple(sorted(self._told)) if was_readable else ()

    def notice(self, model: str, form: Format = NEWEST) -> bytes:
        """The signed flags of one model, as canonical JSON."""
        flags = self.flags(model) or self._unknown(model)
        return self._signed(form, {**self._stamp(), "control": control_in(form, flags)})

    def heartbeat(self, models: Iterable[str], form: Format = NEWEST) -> bytes:
        """A signed heartbeat with the revision of each model, so that a reader sees that a notice was withheld."""
        revisions = {m: [flags.kill_count, flags.revision] for m in models if (flags := self.flags(m)) is not None}
        return self._signed(form, {**self._stamp(), "models": revisions})

    def greeting(self, nonce: str, form: Format = NEWEST) -> bytes:
        """The signed greeting of one connection. It carries the reader's nonce, so a recording cannot replace it."""
        return self._signed(form, {**self._stamp(), "nonce": nonce, "lease_s": LEASE_S, "known": self.is_known})

    def _unknown(self, model: str) -> Flags:
        """The flags of an unknown model: off, or killed while a kill of everything is in force."""
        with self._lock:
            kills = sum(kill.reach is Reach.ALL for kill in self._wide.values())
        return killed(off(model), kills) if kills else off(model)

    def _stamp(self) -> dict[str, object]:
        now = self._record.clock.monotonic()
        return {"boot": self._boot, "tick_ms": round(1000 * (now - self._began)), "at": self._record.now().isoformat()}

    def _signed(self, form: Format, body: Mapping[str, object]) -> bytes:
        payload = canonical(body)
        signature = encoded(self._seal.sign(DOMAINS[form] + payload))
        return canonical(
            {"payload": payload.decode(), "algorithm": ALGORITHM, "keyid": self._seal.key_id, "sig": signature}
        )

    def _counts(self, flags: Flags) -> bool:
        """Whether these flags may be published: all while the ledger is readable, else only kills."""
        return self._is_readable or flags.state == KILLED

    def _ordered(self, kills: Collection[Kill]) -> tuple[str, ...]:
        with self._lock:
            single = [kill for kill in kills if not kill.is_wide]
            new = {kill.id: kill for kill in kills if kill.is_wide and kill.id not in self._wide}
            self._wide |= new
            self._is_parted = self._is_parted and not new
            return self._retold(self._in_force((*single, *self._new_parts())))

    def _in_force(self, kills: Iterable[Kill]) -> set[str]:
        """Add kills that are neither counted nor on record; returns the models that they stop. Needs the lock."""
        new = {kill.id: kill for kill in kills if kill.id not in self._recorded and kill.id not in self._pending}
        self._pending |= new
        return {kill.model for kill in new.values()}

    def _new_parts(self) -> list[Kill]:
        """The parts of wide kills for models that were unknown when these kills began. Needs the lock."""
        new: list[Kill] = []
        if self._is_parted:
            return new
        self._is_parted = True
        for kill in self._wide.values():
            for model in self._stopped_by(kill):
                if (kill.id, model) not in self._parts:
                    new.append(part := kill.part(model))
                    self._parts[kill.id, model] = part.id
        return new

    def _stopped_by(self, kill: Kill) -> tuple[str, ...]:
        models = self._streams.keys() | self._told.keys()
        is_any = kill.reach is Reach.ALL
        return tuple(sorted(model for model in models if is_any or kill.covers(model, self._desks(model))))

    def _desks(self, model: str) -> frozenset[str]:
        states = (self._states[stream] for stream in self._streams.get(model, ()))
        return desks(state for state in states if isinstance(state, Deployment))

    def _read(self) -> LedgerReading:
        """Read on from the last reading, or from the start if the ledger was replaced."""
        try:
            return self._read_on()
        except IllegalHistoryError:
            self._size = -1
        try:
            return self._read_on()
        except IllegalHistoryError as error:
            raise TamperedError(f"The ledger has an impossible history: {error}") from error

    def _read_on(self) -> LedgerReading:
        """Read the new states, and exactly the kills that they hold.

        A kill that is on record when queried is in the states read afterwards. A kill that is recorded later is either
        among the events read, or not in the states.
        """
        store = self._record.store
        with self._lock:
            over = frozenset(self._over)
            doubtful = self._pending.keys() - (self._asked if self._size >= 0 else set[str]())
        recorded = {kill_id for kill_id in doubtful if store.request_of(recorded_as(kill_id)) is not None}
        size, states, moved = store.size(), self._states, dict[str, Deployment | KillSwitchState]()
        is_anew = not 0 <= self._size <= size
        if is_anew:
            states = moved = self._every_state()
            recorded |= self._recorded_parts(moved.values())
        else:
            size = self._size
        for row in store.rows(after=size):
            event, size = decode(row.body), row.seq
            if isinstance(event.event, Killed):
                recorded.add(event.event.kill)
            before = moved.get(event.stream) or states.get(event.stream)
            is_held = is_anew and before is not None and event.revision <= before.revision
            if event.stream.startswith((DEPLOYMENT, MODEL)) and not is_held:
                state = fold_of(event.stream)(before, event)
                assert isinstance(state, Deployment | KillSwitchState)
                moved[event.stream] = state
        self._asked |= doubtful
        return LedgerReading(size, moved, frozenset(recorded), over)

    def _recorded_parts(self, states: Iterable[Deployment | KillSwitchState]) -> set[str]:
        """The parts of pending wide kills that were recorded before the cache first read these states."""
        released: dict[str, list[Deployment]] = {}
        for state in states:
            released.setdefault(state.model, []).extend([state] if isinstance(state, Deployment) else [])
        with self._lock:
            wide = tuple(self._wide.values())
        parts = (k.part(model).id for k in wide for model, mine in released.items() if k.covers(model, desks(mine)))
        return {part for part in parts if self._record.store.request_of(recorded_as(part)) is not None}

    def _every_state(self) -> dict[str, Deployment | KillSwitchState]:
        states: dict[str, Deployment | KillSwitchState] = {}
        for stored in self._record.store.streams(DEPLOYMENT):
            states[stored.stream] = decode_state(Deployment, stored.state)
        for stored in self._record.store.streams(MODEL):
            states[stored.stream] = decode_state(KillSwitchState, stored.state)
        return states

    def _kept(self, reading: LedgerReading) -> tuple[str, ...]:
        """Publish a reading; the states and the kills that they hold change at once."""
        with self._lock:
            self._size = reading.size
            self._states |= reading.states
            for stream, state in reading.states.items():
                self._streams.setdefault(state.model, set()).add(stream)
            self._recorded |= reading.recorded
            self._is_parted = self._is_parted and not reading.states
            late = self._new_parts()
            self._late |= {part.id for part in late}
            stopped = self._in_force(late)
            ended = (reading.recorded | reading.over) & self._pending.keys()
            settled = {self._pending.pop(name).model for name in ended}
            self._over -= reading.over
            changed = self._retold(settled | stopped | {state.model for state in reading.states.values()})
            was_readable, self._is_readable = self._is_readable, True
            return changed if was_readable else tuple(sorted(self._told))

    def _retold(self, models: Iterable[str]) -> tuple[str, ...]:
        """Compute the flags of these models again; returns those that changed. Needs the lock."""
        kills = Counter(kill.model for kill in self._pending.values())
        changed = []
        for model in sorted(models):
            states = [self._states[stream] for stream in self._streams.get(model, ())]
            released = [state for state in states if isinstance(state, Deployment)]
            present = flags(
                model, released, next((state for state in states if isinstance(state, KillSwitchState)), None)
            )
            if kills[model]:
                present = killed(present, kills[model])
            if self._told.get(model) != present:
                self._told[model] = present
                changed.append(model)
        return tuple(changed)
