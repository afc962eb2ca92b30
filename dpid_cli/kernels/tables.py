"""Tables by which kernels turn bytes into light and light into bytes."""

from __future__ import annotations

from typing import Any, NamedTuple

STEPS = 8192  # by which the light from the lowest to the highest level is divided


class Tables(NamedTuple):
    """Light of bytes, for each channel.

    Attributes
    ----------
    light : (C, 256) float32 ndarray
        Of every level, rising.
    limits : (C, 256) float32 ndarray
        Light from which on the next level is nearer; the largest float for the last.
    steps : (C, STEPS + 1) uint8 ndarray
        The nearest level half a step below each step, from which on to compare with `limits`.
    scale : (C,) float32 ndarray
        Steps per light.
    """

    light: Any
    limits: Any
    steps: Any
    scale: Any
