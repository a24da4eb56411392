"""What may be submitted: version, champion, policy, and known authors."""

from collections.abc import Iterable, Sequence
from typing import NoReturn

from signoff.domain.artifacts import Pin, PreviousCheck, refusal
from signoff.domain.commitments import DeploymentType
from signoff.domain.conflict_of_interest import Independence
from signoff.domain.deployment import ENDED, Deployment, State
from signoff.domain.dossier import Dossier, Header
from signoff.domain.errors import BadInputError, RefusedError
from signoff.domain.evidence import PitEvidence
from signoff.domain.floor import Floor
from signoff.domain.policy import ApprovalPolicy, OnUnknown


def redeployment_objection(version: str, earlier: Iterable[Deployment]) -> str | None:
    """Why a version cannot be redeployed as an earlier live one; None if it can.

    It must have traded all of the capital and have been superseded; a version that was rolled back needs a full
    release.
    """
    mine = [d for d in earlier if d.version == version]
    if any(d.state is State.ROLLED_BACK for d in mine):
        return f"v{version} was itself rolled back"
    if not any(d.state is State.SUPERSEDED for d in mine):
        states = ", ".join(d.state.value for d in mine) or "not on record"
        return f"v{version} was never live with all of the capital and then replaced: it is {states}"
    return None


def champion_of(header: Header, others: Iterable[Deployment]) -> Deployment | None:
    """The live version that this release would replace; the header must agree with the record."""
    others = tuple(others)
    champion = next((d for d in others if d.state is State.FULL), None)
    under_way = next((d for d in others if d.state not in ENDED | {State.FULL}), None)
    if under_way is not None:
        raise RefusedError(
            f"{header.model} v{under_way.version} ({under_way.id}) is {under_way.state.value}; one release a "
            "model at a time. Finish it, reject it or roll it back first."
        )
    if (problem := _disagreement(header, others, champion)) is not None:
        raise RefusedError(problem)
    return champion


def _disagreement(header: Header, others: tuple[Deployment, ...], champion: Deployment | None) -> str | None:
    live = f"v{champion.version} ({champion.id})" if champion else "no version"
    kind = header.deployment_type
    if kind is DeploymentType.INITIAL and champion is not None:
        return (
            f"header.deployment_type is 'initial', and {live} of {header.model} is live. "
            "Write 'upgrade', and name the previous version."
        )
    if champion is not None and not header.previous_version:
        return (
            f"header.previous_version is missing, and {live} of {header.model} is live. Name what the release would "
            "fall back to."
        )
    if kind in {DeploymentType.HOTFIX, DeploymentType.ROLLBACK} and champion is None:
        return (
            f"header.deployment_type is {kind.value!r}, and nothing of {header.model} is live that "
            "it could replace. Write 'initial', which leaves out nothing."
        )
    if kind is DeploymentType.ROLLBACK and (never := redeployment_objection(header.version, others)):
        return f"header.deployment_type is 'rollback', and {never}. Write 'upgrade', which leaves out nothing."
    if header.previous_version is not None and (champion is None or champion.version != header.previous_version):
        return (
            f"header.previous_version is {header.previous_version!r}, and by the record {live} of {header.model} is "
            "live. Correct the dossier, or record what is live with `signoff grandfather`."
        )
    return None


def foreseen_policy(assessed: Floor, in_force: Floor) -> None:
    """Why a submission would be refused for the policy of its assessment."""
    if assessed.digest != in_force.digest:
        raise RefusedError(
            f"this release was assessed under the {assessed.words}, and a submission is held to the {in_force.words}"
        )


def under_the_policy_in_force(assessed: Floor, in_force: Floor) -> None:
    """Refuse a release that was assessed under another policy."""
    if assessed.digest != in_force.digest:
        raise RefusedError(
            f"This release was assessed under the {assessed.words}, and the installation's is "
            f"{in_force.words}. Submit the folder again, which holds it to the policy in force."
        )


def without_problems(dossier: Dossier, problems: Sequence[str]) -> None:
    """Refuse a dossier with problems that `check` reports."""
    if problems:
        raise BadInputError(
            f"The dossier of {dossier.model} v{dossier.version} cannot be submitted: {'; '.join(problems)}."
        )


def whose_work_is_known(independence: Independence, policy: ApprovalPolicy) -> None:
    """Refuse a release whose authors and producers are not known well enough for the policy."""
    if independence.unread and policy.unread_commits is OnUnknown.BLOCK:
        raise RefusedError(
            f"Expected to read who wrote this release, and cannot: {'; '.join(independence.unread)}. Name a clone that "
            "this installation can read and the whole range under governance.commits, or let the policy say "
            "approvals.unread_commits: tell, and the memo tells it."
        )
    if independence.unknown and policy.unknown_makers is OnUnknown.BLOCK:
        raise RefusedError(
            "Expected every author and producer of evidence to be an enrolled person, found: "
            f"{'; '.join(independence.unknown)}. Say who they are "
            'with `signoff people add "NAME" --role ROLE --login LOGIN`; the policy asks for it '
            "(approvals.unknown_makers)."
        )


def falls_back_to(live: Deployment | None, registered: Pin | None) -> Pin | None:
    """The pin of the fallback: the live version's own, which the registry must still have."""
    if live is None or live.bound is None or registered is None:
        return registered
    if differences := live.bound.differences(registered.files):
        raise RefusedError(f"Nothing was submitted: {refusal(live.bound, differences)}")
    return live.bound


def redeployable(model: str, version: str, check: PreviousCheck | None) -> None:
    """Refuse to redeploy a version that does not load and run today; `check` is None without a registry."""
    if check is None:
        raise RefusedError(
            f"Expected a model registry to verify {model} v{version} with, found none; a version is "
            "redeployed only when it loads and runs. Install `signoff[mlflow]` and give --registry."
        )
    if not check.is_working:
        raise RefusedError(f"{model} v{version} cannot be redeployed: {check.detail}.")


def same_leaks(state: Deployment, validated: PitEvidence | None, redrawn: PitEvidence | None) -> None:
    """Refuse a release if the replay of other dates shows leaks that the validated one did not."""
    if redrawn is None or validated is None or validated.error is not None:
        return
    leaky = {finding.feature for finding in validated.findings}
    leaking = sorted({finding.feature for finding in redrawn.findings} - leaky)
    if redrawn.error is None and not leaking:
        return
    shown = f"could not run: {redrawn.error}" if redrawn.error is not None else f"found leaks in {', '.join(leaking)}"
    raise RefusedError(
        f"Expected the point-in-time replay of {state.id} to find on other dates what it found when it was validated, "
        f"and with seed {redrawn.seed} it {shown}. Nothing was approved. `signoff check DIR --seed {redrawn.seed}` "
        "repeats this replay; correct the features, reject this release and submit another."
    )


def refuse_other_files(state: Deployment, changed: Iterable[str], *, has_registry: bool) -> NoReturn:
    """Refuse a release whose stored files do not give the validated package."""
    advice = "Submit the release again."
    if not has_registry:
        advice = "No model registry is connected here: if one was when it was validated, give --registry."
    raise RefusedError(
        f"The files kept for {state.id} do not give what was validated; changed: {', '.join(changed)}. {advice}"
    )
