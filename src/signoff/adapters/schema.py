"""The published JSON Schemas of dossier and policy, generated from the very records that parse them."""

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from signoff.domain.dossier import Dossier
from signoff.domain.policy import Policy


def dossier_schema() -> dict[str, Any]:
    """The schema of `dossier.yaml`."""
    return _titled(TypeAdapter(Dossier).json_schema(), "Signoff dossier")


def policy_schema() -> dict[str, Any]:
    """The schema of `policy.yaml`."""
    return _titled(TypeAdapter(Policy).json_schema(), "Signoff policy")


@cache
def dossier_schema_text() -> str:
    """The schema of `dossier.yaml` as it is published; deriving it takes a tenth of a second."""
    return as_text(dossier_schema())


@cache
def policy_schema_text() -> str:
    """The schema of `policy.yaml` as it is published."""
    return as_text(policy_schema())


def as_text(schema: dict[str, Any]) -> str:
    """A schema as it is published."""
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


def _titled(schema: dict[str, Any], title: str) -> dict[str, Any]:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}


def write(folder: Path) -> tuple[Path, ...]:
    """Publish both schemas."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in (("dossier", dossier_schema_text()), ("policy", policy_schema_text())):
        path = folder / f"{name}.schema.json"
        path.write_text(text)
        written.append(path)
    return tuple(written)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
