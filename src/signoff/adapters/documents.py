"""Dossier and policy from YAML, strictly: every error of a file at once, each with its line and what to do.

Values go straight into the domain's records, whose annotations hold the bounds. Anchors, tags and duplicate keys are
refused, since a reader of the file could not see what they make of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, get_args, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from signoff.domain.dossier import Dossier, inconsistencies
from signoff.domain.errors import BadInputError
from signoff.domain.policy import HIGHER, Policy, Threshold, thresholds, tighten
from signoff.ledger.canonical import digest

T = TypeVar("T")
MAX_BYTES: Final = 2_000_000
MAX_DEPTH: Final = 30
PLACEHOLDER: Final = "FILL IN"


@dataclass(frozen=True, slots=True)
class Located(Generic[T]):
    """A parsed document that remembers on which line each key stood."""

    value: T
    path: Path
    content: bytes
    lines: Mapping[str, int] = field(repr=False)

    @property
    def digest(self) -> str:
        return digest(self.content)

    def line_of(self, dotted: str) -> int | None:
        """The line of a key, or None where the file leaves it out."""
        return self.lines.get(dotted)


def load_policy(path: Path) -> Located[Policy]:
    """The firm's floor from its file."""
    return _load(path, Policy)


def load_dossier(path: Path) -> Located[Dossier]:
    """A dossier from its folder or file; what single fields cannot show is checked as well."""
    path = path / "dossier.yaml" if path.is_dir() or not path.suffix else path
    located = _load(path, Dossier)
    problems = [_Problem(located.line_of(key), key, text) for key, text in inconsistencies(located.value)]
    _raise_all(path, problems)
    return located


def effective_policy(policy: Located[Policy], dossier: Located[Dossier]) -> Policy:
    """The policy with the dossier's stricter thresholds; an attempt to loosen names both lines."""
    known = {threshold.path: threshold for threshold in thresholds(policy.value)}
    asked = dossier.value.plan.tighten
    problems = [
        problem for key, value in asked.items() if (problem := _tighten_problem(key, value, known, dossier)) is not None
    ]
    _raise_all(dossier.path, problems)
    tightened, loosenings = tighten(policy.value, asked)
    for loosening in loosenings:
        line = policy.line_of(loosening.path)
        floor = f"{policy.path}:{line}" if line else f"{policy.path} (by default)"
        sign = "≥" if loosening.stricter is HIGHER else "≤"
        problems.append(
            _Problem(
                dossier.line_of(f"plan.tighten.{loosening.path}"),
                f"plan.tighten.{loosening.path}",
                f"a dossier may tighten the policy, never loosen it: {floor} sets {loosening.policy_value:g}, so "
                f"expected a value {sign} {loosening.policy_value:g}, found {loosening.dossier_value:g}. Remove the "
                "line, or ask for a change of the policy",
            )
        )
    _raise_all(dossier.path, problems)
    return tightened


@dataclass(frozen=True, slots=True)
class _Problem:
    line: int | None
    key: str
    text: str


def _raise_all(path: Path, problems: list[_Problem]) -> None:
    if not problems:
        return
    ordered = sorted(problems, key=lambda p: (p.line or 0, p.key))
    listed = " ".join(f"({n}) {_place(path, p)}: {p.text}." for n, p in enumerate(ordered, start=1))
    count = "1 problem" if len(ordered) == 1 else f"{len(ordered)} problems"
    raise BadInputError(f"{path} has {count}; nothing was written. {listed}")


def _place(path: Path, problem: _Problem) -> str:
    return f"{path.name}:{problem.line} {problem.key}" if problem.line else f"{path.name} {problem.key}"


def _load(path: Path, kind: type[T]) -> Located[T]:
    content = _read(path)
    data, lines = _parsed(path, content)
    try:
        value: T = TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        _raise_all(path, [_explained(item, kind, lines) for item in error.errors()])
        raise
    _raise_all(path, _placeholders(data, lines))
    return Located(value, path, content, lines)


def _placeholders(data: object, lines: Mapping[str, int]) -> list[_Problem]:
    """What `signoff init` left to fill in, as one problem that names the lines."""
    left = [key for key, text in _texts(data, "") if PLACEHOLDER in text]
    if not left:
        return []
    places = ", ".join(str(line) for line in sorted({lines[key] for key in left if key in lines}))
    text = f"{len(left)} value(s) still hold the placeholder {PLACEHOLDER}, on line(s) {places}; fill in or remove each"
    return [_Problem(lines.get(left[0]), left[0], text)]


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInputError(
                f"Expected {path} to be under {MAX_BYTES:,} bytes; it is larger. It is no such document."
            )
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise BadInputError(
            f"Expected {path}, found no such file. `signoff init MODEL VERSION --dir {path.parent}` writes one."
        ) from error
    except OSError as error:
        raise BadInputError(f"Expected to read {path}, and cannot: {error.strerror}.") from error
    if not content.strip():
        raise BadInputError(f"Expected a document in {path}, found an empty file. Write it with `signoff init`.")
    return content


def _parsed(path: Path, content: bytes) -> tuple[object, dict[str, int]]:
    try:
        text = content.decode()
        if any(isinstance(token, yaml.AliasToken | yaml.AnchorToken | yaml.TagToken) for token in yaml.scan(text)):
            raise BadInputError(
                f"{path} uses a YAML anchor, alias or tag; write the values out, so that all can see them."
            )
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        lines: dict[str, int] = {}
        _walk(node, "", lines, path, 0)
        return yaml.load(text, Loader=_Loader), lines  # noqa: S506 - a SafeLoader without surprises
    except UnicodeDecodeError as error:
        raise BadInputError(
            f"Expected UTF-8 text in {path}, found byte {error.start} to be none. Save it as UTF-8."
        ) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise BadInputError(
            f"{path}:{line} is no YAML: {error.problem}. Correct the line; nothing was written."
        ) from error
    except yaml.YAMLError as error:
        raise BadInputError(f"{path} is no YAML: {error}. Nothing was written.") from error
    except RecursionError as error:
        raise BadInputError(f"{path} is nested too deeply to be a document of this kind.") from error


class _Loader(yaml.SafeLoader):
    """YAML without implicit octal, sexagesimal or yes/no surprises beyond the usual true and false."""


def _walk(node: yaml.Node | None, prefix: str, lines: dict[str, int], path: Path, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BadInputError(f"{path} is nested more than {MAX_DEPTH} levels deep; it is no document of this kind.")
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            dotted = f"{prefix}{key.value}"
            line = key.start_mark.line + 1
            if dotted in lines:
                raise BadInputError(f"{path}:{line} repeats the key {dotted}, first on line {lines[dotted]}; keep one.")
            lines[dotted] = line
            _walk(value, f"{dotted}.", lines, path, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            lines.setdefault(f"{prefix}{number}", item.start_mark.line + 1)
            _walk(item, f"{prefix}{number}.", lines, path, depth + 1)


def _texts(data: object, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(data, str):
        yield prefix.removesuffix("."), data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from _texts(value, f"{prefix}{key}.")
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _texts(value, f"{prefix}{number}.")


def _explained(item: Any, kind: type, lines: Mapping[str, int]) -> _Problem:  # noqa: ANN401 - pydantic's error details
    dotted = ".".join(str(part) for part in item["loc"] if not str(part).startswith("function-"))
    line = lines.get(dotted) or lines.get(dotted.rpartition(".")[0])
    found = f", found {_short(item['input'])}"
    match item["type"]:
        case "unexpected_keyword_argument" | "extra_forbidden":
            return _Problem(line, dotted, f"unknown key{_nearest(dotted, kind)}. Correct or remove it")
        case "missing" | "missing_argument":
            return _Problem(line, dotted, "missing. Add the key; `signoff init` shows how it reads")
        case "finite_number":
            return _Problem(line, dotted, f"expected a finite number{found}. Write a number, or leave the key out")
        case "dataclass_type" | "dict_type" | "mapping_type" | "dataclass_exact_type":
            return _Problem(line, dotted or "(document)", f"expected a mapping of keys{found}")
        case _:
            unit = " (a percentage, 0 to 100)" if dotted.endswith("_pct") else ""
            said = str(item["msg"]).removeprefix("Input should be ").removeprefix("Input ")
            return _Problem(line, dotted, f"expected {said}{unit}{found}. Correct the value")


def _nearest(dotted: str, kind: type) -> str:
    parent, _, name = dotted.rpartition(".")
    known = _keys(kind, parent.split(".") if parent else [])
    close = get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; nearest known is {close[0]!r}" if close else f"; known here are {', '.join(sorted(known))}"


def _keys(kind: Any, path: list[str]) -> list[str]:  # noqa: ANN401 - a type annotation
    for part in path:
        if part.isdigit():
            continue
        hints = get_type_hints(kind) if is_dataclass(kind) else {}
        kind = _record_in(hints.get(part))
    return [f.name for f in fields(kind)] if is_dataclass(kind) else []


def _record_in(annotation: Any) -> Any:  # noqa: ANN401 - a type annotation
    """The dataclass inside Annotated, tuple or Optional, if there is one."""
    if is_dataclass(annotation):
        return annotation
    return next((found for part in get_args(annotation) if (found := _record_in(part)) is not None), None)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _tighten_problem(
    key: str, value: float, known: Mapping[str, Threshold], dossier: Located[Dossier]
) -> _Problem | None:
    dotted = f"plan.tighten.{key}"
    line = dossier.line_of(dotted)
    if key not in known:
        close = get_close_matches(key, known, n=1, cutoff=0.3)
        nearest = f"; nearest is {close[0]!r}" if close else ""
        return _Problem(line, dotted, f"no threshold of the policy has this name{nearest}")
    try:
        TypeAdapter[object](known[key].annotation).validate_python(value)
    except ValidationError as error:
        said = str(error.errors()[0]["msg"]).removeprefix("Input should be ")
        return _Problem(line, dotted, f"expected {said}, found {value:g}")
    return None
