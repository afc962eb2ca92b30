"""Random numbers by position: the same for any number of threads, on any machine.

Each number is a function of the seed and its position, in integers: the generator SplitMix64 of Steele, Lea
and Flood ("Fast Splittable Pseudorandom Number Generators", OOPSLA 2014), which can compute any number
without those before it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FACTORS = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_SHIFTS = np.uint64(30), np.uint64(27), np.uint64(31)


def splitmix64(state: int, positions: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the numbers at these positions, counted from 0, of the generator started at `state`."""
    z = np.uint64(state) + (positions + np.uint64(1)) * _GAMMA
    z = (z ^ (z >> _SHIFTS[0])) * _FACTORS[0]
    z = (z ^ (z >> _SHIFTS[1])) * _FACTORS[1]
    return z ^ (z >> _SHIFTS[2])


def stream(seed: int, number: int) -> int:
    """Return the state at which generator `number` of a seed starts."""
    first = splitmix64(seed, np.array([0], np.uint64))
    return int(splitmix64(int(first[0]), np.array([number], np.uint64))[0])


def uniform(seed: int, positions: NDArray[Any]) -> NDArray[np.float64]:
    """Return numbers in [0, 1), multiples of 2**-53, at these positions."""
    bits = splitmix64(stream(seed, 0), positions.astype(np.uint64)) >> np.uint64(11)
    return bits.astype(np.float64) * 2.0**-53


def sample(seed: int, number: int, length: int, cell: int, every: int) -> NDArray[np.int64]:
    """Draw one index in `every` from each `cell` of the indices below `length`; return them in order.

    The indices of a cell are drawn without replacement, and all subsets are equally likely. Samples with
    different `number` are independent.
    """
    keys = splitmix64(stream(seed, number), np.arange(length, dtype=np.uint64))
    drawn = []
    for start in range(0, length, cell):
        part = keys[start : start + cell]
        drawn.append(start + np.sort(np.argsort(part)[: len(part) // every]))
    return np.concatenate(drawn)
