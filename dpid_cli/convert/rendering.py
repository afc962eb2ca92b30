"""Downscaling of a picture: its colours and its transparency are treated according to their meaning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling import alpha
from dpid_cli.downscaling.choices import Depth
from dpid_cli.downscaling.devices import thread_count
from dpid_cli.downscaling.raster import full_scale
from dpid_cli.downscaling.sizes import Size
from dpid_cli.downscaling.transfer import SRGB, Transfer, interpolated
from dpid_cli.errors import warn
from dpid_cli.pictures import Picture, icc

_TYPES = {Depth.EIGHT: np.uint8, Depth.SIXTEEN: np.uint16}


def widened(pixels: NDArray[Any], depth: str) -> NDArray[Any]:
    """Pixels to compute with, so that the output has all levels of `depth`, which is '8', '16' or 'keep'.

    uint8 becomes uint16, v * 257, for 16 bits; anything else stays.
    """
    return pixels * np.uint16(257) if depth == Depth.SIXTEEN and pixels.dtype == np.uint8 else pixels


def narrowed(pixels: NDArray[Any], depth: str) -> NDArray[Any]:
    """Pixels to store in a file of `depth`, rounded to nearest, halves up.

    uint16 and float32 become uint8 or uint16; floats are clipped to [0, 1]. Pixels that have no more bits
    than requested stay.
    """
    if depth == Depth.KEEP or pixels.dtype == np.uint8:
        return pixels
    dtype = _TYPES[Depth(depth)]
    if pixels.dtype == np.float32:
        levels: NDArray[Any] = np.clip(pixels, 0, 1).astype(np.float64) * full_scale(dtype) + 0.5
    elif depth == Depth.EIGHT:
        levels = (pixels + np.uint32(128)) // np.uint32(257)
    else:
        return pixels
    return levels.astype(dtype)


def with_colours(picture: Picture, convert: Callable[[NDArray[Any]], NDArray[Any]]) -> Picture:
    """Apply a function of arrays to the colours of a picture, not to its alpha."""
    if not picture.alpha:
        return replace(picture, pixels=convert(picture.pixels))
    colours = convert(picture.pixels[..., :-1])
    return replace(picture, pixels=np.concatenate((colours, picture.pixels[..., -1:]), axis=-1))


def downscale_picture(picture: Picture, size: Size, **options: Any) -> Picture:
    """`rendered`, without the numbers that were found."""
    return rendered(picture, size, **options)[0]


def rendered(
    picture: Picture,
    size: Size,
    *,
    name: str = "",
    linear: bool = False,
    to_srgb: bool = False,
    transparency: str = "premultiply",
    background: str | None = None,
    **options: Any,
) -> tuple[Picture, dict[str, Any]]:
    """`downscaling.api.downscale` for a picture with a colour profile and alpha.

    Returns the output, and the numbers that "auto" stood for, by Python name.

    Warnings call the picture `name`, and `size` is (width, height) of the output. `options` are those of
    `downscale`, all others those of `dpid_cli.batch` with these names.
    """
    drop = transparency == "drop" and picture.alpha
    if drop:
        icc.check_convertible(picture)
    if linear or to_srgb or drop:
        picture = icc.with_usable_profile(picture, name)
    count = thread_count(options.get("threads"))
    if to_srgb:
        picture = icc.to_srgb(picture, count)
    if linear and _curves(picture) is None:
        icc.check_convertible(picture)
        warn(f"{name}: its colour profile has no tone curves: converted to sRGB to average in linear light")
        picture = icc.to_srgb(picture, count)
    behind = None
    if drop:
        picture, behind = _before(picture, icc.named(background or "white"))
    transfer = _transfer(picture) if linear else None
    if behind is not None:
        picture = _opaque(picture, behind, transfer)
    # Alpha is no light: without weights, it must not go through the tone curves together with colours.
    apart = picture.alpha and (transparency == "separate" or (linear and picture.opaque))
    pixels, found = _downscaled(picture, transfer, apart, {"size": size, **options})
    return replace(picture, pixels=pixels), found


def _curves(picture: Picture) -> tuple[NDArray[np.float64], ...] | None:
    """Tone curves of the profile or of HDR; empty without a profile, None if there are none."""
    channels = icc.colours_of(picture).shape[2]
    if picture.cicp is not None and picture.only_by_code:
        light = picture.cicp.light()
        return None if light is None else (light,) * channels
    if picture.icc_profile is None:
        return ()
    return icc.tone_curves(picture.icc_profile, channels)


def _transfer(picture: Picture) -> Transfer:
    curves = _curves(picture)
    return interpolated(curves) if curves else SRGB


def _before(picture: Picture, background: tuple[float, ...]) -> tuple[Picture, NDArray[np.float64]]:
    """The picture and the background in its colour space; in sRGB if its own space lacks that colour."""
    if len(set(background)) > 1 and picture.mode.startswith("LA"):
        picture = icc.in_colour(picture)
    channels = icc.colours_of(picture).shape[2]
    colour = icc.from_srgb(background, picture.icc_profile, channels)
    if colour is not None:
        return picture, colour
    return icc.to_srgb(picture), np.array(background)


def _opaque(picture: Picture, behind: NDArray[np.float64], transfer: Transfer | None) -> Picture:
    pixels = alpha.composited(picture.pixels, behind, transfer)
    if pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    return replace(picture, pixels=pixels, alpha=False)


def _downscaled(
    picture: Picture, transfer: Transfer | None, apart: bool, options: dict[str, Any]
) -> tuple[NDArray[Any], dict[str, Any]]:
    from dpid_cli.downscaling.api import downscale

    options |= _guidance_for(picture, apart, options)
    if picture.opaque or apart:
        colours = icc.colours_of(picture) if apart else picture.pixels
        found = _found(colours, transfer or False, options)
        options |= found
        pixels = downscale(colours, linear=transfer or False, **options)
        if apart:
            for name in {"noise"} | _maps_of_windows(options):  # of colours
                options.pop(name, None)
            pixels = np.concatenate((pixels, downscale(picture.pixels[..., -1:], **options)), axis=-1)
        return pixels, found
    weighted = alpha.premultiplied(transfer) if transfer else False
    products = alpha.premultiply(picture.pixels)
    found = _found(products, weighted, options)
    if "noise" in found:
        found["noise"] = found["noise"][:-1]  # alpha has none
    options |= found
    colours = products.shape[2] - 1
    noise = options.get("noise", 0.0)
    noise = tuple(noise) if isinstance(noise, tuple | list) else (noise,) * colours
    if any(noise):
        options["noise"] = (*noise, 0.0) if len(noise) == colours else noise
    pixels = downscale(products, linear=weighted, **options)
    return alpha.unpremultiply(pixels, picture.pixels.dtype), found


def _guidance_for(picture: Picture, apart: bool, options: Mapping[str, Any]) -> dict[str, Any]:
    """A given guidance as colours alone, or multiplied by alpha: its own, or that of the picture by box."""
    from dpid_cli.downscaling.api import downscale

    if not _maps_of_windows(options):
        return {}
    guidance = options["guidance"]
    guidance = guidance[..., None] if guidance.ndim == 2 else guidance
    guidance = guidance / np.float32(full_scale(guidance.dtype))
    has_alpha = guidance.shape[2] in (2, 4)
    colours = guidance[..., :-1] if has_alpha else guidance
    if picture.opaque or apart or not picture.alpha:
        return {"guidance": colours}
    opacity = guidance[..., -1:] if has_alpha else None
    if opacity is None:
        own = picture.pixels[..., -1:] / np.float32(full_scale(picture.pixels.dtype))
        opacity = downscale(own, size=options["size"], method="box", crop=options.get("crop"))
    channels = picture.pixels.shape[2] - 1
    if colours.shape[2] == 1:
        colours = colours.repeat(channels, axis=2)
    return {"guidance": np.concatenate((colours * opacity, opacity), axis=2)}


def _maps_of_windows(options: Mapping[str, Any]) -> set[str]:
    return {"guidance"} if isinstance(options.get("guidance"), np.ndarray) else set()


def _found(pixels: NDArray[Any], linear: bool | Transfer, options: Mapping[str, Any]) -> dict[str, Any]:
    """What "auto" stands for among the options of `downscale`."""
    from dpid_cli.downscaling.api import automatic

    others = {"threads", "device", "importance", "crop"} | _maps_of_windows(options)
    kept = {name: value for name, value in options.items() if name not in others}
    return automatic(pixels, linear=linear, **kept)
