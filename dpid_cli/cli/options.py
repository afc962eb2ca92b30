"""Options that commands share; those of methods come from the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from dpid_cli.cli.console import shown
from dpid_cli.cli.sections import (
    Choice,
    Option,
    any_size,
    byte_count,
    crop_box,
    gravity,
    number,
    option,
    percent,
    pixel_count,
    scale,
    sections,
    two_numbers,
    words_of,
    wrong,
)
from dpid_cli.downscaling.choices import (
    Depth,
    Fit,
    Guidance,
    MetadataPolicy,
    PaletteUse,
    Preserve,
    Transparency,
    Truncated,
)
from dpid_cli.downscaling.registry import FILTERS, METHODS, PARAMETERS, Parameter
from dpid_cli.downscaling.sizes import SizeRequest
from dpid_cli.errors import ArgumentError
from dpid_cli.pictures.codecs.encoder_options import EncoderOption
from dpid_cli.pictures.formats import ENCODER_OPTIONS, WRITTEN, option_default, option_help

if TYPE_CHECKING:
    from dpid_cli.convert.names import Template

SIZE_KINDS = ("scale", "percent", "width", "height", "longest", "shortest", "size")


def size_options(*, several: bool = False) -> list[click.Parameter]:
    """Every way to give the output's size; with `several`, more than one scale."""
    return sections(
        "Size",
        option("-s --scale F", "Divide width and height by F: 4 (or x4, 1/4, 25%) turns 4000x3000 into "
               "1000x750.", scale, multiple=several),
        option("--percent P", "Resize to P % of the original width and height.", percent),
        option("--width W", "Resize to W pixels wide; keep the aspect ratio.", int),
        option("--height H", "Resize to H pixels high; keep the aspect ratio.", int),
        option("--longest N", "Resize the longer side to N pixels; keep the aspect ratio.", int),
        option("--shortest N", "Resize the shorter side to N pixels; keep the aspect ratio.", int),
        option("--size WxH", "Resize to W x H pixels; see --fit. 800 is the longer side, 800x the width, "
               "x600 the height.", any_size),
        option("--fit", "With --size: fit inside it or cover it (both keep the aspect ratio), match it, or "
               "crop to fill it.", Fit.words(), shown="inside"),
        option("--gravity WORD|X,Y", "With --fit fill: keep the centre, north, southeast ..., a point, "
               "or the detail (where dpid differs most from box).", gravity, shown="centre"),
        option("--crop X,Y,W,H", "Use only this part of the input, in pixels, which may have decimals.",
               crop_box),
    )  # fmt: skip


INPUT_LIMITS = sections(
    "Input limits",
    option("--max-pixels N", "Refuse larger images before decoding them; N may end in k, M or G.",
           pixel_count, default="512M"),
    option("--max-frames N", "Refuse files with more than N frames or pages.", number(1), default=10_000),
    option("--frame N", "Use only frame or page N of a file; 0 is the first, -1 the last.",
           int, shown="all"),
    option("--truncated", "Truncated files: fail, or use what can be decoded.",
           Truncated.words(), default="error"),
)  # fmt: skip

COLOUR = sections(
    "Colour and alpha",
    option("--depth", "Bits per channel of the output; 16 also computes in 16 bits. 8 and 16 clip floats to "
           "[0, 1].", Depth.words(), default="keep"),
    option("--linear", "Average in linear light, by the colour profile, else as sRGB. Weights still use the "
           "encoded values."),
    option("--to-srgb", "First convert colours from the image's profile to sRGB."),
    option("--transparency", "Weight colours by alpha; scale colour and alpha independently; or composite "
           "onto --background.", Transparency.words(), default="premultiply"),
    option("--background COLOUR", "With --transparency drop: composite onto this colour, a name or #rrggbb.",
           shown="white"),
)  # fmt: skip

PALETTE = sections(
    "Colour and alpha",
    option("--palette", "Palette images: turn indices into colours, or keep them (label masks, with "
           "-m nearest or subsample).", PaletteUse.words(), default="expand"),
)  # fmt: skip


def _encoder_option(one: EncoderOption) -> Option:
    names, kind = f"--{one.label}", _kind_of(one)
    if one.name in _READERS:
        names += " SIZE"
    elif not one.flag and not one.words:
        names += f" {_OLDER_NAMES.get(one.name, '')} N"
    more = {"default": None} if one.flag else {}
    return option(names, option_help(one), kind, name=one.name, shown=option_default(one), **more)


def _kind_of(one: EncoderOption) -> Any:
    if one.words:
        return Choice(one.words, {word.replace(":", ""): word for word in one.words})
    if one.name in _READERS:
        return _READERS[one.name]
    return None if one.flag else number(one.lowest, one.highest)


_READERS = {"target_size": byte_count}
_OLDER_NAMES = {"effort": "--compress-level"}
ENCODING = sections("Output", *map(_encoder_option, ENCODER_OPTIONS.values()))

METADATA = sections(
    "Metadata",
    option("--metadata", "Keep EXIF, XMP, IPTC, resolution, comments and profile, where possible; only the "
           "profile; or nothing.", MetadataPolicy.words(), default="keep"),
    option("--record/--no-record", "With --metadata keep: record method, parameters and version in the "
           "output (Software tag).", default=True, shown="record"),
    option("--preserve times,mode", "Give outputs the modification time, the permissions or both of their "
           "input. Copies always keep the time.", words_of(Preserve.words()), shown="neither"),
)  # fmt: skip

SQUARE_PIXELS = sections(
    "Size",
    option("--square-pixels", "Make the pixels of the output square, by the resolution of the input. Sizes "
           "count square pixels."),
)  # fmt: skip

VALUE_RANGE = sections(
    "Colour and alpha",
    option("--value-range BLACK,WHITE", "Values of black and white in float images, such as 0,255. --depth 8 "
           "and 16 map them to the smallest and largest level.", two_numbers, shown="0,1"),
)  # fmt: skip
# What downscale and batch do alike.
RECIPE = [*SQUARE_PIXELS, *COLOUR, *PALETTE, *VALUE_RANGE, *ENCODING, *METADATA, *INPUT_LIMITS]
INPUTS = click.Argument(["inputs"], nargs=-1, required=True, metavar="INPUT...", type=click.Path())
DRY_RUN = option("-n --dry-run", "Print what would be done; write nothing.", name="dry")
OVERWRITE = option("-f -y --overwrite", "Replace existing outputs; inputs are never replaced.")
THREADS = option("-j --threads N", "Use N threads.", number(1), shown="all CPU cores")
QUIET = option("-q --quiet", "Print only errors.")
DEBUG = option("--debug", "Show tracebacks.")


def name_options(default: str) -> list[click.Parameter]:
    """What outputs are called."""
    return sections(
        "Output",
        option("--name TEMPLATE", "Name outputs: {stem} {ext} {source_ext} {parent} {index} {method} "
               "{lambda} {scale} {width} {height}.", name="template", shown=default),
        option("--suffix TEXT", "Name outputs {stem}TEXT{ext}."),
    )  # fmt: skip


def format_option(shown: str, name: str = "", **more: Any) -> Option:
    """The file format of the output; `shown` says what decides without it."""
    endings = {ending: name for name, codec in WRITTEN.items() for ending in codec.extensions}
    names = Choice(WRITTEN, endings | {ending.lstrip("."): name for ending, name in endings.items()})
    return option("--format FORMAT", f"Write {', '.join(WRITTEN)}.", names, shown=shown, name=name, **more)


def device_option(*devices: str) -> Option:
    """Where to compute."""
    able = ", ".join(method.name for method in METHODS.values() if method.gpu)
    auto = "; auto takes a GPU if there is one" if "auto" in devices else ""
    return option("--device", f"Use the CPU or a GPU ({able}){auto}.", devices, default="cpu")


def size_request(options: dict[str, Any]) -> SizeRequest:
    """Take the size options out of `options`; exactly one must have been given."""
    given = {kind: value for kind in SIZE_KINDS if (value := options.pop(kind)) is not None}
    fit = options.pop("fit")
    names = ", ".join(f"--{kind}" for kind in given)
    if not given:
        raise click.UsageError(
            "no size is given: use one of " + ", ".join(f"--{kind}" for kind in SIZE_KINDS)
        )
    if len(given) > 1:
        raise click.UsageError(f"{names}: give only one kind of size (--size WxH for both sides)")
    ((name, value),) = given.items()
    kind, value = value if name == "size" else (name, value)
    if fit is not None and kind != "size":
        asked = "--size N" if name == "size" else f"--{name}"
        raise click.UsageError(f"--fit: goes with --size WxH, not with {asked}: omit it")
    return SizeRequest(kind, value, fit or "inside", name)


def name_template(options: dict[str, Any]) -> Template | None:
    """Take the options about names out of `options`."""
    from dpid_cli.convert.names import Template

    text, suffix = options.pop("template"), options.pop("suffix")
    if text is not None and suffix is not None:
        raise click.UsageError("--suffix: --name already says where it goes: omit one of them")
    if suffix is not None:
        return Template.with_suffix(suffix)
    return None if text is None else Template(text)


def parameter_option(parameter: Parameter, text: str = "", shown: str = "") -> Option:
    """The option of a parameter; without `text` and `shown`, the registry says what it does by default.

    The registry checks bounds; filters are looked up when used.
    """
    about, default = explained(parameter, most=4)
    names = f"--{parameter.label}"
    kind: Any = int if parameter.whole else float
    if parameter.filters:
        images = [] if text or not parameter.choices else ["IMAGE"]
        names, kind = f"{names} {'|'.join([*parameter.choices, 'FILTER', *images])}", _filter_name
    elif parameter.choices:
        kind = parameter.choices
    elif parameter.automatic:
        names, kind = f"{names} {'X[/X...]' if parameter.listed else 'X'}|auto", _reader(parameter)
    else:
        names += " N" if parameter.whole else " X"
    made = option(names, text or about, kind, name=parameter.name, shown=shown or default)
    made.names = FILTERS if parameter.filters else ()
    return made


def _filter_name(text: str) -> str:
    """A path, or one of the names that guidance may have, in any case."""
    return text.lower() if text.lower() in (*Guidance.words(), *FILTERS) else text


def _reader(parameter: Parameter) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        try:
            return parameter.read(text)
        except ArgumentError:
            raise wrong(text, parameter.allowed) from None

    return read


def explained(parameter: Parameter, most: int = len(METHODS)) -> tuple[str, str]:
    """What a parameter does and its default, with the methods that take it, `most` of them by name."""
    owners: dict[str, list[str]] = {}
    for method in METHODS.values():
        if parameter.name in method.defaults:
            value = method.defaults[parameter.name]
            owners.setdefault(parameter.unset if value is None else shown(value), []).append(method.name)
    groups = {value: _first(names, most) for value, names in owners.items()}
    text = f"{parameter.summary[0].upper()}{parameter.summary[1:]}"
    if parameter.unit:
        text += f", in {parameter.unit}"
    if len(groups) == 1:
        ((default, names),) = groups.items()
        if not all(name in parameter.summary for name in names.split(", ")):
            text += f" ({names})"
    else:
        default = ", ".join(f"{value} ({names})" for value, names in groups.items())
    if parameter.filters and parameter.choices:
        text += f". FILTER is a file of 'dpid learn' or {', '.join(FILTERS)}"
    return text + ".", default


def _first(names: Sequence[str], most: int) -> str:
    """The names, or the first of them and how many more there are."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def method_options(*, several: bool = False) -> list[click.Parameter]:
    """The method, and the parameters of all methods; with `several`, more than one method."""
    return sections(
        "Method",
        option("-m --method METHOD", "Downscale by this method: see 'dpid methods'.", tuple(METHODS),
               multiple=several, default=["dpid"] if several else "dpid"),
        *map(parameter_option, PARAMETERS.values()),
    )  # fmt: skip


def method_parameters(options: dict[str, Any]) -> Mapping[str, Any]:
    """Take the parameters that were given out of `options`."""
    return _given(options, PARAMETERS)


def encoding(options: dict[str, Any]) -> Mapping[str, Any]:
    """Take the encoder's options that were given out of `options`."""
    return _given(options, ENCODER_OPTIONS)


def _given(options: dict[str, Any], names: Iterable[str]) -> Mapping[str, Any]:
    return {name: value for name in names if (value := options.pop(name)) is not None}
