"""Every CUDA kernel compiles and assembles for GPUs of today, with Numba's and NVIDIA's packages alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from support.command import ROOT

pytestmark = [
    pytest.mark.skipif(find_spec("numba_cuda") is None, reason="numba-cuda is not installed"),
    pytest.mark.skipif("NUMBA_ENABLE_CUDASIM" in os.environ, reason="the simulator compiles nothing"),
]
KERNELS = {"box_windows", "mean_windows", "reward_windows", "filter_pixels", "order_windows"}


@pytest.mark.parametrize("capability", [(8, 0), (9, 0)])
def test_kernels_compile(capability):
    script = ROOT.joinpath("tests", "support", "cuda_ptx.py")
    done = subprocess.run(
        [sys.executable, script, *map(str, capability)], capture_output=True, text=True, timeout=600
    )
    if "NVVM" in done.stderr or "No module named 'cuda" in done.stderr:
        pytest.skip(f"NVIDIA's compiler is not installed: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr[-3000:]
    kernels = list(map(json.loads, done.stdout.splitlines()))
    assert {kernel["kernel"] for kernel in kernels} == KERNELS and len(kernels) == 9
    for kernel in kernels:
        assert (kernel["target"], kernel["entries"]) == ("sm_{}{}".format(*capability), 1), kernel
        assert kernel["launchable"] and kernel["kept"], kernel
        # Sums come together by shuffles in a fixed order, in registers, in functions that are inlined.
        assert kernel["shuffles"] > 0 and kernel["atomics"] == kernel["calls"] == kernel["local"] == 0, kernel
        # Few registers, so that a multiprocessor holds enough threads to wait for memory.
        few = 64 if kernel["kernel"] in ("mean_windows", "reward_windows") else 96
        assert kernel["spilled"] == 0 and 0 < kernel["registers"] <= few, kernel
        assert kernel["doubles"] == 0 or kernel["method"] == "extremum", kernel
    root = [kernel["roots"] for kernel in kernels if kernel["kernel"] == "reward_windows"]
    assert root == [2, 0, 0, 2]  # one for each of two rows, where the power is a root
