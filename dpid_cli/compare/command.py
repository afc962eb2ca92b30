"""The command that downscales an image as a comparison does."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.parameters import shown

if TYPE_CHECKING:
    from dpid_cli.downscaling.sizes import SizeRequest

# Fields of recipes that change pixels, with options of the same names.
_OPTIONS = (
    "depth", "linear", "to_srgb", "transparency", "background", "value_range", "max_pixels", "max_frames",
    "frame", "truncated", "crop",
)  # fmt: skip


def command_of(recipe: Recipe, name: str) -> dict[str, str]:
    """The words of ``dpid downscale`` for an image, without method, parameters and output.

    >>> from dpid_cli.downscaling.sizes import SizeRequest
    >>> command_of(Recipe(SizeRequest("scale", 4.0), linear=True), "photo.jpg")
    {'input': 'dpid downscale photo.jpg', 'size': '-s 4', 'options': '--linear'}
    """
    usual = Recipe(recipe.size)
    source = f"./{name}" if name.startswith("-") and name != "-" else name
    changed = (option for option in _OPTIONS if getattr(recipe, option) != getattr(usual, option))
    options = [word for name in changed for word in _option(name.replace("_", "-"), getattr(recipe, name))]
    parts = {"input": ["dpid", "downscale", source], "size": _size(recipe.size), "options": options}
    return {name: shlex.join(words) for name, words in parts.items()}


def _size(size: SizeRequest) -> list[str]:
    value = "x".join(map(shown, size.value)) if isinstance(size.value, tuple) else shown(size.value)
    words = ["-s" if size.kind == "scale" else f"--{size.kind}", value]
    return words + (["--fit", size.fit] if size.kind == "size" and size.fit != "inside" else [])


def _option(name: str, value: Any) -> list[str]:
    if value is True:
        return [f"--{name}"]
    return [f"--{name}", ",".join(map(shown, value)) if isinstance(value, tuple) else shown(value)]
