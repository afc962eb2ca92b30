"""The section about batches: throughput compared with decoding and encoding alone."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from PIL import Image

import dpid_cli
from dpid_cli.batching.processes import Processes
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.sizes import SizeRequest
from dpid_cli.files import storage
from dpid_cli.pictures import FORMATS, Picture, format_of, write
from dpid_cli.platform import cpus

from .library import enlarged
from .markdown import Facts, Section, medians, milliseconds, number, table, times
from .measure import Plan, Results, Samples, ratio, time_calls
from .pool import reduce

PHOTOS, PHOTOS_TO_PNG, SMALL = "photos, JPEG to JPEG", "photos, JPEG to PNG", "small images, JPEG to JPEG"
SETS = {  # number of images, their size, output format
    PHOTOS_TO_PNG: (16, (2000, 1500), "png"),
    PHOTOS: (16, (2000, 1500), "jpeg"),
    SMALL: (400, (256, 192), "jpeg"),
}
THREADS, PROCESSES, BARE = "dpid, threads", "dpid, processes", "decode and encode alone"
STARTED, PILLOW = "dpid, processes, with their start", "Pillow, processes"
Pairs = list[tuple[str, str]]


def batches(plan: Plan) -> Section:
    """Photos from folder to folder at 1/4, with and without downscaling."""
    bodies: list[str] = []
    facts: Facts = {}
    for name in plan.choose(SETS, list(SETS)):
        count, size, kind = SETS[name]
        with tempfile.TemporaryDirectory() as folder:
            results = _measured(_photos(Path(folder), count, size, kind), plan.rounds(5))
        facts |= medians(f"batch of {name}", results)
        megapixels = size[0] * size[1] / 1e6
        title, rows = f"{count} {name}, {megapixels:.2g} MP each:", _table(results, count)
        bodies.append(f"{title}\n\n{rows}\n\n{worthwhile(results, count)}")
    text = (
        f"Folders at 1/4 with `dpid_cli.batch` on {cpus()} workers. Decoding and encoding alone "
        "uses the same code on as many threads, but writes outputs that were computed before. Pillow runs "
        "`Image.reduce(4)` and `save` in as many processes, with the options that `dpid` uses, and does not "
        "flush its outputs to the disk. Processes are started before the clock, except in one row."
    )
    return Section("Batches", "\n\n".join([text, *bodies]), facts)


def _photos(folder: Path, count: int, size: tuple[int, int], kind: str = "jpeg") -> Pairs:
    """Paths of inputs, which all differ, and of their outputs."""
    (folder / "in").mkdir()
    photo = Image.fromarray(enlarged((size[0] + count, size[1])))
    for k in range(count):
        photo.crop((k, 0, k + size[0], size[1])).save(folder / "in" / f"{k}.jpg", quality=90)
    return [(str(folder / "in" / f"{k}.jpg"), str(folder / "out" / f"{k}.{kind}")) for k in range(count)]


def _measured(pairs: Pairs, rounds: int) -> dict[str, Samples | None]:
    recipe = Recipe(SizeRequest("scale", 4.0), threads=1)
    ready = {source: _result(recipe, source) for source, _ in pairs}
    workers = cpus()
    options = FORMATS[format_of(Path(pairs[0][1])).name].options
    with (
        ThreadPoolExecutor(workers) as threads,
        Processes(workers) as processes,
        ProcessPoolExecutor(workers, get_context("spawn")) as pool,
    ):
        bare = partial(_bare, recipe, ready)
        calls: dict[str, Callable[[], None] | None] = {
            BARE: lambda: list(threads.map(bare, pairs)).clear(),
            THREADS: lambda: _all_done(pairs, threads),
            PROCESSES: lambda: _all_done(pairs, processes),
            STARTED: lambda: _all_done_from_the_start(pairs, workers),
            PILLOW: lambda: list(pool.map(reduce, *zip(*pairs, strict=True), repeat(options))).clear(),
        }
        return time_calls(calls, rounds)


def _all_done(pairs: Pairs, executor: Executor) -> None:
    chunk = max(1, len(pairs) // 50)
    results = dpid_cli.batch(pairs, scale=4, overwrite=True, executor=executor, chunk=chunk)
    assert all(result.status == "done" for result in results)


def _all_done_from_the_start(pairs: Pairs, workers: int) -> None:
    with Processes(workers) as processes:
        _all_done(pairs, processes)


def _result(recipe: Recipe, source: str) -> Picture:
    with storage.opened(source) as stream:
        picture = recipe.read(stream, source)
    result = recipe.apply(picture, recipe.size_of(picture.size, source), source)
    return replace(result, pixels=result.pixels.copy())


def _bare(recipe: Recipe, ready: dict[str, Picture], pair: tuple[str, str]) -> None:
    source, target = pair
    with storage.opened(source) as stream:
        recipe.read(stream, source)
    with storage.written(target, overwrite=True) as stream:
        write(ready[source], stream, format_of(Path(target)), target)


def worthwhile(results: Results, count: int) -> str:
    """How many of these images make up for the start of processes."""
    threads, ready, started = (results[name] for name in (THREADS, PROCESSES, STARTED))
    assert threads is not None and ready is not None and started is not None
    start, gain = started.median - ready.median, (threads.median - ready.median) / count
    costs = f"The start of the processes costs {number(1e3 * start)} ms"
    if gain <= 0:
        return f"{costs}, and they are no faster than threads."
    return f"{costs}, which {number(start / gain)} such images make up for."


def _table(results: dict[str, Samples | None], count: int) -> str:
    rows = [
        [
            name,
            milliseconds(samples),
            "" if samples is None else number(count / samples.median),
            times(ratio(results[BARE], samples)),
        ]
        for name, samples in results.items()
    ]
    return table(["run", "ms", "files/s", f"throughput ratio to {BARE}"], rows)
