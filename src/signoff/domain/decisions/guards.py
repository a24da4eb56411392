"""Guards that several decisions share: the state of the release, its signed files, and valid approvals."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NoReturn

from signoff.domain.deployment import Deployment, State, approval_is_valid
from signoff.domain.errors import GuardError

OTHER_BYTES: Final = "artifacts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """The present signed files: the manifest's digest and the paths that differ from it."""

    manifest: str
    changed: tuple[str, ...]


def refuse_changed(package: Package) -> NoReturn:
    """Refuse a request whose files are not the signed ones."""
    changed = ", ".join(package.changed) or "manifest.json"
    raise GuardError(
        "bytes", f"the files changed since they were submitted ({changed}); every approval is void. Submit again."
    )


def unchanged(state: Deployment, package: Package) -> None:
    if package.changed or package.manifest != state.manifest:
        refuse_changed(package)


def in_state(state: Deployment, expected: State, *, action: str) -> None:
    if state.state is not expected:
        message = f"cannot {action}: the release is {state.state.value}, expected {expected.value}."
        raise GuardError("state", message)


def expired(state: Deployment, now: datetime) -> str | None:
    assert state.manifest is not None
    return next((s.person for s in state.approvals if not approval_is_valid(s, state.manifest, now)), None)


def as_approved(state: Deployment, difference: str | None, *, has_registry: bool) -> None:
    """Refuse a release whose registered version is not, byte for byte, the approved one."""
    if state.bound is not None and not has_registry:
        raise GuardError(
            OTHER_BYTES,
            f"v{state.version} was approved as {state.bound.words}, and no model registry is connected to compare its "
            "bytes with. Give --registry.",
        )
    if difference is not None:
        raise GuardError(OTHER_BYTES, difference)
