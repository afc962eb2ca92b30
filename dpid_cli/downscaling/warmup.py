"""Kernels compiled ahead: one tiny image for every kind of file and every setting that a method declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import numpy as np

from dpid_cli.downscaling.api import downscale
from dpid_cli.downscaling.choices import Device, LinearLight
from dpid_cli.downscaling.devices import device_for
from dpid_cli.downscaling.registry import METHODS, PARAMETERS, Method
from dpid_cli.errors import DpidError
from dpid_cli.kernels.cache import build_for, cuda_folder
from dpid_cli.kernels.jit import CHANNELS, cache_counts, cache_folder

DTYPES = ("uint8", "uint16", "float32")
_PART = 4  # cases that a process compiles at once
_PARTS = 4  # before other processes follow, because compilers do not give back memory


@dataclass(frozen=True)
class Case:
    """One kind of file, downscaled by one method with some arguments of `downscale`.

    >>> str(Case("uint8", 3, "dpid", {"lambda_": 2.0, "linear": True}))
    'uint8 RGB, dpid, lambda 2.0, linear'
    """

    dtype: str
    channels: int
    method: str
    arguments: Mapping[str, Any]
    device: str = Device.CPU

    def __str__(self) -> str:
        words = [
            f"{PARAMETERS[name].label} {value}" if name in PARAMETERS else name
            for name, value in self.arguments.items()
        ]
        kind = f"{self.dtype} {CHANNELS[self.channels]}"
        return ", ".join([kind, self.method, *words])

    def compile(self) -> None:
        """Compile the kernels of this case, or load them from disk; they are the same for every size."""
        pixels = np.zeros((4, 4, 4), self.dtype)[..., : self.channels]  # as in files
        options: dict[str, Any] = {"method": self.method, "device": self.device, **self.arguments}
        for image in (pixels, pixels.copy()) if self.channels == 3 else (pixels,):
            downscale(image, scale=2, **options)


def compile_all(
    every: Sequence[Case], processes: int, level: str | None = None
) -> Iterator[tuple[int, int, int]]:
    """Compile kernels in processes; yields numbers of cases, compiled and found kernels, part by part.

    The kernels are for this CPU, or for a level of `kernels.cache.LEVELS`.
    """
    parts = [every[start : start + _PART] for start in range(0, len(every), _PART)]
    if processes == 1 and level is None:
        yield from map(_compile, parts)
        return
    for start in range(0, len(parts), _PARTS * processes):
        yield from _in_processes(parts[start : start + _PARTS * processes], processes, level)


def _in_processes(
    parts: Sequence[Sequence[Case]], processes: int, level: str | None
) -> Iterator[tuple[int, int, int]]:
    import multiprocessing
    import signal
    from concurrent.futures import ProcessPoolExecutor

    pool = ProcessPoolExecutor(
        processes,
        multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_DFL),  # ends at once, in silence
    )
    with pool:
        try:
            yield from pool.map(_compile, parts, repeat(level))
        except BaseException:
            for child in multiprocessing.active_children():
                child.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _compile(part: Sequence[Case], level: str | None = None) -> tuple[int, int, int]:
    if level is not None:
        build_for(level)
    before = cache_counts()
    for case in part:
        case.compile()
    after = cache_counts()
    return len(part), after[0] - before[0], after[1] - before[1]


def cases(device: str = Device.CPU) -> list[Case]:
    """Every kind of file, by every method, with the settings that its kernels depend on."""
    if device == Device.CUDA:  # whose kernels all depend on the number of channels
        return [
            Case(dtype, channels, method.name, setting, device)
            for dtype in DTYPES
            for channels in CHANNELS
            for method in METHODS.values()
            if method.gpu
            for setting in _in_both_lights(method)
        ]
    every = []
    for method in METHODS.values():
        learned = ("float64",) if method.differentiable else ()
        for dtype in (*DTYPES, *learned):
            for channels in CHANNELS if method.by_channels else (1,):
                every += [Case(dtype, channels, method.name, setting) for setting in method.settings]
        every += [Case(dtype, channels, method.name, extra) for dtype, channels, extra in method.extras]
    return every


def _in_both_lights(method: Method) -> list[Mapping[str, Any]]:
    """The settings of a method, and the same in linear light if that makes a difference."""
    lit = method.settings if method.linear != LinearLight.PICKED else ()
    return [*method.settings, *({**setting, "linear": True} for setting in lit)]


def counts(device: str) -> tuple[int, int]:
    """How many kernels this process has compiled for a device, and how many it has loaded from disk."""
    if device == Device.CPU:
        return cache_counts()
    from dpid_cli.downscaling.gpu.launch import cache_counts as counts_of_gpu

    return counts_of_gpu()


def cache(device: str = Device.CPU) -> str:
    """The folder of compiled kernels; raises a `DpidError` if there is none."""
    if device == Device.CUDA:
        device_for(device, METHODS["dpid"])
        return str(cuda_folder() or cache())
    folder = cache_folder()
    if folder is None:
        raise DpidError("kernel cache: no folder is writable: set DPID_CACHE_DIR to one that is")
    return folder
