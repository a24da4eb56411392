"""The measurements: the arrays behind every computed line of the memo, each with its file.

They are checked at the edge (ordered, unique, finite, zoned) and trusted inside. A missing part is None, and whatever
needs it is inconclusive.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from signoff.domain.artifacts import Pin
from signoff.domain.bars import Bars
from signoff.domain.benchmark import Benchmark
from signoff.domain.costs import Costs, costs_in_words
from signoff.domain.environment import Lock, PythonEnvironment
from signoff.domain.isolation import Protection
from signoff.domain.sampling import Coverage, Sampling, inferred

Floats = NDArray[np.float64]
Days = NDArray[np.datetime64]  # datetime64[D]
Instants = NDArray[np.datetime64]  # datetime64[us], UTC
Symbols = NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class CodedSymbols:
    """A long column of names as places in a short list, readable like the array of its texts.

    Five million names of six letters take 120 MB as texts, and 10 to 20 MB here.
    """

    codes: NDArray[np.unsignedinteger]
    names: Symbols

    @property
    def size(self) -> int:
        return self.codes.size

    @property
    def distinct(self) -> Symbols:
        """Every name that occurs, in alphabetical order."""
        return np.sort(self.names)

    def tolist(self) -> list[str]:
        names: list[str] = self.names.tolist()
        return [names[code] for code in self.codes.tolist()]

    def __len__(self) -> int:
        return self.codes.size

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.intp] | slice) -> Symbols:
        symbols: Symbols = self.names[self.codes[rows]]
        return symbols

    def __array__(self, dtype: np.dtype | None = None, *, copy: bool | None = None) -> Symbols:
        symbols: Symbols = self.names[self.codes]
        return symbols if dtype is None else symbols.astype(dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absences:
    """Predictions that a symbol lacks between its first and last: it left an index, a holiday, or a loss.

    A symbol is expected at its usual hours of the day, so markets may close.
    """

    expected: int
    absent: int
    symbols: int
    example: tuple[str, datetime]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file of evidence."""

    name: str
    sha256: str
    size: int
    rows: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Returns:
    """Simple returns; all arrays of length T. `costs` says whether they are net of them.

    `left_out` says which rows of the file are omitted, and by which rule. `sampling` is what dates and dossier say
    about time, `bars` are the rows of a file with times of the day.
    """

    source: Source
    dates: Days
    returns: Floats
    benchmark: Floats | None = None
    turnover: Floats | None = None
    cost: Floats | None = None
    left_out: tuple[str, ...] = ()
    sampling: Sampling | None = None
    bars: Bars | None = None
    costs: Costs = Costs.NOT_STATED

    @property
    def time(self) -> Sampling:
        """Its sampling: as read, else as its dates show."""
        if self.sampling is not None:
            return self.sampling
        values: object = self.returns
        is_sound = isinstance(values, np.ndarray) and values.shape == self.dates.shape and values.dtype.kind == "f"
        frequency = inferred(self.dates, self.returns if is_sound else None)
        return frequency if isinstance(frequency, Sampling) else Sampling()

    @property
    def period(self) -> tuple[date, date]:
        return self.dates[0].item(), self.dates[-1].item()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Trials:
    """Daily returns of every configuration tried: T by N."""

    source: Source
    dates: Days
    names: tuple[str, ...]
    returns: Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Predictions:
    """Predictions and realised returns, one row a prediction."""

    source: Source
    timestamps: Instants
    symbols: Symbols | CodedSymbols
    prediction: Floats
    realized: Floats
    confidence: Floats | None = None
    absences: Absences | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PaperLog:
    """One row a prediction in paper trading; quantity 0 where no order followed (prices are NaN there).

    `bar_low` and `bar_high` are the lowest and highest prices in the bar of the fill, NaN if unknown. `versions` and
    `runs` are the model's in the log, empty if it names none.
    """

    source: Source
    timestamps: Instants
    symbols: Symbols
    prediction: Floats
    latency_ms: Floats
    is_error: NDArray[np.bool_]
    side: Symbols
    quantity: Floats
    decision_price: Floats
    fill_price: Floats
    bar_low: Floats | None = None
    bar_high: Floats | None = None
    versions: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Positions:
    """Weights held, one row a date and symbol; ADV in USD, NaN if unknown."""

    source: Source
    dates: Days
    symbols: Symbols
    weight: Floats
    sector: Symbols | None = None
    adv: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AssetReturns:
    """Simple daily returns of the assets, one row a date and symbol; they may begin before the backtest."""

    source: Source
    dates: Days
    symbols: Symbols
    returns: Floats


class SuiteName(StrEnum):
    """The four suites of section 8.3."""

    UNIT = "unit"
    INTEGRATION = "integration"
    PIT = "pit"
    PERFORMANCE = "performance"


@dataclass(frozen=True, slots=True)
class ReportedTest:
    """One test of a report; `day` is the day of the run by the report, or ""."""

    group: str
    name: str
    has_passed: bool
    day: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteResult:
    """The result of one suite in a JUnit file; skipped tests have not passed."""

    passed: int
    total: int
    source: Source
    cases: tuple[ReportedTest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PitFinding:
    """One fault, on `n` of the `of` dates, rows or names that were checked."""

    feature: str
    kind: str
    first_date: str
    size: float
    detail: str = ""
    n: int = 0
    of: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PitAudit:
    """One audit beside the replay and its sample; an audit without a sample shows nothing."""

    name: str
    dates_checked: int
    features_checked: int
    rows_checked: int
    findings: int

    @property
    def has_looked(self) -> bool:
        return self.dates_checked > 0 and self.features_checked > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayGap:
    """A run of decision dates that the replay could not cover."""

    first: date
    last: date
    dates: int

    @property
    def words(self) -> str:
        span = str(self.first) if self.first == self.last else f"{self.first} to {self.last}"
        return f"{span} ({self.dates:,} {'date' if self.dates == 1 else 'dates'})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The part of the record that the point-in-time replay covers.

    `dates` of the `of` decision dates have features and inputs, from `first` to `last`; `gaps` are the others. `pairs`
    of `of_pairs` counts dates and symbols, 0 of 0 if the features name no symbol of the record. `symbols` has a
    sentence on each symbol that lacks decisions. `record` and `record_dates` are the backtest's.
    """

    dates: int
    of: int
    first: date | None
    last: date | None
    record: tuple[date, date]
    record_dates: int
    gaps: tuple[ReplayGap, ...] = ()
    pairs: int = 0
    of_pairs: int = 0
    symbols: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """The share of decisions that was replayed: of dates, or of dates and symbols if that is less."""
        of_dates = self.dates / self.of if self.of else 0.0
        return min(of_dates, self.pairs / self.of_pairs) if self.of_pairs else of_dates


@dataclass(frozen=True, slots=True, kw_only=True)
class PitEvidence:
    """The point-in-time replay: what was recomputed and what changed. `error` says why it could not run.

    `findings` are of the replay and every audit; the counts are the replay's. `protection` says what the feature code
    could not reach, None if it did not run. `code` is the code by path; `environment` what it could import. `declared`
    are the features declared to come from times alone, and `declared_decisions` those of the strategy. `replayed` is
    the part of the record that was replayed; an older Signoff kept none.
    """

    findings: tuple[PitFinding, ...]
    dates_checked: int
    features_checked: int
    seed: int
    error: str | None = None
    audits: tuple[PitAudit, ...] = ()
    protection: Protection | None = None
    code: Mapping[str, bytes] = field(default_factory=dict)
    environment: PythonEnvironment | None = None
    declared: tuple[str, ...] = ()
    declared_decisions: tuple[str, ...] = ()
    replayed: Replayed | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredModel:
    """A model in the registry: which of the wanted versions it has, and what an alias names.

    `numbers` are the registry's numbers of the versions, the latest if several have the tag; `registrations` are all of
    them. `namesakes` are other registered models that have every version that is missing here.
    """

    is_registered: bool
    numbers: Mapping[str, int] = field(default_factory=dict)
    alias_number: int | None = None
    alias_version: str = ""
    namesakes: tuple[str, ...] = ()
    registrations: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def alias_words(self) -> str:
        """What the alias names, as findings print it."""
        if self.alias_number is None:
            return "no version"
        return (
            f"v{self.alias_version}" if self.alias_version else f"number {self.alias_number}, which has no tag version"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVersion:
    """One version in the registry; unknown fields are empty or None.

    `pin` names its files, and `contents` has the bytes of those that are kept; both only on request.
    """

    model: str
    version: str
    run_id: str
    experiment: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    features: tuple[str, ...]
    training_start: date | None
    training_end: date | None
    git_commit: str | None
    architecture: str
    tags: Mapping[str, str]
    aliases: tuple[str, ...]
    artifacts: tuple[str, ...]
    model_uri: str
    users: tuple[str, ...] = ()
    number: int | None = None
    pin: Pin | None = None
    contents: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackedTable:
    """A table from the experiment tracker, with the users of its runs and the number of runs without a user.

    `ids` are the ids of these runs; an older Signoff kept none.
    """

    name: str
    runs: int
    users: Mapping[str, int]
    unnamed: int = 0
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All measurements of one release; `stress` is the model run again outside the backtest.

    `has_registry` says whether a model registry was asked for the two versions. `largest_return` is the largest
    declared gain of one period, or None. `coverage` compares each table of returns with its calendar, empty without
    one.
    """

    backtest: Returns
    backtest_previous: Returns | None = None
    trials: Trials | None = None
    predictions: Predictions | None = None
    predictions_previous: Predictions | None = None
    paper: PaperLog | None = None
    paper_returns: Returns | None = None
    positions: Positions | None = None
    stress: Returns | None = None
    asset_returns: AssetReturns | None = None
    suites: Mapping[SuiteName, SuiteResult] = field(default_factory=dict)
    pit: PitEvidence | None = None
    candidate: RegisteredVersion | None = None
    champion: RegisteredVersion | None = None
    sources: tuple[Source, ...] = ()
    tracked: tuple[TrackedTable, ...] = ()
    benchmark: Benchmark | None = None
    benchmark_previous: Benchmark | None = None
    has_registry: bool = False
    largest_return: float | None = None
    coverage: tuple[Coverage, ...] = ()
    lock: Lock | None = None

    @property
    def costs(self) -> str:
        """Whether the backtest, and the previous version's beside it, are net of costs, in words."""
        previous = self.backtest_previous
        return costs_in_words(self.backtest.costs, None if previous is None else previous.costs)

    @property
    def last_days(self) -> Mapping[str, date]:
        """The last day of each table of measurements, by the name of its file."""
        dated = (
            *(self.backtest, self.backtest_previous, self.trials, self.positions),
            *(self.paper_returns, self.stress, self.asset_returns),
        )
        timed = (self.predictions, self.predictions_previous, self.paper)
        ends = {part.source.name: part.dates.max() for part in dated if part is not None and part.dates.size}
        ends |= {part.source.name: part.timestamps.max() for part in timed if part is not None and part.timestamps.size}
        return {name: end.astype("datetime64[D]").item() for name, end in ends.items()}
