"""How every kernel is compiled: serial, without the GIL, cached on disk, specialised by type.

A flag of a kernel is a tuple of Nones, its value the tuple's length: Numba compiles one version per
length, as for literal integers, but finds it again by type alone. A literal integer
(`numba.literally`) would re-enter the compiler at every call, and `parallel=True` would cost
seconds of compilation and a threading layer that must not be entered from two threads: rows
are shared out among Python threads instead (`backends.py`), which runs the very same machine code.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, TypeVar

from numba import config, njit
from numba.core import event
from numba.core.caching import FunctionCache
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import register_jitable

Flag = tuple[None, ...]
F = TypeVar("F", bound=Callable[..., Any])

_kernels: list[Any] = []


def flag(value: int) -> Flag:
    """The compile-time form of a small number."""
    return (None,) * int(value)


def helper(function: F) -> F:
    """Make a function callable from kernels of its own file (the cache misses edits in others)."""
    register_jitable(function)
    return function


class _Cache(FunctionCache):  # type: ignore[misc]  # Numba has no types
    """Numba's disk cache; a folder that cannot be read or written any more is no error."""

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        with suppress(OSError):
            return super().load_overload(sig, target_context)
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        with suppress(OSError):
            super().save_overload(sig, data)


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a loop over rows; without the disk cache where no folder can be written."""

    def compile_(function: Callable[..., Any]) -> Any:
        compiled = njit(nogil=True, error_model="numpy", **options)(function)
        if not config.DISABLE_JIT:
            with suppress(RuntimeError):  # Numba found no writable place for its cache.
                compiled._cache = _Cache(function)
            _kernels.append(compiled)
        return compiled

    return compile_


def prepare() -> None:
    """Do ahead what Numba does before its first kernel, for a process that needs no BLAS."""
    _do_without_blas()
    if not config.DISABLE_JIT:
        with global_compiler_lock:
            cpu_target.target_context.refresh()


def _do_without_blas() -> None:
    """Spare this process Numba's look for a BLAS, which no kernel needs and which imports SciPy."""
    if "scipy.linalg" in sys.modules:
        return
    sys.modules["scipy.linalg"] = None  # type: ignore[assignment]  # Python's way to forbid an import
    try:
        import_module("numba.np.arraymath")
    finally:
        del sys.modules["scipy.linalg"]


def cache_folder() -> str | None:
    """Where compiled kernels are kept; None if they are not."""
    return next((str(path) for k in _kernels if (path := k.stats.cache_path) is not None), None)


def cache_counts() -> tuple[int, int]:
    """How many kernels this process has compiled, and how many it has found compiled."""
    stats = [k.stats for k in _kernels]
    return sum(s.cache_misses.total() for s in stats), sum(s.cache_hits.total() for s in stats)


def before_compiling(tell: Callable[[bool], None]) -> None:
    """Call ``tell(whether it will be kept)`` when this process is about to compile its first kernel."""

    class Once(event.Listener):  # type: ignore[misc]  # Numba has no types
        told = False

        def on_start(self, event: object) -> None:
            if not self.told:
                self.told = True
                tell(cache_folder() is not None)

        def on_end(self, event: object) -> None:
            pass

    event.register("numba:compile", Once())
