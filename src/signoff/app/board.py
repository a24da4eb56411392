"""The flags of every model in memory, as trading processes are told them: signed, ordered, and ahead of the database.

The board follows the ledger's size. A kill is on it at once, whatever the database does; while the database is away it
keeps what it knew last and says for how long. Every notice carries the boot of its server and a tick of that server's
monotonic clock, so that a reader can tell an old notice from a new one without trusting any wall clock.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from threading import Lock
from typing import Final
from uuid import uuid4

from signoff.app.record import Record, deployment_stream, model_stream
from signoff.domain.deployment import Deployment
from signoff.domain.errors import UnavailableError
from signoff.domain.flags import Flags, flags, killed, off
from signoff.domain.latch import Latch
from signoff.ledger.canonical import canonical
from signoff.ledger.codec import decode, decode_state
from signoff.ledger.text import encoded
from signoff.ports.kills import Kill, KillJournal

DOMAIN: Final = b"signoff.flags.v1\n"
ALGORITHM: Final = "ed25519"
LEASE_S: Final = 10
DEPLOYMENT: Final = deployment_stream("")
MODEL: Final = model_stream("")


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The key that signs notices."""

    key_id: str
    sign: Callable[[bytes], bytes]


class Board:
    """Flags by model; `refresh` asks the database and the journal, everything else only memory."""

    def __init__(self, record: Record, journal: KillJournal, seal: Seal) -> None:
        self._record, self._journal, self._seal = record, journal, seal
        self._boot, self._began = uuid4().hex, record.clock.monotonic()
        self._lock, self._reading = Lock(), Lock()
        self._size = -1
        self._deployments: dict[str, dict[str, Deployment]] = {}
        self._latches: dict[str, Latch] = {}
        self._pending: dict[str, Kill] = {}
        self._told: dict[str, Flags] = {}
        self._good_at: float | None = None

    @property
    def boot(self) -> str:
        """Which run of which server this is."""
        return self._boot

    @property
    def age_s(self) -> float | None:
        """Seconds since the database was last read, None before the first time."""
        good_at = self._good_at
        return None if good_at is None else self._record.clock.monotonic() - good_at

    @property
    def is_known(self) -> bool:
        """Whether the record was read at least once; before that every model is off."""
        return self._good_at is not None

    def models(self) -> tuple[str, ...]:
        """Every model that has flags."""
        with self._lock:
            return tuple(sorted(self._told))

    def told(self) -> tuple[Flags, ...]:
        """The flags of every model, by name."""
        with self._lock:
            return tuple(self._told[model] for model in sorted(self._told))

    def flags(self, model: str) -> Flags | None:
        """The flags of a model, None when it is unknown."""
        with self._lock:
            return self._told.get(model)

    def releases(self) -> tuple[Deployment, ...]:
        """Every release as the record had it last."""
        with self._lock:
            return tuple(d for mine in self._deployments.values() for d in mine.values())

    def latch(self, model: str) -> Latch | None:
        """A model's latch as the record had it last; a kill that is in force may be ahead of it."""
        with self._lock:
            return self._latches.get(model)

    def ordered(self) -> tuple[Kill, ...]:
        """Kills that are in force and that the record, as it was read last, does not hold."""
        with self._lock:
            return tuple(self._pending.values())

    def kill(self, kill: Kill) -> tuple[str, ...]:
        """Put a kill in force; the models whose flags it changed."""
        with self._lock:
            self._pending[kill.id] = kill
            return self._retold({kill.model})

    def refresh(self) -> tuple[str, ...]:
        """Read what the ledger and the journal say now; the models whose flags changed. A database away changes none.

        A kill that was settled stays in force here until the state that holds it has been read, and one that is ordered
        during the reading is none of its business.
        """
        with self._reading:
            with self._lock:
                before = set(self._pending)
            journaled = {kill.id: kill for kill in self._journal.pending()}
            try:
                touched = self._read()
            except UnavailableError:
                touched, settled = set[str](), set[str]()
            else:
                self._good_at = self._record.clock.monotonic()
                settled = before - set(journaled)
        with self._lock:
            gone = {self._pending.pop(name).model for name in settled & set(self._pending)}
            new = {kill.model for name, kill in journaled.items() if name not in self._pending}
            self._pending |= journaled
            return self._retold(touched | gone | new)

    def notice(self, model: str) -> bytes:
        """The signed control of one model, as canonical JSON."""
        told = self.flags(model) or off(model)
        return self._signed({**self._stamp(), "control": control(told)})

    def heartbeat(self, models: Iterable[str]) -> bytes:
        """A signed sign of life that names the revision of each model, so that a notice held back shows."""
        with self._lock:
            known = {m: [told.epoch, told.revision] for m in models if (told := self._told.get(m)) is not None}
        return self._signed({**self._stamp(), "models": known})

    def greeting(self, nonce: str) -> bytes:
        """The signed beginning of one connection: it answers the reader's nonce, so that no recording can stand in."""
        return self._signed({**self._stamp(), "nonce": nonce, "lease_s": LEASE_S, "known": self.is_known})

    def _stamp(self) -> dict[str, object]:
        now = self._record.clock.monotonic()
        return {"boot": self._boot, "tick_ms": round(1000 * (now - self._began)), "at": self._record.now().isoformat()}

    def _signed(self, said: Mapping[str, object]) -> bytes:
        payload = canonical(said)
        signature = encoded(self._seal.sign(DOMAIN + payload))
        return canonical(
            {"payload": payload.decode(), "algorithm": ALGORITHM, "keyid": self._seal.key_id, "sig": signature}
        )

    def _read(self) -> set[str]:
        """Bring the states up to the ledger's size; the models that were touched."""
        store = self._record.store
        size = store.size()
        if size == self._size:
            return set()
        if self._size < 0:
            found = [(s.stream, s.state) for kind in (DEPLOYMENT, MODEL) for s in store.streams(kind)]
        else:
            moved = {decode(row.body).stream for row in store.rows(after=self._size)}
            loaded = (store.load(name) for name in sorted(moved) if name.startswith((DEPLOYMENT, MODEL)))
            found = [(s.stream, s.state) for s in loaded if s is not None]
        touched = {self._keep(stream, state) for stream, state in found}
        self._size = size
        return touched

    def _keep(self, stream: str, state: bytes) -> str:
        if stream.startswith(DEPLOYMENT):
            deployment = decode_state(Deployment, state)
            with self._lock:
                self._deployments.setdefault(deployment.model, {})[deployment.id] = deployment
            return deployment.model
        latch = decode_state(Latch, state)
        with self._lock:
            self._latches[latch.model] = latch
        return latch.model

    def _retold(self, models: Iterable[str]) -> tuple[str, ...]:
        """Tell the flags of these models anew; which of them changed. The lock is held."""
        kills = Counter(kill.model for kill in self._pending.values())
        changed = []
        for model in sorted(models):
            said = flags(model, tuple(self._deployments.get(model, {}).values()), self._latches.get(model))
            if kills[model]:
                said = killed(said, kills[model])
            if self._told.get(model) != said:
                self._told[model] = said
                changed.append(model)
        return tuple(changed)


def control(told: Flags) -> dict[str, object]:
    """The value of `models.<name>.control`: all of a model's flags at once."""
    said = asdict(told)
    return {"rev": said.pop("revision"), **said}
