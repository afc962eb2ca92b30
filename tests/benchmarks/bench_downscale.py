"""DPID, and the filters that people use today, on one 24-megapixel photo.

Run as ``python -m pytest tests/benchmarks/bench_downscale.py -o addopts= --benchmark-group-by=param:size``
after ``python -m pip install ".[bench]"``. Compare medians within a group, not between machines.
``python -m tests.benchmarks.report`` measures more, and contestants take turns in it.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.contestants import CONTESTANTS, REFERENCE, SIZES, make_photo, near_one_to_one


@pytest.fixture(scope="session")
def photo() -> np.ndarray:
    return make_photo()


def measure(benchmark, name, image, size):
    contestant = CONTESTANTS[name]
    if contestant.needs:
        pytest.importorskip(contestant.needs)
    rounds, warmup = (1, 0) if contestant.slow else (9, 2)
    benchmark.pedantic(contestant.prepare(image, size), rounds=rounds, warmup_rounds=warmup)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", CONTESTANTS)
def test_photo(benchmark, photo, name, size):
    measure(benchmark, name, photo, SIZES[size])


@pytest.mark.parametrize("name", [REFERENCE, "dpid"])
def test_near_one_to_one(benchmark, photo, name):
    measure(benchmark, name, *near_one_to_one(photo))
