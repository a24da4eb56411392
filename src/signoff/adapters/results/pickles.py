"""Reads a pickle as a description: it records what the pickle would build and calls nothing.

A pickle is a program, and unpickling runs it. This module follows its opcodes itself: a call of `numpy.dtype` becomes
a record of the name and the arguments. No module is imported and no constructor runs, not even those of numpy and
pandas. The names are also a closed list; a pickle with another name is refused.
"""

import pickletools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from signoff.domain.errors import BadInputError

MAX_BYTES: Final = 500_000_000
MAX_STEPS: Final = 5_000_000

_LISTED: Final = """
_codecs: encode
builtins: slice bytearray object getattr
__builtin__: slice object getattr bytearray
copyreg: _reconstructor
copy_reg: _reconstructor
collections: OrderedDict
numpy: dtype ndarray
numpy.core.multiarray: _reconstruct scalar
numpy._core.multiarray: _reconstruct scalar
numpy.core.numeric: _frombuffer
numpy._core.numeric: _frombuffer
datetime: date datetime timedelta timezone
pytz: _UTC _p FixedOffset
zoneinfo: ZoneInfo ZoneInfo._unpickle
dateutil.tz.tz: tzutc
pandas._libs.tslibs.timestamps: _unpickle_timestamp Timestamp
pandas._libs.tslibs.nattype: _nat_unpickle __nat_unpickle
pandas._libs.tslibs.offsets: BusinessDay BDay BusinessHour CustomBusinessDay Day Hour Minute Second MonthEnd Week
pandas: DataFrame Series Index RangeIndex DatetimeIndex MultiIndex
pandas: Float64Dtype Int64Dtype BooleanDtype Categorical CategoricalDtype DatetimeTZDtype StringDtype
pandas.arrays: DatetimeArray StringArray ArrowStringArray FloatingArray IntegerArray BooleanArray Categorical
pandas.core.frame: DataFrame
pandas.core.series: Series
pandas.core.internals.managers: BlockManager SingleBlockManager
pandas._libs.internals: _unpickle_block
pandas._libs.arrays: __pyx_unpickle_NDArrayBacked
pandas.core.indexes.base: _new_Index Index
pandas.core.indexes.range: RangeIndex
pandas.core.indexes.multi: MultiIndex
pandas.core.indexes.frozen: FrozenList
pandas.core.indexes.numeric: Int64Index Float64Index
pandas.core.indexes.datetimes: _new_DatetimeIndex DatetimeIndex
pandas.core.arrays.datetimes: DatetimeArray
pandas.core.arrays.categorical: Categorical
pandas.core.arrays.string_: StringArray StringDtype
pandas.core.arrays.string_arrow: ArrowStringArray
pandas.core.arrays.floating: FloatingArray Float64Dtype
pandas.core.arrays.integer: IntegerArray Int64Dtype
pandas.core.arrays.boolean: BooleanArray BooleanDtype
pandas.core.dtypes.dtypes: DatetimeTZDtype CategoricalDtype
pyarrow.lib: _restore_array chunked_array py_buffer type_for_alias
zipline.assets._assets: Asset Equity Future
zipline.assets.exchange_info: ExchangeInfo
zipline.finance.order: ORDER_STATUS
"""
KNOWN: Final = frozenset(
    f"{module}.{name}"
    for module, _, names in (line.partition(":") for line in _LISTED.strip().splitlines())
    for name in names.split()
)


# Pickles reach objects (old protocols) and methods through these; the class or method must be listed as well.
RECONSTRUCT: Final = frozenset({"copyreg._reconstructor", "copy_reg._reconstructor"})
GETATTR: Final = frozenset({"builtins.getattr", "__builtin__.getattr"})


@dataclass(frozen=True, slots=True)
class Name:
    """A global that the pickle names; it is not imported."""

    full: str


@dataclass(slots=True, eq=False)
class Made:
    """A call that was recorded and not made: its name, its arguments, and the state set afterwards."""

    name: str
    args: tuple[Any, ...]
    states: list[Any] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """A dictionary key that is not a plain value; its content is never hashed."""

    value: Any


class _Mark:
    pass


_MARK: Final = _Mark()
_VALUES: Final = frozenset({
    *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
    *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
})  # fmt: skip
_CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}


def read(content: bytes, where: str) -> Any:  # noqa: ANN401 - whatever the pickle describes
    """The description of a pickle's content; `where` names the file in messages."""
    if len(content) > MAX_BYTES:
        raise BadInputError(f"{where}: expected a pickle of at most {MAX_BYTES:,} bytes, found {len(content):,}.")
    try:
        return _Machine(where).run(content)
    except BadInputError:
        raise
    except (
        ValueError,
        IndexError,
        KeyError,
        TypeError,
        AttributeError,
        EOFError,
        RecursionError,
        MemoryError,
    ) as error:
        raise BadInputError(
            f"{where}: expected a whole pickle, found none or a damaged one ({plainly(error)}). Write it again."
        ) from error


def plainly(error: Exception) -> str:
    """The first words of an error, on one line."""
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def _refuse_unknown(name: str, where: str) -> None:
    if name not in KNOWN:
        raise BadInputError(
            f"{where}: expected a pickle of pandas or numpy, found one that calls {name[:120]}, which is not on the "
            "closed list. Nothing of it was run. Keep only the columns of numbers and write it as Parquet."
        )


def _steps(content: bytes, where: str) -> Iterator[tuple[str, Any, int | None]]:
    for count, (code, argument, place) in enumerate(pickletools.genops(content)):
        if count > MAX_STEPS:
            raise BadInputError(
                f"{where}: expected a pickle of at most {MAX_STEPS:,} steps, found more. Keep only the columns of "
                "numbers and write it as Parquet."
            )
        yield code.name, argument, place


class _Machine:
    """Follows the opcodes with a stack and a memo, and builds records instead of objects."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def run(self, content: bytes) -> Any:  # noqa: ANN401 - whatever the pickle describes
        for code, argument, _ in _steps(content, self._where):
            if code == "STOP":
                return self._stack.pop()
            if code in _VALUES:
                self._stack.append(argument)
            elif code in _CONSTANTS:
                self._stack.append(_CONSTANTS[code])
            else:
                self._step(code, argument)
        raise ValueError("it never ends")

    def _step(self, code: str, argument: Any) -> None:  # noqa: ANN401, C901, PLR0912, PLR0915 - the protocol
        stack = self._stack
        match code:
            case "PROTO" | "FRAME":
                pass
            case "MARK":
                stack.append(_MARK)
            case "POP":
                stack.pop()
            case "POP_MARK":
                self._above_mark()
            case "DUP":
                stack.append(stack[-1])
            case "PUT" | "BINPUT" | "LONG_BINPUT":
                self._memo[argument] = stack[-1]
            case "MEMOIZE":
                self._memo[len(self._memo)] = stack[-1]
            case "GET" | "BINGET" | "LONG_BINGET":
                stack.append(self._memo[argument])
            case "TUPLE":
                stack.append(tuple(self._above_mark()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3":
                count = int(code[-1])
                stack[-count:] = [tuple(stack[-count:])]
            case "EMPTY_LIST" | "EMPTY_SET":
                stack.append([])
            case "EMPTY_DICT":
                stack.append({})
            case "LIST" | "FROZENSET":
                stack.append(self._above_mark())
            case "DICT":
                items = self._above_mark()
                stack.append({})
                _set_items(stack[-1], items)
            case "APPEND":
                item = stack.pop()
                _extend(stack[-1], [item])
            case "APPENDS" | "ADDITEMS":
                items = self._above_mark()
                _extend(stack[-1], items)
            case "SETITEM":
                value, key = stack.pop(), stack.pop()
                _set_items(stack[-1], [key, value])
            case "SETITEMS":
                items = self._above_mark()
                _set_items(stack[-1], items)
            case "GLOBAL":
                stack.append(self._named(str(argument).replace(" ", ".")))
            case "STACK_GLOBAL":
                name, module = stack.pop(), stack.pop()
                stack.append(self._named(f"{module}.{name}"))
            case "REDUCE" | "NEWOBJ":
                args, name = stack.pop(), stack.pop()
                stack.append(self._made(name, args))
            case "NEWOBJ_EX":
                options, args, name = stack.pop(), stack.pop(), stack.pop()
                stack.append(self._made(name, (*args, options)))
            case "BUILD":
                state = stack.pop()
                stack[-1].states.append(state)
            case _:
                raise BadInputError(
                    f"{self._where}: expected a pickle of pandas or numpy, found the unsupported opcode {code}. "
                    "Nothing of it was run. Write the table as Parquet."
                )

    def _named(self, name: str) -> Name:
        _refuse_unknown(name, self._where)
        return Name(name)

    def _made(self, name: Any, args: Any) -> Made | Name:  # noqa: ANN401 - anything may stand on the stack
        if not isinstance(name, Name) or not isinstance(args, tuple):
            raise TypeError("it calls what is no name")
        if name.full in RECONSTRUCT and args and isinstance(args[0], Name):
            return Made(args[0].full, ())
        if name.full not in GETATTR:
            return Made(name.full, args)
        if len(args) != 2 or not isinstance(args[0], Name) or not isinstance(args[1], str):
            _refuse_unknown(f"{name.full} of what is no listed name", self._where)
            raise TypeError("it asks for no attribute")
        return self._named(f"{args[0].full}.{args[1]}")

    def _above_mark(self) -> list[Any]:
        place = len(self._stack) - 1
        while self._stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise ValueError("a mark is missing")
        items = self._stack[place + 1 :]
        del self._stack[place:]
        return items


def _extend(target: Any, items: list[Any]) -> None:  # noqa: ANN401 - anything may stand on the stack
    (target.items if isinstance(target, Made) else target).extend(items)


def _set_items(target: Any, flat: list[Any]) -> None:  # noqa: ANN401 - anything may stand on the stack
    for key, value in zip(flat[::2], flat[1::2], strict=True):
        if isinstance(target, Made):
            target.items.append((key, value))
        else:
            target[key if isinstance(key, str | bytes | int | float | None) else Key(key)] = value
