"""From a dossier folder to an assessed release: parse, look up the registry, replay the features, run every gate."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from signoff.domain.assessment import Assessment
from signoff.domain.benchmark import Benchmark
from signoff.domain.dossier import PitDeclaration
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import Evidence, PitEvidence, Predictions, RegisteredVersion
from signoff.domain.floor import InForce
from signoff.domain.gates import assess
from signoff.domain.gates.assess import Progress, silent
from signoff.domain.gates.facts import facts
from signoff.domain.gates.point_in_time import SEED
from signoff.domain.memo.changes import unjustified
from signoff.domain.memo.promises import untrue_in_dossier
from signoff.domain.memo.summary import summary_contradictions
from signoff.domain.policy import tighten
from signoff.domain.quantity import Quantity, count
from signoff.ledger.canonical import canonical
from signoff.ledger.floor import built_in
from signoff.ledger.manifest import Manifest, manifest_of
from signoff.ports.registry import Registry
from signoff.ports.releases import InputReader, Inputs


class FeatureReplay(Protocol):
    """Recomputes features with the future removed; running the users' own code is the adapter's business."""

    def __call__(
        self, folder: Path, declaration: PitDeclaration, predictions: Predictions | None, *, seed: int | None = None
    ) -> PitEvidence: ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Release:
    """A release as assessed: what was given, what the gates say, and the digest that a signature can rest on."""

    inputs: Inputs
    assessment: Assessment
    figures: tuple[Quantity, ...]

    @property
    def package(self) -> Manifest:
        """Everything that was validated: the inputs and every computed figure."""
        return manifest_of(self.files)

    @property
    def files(self) -> dict[str, bytes]:
        """The inputs as given, and `assessment.json` with every number that a memo may print."""
        given = {f"inputs/{name}": content for name, content in self.inputs.files.items()}
        return {**given, "assessment.json": figures_json(self)}

    @property
    def identity(self) -> str:
        """What the release is known by. The seed of its replay is drawn anew each time and is no part of it."""
        package = manifest_of({**self.files, "assessment.json": figures_json(self, seed=0)})
        return f"{self.inputs.dossier.model}-{self.inputs.dossier.version}-{package.digest[:8]}"

    @property
    def replay_seed(self) -> int:
        """The seed that its point-in-time replay was drawn with, 0 where there was none."""
        return 0 if self.inputs.evidence.pit is None else self.inputs.evidence.pit.seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessor:
    """Reads, measures and judges dossier folders. Nothing is written.

    `in_force` is the installation's policy. A submission is held to it; anything else may bring a trial policy.
    """

    reader: InputReader
    registry: Registry | None
    replay_features: FeatureReplay
    in_force: Callable[[], InForce] = built_in

    def assess(
        self,
        folder: Path,
        policy: Path | None,
        progress: Progress = silent,
        *,
        is_submission: bool = False,
        seed: int | None = None,
    ) -> Release:
        """One folder, all the way to its findings; `seed` repeats the replay of an earlier assessment."""
        progress("reading dossier, policy and evidence", 0, 4)
        inputs = self.reader.read(folder, policy, self.in_force, is_submission=is_submission)
        progress("looking up the registered versions", 1, 4)
        evidence = self._registered(inputs)
        progress("replaying features with the future removed", 2, 4)
        declared = inputs.dossier.validation.pit
        evidence = replace(evidence, pit=self.replay_features(folder, declared, evidence.predictions, seed=seed))
        assessment = assess(evidence, inputs.dossier, inputs.policy, progress)
        progress("assessed", 4, 4)
        return Release(inputs=replace(inputs, evidence=evidence), assessment=assessment, figures=facts(assessment))

    def drawn_again(self, folder: Path, release: Release) -> PitEvidence:
        """The replay of an assessed release on other dates."""
        evidence = release.inputs.evidence
        return self.replay_features(folder, release.inputs.dossier.validation.pit, evidence.predictions)

    def inputs(self, folder: Path) -> Inputs:
        """What a folder declares and measures, held to the policy in force."""
        return self.reader.read(folder, None, self.in_force, is_submission=True)

    def _registered(self, inputs: Inputs) -> Evidence:
        if self.registry is None:
            return inputs.evidence
        header = inputs.dossier.header
        model = inputs.dossier.registered_model or header.model
        previous = header.previous_version
        found = replace(
            inputs.evidence,
            candidate=self.registry.version(model, header.version),
            champion=self.registry.version(model, previous) if previous else None,
        )
        return replace(
            found,
            candidate=self._held(found.candidate, found.benchmark),
            champion=self._held(found.champion, found.benchmark_previous),
        )

    def _held(self, found: RegisteredVersion | None, benchmark: Benchmark | None) -> RegisteredVersion | None:
        """A version with the bytes that the registry has of it, where a benchmark is held against them."""
        if found is None or benchmark is None or self.registry is None:
            return found
        return replace(found, held=self.registry.registered_bytes(found.model, found.version))


def refusals(release: Release) -> tuple[str, ...]:
    """What may be checked freely, and what `memo` and `submit` refuse: each with its key."""
    dossier, evidence = release.inputs.dossier, release.inputs.evidence
    problems = [
        f"rationale.justifications.{category}: {category.replace('_', ' ')} changed between the registered versions, "
        "and a change needs its justification"
        for category in unjustified(evidence, dossier)
    ]
    problems += [
        f"validation.near_misses.{finding.key}: {finding.title} passes narrowly, and a near miss needs its explanation"
        for finding in release.assessment.findings
        if finding.is_near_miss and not dossier.validation.near_misses.get(finding.key)
    ]
    policy, _ = tighten(release.inputs.policy, dossier.plan.tighten)
    problems += [f"{key}: {found.text}" for key, found in untrue_in_dossier(dossier, policy)]
    if dossier.header.summary:
        found = summary_contradictions(dossier, release.inputs.policy, evidence, release.assessment, release.figures)
        problems += [f"header.summary: {contradiction}" for contradiction in found]
    return tuple(problems)


def submission_errors(release: Release) -> None:
    """Raise BadInputError for what must not be submitted."""
    if problems := refusals(release):
        named = f"{release.inputs.dossier.model} v{release.inputs.dossier.version}"
        raise BadInputError(f"The dossier of {named} cannot be submitted: {'; '.join(problems)}.")


def figures_json(release: Release, *, seed: int | None = None) -> bytes:
    """Every computed figure with unit, sample and source: where a reader finds each number of the memo.

    `seed` stands in for the one that the replay was drawn with.
    """
    shown = (count(SEED, seed) if q.name == SEED and seed is not None else q for q in release.figures)
    return canonical(
        {
            "model": release.inputs.dossier.model,
            "version": release.inputs.dossier.version,
            "figures": [
                {
                    "name": q.name,
                    "value": _plain(q.value),
                    "text": q.text,
                    "unit": q.unit.value,
                    "standard_error": _plain(q.standard_error),
                    "n": q.n,
                    "source": q.source,
                }
                for q in shown
            ],
            "registry": {
                "candidate": _as_logged(release.inputs.evidence.candidate),
                "champion": _as_logged(release.inputs.evidence.champion),
            },
            "gates": [
                {
                    "key": f.key,
                    "outcome": f.outcome.value,
                    "word": f.word,
                    "blocking": f.is_blocking,
                    "comparison": f.comparison.value,
                    "threshold": _plain(f.threshold.value),
                    "statistic": _plain(f.statistic.value),
                    "n": f.n,
                    "method": f.method if seed is None else _drawn_with(seed, f.method, release.replay_seed),
                    "reason": f.reason,
                }
                for f in release.assessment.findings
            ],
        }
    )


def _drawn_with(seed: int, method: str, drawn: int) -> str:
    """How a gate was measured, with another seed in the place of the one that was drawn."""
    named = f"seed {drawn}"
    return f"{method.removesuffix(named)}seed {seed}" if method.endswith(named) else method


def _as_logged(version: RegisteredVersion | None) -> dict[str, object] | None:
    """What the registry says of a version and does not change when documents are attached to it."""
    if version is None:
        return None
    return {
        "version": version.version,
        "run_id": version.run_id,
        "architecture": version.architecture,
        "parameters": dict(version.parameters),
        "metrics": {name: _plain(value) for name, value in version.metrics.items()},
        "features": list(version.features),
        "training_start": str(version.training_start),
        "training_end": str(version.training_end),
        "git_commit": version.git_commit,
    }


def _plain(value: float | None) -> float | str | None:
    """JSON knows no infinity; it is written as a word."""
    if value is None or value in {float("inf"), float("-inf")} or value != value:  # noqa: PLR0124 - NaN
        return None if value is None else str(value)
    return json.loads(json.dumps(float(value)))  # type: ignore[no-any-return]
