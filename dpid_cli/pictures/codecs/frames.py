"""The frames and pages of a file, decoded one at a time, and the canvas that frames are painted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image

if TYPE_CHECKING:
    from dpid_cli.pictures.codecs.samples import HighDepthImage
    from dpid_cli.pictures.limits import Limits


class Frame(NamedTuple):
    """A frame with its duration in ms, or a page."""

    image: Image.Image | HighDepthImage
    duration: float | None = None


@dataclass
class Frames:
    """The frames or pages of a file."""

    kind: str  # 'animation' or 'pages'
    count: int
    pixels: int  # of all of them together
    decode: Callable[[int], Frame]  # by their numbers, which must grow from call to call
    head: Callable[[], Image.Image] | None = None  # opens the image whose metadata describes an animation
    plays: int = 0  # how often an animation is played; 0 means for ever
    whole: bool = True  # whether the file ends behind its last frame, and not within it


@dataclass(frozen=True)
class Patch:
    """A rectangle that one frame of an animation paints."""

    size: tuple[int, int]
    offset: tuple[int, int]
    duration: float  # for which the frame is shown, in ms
    disposal: str  # before the next frame, 'keep' it, or restore the 'background' or what was 'previous'
    over: bool  # whether transparent pixels show what was there before, or replace it
    image: Callable[[], Image.Image]  # decodes its pixels, in RGBA


@dataclass
class Patches:
    """An animation as a list of patches; see `Frames`."""

    size: tuple[int, int]
    plays: int
    patches: Sequence[Patch]
    whole: bool
    hidden: bool = False  # whether the image that other decoders show is not one of the frames

    def frames(self, limits: Limits, head: Callable[[], Image.Image]) -> Frames:
        """The frames as they are shown; `head` opens the image whose metadata describes them."""
        limits.check_size(self.size)
        count = len(self.patches)

        def painted() -> Iterator[tuple[int, Frame]]:
            canvas = _Canvas(self.size)
            for number, patch in enumerate(self.patches):
                limits.check_size(patch.size)
                canvas.paint(patch)
                yield number, Frame(canvas.shown, patch.duration)

        frames = painted()

        def decode(wanted: int) -> Frame:
            return next(frame for number, frame in frames if number == wanted)

        pixels = count * self.size[0] * self.size[1]
        return Frames("animation", count, pixels, decode, head, self.plays, self.whole)


class _Canvas:
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
