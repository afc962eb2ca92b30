"""The innermost loops are vectorised: their machine code has the packed instructions that only they use."""

from __future__ import annotations

import platform
import re

import numpy as np
import pytest

import dpid_cli
from dpid_cli.kernels import compiler, flags, residuals, windows
from dpid_cli.kernels.rewards import BOX, DETAIL

pytestmark = pytest.mark.skipif(
    platform.machine() not in {"x86_64", "AMD64"}, reason="reads x86 instructions only"
)

# Packed square root, float to integer (polynomial power), integer to float (bytes).
ROOT, POWER, CONVERT = "sqrtps", "cvttps2dq", "cvtdq2ps"
# Addition of whole numbers, and conversion of such of 64 bits, which packed pixels must not need.
ADD, WIDE = re.compile("padd[dq]"), "cvtqq2ps"
# Subtraction and minimum of bytes.
SUBTRACT, LESSER = "psubb", "pminub"


@pytest.fixture
def assembly(monkeypatch):
    """Prepare a call; returns the assembly of each version of the kernel that it uses, by task."""
    calls = {}
    sweep_rows = windows.sweep_rows

    def record(*arguments):
        calls[flags.choice(arguments[7])] = arguments

    monkeypatch.setattr(windows, "sweep_rows", record)

    def code(arguments):
        module, _ = compiler.llvm_module(sweep_rows.function, arguments, sweep_rows.fastmath, flags.helpers())
        return compiler.target_machine().emit_assembly(module)

    def run(dtype, channels, packed=False, **arguments):
        pixels = np.zeros((16, 40, 4), dtype)[..., :channels]
        dpid_cli.downscale(pixels if packed else pixels.copy(), scale=4, threads=1, **arguments)
        return {task: code(arguments) for task, arguments in calls.items()}

    return run


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_dpid_of_bytes(assembly, channels):
    code = assembly(np.uint8, channels)
    assert CONVERT in code[BOX]
    assert ROOT in code[DETAIL]
    assert CONVERT in code[DETAIL]


@pytest.mark.parametrize("channels", [3, 4])
def test_dpid_of_packed_bytes(assembly, channels):
    code = assembly(np.uint8, channels, packed=True)
    assert ADD.search(code[BOX])
    assert ROOT in code[DETAIL]
    assert WIDE not in code[DETAIL]


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


def test_residuals_of_bytes():
    rows = np.zeros((2, 9), np.uint8)
    kernel, arguments = residuals.subtract_predictions, (rows, rows[1:, 2:].copy(), 3)
    module, _ = compiler.llvm_module(kernel.function, arguments, kernel.fastmath, flags.helpers())
    code = compiler.target_machine().emit_assembly(module)
    assert SUBTRACT in code
    assert LESSER in code
