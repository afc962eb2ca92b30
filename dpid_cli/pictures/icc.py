"""Colour profiles: which are usable, conversion to sRGB, and tone curves.

LittleCMS converts with the relative colorimetric intent and black point compensation.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dpid_cli.errors import ArgumentError, warn
from dpid_cli.pictures import exif
from dpid_cli.pictures.picture import Picture
from dpid_cli.pictures.profiles import srgb, srgb_gray

# LittleCMS's constants. Its shortcut for 16 bits, a table of 33 samples a side, is up to 15 of 255 levels
# wrong, and that for floats makes colours outside of sRGB far less than 0.
_RELATIVE_COLORIMETRIC, _BLACK_POINT_COMPENSATION = 1, 0x2000
_BY_TYPE = {"uint16": 0x100, "float32": 0x8000}
_SPACES = {b"GRAY": "gray", b"RGB ": "rgb"}
_READ_ONLY = {b"CMYK": "cmyk", b"Lab ": "lab"}  # converted to sRGB while they are read
_CONVERTED = 1 << 20  # pixels at a time
_NODES = 4097
_ADDITIVE = 1e-3  # the most that XYZ of a mixture may differ from the sum of its channels; white is 1


def _transform(
    values: NDArray[Any], source: bytes, target: bytes, flags: int = _BLACK_POINT_COMPENSATION
) -> NDArray[Any]:
    """(..., C) of one profile as (..., C) of another: integers of any depth, or floats in [0, 1].

    Gray in a profile of RGB is taken as three equal channels.
    """
    from imagecodecs import cms_transform

    space = (_SPACES | _READ_ONLY)[source[16:20]]
    if values.shape[-1] == 1 and space == "rgb":
        values = np.repeat(values, 3, axis=-1)
    flat = np.ascontiguousarray(values).reshape(1, -1, values.shape[-1])
    if space == "gray":
        flat = flat[..., 0]
    converted: NDArray[Any] = cms_transform(
        flat,
        source,
        target,
        colorspace=space,
        outcolorspace=_SPACES.get(target[16:20], "xyz"),
        outdtype=values.dtype.name,
        intent=_RELATIVE_COLORIMETRIC,
        flags=flags | _BY_TYPE.get(values.dtype.name, 0),
    )
    return converted.reshape(*values.shape[:-1], -1)


@lru_cache(maxsize=8)
def _usable(profile: bytes, channels: int, dtype: str) -> bool:
    """Whether LittleCMS can convert this many channels from the profile."""
    space = _SPACES.get(profile[16:20])
    if space is None or (space == "gray" and channels == 3):
        return False
    try:
        for kind in (dtype, "float64"):
            _transform(np.zeros((1, channels), kind), profile, srgb())
    except (RuntimeError, ValueError):
        return False
    return True


def colours_of(picture: Picture) -> NDArray[Any]:
    """The channels that are not alpha, (H, W, 1 or 3); a view."""
    pixels = picture.pixels[..., np.newaxis] if picture.pixels.ndim == 2 else picture.pixels
    return pixels[..., :-1] if picture.alpha else pixels


def with_usable_profile(picture: Picture, name: str) -> Picture:
    """The image, without its profile if that is damaged or for other channels, with a warning."""
    channels, dtype = colours_of(picture).shape[2], picture.pixels.dtype.name
    if picture.icc_profile is None or _usable(picture.icc_profile, channels, dtype):
        return picture
    warn(f"{name}: its colour profile is damaged, or not one of these channels: sRGB is used instead")
    return replace(picture, icc_profile=None)


def to_srgb(picture: Picture, threads: int = 1) -> Picture:
    """The image converted to sRGB, with a profile of sRGB; unchanged if it has no profile.

    Gray stays gray, if it is gray in the profile. Alpha stays unchanged. The image is one of
    `with_usable_profile`. Raises an `ArgumentError` for colours that only code points describe.
    """
    check_convertible(picture)
    if picture.icc_profile is None:
        return picture
    colours, source = colours_of(picture), picture.icc_profile
    height, width, channels = colours.shape
    gray = channels == 1 and _shows_gray(source)
    kept = 1 if gray else 3
    # Four bytes a pixel are what kernels read fastest.
    converted = np.empty((height, width, 4 if kept == 3 else kept + picture.alpha), colours.dtype)
    rows = max(1, _CONVERTED // width)

    def convert(top: int) -> None:
        part = slice(top, top + rows)
        converted[part, :, :kept] = _transform(colours[part], source, srgb())[..., -kept:]

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(convert, range(0, height, rows)))
    if picture.alpha:
        converted[..., kept] = picture.pixels[..., -1]
    pixels = converted[..., : kept + picture.alpha]
    if pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    profile = srgb_gray() if gray else srgb()
    metadata = replace(picture.metadata, exif=exif.in_srgb(picture.metadata.exif))
    return replace(picture, pixels=pixels, icc_profile=profile, cicp=None, metadata=metadata)


def check_convertible(picture: Picture) -> None:
    """Raise an `ArgumentError` for colours that are not converted to sRGB, such as HDR."""
    if picture.only_by_code:
        assert picture.cicp is not None  # noqa: S101
        raise ArgumentError(
            f"its colours are {picture.cicp.title}, which dpid cannot convert to sRGB: keep them, or convert "
            "them first by a program that maps tones"
        )


def in_colour(picture: Picture) -> Picture:
    """Gray with alpha as RGBA; in sRGB, as gray profiles do not fit."""
    converted = to_srgb(picture)
    if converted.mode.startswith("RGB"):
        return converted
    profile = converted.icc_profile and srgb()
    return replace(converted, pixels=converted.pixels[..., [0, 0, 0, 1]], icc_profile=profile)


@lru_cache(maxsize=8)
def _shows_gray(profile: bytes) -> bool:
    """Whether equal channels, or the only one, are gray in sRGB."""
    shown = _transform(np.linspace(0, 1, 256)[:, np.newaxis], profile, srgb())
    return bool(np.ptp(shown, axis=-1).max() < 0.5 / 255)


@lru_cache(maxsize=8)
def tone_curves(profile: bytes, channels: int) -> tuple[NDArray[np.float64], ...] | None:
    """The tone curve of each channel, if the light of colours is the sum of the light of their channels.

    Light may then be averaged in the profile's own space: the matrix behind the curves, which leads from
    channels to XYZ, is the same before and after.

    The profile is a usable one; `channels` are 1 or 3, without alpha. Each curve is light at even steps of
    the channel, (n,), rising from 0 to 1. None for profiles of other kinds, such as look-up tables.
    """
    ramp = np.linspace(0, 1, _NODES)
    black = _xyz(np.zeros((1, channels)), profile)
    curves, primaries = [], []
    for j in range(channels):
        shown = _xyz(ramp[:, np.newaxis] * np.eye(channels)[j], profile) - black
        primary = shown[-1]
        curve = _rising(ramp, shown @ primary / (primary @ primary or np.nan))
        if curve is None:
            return None
        primaries.append(primary)
        curves.append(curve)
    levels = np.stack(np.meshgrid(*[np.linspace(0, 1, 5)] * channels), axis=-1).reshape(-1, channels)
    light = np.stack([np.interp(levels[:, j], ramp, curve) for j, curve in enumerate(curves)], axis=-1)
    summed = black + light @ np.stack(primaries)
    return tuple(curves) if np.abs(summed - _xyz(levels, profile)).max() < _ADDITIVE else None


def _xyz(values: NDArray[np.float64], profile: bytes) -> NDArray[np.float64]:
    from imagecodecs import cms_profile

    return _transform(values, profile, cms_profile("xyz"), flags=0)


def _rising(ramp: NDArray[np.float64], light: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The curve made invertible by lines across where it does not rise; None if it falls."""
    highest = np.maximum.accumulate(light)
    if not (highest - light).max() < _ADDITIVE:  # NaN, too
        return None
    rises = np.concatenate(([True], highest[1:] > highest[:-1]))
    encoded = ramp[rises]
    encoded[-1] = 1  # where the curve ends level
    return np.interp(ramp, encoded, light[rises])


def is_srgb(profile: bytes, channels: int) -> bool:
    """Whether the colours of a usable profile are those of sRGB, within half a level of 8 bits."""
    ramp = np.linspace(0, 1, 6)
    colours = np.stack(np.meshgrid(*[ramp] * channels), axis=-1).reshape(-1, channels)
    shown = _transform(colours, profile, srgb())
    return bool(np.abs(shown - colours).max() < 0.5 / 255)


def title(profile: bytes) -> str:
    """What a profile calls itself."""
    from PIL import ImageCms

    try:
        name = ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    except (OSError, ImageCms.PyCMSError):
        return "a damaged profile"
    return " ".join(name.split()) or "a profile without a name"


def fitting(profile: bytes, mode: str) -> bytes | None:
    """The profile for pixels of a mode: with colours, sRGB instead of its gray, and no other gray profile."""
    if profile[16:20] != b"GRAY" or not mode.startswith(("RGB", "P")):
        return profile
    return srgb() if profile == srgb_gray() else None


def from_srgb(colour: tuple[float, ...], profile: bytes | None, channels: int) -> NDArray[np.float64] | None:
    """A colour of sRGB in the space of a profile; None if sRGB cannot be converted to it."""
    values = np.array(colour)
    if profile is None:
        return values[-channels:]
    try:
        return _transform(values, srgb(), profile)[-channels:]
    except RuntimeError:
        return None


def named(colour: str) -> tuple[float, float, float]:
    """A colour by name or number, as sRGB in [0, 1], or an `ArgumentError`."""
    from PIL import ImageColor

    try:
        red, green, blue, *rest = ImageColor.getrgb(colour)
    except ValueError:
        rest = [0]
    if rest and rest != [255]:
        raise ArgumentError(f"background: {colour!r} is not an opaque colour: use one like white or #f0f0f0")
    return red / 255, green / 255, blue / 255


def ink_to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """CMYK or Lab in sRGB, by the image's own profile if it has one; and the profile of the outcome."""
    from PIL import ImageCms

    source: Any = ImageCms.createProfile("LAB") if image.mode == "LAB" else None
    with suppress(OSError, ImageCms.PyCMSError):  # it is damaged, or lacks the tables
        if profile and image.mode == "CMYK" and profile[16:20] == b"CMYK":
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.ImageCmsProfile(io.BytesIO(srgb()))
        intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
        converted = source and ImageCms.profileToProfile(image, source, target, intent, "RGB", flags=flags)
        if converted is not None:
            return converted, srgb()
    return image.convert("RGB"), None


def deep_ink_to_srgb(
    values: NDArray[np.uint16], profile: bytes | None
) -> tuple[NDArray[np.uint16], bytes | None]:
    """The same for CMYK of 16 bits, (H, W, 4); 65535 is full ink."""
    if profile and profile[16:20] == b"CMYK":
        with suppress(RuntimeError, ValueError):  # it lacks the tables
            return _by_rows(values, lambda part: _transform(part, profile, srgb())), srgb()

    def inverted(part: NDArray[np.uint16]) -> NDArray[np.uint16]:
        paper = 65535 - part.astype(np.uint32)
        return ((paper[..., :3] * paper[..., 3:] + 32767) // 65535).astype(np.uint16)

    return _by_rows(values, inverted), None


def deep_lab_to_srgb(values: NDArray[np.uint16]) -> tuple[NDArray[np.uint16], bytes]:
    """The same for CIE L*a*b* of 16 bits: L* from 0 to 65535, a* and b* signed, in 256ths."""
    from imagecodecs import cms_profile

    lab = cms_profile("lab4")

    def converted(part: NDArray[np.uint16]) -> NDArray[np.uint16]:
        shifted = part.astype(np.int64)
        opposite = part[..., 1:].astype(np.int16).astype(np.int64)
        shifted[..., 1:] = np.minimum(((opposite + 128 * 256) * 257 + 128) // 256, 65535)  # as ICC has them
        return _transform(shifted.astype(np.uint16), lab, srgb())

    return _by_rows(values, converted), srgb()


def _by_rows(values: NDArray[Any], convert: Callable[[NDArray[Any]], NDArray[Any]]) -> NDArray[Any]:
    """Convert to three channels, some rows at a time."""
    height, width = values.shape[:2]
    result = np.empty((height, width, 3), values.dtype)
    rows = max(1, _CONVERTED // width)
    for top in range(0, height, rows):
        result[top : top + rows] = convert(values[top : top + rows])
    return result
