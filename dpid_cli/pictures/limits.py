"""Limits on what is read, and the error for files that are refused."""

from __future__ import annotations

from dataclasses import dataclass

MAX_PIXELS = 512_000_000
MAX_FRAMES = 10_000
_MAX_TOTAL = 64  # times the pixels of the largest image, for all images of a file together


class RefusedError(Exception):
    """Why an undamaged image is not read or written: what is wrong, and what to do.

    Callers put the name of the file before the message.
    """


@dataclass(frozen=True)
class Limits:
    """What may be read."""

    pixels: int = MAX_PIXELS  # maximum of an image; 64 times that for all images of a file together
    frames: int = MAX_FRAMES  # maximum number of frames or pages
    truncated: bool = False  # whether to use what can be decoded of a truncated file
    palettes: bool = False  # whether images with a palette keep their indices

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise a `RefusedError` if an image of this width and height has too many pixels."""
        if size[0] * size[1] > self.pixels:
            raise RefusedError(too_large(self.pixels))

    def check_frames(self, count: int, pixels: int) -> None:
        """Raise a `RefusedError` for too many frames, or too many pixels of all of them together."""
        if count > self.frames:
            raise RefusedError(
                f"more than {self.frames} frames or pages, the limit: use --frame N with a shorter file, "
                "or raise --max-frames of 'dpid downscale'"
            )
        if pixels > _MAX_TOTAL * self.pixels:
            raise RefusedError(f"{count} frames or pages together: {too_large(_MAX_TOTAL * self.pixels)}")


def too_large(max_pixels: int) -> str:
    """What is wrong with an image of more pixels than allowed, and what to do."""
    millions, rest = divmod(max_pixels, 10**6)
    limit = f"{max_pixels}" if rest else f"{millions} million"
    return (
        f"more than {limit} pixels, the limit: use a smaller image, or raise --max-pixels of 'dpid downscale'"
    )
