"""Fit a filter to files: find the images and their targets, read them, and write the filter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from dpid_cli.convert.job import images_of
from dpid_cli.downscaling.filters import Filter, over_pixels
from dpid_cli.errors import ArgumentError, FileError
from dpid_cli.files.output import check_folder, check_target
from dpid_cli.files.storage import check_local
from dpid_cli.files.streams import check_paths, opened
from dpid_cli.learning.plan import Plan, channels_of, first_filter
from dpid_cli.pictures import read
from dpid_cli.pictures.formats import EXTENSIONS


@dataclass
class LearnJob:
    """What to fit a filter to, and where to write it."""

    inputs: tuple[str, ...]  # image files, or folders of images
    output: str  # path of the filter
    plan: Plan
    parameters: Mapping[str, Any] = field(default_factory=dict)  # those that were set, by Python name
    targets: str | None = None  # folder of the target images, named like the inputs but for the extension
    grid: str | None = None  # output or input; None for that of the guidance
    per_channel: bool = False
    overwrite: bool = False

    def check(self) -> None:
        """Raise a `DpidError` for arguments that fit no images, or if the output cannot be written."""
        check_paths("INPUT", *self.inputs)
        check_paths("--output", self.output)
        check_paths("--targets", self.targets)
        check_local("IMAGE", *self.inputs)
        check_local("--output", self.output)
        if (self.targets is not None) != (self.plan.objective == "pairs"):
            raise ArgumentError("--targets: goes with --objective pairs: give both or neither")
        if Path(self.output).suffix != ".json":
            raise ArgumentError(
                f"--output: {self.output}: a filter is a JSON file: use a name ending in .json"
            )
        self._first(None)
        check_target(Path(self.output), map(Path, self.inputs), (), self.overwrite)
        check_folder(Path(self.output))

    def paths(self) -> list[Path]:
        """The images, those of folders in the order of their names."""
        return [Path(name) for name in images_of(self.inputs)]

    def first(self, path: Path) -> Filter:
        """The filter from which the fit starts; its channels are those of the image at `path`."""
        return self._first(channels_of(_pixels(path)) if self.per_channel else None)

    def images(self, paths: list[Path]) -> Iterator[tuple[NDArray[Any], NDArray[Any] | None]]:
        """Read one image after another, with its target or None.

        Raise a `FileError` if a file cannot be read or is transparent, and at once if an image has no target.
        """
        if self.targets is None:
            return ((_pixels(path), None) for path in paths)
        by_stem = _by_stem(Path(self.targets))
        targets = [_target(path, by_stem, self.targets) for path in paths]
        return ((_pixels(path), _pixels(target)) for path, target in zip(paths, targets, strict=True))

    def _first(self, channels: int | None) -> Filter:
        parameters = dict(self.parameters)
        if self.grid == "input" and parameters.get("guidance") is None:
            scale = int(self.plan.scale)
            if scale != self.plan.scale:
                raise ArgumentError(
                    f"--grid: input needs a whole scale (got {self.plan.scale:g}): use --grid output"
                )
            parameters["guidance"] = over_pixels(scale)
        first = first_filter(self.plan, parameters, channels)
        if self.grid not in (None, first.grid):
            raise ArgumentError(
                f"--grid: {first.name} is a filter on the {first.grid} grid: omit --grid or --guidance"
            )
        return first


def _by_stem(folder: Path) -> dict[str, list[Path]]:
    """The images in the folder of targets, by name without extension."""
    by_stem: dict[str, list[Path]] = {}
    if not folder.is_dir():
        raise FileError(f"{folder}: not a folder: give the folder of the target images")
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in EXTENSIONS:
            by_stem.setdefault(path.stem, []).append(path)
    return by_stem


def _target(path: Path, by_stem: Mapping[str, list[Path]], folder: str) -> Path:
    targets = by_stem.get(path.stem, [])
    if len(targets) != 1:
        count = "no image" if not targets else f"{len(targets)} images"
        raise FileError(
            f"{path}: {count} in {folder} with its name: give one target, such as {path.stem}.png"
        )
    return targets[0]


def _pixels(path: Path) -> NDArray[Any]:
    """The pixels of an opaque image, without alpha."""
    with opened(str(path)) as stream:
        picture = read(stream, str(path))
    if not picture.alpha:
        return picture.pixels
    if not picture.opaque:
        raise FileError(f"{path}: has transparent pixels: give an opaque image")
    return picture.pixels[..., :-1]
