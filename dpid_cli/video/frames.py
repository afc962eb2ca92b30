"""Frames and arrays: formats of pixels, colours, and conversions, which libswscale does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dpid_cli.downscaling.sizes import Size
from dpid_cli.errors import FileError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.filter import Graph

    from dpid_cli.downscaling.planes import Planes

UNSPECIFIED = 2
UNKNOWN_SITING = "unspecified"  # which means on the left, as in almost all videos
_DEPTHS = (8, 9, 10, 12, 14, 16)
_CHROMA = {(1, 1): "444", (2, 1): "422", (2, 2): "420", (1, 2): "440", (4, 1): "411", (4, 4): "410"}
_FEWER_DEPTHS = {"440": (8, 10, 12), "411": (8,), "410": (8,)}
# Numbers of H.273 for matrices, as the filter "scale" calls them; sRGB and Rec. 709 have the same primaries.
_MATRICES = {1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 9: "bt2020"}
_RGB_MATRIX, _BT709, _SD = 0, 1, 6
_LEAST_HD = 720  # rows; players take videos without a tag to be Rec. 709 from here on, and Rec. 601 below
_FULL_RANGE = 2
# Where chroma lies among its pixels of luma, in halves of their distance, to the right and downwards.
_SITINGS = {
    (0, 1): "left", (1, 1): "center", (0, 0): "topleft", (1, 0): "top", (0, 2): "bottomleft", (1, 2): "bottom"
}  # fmt: skip
# Codecs whose decoders always say where samples of chroma lie.
_TELLING = ("h264", "hevc", "mjpeg", "mpeg1video", "mpeg2video", "mpeg4")
# Rounded, without shortcuts, and the same on every machine.
_FLAGS = "flags=bilinear+accurate_rnd+full_chroma_int+full_chroma_inp+bitexact:sws_dither=none"


@dataclass(frozen=True)
class Pixels:
    """What frames consist of.

    Attributes
    ----------
    kind : {'gray', 'yuv', 'rgb'}
    bits : int
        Of each sample.
    chroma : (int, int)
        Columns and rows of luma for one sample of chroma.
    alpha : bool
        Whether there is alpha besides, which is not used.
    """

    kind: str
    bits: int = 8
    chroma: tuple[int, int] = (1, 1)
    alpha: bool = False

    @classmethod
    def of(cls, name: str) -> Pixels:
        """What a format of FFmpeg stands for."""
        from av import VideoFormat

        form = VideoFormat(name, 16, 16)
        components = form.components
        alpha = any(part.is_alpha for part in components)
        most = max(part.bits for part in components)
        bits = next((depth for depth in _DEPTHS if depth >= most), _DEPTHS[-1])
        if form.is_rgb or form.has_palette:
            return cls("rgb", 8 if form.has_palette else bits, alpha=alpha)
        if len(components) - alpha < 3:
            return cls("gray", bits, alpha=alpha)
        sides = 16 // form.chroma_width(16), 16 // form.chroma_height(16)
        able = _FEWER_DEPTHS.get(_CHROMA[sides], _DEPTHS)
        return cls("yuv", next((depth for depth in able if depth >= bits), able[-1]), sides, alpha)

    @property
    def name(self) -> str:
        """The format with one plane per channel, as FFmpeg calls it."""
        base = {"gray": "gray", "rgb": "gbrp"}.get(self.kind) or f"yuv{_CHROMA[self.chroma]}p"
        return base if self.bits == 8 else f"{base}{self.bits}le"

    @property
    def is_subsampled(self) -> bool:
        """Whether there are fewer samples of chroma than of luma."""
        return self.chroma != (1, 1)

    @property
    def dtype(self) -> type[np.uint8] | type[np.uint16]:
        """Type of a sample in memory."""
        return np.uint8 if self.bits == 8 else np.uint16


@dataclass(frozen=True)
class Colour:
    """What the numbers of pixels mean: numbers of H.273, and whether all levels are used."""

    primaries: int = UNSPECIFIED
    transfer: int = UNSPECIFIED
    matrix: int = UNSPECIFIED
    full: bool | None = None

    @classmethod
    def of(cls, source: Any) -> Colour:
        """The colour of a frame or of the context of a codec."""
        full = None if source.color_range == 0 else source.color_range == _FULL_RANGE
        return cls(source.color_primaries, source.color_trc, source.colorspace, full)

    def as_kind(self, kind: str) -> Colour:
        """The colour of the same video in pixels of another kind."""
        if kind == "rgb":
            return Colour(self.primaries, self.transfer, _RGB_MATRIX, True)
        if self.matrix == _RGB_MATRIX:
            return Colour(self.primaries, self.transfer, _BT709, False)
        return self

    def matrix_name(self, height: int, name: str) -> str:
        """The matrix to convert with, or a `FileError`."""
        number = (_BT709 if height >= _LEAST_HD else _SD) if self.matrix == UNSPECIFIED else self.matrix
        if number not in _MATRICES:
            raise FileError(f"{name}: its colours (matrix {number}) cannot become RGB: write YUV")
        return _MATRICES[number]


@dataclass(frozen=True)
class Stored:
    """How frames are stored: their format, colour, siting of chroma, size, and how they lie."""

    format: str
    colour: Colour
    siting: str
    size: Size
    orientation: int = 1

    @property
    def upright_size(self) -> Size:
        """Width and height of the upright frame."""
        return self.size[::-1] if self.orientation > 4 else self.size


class Converter:
    """Converts frames of one size from one format of pixels to another; for one thread."""

    def __init__(
        self, source: str, target: str, size: Size, colours: tuple[Colour, Colour], siting: str, name: str
    ) -> None:
        self._formats = source, target
        self._graph: Graph | None = None
        if source == target:
            return
        kinds = Pixels.of(source), Pixels.of(target)
        siting = "left" if siting == UNKNOWN_SITING else siting
        options = [_FLAGS, f"in_chroma_loc={siting}", f"out_chroma_loc={siting}"]
        for side, colour, pixels in zip(("in", "out"), colours, kinds, strict=True):
            if pixels.kind == "rgb":
                continue
            full = source.startswith("yuvj") if colour.full is None else colour.full
            options.append(f"{side}_range={'full' if full else 'limited'}")
            if {"rgb", "yuv"} <= {one.kind for one in kinds}:
                options.append(f"{side}_color_matrix={colour.matrix_name(size[1], name)}")
        self._graph = linked(
            size, source, [("scale", ":".join(options)), ("format", f"pix_fmts={target}")], Fraction(1, 25)
        )

    def __call__(self, frame: VideoFrame) -> VideoFrame:
        if self._graph is None:
            return frame
        self._graph.vpush(frame)
        return self._graph.vpull()


def linked(size: Size, source: str, filters: Sequence[tuple[str, str]], time_base: Fraction) -> Graph:
    """A chain of FFmpeg's filters for frames of one size and format, on one thread."""
    from av import VideoFormat
    from av.filter import Graph

    graph = Graph()
    graph.threads = 1
    start = graph.add_buffer(width=size[0], height=size[1], format=VideoFormat(source), time_base=time_base)
    chain = [graph.add(name, options) for name, options in filters]
    graph.link_nodes(start, *chain, graph.add("buffersink")).configure()
    return graph


def planes_of(frame: VideoFrame, pixels: Pixels) -> Planes:
    """The planes of a frame in the format that `pixels` names; RGB in this order. They are not copied."""
    planes = [
        np.frombuffer(memoryview(plane), pixels.dtype).reshape(plane.height, -1)[:, : plane.width]
        for plane in frame.planes
    ]
    return [planes[2], planes[0], planes[1]] if pixels.kind == "rgb" else planes


def frame_of(planes: Planes, pixels: Pixels) -> VideoFrame:
    """A frame with these planes, which are copied."""
    from av import VideoFrame

    frame = VideoFrame(planes[0].shape[1], planes[0].shape[0], pixels.name)
    for target, plane in zip(planes_of(frame, pixels), planes, strict=True):
        target[...] = plane
    return frame


def orientation_of(frame: VideoFrame) -> int:
    """How a frame lies, 1 to 8 as in EXIF, by its display matrix."""
    sides: Any = frame.side_data  # not a mapping of what its types say
    data = next((each for each in sides if each.type.name == "DISPLAYMATRIX"), None)
    if data is None:
        return 1
    a, b, _, c, d, *_ = np.sign(np.frombuffer(bytes(data), np.int32)).tolist()
    # Where the x axis and the y axis of the stored frame point to; 16.16 numbers, multiples of 90 degrees.
    known = {(1, 0, 0, 1): 1, (-1, 0, 0, 1): 2, (-1, 0, 0, -1): 3, (1, 0, 0, -1): 4}
    known |= {(0, 1, 1, 0): 5, (0, 1, -1, 0): 6, (0, -1, -1, 0): 7, (0, -1, 1, 0): 8}
    return known.get((a, b, c, d), 1)


def upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn (H, W[, C]) pixels that lie as EXIF says upright."""
    if orientation > 4:
        pixels = pixels.swapaxes(0, 1)
    across, down = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    return pixels[:: -1 if down else 1, :: -1 if across else 1]


def siting_of(frame: VideoFrame, codec: str) -> str:
    """Where the samples of chroma lie, as the filter "scale" calls it.

    Decoders tell it in a field that PyAV does not show, but libswscale follows: a ramp shows what it is.
    """
    pixels, size = Pixels.of(frame.format.name), (32, 32)
    if not pixels.is_subsampled or frame.width < size[0] or frame.height < size[1]:
        return UNKNOWN_SITING
    # Of another depth, so that it is a copy: one plane rises to the right, the other one downwards.
    wide = replace(pixels, bits=16 if pixels.bits == 8 else 8)
    probe = frame.reformat(format=wide.name)
    for plane, axis in zip(planes_of(probe, wide)[1:], (1, 0), strict=True):
        ramp = (np.arange(plane.shape[axis]) % 16) * (16 << (wide.bits - 8))
        plane[...] = ramp if axis == 1 else ramp[:, np.newaxis]
    full = Pixels("yuv", 16)
    results = planes_of(probe.reformat(format=full.name, interpolation="BILINEAR"), full)[1:]
    places = [1, 1]
    for axis, (result, step) in enumerate(zip(results, pixels.chroma, strict=True)):
        if step > 1:
            # At the first pixel of luma of a sample, the ramp is behind by what the sample lies further on.
            at = 4 - int(result[4 * pixels.chroma[1], 4 * pixels.chroma[0]]) / (16 << 8)
            places[axis] = round(2 * at * step / (step - 1))
    across, down = places
    found = _SITINGS.get((across, down), UNKNOWN_SITING)
    return UNKNOWN_SITING if found == "center" and codec not in _TELLING else found
