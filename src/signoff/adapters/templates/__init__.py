"""Writes the files of `signoff init` and `signoff policy template`: commented templates, and schemas for the editor."""

import re
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final

from signoff.adapters.folders import write_file
from signoff.adapters.schema import as_text, dossier_schema, policy_schema
from signoff.domain.errors import BadInputError

DOSSIER: Final = "dossier.yaml"
POLICY: Final = "policy.yaml"
REVIEW_AFTER: Final = timedelta(days=30)
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


def write_dossier(model: str, version: str, folder: Path, *, today: date) -> tuple[Path, ...]:
    """Write the files to fill in, and return them. A dossier is never replaced.

    No policy is among them: it belongs to the installation.
    """
    for what, name in (("model", model), ("version", version)):
        if not _NAME.fullmatch(name):
            raise BadInputError(
                f"Expected the name of a {what} in letters, digits, dots, dashes, underscores and plus signs, 64 at "
                f"most, found {name!r}; nothing was written. Choose such a name."
            )
    if (folder / DOSSIER).exists():
        raise BadInputError(
            f"Expected no {DOSSIER} in {folder}, found it there already; nothing was written. "
            "Choose another --dir, or edit what is there."
        )
    filled = _template(DOSSIER).replace("@MODEL@", model).replace("@VERSION@", version)
    texts = {
        DOSSIER: filled.replace("@TODAY@", today.isoformat()).replace("@REVIEW@", (today + REVIEW_AFTER).isoformat())
    }
    texts["dossier.schema.json"] = as_text(dossier_schema())
    return _written(folder, texts, "Choose another --dir.")


def write_policy(path: Path) -> tuple[Path, ...]:
    """Write a policy template, and return the files. An existing file is never replaced."""
    if path.exists():
        raise BadInputError(f"Expected no file at {path}, found one; nothing was written. Name another file.")
    texts = {path.name: _template(POLICY), "policy.schema.json": as_text(policy_schema())}
    return _written(path.parent, texts, "Name a file in another folder.")


def _written(folder: Path, texts: dict[str, str], advice: str) -> tuple[Path, ...]:
    try:
        for name, text in texts.items():
            write_file(folder / name, text.encode())
    except OSError as error:
        raise BadInputError(f"Expected to write into {folder}, and cannot: {error.strerror}. {advice}") from error
    return tuple(folder / name for name in texts)


def _template(name: str) -> str:
    return files("signoff.adapters.templates").joinpath(f"{name}.in").read_text(encoding="utf-8")
