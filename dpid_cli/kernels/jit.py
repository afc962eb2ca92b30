"""How every kernel is compiled: serial, without the GIL, cached on disk, specialised by type.

A flag of a kernel is a tuple of Nones, its value the tuple's length: Numba compiles one version per
length, as for literal integers, but finds it again by type alone. A literal integer
(`numba.literally`) would re-enter the compiler at every call, and `parallel=True` would cost
seconds of compilation and a threading layer that must not be entered from two threads: rows
are shared out among Python threads instead (`backends.py`), which runs the very same machine code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit
from numba.extending import register_jitable

Flag = tuple[None, ...]
F = TypeVar("F", bound=Callable[..., Any])


def flag(value: int) -> Flag:
    """The compile-time form of a small number."""
    return (None,) * int(value)


def helper(function: F) -> F:
    """Make a function callable from kernels of its own file (the cache misses edits in others)."""
    register_jitable(function)
    return function


def kernel(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a loop over rows; without the disk cache where no folder can be written."""

    def compile_(function: Callable[..., Any]) -> Any:
        common = {"nogil": True, "error_model": "numpy", **options}
        try:
            return njit(cache=True, **common)(function)
        except RuntimeError:  # Numba found no writable place for its cache.
            return njit(**common)(function)

    return compile_
