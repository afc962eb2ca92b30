"""Measure an output against its input and against the box filter."""

from __future__ import annotations

from dpid_cli.compare.metrics.planes import lightness
from dpid_cli.compare.metrics.yardstick import BLOCK, Numbers, PlainNumbers, Yardstick

__all__ = ["BLOCK", "Numbers", "PlainNumbers", "Yardstick", "lightness"]
