"""The pictures of one file, one at a time, and how those of an animation come into being."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from PIL import Image

from dpid_cli.pictures.picture import Picture

MAX_FRAMES = 10_000


@dataclass(frozen=True)
class PictureSequence:
    """The pictures of one file.

    Attributes
    ----------
    kind : {'still', 'animation', 'pages'}
        One picture; pictures of one size that are shown one after the other; or pictures each for itself.
    pictures : iterator of Picture
        Decoded when asked for.
    count : int
        How many there are.
    plays : int
        How often an animation is shown, 0 for without end.
    """

    kind: str
    pictures: Iterator[Picture]
    count: int = 1
    plays: int = 0


@dataclass(frozen=True)
class Patch:
    """What one frame of an animation changes.

    Attributes
    ----------
    size, offset : (int, int)
        Of the rectangle that is painted.
    duration : float
        How long the frame is shown, in ms.
    disposal : {'keep', 'background', 'previous'}
        What becomes of the rectangle when the next frame is painted.
    over : bool
        Whether what is transparent lets shine through what was there, or replaces it.
    image : callable
        Decodes its pixels, in RGBA.
    """

    size: tuple[int, int]
    offset: tuple[int, int]
    duration: float
    disposal: str
    over: bool
    image: Callable[[], Image.Image]


def detached(image: Image.Image) -> Image.Image:
    """A copy, in RGB where nothing of an RGBA image is transparent."""
    if image.mode == "RGBA" and image.getchannel("A").getextrema()[0] == 255:
        return image.convert("RGB")
    return image.copy()


class Canvas:
    """What an animation shows, frame after frame."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.shown = Image.new("RGBA", size)
        self._restored: tuple[Image.Image, tuple[int, int]] | None = None

    def paint(self, patch: Patch) -> None:
        """Dispose of the frame before and paint the next."""
        if self._restored is not None:
            self.shown.paste(*self._restored)
            self._restored = None
        (x, y), (right, bottom) = patch.offset, self.shown.size
        right, bottom = min(x + patch.size[0], right), min(y + patch.size[1], bottom)
        if x >= right or y >= bottom:
            return
        if patch.disposal == "background":
            self._restored = Image.new("RGBA", (right - x, bottom - y)), patch.offset
        elif patch.disposal == "previous":
            self._restored = self.shown.crop((x, y, right, bottom)), patch.offset
        if patch.over:
            self.shown.alpha_composite(patch.image(), patch.offset)
        else:
            self.shown.paste(patch.image(), patch.offset)
