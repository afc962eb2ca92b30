"""The specification of a batch, with the names of outputs: a value for threads, processes and machines."""

from __future__ import annotations

import json
import math
import posixpath
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

from dpid_cli.batching.pairs import Pairs, spread
from dpid_cli.convert.engine import cropped
from dpid_cli.convert.names import Template
from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.choices import IfSmaller
from dpid_cli.downscaling.filters import Filter
from dpid_cli.downscaling.registry import METHODS
from dpid_cli.downscaling.sizes import Sides, Size, shown
from dpid_cli.errors import ArgumentError
from dpid_cli.files import storage
from dpid_cli.version import __version__

_WITHOUT_EFFECT = ("threads", "max_pixels", "parameters")  # on outputs; parameters count with their defaults


@dataclass(frozen=True)
class OutputSpec:
    """One output of each input: its recipe, and the subfolder of the output folder that takes it."""

    recipe: Recipe
    folder: str = ""


@dataclass(frozen=True)
class BatchSpec:
    """What to do with every input.

    Attributes
    ----------
    outputs : tuple of OutputSpec
        All downscaled outputs of one input, which is decoded once.
    folder : str
        The output folder; empty if items bring the paths of their outputs along.
    dry : bool
        Write nothing, and read only headers if that is enough.
    base : str
        The folder in which relative paths start, for workers in another folder; empty for the current one.
    links : frozenset of str
        Output folders that were links when the inputs were listed; new links are not followed.
    pairs : Pairs or None
        For ``dpid pairs``; then `format` and `hr` are given, and sizes are whole scales.

    All other attributes are the options of ``dpid batch`` with these names; `template` is ``--name``.
    """

    outputs: tuple[OutputSpec, ...]
    folder: str = ""
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
    links: frozenset[str] = frozenset()
    pairs: Pairs | None = None

    def checked(self) -> BatchSpec:
        """The specification with checked recipes; an `ArgumentError` if it cannot work for any files."""
        outputs = tuple(replace(one, recipe=one.recipe.checked(self.format)) for one in self.outputs)
        self.template.check(one.recipe for one in outputs)
        IfSmaller.named("--if-smaller", self.if_smaller)
        crops = [crop for one in outputs if (crop := one.recipe.rectangle()) is not None]
        if not all(crop.is_whole for crop in crops) and (self.multiple_of > 1 or self.hr is not None):
            raise ArgumentError("crop: --multiple-of and --hr need whole pixels: use whole numbers")
        if self.hr is not None and any(one.recipe.fills for one in outputs):
            raise ArgumentError("--hr: has no size to fill: omit it, or use another --fit")
        if self.overwrite and self.skip_existing:
            raise ArgumentError("--overwrite: contradicts --skip-existing: give only one of them")
        if any(one.recipe.square_pixels for one in outputs) and (self.multiple_of > 1 or self.hr is not None):
            raise ArgumentError(
                "--square-pixels: cannot be used with --multiple-of and --hr, which keep pixels: omit one"
            )
        if any(one.recipe.preserve for one in outputs) and storage.is_address(self.folder):
            raise ArgumentError(
                f"--preserve: {self.folder}: addresses have no times and permissions: omit it"
            )
        return replace(self, outputs=outputs)

    def with_threads(self, threads: int) -> BatchSpec:
        """The specification with this number of threads for each image."""
        outputs = (replace(one, recipe=replace(one.recipe, threads=threads)) for one in self.outputs)
        return replace(self, outputs=tuple(outputs))

    def drawn(self, name: str) -> BatchSpec:
        """The specification for an image by its path in the folder tree, if degradations are drawn for it."""
        if self.pairs is None or self.pairs.degradations is None:
            return self
        method, lambda_, degradation = self.pairs.degradations.drawn(name)
        outputs = []
        for output in self.outputs:
            recipe = replace(output.recipe, degradation=degradation)
            if method is not None:
                recipe = replace(recipe, method=method, parameters={})
            if lambda_ is not None and "lambda_" in METHODS[recipe.method].described:
                recipe = replace(recipe, parameters={**recipe.parameters, "lambda_": lambda_})
            outputs.append(replace(output, recipe=recipe))
        return replace(self, outputs=tuple(outputs))

    def roots(self, count: int) -> tuple[str, ...]:
        """The output folder of each of an input's targets, of which there are so many."""
        return spread((*(self.folder for _ in self.outputs), *self._of_original(self.hr)), count)

    @property
    def needs_size(self) -> bool:
        """Whether the names of outputs depend on the size of the input."""
        return self.template.needs_size or (self.pairs is not None and self.pairs.patches is not None)

    def cropped(self, size: Size) -> Sides:
        """Size of an upright input after cropping; 0 for a side shorter than the multiple."""
        part = self.outputs[0].recipe.part_size(size)
        return part if self.multiple_of == 1 else cropped((int(part[0]), int(part[1])), self.multiple_of)

    def targets(self, path: str, name: str, size: Size | None = None, index: int = 1) -> tuple[str, ...]:
        """The paths of all outputs of an input, that of the cropped original last.

        `name` is the input's path in the folder tree, `size` its size, upright, if `needs_size`, and `index`
        its number in the list of all inputs.
        """
        whole = None if size is None else self.cropped(size)
        name = name if self.pairs is None else self.pairs.name(name)
        paths = []
        for output in self.outputs:
            recipe = output.recipe
            output_size = None if whole is None else _output_size(recipe, whole)
            values = self.template.values(recipe, path, output_size, index)
            relative = posixpath.join(output.folder, self.template.name(name, self.format, values))
            paths += [storage.joined(self.folder, each) for each in self._patched(relative, whole)]
        if self.hr is not None:
            relative = Template().name(name, self.format, {})
            paths += [storage.joined(self.hr, each) for each in self._patched(relative, whole)]
        return tuple(paths)

    def _patched(self, relative: str, size: Sides | None) -> list[str]:
        return [relative] if self.pairs is None else self.pairs.names(relative, size)

    def too_small(self, size: Sides) -> str:
        """Why an input is smaller than it should be after cropping; empty if it is not."""
        width, height = size
        if self.min_size is not None and (width < self.min_size[0] or height < self.min_size[1]):
            return f"{shown(size)} is smaller than --min-size {self.min_size[0]}x{self.min_size[1]}"
        if self.pairs is not None and (why := self.pairs.too_small(size)):
            return why
        for output in self.outputs:
            try:
                output.recipe.size.of(size)
            except ArgumentError as error:
                return str(error)
        return ""

    def keeps_size(self, size: Sides) -> bool:
        """Whether a cropped input is too small, and therefore copied in its own size."""
        return self.if_smaller == "copy" and bool(self.too_small(size))

    @cached_property
    def methods(self) -> tuple[str | None, ...]:
        """The method of each target; None for the cropped original."""
        return (*(output.recipe.method for output in self.outputs), *self._of_original(None))

    @cached_property
    def parameters(self) -> tuple[dict[str, Any], ...]:
        """The parameters of each target's method, by the names of the options."""
        return (*(output.recipe.told for output in self.outputs), *self._of_original({}))

    def sizes(self, size: Sides, count: int) -> tuple[Size, ...]:
        """Width and height of each of so many targets for a cropped input of this size."""
        sizes = [_output_size(output.recipe, size) for output in self.outputs]
        sizes += self._of_original((int(size[0]), int(size[1])))
        if self.pairs is not None:
            sizes = list(map(self.pairs.size, sizes, self.scales))
        return spread(sizes, count)

    @cached_property
    def scales(self) -> tuple[int, ...]:
        """The scale of each kind of output, if all are scales; 1 for the cropped original."""
        scales = (int(output.recipe.size.scale or 1) for output in self.outputs)
        return (*scales, *self._of_original(1))

    def _of_original(self, value: Any) -> tuple[Any, ...]:
        return () if self.hr is None else (value,)

    @cached_property
    def fingerprint(self) -> str:
        """A hash that specifications share if they make the same files in the same version."""
        content = {
            "version": __version__,
            "wants": [[output.folder, _content(output.recipe)] for output in self.outputs],
            **{key: getattr(self, key) for key in ("format", "multiple_of", "min_size", "if_smaller")},
            "name": self.template.text,
        }
        if self.pairs is not None:
            content["pairs"] = _plain(asdict(self.pairs))
        return blake2b(json.dumps(content, sort_keys=True).encode(), digest_size=8).hexdigest()


def _output_size(recipe: Recipe, size: Sides) -> Size:
    """Width and height of an output; those of the input if the requested size would enlarge it."""
    try:
        return recipe.size.of(size)
    except ArgumentError:
        return math.ceil(size[0]), math.ceil(size[1])


def _content(recipe: Recipe) -> dict[str, Any]:
    """Everything in a recipe that outputs depend on."""
    values = {
        f.name: _plain(getattr(recipe, f.name)) for f in fields(recipe) if f.name not in _WITHOUT_EFFECT
    }
    return values | {"parameters": {name: _plain(value) for name, value in recipe.used.items()}}


def _plain(value: Any) -> Any:
    if isinstance(value, Filter):
        return value.as_dict()
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return list(map(_plain, value))
    if hasattr(value, "tobytes"):
        return blake2b(value.tobytes(), digest_size=8).hexdigest()
    return value if value is None or isinstance(value, int | float | str | bool) else str(value)
