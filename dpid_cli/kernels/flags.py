"""Flags: choices that the compiler knows, so that each combination gets machine code of its own.

A flag is a tuple of Nones, and its value is the tuple's length, which is part of its type. Numba replaces
`len` of a tuple by a constant before it infers types, under whatever name it meets `len`; branches that
the constant rules out are dropped, and loops of constant length are unrolled. So loops read as words::

    if is_set(packed):                    # a flag that is 0 or 1
    if choice(power) == FAST_POWER:       # one of several constants, 0, 1, 2, ...
    for j in range(count(channels)):      # a number

Callers pass ``flag(FAST_POWER)``. In a call, a flag is a few null pointers.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

Flag = tuple[None, ...]
F = TypeVar("F", bound=Callable[..., Any])

is_set = choice = count = len
_helpers: list[Callable[..., Any]] = []


@functools.cache
def flag(value: int) -> Flag:
    """The flag of a small number: always the same tuple, so that calls can remember its type."""
    return (None,) * int(value)


NO, YES = flag(0), flag(1)


def helper(function: F) -> F:
    """Make a function callable from kernels, on the CPU and on the GPU."""
    _helpers.append(function)
    return function


def helpers() -> tuple[Callable[..., Any], ...]:
    """All functions that kernels may call."""
    return tuple(_helpers)
