"""How kernels are defined and called: serially, without the GIL, specialised by the types of their arguments.

The first call with arguments of new types needs machine code: `cache` finds it on disk, or `compiler` lets
Numba make it. Later processes therefore start without Numba, whose import takes most of the time of a small
image. The code is called through `ctypes`. Its entry takes one address, where all that Numba's convention
for native functions passes lies in slots of eight bytes; to pass it one by one would take `ctypes` longer
than a small strip takes to compute.

Kernels do not use ``parallel=True``: it would cost seconds of compilation and a threading layer that two
threads must not enter at once. Python threads share out the output rows instead.
"""

from __future__ import annotations

import ctypes
import itertools
import os
import struct
import time
import weakref
from collections.abc import Callable
from threading import Lock
from typing import Any

import numpy as np

from dpid_cli.interrupts import interruptible
from dpid_cli.kernels import cache
from dpid_cli.kernels.flags import helpers

# What LLVM may do with floating point. Neither allows reciprocals or approximate functions: divisions and
# square roots stay correctly rounded.
FAST = frozenset({"contract", "nsz", "nnan", "ninf"})
FUSED = frozenset({"contract", "nsz"})

_INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") != "0"
_OWNERLESS = bytes(16)  # where Numba expects two pointers to an owner that counts references
_PACK: dict[type, Callable[[Any], bytes]] = {
    int: struct.Struct("q").pack,
    float: struct.Struct("d").pack,
    np.float64: struct.Struct("d").pack,
    np.float32: struct.Struct("f4x").pack,
    type(None): lambda _: bytes(8),
}
_REMEMBERED = 256
CHANNELS = {1: "gray", 2: "gray+alpha", 3: "RGB", 4: "RGBA"}
_DEPTHS = {"u1": "8-bit", "u2": "16-bit", "f4": "float32", "f8": "float64", "u4": "8-bit"}  # u4: packed
Listener = Callable[[str, float | None], None]
_lock = Lock()
_listener: Listener | None = None
_counts = {"compiled": 0, "found": 0}
_kinds: dict[Any, int] = {}
_unused = itertools.count()
_seen: dict[int, tuple[Callable[[], Any], tuple[int, bytes]]] = {}


def kernel(fastmath: frozenset[str] = frozenset()) -> Callable[[Callable[..., None]], Kernel]:
    """Make a kernel of a loop; `fastmath` is what LLVM may do with its floating point."""
    return lambda function: Kernel(function, fastmath)


class Kernel:
    """A compiled function that fills arrays, allocates nothing and returns nothing.

    Its arguments are arrays, named tuples of arrays, flags and numbers: int, float (as float64) or NumPy
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
        """Find on disk, or compile, the specialisation for arguments of these types."""
        name = f"{self.function.__module__}.{self.function.__qualname__}"
        key = tuple(map(_type, arguments))
        code = cache.read(name, key)
        if code is None:
            with cache.locked(name, key):
                code = cache.read(name, key) or self._compiled(name, key, arguments)
        else:
            _counts["found"] += 1
        entry = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_char_p)
        self._versions[kinds] = _do_nothing if cache.build_level() else entry(cache.load(code))
        return self._versions[kinds]

    def _compiled(self, name: str, key: tuple[Any, ...], arguments: tuple[Any, ...]) -> cache.MachineCode:
        """Compile, and tell the listener what for and since when."""
        kind, start, listener = _kind_of_image(arguments), time.monotonic(), _listener

        def compile_() -> cache.MachineCode:
            from dpid_cli.kernels import compiler

            code = compiler.compile_(self.function, arguments, self.fastmath, helpers(), cache.build_level())
            return cache.MachineCode(*code)

        if listener is None:
            code = interruptible(compile_)
        else:
            code = interruptible(compile_, lambda: listener(kind, time.monotonic() - start))
            listener(kind, None)
        cache.write(name, key, code)
        _counts["compiled"] += 1
        return code


def _do_nothing(slots: bytes) -> int:
    """Stands for code that this CPU may be unable to run."""
    return 0


def _passed(argument: Any) -> tuple[int, bytes]:
    """A number for an argument's type, and what Numba passes in its place: slots of eight bytes.

    Asking an array for them takes microseconds, which small strips would notice. So the answers are kept
    for arguments that come again, strip after strip.
    """
    if not isinstance(argument, tuple | np.ndarray):
        return _kind(argument), _slots(argument)
    held = _seen.get(id(argument))
    if held is None or held[0]() is not argument:
        if len(_seen) >= _REMEMBERED:
            _seen.clear()
        owner = weakref.ref(argument) if isinstance(argument, np.ndarray) else lambda: argument
        held = _seen[id(argument)] = owner, (_kind(argument), _slots(argument))
    return held[1]


def _kind(argument: Any) -> int:
    """A number for the type of an argument: faster to look up than the type itself."""
    type_ = _type(argument)
    kind = _kinds.get(type_)
    return _kinds.setdefault(type_, next(_unused)) if kind is None else kind


def _type(argument: Any) -> Any:
    """What distinguishes types for Numba."""
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
    """The folder of compiled kernels; None if they are not cached."""
    folder = cache.folder()
    return None if folder is None else str(folder)


def cache_counts() -> tuple[int, int]:
    """How many kernels this process has compiled, and how many it has found in the cache."""
    return _counts["compiled"], _counts["found"]


def report_to(listener: Listener | None) -> None:
    """Call ``listener(kind, seconds)`` whenever this process compiles a kernel, if there is a listener.

    `kind` is the kind of image, like "16-bit RGB"; `seconds` the time since the start, about once a second,
    and None when the kernel is compiled.
    """
    global _listener  # noqa: PLW0603  # one per process, as the cache
    _listener = listener


def _kind_of_image(arguments: tuple[Any, ...]) -> str:
    """The kind of image that arguments of a kernel belong to; nothing if none of them are its pixels."""
    arrays = [each for each in arguments if isinstance(each, np.ndarray) and not each.flags.writeable]
    channels = [CHANNELS[len(each.channels)] for each in arguments if hasattr(each, "channels")]
    return " ".join([_DEPTHS[arrays[0].dtype.str[1:]], *channels[:1]]) if arrays else ""
