"""Champion and candidate side by side in one trading process, and the orders that follow from their predictions.

The champion answers. Its answer is held against the declared range, and its features against their age; where either
fails, the declared fallback answers, and the journal says so. The candidate predicts the same rows in a process of its
own: whatever it does, the champion's caller pays for one row in shared memory. No order leaves before its prediction is
on the disk, and none leaves for a version in shadow.
"""

import hashlib
import math
import sys
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from signoff.desk.fallbacks import Output, Signal
from signoff.desk.journal.records import LONGEST, PREDICTION, Kind, Mark
from signoff.desk.journal.writing import Journal
from signoff.desk.models import Features, Model, not_finite
from signoff.desk.orders import Orders
from signoff.domain.artifacts import Pin
from signoff.domain.errors import BadInputError
from signoff.domain.flags import Flags

if TYPE_CHECKING:
    from signoff.desk.candidate import Candidate

MOST_FEATURES: Final = (LONGEST - PREDICTION.size) // 8
MOST_SYMBOL: Final = 64
AHEAD_S: Final = 1.0
_NAN: Final = float("nan")
_SHADOW: Final = int(Mark.SHADOW)
_FALLBACK: Final = int(Mark.FALLBACK)
LARGEST: Final = sys.float_info.max


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """A loaded version, and the release that trades it."""

    model: Model
    version: str
    deployment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowVersion:
    """A version that a process of its own loads from this folder; the desk itself runs none of its code."""

    folder: Path
    pin: Pin
    features: tuple[str, ...]
    version: str
    deployment: str


class Host:
    """The models of one trading process.

    `flags` tells the flags of a version, which the orders are held to. `symbols`, where they
    are given, are the only ones that are taken. `wall` is the clock that features are aged by.
    """

    def __init__(
        self,
        champion: Hosted,
        journal: Journal,
        *,
        candidate: ShadowVersion | None = None,
        output: Output | None = None,
        flags: Callable[[str], Flags] | None = None,
        symbols: Collection[str] | None = None,
        wall: Callable[[], float] = time.time,  # noqa: TID251 - the one place where a desk looks at the wall clock
        time_box_s: float = 1.0,
        start_s: float = 60.0,
    ) -> None:
        self.output = Output() if output is None else output
        self._journal, self._wall = journal, wall
        self._symbols = None if symbols is None else frozenset(symbols)
        self._known: set[str] = set()
        self._valid: dict[str, tuple[float, int]] = {}
        self._last_at: dict[str, float] = {}
        self.orders = Orders(journal, champion.deployment, flags)
        self.submitted, self.acknowledged = self.orders.submitted, self.orders.acknowledged
        self.filled, self.cancelled = self.orders.filled, self.orders.cancelled
        self._time_box_s, self._start_s = time_box_s, start_s
        self._pair: tuple[Hosted, Candidate | None] = champion, None
        self._earlier: dict[str, int] = {}
        self.is_shadow, self.unavailable = False, ""
        self.predictions = self.fallbacks = 0
        self.replace(champion, candidate)

    def replace(self, champion: Hosted, candidate: ShadowVersion | None) -> None:
        """Host these versions from now on; a candidate that stays keeps its process."""
        if champion is not self._pair[0]:
            self._valid.clear()
        self._low, self._high = max(self.output.lowest, -LARGEST), min(self.output.highest, LARGEST)
        self._is_long = len(champion.model.features) > MOST_FEATURES
        before = self._pair[1]
        self._pair = champion, None
        self.shadowed, self.orders.deployment = candidate, champion.deployment
        if before is not None:
            before.close()
            self._earlier = {key: self._earlier.get(key, 0) + count for key, count in before.counted().items()}
        if candidate is None:
            return
        if candidate.features != champion.model.features:
            self.orders.refuse(
                "candidate",
                f"v{candidate.version} takes other features than v{champion.version}, so it does not run in shadow",
            )
            return
        from signoff.desk.candidate import Candidate  # noqa: PLC0415 - only where there is one

        self._pair = (
            champion,
            Candidate(
                candidate.folder,
                candidate.pin,
                len(candidate.features),
                self._shadowed(candidate),
                time_box_s=self._time_box_s,
                start_s=self._start_s,
            ),
        )

    @property
    def champion(self) -> Hosted:
        return self._pair[0]

    @property
    def candidate(self) -> "Candidate | None":
        """The candidate's process, None where no candidate runs."""
        return self._pair[1]

    def predict(self, symbol: str, features: Features, at: datetime | None = None) -> Signal:
        """The champion's answer, or the declared fallback's.

        `at` is the time of the features. BadInputError for a row or a symbol that the model does not take;
        JournalFullError where the journal refuses records, so that no new risk is taken.
        """
        began = time.perf_counter_ns()
        hosted, candidate = self._pair
        if symbol not in self._known:
            self._meet(symbol)
        try:
            row = hosted.model.row(features)
        except BadInputError as error:
            self.orders.refuse("prediction", str(error), symbol=symbol)
            raise
        reason = self.unavailable or self._unfit(hosted.model, row, symbol, at)
        is_fit, value = not reason, _NAN
        if is_fit:
            value, reason = self._answered(hosted.model, row)
        now = time.perf_counter_ns()
        if reason:
            signal = self._fallen_back(hosted, symbol, row, reason, began)
        else:
            seq = self._recorded(hosted, symbol, value, row, now - began, 0)
            self._valid[symbol] = value, now
            signal = Signal(value, hosted.version, seq, False, "", symbol, hosted.deployment, self.is_shadow)
        self.orders.predicted(signal)
        self.predictions += 1
        if is_fit and candidate is not None:
            candidate.offer(symbol, row.cast("B"))
        return signal

    def counted(self) -> dict[str, Any]:
        """What happened so far, for the heartbeat."""
        hosted, candidate = self._pair
        shadow = dict(self._earlier)
        if candidate is not None:
            shadow = {key: shadow.get(key, 0) + count for key, count in candidate.counted().items()}
        return {
            "predictions": self.predictions,
            "fallbacks": self.fallbacks,
            "refused": self.orders.refused,
            "unrecorded": self.orders.unrecorded,
            "champion": hosted.version,
            "candidate": None if self.shadowed is None else self.shadowed.version,
            "shadow": shadow,
            **({"shadow_reason": candidate.reason} if candidate is not None and candidate.reason else {}),
        }

    def close(self) -> None:
        """End the candidate's process."""
        if self._pair[1] is not None:
            self._pair[1].close()

    def _meet(self, symbol: object) -> None:
        """A symbol that was not seen before is a short text, of the universe where there is one."""
        is_text = isinstance(symbol, str) and 0 < len(symbol) <= MOST_SYMBOL and symbol.isprintable()
        if is_text and (self._symbols is None or symbol in self._symbols):
            assert isinstance(symbol, str)
            self._known.add(symbol)
            return
        expected = "a symbol of the desk's universe" if is_text else f"a symbol of 1 to {MOST_SYMBOL} characters"
        objection = f"Expected {expected}, found {symbol!r:.80}."
        self.orders.refuse("prediction", objection, symbol=str(symbol)[:MOST_SYMBOL])
        raise BadInputError(objection)

    def _unfit(self, model: Model, row: memoryview, symbol: str, at: datetime | None) -> str:
        """Why the model is not asked: features that are not finite, too old, or of no known age."""
        if not math.isfinite(sum(row)) and (objection := not_finite(row, model.features)) is not None:
            return objection
        if at is not None:
            return self._aged(symbol, at)
        if self.output.most_feature_age_s is not None:
            return f"the age of the features is unknown, and at most {self.output.most_feature_age_s:g} s is allowed"
        return ""

    def _aged(self, symbol: str, at: object) -> str:
        if not isinstance(at, datetime) or at.utcoffset() is None:
            objection = f"Expected the time of the features as a datetime with a zone, found {at!r:.60}."
            self.orders.refuse("prediction", objection, symbol=symbol)
            raise BadInputError(objection)
        most, moment = self.output.most_feature_age_s, at.timestamp()
        last, age = self._last_at.get(symbol, -math.inf), self._wall() - moment
        if moment < last:
            return f"the features are {last - moment:.3f} s older than the ones before: the clock goes backwards"
        if age < -AHEAD_S:
            return f"the features are of {-age:.1f} s in the future"
        self._last_at[symbol] = moment
        if most is not None and age > most:
            return f"the features are {age:.1f} s old, and at most {most:g} s is allowed"
        return ""

    def _answered(self, model: Model, row: memoryview) -> tuple[float, str]:
        """The model's answer, and why it is none."""
        try:
            value = model.answer(row)
        except Exception as error:  # noqa: BLE001 - a model may raise anything, and the desk must answer
            return _NAN, f"the model raised {type(error).__name__}: {str(error)[:200]}"
        return value, "" if self._low <= value <= self._high else self.output.objection(value)

    def _recorded(self, hosted: Hosted, symbol: str, value: float, row: memoryview, latency_ns: int, marks: int) -> int:
        """Record the champion's prediction with its features, or their digest where they are too many."""
        if self.is_shadow:
            marks |= _SHADOW
        features: memoryview | bytes = row.cast("B")
        if self._is_long:
            features, marks = hashlib.sha256(features).digest(), marks | Mark.DIGEST_OF_FEATURES
        return self._journal.predict(
            hosted.deployment, hosted.version, symbol, value, features=features, latency_ns=latency_ns, marks=marks
        )

    def _fallen_back(self, hosted: Hosted, symbol: str, row: memoryview, reason: str, began: int) -> Signal:
        now = time.perf_counter_ns()
        done, value, instead = self.output.stand_in(symbol, row, self._valid.get(symbol), now)
        full = f"{reason}; {instead}" if instead else reason
        seq = self._recorded(hosted, symbol, value, row, now - began, _FALLBACK)
        says = {"prediction": seq, "fallback": done.value, "reason": full[:1000]}
        self._journal.event(Kind.FALLBACK, hosted.deployment, says)
        self.fallbacks += 1
        return Signal(value, hosted.version, seq, True, full, symbol, hosted.deployment, self.is_shadow)

    def _shadowed(self, candidate: ShadowVersion) -> Callable[[str, float, int, bytes], None]:
        """What records an answer of this candidate."""
        version, deployment, is_long = candidate.version, candidate.deployment, self._is_long
        marks = _SHADOW | (Mark.DIGEST_OF_FEATURES if is_long else 0)

        def taken(symbol: str, value: float, latency_ns: int, row: bytes) -> None:
            features = hashlib.sha256(row).digest() if is_long else row
            seq = self._journal.predict(
                deployment, version, symbol, value, features=features, latency_ns=latency_ns, marks=marks
            )
            self.orders.predicted(Signal(value, version, seq, False, "", symbol, deployment, True))

        return taken
