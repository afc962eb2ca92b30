"""How kernels are defined and called: serial, without the GIL, specialised by the types of their arguments.

Numba compiles each specialisation once and is imported for that only (`compiler`). What it makes is kept on
disk (`cache`) and called through `ctypes` by Numba's convention for native functions, so that a later
process starts without Numba, which is the larger part of a small image's time.

A flag of a kernel is a tuple of Nones, its value the tuple's length: Numba compiles one version per
length, and the flag takes no part in the call but some null pointers. `parallel=True` would cost seconds of
compilation and a threading layer that must not be entered from two threads: rows are shared out among
Python threads instead (`backends.py`), which runs the very same machine code.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

import numpy as np

from dpid_cli.kernels import cache

Flag = tuple[None, ...]
F = TypeVar("F", bound=Callable[..., Any])

_INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") != "0"
_SCALARS = {"int64": ctypes.c_int64, "float32": ctypes.c_float, "float64": ctypes.c_double}
_REMEMBERED = 256
_lock = Lock()
_helpers: list[Callable[..., Any]] = []
_announcements: list[Callable[[bool], None]] = []
_counts = {"compiled": 0, "found": 0}


def flag(value: int) -> Flag:
    """The compile-time form of a small number."""
    return (None,) * int(value)


def helper(function: F) -> F:
    """Make a function callable from kernels."""
    _helpers.append(function)
    return function


def kernel(fastmath: frozenset[str] = frozenset()) -> Callable[[Callable[..., None]], Kernel]:
    """Make a kernel of a loop; `fastmath` names the liberties of LLVM's floating point that it may take."""
    return lambda function: Kernel(function, fastmath)


def helpers() -> tuple[Callable[..., Any], ...]:
    """All functions that kernels may call."""
    return tuple(_helpers)


class Kernel:
    """A compiled function that fills arrays, allocates nothing and returns nothing.

    Its arguments are arrays, named tuples of arrays, flags, and numbers: int, float (as float64) or NumPy
    scalars.
    """

    def __init__(self, function: Callable[..., None], fastmath: frozenset[str]) -> None:
        self.function = function
        self.fastmath = fastmath
        self._versions: dict[tuple[Any, ...], Callable[..., int]] = {}

    def __call__(self, *arguments: Any) -> None:
        if _INTERPRETED:
            self.function(*arguments)
            return
        types: list[Any] = []
        values: list[Any] = []
        for argument in arguments:
            if isinstance(argument, tuple | np.ndarray):
                of_types, of_values = _remembered(argument)
                types += of_types
                values += of_values
            else:
                _flatten(argument, types, values)
        key = tuple(types)
        version = self._versions.get(key)
        if version is None:
            with _lock:
                version = self._versions.get(key) or self._version(key, arguments)
        if version(_result, _result, *values) != 0:
            raise RuntimeError(f"{self.function.__qualname__}: the kernel failed")

    def _version(self, key: tuple[Any, ...], arguments: tuple[Any, ...]) -> Callable[..., int]:
        """The specialisation for arguments of these types, found on disk or compiled."""
        name = f"{self.function.__module__}.{self.function.__qualname__}"
        code = cache.read(name, key)
        if code is not None:
            _counts["found"] += 1
        else:
            for announce in _announcements:
                announce(cache_folder() is not None)
            from dpid_cli.kernels import compiler

            code = compiler.compile_(self.function, arguments, self.fastmath, helpers())
            cache.write(name, key, code)
            _counts["compiled"] += 1
        prototype = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 2, *_native_types(key))
        self._versions[key] = prototype(cache.load(code))
        return self._versions[key]


# Where a kernel writes that it returns None, and which exception it raises: it raises none.
_result = ctypes.addressof(ctypes.c_void_p.from_buffer(_slot := bytearray(ctypes.sizeof(ctypes.c_void_p))))


_seen: dict[int, tuple[Callable[[], Any], list[Any], list[Any]]] = {}


def _remembered(argument: Any) -> tuple[list[Any], list[Any]]:
    """What `_flatten` appends for an array or a tuple, found again for those that strips share.

    To ask an array for what a call needs takes microseconds, which small strips would notice.
    """
    held = _seen.get(id(argument))
    if held is None or held[0]() is not argument:
        types: list[Any] = []
        values: list[Any] = []
        _flatten(argument, types, values)
        if len(_seen) >= _REMEMBERED:
            _seen.clear()
        owner = weakref.ref(argument) if isinstance(argument, np.ndarray) else lambda: argument
        held = _seen[id(argument)] = owner, types, values
    return held[1], held[2]


def _flatten(argument: Any, types: list[Any], values: list[Any]) -> None:
    """Append what Numba tells types apart by, and the numbers that it passes in their place."""
    if isinstance(argument, np.ndarray):
        flags = argument.flags
        layout = "C" if flags.c_contiguous else "F" if flags.f_contiguous else "A"
        types.append((argument.dtype.str, argument.ndim, layout, flags.writeable))
        address = argument.__array_interface__["data"][0]
        # No owner that counts references, twice.
        values += (None, None, argument.size, argument.itemsize, address, *argument.shape, *argument.strides)
    elif isinstance(argument, tuple):
        types.append((type(argument).__name__, len(argument)))
        for item in argument:
            _flatten(item, types, values)
    elif argument is None:
        types.append(None)
        values.append(None)
    elif isinstance(argument, int) and not isinstance(argument, bool):
        types.append("int64")
        values.append(argument)
    elif isinstance(argument, (float, np.float32)):
        types.append("float32" if isinstance(argument, np.float32) else "float64")
        values.append(float(argument))
    else:
        raise TypeError(f"{argument!r} cannot be passed to a kernel")


def _native_types(key: tuple[Any, ...]) -> list[Any]:
    """The C types of the numbers that stand for arguments of these types."""
    native: list[Any] = []
    for item in key:
        if item is None:
            native.append(ctypes.c_void_p)
        elif isinstance(item, str):
            native.append(_SCALARS[item])
        elif len(item) > 2:
            number = ctypes.c_int64
            native += [ctypes.c_void_p] * 2 + [number] * 2 + [ctypes.c_void_p] + [number] * (2 * item[1])
    return native


def cache_folder() -> str | None:
    """Where compiled kernels are kept; None if they are not."""
    folder = cache.folder()
    return None if folder is None else str(folder)


def cache_counts() -> tuple[int, int]:
    """How many kernels this process has compiled, and how many it has found compiled."""
    return _counts["compiled"], _counts["found"]


def before_compiling(tell: Callable[[bool], None]) -> None:
    """Call ``tell(whether it will be kept)`` when this process is about to compile its first kernel."""

    def once(kept: bool) -> None:
        _announcements.remove(once)
        tell(kept)

    _announcements.append(once)
