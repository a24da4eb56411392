"""What `signoff init` writes: a commented dossier to fill in, its schema for the editor, and a policy."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from signoff.adapters.folders import write_file
from signoff.adapters.schema import as_text, dossier_schema, policy_schema
from signoff.domain.errors import BadInputError

NAMES: Final = ("dossier.yaml", "policy.yaml")


def write_dossier(model: str, version: str, folder: Path) -> tuple[Path, ...]:
    """Write the files to fill in; nothing that exists is replaced."""
    there = [name for name in NAMES if (folder / name).exists()]
    if there:
        raise BadInputError(
            f"Expected no {' or '.join(there)} in {folder}, found it there already; nothing was written. "
            "Choose another --dir, or edit what is there."
        )
    written = []
    for name in NAMES:
        text = files("signoff.adapters.templates").joinpath(f"{name}.in").read_text()
        path = folder / name
        write_file(path, text.replace("@MODEL@", model).replace("@VERSION@", version).encode())
        written.append(path)
    for name, schema in (("dossier", dossier_schema()), ("policy", policy_schema())):
        path = folder / f"{name}.schema.json"
        write_file(path, as_text(schema).encode())
        written.append(path)
    return tuple(written)
