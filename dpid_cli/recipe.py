"""What is done to a picture between its file and the file of its result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import IO, Any

import numpy as np

from dpid_cli import __version__, alpha
from dpid_cli.backends import device_for, thread_count
from dpid_cli.errors import ArgumentError, FileError
from dpid_cli.filters import resolved
from dpid_cli.methods import PARAMETERS, method_named
from dpid_cli.pictures import FORMATS, MAX_PIXELS, Format, Metadata, Picture, read
from dpid_cli.sizes import Size, SizeRequest

METADATA = ("keep", "colour", "strip")
TRUNCATED = ("error", "accept")


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
    device : {'cpu', 'cuda', 'auto'}
    encoding : mapping
        The encoder's options that were given: ``quality``, ``compress_level``.
    metadata : {'keep', 'colour', 'strip'}
        All that the format holds, only the colour profile, or none.
    record : bool
        Whether results tell method, parameters and version; only with ``keep``.
    max_pixels : int
        The most that an input may have.
    truncated : {'error', 'accept'}
        Whether a file that is cut off fails, or what there is of it is used.
    """

    size: SizeRequest
    method: str = "dpid"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    threads: int | None = None
    device: str = "cpu"
    encoding: Mapping[str, int] = field(default_factory=dict)
    metadata: str = "keep"
    record: bool = True
    max_pixels: int = MAX_PIXELS
    truncated: str = "error"

    def check(self, format_: str | None = None) -> None:
        """Raise an `ArgumentError` if this cannot work whatever the files hold.

        `format_` is the name in `FORMATS` that is asked for, if one is.
        """
        self.size.check()
        method = method_named(self.method)
        self.parameters = resolved(method, self.parameters)  # a filter's file is read once
        method.parameters(self.parameters)
        thread_count(self.threads)
        device_for(self.device, method)
        for option, value, known in (
            ("metadata", self.metadata, METADATA),
            ("truncated", self.truncated, TRUNCATED),
        ):
            if value not in known:
                raise ArgumentError(f"{option}: {value!r} is not known: give {' or '.join(known)}")
        if self.max_pixels < 1:
            raise ArgumentError(f"max-pixels: {self.max_pixels} lets nothing pass: give 1 or more")
        if format_ is not None:
            FORMATS[format_].tuned(self.encoding)

    @property
    def used(self) -> dict[str, Any]:
        """All parameters of the method, by Python name."""
        return method_named(self.method).parameters(self.parameters)

    def read(self, stream: IO[bytes], name: str) -> Picture:
        """Decode a stream; `name` is what errors and warnings call it."""
        return read(stream, name, max_pixels=self.max_pixels, truncated=self.truncated == "accept")

    def size_of(self, picture: Picture, name: str) -> Size:
        """Width and height of the picture's result, or an `ArgumentError`."""
        try:
            return self.size.of(picture.size)
        except ArgumentError as error:
            raise type(error)(f"{name}: {error}") from None

    def tuned(self, format_: Format, name: str) -> Format:
        """The format with the encoder's options, or a `FileError`."""
        try:
            return format_.tuned(self.encoding)
        except ArgumentError as error:
            raise FileError(f"{name}: {error}") from None

    def apply(self, picture: Picture, size: Size, name: str) -> Picture:
        """The result, with the metadata that its file shall have."""
        try:
            result = downscale_picture(
                picture, size, method=self.method, threads=self.threads, device=self.device, **self.parameters
            )
        except ArgumentError as error:  # the arguments have been checked: it is what the file holds
            raise FileError(f"{name}: {error}") from error
        except MemoryError:
            raise FileError(f"{name}: not enough memory: give a smaller image") from None
        return self._described(result)

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
        return " ".join([f"dpid-cli {__version__}: {self.method}", *told])


def downscale_picture(picture: Picture, size: Size, **options: Any) -> Picture:
    """`pipeline.downscale` for a picture: colours are premultiplied by alpha where they need it."""
    from dpid_cli.pipeline import downscale

    if picture.alpha and picture.pixels[..., -1].min() < 255:
        pixels = alpha.unpremultiply(downscale(alpha.premultiply(picture.pixels), size=size, **options))
    else:
        pixels = downscale(picture.pixels, size=size, **options)
    return replace(picture, pixels=np.ascontiguousarray(pixels))


def labelled(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by the names of their options, as values that JSON knows."""
    return {
        PARAMETERS[name].label: value if value is None or isinstance(value, int | float) else str(value)
        for name, value in parameters.items()
    }
