"""Dossier and policy from YAML, strictly: every error of a file at once, each with its line and what to do.

Values go straight into the domain's records, whose annotations hold the bounds. A text is never turned into a number or
a switch: `blocking: "no"` is an error, not false.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, Generic, TypeVar, get_args, get_type_hints

import yaml
from pydantic import TypeAdapter, ValidationError

from signoff.adapters.folder_files import read_inside, read_named, unreadable
from signoff.adapters.strict_yaml import parse
from signoff.domain.assumptions import objection
from signoff.domain.dossier import Dossier, inconsistencies
from signoff.domain.errors import BadInputError
from signoff.domain.names_of_gates import key_of, name_of, path_by_keys
from signoff.domain.policy import HIGHER, FallingAlert, GatePolicy, Policy, RisingAlert, Threshold, thresholds
from signoff.domain.shortened import effective, shortened
from signoff.ledger.canonical import digest

T = TypeVar("T")
MAX_BYTES: Final = 2_000_000
_ADAPTERS: Final[dict[type[Any], TypeAdapter[Any]]] = {}
DOSSIER: Final = "dossier.yaml"
NUMERIC: Final = tuple("+-.~0123456789")
PLACEHOLDER: Final = "FILL IN"
_KINDS: Final = frozenset({"str", "int", "float", "bool"})


@dataclass(frozen=True, slots=True)
class Located(Generic[T]):
    """A parsed document that remembers on which line each key stood."""

    value: T
    path: Path
    content: bytes
    lines: Mapping[str, int] = field(repr=False)
    is_in_force: bool = False

    @property
    def digest(self) -> str:
        return digest(self.content)

    def line_of(self, dotted: str) -> int | None:
        """The line of a key, or None where the file leaves it out."""
        return self.lines.get(dotted)


def load_policy(path: Path, folder: Path | None = None) -> Located[Policy]:
    """The firm's floor from its file: one that was named, or the one inside of a folder."""
    located = _load(path, Policy, folder)
    _raise_all(path, [*_misordered_alerts(located), *_misordered_silence(located)])
    return located


def parse_policy(path: Path, content: bytes) -> Located[Policy]:
    """The same from bytes; `path` is what messages call them."""
    located = _parsed(path, _sized(path, content), Policy)
    _raise_all(path, _misordered_alerts(located))
    return located


def policy_text(content: str) -> bytes:
    """A policy's canonical JSON as YAML that people read; the same content gives the same bytes."""
    said = json.loads(content)
    named = {key: said[key] for key in ("name", "version")} | said
    return yaml.dump(named, Dumper=_Quoting, sort_keys=False, width=120, allow_unicode=True).encode()


GATES_OF_PACKAGES: Final = "signoff.gates"


def load_dossier(path: Path, *, is_kept: bool = False) -> Located[Dossier]:
    """A dossier from its folder or file; what single fields cannot show is checked as well.

    `is_kept` is one that was submitted before: what is refused in new ones only is read there as it was signed.
    """
    path = path / DOSSIER if path.is_dir() or not path.suffix else path
    located = _load(path, Dossier, path.parent)
    problems = [_Problem(located.line_of(key), key, text) for key, text in inconsistencies(located.value)]
    monitors = [] if is_kept else _unevaluable_monitors(located)
    _raise_all(path, [*problems, *_unknown_gates(located), *monitors])
    return located


def effective_policy(policy: Located[Policy], dossier: Located[Dossier]) -> Policy:
    """The policy for this type of deployment with the dossier's stricter thresholds.

    An attempt to loosen names both lines.
    """
    held_to = shortened(policy.value, dossier.value.header.deployment_type)
    known = {threshold.path: threshold for threshold in thresholds(held_to)}
    asked = dossier.value.plan.tighten
    problems = [
        problem for key, value in asked.items() if (problem := _tighten_problem(key, value, known, dossier)) is not None
    ]
    _raise_all(dossier.path, problems)
    tightened, loosenings = effective(policy.value, dossier.value)
    for loosening in loosenings:
        line = policy.line_of(loosening.path)
        floor = f"{policy.path}:{line}" if line else f"{policy.path} (by default)"
        if policy.is_in_force:
            floor = f"the {policy.path}"
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


class _Quoting(yaml.SafeDumper):
    """Texts that could be read as numbers are quoted, by whichever version of YAML they are read."""


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if text[:1] in NUMERIC else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Quoting.add_representer(str, _quoted)


@dataclass(frozen=True, slots=True)
class _Problem:
    line: int | None
    key: str
    text: str


def _misordered_silence(policy: Located[Policy]) -> list[_Problem]:
    """Capital falls to the limited share before it falls to zero, never after."""
    silence = policy.value.silence
    if silence.zero_after_sessions >= silence.limited_after_sessions:
        return []
    key = "silence.zero_after_sessions"
    text = (
        f"expected limited_after_sessions ({silence.limited_after_sessions}) or more, found "
        f"{silence.zero_after_sessions}. Swap or correct them"
    )
    return [_Problem(policy.line_of(key), key, text)]


def _misordered_alerts(policy: Located[Policy]) -> list[_Problem]:
    """A critical level is reached after its warning, never before."""
    found = []
    for item in fields(policy.value.alerts):
        alert: FallingAlert | RisingAlert = getattr(policy.value.alerts, item.name)
        sign = -1.0 if isinstance(alert, FallingAlert) else 1.0
        if sign * alert.critical < sign * alert.warning:
            key = f"alerts.{item.name}"
            side = "below" if sign < 0 else "above"
            text = (
                f"expected the critical level at or {side} the warning, found warning {alert.warning:g} and critical "
                f"{alert.critical:g}. Swap or correct them"
            )
            found.append(_Problem(policy.line_of(key), key, text))
    return found


def _unknown_gates(dossier: Located[Dossier]) -> list[_Problem]:
    """An explanation of a near miss names a gate of the policy."""
    gates = [item.name for item in fields(GatePolicy) if item.default_factory is not MISSING]
    gates += [point.name for point in entry_points(group=GATES_OF_PACKAGES)]
    return [
        _Problem(
            dossier.line_of(f"validation.near_misses.{name}"),
            f"validation.near_misses.{name}",
            f"no gate has this name{_closest(name, gates)}. Correct or remove it",
        )
        for name in dossier.value.validation.near_misses
        if name not in gates
    ]


def _unevaluable_monitors(dossier: Located[Dossier]) -> list[_Problem]:
    """An assumption is monitored by an expression that can be evaluated."""
    has_previous = dossier.value.header.previous_version is not None
    keys = {
        f"boundaries.assumptions.{number}.monitor": objection(one.monitor, has_previous=has_previous)
        for number, one in enumerate(dossier.value.boundaries.assumptions)
    }
    return [_Problem(dossier.line_of(key), key, text) for key, text in keys.items() if text is not None]


def _raise_all(path: Path, problems: list[_Problem]) -> None:
    if not problems:
        return
    ordered = sorted(problems, key=lambda p: (p.line or 0, p.key))
    listed = " ".join(f"({n}) {_place(path, p)}: {p.text}." for n, p in enumerate(ordered, start=1))
    count = "1 problem" if len(ordered) == 1 else f"{len(ordered)} problems"
    raise BadInputError(f"{path} has {count}; nothing was written. {listed}")


def _place(path: Path, problem: _Problem) -> str:
    return f"{path.name}:{problem.line} {problem.key}" if problem.line else f"{path.name} {problem.key}"


def _load(path: Path, kind: type[T], folder: Path | None) -> Located[T]:
    return _parsed(path, _read(path, folder), kind)


def _parsed(path: Path, content: bytes, kind: type[T]) -> Located[T]:
    data, lines = parse(path, content)
    data, lines = _by_keys(path, data, lines)
    try:
        value: T = _adapter(kind).validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        _raise_all(path, _explained_all(error, kind, lines))
        raise
    _raise_all(path, _placeholders(data, lines))
    return Located(value, path, content, lines)


def _by_keys(path: Path, data: object, lines: dict[str, int]) -> tuple[object, dict[str, int]]:
    """The document with gates by their keys, whichever of their names it uses."""
    if not isinstance(data, dict):
        return data, lines
    for place, key in (("gates", key_of), ("plan.tighten", path_by_keys), ("validation.near_misses", key_of)):
        *outer, last = place.split(".")
        node: object = data
        for part in outer:
            node = node.get(part) if isinstance(node, dict) else None
        named = node.get(last) if isinstance(node, dict) else None
        if not isinstance(node, dict) or not isinstance(named, dict):
            continue
        for name in (name for name in named if key(name) != name):
            if key(name) in named:
                said = f"{name} and {key(name)} are one gate by two names. Keep one of them"
                _raise_all(path, [_Problem(lines.get(f"{place}.{name}"), f"{place}.{name}", said)])
            was, now = f"{place}.{name}", f"{place}.{key(name)}"
            lines = {now + k[len(was) :] if k == was or k.startswith(f"{was}.") else k: n for k, n in lines.items()}
        node[last] = {key(name): value for name, value in named.items()}
    return data, lines


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Making one takes as long as reading a dossier with it, so it is made once."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _placeholders(data: object, lines: Mapping[str, int]) -> list[_Problem]:
    """What `signoff init` left to fill in, as one problem that names the lines."""
    left = [key for key, text in _texts(data, "") if PLACEHOLDER in text]
    if not left:
        return []
    places = ", ".join(str(line) for line in sorted({lines[key] for key in left if key in lines}))
    text = f"{len(left)} value(s) still hold the placeholder {PLACEHOLDER}, on line(s) {places}; fill in or remove each"
    return [_Problem(lines.get(left[0]), left[0], text)]


def _read(path: Path, folder: Path | None) -> bytes:
    try:
        content = read_named(path, limit=MAX_BYTES) if folder is None else read_inside(path, folder, limit=MAX_BYTES)
    except FileNotFoundError as error:
        command = f"init MODEL VERSION --dir {path.parent}" if path.name == DOSSIER else f"policy template {path}"
        raise BadInputError(f"Expected {path}, found no such file. `signoff {command}` writes one.") from error
    except OSError as error:
        raise unreadable(path, error) from error
    if not content.strip():
        raise BadInputError(f"Expected a document in {path}, found an empty file. Write it with `signoff init`.")
    return content


def _sized(path: Path, content: bytes) -> bytes:
    if len(content) > MAX_BYTES or not content.strip():
        raise BadInputError(f"Expected a policy of 1 to {MAX_BYTES:,} bytes in {path}, found {len(content):,}.")
    return content


def _texts(data: object, prefix: str) -> Iterator[tuple[str, str]]:
    if isinstance(data, str):
        yield prefix.removesuffix("."), data
    elif isinstance(data, Mapping):
        for key, value in data.items():
            yield from _texts(value, f"{prefix}{key}.")
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _texts(value, f"{prefix}{number}.")


def _explained_all(error: ValidationError, kind: type, lines: Mapping[str, int]) -> list[_Problem]:
    """One problem a key, also where a key may hold several kinds of value and holds none of them."""
    found: dict[str, _Problem] = {}
    for item in error.errors():
        parts = [str(part) for part in item["loc"]]
        dotted = ".".join(parts)
        if parts and parts[-1] in _KINDS and dotted not in lines:
            dotted = dotted.rpartition(".")[0]
            text = f"expected a text, a number, true or false, found {_short(item['input'])}. Correct the value"
        else:
            text = _explained(item, dotted, kind)
        line = lines.get(dotted) or lines.get(dotted.rpartition(".")[0])
        found.setdefault(dotted, _Problem(line, dotted or "(document)", text))
    return list(found.values())


def _explained(item: Any, dotted: str, kind: type) -> str:  # noqa: ANN401, C901 - pydantic's details, one table
    value = item["input"]
    found = f", found {_short(value)}"
    match item["type"]:
        case "value_error":
            text = f"{str(item['msg']).removeprefix('Value error, ')}. Correct it"
        case "too_short" if isinstance(item["input"], list | tuple):
            least = item["ctx"]["min_length"]
            text = (
                f"expected at least {least} entry, found {len(item['input']) or 'none'}. Name it, or leave the key out"
            )
        case "unexpected_keyword_argument" | "extra_forbidden":
            text = f"unknown key{_nearest(dotted, kind)}. Correct or remove it"
        case "missing" | "missing_argument":
            text = "missing. Add the key; `signoff init` shows how it reads"
        case "finite_number":
            text = f"expected a finite number{found}. Write a number, or leave the key out"
        case "dataclass_type" | "dict_type" | "mapping_type" | "dataclass_exact_type":
            text = f"expected a mapping of keys{found}"
        case "string_type":
            text = f"expected a text{found}. {_rewritten(value, 'Put it in quotes')}"
        case "float_type" | "int_type":
            text = f"expected a number{found}. {_rewritten(value, 'Write it plainly, without quotes')}"
        case "string_too_long":
            text = f"expected at most {item['ctx']['max_length']:,} characters, found {len(value):,}. Shorten it"
        case "bool_type":
            text = f"expected true or false{found}. {_rewritten(value, 'Write true or false')}"
        case _:
            unit = " (a percentage, 0 to 100)" if dotted.endswith("_pct") else ""
            said = str(item["msg"]).removeprefix("Input should be ").removeprefix("Input ")
            text = f"expected {said}{unit}{found}. Correct the value"
    return text


def _rewritten(value: object, advice: str) -> str:
    """What to do with a value of the wrong kind; a list or mapping is not mended by quotes."""
    return "Correct the value" if value is None or isinstance(value, list | dict) else f"{advice}, or correct it"


def _nearest(dotted: str, kind: type) -> str:
    parent, _, name = dotted.rpartition(".")
    known = _keys(kind, parent.split(".") if parent else [])
    return _closest(name, [*known, *(name_of(key) for key in known)] if parent == "gates" else known)


def _closest(name: str, known: Iterable[str]) -> str:
    close = get_close_matches(name, list(known), n=1, cutoff=0.5)
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
