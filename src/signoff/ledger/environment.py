"""The environment of a release as a file of its package: what the dossier names, and what the replay could import."""

from collections.abc import Mapping
from dataclasses import asdict

from signoff.domain.artifacts import Artifact
from signoff.domain.environment import PythonEnvironment
from signoff.ledger.canonical import canonical


def environment_json(captured: PythonEnvironment, named: Mapping[str, Artifact | str]) -> bytes:
    """`environment.json`: a lock file or image that was named, and every distribution as it was captured."""
    said = {kind: asdict(what) if isinstance(what, Artifact) else what for kind, what in named.items()}
    return canonical({"named": said, "captured": asdict(captured)})
