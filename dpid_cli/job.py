"""One image from file to file: read, downscale with regard to transparency, name, write."""

from __future__ import annotations

import io
import os
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from dpid_cli import __version__, alpha
from dpid_cli.backends import thread_count
from dpid_cli.errors import ArgumentError, FileError
from dpid_cli.filters import resolved
from dpid_cli.image import FORMATS, MAX_PIXELS, Format, Picture, format_of, read, write
from dpid_cli.metadata import Metadata
from dpid_cli.methods import PARAMETERS, method_named
from dpid_cli.output import atomic, check_target, default_name, reason
from dpid_cli.sizes import Size, SizeRequest

STANDARD_STREAM = "-"
METADATA = ("keep", "colour", "strip")
TRUNCATED = ("error", "accept")


@dataclass(frozen=True)
class Outcome:
    """What became of one input."""

    input: str
    output: str
    input_size: Size
    output_size: Size
    method: str
    parameters: Mapping[str, Any]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON; parameters by the names of their options."""
        return {
            **vars(self),
            "parameters": _named(self.parameters),
            "seconds": round(self.seconds, 4),
        }


@dataclass
class Job:
    """How a list of files is downscaled.

    Attributes
    ----------
    inputs : tuple of str
        Paths, or ``-`` for standard input.
    size : SizeRequest
    method : str
    parameters : mapping
        Those given, by Python name.
    output : str or None
        A path, a directory, ``-`` for standard output, or None for beside the input.
    format : str or None
        Name in `FORMATS`; None for what the output's extension says, or the input's format.
    overwrite : bool
        Whether existing files (never inputs) may be replaced.
    threads : int or None
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
    ready : callable
        Called when an image has been decoded; returns when the kernels may be used, and raises what keeps
        them from it.
    """

    inputs: tuple[str, ...]
    size: SizeRequest
    method: str = "dpid"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    output: str | None = None
    format: str | None = None
    overwrite: bool = False
    threads: int | None = None
    encoding: Mapping[str, int] = field(default_factory=dict)
    metadata: str = "keep"
    record: bool = True
    max_pixels: int = MAX_PIXELS
    truncated: str = "error"
    ready: Callable[[], None] = lambda: None
    _written: list[Path] = field(default_factory=list)

    def check(self) -> None:
        """Raise an `ArgumentError` if this cannot work whatever the files hold."""
        self.size.check()
        method = method_named(self.method)
        self.parameters = resolved(method, self.parameters)  # a filter's file is read once
        method.parameters(self.parameters)
        thread_count(self.threads)
        self._check_reading()
        if self.inputs.count(STANDARD_STREAM) > 1:
            raise ArgumentError("INPUT: standard input can be read only once: give - once")
        if self.format is not None:
            FORMATS[self.format].tuned(self.encoding)
        if self.output is None or self._into_directory():
            return
        if len(self.inputs) > 1:
            raise ArgumentError(
                f"--output: {self.output}: {len(self.inputs)} inputs need a directory: "
                "give one, or a name ending in /"
            )
        if self.output != STANDARD_STREAM and self.format is None:
            format_of(Path(self.output)).tuned(self.encoding)

    def _check_reading(self) -> None:
        for option, value, known in (
            ("metadata", self.metadata, METADATA),
            ("truncated", self.truncated, TRUNCATED),
        ):
            if value not in known:
                raise ArgumentError(f"{option}: {value!r} is not known: give {' or '.join(known)}")
        if self.max_pixels < 1:
            raise ArgumentError(f"max-pixels: {self.max_pixels} lets nothing pass: give 1 or more")

    def run(self, source: str) -> Outcome:
        """Downscale one of the inputs.

        Raises
        ------
        FileError
            If it cannot be read, or its result not be written.
        ArgumentError
            If the size asked for would enlarge it.
        """
        start = time.perf_counter()
        with opened(source) as stream:
            picture = read(
                stream,
                _name(source),
                max_pixels=self.max_pixels,
                truncated=self.truncated == "accept",
            )
        try:
            target_size = self.size.of(picture.size)
        except ArgumentError as error:
            raise type(error)(f"{_name(source)}: {error}") from None
        target, format_ = self._target(source, picture, target_size)
        try:
            format_ = format_.tuned(self.encoding)
        except ArgumentError as error:
            raise FileError(f"{_name(source)}: {error}") from None
        if target is not None:
            check_target(target, map(Path, self.inputs), self._written, self.overwrite)
        self.ready()
        try:
            result = downscale_picture(
                picture, target_size, method=self.method, threads=self.threads, **self.parameters
            )
        except ArgumentError as error:  # the arguments have been checked: it is what the file holds
            raise FileError(f"{_name(source)}: {error}") from error
        except MemoryError:
            raise FileError(f"{_name(source)}: not enough memory: give a smaller image") from None
        self._save(self._described(result), target, format_)
        return Outcome(
            input=source,
            output=STANDARD_STREAM if target is None else str(target),
            input_size=picture.size,
            output_size=result.size,
            method=self.method,
            parameters=method_named(self.method).parameters(self.parameters),
            seconds=time.perf_counter() - start,
        )

    def _described(self, picture: Picture) -> Picture:
        """The picture with the metadata that its file shall have."""
        if self.metadata == "keep":
            software = self._record() if self.record else ""
            return replace(picture, metadata=replace(picture.metadata, software=software))
        profile = picture.icc_profile if self.metadata == "colour" else None
        return replace(picture, metadata=Metadata(), icc_profile=profile)

    def _record(self) -> str:
        """What made the result, by the names of the options."""
        used = _named(method_named(self.method).parameters(self.parameters))
        told = [
            f"{name}={str(value).removesuffix('.0')}" for name, value in used.items() if value is not None
        ]
        return " ".join([f"dpid-cli {__version__}: {self.method}", *told])

    def _into_directory(self) -> bool:
        if self.output is None or self.output == STANDARD_STREAM:
            return False
        return self.output.endswith(("/", os.sep)) or Path(self.output).is_dir()

    def _target(self, source: str, picture: Picture, size: Size) -> tuple[Path | None, Format]:
        """Path (None for standard output) and format of a result."""
        own = FORMATS[self.format or picture.format]
        to_stdout = self.output == STANDARD_STREAM or (self.output is None and source == STANDARD_STREAM)
        if to_stdout:
            return None, own
        if self.output is not None and not self._into_directory():
            path = Path(self.output)
            return path, (FORMATS[self.format] if self.format else format_of(path))
        path = Path("stdin" if source == STANDARD_STREAM else source)
        extension = path.suffix if path.suffix.lower() in own.extensions else own.extensions[0]
        name = default_name(path.stem, self.method, self.size.scale, size, extension)
        return (path.parent if self.output is None else Path(self.output)) / name, own

    def _save(self, picture: Picture, target: Path | None, format_: Format) -> None:
        if target is None:
            # Encoders seek, standard output does not.
            buffer = io.BytesIO()
            write(picture, buffer, format_, "standard output")
            sys.stdout.buffer.write(buffer.getbuffer())
            sys.stdout.buffer.flush()
            return
        if self._into_directory():
            _make_directory(target.parent)
        with atomic(target, self.overwrite) as stream:
            write(picture, stream, format_, str(target))
        self._written.append(target)


def downscale_picture(picture: Picture, size: Size, **options: Any) -> Picture:
    """`pipeline.downscale` for a picture: colours are premultiplied by alpha where they need it."""
    from dpid_cli.pipeline import downscale

    if picture.alpha and picture.pixels[..., -1].min() < 255:
        pixels = alpha.unpremultiply(downscale(alpha.premultiply(picture.pixels), size=size, **options))
    else:
        pixels = downscale(picture.pixels, size=size, **options)
    return replace(picture, pixels=np.ascontiguousarray(pixels))


def _named(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters by the names of their options, as values that JSON knows."""
    return {
        PARAMETERS[name].label: value if value is None or isinstance(value, int | float) else str(value)
        for name, value in parameters.items()
    }


def _name(source: str) -> str:
    return "standard input" if source == STANDARD_STREAM else source


@contextmanager
def opened(source: str) -> Iterator[IO[bytes]]:
    """A seekable stream of the input; never one that could block for ever or has no end."""
    if source == STANDARD_STREAM:
        if sys.stdin is None:
            raise FileError("standard input: it is closed: redirect an image to it")
        yield io.BytesIO(sys.stdin.buffer.read())
        return
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(source, flags)  # not to be blocked by a FIFO without a writer
    except OSError as error:
        raise FileError(f"{source}: cannot be read: {reason(error)}: check the path") from error
    kind = os.fstat(handle).st_mode
    if not stat.S_ISREG(kind):
        os.close(handle)
        if stat.S_ISDIR(kind):
            raise FileError(f"{source}: is a directory: give image files")
        raise FileError(f"{source}: not a regular file: give an image file, or - for standard input")
    with os.fdopen(handle, "rb") as stream:
        yield stream


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"{path}: cannot be created: {reason(error)}: choose another directory") from error
