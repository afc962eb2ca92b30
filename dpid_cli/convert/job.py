"""Images from file to file: which are read, where results go, what became of them."""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

from dpid_cli.convert.recipe import Recipe, labelled
from dpid_cli.downscaling.sizes import Size
from dpid_cli.errors import ArgumentError
from dpid_cli.files.streams import STANDARD_STREAM, called, check_paths, opened
from dpid_cli.files.targets import atomic, check_target, default_name, make_directory
from dpid_cli.pictures import (
    FORMATS,
    Format,
    Picture,
    PictureSequence,
    check_sequence,
    format_of,
    write_sequence,
)


@dataclass(frozen=True)
class Outcome:
    """What became of one input; sizes are those of its first picture, `frames` how many there were."""

    input: str
    output: str
    input_size: Size
    output_size: Size
    method: str
    parameters: Mapping[str, Any]
    frames: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON; parameters by the names of their options."""
        return {
            **vars(self),
            "parameters": labelled(self.parameters),
            "seconds": round(self.seconds, 4),
        }


@dataclass
class Job:
    """How a list of files is downscaled.

    Attributes
    ----------
    inputs : tuple of str
        Paths, or ``-`` for standard input.
    recipe : Recipe
        What is done to each.
    output : str or None
        A path, a directory, ``-`` for standard output, or None for beside the input.
    format : str or None
        Name in `FORMATS`; None for what the output's extension says, or the input's format.
    overwrite : bool
        Whether existing files (never inputs) may be replaced.
    ready : callable
        Called when an image has been decoded; returns when the kernels may be used, and raises what keeps
        them from it.
    """

    inputs: tuple[str, ...]
    recipe: Recipe
    output: str | None = None
    format: str | None = None
    overwrite: bool = False
    ready: Callable[[], None] = lambda: None
    _written: list[Path] = field(default_factory=list)

    def check(self) -> None:
        """Raise an `ArgumentError` if this cannot work whatever the files hold."""
        self.recipe.check(self.format)
        check_paths("INPUT", *self.inputs)
        check_paths("--output", self.output)
        if self.inputs.count(STANDARD_STREAM) > 1:
            raise ArgumentError("INPUT: standard input can be read only once: give - once")
        if self.output is None or self._into_directory():
            return
        if len(self.inputs) > 1:
            raise ArgumentError(
                f"--output: {self.output}: {len(self.inputs)} inputs need a directory: "
                "give one, or a name ending in /"
            )
        if self.output != STANDARD_STREAM and self.format is None:
            self.recipe.check_format(format_of(Path(self.output)))

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
        name = called(source)
        with opened(source, self.recipe.most_bytes) as stream:
            sequence = self.recipe.sequence(stream, name)
            picture = next(sequence.pictures)
            first, size = picture.size, self.recipe.size_of(picture, name)
            target, format_ = self._target(source, picture, size)
            format_ = self.recipe.tuned(format_, name)
            check_sequence(sequence, format_, name)
            if target is not None:
                check_target(target, map(Path, self.inputs), self._written, self.overwrite)
            self.ready()
            result = self.recipe.apply(picture, size, name)
            del picture  # before the next is decoded
            counted = _Counted(chain([result], self._others(sequence, name)))
            self._save(replace(sequence, pictures=counted), target, format_)
        return Outcome(
            input=source,
            output=STANDARD_STREAM if target is None else str(target),
            input_size=first,
            output_size=result.size,
            method=self.recipe.method,
            parameters=self.recipe.used,
            frames=counted.count,
            seconds=time.perf_counter() - start,
        )

    def _others(self, sequence: PictureSequence, name: str) -> Iterator[Picture]:
        """The results of all pictures but the first."""
        for number, picture in enumerate(sequence.pictures, start=1):
            what = f"{name}: page {number}" if sequence.kind == "pages" else name
            result = self.recipe.apply(picture, self.recipe.size_of(picture, what), what)
            del picture
            yield result
            del result

    def _into_directory(self) -> bool:
        if self.output is None or self.output == STANDARD_STREAM:
            return False
        return self.output.endswith(("/", os.sep)) or Path(self.output).is_dir()

    def _target(self, source: str, picture: Picture, size: Size) -> tuple[Path | None, Format]:
        """Path (None for standard output) and format of a result."""
        own = FORMATS[self.format or picture.format].target
        to_stdout = self.output == STANDARD_STREAM or (self.output is None and source == STANDARD_STREAM)
        if to_stdout:
            return None, own
        if self.output is not None and not self._into_directory():
            path = Path(self.output)
            return path, (FORMATS[self.format] if self.format else format_of(path))
        path = Path("stdin" if source == STANDARD_STREAM else source)
        extension = path.suffix if path.suffix.lower() in own.extensions else own.extensions[0]
        name = default_name(path.stem, self.recipe.method, self.recipe.size.scale, size, extension)
        return (path.parent if self.output is None else Path(self.output)) / name, own

    def _save(self, sequence: PictureSequence, target: Path | None, format_: Format) -> None:
        if target is not None and target.parent.is_dir():
            with atomic(target, self.overwrite) as stream:
                write_sequence(sequence, stream, format_, str(target))
        else:  # encoders seek, which standard output does not; and a refusal makes no directory
            buffer = io.BytesIO()
            write_sequence(sequence, buffer, format_, "standard output" if target is None else str(target))
            self._put(buffer, target)
        if target is not None:
            self._written.append(target)

    def _put(self, encoded: io.BytesIO, target: Path | None) -> None:
        if target is None:
            sys.stdout.buffer.write(encoded.getbuffer())
            sys.stdout.buffer.flush()
            return
        if self._into_directory():
            make_directory(target.parent)
        with atomic(target, self.overwrite) as stream:
            stream.write(encoded.getbuffer())


class _Counted(Iterator[Picture]):
    """Pictures, and how many there have been."""

    def __init__(self, pictures: Iterator[Picture]) -> None:
        self._pictures = pictures
        self.count = 0

    def __next__(self) -> Picture:
        picture = next(self._pictures)
        self.count += 1
        return picture
