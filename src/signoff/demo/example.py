"""The example's model, made ready: trained, registered, its evidence and journal written, its dossier copied."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

import polars as pl

from signoff.adapters.evidence.benchmark_file import NAMES as BENCHMARKS
from signoff.adapters.evidence.benchmark_file import benchmark_json, read_benchmark
from signoff.adapters.folders import write_file
from signoff.config.settings import Settings
from signoff.domain.benchmark import objection
from signoff.domain.errors import UnavailableError
from signoff.domain.gates.assess import Progress
from signoff.installation import Installation

SUBMITTED_AT: Final = datetime(2018, 12, 31, 22, 0, tzinfo=UTC)
MODEL: Final = "momentum"
VERSIONS: Final = ("2.0.0", "1.1.0")
COPIED: Final = {
    "dossier/dossier.yaml": "dossier.yaml",
    "model_card.md": "model_card.md",
    "__init__.py": "momentum/__init__.py",
    "features.py": "momentum/features.py",
}
"""Where each file of the example stands in the dossier. The feature code is part of it, as a user's own would be."""
CARRIED: Final = Path(__file__).parent / "carried"
"""Where a wheel has the example, so that it installs no top-level package beside the user's own."""
POLICY: Final = "policy.yaml"


@dataclass(frozen=True, kw_only=True)
class Example:
    """Where everything stands, and what the two versions wished to hold."""

    dossier: Path
    policy: Path
    live: Path
    sectors: dict[str, str]
    submitted_at: datetime = SUBMITTED_AT

    def weights(self, version: str, session: date) -> tuple[dict[str, float], dict[str, float]]:
        """What a version held before a session's close, and what it wished to hold after it."""
        days = self._weights[version]
        earlier = max((day for day in days if day < session), default=None)
        return (days[earlier] if earlier else {}), days.get(session, {})

    @cached_property
    def _weights(self) -> dict[str, dict[date, dict[str, float]]]:
        table = pl.read_parquet(self.live / "weights.parquet").with_columns(day=pl.col("timestamp").dt.date())
        found: dict[str, dict[date, dict[str, float]]] = {}
        for version, day, symbol, weight in table.select("version", "day", "symbol", "weight").iter_rows():
            found.setdefault(version, {}).setdefault(day, {})[symbol] = weight
        return found


def prepare(settings: Settings, out: Path, progress: Progress) -> Example:
    """Train, register and write evidence; what is there already is not made again."""
    if CARRIED.is_dir():
        sys.path.insert(0, str(CARRIED))
    try:
        from momentum import checks, data, evidence, future, registry, research  # noqa: PLC0415 - the optional extra
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"The demonstration needs {error.name}, which is not installed. "
            "Install the extra: pip install 'signoff[demo]'"
        ) from error
    study = research.Research(out / "cache", progress)
    dossier, live = out / "dossier", settings.live(MODEL)
    evidence.write(study, dossier, progress)
    checked = out / "cache" / f"checked-{study.key[:16]}"
    if not checked.exists():
        progress("running the model's own tests", 0, 1)
        checks.run(dossier / "junit")
        checked.touch()
    artifacts = settings.home / "registry" / "artifacts"
    artifacts.mkdir(parents=True, exist_ok=True)
    registry.register(study, settings.registry, artifacts, _commit(), progress)
    _measure(settings, dossier, progress)
    future.write(study, settings.registry, live, progress)
    source = Path(data.__file__).parent
    for name, place in COPIED.items():
        target = dossier / place
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(source / name, target)
    return Example(dossier=dossier, policy=source / POLICY, live=live, sectors=dict(data.SECTORS))


def _measure(settings: Settings, dossier: Path, progress: Progress) -> None:
    """A benchmark of both registered versions; one that is of these very bytes is not made again."""
    house = Installation(settings)
    for done, (name, version) in enumerate(zip(BENCHMARKS, VERSIONS, strict=True)):
        progress(f"measuring v{version}", done, len(VERSIONS))
        known = read_benchmark(dossier / name, dossier)
        held = None if house.registry is None else house.registry.artifacts(MODEL, version)
        if known is None or objection(known[0], None if held is None else held.pin, version):
            write_file(dossier / name, benchmark_json(house.benchmark(MODEL, version, calls=1000)))


def _commit() -> str:
    """The commit of the checkout that this runs from, or that there is none."""
    here = Path(__file__).parent
    try:
        said = subprocess.run(  # noqa: S603 - a fixed command
            ["git", "-C", str(here), "rev-parse", "HEAD"],  # noqa: S607 - git as the user has it
            capture_output=True,
            check=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return "unversioned"
    return said.stdout.strip()
