"""Options that commands share, made from the registry of methods where they belong to methods."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from dpid_cli.cli.console import shown
from dpid_cli.downscaling.choices import Depth, Device, Fit, MetadataPolicy, Transparency, Truncated
from dpid_cli.downscaling.registry import FILTERS, METHODS, PARAMETERS, Parameter
from dpid_cli.downscaling.sizes import SizeRequest
from dpid_cli.pictures.formats import ENCODER_OPTIONS, option_default, option_help

F = TypeVar("F", bound=Callable[..., Any])

SIZE_KINDS = ("scale", "percent", "width", "height", "longest", "shortest", "size")


def _width_and_height(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    """``640x480`` as (640, 480)."""
    if value is None:
        return None
    found = re.fullmatch(r"(\d{1,9})[xX](\d{1,9})", value)
    if found is None:
        raise click.BadParameter(f"{value!r} is not a size like 640x480", ctx, param)
    return int(found[1]), int(found[2])


def size_options(function: F, *, several: bool = False) -> F:
    """Every way to give the size of the result; with `several`, more than one scale."""
    again = "  May be given again." if several else ""
    for option in reversed(
        (
            click.option(
                "-s",
                "--scale",
                type=float,
                multiple=several,
                metavar="F",
                help=f"F times smaller on each side.{again}",
            ),
            click.option("--percent", type=float, metavar="P", help="P per cent of each side."),
            click.option("--width", type=int, metavar="W", help="W pixels wide, height by aspect ratio."),
            click.option("--height", type=int, metavar="H", help="H pixels high, width by aspect ratio."),
            click.option("--longest", type=int, metavar="N", help="Longer side N pixels."),
            click.option("--shortest", type=int, metavar="N", help="Shorter side N pixels."),
            click.option(
                "--size",
                callback=_width_and_height,
                metavar="WxH",
                help="Width and height; see --fit.",
            ),
            click.option(
                "--fit",
                type=click.Choice(Fit.words()),
                help="With --size: lie inside it or just cover it, both keeping the aspect ratio, "
                "or have exactly that size.  [default: inside]",
            ),
        )
    ):
        function = option(function)
    return function


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
    if fit is not None and "size" not in given:
        raise click.UsageError(f"--fit: it goes with --size, not with {names}")
    ((kind, value),) = given.items()
    return SizeRequest(kind, value, fit or "inside")


def _pixel_count(ctx: click.Context, param: click.Parameter, value: str) -> int:
    """``512M`` as 512000000."""
    found = re.fullmatch(r"(\d{1,15})([kMG]?)", value)
    if found is None or not int(found[1]):
        raise click.BadParameter(f"{value!r} is not a number of pixels like 512000000 or 512M", ctx, param)
    return int(found[1]) * {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}[found[2]]


def reading_options(function: F) -> F:
    """Which files are read."""
    for option in reversed(
        (
            click.option(
                "--max-pixels",
                callback=_pixel_count,
                default="512M",
                show_default=True,
                metavar="N",
                help="Refuse larger images before they are decoded; k, M and G may follow the number.",
            ),
            click.option(
                "--max-frames",
                type=click.IntRange(min=1),
                default=10_000,
                show_default=True,
                metavar="N",
                help="Refuse files of more frames or pages.",
            ),
            click.option(
                "--frame",
                type=int,
                metavar="N",
                help="Use only this frame of an animation, or page of a file: 0 is the first, -1 the last.  "
                "[default: all]",
            ),
            click.option(
                "--truncated",
                type=click.Choice(Truncated.words()),
                default="error",
                show_default=True,
                help="Whether a file that is cut off is an error, or what there is of it is used.",
            ),
        )
    ):
        function = option(function)
    return function


def metadata_options(function: F) -> F:
    """What results tell beside their pixels."""
    for option in reversed(
        (
            click.option(
                "--metadata",
                type=click.Choice(MetadataPolicy.words()),
                default="keep",
                show_default=True,
                help="Keep EXIF, XMP, IPTC, resolution, comments and colour profile as far as the format "
                "holds them, or only the colour profile, or nothing.",
            ),
            click.option(
                "--record/--no-record",
                default=True,
                help="Whether results whose metadata is kept tell what made them.  [default: record]",
            ),
        )
    ):
        function = option(function)
    return function


def colour_options(function: F) -> F:
    """What the pixels of results are, and what colours and transparency mean."""
    for option in reversed(
        (
            click.option(
                "--depth",
                type=click.Choice(Depth.words()),
                default="keep",
                show_default=True,
                help="Bits a channel of the result; with 16 it is computed in 16 bits, whatever the image "
                "has. Floats are clipped to [0, 1] where they become 8 or 16 bits.",
            ),
            click.option(
                "--linear",
                is_flag=True,
                help="Take means of light, not of the values that encode it, by the curves of the colour "
                "profile or of sRGB; weights stay those of the values.",
            ),
            click.option(
                "--to-srgb", is_flag=True, help="Convert colours through their profile to sRGB first."
            ),
            click.option(
                "--transparency",
                type=click.Choice(Transparency.words()),
                default="premultiply",
                show_default=True,
                help="Weigh colours by alpha, or downscale colours and alpha each by itself, or lay colours "
                "over --background first.",
            ),
            click.option(
                "--background",
                metavar="COLOUR",
                help="With --transparency drop: a name or #rrggbb.  [default: white]",
            ),
        )
    ):
        function = option(function)
    return function


def _defaults(name: str) -> str:
    """A parameter's default, with the methods where they differ."""
    owners: dict[str, list[str]] = {}
    for method in METHODS.values():
        if (value := method.defaults.get(name)) is not None:
            owners.setdefault(shown(value), []).append(method.name)
    if not owners:
        return PARAMETERS[name].unset
    if len(owners) == 1:
        return next(iter(owners))
    return ", ".join(f"{value} ({', '.join(names)})" for value, names in owners.items())


def parameter_type(parameter: Parameter) -> Any:
    """What Click reads a parameter as; the registry checks bounds, and filters are found when used."""
    if parameter.filters:
        return str
    if parameter.choices:
        return click.Choice(parameter.choices)
    return int if parameter.whole else float


def told(parameter: Parameter) -> str:
    """What the help says of a parameter."""
    unit = f", in {parameter.unit}" if parameter.unit else ""
    summary = f"{parameter.summary[0].upper()}{parameter.summary[1:]}{unit}."
    if not (parameter.filters and parameter.choices):
        return summary
    return f"{summary} FILTER is a file of 'dpid learn', or {', '.join(FILTERS)}."


def method_options(function: F, *, several: bool = False) -> F:
    """The method and the parameters of all methods; with `several`, more than one method."""
    again = "  May be given again." if several else ""
    for name, parameter in reversed(list(PARAMETERS.items())):
        function = click.option(
            f"--{parameter.label}",
            name,
            type=parameter_type(parameter),
            metavar="|".join([*parameter.choices, "FILTER"]) if parameter.filters else None,
            help=f"{told(parameter)}  [default: {_defaults(name)}]",
        )(function)
    return click.option(
        "-m",
        "--method",
        type=click.Choice(list(METHODS)),
        multiple=several,
        default=["dpid"] if several else "dpid",
        show_default=True,
        help=f"See 'dpid methods'.{again}",
    )(function)


def device_option(function: F) -> F:
    """Where to compute."""
    return click.option(
        "--device",
        type=click.Choice(Device.words()),
        default="cpu",
        show_default=True,
        help="Compute on the processor or on a GPU (dpid, dpp, box, max, min, extremum); auto takes the GPU "
        "where there is one.",
    )(function)


def encoder_options(function: F) -> F:
    """The options of encoders, as the file formats declare them."""
    for option in reversed(ENCODER_OPTIONS.values()):
        function = click.option(
            f"--{option.name.replace('_', '-')}",
            type=click.IntRange(option.lowest, option.highest),
            metavar="N",
            help=f"{option_help(option)}  [default: {option_default(option)}]",
        )(function)
    return function


def encoding(options: dict[str, Any]) -> Mapping[str, int]:
    """Take the encoder's options that were given out of `options`."""
    return {name: value for name in ENCODER_OPTIONS if (value := options.pop(name)) is not None}


def method_parameters(options: dict[str, Any]) -> Mapping[str, Any]:
    """Take the parameters that were given out of `options`."""
    return {name: value for name in PARAMETERS if (value := options.pop(name)) is not None}
