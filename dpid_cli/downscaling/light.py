"""Light of the pixels of an image, and pixels of light: a transfer, bound to the type of the image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.raster import Raster
from dpid_cli.downscaling.transfer import SRGB, Transfer
from dpid_cli.errors import ArgumentError


def transfer_of(linear: object) -> Transfer | None:
    """What the argument `linear` asks for; an `ArgumentError` if it is neither a bool nor a `Transfer`."""
    if isinstance(linear, Transfer):
        return linear
    if isinstance(linear, bool | np.bool_):
        return SRGB if linear else None
    raise ArgumentError(f"linear: {linear!r} is not allowed: give True, False or a Transfer")


@dataclass(frozen=True)
class Light:
    """A transfer for images of one type and number of channels.

    `like` is such an image; its pixels are not used.
    """

    transfer: Transfer
    like: Raster

    def decoded(self, rows: NDArray[Any]) -> NDArray[Any]:
        """The light of pixels, (n, W * C), not packed, on their own scale."""
        if not self.by_table:
            return self.decode(np.divide(rows, self.like.unit, dtype=self.like.real))
        light, c = np.empty(rows.shape, self.like.real), self.like.channels
        for j in range(c):
            light[:, j::c] = self.table[j][rows[:, j::c]]
        return light

    def decode(self, intensities: NDArray[Any]) -> NDArray[Any]:
        """The light of intensities; of any shape whose numbers are interleaved channels."""
        return self._mapped(self.transfer.decode, intensities, "decode")

    def encode(self, light: NDArray[Any]) -> NDArray[Any]:
        """Light as values on the scale of the pixels, as their type holds them."""
        intensities = self._mapped(self.transfer.encode, light, "encode")
        return self.like.levels(intensities * self.like.real(self.like.unit))

    def of_floats(self) -> Light:
        """The same for images of floats, in the precision of these."""
        none = np.empty((0, self.like.channels), self.like.real)
        return replace(self, like=Raster(none, self.like.channels))

    @property
    def by_table(self) -> bool:
        """Whether there is a table."""
        return self.transfer.separable and self.like.limit > 0

    @cached_property
    def table(self) -> NDArray[Any]:
        """The light of every level of every channel, (C, levels)."""
        levels = np.arange(self.like.limit + 1).repeat(self.like.channels) / self.like.unit
        return np.ascontiguousarray(self.decode(levels).reshape(-1, self.like.channels).T)

    def _mapped(
        self, function: Callable[[NDArray[Any]], NDArray[Any]], values: NDArray[Any], name: str
    ) -> NDArray[Any]:
        pixels = np.ascontiguousarray(values, self.like.real).reshape(-1, self.like.channels)
        result = np.asarray(function(pixels))
        if result.shape != pixels.shape:
            raise ArgumentError(
                f"linear: {name} makes {result.shape} of {pixels.shape}: give a Transfer that keeps the shape"
            )
        return result.astype(self.like.real, copy=False).reshape(values.shape)
