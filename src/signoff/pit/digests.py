"""Digests of inputs and feature functions, so that finished work is reused only if nothing changed.

A function's digest covers its code, defaults, closure, and the functions and constants of its package that it names. It
cannot cover libraries, so every key includes the features as well.
"""

import hashlib
import io
import pickle
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from inspect import getattr_static
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType

import numpy as np
import polars as pl


def digest_of(*values: object) -> str:
    """SHA-256 of the values, in hexadecimal; equal values give equal digests in every process."""
    whole = hashlib.sha256()
    for part in _parts(values, set()):
        whole.update(len(part).to_bytes(8, "big"))
        whole.update(part)
    return whole.hexdigest()


def package_of(function: Callable[..., object]) -> str:
    """The top-level package or module of a function, also of a wrapped or bound one."""
    while isinstance(function, partial):
        function = function.func
    module = getattr(function, "__module__", None) or type(function).__module__
    return str(module).partition(".")[0]


def _parts(value: object, seen: set[int]) -> Iterator[bytes]:
    if isinstance(value, FunctionType | CodeType | partial | MethodType):
        yield from _code(value, seen)
        return
    yield type(value).__qualname__.encode()
    match value:
        case tuple() | list():
            for item in value:
                yield from _parts(item, seen)
        case frozenset() | set():
            yield from sorted(digest_of(item).encode() for item in value)
        case Mapping():
            for key, item in value.items():
                yield from _parts((key, item), seen)
        case _:
            if isinstance(call := getattr_static(type(value), "__call__", None), FunctionType):
                yield from _code(call, seen)
            yield _single(value)


def _code(value: object, seen: set[int]) -> Iterator[bytes]:
    """The code of a callable; a function that was visited, such as a recursive one, is not followed again."""
    if id(value) in seen:
        yield b"again"
        return
    seen.add(id(value))
    match value:
        case CodeType():
            yield value.co_code
            yield from _parts((value.co_names, value.co_varnames), seen)
            for constant in value.co_consts:
                yield from _parts(constant, seen)
        case FunctionType():
            yield value.__qualname__.encode()
            yield from _parts((value.__code__, value.__defaults__, value.__kwdefaults__), seen)
            for cell in value.__closure__ or ():
                yield from _parts(cell.cell_contents, seen)
            for name in sorted(_names(value.__code__)):
                if name in value.__globals__:
                    yield from _global(name, value.__globals__[name], value, seen)
        case partial():
            yield from _parts((value.func, value.args, dict(value.keywords)), seen)
        case MethodType():
            yield from _parts((value.__func__, value.__self__), seen)


def _global(name: str, value: object, user: Callable[..., object], seen: set[int]) -> Iterator[bytes]:
    """The globals of a function: its own package's functions in full, others by name."""
    yield name.encode()
    if isinstance(value, FunctionType) and package_of(value) != package_of(user):
        yield f"{value.__module__}.{value.__qualname__}".encode()
    else:
        yield from _parts(value, seen)


def _names(code: CodeType) -> set[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return set(code.co_names).union(*(_names(nested) for nested in inner))


def _single(value: object) -> bytes:
    """A value that is not a container."""
    match value:
        case None | bool() | int() | float() | complex() | str() | bytes():
            return repr(value).encode()
        case pl.DataFrame():
            return _frame(value)
        case np.ndarray() if value.dtype != object:
            return f"{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes()
        case ModuleType() | BuiltinFunctionType() | type():
            return f"{getattr(value, '__module__', '')}.{getattr(value, '__qualname__', value.__name__)}".encode()
        case _:
            return _pickled(value)


def _frame(frame: pl.DataFrame) -> bytes:
    """A digest of schema and values, independent of their layout in memory."""
    plain = frame.with_columns(pl.col(pl.Categorical).cast(pl.String)).rechunk()
    buffer = io.BytesIO()
    plain.write_ipc(buffer, compression="uncompressed")
    return hashlib.sha256(repr(frame.schema).encode() + buffer.getbuffer()).digest()


def _pickled(value: object) -> bytes:
    try:
        return pickle.dumps(value, protocol=5)
    except Exception:  # noqa: BLE001 - an object may refuse in any way; its type is then all that can be said
        return type(value).__module__.encode()
