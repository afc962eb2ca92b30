"""Transfers: how encoded intensities stand for amounts of light, and how an image is decoded to light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from dpid_cli.downscaling.raster import Array, Raster
from dpid_cli.errors import ArgumentError
from dpid_cli.kernels.tables import STEPS, Tables

# IEC 61966-2-1: linear up to these, a power above.
_ENCODED_KNEE, _LIGHT_KNEE = 0.04045, 0.0031308
_SLOPE, _OFFSET, _GAMMA = 12.92, 0.055, 2.4


@dataclass(frozen=True)
class Transfer:
    """A pair of curves between encoded intensities and light, for ``downscale(..., linear=...)``.

    Parameters
    ----------
    decode : callable
        Maps encoded intensities, (n, C), in [0, 1] for integer images, to amounts of light of the same
        shape. It gets float32, or float64 for float64 images, and must not change its argument.
    encode : callable
        The inverse: ``encode(decode(x))`` is x. Filters may pass it light somewhat outside the range of
        `decode`.
    separable : bool, default True
        Whether each channel is decoded independently of the others. Integers then go through a table for
        each channel.

    Examples
    --------
    >>> import numpy as np, dpid_cli
    >>> square = dpid_cli.Transfer(decode=np.square, encode=np.sqrt)
    >>> image = np.tile(np.float32([[0, 1], [1, 0]]), (4, 4))
    >>> dpid_cli.downscale(image, scale=8, method="box", linear=square).item()  # the root of 0.5
    0.7071067690849304
    """

    decode: Callable[[Array], Array]
    encode: Callable[[Array], Array]
    separable: bool = True

    def __post_init__(self) -> None:
        for name in ("decode", "encode"):
            if not callable(function := getattr(self, name)):
                raise ArgumentError(f"{name} must be a function of arrays (got {function!r})")

    def part(self, group: slice, channels: int) -> Transfer:
        """The transfer of some of the channels, if it is separable."""

        def through(convert: Callable[[Array], Array]) -> Callable[[Array], Array]:
            def converted(values: Array) -> Array:
                every = np.zeros((len(values), channels), values.dtype)
                every[:, group] = values
                return convert(every)[:, group]

            return converted

        return Transfer(through(self.decode), through(self.encode))


def _srgb_to_light(encoded: Array) -> Array:
    size = np.abs(encoded)
    light = np.where(size <= _ENCODED_KNEE, size / _SLOPE, ((size + _OFFSET) / (1 + _OFFSET)) ** _GAMMA)
    return np.asarray(np.copysign(light, encoded))


def _light_to_srgb(light: Array) -> Array:
    size = np.abs(light)
    above = (1 + _OFFSET) * size ** (1 / _GAMMA) - _OFFSET
    return np.asarray(np.copysign(np.where(size <= _LIGHT_KNEE, size * _SLOPE, above), light))


# The curve of sRGB, continued above 1 and mirrored below 0.
SRGB = Transfer(_srgb_to_light, _light_to_srgb)


def interpolated(curves: Sequence[Array]) -> Transfer:
    """Make a transfer from sampled curves, one for each channel, as colour profiles have them.

    Parameters
    ----------
    curves : sequence of (n,) ndarray
        Light at n intensities evenly spaced from 0 to 1, rising from 0 to 1. Samples are joined by lines;
        the last line continues above 1, and values below 0 mirror those above.

    Examples
    --------
    >>> import numpy as np
    >>> interpolated([np.array([0, 0.25, 1])]).decode(np.array([[0.75], [-0.5]])).ravel()
    array([ 0.625, -0.25 ])
    """
    return Transfer(partial(_by_channel, _along, curves), partial(_by_channel, _back_along, curves))


def _by_channel(convert: Callable[[Array, Array], Array], curves: Sequence[Array], values: Array) -> Array:
    sizes = np.empty_like(values)
    for j, curve in enumerate(curves):
        sizes[:, j] = convert(np.abs(values[:, j]), curve)
    return np.asarray(np.copysign(sizes, values))


def _along(encoded: Array, curve: Array) -> Array:
    position = encoded * encoded.dtype.type(len(curve) - 1)
    line = np.minimum(position, len(curve) - 2).astype(np.intp)
    return np.asarray(curve[line] + (position - line) * np.diff(curve)[line])


def _back_along(light: Array, curve: Array) -> Array:
    step = 1 / (len(curve) - 1)
    beyond = np.maximum(light - 1, 0) * (step / (curve[-1] - curve[-2]))
    return np.asarray(np.interp(light, curve, np.arange(len(curve)) * step) + beyond)


def transfer_of(linear: object) -> Transfer | None:
    """Return the transfer for the argument `linear`, a bool or `Transfer`; None for encoded values."""
    if isinstance(linear, Transfer):
        return linear
    if isinstance(linear, bool | np.bool_):
        return SRGB if linear else None
    raise ArgumentError(f"linear must be True, False or a Transfer (got {linear!r})")


def tables_of(light: Array, between: Array) -> Tables:
    """Tables for the light of 256 levels, (C, 256), and of the 255 values half-way between them."""
    least, most = light[:, :1], light[:, -1:]
    width = (most - least) / STEPS
    steps = [
        np.searchsorted(of, at, side="right")
        for of, at in zip(between, least + (np.arange(STEPS + 1) - 0.5) * width, strict=True)
    ]
    limits = np.pad(between, ((0, 0), (0, 1)), constant_values=np.finfo(np.float32).max)
    arrays = [light, limits, np.array(steps, np.uint8).reshape(-1, STEPS + 1), 1 / width[:, 0]]
    for array in arrays:
        array.flags.writeable = False
    return Tables(*arrays)


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

    @cached_property
    def tables(self) -> Tables | None:
        """Tables for kernels that look up bytes; None if their light does not rise, or does not come back."""
        if not self.by_table or self.like.dtype != np.uint8:
            return None
        halves = np.arange(511).repeat(self.like.channels) / (2 * self.like.unit)
        decoded = self.decode(halves)
        light = np.ascontiguousarray(decoded.reshape(-1, self.like.channels).T)
        rises = np.isfinite(light).all() and (np.diff(light) > 0).all()
        if not rises or (self.encode(decoded).reshape(511, -1)[::2] != np.arange(256)[:, np.newaxis]).any():
            return None
        return tables_of(np.ascontiguousarray(light[:, ::2]), light[:, 1::2])

    def _mapped(self, function: Callable[[Array], Array], values: Array, name: str) -> Array:
        pixels = np.ascontiguousarray(values, self.like.real).reshape(-1, self.like.channels)
        mapped = np.asarray(function(pixels))
        if mapped.shape != pixels.shape:
            raise ArgumentError(
                f"linear: {name} changes the shape {pixels.shape} to {mapped.shape}: "
                "give a Transfer that keeps it"
            )
        return mapped.astype(self.like.real, copy=False).reshape(values.shape)
