"""What is done to a picture between its file and the file of its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any

from dpid_cli.convert.bit_depth import narrowed, widened
from dpid_cli.convert.rendering import downscale_picture
from dpid_cli.downscaling.choices import Choice, Depth, MetadataPolicy, Transparency, Truncated
from dpid_cli.downscaling.devices import device_for, thread_count
from dpid_cli.downscaling.filters import resolved
from dpid_cli.downscaling.registry import PARAMETERS, method_named
from dpid_cli.downscaling.sizes import Size, SizeRequest
from dpid_cli.errors import ArgumentError, FileError
from dpid_cli.pictures import (
    FORMATS,
    MAX_FRAMES,
    MAX_PIXELS,
    Format,
    Metadata,
    Picture,
    PictureSequence,
    icc,
    read_sequence,
    read_size,
)
from dpid_cli.pictures.formats import titles
from dpid_cli.version import __version__

_FEWEST_BYTES = 64_000_000


@dataclass
class Recipe:
    """How pictures are read, downscaled and described, wherever they come from and go.

    Attributes
    ----------
    size : SizeRequest
    method : str
    parameters : mapping
        Those given, by Python name.
    threads : int or None
    depth : {'8', '16', 'keep'}
        Bits a channel of the result; with 16 it is computed in 16 bits too.
    device : {'cpu', 'cuda', 'auto'}
    encoding : mapping
        The encoder's options that were given: ``quality``, ``compress_level``.
    metadata : {'keep', 'colour', 'strip'}
        All that the format holds, only the colour profile, or none.
    record : bool
        Whether results tell method, parameters and version; only with ``keep``.
    max_pixels : int
        The most that an input may have.
    max_frames : int
        The most frames or pages that an input may have.
    truncated : {'error', 'accept'}
        Whether a file that is cut off fails, or what there is of it is used.
    frame : int or None
        The only frame or page that is used, counted from 0, or from the end if negative; None for all.
    linear : bool
        Whether means are of light, by the tone curves of the profile.
    to_srgb : bool
        Whether colours are converted through their profile to sRGB first.
    transparency : {'premultiply', 'separate', 'drop'}
        Whether alpha weighs colours, or is downscaled by itself, or is replaced by the background first.
    background : str or None
        A colour by name or number, only with ``drop``; None for white.
    """

    size: SizeRequest
    method: str = "dpid"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    threads: int | None = None
    depth: str = "keep"
    device: str = "cpu"
    encoding: Mapping[str, int] = field(default_factory=dict)
    metadata: str = "keep"
    record: bool = True
    max_pixels: int = MAX_PIXELS
    max_frames: int = MAX_FRAMES
    truncated: str = "error"
    frame: int | None = None
    linear: bool = False
    to_srgb: bool = False
    transparency: str = "premultiply"
    background: str | None = None

    def check(self, format_: str | None = None) -> None:
        """Raise an `ArgumentError` if this cannot work whatever the files hold.

        `format_` is the name in `FORMATS` that is asked for, if one is.
        """
        self.size.check()
        method = method_named(self.method)
        self.parameters = resolved(method, self.parameters)  # a filter's file is read once
        method.parameters(self.parameters)
        thread_count(self.threads)
        device_for(self.device, method, linear=self.linear)
        words: dict[str, type[Choice]] = {
            "depth": Depth,
            "metadata": MetadataPolicy,
            "truncated": Truncated,
            "transparency": Transparency,
        }
        for name, choice in words.items():
            choice.named(name, getattr(self, name))
        for option, limit in (("max-pixels", self.max_pixels), ("max-frames", self.max_frames)):
            if limit < 1:
                raise ArgumentError(f"{option}: {limit} lets nothing pass: give 1 or more")
        if self.background is not None:
            if self.transparency != "drop":
                raise ArgumentError("background: it goes with transparency drop: give both, or leave it out")
            icc.named(self.background)
        if format_ is not None:
            self.check_format(FORMATS[format_])

    def check_format(self, format_: Format) -> None:
        """Raise an `ArgumentError` if no result of this kind can be written in the format."""
        format_.tuned(self.encoding)
        if self.depth == "16" and not format_.deep:
            deep = titles(lambda codec: codec.deep)
            raise ArgumentError(f"depth: {format_.title} cannot store 16 bits: omit it, or write {deep}")

    @property
    def used(self) -> dict[str, Any]:
        """All parameters of the method, by Python name."""
        return method_named(self.method).parameters(self.parameters).as_dict()

    @property
    def most_bytes(self) -> int:
        """The longest file that is read into memory; small pictures, too, may have long remarks."""
        return max(self.max_pixels, _FEWEST_BYTES)

    def sequence(self, stream: IO[bytes], name: str) -> PictureSequence:
        """The pictures of a stream; `name` is what errors and warnings call it."""
        return read_sequence(
            stream,
            name,
            max_pixels=self.max_pixels,
            max_frames=self.max_frames,
            truncated=self.truncated == "accept",
            frame=self.frame,
        )

    def read(self, stream: IO[bytes], name: str) -> Picture:
        """The first picture of a stream, or the one that is asked for."""
        return next(self.sequence(stream, name).pictures)

    def read_size(self, stream: IO[bytes], name: str) -> Size:
        """Width and height of what `read` gives, without decoding it unless a frame is asked for."""
        if self.frame is not None:
            return self.read(stream, name).size
        return read_size(stream, name, max_pixels=self.max_pixels)

    def size_of(self, picture: Picture, name: str) -> Size:
        """Width and height of the picture's result, or an `ArgumentError`."""
        try:
            return self.size.of(picture.size)
        except ArgumentError as error:
            raise type(error)(f"{name}: {error}") from None

    def tuned(self, format_: Format, name: str) -> Format:
        """The format with the encoder's options, or a `FileError`."""
        try:
            self.check_format(format_)
            return format_.tuned(self.encoding)
        except ArgumentError as error:
            raise FileError(f"{name}: {error}") from None

    def apply(self, picture: Picture, size: Size, name: str) -> Picture:
        """The result, with the metadata that its file shall have."""
        try:
            picture = replace(picture, pixels=widened(picture.pixels, self.depth))
            result = downscale_picture(
                picture,
                size,
                name=name,
                linear=self.linear,
                to_srgb=self.to_srgb,
                transparency=self.transparency,
                background=self.background,
                method=self.method,
                threads=self.threads,
                device=self.device,
                **self.parameters,
            )
        except ArgumentError as error:  # the arguments have been checked: it is what the file holds
            raise FileError(f"{name}: {error}") from error
        except MemoryError:
            raise FileError(f"{name}: not enough memory: give a smaller image") from None
        return self._described(replace(result, pixels=narrowed(result.pixels, self.depth)))

    def unscaled(self, picture: Picture, name: str) -> Picture:
        """The picture in its own size, as its file shall be otherwise, but without the record of a method."""
        if self.to_srgb or self.transparency == "drop":
            apart = self.transparency if self.transparency == "drop" else "separate"
            same = replace(self, method="box", parameters={}, linear=False, transparency=apart, record=False)
            return same.apply(picture, picture.size, name)
        pixels = narrowed(widened(picture.pixels, self.depth), self.depth)
        return replace(self, record=False)._described(replace(picture, pixels=pixels))

    @property
    def keeps_everything(self) -> bool:
        """Whether a file whose pictures need not become smaller can stay as it is."""
        as_it_is = self.metadata == "keep" and self.depth == "keep" and self.frame is None
        return as_it_is and not self.to_srgb and self.transparency != "drop"

    def _described(self, picture: Picture) -> Picture:
        if self.metadata == "keep":
            software = self._record() if self.record else ""
            return replace(picture, metadata=replace(picture.metadata, software=software))
        profile = picture.icc_profile if self.metadata == "colour" else None
        return replace(picture, metadata=Metadata(), icc_profile=profile)

    def _record(self) -> str:
        """What made the result, by the names of the options."""
        told = [
            f"{name}={str(value).removesuffix('.0')}"
            for name, value in labelled(self.used).items()
            if value is not None
        ]
        told += [name for name, given in (("linear", self.linear), ("to-srgb", self.to_srgb)) if given]
        if self.transparency != "premultiply":
            told.append(f"transparency={self.transparency}")
        if self.transparency == "drop":
            told.append(f"background={self.background or 'white'}")
        return " ".join([f"dpid-cli {__version__}: {self.method}", *told])


def labelled(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by the names of their options, as values that JSON knows."""
    return {
        PARAMETERS[name].label: value if value is None or isinstance(value, int | float) else str(value)
        for name, value in parameters.items()
    }
