"""Rounds in which contestants take turns, and the statistics of their samples."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """How much to measure: everything, or some cases in a few rounds."""

    quick: bool = False

    def rounds(self, full: int) -> int:
        return min(full, 3) if self.quick else full

    def choose(self, full: Collection[T], few: Collection[T]) -> list[T]:
        return list(few if self.quick else full)


@dataclass(frozen=True)
class Samples:
    """One quantity, measured at least once."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def quartiles(self) -> tuple[float, float]:
        """The lower and the upper quartile."""
        if len(self.values) == 1:
            return self.values[0], self.values[0]
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return low, high

    def scaled(self, factor: float) -> Samples:
        return Samples(tuple(value * factor for value in self.values))


Results = Mapping[str, Samples | None]


def ratio(samples: Samples | None, reference: Samples | None) -> float | None:
    """The ratio of medians; None unless both were measured."""
    if samples is None or reference is None:
        return None
    return samples.median / reference.median


def alternate(
    calls: Mapping[str, Callable[[], T] | None], rounds: int, once: Collection[str] = ()
) -> dict[str, list[T]]:
    """Call A, B, C, A, B, C ... and return what they return; the first round does not count.

    A call that is None cannot be measured and has no results. Calls in `once` run a single time, after the
    others, without a warm-up.
    """
    results: dict[str, list[T]] = {name: [] for name in calls}
    able = {name: call for name, call in calls.items() if call is not None}
    for turn in range(rounds + 1):
        for name, call in able.items():
            if name not in once:
                result = call()
                if turn:
                    results[name].append(result)
    for name in able:
        if name in once:
            results[name].append(able[name]())
    return results


def seconds(call: Callable[[], Any]) -> Callable[[], float]:
    """Wrap a call so that it returns its seconds."""

    def timed() -> float:
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    return timed


def time_calls(
    calls: Mapping[str, Callable[[], Any] | None], rounds: int, once: Collection[str] = ()
) -> dict[str, Samples | None]:
    """Seconds of all calls, which take turns; None for those that cannot be measured."""
    timed = {name: None if call is None else seconds(call) for name, call in calls.items()}
    found = alternate(timed, rounds, once)
    return {name: Samples(tuple(values)) if values else None for name, values in found.items()}
