"""Runs the users' feature function for the point-in-time check, and the audits of what a replay cannot see.

The function runs in its own child process (`adapters/sandbox`), and this process judges its results, so foreign code
cannot change its verdict. `--trusted` runs it in this process instead, and every result says so.
"""

import importlib
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NoReturn

import polars as pl

from signoff.adapters.decision_dates import decisions, range_of
from signoff.adapters.evidence.file_formats import MAX_BYTES, frame_of, suffix_of, unpacked, usual_csv
from signoff.adapters.feature_code import MOST_CODE, feature_code, installed_code
from signoff.adapters.folder_files import read_inside
from signoff.adapters.folders import write_pieces
from signoff.adapters.sandbox.child import BrokenChildError, Child, Sandbox, environment_of
from signoff.adapters.sandbox.environment import captured
from signoff.domain.dossier import PitDeclaration
from signoff.domain.environment import PythonEnvironment
from signoff.domain.errors import BadInputError, SignoffError, UnavailableError
from signoff.domain.evidence import Evidence, PitAudit, PitEvidence, PitFinding, Predictions
from signoff.domain.isolation import IN_PLACE, Isolation, Protection
from signoff.ledger.canonical import digest
from signoff.pit import PitReport, ReplayFinding, check, purge, replay_versions, restatements, skew, survivorship
from signoff.pit.coverage import Decisions
from signoff.pit.errors import ReplayError
from signoff.pit.features import Compute
from signoff.pit.report import named_after

SEED: Final = 0
"""The seed of a whole-history replay; no verdict depends on it, and a journal continues it."""
SEED_BITS: Final = 32
STRATEGY: Final = "strategy replay"
STRATEGY_OF: Final = "strategy"


def drawn() -> int:
    """A random seed that the replayed code cannot predict."""
    return secrets.randbits(SEED_BITS)


@dataclass(frozen=True, slots=True)
class FeatureReplays:
    """The feature replay of an installation, in its sandbox."""

    sandbox: Sandbox

    def __call__(
        self,
        folder: Path,
        declaration: PitDeclaration,
        predictions: Predictions | None,
        *,
        seed: int | None = None,
        record: Evidence | None = None,
    ) -> PitEvidence:
        """Recompute the features of sampled dates without the future. An error is a result too: it blocks.

        The dates are drawn at random, unless a seed fixes them, from the decision dates of the `record`. Raises
        UnavailableError if the code was not run because it could not be isolated.
        """
        seed = drawn() if seed is None else seed
        protection: Protection | None = None
        ran = _Ran()
        decided = None if record is None else decisions(record)
        try:
            inputs = {name: _input(folder, name, path) for name, path in declaration.inputs.items()}
            with self.function(folder, declaration) as (compute, protection):
                ran = self._told(folder, declaration, compute)
                report = self._checked(folder, declaration, compute, inputs, seed, decided)
                audits = tuple(_audits(folder, declaration, compute, inputs, predictions))
                compute.refuse_broken()
                code = {**ran.code, **(_imported_from(folder) if compute.child is None else {})}
            if declaration.strategy is not None:
                replayed, of_strategy = self._strategy(folder, declaration, inputs, seed, decided)
                audits, code = (*audits, (STRATEGY, replayed)), {**code, **of_strategy}
        except UnavailableError:
            raise
        except _ANYTHING as error:
            nothing = _nothing(_within(folder, _said(error)), seed)
            return replace(nothing, protection=protection, code=ran.code, environment=ran.environment)
        return PitEvidence(
            findings=tuple(_finding(f) for part in (report, *(audit for _, audit in audits)) for f in part),
            dates_checked=report.dates_checked,
            features_checked=report.features_checked,
            seed=seed,
            audits=tuple(
                PitAudit(
                    name=name,
                    dates_checked=part.dates_checked,
                    features_checked=part.features_checked,
                    rows_checked=part.rows_checked,
                    findings=len(part),
                )
                for name, part in audits
            ),
            protection=protection,
            code=code,
            environment=ran.environment,
            declared=report.declared,
            declared_decisions=tuple(name for _, part in audits for name in part.declared),
            replayed=None if record is None or report.covered is None else range_of(report.covered, record),
        )

    def _checked(
        self,
        folder: Path,
        declaration: PitDeclaration,
        compute: "_Function",
        inputs: dict[str, pl.DataFrame],
        seed: int,
        decided: Decisions | None,
    ) -> PitReport:
        """Compare with a second child that never sees the removed rows."""
        with self.function(folder, declaration) as (again, _):
            report = check(
                compute,
                inputs,
                sample=declaration.sample_dates,
                seed=seed,
                replay=again,
                from_times=declaration.from_times,
                decisions=decided,
            )
            again.refuse_broken()
        return report

    def _strategy(
        self,
        folder: Path,
        declaration: PitDeclaration,
        inputs: dict[str, pl.DataFrame],
        seed: int,
        decided: Decisions | None,
    ) -> tuple[PitReport, Mapping[str, bytes]]:
        """Replay the strategy's decisions in children of its own, and return the digest of its code."""
        assert declaration.strategy is not None
        own = replace(declaration, compute=declaration.strategy)
        with self.function(folder, own) as (compute, _):
            ran = self._told(folder, own, compute)
            report = self._checked(folder, own, compute, inputs, seed, decided)
            compute.refuse_broken()
            code = {**ran.code, **(_imported_from(folder) if compute.child is None else {})}
        return named_after(STRATEGY_OF, report), code

    def _told(self, folder: Path, declaration: PitDeclaration, compute: "_Function") -> "_Ran":
        """The code about to run and its environment, captured before the child loads foreign code."""
        code = compute.code or feature_code(declaration.compute, folder)
        if compute.child is None:
            return _Ran(
                code or installed_code(declaration.compute, sys.path), environment_of(captured(filter(None, sys.path)))
            )
        return _Ran(code or installed_code(declaration.compute, self.sandbox.modules), compute.child.environment())

    @contextmanager
    def function(self, folder: Path, declaration: PitDeclaration) -> Iterator[tuple["_Function", Protection]]:
        """The declared function and its protection."""
        if self.sandbox.isolation is Isolation.TRUSTED:
            yield _Function(_loaded(declaration.compute, folder)), IN_PLACE
            return
        code = feature_code(declaration.compute, folder)  # the child sees no table or note of later dates
        with TemporaryDirectory(prefix="signoff-code-") as name:
            write_pieces(Path(name, "code"), ((path, (content,)) for path, content in code.items()))
            with self.sandbox.start(Path(name, "code"), compute=declaration.compute) as child:
                source = _source_of(declaration.compute, code)
                yield _Function(child.compute, child, source=source, code=code), child.protection


@dataclass(frozen=True, slots=True)
class _Ran:
    """The code of a replay and its environment."""

    code: Mapping[str, bytes] = field(default_factory=dict)
    environment: PythonEnvironment | None = None


# Foreign code and libraries may raise errors outside of Exception: `sys.exit` and polars' panics do.
_ANYTHING: Final = (Exception, SystemExit, pl.exceptions.PanicException)


@dataclass(frozen=True, slots=True)
class _Function:
    """A feature function; `source` is a digest of its code if that runs in a child."""

    call: Compute
    child: Child | None = None
    source: str = ""
    code: Mapping[str, bytes] = field(default_factory=dict)

    def __call__(self, inputs: dict[str, pl.DataFrame]) -> pl.DataFrame:
        with _exits_refused():
            return self.call(inputs)

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """The function's identity in digests: its source."""
        return str, (self.source,)

    def refuse_broken(self) -> None:
        """Raise if the child broke, since later dates then have no result."""
        if self.child is not None and self.child.failure is not None:
            raise BrokenChildError(self.child.failure)


@contextmanager
def _exits_refused() -> Iterator[None]:
    """Refuse `os._exit` in this process: it would end the command with success and no verdict."""
    real = os._exit

    def refuse(status: int) -> NoReturn:
        raise SystemExit(status)

    os._exit = refuse
    try:
        yield
    finally:
        os._exit = real


def _imported_from(folder: Path) -> dict[str, bytes]:
    """The folder's modules loaded in this process; they may be more than the declared one."""
    sources: dict[str, bytes] = {}
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.endswith(".py") and Path(file).is_relative_to(folder):
            path = Path(file)
            sources[path.relative_to(folder).as_posix()] = read_inside(path, folder, limit=MOST_CODE)
    return sources


def _nothing(error: str, seed: int) -> PitEvidence:
    return PitEvidence(findings=(), dates_checked=0, features_checked=0, seed=seed, error=error)


def _within(folder: Path, text: str) -> str:
    """A text with paths relative to the folder, so that a release reads the same at any location."""
    for name in {f"{folder}{os.sep}", f"{folder.resolve()}{os.sep}"}:
        text = text.replace(name, "")
    return text


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, SignoffError) else f"{type(error).__name__}: {error}"


def _source_of(name: str, code: Mapping[str, bytes]) -> str:
    """A digest of the code that a declared function is made of."""
    return digest(name.encode() + b"".join(path.encode() + b"\0" + content for path, content in sorted(code.items())))


@dataclass(frozen=True, slots=True, kw_only=True)
class FullReplay:
    """The extent and place of a full replay, and the journal of its completed dates."""

    dates: int
    dates_per_chunk: int = 8
    symbols_per_chunk: int | None = None
    cluster: str | None = None
    journal: Path | None = None


def replay_folders(
    folders: Mapping[str, tuple[Path, PitDeclaration]],
    how: FullReplay,
    progress: Callable[[int, int], None],
    sandbox: Sandbox,
) -> dict[str, PitReport]:
    """The features of one or several versions over long histories; folders with the same inputs share their work.

    Raises BadInputError for what cannot be replayed, since no verdict depends on it.
    """
    if how.cluster is not None and sandbox.isolation is not Isolation.TRUSTED:
        raise BadInputError(
            f"Expected --trusted with --cluster, found --cluster {how.cluster} alone: the workers of a cluster run the "
            "feature code in their own processes, which nothing isolates. Leave --cluster out, or give --trusted."
        )
    replays = FeatureReplays(sandbox)
    try:
        with ExitStack() as open_children:
            versions = {
                name: open_children.enter_context(replays.function(folder, declared))[0]
                for name, (folder, declared) in folders.items()
            }
            tables = [
                {name: _table(folder, path) for name, path in declared.inputs.items()}
                for folder, declared in folders.values()
            ]
            reports = replay_versions(
                {name: one.call if sandbox.isolation is Isolation.TRUSTED else one for name, one in versions.items()},
                _the_same(tables),
                sample=how.dates,
                seed=SEED,
                from_times={name for _, declared in folders.values() for name in declared.from_times},
                dates_per_chunk=how.dates_per_chunk,
                symbols_per_chunk=how.symbols_per_chunk,
                cluster=how.cluster,
                journal=how.journal,
                progress=progress,
            )
            for one in versions.values():
                one.refuse_broken()
            return reports
    except UnavailableError:
        raise
    except _ANYTHING as error:
        raise BadInputError(f"The features could not be replayed: {_said(error)}") from error


def _the_same(tables: Sequence[dict[str, pl.DataFrame]]) -> dict[str, pl.DataFrame]:
    first, *others = tables
    for other in others:
        if first.keys() != other.keys() or any(not table.equals(other[name]) for name, table in first.items()):
            raise ReplayError("the folders have different inputs; replay each of them by itself.")
    return first


def _audits(
    folder: Path,
    declaration: PitDeclaration,
    compute: Compute,
    inputs: dict[str, pl.DataFrame],
    predictions: Predictions | None,
) -> Iterator[tuple[str, PitReport]]:
    audits = declaration.audits
    if audits.first_prints:
        first_prints = {name: _table(folder, path) for name, path in audits.first_prints.items()}
        yield "restatements", restatements(first_prints, inputs, compute=compute)
    if audits.membership is not None:
        members = _table(folder, audits.membership)
        yield "survivorship", survivorship(members, _traded(predictions), warm_up=audits.warm_up_dates)
    if audits.training_labels is not None and audits.test_windows is not None:
        yield "purge and embargo", purge(_table(folder, audits.training_labels), _table(folder, audits.test_windows))
    if audits.live_features is not None:
        live = _table(folder, audits.live_features)
        first, last = live["timestamp"].min(), live["timestamp"].max()
        recomputed = compute(inputs).filter(pl.col("timestamp").is_between(first, last))
        yield "train/serve skew", skew(live, recomputed)


def _traded(predictions: Predictions | None) -> pl.DataFrame:
    if predictions is None:
        raise ReplayError("validation.pit.audits.membership is held against the file `predictions`, which is missing.")
    when = pl.Series(predictions.timestamps).dt.replace_time_zone("UTC")
    return pl.DataFrame({"timestamp": when, "symbol": predictions.symbols.tolist()})


def _finding(finding: ReplayFinding) -> PitFinding:
    return PitFinding(
        feature=finding.feature,
        kind=finding.kind,
        first_date=str(finding.first_date),
        size=float(finding.size),
        detail=finding.detail,
        n=finding.n,
        of=finding.of,
    )


def _loaded(name: str, folder: Path) -> Compute:
    """Load `package.module:function`, from the folder first; two folders may use one module name."""
    module, _, attribute = name.partition(":")
    here, top = str(folder), module.partition(".")[0]
    if (folder / f"{top}.py").exists() or (folder / top).is_dir():
        for name_loaded in [loaded for loaded in sys.modules if loaded == top or loaded.startswith(f"{top}.")]:
            del sys.modules[name_loaded]
        importlib.invalidate_caches()
    sys.path.insert(0, here)
    try:
        with _exits_refused():
            function: Compute = getattr(importlib.import_module(module), attribute)
    finally:
        sys.path.remove(here)
    return function


def _input(folder: Path, name: str, path: str) -> pl.DataFrame:
    try:
        return _table(folder, path)
    except FileNotFoundError as error:
        raise BadInputError(
            f"{folder / path}: expected the table that the dossier names in validation.pit.inputs.{name}, found none. "
            "Add it, or correct its path."
        ) from error


def _table(folder: Path, name: str) -> pl.DataFrame:
    """A table of the folder, within the limits of evidence."""
    path = folder / name
    content = read_inside(path, folder, limit=MAX_BYTES)
    suffix = suffix_of(path.name)
    if suffix == ".csv.gz":
        content = unpacked(content, str(path))
    frame = frame_of(content, suffix if suffix and suffix != ".csv.gz" else ".csv", str(path))
    if suffix and not suffix.startswith(".csv"):
        return frame
    return pl.read_csv(usual_csv(content, frame, str(path)), try_parse_dates=True)
