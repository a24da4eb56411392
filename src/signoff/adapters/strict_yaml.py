"""Parses YAML strictly: plain values, and the line of each key.

Anchors, tags, merge and duplicate keys are refused, since a reader could not see their effect. For the same reason a
plain word is a number, true, false or null only by the rules of YAML 1.2.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from signoff.domain.errors import BadInputError

MAX_DEPTH: Final = 30
# The same in C, ten times as fast, if PyYAML was built with it.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WORDS: Final = (
    ("null", r"~|null|Null|NULL|", ("~", "n", "N", "")),
    ("bool", r"true|True|TRUE|false|False|FALSE", tuple("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,17})", tuple("-+0123456789")),
    (
        "float",
        r"[-+]?(?:(?:0|[1-9][0-9]{0,17})(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        tuple("-+.0123456789"),
    ),
)


def parse(path: Path, content: bytes) -> tuple[object, dict[str, int]]:
    """The document as dicts, lists, texts, numbers, Booleans and None; and the line of every dotted key."""
    try:
        text = content.decode("utf-8-sig")
        _refuse_hidden_or_deep(path, text)
        loader = _Loader(text)
        reading = _Nodes(path, loader)
        return reading.value(loader.get_single_node(), "", 0), reading.lines
    except UnicodeDecodeError as error:
        raise BadInputError(
            f"Expected UTF-8 text in {path}, found an invalid byte at position {error.start}. Save it as UTF-8."
        ) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise BadInputError(
            f"{path}:{line} is not YAML: {error.problem}. Correct the line; nothing was written."
        ) from error
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise BadInputError(f"{path} is not YAML: {problem}. Nothing was written.") from error
    except RecursionError as error:
        raise BadInputError(f"{path} is nested too deeply to be a document of this kind.") from error


def _refuse_hidden_or_deep(path: Path, text: str) -> None:
    """Refuse aliases, anchors and tags, and deep nesting early: the parser's time grows with its square."""
    depth = 0
    for token in yaml.scan(text, Loader=_Base):
        if isinstance(token, _HIDDEN):
            raise BadInputError(
                f"{path} uses a YAML anchor, alias or tag; write the values out, so that all can see them."
            )
        depth += isinstance(token, _BEGINS) - isinstance(token, _ENDS)
        _refuse_depth(path, depth)


def _refuse_depth(path: Path, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise BadInputError(f"{path} is nested more than {MAX_DEPTH} levels deep; it is no document of this kind.")


_HIDDEN: Final = (yaml.AliasToken, yaml.AnchorToken, yaml.TagToken)
_BEGINS: Final = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
_ENDS: Final = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)


class _Loader(_Base):  # type: ignore[misc]  # one of two classes of PyYAML
    """A loader for which 010, 1:30, 1_000, 2019-01-02, yes, NO and << are texts, unlike YAML 1.1."""


_Loader.yaml_implicit_resolvers = {}
for _name, _pattern, _starts in _WORDS:
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(rf"^(?:{_pattern})$"), list(_starts))


@dataclass(frozen=True, slots=True)
class _Nodes:
    """Converts the nodes of one document to plain values."""

    path: Path
    loader: _Loader
    lines: dict[str, int] = field(default_factory=dict)

    def value(self, node: yaml.Node | None, prefix: str, depth: int) -> object:
        _refuse_depth(self.path, depth)
        match node:
            case yaml.MappingNode():
                return self._mapping(node, prefix, depth)
            case yaml.SequenceNode():
                return self._sequence(node, prefix, depth)
            case yaml.ScalarNode():
                self._refuse_hidden(node)
                value: object = self.loader.construct_object(node)
                return value
            case _:
                return None

    def _mapping(self, node: yaml.MappingNode, prefix: str, depth: int) -> dict[str, object]:
        values: dict[str, object] = {}
        own: dict[str, int] = {}
        for key, value in node.value:
            line = _line(key)
            if not isinstance(key, yaml.ScalarNode):
                raise BadInputError(
                    f"{self.path}:{line}: expected a name as key, found a list or mapping. Write a name."
                )
            self._refuse_hidden(key)
            if key.value in own:
                raise BadInputError(
                    f"{self.path}:{line} repeats the key {prefix}{key.value}, first on line {own[key.value]}; keep one."
                )
            own[key.value] = self.lines[f"{prefix}{key.value}"] = line
            values[key.value] = self.value(value, f"{prefix}{key.value}.", depth + 1)
        return values

    def _sequence(self, node: yaml.SequenceNode, prefix: str, depth: int) -> list[object]:
        values = []
        for number, item in enumerate(node.value):
            self.lines[f"{prefix}{number}"] = _line(item)
            values.append(self.value(item, f"{prefix}{number}.", depth + 1))
        return values

    def _refuse_hidden(self, node: yaml.ScalarNode) -> None:
        """Refuse escapes such as NUL, which would reach documents, file names and terminals unseen."""
        hidden = next((c for c in node.value if (c < " " and c not in "\n\t") or "\ud800" <= c <= "\udfff"), None)
        if hidden is not None:
            raise BadInputError(
                f"{self.path}:{_line(node)}: expected text that can be seen, found the character U+{ord(hidden):04X}. "
                "Remove it."
            )


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
