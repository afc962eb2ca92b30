"""The polynomial power of the kernels against float64."""

from __future__ import annotations

import numpy as np
import pytest

from dpid_cli.kernels.flags import flag
from dpid_cli.kernels.jit import kernel
from dpid_cli.kernels.rewards import DETAIL, EXACT_POWER, FAST_POWER, fast_power, power_for, raised

EPSILON = 2.0**-23


@kernel()
def powers(values, exponent, out):
    for i in range(len(values)):
        out[i] = fast_power(values[i], exponent)


def relative_error(values, exponent):
    out = np.empty_like(values)
    powers(values, np.float32(exponent), out)
    exact = values.astype(np.float64) ** float(np.float32(exponent))
    return np.abs(out / exact - 1)


@pytest.mark.parametrize("exponent", [0.05, 0.15, 0.35, 0.5, 1, 1.15, 2])
def test_within_an_octave_the_fits_decide(exponent):
    values = np.linspace(0.5**0.5, 2**0.5, 20001).astype(np.float32)
    assert relative_error(values, exponent).max() < 3e-7 + exponent * 2e-7


@pytest.mark.parametrize("exponent", [0.05, 0.15, 0.35, 0.5, 1, 1.15, 2])
def test_over_the_range_of_squared_distances_the_exponent_rounds(exponent):
    values = np.geomspace(1e-12, 1.3e10, 20001).astype(np.float32)
    rounding = exponent * np.log(2) * np.abs(np.log2(values)) * EPSILON
    assert (relative_error(values, exponent) < 1e-6 + 2 * rounding).all()


def test_zero_stays_zero_and_large_exponents_do_not_wrap():
    out = np.empty(3, np.float32)
    powers(np.array([0, 0.5, 1], np.float32), np.float32(1e6), out)
    assert out[0] == 0
    assert 0 <= out[1] < 1e-37
    assert abs(out[2] - 1) < 1e-6


@kernel()
def rewards(values, exponent, power, out):
    for i in range(len(values)):
        out[i] = raised(values[i], exponent, power)


@pytest.mark.parametrize("lambda_", [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4])
def test_products_of_roots(lambda_):
    values = np.append(np.geomspace(1e-7, 2e5, 20001).astype(np.float32), np.float32(0))
    power = power_for(DETAIL, lambda_, np.float32, products=True)
    assert power not in (FAST_POWER, EXACT_POWER)
    out = np.empty_like(values)
    rewards(values, np.float32(lambda_ / 2), flag(power), out)
    exact = values.astype(np.float64) ** (lambda_ / 2)
    assert (np.abs(out - exact) <= 4 * EPSILON * exact).all()
