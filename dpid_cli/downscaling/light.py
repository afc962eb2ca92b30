"""Decode pixels to light and encode light to pixels: a transfer, bound to the type of an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dpid_cli.downscaling.raster import Array, Raster
from dpid_cli.downscaling.transfer import SRGB, Transfer
from dpid_cli.errors import ArgumentError


def transfer_of(linear: object) -> Transfer | None:
    """Return the transfer for the argument `linear`, a bool or `Transfer`; None for encoded values."""
    if isinstance(linear, Transfer):
        return linear
    if isinstance(linear, bool | np.bool_):
        return SRGB if linear else None
    raise ArgumentError(f"linear: must be True, False or a Transfer: got {linear!r}")


@dataclass(frozen=True)
class Light:
    """A transfer for images of one type and number of channels.

    `like` is such an image; its pixels are not used.
    """

    transfer: Transfer
    like: Raster

    def decoded(self, rows: Array) -> Array:
        """Light of pixels, (n, W * C), not packed, on their own scale."""
        if not self.by_table:
            return self.decode(np.divide(rows, self.like.unit, dtype=self.like.real))
        light, c = np.empty(rows.shape, self.like.real), self.like.channels
        for j in range(c):
            light[:, j::c] = self.table[j][rows[:, j::c]]
        return light

    def decode(self, intensities: Array) -> Array:
        """Light of intensities in [0, 1]; any shape with interleaved channels."""
        return self._mapped(self.transfer.decode, intensities, "decode")

    def encode(self, light: Array) -> Array:
        """Light as values on the scale of the pixels, rounded as their type stores them."""
        intensities = self._mapped(self.transfer.encode, light, "encode")
        return self.like.levels(intensities * self.like.real(self.like.unit))

    def of_floats(self) -> Light:
        """The same transfer for images of floats, in the precision to compute in."""
        empty = np.empty((0, self.like.channels), self.like.real)
        return replace(self, like=Raster(empty, self.like.channels))

    @property
    def by_table(self) -> bool:
        """Whether `table` can be used."""
        return self.transfer.separable and self.like.limit > 0

    @cached_property
    def table(self) -> Array:
        """Light of every level of every channel, (C, levels)."""
        levels = np.arange(self.like.limit + 1).repeat(self.like.channels) / self.like.unit
        return np.ascontiguousarray(self.decode(levels).reshape(-1, self.like.channels).T)

    def _mapped(self, function: Callable[[Array], Array], values: Array, name: str) -> Array:
        pixels = np.ascontiguousarray(values, self.like.real).reshape(-1, self.like.channels)
        mapped = np.asarray(function(pixels))
        if mapped.shape != pixels.shape:
            raise ArgumentError(
                f"linear: {name} changes the shape {pixels.shape} to {mapped.shape}: "
                "give a Transfer that keeps it"
            )
        return mapped.astype(self.like.real, copy=False).reshape(values.shape)
