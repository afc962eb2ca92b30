"""How kernels are defined and called: serial, without the GIL, specialised by the types of their arguments.

Numba compiles each specialisation once and is imported for that only (`compiler`). What it makes is kept on
disk (`cache`) and called through `ctypes`, so that a later process starts without Numba, which is the
larger part of a small image's time. An entry beside each kernel takes one address, of all that Numba's
convention for native functions passes, as `ctypes` would take longer over it than a small strip.

A flag of a kernel is a tuple of Nones, its value the tuple's length: Numba compiles one version per
length, and the flag takes no part in the call but some null pointers. `parallel=True` would cost seconds of
compilation and a threading layer that must not be entered from two threads: rows are shared out among
Python threads instead (`backends.py`), which runs the very same machine code.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import os
import struct
import weakref
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

import numpy as np

from dpid_cli.kernels import cache

Flag = tuple[None, ...]
F = TypeVar("F", bound=Callable[..., Any])

_INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") != "0"
_OWNERLESS = bytes(16)  # no owner that counts references, twice
_PACK: dict[type, Callable[[Any], bytes]] = {
    int: struct.Struct("q").pack,
    float: struct.Struct("d").pack,
    np.float64: struct.Struct("d").pack,
    np.float32: struct.Struct("f4x").pack,
    type(None): lambda _: bytes(8),
}
_HELD = tuple, np.ndarray
_REMEMBERED = 256
_lock = Lock()
_helpers: list[Callable[..., Any]] = []
_announcements: list[Callable[[bool], None]] = []
_counts = {"compiled": 0, "found": 0}
_kinds: dict[Any, int] = {}
_unused = itertools.count()
_seen: dict[int, tuple[Callable[[], Any], tuple[int, bytes]]] = {}


@functools.cache
def flag(value: int) -> Flag:
    """The compile-time form of a small number, always the same tuple, of which calls remember the type."""
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
        self._versions: dict[tuple[int, ...], Callable[[bytes], int]] = {}

    def __call__(self, *arguments: Any) -> None:
        if _INTERPRETED:
            self.function(*arguments)
            return
        passed = [_passed(argument) for argument in arguments]
        kinds = tuple([kind for kind, _ in passed])
        version = self._versions.get(kinds)
        if version is None:
            with _lock:
                version = self._versions.get(kinds) or self._version(kinds, arguments)
        if version(b"".join([slots for _, slots in passed])) != 0:
            raise RuntimeError(f"{self.function.__qualname__}: the kernel failed")

    def _version(self, kinds: tuple[int, ...], arguments: tuple[Any, ...]) -> Callable[[bytes], int]:
        """The specialisation for arguments of these types, found on disk or compiled."""
        name = f"{self.function.__module__}.{self.function.__qualname__}"
        key = tuple(map(_type, arguments))
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
        self._versions[kinds] = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_char_p)(cache.load(code))
        return self._versions[kinds]


def _passed(argument: Any) -> tuple[int, bytes]:
    """A number for an argument's type, and what Numba passes in its place: slots of eight bytes.

    To ask arrays for them takes microseconds, which small strips would notice: what strips share is
    remembered.
    """
    if not isinstance(argument, _HELD):
        return _kind(argument), _slots(argument)
    held = _seen.get(id(argument))
    if held is None or held[0]() is not argument:
        if len(_seen) >= _REMEMBERED:
            _seen.clear()
        owner = weakref.ref(argument) if isinstance(argument, np.ndarray) else lambda: argument
        held = _seen[id(argument)] = owner, (_kind(argument), _slots(argument))
    return held[1]


def _kind(argument: Any) -> int:
    """A number for the type of an argument, which is found faster than all that the type consists of."""
    type_ = _type(argument)
    kind = _kinds.get(type_)
    return _kinds.setdefault(type_, next(_unused)) if kind is None else kind


def _type(argument: Any) -> Any:
    """What Numba tells types apart by."""
    if isinstance(argument, np.ndarray):
        flags = argument.flags
        layout = "C" if flags.c_contiguous else "F" if flags.f_contiguous else "A"
        return argument.dtype.str, argument.ndim, layout, flags.writeable
    if isinstance(argument, tuple):
        return type(argument).__name__, *map(_type, argument)
    return type(argument)


def _slots(argument: Any) -> bytes:
    if isinstance(argument, np.ndarray):
        address = argument.__array_interface__["data"][0]
        numbers = argument.size, argument.itemsize, address, *argument.shape, *argument.strides
        return _OWNERLESS + struct.pack(f"{len(numbers)}q", *numbers)
    if isinstance(argument, tuple):
        return b"".join(map(_slots, argument))
    pack = _PACK.get(type(argument))
    if pack is None:
        raise TypeError(f"{argument!r} cannot be passed to a kernel")
    return pack(argument)


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
