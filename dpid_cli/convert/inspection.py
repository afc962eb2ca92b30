"""What is known of an image file, and what a run keeps of it."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from typing import Any

from dpid_cli.convert.recipe import Recipe
from dpid_cli.downscaling.sizes import SizeRequest
from dpid_cli.errors import DpidError, collected
from dpid_cli.files.streams import called, opened
from dpid_cli.pictures import FORMATS, Picture, PictureSequence, check_sequence, icc, write
from dpid_cli.pictures.metadata import contents

_TRANSPARENCY = {"none": "none", "opaque": "none (an alpha channel, opaque)", "used": "some pixels"}
_TRIAL = 16  # pixels of the longer side of an output that shows what a run keeps


def inspected(source: str, format_: str | None = None, *, frame: int | None = None) -> dict[str, Any]:
    """The facts of an image, for JSON; a `FileError` if it cannot be read.

    Parameters
    ----------
    source : str
        A path, or ``-`` for standard input.
    format_ : str, optional
        The name in `FORMATS` of the format that a run would write; by default that of the image.
    frame : int, optional
        Describe this frame or page instead of the first.
    """
    name = called(source)
    recipe = Recipe(SizeRequest("longest", _TRIAL), "box", threads=1, record=False, frame=frame)
    with collected() as warnings, opened(source, recipe.most_bytes) as stream:
        sequence = recipe.sequence(stream, name)
        picture = next(sequence.pictures)
        length = stream.seek(0, os.SEEK_END)
        read = list(dict.fromkeys(warnings))
    target = FORMATS[format_ or picture.format].target
    lost, refused = _lost(recipe, sequence, picture, target.name, name)
    return {
        "input": source,
        "bytes": length,
        "format": FORMATS[picture.format].title,
        "size": list(picture.size),
        "orientation": max(picture.orientation, picture.metadata.orientation),
        "mode": picture.mode.partition(";")[0],
        "bits": picture.bits or 8 * picture.pixels.itemsize,
        "floats": picture.pixels.dtype.kind == "f",
        "colours": _colours(picture),
        "transparency": "none" if not picture.alpha else "opaque" if picture.opaque else "used",
        "kind": sequence.kind,
        "frames": sequence.count,
        "plays": sequence.plays if sequence.kind == "animation" else None,
        "resolution": None if picture.resolution is None else list(picture.resolution),
        "metadata": contents(picture.metadata),
        "output_format": target.title,
        "warnings": [note.removeprefix(f"{name}: ") for note in read],
        "lost": lost,
        "error": refused,
    }


def described(facts: Mapping[str, Any]) -> dict[str, str]:
    """The facts of `inspected` in words, by title."""
    width, height = facts["size"]
    turned = f", turned upright (stored with orientation {facts['orientation']})"
    depth = f"{facts['bits']}-bit floats" if facts["floats"] else f"{facts['bits']} bits a channel"
    frames = "1"
    if facts["kind"] == "pages":
        frames = f"{facts['frames']} pages"
    elif facts["kind"] == "animation":
        plays = {0: "for ever", 1: "once"}.get(facts["plays"], f"{facts['plays']} times")
        frames = f"{facts['frames']}, played {plays}"
    lines = {
        "image": facts["input"],
        "format": f"{facts['format']}, {facts['bytes']:,} bytes",
        "size": f"{width}x{height}" + turned * (facts["orientation"] != 1),
        "mode": f"{facts['mode']}, {depth}",
        "colours": facts["colours"],
        "transparency": _TRANSPARENCY[facts["transparency"]],
        "frames": frames,
        "metadata": ", ".join(facts["metadata"]) or "none",
    }
    lines |= {"warnings": "; ".join(facts["warnings"])} if facts["warnings"] else {}
    kept = "; ".join(facts["lost"]) or "keeps all of it"
    return lines | {f"as {facts['output_format']}": facts["error"] or kept}


def _lost(
    recipe: Recipe, sequence: PictureSequence, picture: Picture, format_: str, name: str
) -> tuple[list[str], str | None]:
    """What a run says that an output lacks, and why there would be none; makes a small output to find out."""
    with collected() as warnings:
        try:
            check_sequence(sequence, FORMATS[format_], name)
            sides = SizeRequest("longest", min(_TRIAL, *picture.size)).of(picture.size)
            write(recipe.apply(picture, sides, name), io.BytesIO(), FORMATS[format_], name)
        except DpidError as error:
            return [], str(error).removeprefix(f"{name}: ")
    return [note.removeprefix(f"{name}: ") for note in dict.fromkeys(warnings)], None


def _colours(picture: Picture) -> str:
    if picture.icc_profile is not None:
        return icc.title(picture.icc_profile)
    if picture.cicp is not None:
        return (
            f"code points {picture.cicp.primaries}/{picture.cicp.transfer} (HDR or others without a profile)"
        )
    return "sRGB, as the file has no profile"
