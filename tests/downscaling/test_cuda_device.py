"""The CUDA kernels on a GPU; every test is skipped, with the reason, where none can be used."""

from __future__ import annotations

import os

import pytest

from dpid_cli.downscaling import devices

if os.environ.get("NUMBA_ENABLE_CUDASIM", "0") != "0":
    pytest.skip("the simulator has tests of its own", allow_module_level=True)
if (trouble := devices.gpu_trouble()) is not None:
    pytest.skip(f"no GPU can be used: {trouble}", allow_module_level=True)

from support.cuda_checks import *  # noqa: F403
