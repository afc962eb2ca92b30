"""The section about GPUs; it says so if there is none to measure."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

import dpid_cli
from dpid_cli.downscaling import devices

from .contestants import SIZES, Call
from .library import photo
from .markdown import Facts, Section, milliseconds, number, table, times
from .measure import Plan, Samples, alternate, ratio, time_calls

NO_GPU = "Not measured: this machine has no usable GPU."
# How often each must read the image at least: for the means, and for the weights.
METHODS: dict[str, tuple[dict[str, Any], int]] = {
    "box": ({"method": "box"}, 1),
    "dpid": ({}, 2),
    "dpp, alpha 0.1": ({"method": "dpp", "alpha": 0.1}, 1),
    "max": ({"method": "max"}, 1),
}
# Calls take turns with copies of the photo, so that none finds its pixels in the GPU's cache.
COPIES = 4
BATCH = 24
# Number of copies that keep the GPU busy while calls are queued, and number of queued calls.
AHEAD, QUEUED = 40, 20


def gpu(plan: Plan) -> Section:
    """Kernels, copies and a batch."""
    if devices.gpu_trouble() is not None:
        return Section("GPU", NO_GPU)
    resident, facts = _resident(plan)
    parts = [f"{_gpu()}; the 24-MP photo, RGB uint8.", resident, _from_memory(plan), _batch(plan)]
    return Section("GPU", "\n\n".join(parts), facts)


def _gpu() -> str:
    """The device and its driver."""
    from dpid_cli.downscaling.gpu.arrays import description

    told = Path("/proc/driver/nvidia/version")
    driver = told.read_text(encoding="utf-8").splitlines()[0].strip() if told.exists() else "driver unknown"
    return f"{description()} ({driver})"


def _on_device(call: Call, busy: Call) -> Callable[[], float]:
    """Return a call that returns the seconds between the start and the end of its work on the GPU.

    `busy` occupies the GPU beforehand, so that all work is queued before it starts.
    """
    from numba import cuda

    def timed() -> float:
        start, end = cuda.event(), cuda.event()
        for _ in range(AHEAD):
            busy()
        start.record()
        call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1000

    return timed


def _resident(plan: Plan) -> tuple[str, Facts]:
    """Images and outputs in GPU memory; the bytes that must be moved, compared with a copy."""
    from numba import cuda

    images = [cuda.to_device(photo()) for _ in range(COPIES)]
    target = cuda.device_array(photo().shape, np.uint8)

    def copy() -> None:
        target.copy_to_device(_turn(images))

    calls, queued = {"copy": _on_device(copy, copy)}, {}
    for name, (options, _) in METHODS.items():
        for size in plan.choose(SIZES, ("1/4",)):
            call = _call(images, SIZES[size], options)
            calls[f"{name} {size}"] = _on_device(call, copy)
            queued[f"{name} {size}"] = _queued(call)
    found = {key: Samples(tuple(values)) for key, values in alternate(calls, plan.rounds(51)).items()}
    moved = 2 * photo().nbytes / found["copy"].median
    facts = Facts()
    called = {key: Samples(tuple(values)) for key, values in alternate(queued, plan.rounds(9)).items()}
    rows = [["copy", milliseconds(found["copy"]), f"{number(moved / 1e9)} GB/s", "100 %", ""]]
    for name, (_, reads) in METHODS.items():
        for size in plan.choose(SIZES, ("1/4",)):
            samples = found[f"{name} {size}"]
            least = reads * photo().nbytes + 3 * SIZES[size][0] * SIZES[size][1]
            share = 100 * least / samples.median / moved
            facts["GPU share", f"{name} {size}"] = share
            rows.append(
                [
                    f"{name} {size}",
                    milliseconds(samples),
                    f"{number(least / samples.median / 1e9)} GB/s",
                    f"{number(share)} %",
                    milliseconds(called[f"{name} {size}"]),
                ]
            )
    text = (
        "In GPU memory, between two events on a stream, with all kernels queued before the first one starts. "
        "Bytes moved are the image, twice for `dpid`, and the output; a copy reads and writes. The last "
        f"column is the time per call when Python queues {QUEUED} calls one after the other."
    )
    return f"{text}\n\n{table(['filter', 'ms', 'moved', 'share of a copy', 'ms per call'], rows)}", facts


def _queued(call: Call) -> Callable[[], float]:
    """Return a call that returns the seconds per call of several that are queued without waiting."""
    from numba import cuda

    def timed() -> float:
        start = time.perf_counter()
        for _ in range(QUEUED):
            call()
        cuda.synchronize()
        return (time.perf_counter() - start) / QUEUED

    return timed


def _turn(images: list[Any]) -> Any:
    """The next image, in turn."""
    images.append(images.pop(0))
    return images[-1]


def _call(images: list[Any], size: tuple[int, int], options: dict[str, Any]) -> Call:
    return lambda: dpid_cli.downscale(_turn(images), size=size, device="cuda", **options)


def _from_memory(plan: Plan) -> str:
    """From array to array, copies included."""
    rows = []
    for size in plan.choose(SIZES, ("1/4",)):
        results = time_calls(
            {
                device: lambda size=size, device=device: dpid_cli.downscale(
                    photo(), size=SIZES[size], device=device
                )
                for device in ("cpu", "cuda")
            },
            plan.rounds(15),
        )
        rows.append(
            [size, *(milliseconds(samples) for samples in results.values()), times(ratio(*results.values()))]
        )
    header = ["`dpid`", "CPU, ms", "GPU, ms", "times faster"]
    return f"From memory to memory; the CPU uses all threads.\n\n{table(header, rows)}"


def _batch(plan: Plan) -> str:
    """Many images from memory to memory, on several threads."""
    count = plan.rounds(BATCH)
    rows = []
    for threads in plan.choose((1, 2, 4), (2,)):
        with ThreadPoolExecutor(threads) as pool:

            def once(pool: ThreadPoolExecutor = pool) -> None:
                def one(_: int) -> None:
                    dpid_cli.downscale(photo(), size=SIZES["1/4"], device="cuda")

                list(pool.map(one, range(count)))

            once()
            start = time.perf_counter()
            once()
            rows.append([f"{threads}", number(count / (time.perf_counter() - start))])
    text = f"{count} images at 1/4 from memory to memory; each thread has its own streams."
    return f"{text}\n\n{table(['threads', 'images/s'], rows)}"
