"""Jobs: where the outputs of some inputs go and which format they get, as for ``dpid downscale``."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dpid_cli.convert.engine import Output, Written, check_outputs, convert, peek
from dpid_cli.convert.names import Template
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.choices import IfSmaller
from dpid_cli.downscaling.sizes import Sides, Size
from dpid_cli.errors import ArgumentError, DpidError, FileError, SizeError, reason
from dpid_cli.files.folders import Tree
from dpid_cli.files.output import check_folder, check_target, default_name
from dpid_cli.files.storage import check_local
from dpid_cli.files.streams import STANDARD_STREAM, called, check_paths, opened
from dpid_cli.pictures import FORMATS, Format, Picture, check_sequence, format_of
from dpid_cli.pictures.formats import EXTENSIONS
from dpid_cli.pictures.prefetch import Prefetched, lent


def images_of(inputs: Iterable[str]) -> list[str]:
    """The paths, each folder replaced by its images sorted by name; a `FileError` if it has none."""
    images: list[str] = []
    for name in inputs:
        path = Path(name)
        if not path.is_dir():
            images.append(name)
            continue
        try:
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in EXTENSIONS and p.is_file())
        except OSError as error:
            raise FileError(f"{path}: cannot be read: {reason(error)}: check the folder") from error
        if not inside:
            raise FileError(f"{path}: contains no images: give another folder, or files")
        images += map(str, inside)
    return images


@dataclass(frozen=True)
class Outcome:
    """What was made of one input; sizes are those of its first image, `frames` counts frames or pages.

    `parameters` and, of these, `found`, those that "auto" stood for, are by the names of their options.
    `status` is "done", or "planned" where nothing is to be written; "copied" or "skipped" for an image that
    is too small, and `reason` says why; or "failed", and `error` says why. `quality` is the one found for
    ``target_size``, and `crop` the part of the input that was used.
    """

    input: str
    output: str | None
    input_size: Size | None
    output_size: Size | None
    method: str | None
    parameters: Mapping[str, Any]
    frames: int
    seconds: float
    status: str = "done"
    reason: str | None = None
    error: str | None = None
    quality: float | None = None
    crop: tuple[float, ...] | None = None
    found: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def failed(cls, source: str, error: DpidError, seconds: float) -> Outcome:
        """The outcome of an input that failed."""
        return cls(source, None, None, None, None, {}, 0, seconds, status="failed", error=str(error))

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        facts = vars(self) | {"seconds": round(self.seconds, 4)}
        del facts["found"]
        return facts


def _used(recipe: Recipe) -> tuple[float, ...] | None:
    crop = recipe.rectangle()
    return None if crop is None else crop.numbers


@dataclass(frozen=True)
class Job:
    """A list of files to downscale; the attributes are the options of ``dpid downscale`` with these names."""

    inputs: tuple[str, ...]
    recipe: Recipe
    output: str | None = None
    format: str | None = None
    overwrite: bool = False
    if_smaller: str = IfSmaller.ERROR
    template: Template | None = None
    dry: bool = False
    _written: list[Path] = field(default_factory=list)

    def check(self) -> None:
        """Raise an `ArgumentError` if this cannot work for any files."""
        check_paths("INPUT", *self.inputs)
        check_paths("--output", self.output)
        check_local("INPUT", *self.inputs)
        check_local("--output", self.output)
        if self.inputs.count(STANDARD_STREAM) > 1:
            raise ArgumentError("INPUT: standard input can be read only once: give - once")
        if self.template is not None:
            self.template.check([self.recipe])
            if self.output is not None and not self._into_folder():
                raise ArgumentError(
                    f"--output: {self.output}: is one file, which --name and --suffix do not name: omit one"
                )
        if self.recipe.preserve and STANDARD_STREAM in (*self.inputs, self.output):
            raise ArgumentError("--preserve: standard input and output are no files: omit it")
        if self.output is None or self._into_folder():
            return
        if len(self.inputs) > 1:
            raise ArgumentError(
                f"--output: {self.output}: {len(self.inputs)} inputs need a folder: "
                "give one, or a name ending in /"
            )
        if self.output == STANDARD_STREAM:
            return
        if self.format is None:
            self.recipe.check_format(format_of(Path(self.output)))
        check_folder(Path(self.output))

    def run(
        self,
        source: str,
        wait: Callable[[], None] = lambda: None,
        prefetched: Prefetched | None = None,
    ) -> Outcome:
        """Downscale one of the inputs; after decoding its first image, `wait` until the kernels are ready.

        Its image may have been `prefetched`.

        Raises a `FileError` if the input cannot be read or the output cannot be written, and an
        `ArgumentError` if the requested size would enlarge the image.
        """
        start = time.perf_counter()
        name = called(source)
        with opened(source, self.recipe.most_bytes) as stream, lent(prefetched, stream):
            first, sequence = peek(self.recipe.sequence(stream, name))
            input_size, source_size = first.size, self.recipe.used_size(first)
            small = self._too_small(source_size)
            if small is not None and self.if_smaller == IfSmaller.SKIP:
                return self._left_out(source, input_size, str(small), start)
            size = (math.ceil(source_size[0]), math.ceil(source_size[1]))
            if small is None:
                size = self.recipe.size_of(source_size, name)
            path, format_ = self._target(source, first, size)
            del first  # only the sequence holds it
            target = None if path is None else str(path)
            tuned = self.recipe.tuned(format_, name)
            tree = None
            if path is not None:
                self._check(path)
                root = self.output if self.output is not None and self._into_folder() else path.parent
                tree = Tree.now(root, path.parent)
            if not self.dry:
                wait()
            output = Output(
                target,
                tuned,
                self.recipe,
                keeps_size=self._keeps_size,
                overwrite=self.overwrite,
                tree=tree,
            )
            if self.dry:
                check_sequence(sequence, output.format, name)
                check_outputs(stream, self.recipe, [output], name)
                written = Written(target, size, sequence.count)
            else:
                (written,) = convert(sequence, [output], name, "" if source == STANDARD_STREAM else source)
        if path is not None:
            self._written.append(path)
        asked, used = self.recipe.told, (written.recipe or self.recipe).told
        if small is not None:
            asked, used = {}, {}
        return Outcome(
            input=source,
            output=STANDARD_STREAM if written.path is None else written.path,
            input_size=input_size,
            output_size=written.size,
            method=self.recipe.method if small is None else None,
            parameters=used,
            frames=written.frames,
            seconds=time.perf_counter() - start,
            status="planned" if self.dry else "done" if small is None else "copied",
            reason=None if small is None else str(small),
            quality=written.quality,
            crop=_used(written.recipe or self.recipe),
            found={name: value for name, value in used.items() if value != asked[name]},
        )

    def _too_small(self, size: Sides) -> SizeError | None:
        """Why an image of this size is not downscaled; None if it is, or if that is an error."""
        if self.if_smaller != IfSmaller.ERROR:
            try:
                self.recipe.size.of(size)
            except SizeError as error:
                return error
        return None

    def _keeps_size(self, size: Sides) -> bool:
        return self.if_smaller == IfSmaller.COPY and self._too_small(size) is not None

    def _left_out(self, source: str, size: Size, reason: str, start: float) -> Outcome:
        seconds = time.perf_counter() - start
        return Outcome(source, None, size, None, None, {}, 0, seconds, status="skipped", reason=reason)

    def _into_folder(self) -> bool:
        if self.output is None or self.output == STANDARD_STREAM:
            return False
        return self.output.endswith(("/", os.sep)) or Path(self.output).is_dir()

    def _target(self, source: str, picture: Picture, size: Size) -> tuple[Path | None, Format]:
        """Path (None for standard output) and format of an output."""
        own = FORMATS[self.format or picture.format].target
        to_stdout = self.output == STANDARD_STREAM or (self.output is None and source == STANDARD_STREAM)
        if to_stdout:
            return None, own
        if self.output is not None and not self._into_folder():
            path = Path(self.output)
            return path, (FORMATS[self.format] if self.format else format_of(path))
        path = Path("stdin" if source == STANDARD_STREAM else source)
        extension = path.suffix if path.suffix.lower() in own.extensions else own.extensions[0]
        folder = path.parent if self.output is None else Path(self.output)
        if self.template is not None:
            values = self.template.values(self.recipe, source, size, self.inputs.index(source) + 1)
            path = folder / self.template.name(path.name, self.format, values | {"ext": extension})
            return path, (FORMATS[self.format] if self.format else format_of(path))
        method = None if self._keeps_size(self.recipe.used_size(picture)) else self.recipe.method
        name = default_name(path.stem, method, self.recipe.size.scale, size, extension)
        return folder / name, own

    def _check(self, path: Path) -> None:
        """Raise a `FileError` if the output must not or cannot be written."""
        maps = [name for name in (self.recipe.importance, self.recipe.guidance) if name is not None]
        check_target(path, map(Path, (*self.inputs, *maps)), self._written, self.overwrite)
        if self.output is not None and not self._into_folder():
            check_folder(path)
