"""The sections about calls in one process, from array to array."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import product

import numpy as np

from dpid_cli.platform import cpus

from .contestants import CONTESTANTS, REFERENCE, SIZES, THREADS, Contestant, make_photo, near_one_to_one, ours
from .markdown import Section, comparison, medians, milliseconds, number, side_by_side, spread, table, times
from .measure import Plan, Results, Samples, ratio, time_calls

LAMBDAS = (0, 0.3, 0.5, 0.7, 1, 2, 2.3, 4, 8, 64)
# Methods that pick pixels have a target; the others weight pixels.
PICKING = ("max", "min", "extremum", "stochastic", "s3pool", "s3dpp")
POOLINGS = ("dpid", *PICKING, "mixed", "lp", "softpool", "edscw", "adapool", "idw")
NEAR = (REFERENCE, "dpid", "dpp, alpha 0.1")
# Megapixels, and sides that are multiples of four.
GROWTH = {1: (1224, 816), 4: (2448, 1632), 24: (6000, 4000), 96: (12000, 8000), 200: (17320, 11548)}


@cache
def photo() -> np.ndarray:
    """The photo; made once."""
    return make_photo()


def enlarged(size: tuple[int, int]) -> np.ndarray:
    """The photo's pixels, cropped or repeated."""
    source = photo()
    rows = np.arange(size[1]) % source.shape[0]
    columns = np.arange(size[0]) % source.shape[1]
    return np.take(np.take(source, rows, axis=0), columns, axis=1)


def compare(
    contestants: Mapping[str, Contestant], image: np.ndarray, size: tuple[int, int], rounds: int
) -> Results:
    """Seconds of all contestants at one size."""
    calls = {name: c.prepare(image, size) if c.installed else None for name, c in contestants.items()}
    return time_calls(calls, rounds, once=[name for name, c in contestants.items() if c.slow])


def filters(plan: Plan) -> Section:
    """All contestants at the sizes of the targets."""
    rounds = plan.rounds(11)
    sizes = plan.choose(SIZES, ("1/4", "1/16"))
    columns = {size: compare(CONTESTANTS, photo(), SIZES[size], rounds) for size in sizes}
    text = (
        f"6000x4000 RGB uint8 (24 MP), from memory to memory, {rounds} rounds. All use {THREADS} threads "
        "except Pillow, which has none. pepedpid gets float32, the type that it takes."
    )
    facts = {key: value for size, results in columns.items() for key, value in medians(size, results).items()}
    return Section("Filters and peers", f"{text}\n\n{side_by_side('filter', columns, REFERENCE)}", facts)


def exponents(plan: Plan) -> Section:
    """A sweep over lambda."""
    rounds = plan.rounds(11)
    chosen = plan.choose(LAMBDAS, (0.5, 1, 2.3))
    contestants = {f"lambda {value}": ours(lambda_=value) for value in chosen}
    results = compare(contestants, photo(), SIZES["1/4"], rounds)
    text = f"`dpid`, the same photo at 1/4, {THREADS} threads, {rounds} rounds."
    body = f"{text}\n\n{comparison('exponent', results, 'lambda 1')}"
    return Section("Exponents", body, medians("exponents", results))


def poolings(plan: Plan) -> Section:
    """The poolings, compared with dpid."""
    rounds = plan.rounds(5)
    contestants = {name: ours(method=name) for name in POOLINGS}
    sizes = plan.choose(("1/2", "1/4"), ("1/4",))
    columns = {size: compare(contestants, photo(), SIZES[size], rounds) for size in sizes}
    text = f"The same photo, {THREADS} threads, {rounds} rounds, default parameters."
    facts = {
        key: value
        for size, results in columns.items()
        for key, value in medians(f"poolings {size}", results).items()
    }
    return Section("Poolings", f"{text}\n\n{side_by_side('method', columns, 'dpid')}", facts)


def types(plan: Plan) -> Section:
    """Bit depths and channels."""
    rounds = plan.rounds(7)
    rows: list[list[str]] = []
    for channels in plan.choose(("gray", "RGB", "RGBA"), ("RGB",)):
        calls = {
            dtype: ours().prepare(_converted(channels, dtype), SIZES["1/4"])
            for dtype in ("uint8", "uint16", "float32")
        }
        results = time_calls(calls, rounds)
        rows += [
            [f"{channels} {dtype}", milliseconds(samples), times(ratio(samples, results["uint8"]))]
            for dtype, samples in results.items()
        ]
    text = f"`dpid`, 24 MP at 1/4, {THREADS} threads, {rounds} rounds."
    body = f"{text}\n\n{table(['image', 'ms', 'ratio to uint8'], rows)}"
    return Section("Types and channels", body)


def _converted(channels: str, dtype: str) -> np.ndarray:
    """The photo in other channels and depths."""
    pixels = photo()
    if channels == "gray":
        pixels = np.ascontiguousarray(pixels[..., 1])
    elif channels == "RGBA":
        pixels = np.concatenate([pixels, pixels[..., :1]], axis=-1)
    if dtype == "uint8":
        return pixels
    return pixels.astype(np.uint16) * np.uint16(257) if dtype == "uint16" else pixels / np.float32(255)


def near(plan: Plan) -> Section:
    """A video frame, slightly reduced."""
    rounds = plan.rounds(21)
    frame, size = near_one_to_one(photo())
    results = compare({name: CONTESTANTS[name] for name in NEAR}, frame, size, rounds)
    rates = {
        name: samples and Samples(tuple(1 / value for value in samples.values))
        for name, samples in results.items()
    }
    rows = [
        [
            name,
            spread(rates[name]),
            milliseconds(results[name]),
            times(ratio(results[name], results[REFERENCE])),
        ]
        for name in NEAR
    ]
    text = f"3856x2169 to 3840x2160, RGB uint8, {THREADS} threads, {rounds} rounds."
    body = f"{text}\n\n{table(['filter', 'frames/s', 'ms', f'time ratio to {REFERENCE}'], rows)}"
    return Section("Near 1:1", body, medians("near 1:1", results))


def growth(plan: Plan) -> Section:
    """Larger images, more threads."""
    rounds = plan.rounds(9)
    counts = thread_counts(cpus())
    calls = {}
    for megapixels in plan.choose(GROWTH, (1, 4)):
        width, height = GROWTH[megapixels]
        image = enlarged((width, height))
        for threads in counts:
            call = ours(threads).prepare(image, (width // 4, height // 4))
            calls[f"{megapixels} MP, {threads} threads"] = call
    results = time_calls(calls, rounds)
    text = f"`dpid`, RGB uint8 at 1/4, {rounds} rounds, each through the whole table."
    body = f"{text}\n\n{_growth_table(plan.choose(GROWTH, (1, 4)), counts, results)}"
    facts = medians("growth", results)
    return Section("Growth with size and threads", body, facts)


def thread_counts(cores: int) -> list[int]:
    """1, 2, 4 ... and all cores."""
    return [*(1 << i for i in range(cores.bit_length()) if 1 << i < cores), cores]


def _growth_table(sizes: list[int], counts: list[int], results: Results) -> str:
    header = ["image", "threads", "ms", "ms per MP", "speed-up over 1 thread"]
    rows = []
    for megapixels, threads in product(sizes, counts):
        samples, serial = (results[f"{megapixels} MP, {n} threads"] for n in (threads, 1))
        width, height = GROWTH[megapixels]
        per_megapixel = spread(samples, 1000 / (width * height / 1e6))
        name = f"{megapixels} MP, {width}x{height}"
        faster = ratio(serial, samples) or 0
        rows.append([name, str(threads), milliseconds(samples), per_megapixel, number(faster)])
    return table(header, rows)
