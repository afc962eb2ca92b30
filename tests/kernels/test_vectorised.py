"""The innermost loops are vectorised: their machine code has the packed instructions that only they use."""

from __future__ import annotations

import platform
import re

import numpy as np
import pytest

import dpid_cli
from dpid_cli.kernels import compiler, flags, residuals, rolling

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
    """Downscale a small image; returns the assembly of the kernel that it uses."""
    calls = []
    roll_rows = rolling.roll_rows
    monkeypatch.setattr(rolling, "roll_rows", lambda *arguments: calls.append(arguments))

    def run(dtype, channels, packed=False, **arguments):
        pixels = np.zeros((16, 40, 4), dtype)[..., :channels]
        dpid_cli.downscale(pixels if packed else pixels.copy(), scale=4, threads=1, **arguments)
        module, _ = compiler.llvm_module(roll_rows.function, calls[-1], roll_rows.fastmath, flags.helpers())
        return compiler.target_machine().emit_assembly(module)

    return run


def loops(code, name):
    """The assembly of each version of a helper: for one, two or more pixels at a time."""
    return re.findall(rf"^\w*kernels7windows\d+{name}B.*?^\.Lfunc_end", code, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_dpid_of_bytes(assembly, channels):
    code = assembly(np.uint8, channels)
    assert ROOT in code
    assert CONVERT in assembly(np.uint8, channels, method="box")
    assert CONVERT in code


@pytest.mark.parametrize("channels", [3, 4])
def test_dpid_of_packed_bytes(assembly, channels):
    code = assembly(np.uint8, channels, packed=True)
    assert all(ROOT in loop and WIDE not in loop for loop in loops(code, "add_detail"))
    sums = loops(assembly(np.uint8, channels, packed=True, method="box"), "add_box")
    # One version takes single pixels, of which there is no sum.
    assert sum(ADD.search(loop) is not None for loop in sums) >= len(sums) - 1 > 0


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_deeper_pixels(assembly, dtype):
    assert ROOT in assembly(dtype, 3)


def test_any_power(assembly):
    code = assembly(np.uint8, 3, lambda_=0.7)
    assert POWER in "".join(loops(code, "add_detail"))


@pytest.mark.parametrize("variant", ["sym", "asym"])
def test_dpp(assembly, variant):
    assert ROOT in assembly(np.uint8, 3, method="dpp", variant=variant, alpha=0.1)


def test_the_instructions_tell(assembly):
    """Without a loop to vectorise there is none of them: the other tests can fail."""
    code = assembly(np.uint8, 3, lambda_=2)
    assert ROOT not in code
    assert POWER not in "".join(loops(code, "add_detail"))


def test_residuals_of_bytes():
    rows = np.zeros((2, 9), np.uint8)
    kernel, arguments = residuals.subtract_predictions, (rows, rows[1:, 2:].copy(), 3)
    module, _ = compiler.llvm_module(kernel.function, arguments, kernel.fastmath, flags.helpers())
    code = compiler.target_machine().emit_assembly(module)
    assert SUBTRACT in code
    assert LESSER in code
