"""Alpha and colours, multiplied and divided."""

from __future__ import annotations

import numpy as np
import pytest

from dpid_cli.downscaling import alpha


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_premultiplying_and_back(dtype):
    full = 65535 if dtype == np.uint16 else 1
    levels = np.unique(np.geomspace(1, 65536, 300).astype(int)) - 1
    a, v = np.meshgrid(levels * (full / 65535), levels * (full / 65535), indexing="ij")
    straight = np.stack([v, a], axis=-1).astype(dtype)
    product = alpha.premultiply(straight)
    assert product.dtype == np.float32
    np.testing.assert_allclose(product[..., 0], v / full * (a / full), rtol=1e-6)
    back = alpha.unpremultiply(product, dtype)
    assert back.dtype == dtype and not back[0].any()
    if dtype == np.uint16:
        np.testing.assert_array_equal(back[1:], straight[1:])
    else:
        np.testing.assert_allclose(back[1:], straight[1:], rtol=3e-7)
        np.testing.assert_array_equal(back[-1], straight[-1])  # where alpha is full


@pytest.mark.parametrize(
    ("dtype", "shown"),
    [
        (np.uint8, [(0, 255), (0, 0), (255, 128), (0, 0)]),
        (np.uint16, [(0, 65535), (0, 0), (65535, 32768), (0, 0)]),
        (np.float32, [(-0.08, 1), (0, 0), (2, 0.5), (0, 0)]),
    ],
)
def test_what_filters_overshoot_is_clipped(dtype, shown):
    """Alpha always, colours of integers only: floats may be brighter than white."""
    ringing = np.array([[(-0.1, 1.25), (0.5, -0.01), (1, 0.5), (1e-9, 1e-9)]], np.float32)
    np.testing.assert_allclose(alpha.unpremultiply(ringing, dtype)[0], shown, rtol=1e-6)
