"""The environment of a release, a file of its package: what the dossier names, and what the replay could import."""

from collections.abc import Mapping
from dataclasses import asdict

from signoff.domain.artifacts import Artifact
from signoff.domain.environment import PythonEnvironment
from signoff.ledger.canonical import canonical


def environment_json(captured: PythonEnvironment, named: Mapping[str, Artifact | str]) -> bytes:
    """`environment.json`: the named lock file and image, and every captured distribution."""
    entries = {kind: asdict(what) if isinstance(what, Artifact) else what for kind, what in named.items()}
    return canonical({"named": entries, "captured": asdict(captured)})
