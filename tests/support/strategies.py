"""Images drawn by Hypothesis, and what property tests share."""

from __future__ import annotations

import os

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from dpid_cli import METHODS

settings.register_profile(
    "here",
    deadline=None,
    max_examples=int(os.environ.get("DPID_TEST_EXAMPLES", "60")),  # fewer where kernels are interpreted
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=True,
)
settings.load_profile("here")

# Methods that no other program defines, whose filters are wider than windows.
OWN = [name for name, method in METHODS.items() if method.family not in ("resample", "matlab")]
# Windows anywhere in the image: only whole scales, and no two sides of a window alike.
SPATIAL = [name for name in OWN if METHODS[name].family == "spatial"]


def expected(method):
    """Without chance, which knows where a pixel is."""
    return {"form": "expected"} if "form" in METHODS[method].defaults else {}


@st.composite
def images(draw, dtype=np.float64, channels=(None, 1, 2, 3, 4), longest=24):
    """An image, often with flat parts and few distinct values, and a size for the result."""
    height, width = draw(st.integers(1, longest)), draw(st.integers(1, longest))
    c = draw(st.sampled_from(channels))
    shape = (height, width) if c is None else (height, width, c)
    steps = draw(st.sampled_from([1, 2, 5, 255]))
    levels = draw(hnp.arrays(np.uint8, shape, elements=st.integers(0, steps), fill=st.just(0)))
    unit = {"uint8": 255, "uint16": 65535}.get(np.dtype(dtype).name, 1)
    image = (levels / steps * unit).astype(dtype)
    return image, (draw(st.integers(1, width)), draw(st.integers(1, height)))


def close(actual, expected, tolerance=1e-9):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance)
