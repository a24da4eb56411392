"""The options of a verdict and their allowed values, for the command and the function."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final

from signoff.adapters.evidence.file_formats import Hints
from signoff.adapters.results.conversion import hints_of
from signoff.adapters.results.extremes import declared_values
from signoff.domain.dossier import EvidenceDeclaration, ExtremeReturn, NeverTraded, ReturnUnit
from signoff.domain.errors import BadInputError
from signoff.domain.frequency import Frequency
from signoff.domain.names_of_gates import key_of, name_of

UNITS: Final = tuple(unit.value for unit in ReturnUnit)
FREQUENCIES: Final = tuple(frequency.value for frequency in Frequency)
MOST_TRIALS: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Facts that the data do not show; an option left out is inferred, or asked for."""

    column: str | None = None
    equity: bool | None = None
    unit: str | None = None
    frequency: str | None = None
    rows_a_year: float | None = None
    calendar: str | None = None
    zone: str | None = None
    risk_free_pct: float = 0.0
    benchmark_lag: int | None = None
    never_traded: int | None = None
    extremes: tuple[str, ...] = ()
    flows_complete: bool = False
    dates: str | None = None
    decimal: str | None = None
    sheet: str | None = None
    capital: float | None = None
    prices: Path | None = None
    fills: Path | None = None

    def __post_init__(self) -> None:
        for name, value, allowed in (("unit", self.unit, UNITS), ("frequency", self.frequency, FREQUENCIES)):
            if value is not None and value not in allowed:
                raise BadInputError(f"Expected --{name} to be one of {', '.join(allowed)}, found {value!r}.")
        _within("rows-a-year", self.rows_a_year, 1, 366)
        _within("risk-free-pct", self.risk_free_pct, -2, 50)
        _within("benchmark-lag", self.benchmark_lag, -5, 5)
        _within("never-traded", self.never_traded, 1, MOST_TRIALS)

    @property
    def hints(self) -> Hints:
        """Hints on the form of a file."""
        return hints_of(decimal=self.decimal, dates=self.dates, sheet=self.sheet, drop_head=True)

    @property
    def declared(self) -> EvidenceDeclaration:
        """The declarations for the gates."""
        return EvidenceDeclaration(
            return_unit=ReturnUnit.FRACTION if self.unit == ReturnUnit.FRACTION.value else None,
            extreme_returns=tuple(
                ExtremeReturn(date=day, value=one)
                for day, of_day in declared_values(self.extremes).items()
                for one in of_day
            ),
            frequency=None if self.frequency is None else Frequency(self.frequency),
            rows_a_year=self.rows_a_year,
            calendar=self.calendar,
            zone=self.zone,
            risk_free_pct=self.risk_free_pct,
            benchmark_lag=self.benchmark_lag,
            never_traded=None if self.never_traded is None else NeverTraded(trials=self.never_traded),
        )


def _within(name: str, value: float | None, least: float, most: float) -> None:
    if value is not None and not (isfinite(value) and least <= value <= most):
        raise BadInputError(f"Expected --{name} from {least:,} to {most:,}, found {value}.")


def gate_keys(names: Sequence[str], all_keys: Sequence[str]) -> tuple[str, ...]:
    """The keys of gates by either of their names; an unknown one is refused."""
    keys = tuple(key_of(name.strip()) for name in names)
    if strange := [key for key in keys if key not in all_keys]:
        raise BadInputError(f"Expected a gate ({', '.join(name_of(key) for key in all_keys)}), found {strange[0]!r}.")
    return keys
