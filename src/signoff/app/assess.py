"""From a dossier folder to an assessed release: parse, look up the registry, replay the features, run every gate."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol

from signoff.domain import decisions
from signoff.domain.artifacts import NO_REGISTRY, NOT_REGISTERED, Artifact, Pin
from signoff.domain.assessment import Assessment
from signoff.domain.dossier import PitDeclaration
from signoff.domain.errors import BadInputError
from signoff.domain.evidence import Evidence, PitEvidence, Predictions, RegisteredVersion
from signoff.domain.floor import InForce
from signoff.domain.gates import GATES, Gate, assess
from signoff.domain.gates.assess import Progress, silent
from signoff.domain.gates.facts import facts
from signoff.domain.gates.point_in_time import SEED
from signoff.domain.memo.changes import Category, is_declared, unjustified
from signoff.domain.memo.promises import untrue_in_dossier
from signoff.domain.memo.summary import computed, summary_contradictions, summary_figures
from signoff.domain.quantity import Quantity, count
from signoff.ledger.canonical import canonical, digest
from signoff.ledger.environment import environment_json
from signoff.ledger.floor import built_in
from signoff.ledger.manifest import ARTIFACTS, Entry, Manifest, manifest_of
from signoff.ports.registry import Registry
from signoff.ports.releases import InputReader, Inputs

CODE: Final = "code/"
INPUTS: Final = "inputs/"
ENVIRONMENT: Final = "environment.json"
ASSESSMENT: Final = "assessment.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptVersions:
    """The registry's versions at validation, used when the registry is unreachable."""

    has_registry: bool
    candidate: RegisteredVersion | None
    champion: RegisteredVersion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierValidation:
    """What an earlier validation recorded, and a repeated assessment takes over.

    `binds` is False for a release validated by an older Signoff: its package has no artefacts and no environment.
    """

    bound: Pin | None = None
    bound_previous: Pin | None = None
    environment: bytes | None = None
    binds: bool = True
    kept: KeptVersions | None = None


class FeatureReplay(Protocol):
    """Recomputes features with the future removed. The adapter runs the users' code."""

    def __call__(
        self,
        folder: Path,
        declaration: PitDeclaration,
        predictions: Predictions | None,
        *,
        seed: int | None = None,
        record: Evidence | None = None,
    ) -> PitEvidence: ...


@dataclass(frozen=True, kw_only=True, eq=False)
class AssessedRelease:
    """An assessed release: its inputs, the gates' findings, and the package that signatures cover.

    Its files are written once: a submission asks for them five times, and a signature as often.
    """

    inputs: Inputs
    assessment: Assessment
    figures: tuple[Quantity, ...]
    environment: bytes | None = None
    """The environment of the replay, as recorded at validation."""
    binds: bool = True

    @cached_property
    def package(self) -> Manifest:
        """Everything that was validated: the inputs, the registered version, and every computed figure."""
        return manifest_of(self.files, self.unkept)

    @cached_property
    def files(self) -> Mapping[str, bytes]:
        """The submitted inputs, the registered version's files, the code and environment of the replay, every figure.

        `assessment.json` holds each number that a memo may print.
        """
        submitted = {f"{INPUTS}{name}": content for name, content in self.inputs.files.items()}
        return MappingProxyType({**submitted, **self._ran, **self._registered, ASSESSMENT: figures_json(self)})

    @property
    def unkept(self) -> tuple[Entry, ...]:
        """Files of the registered version that are too large to keep; the package holds only their digests."""
        bound, contents = self.bound, self._registered
        if bound is None:
            return ()
        listed = ((f"{ARTIFACTS}{file.path}", file) for file in bound.files)
        return tuple(
            Entry(path=path, size=file.size, sha256=file.sha256, is_kept=False)
            for path, file in listed
            if path not in contents
        )

    @property
    def bound(self) -> Pin | None:
        """The registered version that was validated."""
        candidate = self.inputs.evidence.candidate
        return None if candidate is None else candidate.pin

    @property
    def _registered(self) -> dict[str, bytes]:
        candidate = self.inputs.evidence.candidate
        contents: Mapping[str, bytes] = {} if candidate is None else candidate.contents
        return {f"{ARTIFACTS}{path}": content for path, content in contents.items()}

    @property
    def _ran(self) -> dict[str, bytes]:
        """The feature code that the replay ran and the folder lacks, and the environment it ran in."""
        pit = self.inputs.evidence.pit
        if pit is None or not self.binds:
            return {}
        code = {f"{CODE}{path}": ran for path, ran in pit.code.items() if path not in self.inputs.files}
        if self.environment is not None:
            return {**code, ENVIRONMENT: self.environment}
        if pit.environment is None:
            return code
        return {**code, ENVIRONMENT: environment_json(pit.environment, self._named_environment)}

    @property
    def _named_environment(self) -> Mapping[str, Artifact | str]:
        """The lock file and the image that the dossier names."""
        declared, named = self.inputs.dossier.infrastructure, dict[str, Artifact | str]()
        if declared.lock is not None:
            content = self.inputs.files[declared.lock]
            named["lock"] = Artifact(path=f"{INPUTS}{declared.lock}", size=len(content), sha256=digest(content))
        if (image := declared.image_digest) is not None:
            named["image"] = image
        return named

    @cached_property
    def identity(self) -> str:
        """The deployment id.

        It does not depend on the seed of the replay, which is drawn anew each time, nor on the replay's environment.
        """
        files = {**self.files, ASSESSMENT: figures_json(self, seed=0)}
        files.pop(ENVIRONMENT, None)
        package = manifest_of(files, self.unkept)
        return f"{self.inputs.dossier.model}-{self.inputs.dossier.version}-{package.digest[:8]}"

    @property
    def replay_seed(self) -> int:
        """The seed of the point-in-time replay, 0 without a replay."""
        return 0 if self.inputs.evidence.pit is None else self.inputs.evidence.pit.seed


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessor:
    """Reads, measures and judges dossier folders. Nothing is written.

    `in_force` is the installation's policy. It applies to a submission; a mere check may use a trial policy. `gates`
    run in this order.
    """

    reader: InputReader
    registry: Registry | None
    replay_features: FeatureReplay
    in_force: Callable[[], InForce] = built_in
    gates: Sequence[Gate] = GATES

    def assess(
        self,
        folder: Path,
        policy: Path | None,
        progress: Progress = silent,
        *,
        is_submission: bool = False,
        seed: int | None = None,
        validated: EarlierValidation | None = None,
        may_be_unfinished: bool = False,
    ) -> AssessedRelease:
        """Assess one folder.

        `seed` repeats the replay of an earlier assessment; `validated` is what that assessment recorded. A dossier that
        `may_be_unfinished` is judged with its placeholders; `refusals` names them, and nothing can be signed on it.
        """
        progress("reading dossier, policy and evidence", 0, 4)
        inputs = self.reader.read(
            folder, policy, self.in_force, is_submission=is_submission, may_be_unfinished=may_be_unfinished
        )
        progress("looking up the registered versions", 1, 4)
        evidence = self._registered(inputs, validated or EarlierValidation())
        progress("replaying features with the future removed", 2, 4)
        declared = inputs.dossier.validation.pit
        replayed = self.replay_features(folder, declared, evidence.predictions, seed=seed, record=evidence)
        evidence = replace(evidence, pit=replayed)
        _refuse_other_code(inputs, evidence.pit)
        assessment = assess(evidence, inputs.dossier, inputs.policy, progress, gates=self.gates)
        progress("assessed", 4, 4)
        return AssessedRelease(
            inputs=replace(inputs, evidence=evidence),
            assessment=assessment,
            figures=facts(assessment),
            environment=None if validated is None else validated.environment,
            binds=validated is None or validated.binds,
        )

    def drawn_again(self, folder: Path, release: AssessedRelease) -> PitEvidence:
        """Replay an assessed release on other dates."""
        evidence = release.inputs.evidence
        return self.replay_features(
            folder, release.inputs.dossier.validation.pit, evidence.predictions, record=evidence
        )

    def inputs(self, folder: Path) -> Inputs:
        """Read what a folder declares and measures, with the policy in force."""
        return self.reader.read(folder, None, self.in_force, is_submission=True)

    def _registered(self, inputs: Inputs, validated: EarlierValidation) -> Evidence:
        if (versions := validated.kept) is not None:
            return replace(
                inputs.evidence,
                has_registry=versions.has_registry,
                candidate=versions.candidate,
                champion=versions.champion,
            )
        if self.registry is None:
            return inputs.evidence
        header = inputs.dossier.header
        model = inputs.dossier.registered_model or header.model
        previous = header.previous_version
        return replace(
            inputs.evidence,
            has_registry=True,
            candidate=_version(self.registry, model, header.version, validated.bound, binds=validated.binds),
            champion=_version(self.registry, model, previous, validated.bound_previous, binds=validated.binds)
            if previous
            else None,
        )


def _version(registry: Registry, model: str, version: str, pin: Pin | None, *, binds: bool) -> RegisteredVersion | None:
    """A registered version with its files: the pinned one, else the latest with the version's tag."""
    entry = registry.version(model, version) if pin is None else registry.version(model, version, number=pin.number)
    if entry is None or not binds or entry.number is None:
        return entry
    artifacts = registry.artifacts(model, version, number=entry.number)
    return entry if artifacts is None else replace(entry, pin=artifacts.pin, contents=artifacts.contents)


def unbound(registry: Registry | None, release: AssessedRelease) -> str:
    """Why the artefacts of a release are not bound; empty if they are."""
    if release.inputs.evidence.candidate is None:
        return NO_REGISTRY if registry is None else NOT_REGISTERED
    return ""


def _refuse_other_code(inputs: Inputs, ran: PitEvidence | None) -> None:
    """Refuse feature code that changed between the reading of the inputs and the replay."""
    for path, content in ({} if ran is None else ran.code).items():
        if path in inputs.files and inputs.files[path] != content:
            raise BadInputError(
                f"{path}: expected the feature code as it was read (sha256 {digest(inputs.files[path])}), found other "
                f"bytes when the replay ran it (sha256 {digest(content)}). Check again once the file no longer changes."
            )


def refusals(release: AssessedRelease) -> tuple[str, ...]:
    """The problems that `check` reports and that `memo` and `submit` refuse, each with its key."""
    dossier, evidence = release.inputs.dossier, release.inputs.evidence
    problems = [unfilled] if (unfilled := unfilled_words(release.inputs.placeholders)) else []
    problems += [
        f"rationale.justifications.{category}: {_needs_words(category, evidence)}"
        for category in unjustified(evidence, dossier)
    ]
    problems += [
        f"validation.near_misses.{finding.key}: {finding.title} passes narrowly, and a near miss needs its explanation"
        for finding in release.assessment.findings
        if finding.is_near_miss and not dossier.validation.near_misses.get(finding.key)
    ]
    late = {name: end for name, end in evidence.last_days.items() if end > dossier.header.deployment_date}
    if late:
        name, end = max(late.items(), key=lambda one: one[1])
        problems.append(
            "header.deployment_date: expected measurements that end by the deployment on "
            f"{dossier.header.deployment_date}, found {name} to end on {end} (tables that end after it: {len(late)}). "
            "No measurement can be later than the deployment: correct the date, or the file"
        )
    problems += [f"{key}: {promise.text}" for key, promise in untrue_in_dossier(dossier, release.inputs.policy)]
    if dossier.header.summary:
        against = summary_contradictions(dossier, release.inputs.policy, evidence, release.assessment, release.figures)
        problems += [f"header.summary: {contradiction}" for contradiction in against]
    return tuple(problems)


def unfilled_words(placeholders: Sequence[str]) -> str:
    """That a dossier is not finished; empty where it is."""
    left = len(placeholders)
    if not left:
        return ""
    return (
        f"dossier.yaml: {left} value{'s' * (left > 1)} still {'hold' if left > 1 else 'holds'} a placeholder (first "
        f"{placeholders[0]}). Fill in or remove each"
    )


def named_figures(release: AssessedRelease) -> tuple[Quantity, ...]:
    """Every figure that the summary may name."""
    inputs = release.inputs
    return summary_figures(inputs.dossier, inputs.policy, inputs.evidence, release.assessment, release.figures)


def computed_lines(release: AssessedRelease) -> tuple[str, ...]:
    """The lines that the memo prints under the summary. No override can exist at this point."""
    inputs = release.inputs
    return computed(inputs.dossier, inputs.policy, inputs.evidence, release.assessment, release.figures)


def submission_errors(release: AssessedRelease) -> None:
    """Raise BadInputError if the release has problems that a submission refuses."""
    decisions.submission.without_problems(release.inputs.dossier, refusals(release))


def _needs_words(category: Category, evidence: Evidence) -> str:
    """Why a category needs a justification: it changed, or it cannot be compared."""
    name = category.replace("_", " ")
    if (because := is_declared(evidence)) is not None:
        return f"{because}, and nothing is declared of {name}. Write what changed, or that nothing did"
    return f"{name} changed between the registered versions, and a change needs its justification"


def figures_json(release: AssessedRelease, *, seed: int | None = None) -> bytes:
    """Every computed figure of the memo with its unit, sample and source, as JSON.

    `seed` replaces the seed of the replay.
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
                    "half_width_95": _plain(q.margin),
                    "interval": q.interval,
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
    """How a gate was measured, with `seed` in place of the drawn seed."""
    named = f"seed {drawn}"
    return f"{method.removesuffix(named)}seed {seed}" if method.endswith(named) else method


def _as_logged(version: RegisteredVersion | None) -> dict[str, object] | None:
    """The part of a registered version that attaching documents does not change."""
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
        **({} if version.pin is None else {"number": version.pin.number, "digest": version.pin.digest}),
    }


def as_kept(
    entry: Mapping[str, Any] | None, model: str, pin: Pin | None, contents: Mapping[str, bytes]
) -> RegisteredVersion | None:
    """A registered version as kept in `assessment.json`; missing fields are empty."""
    if entry is None:
        return None
    return RegisteredVersion(
        model=model,
        version=entry["version"],
        run_id=entry["run_id"],
        experiment="",
        parameters=entry["parameters"],
        metrics={name: float(value) for name, value in entry["metrics"].items()},
        features=tuple(entry["features"]),
        training_start=_day(entry["training_start"]),
        training_end=_day(entry["training_end"]),
        git_commit=entry["git_commit"],
        architecture=entry["architecture"],
        tags={},
        aliases=(),
        artifacts=tuple(() if pin is None else (file.path for file in pin.files)),
        model_uri="",
        number=entry.get("number"),
        pin=pin,
        contents=contents,
    )


def _day(text: str) -> date | None:
    return None if text == "None" else date.fromisoformat(text)


def _plain(value: float | None) -> float | str | None:
    """The number; an infinity as a word, which JSON lacks."""
    if value is None or value in {float("inf"), float("-inf")} or value != value:  # noqa: PLR0124 - NaN
        return None if value is None else str(value)
    return json.loads(json.dumps(float(value)))  # type: ignore[no-any-return]
