"""Modules that come with a model, imported from the approved bytes while it is loaded, never from a file.

They come before any module of the same name, and leave `sys.modules` once the model is loaded: two versions may each
bring a module of one name. So a model imports what it needs at the top of its modules, not when it predicts.
"""

import importlib.util
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path, PurePosixPath
from types import CodeType, ModuleType
from typing import Final

from signoff.domain.errors import BadInputError

_ONE_AT_A_TIME: Final = threading.RLock()


@contextmanager
def carried(files: Mapping[str, bytes], place: Path) -> Iterator[frozenset[str]]:
    """Import from these files while the block runs; the names of their modules. `place` is what `__file__` says."""
    finder = _Finder(files, place)
    tops = {name.partition(".")[0] for name in finder.modules}
    if shadowed := sorted(tops & sys.stdlib_module_names):
        raise BadInputError(
            f"Expected the modules of a model under names of their own, found {', '.join(shadowed)} of the standard "
            "library. Rename the file and register the model again."
        )
    with _ONE_AT_A_TIME:
        hidden = _removed(tops)
        sys.meta_path.insert(0, finder)
        try:
            yield frozenset(finder.modules)
        finally:
            sys.meta_path.remove(finder)
            _removed(tops)
            sys.modules.update(hidden)


def _removed(tops: set[str]) -> dict[str, ModuleType]:
    """The loaded modules under these names, which are no longer found."""
    found = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in tops}
    for name in found:
        del sys.modules[name]
    return found


class _Finder(MetaPathFinder):
    def __init__(self, files: Mapping[str, bytes], place: Path) -> None:
        self.modules: dict[str, tuple[str, bytes, bool]] = {}
        self._place = place
        for path, content in files.items():
            parts = PurePosixPath(path).with_suffix("").parts
            if not path.endswith(".py") or not all(part.isidentifier() for part in parts):
                continue
            is_package = parts[-1] == "__init__" and len(parts) > 1
            name = ".".join(parts[:-1] if is_package else parts)
            self.modules[name] = (path, content, is_package)
            for folder in PurePosixPath(path).parents:
                if folder.parts:
                    self.modules.setdefault(".".join(folder.parts), (f"{folder}/__init__.py", b"", True))

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if (found := self.modules.get(fullname)) is None:
            return None
        where, content, is_package = found
        origin = self._place / where
        spec = ModuleSpec(fullname, _Approved(content, str(origin)), origin=str(origin), is_package=is_package)
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [str(origin.parent)]
        return spec


class _Approved(Loader):
    def __init__(self, content: bytes, origin: str) -> None:
        self._content, self._origin = content, origin

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        del spec
        return None

    def exec_module(self, module: ModuleType) -> None:
        code: CodeType = compile(importlib.util.decode_source(self._content), self._origin, "exec")
        exec(code, module.__dict__)  # noqa: S102 - approved code, from the bytes that were hashed
