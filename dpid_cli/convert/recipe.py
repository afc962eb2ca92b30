"""Recipes: how to read images, downscale them, and describe the outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePath
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from dpid_cli.convert import checks, maps
from dpid_cli.convert.rendering import narrowed, rendered, widened, with_colours
from dpid_cli.downscaling.choices import (
    Depth,
    Fit,
    Gravity,
    MetadataPolicy,
    PaletteUse,
    Preserve,
    Transparency,
    Truncated,
)
from dpid_cli.downscaling.devices import device_for, thread_count
from dpid_cli.downscaling.filters import resolved
from dpid_cli.downscaling.parameters import shown
from dpid_cli.downscaling.registry import PARAMETERS, Method, method_named
from dpid_cli.downscaling.sizes import Sides, Size, SizeRequest, by_size, square, whole
from dpid_cli.downscaling.value_range import ValueRange
from dpid_cli.errors import ArgumentError, FileError, warn
from dpid_cli.pictures import Metadata, Picture, PictureSequence, icc, read_sequence, read_size
from dpid_cli.pictures.formats import FORMATS, Format, check_encoding, titles
from dpid_cli.pictures.limits import MAX_FRAMES, MAX_PIXELS
from dpid_cli.pictures.metadata import scaled, with_square_pixels
from dpid_cli.version import __version__

if TYPE_CHECKING:
    from dpid_cli.convert.degradations import Degradation
    from dpid_cli.downscaling.cropping import Crop

_FEWEST_BYTES = 64_000_000
# What `rendered` takes of a recipe besides parameters.
_RENDERING = ("linear", "to_srgb", "transparency", "background", "method", "threads", "device")


@dataclass(frozen=True)
class Recipe:
    """How to convert an image, wherever it comes from and goes.

    Attributes
    ----------
    size : SizeRequest
    crop : four numbers or None
        Left, top, width and height of the part to use.
    gravity : str, (float, float) or None
        Which part fills the size, for the fit ``fill``; None means ``centre``.
    method : str
    parameters : mapping
        Parameters of the method that differ from its defaults, by Python name.
    threads : int or None
        None for one per available CPU.
    encoding : mapping
        Options of the encoder, by their names in `ENCODER_OPTIONS`.

    importance, guidance : str or None
        Paths of images that are maps; `checked` reads them into `maps`.
    degradation : Degradation or None
        What happens to outputs afterwards.

    All other attributes are the options of `dpid_cli.batch` with these names.
    """

    size: SizeRequest
    method: str = "dpid"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    threads: int | None = None
    depth: str = "keep"
    device: str = "cpu"
    encoding: Mapping[str, Any] = field(default_factory=dict)
    metadata: str = "keep"
    record: bool = True
    preserve: Sequence[str] | None = None
    square_pixels: bool = False
    max_pixels: int = MAX_PIXELS
    max_frames: int = MAX_FRAMES
    truncated: str = "error"
    frame: int | None = None
    linear: bool = False
    to_srgb: bool = False
    transparency: str = "premultiply"
    background: str | None = None
    palette: str = "expand"
    value_range: tuple[float, float] | None = None
    importance: str | None = None
    guidance: str | None = None
    crop: Sequence[float] | None = None
    gravity: str | tuple[float, float] | None = None
    maps: Mapping[str, Any] = field(default_factory=dict)
    degradation: Degradation | None = None

    def checked(self, format_: str | None = None) -> Recipe:
        """The recipe with its filters and maps read; an `ArgumentError` if it cannot work for any image.

        `format_` is the name in `FORMATS` of the format of all outputs, if there is one.
        """
        self.size.check()
        for name in ("linear", "to_srgb", "record", "square_pixels"):
            if not isinstance(flag := getattr(self, name), bool):
                raise ArgumentError(f"{name} must be True or False (got {flag!r})")
        method = method_named(self.method)
        if maps.is_image(guidance := self.parameters.get("guidance")):
            others = {name: value for name, value in self.parameters.items() if name != "guidance"}
            return replace(self, parameters=others, guidance=guidance).checked(format_)
        parameters = resolved(method, self.parameters)
        method.parameters(parameters)
        thread_count(self.threads)
        device_for(self.device, method, linear=self.linear)
        Depth.named("depth", self.depth)
        MetadataPolicy.named("metadata", self.metadata)
        Truncated.named("truncated", self.truncated)
        if isinstance(self.preserve, str):
            raise ArgumentError(f"preserve must be a list of words (got {self.preserve!r})")
        preserve = tuple(Preserve.named("preserve", word) for word in self.preserve or ())
        Transparency.named("transparency", self.transparency)
        checks.check_part(self, method)
        checks.check_palette(self, method)
        check_encoding(self.encoding)
        for option, limit in (("max-pixels", self.max_pixels), ("max-frames", self.max_frames)):
            whole(option, limit)
        if self.frame is not None and (isinstance(self.frame, bool) or not isinstance(self.frame, int)):
            raise ArgumentError(f"frame must be a whole number (got {self.frame!r})")
        ValueRange.of(self.value_range, np.dtype(np.float32))
        if self.background is not None:
            if self.transparency != "drop":
                raise ArgumentError("background: works only with transparency drop: set both, or omit it")
            icc.named(self.background)
        if format_ is not None:
            self.check_format(FORMATS[format_])
        return replace(self, parameters=parameters, maps=self._maps(method), preserve=preserve)

    def rectangle(self) -> Crop | None:
        """The crop, if there is one, or an `ArgumentError` if it is wrong."""
        if self.crop is None:
            return None
        from dpid_cli.downscaling.cropping import Crop  # which imports fractions

        return Crop.of(self.crop)

    @property
    def fills(self) -> bool:
        """Whether outputs have the requested size exactly, and images lose what does not fit into it."""
        return self.size.kind == "size" and self.size.fit == Fit.FILL

    def part_size(self, size: Size) -> Sides:
        """Width and height of the crop of an image, or of the image; fractions if the crop has some."""
        crop = self.rectangle()
        return size if crop is None else crop.size

    def placed(self, picture: Picture, name: str) -> Recipe:
        """The recipe with the crop that fills the requested size of a picture, if it has to be found."""
        if not self.fills:
            return self
        from dpid_cli.convert import cropping

        try:
            size = by_size(self.part_size(picture.size), self.size.value)
            crop = cropping.placed(picture, self.rectangle(), size, self.gravity or Gravity.CENTRE)
        except ArgumentError as error:
            raise type(error)(f"{name}: {error}") from None
        exact = replace(self.size, fit=Fit.EXACT)
        return replace(self, crop=crop.numbers, size=exact, gravity=None)

    def cut(self, picture: Picture, name: str) -> tuple[Picture, Crop | None]:
        """The pixels of the crop, and the crop within them if it has parts of pixels."""
        crop = self.rectangle()
        if crop is None:
            return picture, None
        from dpid_cli.convert import cropping

        try:
            return cropping.cut(picture, crop)
        except ArgumentError as error:
            raise ArgumentError(f"{name}: {error}") from None

    def _maps(self, method: Method) -> dict[str, Any]:
        """The maps, read from their files."""
        found = {}
        if self.importance is not None:
            if method.family != "detail":
                raise ArgumentError(f"importance: method {method.name} takes none: use dpid, dpp or box")
            found["importance"] = maps.read_importance(self.importance, self.max_pixels)
        if self.guidance is not None:
            if not method.takes_filter:
                raise ArgumentError(f"guidance: method {method.name} takes no image: leave it out")
            found["guidance"] = maps.read_guidance(self.guidance, self.max_pixels)
        return found

    def check_format(self, format_: Format) -> None:
        """Raise an `ArgumentError` if the format cannot store any output of this recipe."""
        format_.tuned(self.encoding)
        if self.depth == "16" and not format_.deep:
            deep = titles(lambda codec: codec.deep)
            raise ArgumentError(f"depth: {format_.title} cannot store 16 bits: omit it, or write {deep}")

    @property
    def used(self) -> dict[str, Any]:
        """All parameters of the method, by Python name."""
        return method_named(self.method).parameters(self.parameters).as_dict()

    @property
    def told(self) -> dict[str, Any]:
        """`used`, as reports and records tell it."""
        paths = {"guidance": self.guidance, "importance": self.importance}
        given = {name: PurePath(path).name for name, path in paths.items() if path is not None}
        return labelled(self.used) | given

    @property
    def most_bytes(self) -> int:
        """The longest file to read into memory; even small images may have much metadata."""
        return max(self.max_pixels, _FEWEST_BYTES)

    def sequence(self, stream: IO[bytes], name: str) -> PictureSequence:
        """The images in a stream; `name` is what errors and warnings call it."""
        return read_sequence(
            stream,
            name,
            max_pixels=self.max_pixels,
            max_frames=self.max_frames,
            truncated=self.truncated == "accept",
            frame=self.frame,
            palettes=self.palette == PaletteUse.KEEP,
        )

    def read(self, stream: IO[bytes], name: str) -> Picture:
        """The first image in a stream, or the requested frame."""
        return next(self.sequence(stream, name).pictures)

    def read_size(self, stream: IO[bytes], name: str) -> Size:
        """Width and height of what `read` returns, with square pixels if these are wanted."""
        return self.read_sizes(stream, name)[1]

    def read_sizes(self, stream: IO[bytes], name: str) -> tuple[Size, Size]:
        """Width and height of what `read` returns, as it is, and with square pixels if these are wanted.

        Decodes it only for square pixels, or if a frame is requested.
        """
        if self.frame is not None or self.square_pixels:
            picture = self.read(stream, name)
            return picture.size, self.square_size(picture)
        return (read_size(stream, name, max_pixels=self.max_pixels),) * 2

    def square_size(self, picture: Picture) -> Size:
        """Width and height of a picture; if square pixels are wanted, what is left when its pixels are."""
        return square(picture.size, picture.resolution) if self.square_pixels else picture.size

    def used_size(self, picture: Picture) -> Sides:
        """Width and height of what is downscaled: a part of the picture, or all of it with square pixels."""
        return self.square_size(picture) if self.square_pixels else self.part_size(picture.size)

    def size_of(self, size: Sides, name: str) -> Size:
        """Width and height of the output for a picture, or a part, of a size, or an `ArgumentError`."""
        try:
            return self.size.of(size)
        except ArgumentError as error:
            raise type(error)(f"{name}: {error}") from None

    def tuned(self, format_: Format, name: str) -> Format:
        """The format with the options of its encoder, or a `FileError` if it cannot store the output."""
        try:
            self.check_format(format_)
            return format_.tuned(self.encoding)
        except ArgumentError as error:
            raise FileError(f"{name}: {error}") from None

    def apply(self, picture: Picture, size: Size, name: str) -> Picture:
        """Downscale a picture; the result has the metadata to write."""
        return self.rendered(picture, size, name)[0]

    def rendered(
        self, picture: Picture, size: Size, name: str, part: Crop | None = None
    ) -> tuple[Picture, Recipe]:
        """`apply` to a part, and the recipe with the numbers that "auto" stood for."""
        try:
            span = self._range_of(picture)
            options = {option: getattr(self, option) for option in _RENDERING}
            wide, given = picture, self._maps_of(picture)
            if part is not None:
                options["crop"] = part
            if span is not None:
                wide, options["value_range"] = with_colours(picture, span.intensities), (0, 1)
                if "guidance" in given and given["guidance"].dtype.kind == "f":
                    given["guidance"] = span.intensities(given["guidance"])
            wide = replace(wide, pixels=widened(wide.pixels, self.depth))
            result, found = rendered(wide, size, name=name, **options, **self.parameters, **given)
            if span is not None and self.depth == Depth.KEEP:
                result = with_colours(self._degraded(result, name), span.values)
        except ArgumentError as error:  # the arguments were checked, so the content of the file is at fault
            raise FileError(f"{name}: {error}") from error
        except MemoryError:
            raise FileError(f"{name}: not enough memory: use a smaller image") from None
        settled = replace(self, parameters={**self.parameters, **found}) if found else self
        result = replace(result, pixels=narrowed(result.pixels, self.depth))
        if span is None or self.depth != Depth.KEEP:
            result = self._degraded(result, name)
        return settled._described(result, picture, name), settled

    def _degraded(self, picture: Picture, name: str) -> Picture:
        return picture if self.degradation is None else self.degradation.applied(picture, name)

    def _maps_of(self, picture: Picture) -> dict[str, Any]:
        """The maps, that of importance cropped like the picture."""
        found, crop = dict(self.maps), self.rectangle()
        if crop is not None and "importance" in found:
            width, height = picture.uncropped or picture.size
            if found["importance"].shape[:2] == (height, width):
                found["importance"] = found["importance"][crop.outer]
        return found

    def unscaled(self, picture: Picture, name: str) -> Picture:
        """The picture in its own size with all other changes; its metadata names no method."""
        size = self.square_size(picture)
        if self.to_srgb or self.transparency == "drop" or size != picture.size:
            opaque = self.transparency == "drop"
            return replace(
                self,
                method="box" if picture.palette is None else self.method,
                parameters={},
                maps={},
                degradation=None,
                linear=self.linear and opaque and picture.alpha,  # in which the background is added
                transparency="drop" if opaque else "separate",
                record=False,
            ).apply(picture, size, name)
        if self.depth != Depth.KEEP:
            picture = self.intensities(picture)
        pixels = narrowed(widened(picture.pixels, self.depth), self.depth)
        return replace(self, record=False)._described(replace(picture, pixels=pixels), picture, name)

    @property
    def keeps_everything(self) -> bool:
        """Whether `unscaled` changes nothing, so that the bytes of the file can be copied."""
        unchanged = self.metadata == "keep" == self.depth and self.frame is None and self.crop is None
        encoded_anew = {"target_size", "colors"} & self.encoding.keys()
        return unchanged and not (encoded_anew or self.to_srgb or self.transparency == "drop")

    def intensities(self, picture: Picture) -> Picture:
        """The picture with the values of `value_range`, if it has floats, mapped to [0, 1]."""
        span = self._range_of(picture)
        return picture if span is None else with_colours(picture, span.intensities)

    def _range_of(self, picture: Picture) -> ValueRange | None:
        """The values of black and white in a picture of floats, if they are given."""
        is_float = picture.pixels.dtype.kind == "f"
        return ValueRange.of(self.value_range, picture.pixels.dtype) if is_float else None

    def _described(self, result: Picture, picture: Picture, name: str) -> Picture:
        """The output for a picture, with the metadata to write."""
        if self.depth == Depth.SIXTEEN:
            result = replace(result, bits=None)
        if self.metadata == "keep":
            converted = self.to_srgb or self.transparency == "drop"
            same_values = result.pixels.dtype == picture.pixels.dtype and not converted
            metadata, notes = scaled(picture, result, same_values=same_values)
            for note in notes:
                warn(f"{name}: {note}")
            if self.square_pixels:
                metadata = with_square_pixels(metadata)
            software = self._software() if self.record else ""
            return replace(result, metadata=replace(metadata, software=software))
        result = replace(result, metadata=Metadata())
        if self.metadata == "colour" or result.only_by_code:  # nobody could show it without code points
            return result
        return replace(result, icc_profile=None, cicp=None)

    def _software(self) -> str:
        """Version, method and options for the Software tag of the output."""
        words = [f"{name}={shown(value)}" for name, value in self.told.items() if value is not None]
        words += [name for name, used in (("linear", self.linear), ("to-srgb", self.to_srgb)) if used]
        if (crop := self.rectangle()) is not None:
            words.append(f"crop={crop}")
        if self.value_range is not None:
            words.append("value-range={:g},{:g}".format(*self.value_range))
        if self.transparency != "premultiply":
            words.append(f"transparency={self.transparency}")
        if self.transparency == "drop":
            words.append(f"background={self.background or 'white'}")
        if self.degradation is not None:
            words += self.degradation.words
        return " ".join([f"dpid-cli {__version__}: {self.method}", *words])


def labelled(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by the names of their options, as values for JSON."""
    return {PARAMETERS[name].label: _plain(value) for name, value in parameters.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return value if value is None or isinstance(value, int | float) else str(value)
