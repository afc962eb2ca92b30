"""Flags are constants to the compiler: branches that they rule out are not even compiled."""

from __future__ import annotations

import numpy as np
import pytest

from dpid_cli.kernels.flags import choice, count, flag, is_set
from dpid_cli.kernels.jit import kernel

SUM, PRODUCT, IMPOSSIBLE = range(3)


@kernel()
def combine(values, rule, doubled, channels, out):
    for j in range(count(channels)):
        if choice(rule) == SUM:
            out[j] = values[j] + 3
        elif choice(rule) == PRODUCT:
            out[j] = values[j] * 3
        else:
            out[j] = values.nothing  # arrays have no such attribute: this cannot be compiled
        if is_set(doubled):
            out[j] *= 2


@pytest.mark.parametrize(("rule", "expected"), [(SUM, 8), (PRODUCT, 15)])
@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_values(rule, expected, doubled, channels):
    out = np.zeros(4)
    combine(np.full(4, 5.0), flag(rule), flag(doubled), flag(channels), out)
    np.testing.assert_array_equal(out[:channels], expected * (2 if doubled else 1))
    assert not out[channels:].any()


def test_only_the_branches_in_use_are_compiled():
    with pytest.raises(Exception, match="nothing"):
        combine(np.ones(4), flag(IMPOSSIBLE), flag(0), flag(1), np.zeros(4))


def test_equal_flags_are_the_same_object():
    assert flag(True) is flag(1) and flag(2) is flag(2)
