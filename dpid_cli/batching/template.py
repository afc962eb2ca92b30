"""Names of outputs, from a template."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass
from functools import cached_property
from string import Formatter

from dpid_cli.downscaling.sizes import Size
from dpid_cli.errors import ArgumentError
from dpid_cli.pictures import FORMATS, WRITTEN
from dpid_cli.pictures.formats import FALLBACK

FIELDS = ("stem", "ext", "method", "scale", "width", "height")
PLAIN = "{stem}{ext}"
_EXTENSIONS = {extension: f for f in WRITTEN.values() for extension in f.extensions}


@dataclass(frozen=True)
class Template:
    """The names of outputs below the folder that mirrors the folder of their input."""

    text: str = PLAIN

    def check(self, scaled: bool) -> None:
        """Raise an `ArgumentError` if the template is invalid; `scaled` says whether a scale is requested."""
        try:
            parts = list(Formatter().parse(self.text))
        except ValueError as error:
            raise ArgumentError(f"--name: {self.text}: {error}: write {{{{ for a brace") from None
        for _, name, form, conversion in parts:
            if name is not None and (name not in FIELDS or form or conversion):
                known = " ".join(f"{{{field}}}" for field in FIELDS)
                raise ArgumentError(f"--name: {{{name}}} is not known: use {known}")
        if self._has("scale") and not scaled:
            raise ArgumentError("--name: {scale} needs -s: use {width} or {height}")
        if not self._has("stem") or self.text.startswith("/"):
            raise ArgumentError(f"--name: {self.text}: must contain {{stem}} and not start with /: change it")
        if ".." in self.text.split("/") or self.text.endswith("/"):
            raise ArgumentError(f"--name: {self.text}: leads out of the folder: omit .. and a / at the end")

    @cached_property
    def needs_size(self) -> bool:
        """Whether names depend on the size of the output."""
        return self._has("width") or self._has("height")

    def name(
        self, source: str, format_: str | None, method: str, scale: float | None, size: Size | None
    ) -> str:
        """The path of an output in the folder tree, from that of the input, `source`.

        `format_` is the name in `FORMATS` of the requested format; `size` is that of the output, if needed.
        """
        folder, last = posixpath.split(source)
        stem, extension = posixpath.splitext(last)
        width, height = size or (0, 0)
        name = self.text.format(
            stem=stem,
            ext=_extension(extension, format_),
            method=method,
            scale="" if scale is None else f"{scale:.6g}",
            width=width,
            height=height,
        )
        return posixpath.join(folder, name)

    def _has(self, field: str) -> bool:
        return any(name == field for _, name, _, _ in Formatter().parse(self.text))


def _extension(own: str, format_: str | None) -> str:
    """The input's extension if it fits the output's format, else that format's first."""
    known = _EXTENSIONS.get(own.lower())
    if format_ is None:
        return own if known else FALLBACK.extensions[0]
    wanted = FORMATS[format_]
    return own if known is wanted else wanted.extensions[0]
