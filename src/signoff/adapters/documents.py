"""Reads dossier and policy from YAML strictly: it reports every error at once, each with its line and what to do.

Values go straight into the domain's records, whose annotations give the bounds. A text never becomes a number or a
Boolean: `blocking: "no"` is an error, not false.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """A parsed document with the line of each key."""

    value: T
    path: Path
    content: bytes
    lines: Mapping[str, int] = field(repr=False)
    is_in_force: bool = False
    placeholders: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        return digest(self.content)

    def line_of(self, dotted: str) -> int | None:
        """The line of a key; None if the file omits it."""
        return self.lines.get(dotted)


def load_policy(path: Path, folder: Path | None = None) -> Located[Policy]:
    """The firm's floor from its file, named by itself or inside a folder."""
    located = _load(path, Policy, folder)
    _raise_all(path, [*_misordered_alerts(located), *_misordered_silence(located)])
    return located


def parse_policy(path: Path, content: bytes) -> Located[Policy]:
    """The same from bytes; `path` names them in messages."""
    located = _parsed(path, _sized(path, content), Policy)
    _raise_all(path, _misordered_alerts(located))
    return located


def policy_text(content: str) -> bytes:
    """A policy's canonical JSON as readable YAML; the same content gives the same bytes."""
    document = json.loads(content)
    named = {key: document[key] for key in ("name", "version")} | document
    return yaml.dump(named, Dumper=_Quoting, sort_keys=False, width=120, allow_unicode=True).encode()


GATES_OF_PACKAGES: Final = "signoff.gates"


def load_dossier(path: Path, *, is_kept: bool = False, may_be_unfinished: bool = False) -> Located[Dossier]:
    """A dossier from its folder or file, with the checks that span several fields.

    `is_kept` marks a stored submission: rules for new dossiers do not apply, so it reads as it was signed.
    One that `may_be_unfinished` is read with its placeholders, and says where they are.
    """
    path = path / DOSSIER if path.is_dir() or not path.suffix else path
    located = _parsed(path, _read(path, path.parent), Dossier, may_be_unfinished=may_be_unfinished)
    problems = [_Problem(located.line_of(key), key, text) for key, text in inconsistencies(located.value)]
    monitors = [] if is_kept else _unevaluable_monitors(located)
    _raise_all(path, [*problems, *_unknown_gates(located), *monitors])
    return located


def effective_policy(policy: Located[Policy], dossier: Located[Dossier]) -> Policy:
    """The policy for this type of deployment with the dossier's stricter thresholds.

    An attempt to loosen names both lines.
    """
    held_to = shortened(policy.value, dossier.value.header.deployment_type)
    rules = {threshold.path: threshold for threshold in thresholds(held_to)}
    asked = dossier.value.plan.tighten
    problems = [
        problem for key, value in asked.items() if (problem := _tighten_problem(key, value, rules, dossier)) is not None
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
    """Quotes texts that any version of YAML could read as numbers."""


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
    problems = []
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
            problems.append(_Problem(policy.line_of(key), key, text))
    return problems


def _unknown_gates(dossier: Located[Dossier]) -> list[_Problem]:
    """An explanation of a near miss names a gate of the policy, or one that a package brings.

    The packages are asked only about a name that is none of ours: it takes a hundredth of a second.
    """
    gates = [item.name for item in fields(GatePolicy) if item.default_factory is not MISSING]
    if all(name in gates for name in dossier.value.validation.near_misses):
        return []
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


def _parsed(path: Path, content: bytes, kind: type[T], *, may_be_unfinished: bool = False) -> Located[T]:
    data, lines = parse(path, content)
    data, lines = _by_keys(path, data, lines)
    try:
        value: T = _adapter(kind).validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        _raise_all(path, _explained_all(error, kind, lines))
        raise
    left = tuple(key for key, text in _texts(data, "") if PLACEHOLDER in text)
    if left and not may_be_unfinished:
        _raise_all(path, [_unfilled(left, lines)])
    return Located(value, path, content, lines, placeholders=tuple(_at_line(key, lines) for key in left))


def _by_keys(path: Path, data: object, lines: dict[str, int]) -> tuple[object, dict[str, int]]:
    """The document with every gate under its key, whichever of its names was used."""
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
                text = f"{name} and {key(name)} are one gate by two names. Keep one of them"
                _raise_all(path, [_Problem(lines.get(f"{place}.{name}"), f"{place}.{name}", text)])
            was, now = f"{place}.{name}", f"{place}.{key(name)}"
            lines = {now + k[len(was) :] if k == was or k.startswith(f"{was}.") else k: n for k, n in lines.items()}
        node[last] = {key(name): value for name, value in named.items()}
    return data, lines


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """The adapter of a record, cached: building one takes as long as reading a dossier."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def _unfilled(left: Sequence[str], lines: Mapping[str, int]) -> _Problem:
    """The placeholders left by `signoff init`, as one problem that names the lines."""
    places = ", ".join(str(line) for line in sorted({lines[key] for key in left if key in lines}))
    text = f"{len(left)} value(s) still hold the placeholder {PLACEHOLDER}, on line(s) {places}; fill in or remove each"
    return _Problem(lines.get(left[0]), left[0], text)


def _at_line(key: str, lines: Mapping[str, int]) -> str:
    """A key and where it stands: an item of a list on one line has the line of the list."""
    place = key
    while place and place not in lines:
        place = place.rpartition(".")[0]
    return f"{key} (line {lines[place]})" if place else key


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
    """One problem a key, also for a key of several allowed kinds."""
    problems: dict[str, _Problem] = {}
    for item in error.errors():
        parts = [str(part) for part in item["loc"]]
        dotted = ".".join(parts)
        if parts and parts[-1] in _KINDS and dotted not in lines:
            dotted = dotted.rpartition(".")[0]
            text = f"expected a text, a number, true or false, found {_short(item['input'])}. Correct the value"
        else:
            text = _explained(item, dotted, kind)
        line = lines.get(dotted) or lines.get(dotted.rpartition(".")[0])
        problems.setdefault(dotted, _Problem(line, dotted or "(document)", text))
    return list(problems.values())


def _explained(item: Any, dotted: str, kind: type) -> str:  # noqa: ANN401, C901 - pydantic's details, one table
    value = item["input"]
    value_found = f", found {_short(value)}"
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
            text = f"expected a finite number{value_found}. Write a number, or leave the key out"
        case "dataclass_type" | "dict_type" | "mapping_type" | "dataclass_exact_type":
            text = f"expected a mapping of keys{value_found}"
        case "string_type":
            text = f"expected a text{value_found}. {_rewritten(value, 'Put it in quotes')}"
        case "float_type" | "int_type":
            text = f"expected a number{value_found}. {_rewritten(value, 'Write it plainly, without quotes')}"
        case "string_too_long":
            text = f"expected at most {item['ctx']['max_length']:,} characters, found {len(value):,}. Shorten it"
        case "bool_type":
            text = f"expected true or false{value_found}. {_rewritten(value, 'Write true or false')}"
        case _:
            unit = " (a percentage, 0 to 100)" if dotted.endswith("_pct") else ""
            wanted = str(item["msg"]).removeprefix("Input should be ").removeprefix("Input ")
            text = f"expected {wanted}{unit}{value_found}. Correct the value"
    return text


def _rewritten(value: object, advice: str) -> str:
    """Advice for a value of the wrong kind; quotes do not mend a list or mapping."""
    return "Correct the value" if value is None or isinstance(value, list | dict) else f"{advice}, or correct it"


def _nearest(dotted: str, kind: type) -> str:
    parent, _, name = dotted.rpartition(".")
    keys = _keys(kind, parent.split(".") if parent else [])
    return _closest(name, [*keys, *(name_of(key) for key in keys)] if parent == "gates" else keys)


def _closest(name: str, names: Iterable[str]) -> str:
    close = get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f"; nearest known is {close[0]!r}" if close else f"; known here are {', '.join(sorted(names))}"


def _keys(kind: Any, path: list[str]) -> list[str]:  # noqa: ANN401 - a type annotation
    for part in path:
        if part.isdigit():
            continue
        hints = get_type_hints(kind) if is_dataclass(kind) else {}
        kind = _record_in(hints.get(part))
    return [f.name for f in fields(kind)] if is_dataclass(kind) else []


def _record_in(annotation: Any) -> Any:  # noqa: ANN401 - a type annotation
    """The dataclass inside Annotated, tuple or Optional, if any."""
    if is_dataclass(annotation):
        return annotation
    return next((record for part in get_args(annotation) if (record := _record_in(part)) is not None), None)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _tighten_problem(
    key: str, value: float, thresholds_known: Mapping[str, Threshold], dossier: Located[Dossier]
) -> _Problem | None:
    dotted = f"plan.tighten.{key}"
    line = dossier.line_of(dotted)
    if key not in thresholds_known:
        close = get_close_matches(key, thresholds_known, n=1, cutoff=0.3)
        nearest = f"; nearest is {close[0]!r}" if close else ""
        return _Problem(line, dotted, f"no threshold of the policy has this name{nearest}")
    try:
        TypeAdapter[object](thresholds_known[key].annotation).validate_python(value)
    except ValidationError as error:
        wanted = str(error.errors()[0]["msg"]).removeprefix("Input should be ")
        return _Problem(line, dotted, f"expected {wanted}, found {value:g}")
    return None
