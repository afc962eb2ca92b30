"""The innermost loops are vectorised: LLVM marks the loops that take the last pixels of a row."""

from __future__ import annotations

import platform
import re

import numpy as np
import pytest
from numba.core import config

import dpid_cli
from dpid_cli.kernels import compiler, flags, residuals, rolling

# In LLVM's code, for one pixel: square root, the maximum with -126 (polynomial power), and bytes to float.
ROOT, POWER, BYTES = r"float @llvm\.sqrt\.f32\(", r"float -1\.260000e\+02", "itofp (nneg )?i32"
# Conversion of whole numbers of 64 bits, which packed pixels must not need; and of many numbers at once.
WIDE, CONVERT = "itofp i64", re.compile("itofp (nneg )?<")
# Subtraction and minimum of bytes, as instructions of x86.
SUBTRACT, LESSER = "psubb", "pminub"


@pytest.fixture
def optimised(monkeypatch):
    """Downscale a small image; returns the code of the kernel that it uses."""
    calls = []
    roll_rows = rolling.roll_rows
    monkeypatch.setattr(rolling, "roll_rows", lambda *arguments: calls.append(arguments))

    def run(dtype, channels, **arguments):
        pixels = np.zeros((16, 40, 4), dtype)[..., :channels]  # of colours, four bytes each
        dpid_cli.downscale(pixels, scale=4, threads=1, **arguments)
        module, _ = compiler.llvm_module(roll_rows.function, calls[-1], roll_rows.fastmath, flags.helpers())
        return str(module)

    return run


def loops(code, operation):
    """Of each innermost loop with an operation on one pixel: whether a vectorised loop leaves these to it."""
    done = set(re.findall(r'^(!\d+) = !\{!"llvm\.loop\.isvectorized", i32 1\}', code, re.MULTILINE))
    nodes = re.findall(r"^(!\d+) = distinct !\{(.*)\}", code, re.MULTILINE)
    marked = {loop for loop, properties in nodes if done & set(properties.split(", "))}
    found = []
    for block in re.split(r"\n(?=\S+:)", code):
        label = re.escape(block.partition(":")[0])
        repeats = re.search(rf"br i1 .*%{label}[, ].*|br i1 .*%{label}$", block, re.MULTILINE)
        unrolled = label.endswith("prol")  # the first turns of the loop that follows
        if re.search(operation, block) and repeats and not unrolled:
            mark = re.search(r"!llvm\.loop (!\d+)", repeats[0])
            found.append(mark is not None and mark[1] in marked)
    return found


def vectorised(code, operation, versions):
    """Whether all loops with an operation are, and there is one for each version of the code."""
    return len(loops(code, operation)) >= versions and all(loops(code, operation))


@pytest.mark.parametrize(("channels", "versions"), [(1, 6), (2, 3)])
def test_dpid_of_bytes(optimised, channels, versions):
    """Pixels, straddlers, pairs near 1:1, and groups of two, three and four grays."""
    code = optimised(np.uint8, channels)
    assert vectorised(code, ROOT, versions)
    assert CONVERT.search(optimised(np.uint8, channels, method="box"))


@pytest.mark.parametrize("channels", [3, 4])
def test_dpid_of_packed_bytes(optimised, channels):
    code = optimised(np.uint8, channels)
    assert vectorised(code, ROOT, 6)
    assert not loops(code, WIDE)
    # Groups of one to four pixels, in one row, in two and in four, and pairs.
    assert vectorised(optimised(np.uint8, channels, method="box"), BYTES, 13)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_deeper_pixels(optimised, dtype):
    assert vectorised(optimised(dtype, 3), ROOT, 3)


@pytest.mark.parametrize("method", ["dpid", "dpp"])
def test_any_power(optimised, method):
    assert vectorised(optimised(np.uint8, 3, method=method, lambda_=0.7), POWER, 6)


@pytest.mark.parametrize("lambda_", [0.25, 0.5, 0.75, 1.5, 3])
def test_products_of_roots(optimised, lambda_):
    code = optimised(np.uint8, 3, lambda_=lambda_)
    assert vectorised(code, ROOT, 6)
    assert not loops(code, POWER)


def test_light_of_bytes(optimised):
    assert vectorised(optimised(np.uint8, 3, linear=True), ROOT, 2)


@pytest.mark.parametrize("variant", ["sym", "asym"])
def test_dpp(optimised, variant):
    assert vectorised(optimised(np.uint8, 3, method="dpp", variant=variant, alpha=0.1), ROOT, 3)


def test_it_would_be_noticed(optimised, monkeypatch):
    assert not loops(optimised(np.uint8, 3, lambda_=2), ROOT)
    monkeypatch.setattr(config, "LOOP_VECTORIZE", 0)
    plain = loops(optimised(np.uint8, 3), ROOT)
    assert plain and not any(plain)


@pytest.mark.skipif(platform.machine() not in {"x86_64", "AMD64"}, reason="reads x86 instructions")
def test_residuals_of_bytes():
    rows = np.zeros((2, 9), np.uint8)
    kernel, arguments = residuals.subtract_predictions, (rows, rows[1:, 2:].copy(), 3)
    module, _ = compiler.llvm_module(kernel.function, arguments, kernel.fastmath, flags.helpers())
    code = compiler.target_machine().emit_assembly(module)
    assert SUBTRACT in code
    assert LESSER in code
