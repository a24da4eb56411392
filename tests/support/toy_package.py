"""A package as another firm would install it: a module and the metadata that holds its entry points."""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent / "toys"


def installed(folder, module, **points):
    """Put a toy's module and metadata into a folder: `points` are names of entry points and what each names."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{module}.py").write_text((HERE / f"{module}.txt").read_text())
    metadata = folder / f"{module}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
    groups = {}
    for name, (group, target) in points.items():
        groups.setdefault(group, []).append(f"{name} = {module}:{target}")
    lines = [f"[signoff.{group}]\n" + "\n".join(found) for group, found in groups.items()]
    (metadata / "entry_points.txt").write_text("\n\n".join(lines) + "\n")
    return folder


def on_path(monkeypatch, folder, module):
    """Let this process find the package, for one test."""
    monkeypatch.syspath_prepend(str(folder))
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, module, raising=False)
