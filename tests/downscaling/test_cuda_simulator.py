"""All CUDA kernels in Numba's simulator, on small images, against the processor.

The simulator must be chosen before Numba is imported: the tests of `cuda_checks.py` run in other processes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from support.command import ROOT

pytestmark = pytest.mark.skipif(find_spec("numba_cuda") is None, reason="numba-cuda is not installed")


@pytest.mark.parametrize("part", ["methods or parameters", "not (methods or parameters)"])
def test_kernels_in_the_simulator(part):
    checks = ROOT.joinpath("tests", "support", "cuda_checks.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", checks, "-k", part, "-p", "no:cacheprovider", "-p", "no:xdist"],
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
