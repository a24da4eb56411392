"""Writes the files of `signoff init` and `signoff policy template`: commented templates, and schemas for the editor."""

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Final

from signoff.adapters.documents import parse_policy
from signoff.adapters.folders import write_file
from signoff.adapters.schema import dossier_schema_text, policy_schema_text
from signoff.domain.errors import BadInputError
from signoff.domain.policy import Role

DOSSIER: Final = "dossier.yaml"
POLICY: Final = "policy.yaml"
TEMPLATES: Final = ("small-firm", "bank", "crypto", "paper-only")
REVIEW_AFTER: Final = timedelta(days=30)
_NOTHING: Final[Mapping[str, str]] = {}
_NO_FILES: Final[Mapping[str, bytes]] = {}
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")


def write_dossier(
    model: str,
    version: str,
    folder: Path,
    *,
    today: date,
    declared: Mapping[str, str] = _NOTHING,
    beside: Mapping[str, bytes] = _NO_FILES,
    template: str | None = None,
) -> tuple[Path, ...]:
    """Write the files to fill in, with those that belong `beside` them, and return them. A dossier is never replaced.

    `declared` are values of its section `evidence`. A policy belongs to the installation: one is written only as the
    trial policy of a `template`, and the dossier then names the roles that sign under it.
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
    filled = filled.replace("@TODAY@", today.isoformat()).replace("@REVIEW@", (today + REVIEW_AFTER).isoformat())
    contents = {
        DOSSIER: _declaring(filled, declared).encode(),
        "dossier.schema.json": dossier_schema_text().encode(),
    }
    if template is not None:
        policy = policy_of_template(template)
        beside = {**beside, POLICY: policy, "policy.schema.json": policy_schema_text().encode()}
        signing = parse_policy(Path(POLICY), policy).value.approvals.required
        contents[DOSSIER] = _signed_by(contents[DOSSIER].decode(), signing).encode()
    if present := sorted(name for name in beside if (folder / name).exists()):
        raise BadInputError(
            f"Expected no {present[0]} in {folder}, found it there already; nothing was written. Choose another --dir, "
            "or remove it."
        )
    return _written(folder, {**beside, **contents}, "Choose another --dir.")


def policy_of_template(template: str) -> bytes:
    """The trial policy of a template: only what differs from the defaults, each with its reason."""
    if template not in TEMPLATES:
        raise BadInputError(
            f"Expected --template to be one of {', '.join(TEMPLATES)}, found {template!r}; nothing was written."
        )
    return _template(f"policy-{template}.yaml").encode()


def _signed_by(text: str, roles: Iterable[Role]) -> str:
    """The dossier with the signatories of these roles alone."""
    line = re.compile(r"    - \{role: (\w+), name: FILL IN\}\n")
    return line.sub(lambda found: found[0] if found[1] in {role.value for role in roles} else "", text)


def _declaring(text: str, declared: Mapping[str, str]) -> str:
    """The dossier with values in its section `evidence`; the comment of each key stays."""
    head, section, rest = text.partition("\nevidence:\n")
    for key, value in declared.items():
        line = re.compile(rf"^  {key}: (?:null|0|\[\])", re.MULTILINE)
        rest = line.sub(f"  {key}: {value}".replace("\\", r"\\"), rest, count=1)
    return f"{head}{section}{rest}"


def write_policy(path: Path) -> tuple[Path, ...]:
    """Write a policy template, and return the files. An existing file is never replaced."""
    if path.exists():
        raise BadInputError(f"Expected no file at {path}, found one; nothing was written. Name another file.")
    contents = {path.name: _template(POLICY).encode(), "policy.schema.json": policy_schema_text().encode()}
    return _written(path.parent, contents, "Name a file in another folder.")


def _written(folder: Path, contents: Mapping[str, bytes], advice: str) -> tuple[Path, ...]:
    try:
        for name, content in contents.items():
            write_file(folder / name, content)
    except OSError as error:
        raise BadInputError(f"Expected to write into {folder}, and cannot: {error.strerror}. {advice}") from error
    return tuple(folder / name for name in contents)


def _template(name: str) -> str:
    return files("signoff.adapters.templates").joinpath(f"{name}.in").read_text(encoding="utf-8")
