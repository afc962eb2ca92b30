"""What cannot work together in a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dpid_cli.downscaling.choices import Depth, Gravity, PaletteUse, Transparency
from dpid_cli.downscaling.filters import resolved
from dpid_cli.downscaling.registry import METHODS, Method
from dpid_cli.errors import ArgumentError, either

if TYPE_CHECKING:
    from dpid_cli.convert.recipe import Recipe


def check_part(recipe: Recipe, method: Method) -> None:
    """Raise an `ArgumentError` for a wrong crop or gravity."""
    if recipe.square_pixels and (recipe.crop is not None or recipe.fills):
        raise ArgumentError("square-pixels: cannot be used with a crop or fit fill: omit one")
    if (crop := recipe.rectangle()) is not None and not crop.is_whole:
        from dpid_cli.downscaling.cropping import check_parts

        check_parts(method, method.parameters(resolved(method, recipe.parameters)), recipe.device)
    if recipe.gravity is not None:
        if not recipe.fills:
            raise ArgumentError("gravity: goes with fit fill: omit it, or set both")
        _check_gravity(recipe.gravity)


def check_palette(recipe: Recipe, method: Method) -> None:
    """Raise an `ArgumentError` if indices are to be kept and this recipe computes with their values."""
    if PaletteUse.named("palette", recipe.palette) == PaletteUse.EXPAND:
        return
    if not method.copies:
        able = either(one.name for one in METHODS.values() if one.copies)
        raise ArgumentError(f"palette: {method.name} cannot average indices: use {able}, or expand")
    colours = {
        "colors": "colors" in recipe.encoding,
        "linear": recipe.linear,
        "to-srgb": recipe.to_srgb,
        "transparency": recipe.transparency == Transparency.DROP,
        "depth": recipe.depth == Depth.SIXTEEN,
    }
    if wrong := [option for option, used in colours.items() if used]:
        raise ArgumentError(f"{wrong[0]}: cannot be used with palette keep: omit it, or use palette expand")


def _check_gravity(gravity: Any) -> None:
    """Raise an `ArgumentError` for what is neither a word nor a point."""
    if isinstance(gravity, str):
        if gravity in Gravity.words():
            return
    elif isinstance(gravity, Sequence) and len(gravity) == 2 and all(map(_is_number, gravity)):
        return
    raise ArgumentError(f"gravity must be {either(Gravity.words())}, or a point (x, y) (got {gravity!r})")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))
