"""GIF, with its animations."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import partial
from typing import IO, TYPE_CHECKING, Any, ClassVar

from dpid_cli.pictures.codecs.base import INDICES, Animation, Codec, check_expansion
from dpid_cli.pictures.codecs.encoder_options import COLORS, PROGRESSIVE

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.annotations import Frames, Image, Limits, Pixels


class Gif(Codec):
    """GIF, written with the exact colours where 256 are enough."""

    name, title, pillow = "gif", "GIF", "GIF"
    extensions = (".gif",)
    signature = rb"GIF8[79]a"
    plugin = "PIL.GifImagePlugin"
    modes = frozenset({"L", "RGB", "RGBA"}) | INDICES
    metadata = frozenset({"comment"})
    several = "animation"
    max_side = 65535
    defaults: ClassVar = {"colors": 256, "progressive": False}
    encoder_options = (COLORS, PROGRESSIVE)

    def open_image(self, stream: IO[bytes], limits: Limits) -> Image.Image:
        image = super().open_image(stream, limits)
        check_expansion(image, stream)  # the frame may be smaller than the canvas
        return image

    def frames(self, stream: IO[bytes], limits: Limits) -> Frames | None:
        from dpid_cli.pictures.codecs import gif_frames

        animation = gif_frames.read(stream, limits.frames)
        if not animation.patches or (
            len(animation.patches) == 1 and animation.patches[0].size == animation.size
        ):
            return None
        return animation.frames(limits, partial(self.open_again, stream, limits))

    def stores_alpha_of_colours(self, alpha: bytes) -> bool:
        return alpha.lstrip(b"\xff") == b"\0"  # one

    def encode(self, pixels: Pixels, mode: str, stream: IO[bytes], options: Mapping[str, Any]) -> None:
        from dpid_cli.pictures.codecs import gif_frames

        image, options = self.image_to_save(pixels, mode, options)
        colors, options["interlace"] = options.pop("colors"), options.pop("progressive")
        if mode not in INDICES:
            image = gif_frames.with_palette(image, colors)
        elif "transparency" in options:
            options["transparency"] = len(options["transparency"]) - 1
        image.save(stream, self.pillow, **options, **({"optimize": False} if mode in INDICES else {}))

    def write_animation(self, animation: Animation, stream: IO[bytes]) -> None:
        from dpid_cli.pictures.codecs import gif_frames

        animation.write_first(io.BytesIO(), {})  # for its warnings
        gif_frames.write(animation, stream, self.options["colors"], self.options["progressive"])
