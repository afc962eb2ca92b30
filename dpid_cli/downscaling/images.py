"""Images of Pillow: their pixels, downscaled, become an image of the same mode."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling import alpha
from dpid_cli.downscaling.automatic import noise_of
from dpid_cli.downscaling.choices import Automatic
from dpid_cli.downscaling.raster import check_source
from dpid_cli.downscaling.transfer import transfer_of
from dpid_cli.errors import ArgumentError

if TYPE_CHECKING:
    from PIL import Image

    PillowImage: TypeAlias = Image.Image

# Modes whose last channel is straight alpha.
_WITH_ALPHA = ("LA", "RGBA")


def is_pillow(image: object) -> TypeGuard[PillowImage]:
    """Whether an object is an image of Pillow, which is not imported for this."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(image, module.Image)


def downscaled(
    image: PillowImage, shrink: Callable[..., NDArray[Any]], options: Mapping[str, Any]
) -> PillowImage:
    """Call ``shrink(pixels, **options)`` for the pixels of an image; returns an image of its mode and `info`.

    Where alpha is not full, colours count as much as their alpha.
    """
    check_source(image)
    if image.mode == "HSV":
        raise ArgumentError('image: hues cannot be averaged (HSV): give image.convert("RGB")')
    if options["channel_axis"] is not None:
        raise ArgumentError("channel_axis: is for arrays: leave it out")
    pixels = np.asarray(image)
    if image.mode in _WITH_ALPHA and pixels.size and pixels[..., -1].min() < 255:
        output = _weighted(pixels, shrink, dict(options))
    else:
        output = shrink(pixels, **options)
    return _image(output.astype(pixels.dtype, copy=False), image)


def _weighted(
    pixels: NDArray[np.uint8], shrink: Callable[..., NDArray[Any]], options: dict[str, Any]
) -> NDArray[Any]:
    """Downscale pixels whose colours are multiplied by alpha, and divide them by it again."""
    if isinstance(options["guidance"], np.ndarray):
        raise ArgumentError(
            'guidance: an image cannot guide one with transparent pixels: give image.convert("RGB")'
        )
    products = alpha.premultiply(pixels)
    transfer = transfer_of(options["linear"])
    options["linear"] = False if transfer is None else alpha.premultiplied(transfer)
    noise, colours = options["noise"], products.shape[2] - 1
    if noise == Automatic.AUTO:
        from dpid_cli.downscaling.cropping import Crop  # which imports fractions

        crop = options["crop"]
        part = products if crop is None else products[Crop.of(crop).outer]
        options["noise"] = (*noise_of(part)[:colours], 0.0)
    elif noise:
        several = isinstance(noise, tuple | list)
        options["noise"] = (*(noise if several else (noise,) * colours), 0.0)  # alpha has none
    return alpha.unpremultiply(shrink(products, **options))


def _image(pixels: NDArray[Any], like: PillowImage) -> PillowImage:
    from PIL import Image

    size = pixels.shape[1], pixels.shape[0]
    if like.mode == "1":
        image = Image.fromarray(pixels)
    else:
        image = Image.frombytes(like.mode, size, np.ascontiguousarray(pixels).tobytes())
    image.info = like.info.copy()
    return image
