"""Learning from files: which images, what they should become, and the filter that is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import ArrayLike, NDArray

from dpid_cli.convert.folders import EXTENSIONS, images_of
from dpid_cli.downscaling.filters import Filter, over_pixels
from dpid_cli.errors import ArgumentError, FileError
from dpid_cli.files.streams import check_paths, opened
from dpid_cli.files.targets import check_target
from dpid_cli.learning.fit import Fit, Plan, channels_of, start
from dpid_cli.pictures import read


@dataclass
class Lesson:
    """A filter fitted to files.

    Attributes
    ----------
    inputs : tuple of str
        Image files, or directories, whose images are taken in the order of their names.
    output : str
        Path of the filter's file.
    plan : Plan
    parameters : mapping
        Those given, the starting guidance too, by Python name.
    targets : str or None
        The directory with the small images, which go by the names of the inputs without extension.
    grid : str or None
        ``output`` or ``input``; None for that of the starting guidance.
    per_channel, overwrite : bool
    """

    inputs: tuple[str, ...]
    output: str
    plan: Plan
    parameters: Mapping[str, Any] = field(default_factory=dict)
    targets: str | None = None
    grid: str | None = None
    per_channel: bool = False
    overwrite: bool = False

    def check(self) -> None:
        """Raise a `DpidError` if this cannot work whatever the files hold."""
        check_paths("INPUT", *self.inputs)
        check_paths("--output", self.output)
        check_paths("--targets", self.targets)
        if (self.targets is not None) != (self.plan.objective == "pairs"):
            raise ArgumentError("--targets: they go with --objective pairs: give both or neither")
        if Path(self.output).suffix != ".json":
            raise ArgumentError(f"--output: {self.output}: a filter's file ends in .json: give such a name")
        self._start(None)
        check_target(Path(self.output), map(Path, self.inputs), (), self.overwrite)

    def fit(self) -> Fit:
        """Read all files; the fit is ready to run.

        Raises
        ------
        DpidError
            If a file cannot be read, has no target, or does not fit.
        """
        paths = [Path(name) for name in images_of(self.inputs)]
        images: Iterable[tuple[ArrayLike, ArrayLike | None]] = ((_pixels(path), None) for path in paths)
        if self.targets is not None:
            named = _by_stem(Path(self.targets))
            partners = [_partner(path, named, self.targets) for path in paths]
            images = ((_pixels(path), _pixels(small)) for path, small in zip(paths, partners, strict=True))
        first = self._start(channels_of(_pixels(paths[0])) if self.per_channel else None)
        return Fit(self.plan, first, [path.name for path in paths], images)

    def _start(self, channels: int | None) -> Filter:
        """Where the fit starts: on the input grid, a filter for the scale unless another is given."""
        given = dict(self.parameters)
        if self.grid == "input" and given.get("guidance") is None:
            if self.plan.scale != int(self.plan.scale):
                raise ArgumentError(
                    f"--grid: input needs a whole scale, not {self.plan.scale:g}: give output"
                )
            given["guidance"] = over_pixels(int(self.plan.scale))
        first = start(self.plan, given, channels)
        if self.grid not in (None, first.grid):
            raise ArgumentError(f"--grid: {first.name} is for the {first.grid} grid: leave out one of them")
        return first

    def save(self, filter_: Filter) -> None:
        """Write the filter, whole or not at all."""
        filter_.save(self.output, overwrite=self.overwrite)


def _by_stem(folder: Path) -> dict[str, list[Path]]:
    """The images of the directory of targets."""
    named: dict[str, list[Path]] = {}
    if not folder.is_dir():
        raise FileError(f"{folder}: not a directory: give the one with the small images")
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in EXTENSIONS:
            named.setdefault(path.stem, []).append(path)
    return named


def _partner(path: Path, named: Mapping[str, list[Path]], folder: str) -> Path:
    found = named.get(path.stem, [])
    if len(found) != 1:
        what = "no image" if not found else f"{len(found)} images"
        raise FileError(f"{path}: {what} of {folder} has its name: give one {path.stem}.png or the like")
    return found[0]


def _pixels(path: Path) -> NDArray[Any]:
    """The pixels of a file without transparency."""
    with opened(str(path)) as stream:
        picture = read(stream, str(path))
    if not picture.alpha:
        return picture.pixels
    if not picture.opaque:
        raise FileError(f"{path}: parts of it are transparent: give an opaque image")
    return picture.pixels[..., :-1]
