"""What is done with every input of a batch: a value that goes to threads, processes and other machines."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from hashlib import blake2b
from typing import Any

from dpid_cli.batching.template import PLAIN, Template
from dpid_cli.convert.recipe import Recipe, labelled
from dpid_cli.downscaling.choices import IfSmaller
from dpid_cli.downscaling.filters import Filter
from dpid_cli.downscaling.sizes import Size
from dpid_cli.errors import ArgumentError
from dpid_cli.files import storage
from dpid_cli.version import __version__


@dataclass(frozen=True)
class Want:
    """One result of each input: what is done, and the folder below the output that takes it."""

    recipe: Recipe
    folder: str = ""


@dataclass(frozen=True)
class Order:
    """What is done with every input.

    Attributes
    ----------
    wants : tuple of Want
        All results of one input, which is decoded once.
    output : str
        The folder of all results; empty if the paths of targets are given with the inputs.
    template : Template
    format : str or None
        Name in `FORMATS`; None for what the extension of the target says.
    hr : str or None
        The folder of the inputs as they were downscaled, that is, cropped.
    multiple_of : int
        Each side is cropped, at the right and the bottom, to a multiple of this.
    min_size : (int, int) or None
        Least width and height of an input.
    if_smaller : {'skip', 'copy', 'error'}
        What becomes of an input that is smaller than that, or than what is asked for.
    overwrite, skip_existing : bool
        What becomes of results that exist: they are replaced, or left; otherwise the input fails.
    checksum : bool
        Whether inputs are known by their content, and not by size and time of change.
    dry : bool
        Whether nothing is written; then only headers are read.
    base : str
        The folder in which relative paths begin, for workers that have another; empty for the current one.
    """

    wants: tuple[Want, ...]
    output: str = ""
    template: Template = field(default_factory=Template)
    format: str | None = None
    hr: str | None = None
    multiple_of: int = 1
    min_size: Size | None = None
    if_smaller: str = "error"
    overwrite: bool = False
    skip_existing: bool = False
    checksum: bool = False
    dry: bool = False
    base: str = ""

    def check(self) -> None:
        """Raise an `ArgumentError` if this cannot work whatever the files hold."""
        for want in self.wants:
            want.recipe.check(self.format)
        self.template.check(all(want.recipe.size.scale is not None for want in self.wants))
        IfSmaller.named("--if-smaller", self.if_smaller)
        if self.overwrite and self.skip_existing:
            raise ArgumentError("--overwrite: it contradicts --skip-existing: give one of them")

    @property
    def needs_size(self) -> bool:
        """Whether the size of an input must be known to name its results."""
        return self.template.needs_size

    def cropped(self, size: Size) -> Size:
        """What is left of an upright input of this size; nothing of one that is smaller than the multiple."""
        width, height = size
        return width - width % self.multiple_of, height - height % self.multiple_of

    def targets(self, name: str, size: Size | None = None) -> tuple[str, ...]:
        """The paths of all results of an input, that of its crop last.

        Parameters
        ----------
        name : str
            The input's path in the tree.
        size : (int, int), optional
            The input's, upright, where `needs_size`.
        """
        found = []
        for want in self.wants:
            recipe = want.recipe
            result = None if size is None else self.result_size(recipe, self.cropped(size))
            scale = recipe.size.scale
            relative = self.template.name(name, self.format, recipe.method, scale, result)
            found.append(storage.joined(self.output, posixpath.join(want.folder, relative)))
        if self.hr is not None:
            relative = Template(PLAIN).name(name, self.format, "", None, None)
            found.append(storage.joined(self.hr, relative))
        return tuple(found)

    def result_size(self, recipe: Recipe, size: Size) -> Size:
        """Width and height of a result; those of the input where it is smaller than what is asked for."""
        try:
            return recipe.size.of(size)
        except ArgumentError:
            return size

    def too_small(self, size: Size) -> str:
        """Why an input, or what the crop has left of it, is smaller than it should be; empty if it is not."""
        width, height = size
        if self.min_size is not None and (width < self.min_size[0] or height < self.min_size[1]):
            return f"{width}x{height} is smaller than --min-size {self.min_size[0]}x{self.min_size[1]}"
        for want in self.wants:
            try:
                want.recipe.size.of(size)
            except ArgumentError as error:
                return str(error)
        return ""

    @cached_property
    def methods(self) -> tuple[str | None, ...]:
        """That of each target; None for the crop."""
        return (*(want.recipe.method for want in self.wants), *self._of_crop(None))

    @cached_property
    def parameters(self) -> tuple[dict[str, Any], ...]:
        """Those of each target's method, by the names of the options."""
        return (*(labelled(want.recipe.used) for want in self.wants), *self._of_crop({}))

    def sizes(self, cropped: Size) -> tuple[Size, ...]:
        """Width and height of each target."""
        found = (self.result_size(want.recipe, cropped) for want in self.wants)
        return (*found, *self._of_crop(cropped))

    def _of_crop(self, value: Any) -> tuple[Any, ...]:
        return () if self.hr is None else (value,)

    @cached_property
    def fingerprint(self) -> str:
        """What two orders share if they make the same files of the same inputs, in the same version."""
        told = {
            "version": __version__,
            "wants": [[want.folder, _told(want.recipe)] for want in self.wants],
            **{key: getattr(self, key) for key in ("format", "multiple_of", "min_size", "if_smaller")},
            "name": self.template.text,
        }
        return blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=8).hexdigest()


def _told(recipe: Recipe) -> dict[str, Any]:
    """All of a recipe that its results depend on."""
    found = {f.name: _plain(getattr(recipe, f.name)) for f in fields(recipe) if f.name not in _WITHOUT_EFFECT}
    return found | {"parameters": {name: _plain(value) for name, value in recipe.used.items()}}


_WITHOUT_EFFECT = ("threads", "max_pixels", "parameters")


def _plain(value: Any) -> Any:
    if isinstance(value, Filter):
        return value.as_dict()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return value if value is None or isinstance(value, int | float | str | bool) else str(value)
