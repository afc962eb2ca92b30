"""Templates for the names of outputs."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from string import Formatter
from typing import TYPE_CHECKING, Any

from dpid_cli.errors import ArgumentError
from dpid_cli.files import storage
from dpid_cli.pictures.formats import FALLBACK, FORMATS, WRITTEN

if TYPE_CHECKING:
    from dpid_cli.convert.recipe import Recipe

FIELDS = ("stem", "ext", "source_ext", "parent", "index", "method", "lambda", "scale", "width", "height")
PLAIN = "{stem}{ext}"
_EXTENSIONS = {extension: f for f in WRITTEN.values() for extension in f.extensions}
_DIGITS = re.compile(r"0?[1-9]")  # {index:04} has four digits at least


@dataclass(frozen=True)
class Template:
    """The names of outputs; those of a batch are below the folder that mirrors the folder of their input."""

    text: str = PLAIN

    @classmethod
    def with_suffix(cls, suffix: str) -> Template:
        """The name of the input with this suffix."""
        if len(PurePath(f"name{suffix}").parts) > 1:
            raise ArgumentError(f"--suffix: {suffix}: must not contain /: use --name")
        return cls("{stem}" + suffix.replace("{", "{{").replace("}", "}}") + "{ext}")

    def check(self, recipes: Iterable[Recipe]) -> None:
        """Raise an `ArgumentError` if the template is invalid, or lacks a value for one of the recipes."""
        try:
            parts = list(Formatter().parse(self.text))
        except ValueError as error:
            raise ArgumentError(f"--name: {self.text}: {error}: write {{{{ for a brace") from None
        for _, name, form, conversion in parts:
            digits = name == "index" and _DIGITS.fullmatch(form or "")
            if name is not None and (name not in FIELDS or (form and not digits) or conversion):
                known = " ".join(f"{{{field}}}" for field in FIELDS)
                raise ArgumentError(f"--name: {{{name}}} is not known: use {known}")
        for recipe in recipes:
            if self.has("scale") and recipe.size.scale is None:
                raise ArgumentError("--name: {scale} needs -s: use {width} or {height}")
            if self.has("lambda") and "lambda_" not in recipe.used:
                raise ArgumentError(f"--name: {{lambda}}: method {recipe.method} has none: use {{method}}")
        path = PurePath(self.text)  # with the separators and drives of the system
        if not (self.has("stem") or self.has("index")) or path.anchor:
            raise ArgumentError(
                f"--name: {self.text}: must contain {{stem}} or {{index}} and not start with /: change it"
            )
        if ".." in path.parts or self.text.endswith("/"):
            raise ArgumentError(f"--name: {self.text}: leads out of the folder: omit .. and a / at the end")

    @cached_property
    def needs_size(self) -> bool:
        """Whether names depend on the size of the output."""
        return self.has("width") or self.has("height")

    def has(self, field: str) -> bool:
        """Whether the template contains a field."""
        return field in self._fields

    @cached_property
    def _fields(self) -> frozenset[str | None]:
        return frozenset(name for _, name, _, _ in Formatter().parse(self.text))

    def values(
        self, recipe: Recipe, path: str, size: tuple[int, int] | None = None, index: int = 1
    ) -> dict[str, Any]:
        """The values of the fields that the name of an input, whose path is `path`, does not tell.

        `size` is that of the output, if names need it; `index` counts the inputs from 1.
        """
        width, height = size or (0, 0)
        values = {"index": index, "method": recipe.method, "width": width, "height": height}
        values["scale"] = "" if recipe.size.scale is None else f"{recipe.size.scale:.6g}"
        if self.has("lambda"):  # which takes longer than all others
            lambda_ = recipe.used["lambda_"]
            values["lambda"] = lambda_ if isinstance(lambda_, str) else f"{lambda_:.6g}"
        if self.has("parent"):
            folder = storage.parent(path)
            values["parent"] = "" if folder in (".", "..") else folder
        return values

    def name(self, source: str, format_: str | None, values: Mapping[str, Any]) -> str:
        """The path of an output in the folder tree, from that of the input, `source`.

        `format_` is the name in `FORMATS` of the requested format. `values` are those of `values`, and may
        contain an ``ext``.
        """
        folder, last = posixpath.split(source)
        stem, extension = posixpath.splitext(last)
        own = {"stem": stem, "source_ext": extension, "ext": _extension(extension, format_)}
        # A folder without a name, such as that of all folders, must not lead out of the tree.
        return posixpath.join(folder, self.text.format_map({**own, **values}).lstrip("/"))


def _extension(own: str, format_: str | None) -> str:
    """The input's extension if it fits the output's format, else that format's first."""
    known = _EXTENSIONS.get(own.lower())
    if format_ is None:
        return own if known else FALLBACK.extensions[0]
    wanted = FORMATS[format_]
    return own if known is wanted else wanted.extensions[0]
