"""Compile the CUDA kernels that `downscaling.gpu` launches, without a GPU: ``cuda_ptx.py MAJOR MINOR``.

NumPy stands in for the memory of a GPU, and a list for its launches. Each kernel is compiled to PTX and
assembled by NVIDIA's linker; one JSON object per kernel describes it. Each compute capability needs its own
process, because Numba compiles functions of kernels for the first one only.
"""

from __future__ import annotations

import ctypes
import json
import re
import sys
from types import SimpleNamespace

import numba.cuda.dispatcher
import numpy as np
from cuda.bindings import nvjitlink
from numba import cuda, types

import dpid_cli
from dpid_cli.downscaling import devices
from dpid_cli.downscaling.filters import over_pixels
from dpid_cli.downscaling.gpu import arrays, launch, memory
from dpid_cli.kernels import cache
from dpid_cli.kernels.cuda import target

CAPABILITY = int(sys.argv[1]), int(sys.argv[2])
# Method and parameters, type, channels, and whether four numbers a pixel are given.
CASES = (
    ("box", {}, "uint8", 3, False),
    ("dpid", {}, "uint8", 3, True),
    ("dpid", {"lambda_": 0.7, "alpha": 0.1}, "float32", 1, False),
    ("dpp", {"lambda_": 8.0, "alpha": 0.1, "normalize": "mean", "variant": "asym"}, "uint16", 4, False),
    ("dpid", {"guidance": over_pixels(4)}, "uint8", 3, False),
    ("extremum", {}, "uint8", 3, True),
)


class Memory(np.ndarray):
    """An array on a GPU that there is not."""

    def copy_to_device(self, array, stream):
        """Do nothing."""

    def copy_to_host(self, array, stream):
        """Do nothing."""


def no_gpu(launched):
    """Let nothing be computed, but all launches be noted."""

    def array(shape, dtype, stream=None):
        return np.zeros(shape, dtype).view(Memory)

    stand_in = SimpleNamespace(
        device_array=array,
        pinned_array=array,
        to_device=lambda values, stream=None: values.copy().view(Memory),
        stream=lambda: SimpleNamespace(synchronize=lambda: None),
        synchronize=lambda: None,
        get_current_device=lambda: SimpleNamespace(id=0),
    )
    for module in (arrays, launch, memory):
        module.cuda = stand_in
    devices.gpu_trouble = lambda: None
    target.Kernel.launch = lambda self, grid, block, stream, *arguments: launched.append((self, arguments))
    numba.cuda.dispatcher.get_current_device = lambda: SimpleNamespace(compute_capability=CAPABILITY)


def type_of(value):
    """The type that Numba gives an argument."""
    if isinstance(value, np.ndarray):
        return types.Array(numba.from_dtype(value.dtype), value.ndim, "C")
    if hasattr(value, "_fields") and isinstance(value[0], np.ndarray):
        return types.NamedTuple([type_of(item) for item in value], type(value))
    return numba.typeof(value)


def assembled(ptx):
    """What NVIDIA's assembler says of registers and spilling; an error if it cannot assemble."""
    options = [f"-arch=sm_{CAPABILITY[0]}{CAPABILITY[1]}", "-verbose"]
    linker = nvjitlink.create(len(options), options)
    code = ptx.encode()
    nvjitlink.add_data(linker, nvjitlink.InputType.PTX, code, len(code), "kernel")
    nvjitlink.complete(linker)
    log = bytearray(nvjitlink.get_info_log_size(linker))
    nvjitlink.get_info_log(linker, log)
    return log.decode()


def sizes_passed(signature, arguments):
    """Bytes of each number that Numba would launch the kernel with."""

    def on_gpu(array):
        layout = SimpleNamespace(strides_in_bytes=array.strides)
        facts = {"size": array.size, "dtype": array.dtype, "shape": array.shape, "ptr": 0, "_layout": layout}
        return SimpleNamespace(to_device=lambda *_: SimpleNamespace(**facts))

    numba.cuda.dispatcher.wrap_arg = on_gpu
    kernel = object.__new__(numba.cuda.dispatcher._Kernel)
    kernel.extensions = [target._Nones]
    passed = []
    for type_, value in zip(signature.args, arguments, strict=True):
        kernel._prepare_args(type_, value, None, [], passed)
    return [8 if isinstance(number, int) else ctypes.sizeof(number) for number in passed]


def sizes_taken(ptx):
    """Bytes of each number that the kernel takes."""
    entry = ptx[ptx.index(".visible .entry") :]
    return [int(bits) // 8 for bits in re.findall(r"\.param \.[a-z](\d+)", entry[: entry.index("{")])]


def described(kernel, arguments):
    """Facts about a kernel."""
    target.register_helpers()
    signature = types.void(*map(type_of, arguments))
    ptx, _ = cuda.compile_ptx(kernel.function, signature, cc=CAPABILITY, fastmath=True)
    log = assembled(ptx)
    return {
        "kernel": kernel.function.__name__,
        "kept": kernel._dispatcher._cache.cache_path.startswith(str(cache.cuda_folder())),
        "launchable": sizes_passed(signature, arguments) == sizes_taken(ptx) != [],
        "target": re.search(r"^\.target (\w+)", ptx, re.M)[1],
        "entries": ptx.count(".visible .entry"),
        "shuffles": ptx.count("shfl.sync.bfly"),
        "doubles": len(re.findall(r"\.f64\b", re.sub(r"\.reg .*", "", ptx))),
        "atomics": len(re.findall(r"\b(?:atom|red)\.", ptx)),
        "calls": len(re.findall(r"^\s*call", ptx, re.M)),
        "local": ptx.count(".local"),
        "roots": ptx.count("sqrt.approx.ftz.f32"),
        "registers": max(map(int, re.findall(r"Used (\d+) registers", log)), default=None),
        "spilled": max(map(int, re.findall(r"(\d+) bytes spill stores", log)), default=None),
    }


def main():
    launched = []
    no_gpu(launched)
    for method, parameters, dtype, channels, padded in CASES:
        image = np.zeros((16, 24, 4), dtype)[..., :channels]
        image = image if padded else np.ascontiguousarray(image)
        launched.clear()
        dpid_cli.downscale(image, scale=4, method=method, device="cuda", **parameters)
        for kernel, arguments in launched:
            facts = {"method": method, "type": f"{dtype} {channels}"} | described(kernel, arguments)
            print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    main()
