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
from typing import Any, NamedTuple, TypeVar

Flag = tuple[None, ...]
F = TypeVar("F", bound=Callable[..., Any])


class Use(NamedTuple):
    """How a helper becomes part of kernels.

    Attributes
    ----------
    in_loops : bool
        Whether LLVM makes it part of all functions that call it.
    inlined : bool
        Whether Numba does.
    """

    in_loops: bool = False
    inlined: bool = False


is_set = choice = count = len
_helpers: dict[Callable[..., Any], Use] = {}


@functools.cache
def flag(value: int) -> Flag:
    """The flag of a small number: always the same tuple, so that calls can remember its type."""
    return (None,) * int(value)


NO, YES = flag(0), flag(1)


def helper(function: F) -> F:
    """Make a function callable from kernels, on the CPU and on the GPU."""
    _helpers[function] = Use()
    return function


def formula(function: F) -> F:
    """Make a helper part of every loop that calls it, however long both are: calls would keep it scalar."""
    _helpers[function] = Use(in_loops=True)
    return function


def inlined(function: F) -> F:
    """Make a helper part of each function that calls it: numbers passed to it as constants then are such.

    LLVM unrolls loops over them. Numba sees one helper, where a flag would give one for each number.
    """
    _helpers[function] = Use(inlined=True)
    return function


def helpers() -> dict[Callable[..., Any], Use]:
    """All functions that kernels may call, and how."""
    return dict(_helpers)
