"""A verdict: the understanding of the data, every possible gate, the metrics, and the missing gates.

It is frozen, has the figures of `signoff check`, and prints as text, HTML with pictures, JSON, or a pandas frame.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from signoff.domain.charts import Chart
from signoff.domain.errors import UnavailableError
from signoff.domain.evidence import Days, Floats
from signoff.domain.finding import Finding as Judged
from signoff.domain.names_of_gates import key_of
from signoff.domain.quantity import Quantity
from signoff.rendering.judged import gate_document, interval_document

if TYPE_CHECKING:
    import pandas as pd

SCREEN: Final = 100
"""The columns of one screen of text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictFinding:
    """One gate: outcome, value, reason, and what would change it.

    `outcome` is pass, fail, inconclusive or error; `status` is NEAR MISS for a narrow pass. `value` is None if nothing
    could be measured. `blocks` says whether it counts: by the policy, because it was requested by name, or because
    the trials fail it.
    """

    key: str
    title: str
    outcome: str
    status: str
    value: float | None
    comparison: str
    threshold: float | None
    n: int
    why: str
    turning_point: str
    method: str
    blocks: bool
    figures: Mapping[str, float | None]
    judged: Judged = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        """The same as `signoff check --json` has it."""
        return {**gate_document(self.judged), "reason": self.why, "turning_point": self.turning_point}


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictMetric:
    """One figure of the record with its 95% interval; `low` and `high` are None without an interval."""

    key: str
    title: str
    value: float | None
    low: float | None
    high: float | None
    text: str
    n: int | None
    quantity: Quantity = field(repr=False)

    @property
    def document(self) -> dict[str, Any]:
        """As numbers and as texts."""
        return {
            "key": self.key,
            "title": self.title,
            "value": self.value,
            "text": self.text,
            "n": self.n,
            "interval": interval_document(self.quantity),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A gate that the data do not allow, and what it needs."""

    key: str
    title: str
    needs: str
    why: str
    is_blocking: bool
    is_of_dossier: bool

    @property
    def document(self) -> dict[str, Any]:
        """As programs read it."""
        return {
            "key": self.key,
            "title": self.title,
            "needs": self.needs,
            "why": self.why,
            "blocking": self.is_blocking,
            "of_dossier": self.is_of_dossier,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Understanding:
    """The understanding of the data: `lines` in words, the rest as values."""

    lines: tuple[str, ...]
    start: str
    end: str
    rows: int
    frequency: str
    rows_a_year: float
    calendar: str
    zone: str
    kind: str
    unit: str
    trials: int
    dropped: tuple[str, ...]
    guessed: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def document(self) -> dict[str, Any]:
        """As programs read it."""
        plain: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in plain.items()}


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture; a notebook shows it."""

    name: str
    caption: str
    svg: str = field(repr=False)

    def _repr_svg_(self) -> str:
        return self.svg

    def save(self, path: str | Path) -> None:
        """Write the picture as SVG, whole or not at all."""
        from signoff.verdict.files import write_whole  # noqa: PLC0415 - only what is written needs it

        write_whole(Path(path), self.svg.encode())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Verdict:
    """The verdict on returns, trials and a benchmark.

    `outcome` is `fail` if a blocking gate or any gate of the trials fails, `inconclusive` if a blocking one could not
    be judged or is missing, and `pass` otherwise. Gates that need a dossier are always missing and do not count.
    """

    outcome: str
    findings: Mapping[str, VerdictFinding]
    metrics: Mapping[str, VerdictMetric]
    missing: tuple[Missing, ...]
    understood: Understanding
    policy: str
    time: str
    sessions: tuple[str, ...]
    notes: tuple[str, ...]
    dates: Days
    returns: Floats
    pictures: tuple[Chart, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every gate that counts passes."""
        return self.outcome == "pass"

    @property
    def blocking(self) -> tuple[str, ...]:
        """The keys of the gates that prevent a pass, including missing ones."""
        failed = (one.key for one in self.findings.values() if one.blocks and one.outcome != "pass")
        return (*failed, *(one.key for one in self.missing if one.is_blocking and not one.is_of_dossier))

    @property
    def headline(self) -> str:
        """The verdict in one sentence."""
        from signoff.rendering.verdict import headline  # noqa: PLC0415 - rendering is loaded once it is asked for

        return headline(self._judged)

    @property
    def document(self) -> dict[str, Any]:
        """Everything as one document; gates and figures are those of `signoff check --json`."""
        parts = {"outcome": self.outcome, "passed": self.passed, "says": self.headline, **self._judged}
        return {key: _finite(part) for key, part in parts.items()}

    @property
    def _judged(self) -> dict[str, Any]:
        return {
            "outcome": self.outcome,
            "blocking": list(self.blocking),
            "understood": self.understood.document,
            "metrics": [metric.document for metric in self.metrics.values()],
            "gates": [finding.document for finding in self.findings.values()],
            "missing": [one.document for one in self.missing],
            "figures": {name: value for one in self.findings.values() for name, value in one.figures.items()},
            "policy": self.policy,
            "time": self.time,
            "sessions": list(self.sessions),
            "notes": list(self.notes),
        }

    def finding(self, name: str) -> VerdictFinding:
        """One gate, by its key or by the name of the field."""
        return self.findings[key_of(name)]

    def to_json(self) -> str:
        """Everything as JSON."""
        return json.dumps(self.document, indent=1, default=str, allow_nan=False)

    def to_html(self, path: str | Path | None = None) -> str:
        """One self-contained page with pictures, also written to `path` if given."""
        from signoff.rendering.verdict import verdict_page  # noqa: PLC0415 - pictures load slowly

        page = verdict_page(self.document, self.pictures)
        if path is not None:
            from signoff.verdict.files import write_whole  # noqa: PLC0415

            write_whole(Path(path), page)
        return page.decode()

    def plot(self, name: str = "equity") -> Picture:
        """One picture by its name; `[one.name for one in verdict.pictures]` are all of them."""
        from signoff.rendering.picture_cache import svg  # noqa: PLC0415 - pictures load slowly

        chart = next((one for one in self.pictures if one.name == name), None)
        if chart is None:
            raise KeyError(f"Expected one of {', '.join(one.name for one in self.pictures)}, found {name!r}.")
        text = svg(chart).decode()
        return Picture(chart.name, chart.caption, text[text.index("<svg") :])

    def to_frame(self) -> "pd.DataFrame":
        """The gates as a DataFrame of pandas, which is imported here and nowhere else."""
        try:
            import pandas as pd  # noqa: PLC0415 - optional
        except ImportError as error:
            raise UnavailableError(
                "Expected pandas for to_frame(), found none. Install pandas, or read verdict.document['gates']."
            ) from error
        rows = [
            {
                "gate": one.title,
                "outcome": one.outcome,
                "value": one.value,
                "comparison": one.comparison,
                "threshold": one.threshold,
                "n": one.n,
                "blocks": one.blocks,
                "why": one.why,
            }
            for one in self.findings.values()
        ]
        return pd.DataFrame(rows, index=pd.Index(list(self.findings), name="key"))

    def __repr__(self) -> str:
        from signoff.rendering.verdict import screen  # noqa: PLC0415 - rendering is loaded once it is asked for

        return screen(self.document, width=SCREEN)

    def _repr_html_(self) -> str:
        from signoff.rendering.verdict import verdict_fragment  # noqa: PLC0415 - pictures load slowly

        return verdict_fragment(self.document, self.pictures)


def _finite(value: Any) -> Any:  # noqa: ANN401 - any part of a document
    """The same with None for infinities and NaN, which JSON lacks."""
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list) else value


def frozen(entries: dict[str, Any]) -> Mapping[str, Any]:
    """A read-only mapping."""
    return MappingProxyType(entries)
