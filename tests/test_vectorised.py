"""The innermost loops are vectorised: their machine code has the packed instructions that only they use."""

from __future__ import annotations

import platform

import numpy as np
import pytest
from numba import njit

import dpid_cli
from dpid_cli.kernels import windows

pytestmark = pytest.mark.skipif(
    platform.machine() not in {"x86_64", "AMD64"}, reason="reads x86 instructions only"
)

# Packed square root, float to integer (polynomial power), integer to float (bytes).
ROOT, POWER, CONVERT = "sqrtps", "cvttps2dq", "cvtdq2ps"


@pytest.fixture
def assembly(monkeypatch):
    """Run a call with a kernel compiled anew; returns the machine code of each version used."""
    fresh = njit(nogil=True, error_model="numpy", fastmath=windows.FAST)(windows.sweep_rows.py_func)
    monkeypatch.setattr(windows, "sweep_rows", fresh)

    def run(dtype, channels, **arguments):
        shape = (16, 40) if channels == 1 else (16, 40, channels)
        dpid_cli.downscale(np.zeros(shape, dtype), scale=4, threads=1, **arguments)
        return {len(signature[9]): code for signature, code in fresh.inspect_asm().items()}

    return run


BOX, DETAIL = len(windows.BOX), len(windows.DETAIL)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_dpid_of_bytes(assembly, channels):
    code = assembly(np.uint8, channels)
    assert CONVERT in code[BOX]
    assert ROOT in code[DETAIL]
    assert CONVERT in code[DETAIL]


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_deeper_pixels(assembly, dtype):
    assert ROOT in assembly(dtype, 3)[DETAIL]


def test_any_power(assembly):
    code = assembly(np.uint8, 3, lambda_=0.7)
    assert POWER in code[DETAIL]


@pytest.mark.parametrize("variant", ["sym", "asym"])
def test_dpp(assembly, variant):
    assert ROOT in assembly(np.uint8, 3, method="dpp", variant=variant, alpha=0.1)[DETAIL]


def test_the_instructions_tell(assembly):
    """Without a loop to vectorise there is none of them: the other tests can fail."""
    assert ROOT not in assembly(np.uint8, 3, lambda_=2)[DETAIL]
    assert POWER not in assembly(np.uint8, 3, lambda_=2)[DETAIL]
